import type { Dialect } from '../dialect.ts'
import { words } from './contract.ts'
import { errors } from './errors.ts'
import { meanings } from './meanings.ts'
import { nodeRows } from './routes/nodes.ts'
import { pauseRows } from './routes/pauses.ts'
import { runRows } from './routes/runs.ts'
import { sessionRows } from './routes/sessions.ts'
import { workflowRows } from './routes/workflows.ts'

export { sayable } from './mapping/definition.ts'

/** The API of PySpur: its workflows, runs, pauses and what of its sessions its chat uses. */
export const pyspur: Dialect = {
  name: 'pyspur',
  title: 'PySpur',
  description: [
    'The API of PySpur for workflows, served by Sluice: its published operations, and those of its public source that its clients cannot do without.',
    'Everything is found under `/api` as well, with or without the slash at the end. Times are UTC without saying so, but those of pauses. Errors are `{"detail": …}`: a text, or, under 422, a list of what does not fit.',
    'Unlike PySpur, the server asks for a credential, unless its operator lets anyone in.',
  ].join('\n\n'),
  prefixes: ['/wf', '/run', '/runs', '/session', '/user', '/node', '/ds', '/files'],
  mounts: ['', '/api'],
  credentials: {
    bearer: { type: 'http', scheme: 'bearer', description: 'The token of a login, or an API key' },
    apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'An API key, as `sk_…`' },
  },
  tags: [
    { name: 'workflows', description: 'Workflows, their versions and their test files' },
    { name: 'pauses', description: 'What asks for a decision of a person, and what was decided' },
    { name: 'runs', description: 'Runs and their tasks' },
    { name: 'sessions', description: 'Conversations with a workflow' },
    { name: 'nodes', description: 'What definitions are made of' },
    { name: 'files', description: 'Bytes of what was uploaded' },
  ],
  rows: [...workflowRows, ...pauseRows, ...runRows, ...sessionRows, ...nodeRows],
  errors,
  words,
  meanings,
  losses: [{ what: 'Datasets, batch runs, evaluations, RAG', why: 'they are not part of the published page, and have no counterpart here' }],
}
