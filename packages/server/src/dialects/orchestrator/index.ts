import type { Dialect } from '../dialect.ts'
import { words } from './contract.ts'
import { errors } from './errors.ts'
import { meanings } from './meanings.ts'
import { authRows } from './routes/auth.ts'
import { connectionRows } from './routes/connections.ts'
import { executionRows } from './routes/execution.ts'
import { fileRows } from './routes/files.ts'
import { nodeTypeRows } from './routes/node-types.ts'
import { nodeRows } from './routes/nodes.ts'
import { workflowRows } from './routes/workflows.ts'
import { sockets } from './stream.ts'

/** The API of the Workflow Orchestrator: its canvas, its tasks, its node types. */
export const orchestrator: Dialect = {
  name: 'orchestrator',
  title: 'Workflow Orchestrator',
  description: [
    'The API of the Workflow Orchestrator, served by Sluice: its published operations, and those of its public source that its clients cannot do without.',
    'Every address is found with or without the slash at the end. Times are UTC. An error is `{"error", "code", "details"}`, and beside these keys it has those of the source: `detail`, `error_code`, `errors`.',
    'What goes on while a workflow runs is told over a socket, at `/ws/workflow/{workflow_id}/`.',
  ].join('\n\n'),
  prefixes: ['/api/workflow', '/api/nodes', '/api/celery', '/api/webhooks', '/api/auth', '/node-icons', '/ws/workflow'],
  mounts: [''],
  credentials: {
    bearer: { type: 'http', scheme: 'bearer', description: 'The `access` of a login, or an API key' },
    apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'An API key, as `sk_…`' },
  },
  tags: [
    { name: 'workflows', description: 'Workflows, and how a canvas draws them' },
    { name: 'execution', description: 'Starting and stopping workflows, and how their tasks go on' },
    { name: 'nodes', description: 'The nodes of a workflow, and one of them by itself' },
    { name: 'connections', description: 'What leads from one node to another' },
    { name: 'files', description: 'Files of nodes' },
    { name: 'node types', description: 'What nodes there are, and their forms' },
    { name: 'webhooks', description: 'What others send' },
    { name: 'auth', description: 'Who asks' },
  ],
  rows: [...workflowRows, ...executionRows, ...nodeRows, ...connectionRows, ...fileRows, ...nodeTypeRows, ...authRows],
  sockets,
  errors,
  words,
  meanings,
  losses: [],
}
