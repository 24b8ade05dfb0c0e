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
import { webhookRows } from './routes/webhooks.ts'
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
  rows: [...workflowRows, ...executionRows, ...nodeRows, ...connectionRows, ...fileRows, ...nodeTypeRows, ...webhookRows, ...authRows],
  sockets,
  errors,
  words,
  meanings,
  losses: [
    {
      what: 'The completion sentinel, and the pair of events that each node tells of it',
      why: 'an item that is none does not go through the nodes: a producer that has no more ends, and is told once',
    },
    { what: 'A second run beside one that goes on', why: 'who starts a workflow again is answered with the run there is, so that a GET may be repeated' },
    { what: '`runs_count` and `last_run` as a client writes them', why: 'they are told of the runs that there were' },
    { what: '`node_type` as an object in the answer of `nodes/add`', why: 'the document has it as a text; the canvas has the object' },
    { what: '`form_values` that are no object, names of node types of more than 100 characters', why: 'they could be the values of no form, and the name of no node type' },
    { what: 'Workflows beyond the first thousand of a list', why: 'a list is answered as a whole, and has a bound' },
    { what: 'Users of other names than their email, and registration', why: 'people here log in with their email, and are invited' },
    { what: 'Icons (`/node-icons/…`)', why: 'pictures belong to an editor' },
    {
      what: 'Browsers, LinkedIn and Google Sheets as nodes',
      why: 'they need services that this server does not have: such nodes are kept and shown, and refused when they are to run',
    },
    {
      what: '`env`, `workflow_type`, `…/execute/` of whole workflows, `clear_node_output`',
      why: 'they came to the source after the document; a run that answers is started by our own API',
    },
    { what: 'Keys called `__proto__`, `constructor` or `prototype`', why: 'they are dropped wherever they come: code could take them for something else' },
  ],
}
