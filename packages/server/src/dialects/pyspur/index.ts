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
  losses: [
    { what: 'Datasets, batch runs, evaluations, RAG', why: 'they are not part of the published page, and have no counterpart here' },
    { what: 'Model names without a provider, and `target_handle` of a router that names no route', why: 'they are kept as they came, not rewritten: what was saved comes back' },
    { what: 'The time behind a name that is taken', why: 'it is a number, so that two in one second have two names' },
    { what: 'Test inputs of native drafts that are no objects', why: 'such a workflow is left out of the list, and by id it is a 409: who saved it would lose them' },
    { what: 'Keys called `__proto__`, `constructor` or `prototype`, in a config too', why: 'they are dropped wherever they come: code could take them for something else' },
    {
      what: 'A definition that, as it is sent, has more than 1 MiB or 10,000 keys',
      why: 'no request may have more; one that became larger by edits of our own API is shown, run and copied all the same',
    },
    { what: 'Numbers in texts, as `"5"` for a coordinate', why: 'a number is a number in JSON' },
    { what: 'Users (`/user/`)', why: 'people here are members of a workspace, who log in; a `user_id` that names none of them is kept as a name and shown' },
    { what: '`parent_run_id` of a start', why: 'only a run itself starts children, which are canceled and held with it' },
    { what: 'Texts that begin with `data:` in inputs', why: 'they stay texts: files are uploaded, and named by their path' },
    { what: 'Keys of `initial_inputs` that name no input node', why: 'no node could read them, so they are not kept' },
    {
      what: 'In lists, in the inputs of pauses and in iterations of a loop, a value of more than 16 KiB; with a single run, of what its nodes were given and gave, what is more than 8 MiB together',
      why: 'such a value is told as `{"truncated": bytes}`, the largest first: what asks for many runs, or again and again, is answered soon',
    },
    { what: 'Iterations of a loop before the last hundred', why: 'a run does not grow with each look at it; its steps have them all' },
    { what: 'Tasks of nodes in a loop', why: 'as with PySpur they are told with the task of the loop; a pause in there makes it paused' },
    { what: 'Files of a batch (`output_file_id`, `input_dataset_id`)', why: 'there are no batches: both are always null' },
    { what: 'Sessions of no workflow', why: 'a session of PySpur has one: others are not found here' },
    { what: '`model_constraints` and `logo` of node types', why: 'which models there are, the operator decides; pictures belong to an editor' },
  ],
}
