import type { JsonObject, Role } from '@sluice/schema'

/**
 * Who may do what, and what each operation names things by: every operation of every face has its entry, written from what the
 * product promises and not from what the server does. `@run` in what is sent stands for the run of some workspace (`world.ts`).
 */
export interface Entry {
  /** The least role that may; `public` asks for no credential, `anyone` for any at all. */
  least: Role | 'public' | 'anyone'
  /** What a key's scopes must reach, each of them; null: nothing in particular. */
  scope: string | null
  /** What is sent: the first for roles too. Names of headers have a dash. */
  sends: readonly JsonObject[]
  /** No key may, whatever its scopes. */
  keys?: false
  /** It ends the credential that it is sent with, or takes none into account: roles try it with one of their own, strangers do not. */
  ends?: true
  /** It is a stream: opened where those are. */
  holds?: true
  /** Something new under another's name is refused with this status, because the names of its kind are one name space for all. */
  shared?: { kind: 'session' | 'workspaceHandle'; status: number; why: string }
}

const of = (least: Entry['least'], scope: string | null, ...sends: JsonObject[]): Entry => ({ least, scope, sends: sends.length > 0 ? sends : [{}] })
const to =
  (scope: string, least: Role) =>
  (...sends: JsonObject[]): Entry =>
    of(least, scope, ...sends)

const mayRead = to('workflows.read', 'viewer')
const mayEdit = to('workflows.edit', 'editor')
const runsRead = to('runs.read', 'viewer')
const runsControl = to('runs.control', 'operator')
const runsStart = to('runs.start', 'operator')
const tries = to('runs.try', 'editor')
const talks = to('sessions.use', 'operator')
const palette = to('nodeTypes.read', 'viewer')

const plain: JsonObject = { nodes: [{ id: 'in', type: 'input' }], links: [] }
/** A draft that calls another workflow: its id is checked when it is published. */
const calling: JsonObject = {
  nodes: [
    { id: 'in', type: 'input' },
    { id: 'sub', type: 'subworkflow', config: { workflow: '@workflow' } },
  ],
  links: [{ source: 'in', target: 'sub' }],
}
/** A record of PocketBase's collection, but for whose it is. */
const session: JsonObject = { title: 'Mine', status: 'idle', currentStepId: 'a', steps: [{ id: 'a' }], context: { a: 1 } }
const taken = 'Ids are one name space for all workspaces: one that is taken is refused, and nothing else is told'

export const core: Readonly<Record<string, Entry>> = {
  'workflows.list': mayRead({ limit: 100, count: true }, { where: { id: '@workflow' } }, { where: { handle: '@handle' } }),
  'workflows.get': mayRead({ workflow: '@workflow', include: ['samples'] }),
  'workflows.create': mayEdit({ name: 'New', definition: plain }, { name: 'Calls', definition: calling, idempotencyKey: '@idempotency' }),
  'workflows.update': mayEdit({ workflow: '@workflow', description: 'mine' }),
  'workflows.reset': mayEdit({ workflow: '@workflow', drafts: { workflow: plain } }),
  'workflows.delete': to('workflows.delete', 'editor')({ workflow: '@workflow' }),
  'workflows.duplicate': mayEdit({ workflow: '@workflow', idempotencyKey: '@idempotency' }),
  'workflows.export': mayRead({ workflow: '@workflow', versions: 2 }),
  'workflows.import': mayEdit(
    { format: 'sluice.workflow/1', name: 'Brought', handle: 'brought', draft: calling },
    { format: 'sluice.workflow/1', name: 'Once', draft: plain, idempotencyKey: '@idempotency' },
  ),
  'workflows.publish': to('workflows.publish', 'editor')({ workflow: '@workflow' }),
  'workflows.versions': mayRead({ workflow: '@workflow', count: true }),
  'workflows.version': mayRead({ workflow: '@workflow', version: 1 }),
  'workflows.outputs': mayRead({ workflow: '@workflow' }),
  'workflows.edit': mayEdit({ workflow: '@workflow', operations: [{ op: 'moveNode', nodeId: 'in', position: { x: 1, y: 1 } }] }),
  'workflows.node': mayRead({ workflow: '@canvas', nodeId: '@node' }),
  'workflows.watch': to('events.read', 'viewer')({ workflow: '@workflow' }, { workflow: '@workflow', where: { runId: '@run' } }),
  'workflows.try': tries({ workflow: '@workflow', nodeId: 'in', input: {} }, { workflow: '@workflow', nodeId: 'in', input: {}, session: '@trial' }),
  'nodeTypes.list': palette(),
  'nodeTypes.get': palette({ type: 'delay' }),
  'nodeTypes.options': palette({ type: 'router', field: 'mode', values: {} }),
  'nodeTypes.try': tries({ type: 'counter', config: { from: 0, to: 5 }, session: '@trial' }),
  'nodeTypes.forget': tries({ type: 'counter', session: '@trial' }),

  'runs.start': runsStart(
    { workflow: '@workflow', input: {} },
    { workflow: '@workflow', input: {}, transactionId: '@transaction', idempotencyKey: '@idempotency' },
    { workflow: '@chatbot', input: {}, sessionId: '@session' },
    { workflow: '@workflow', input: {}, lane: { key: '@session', whenBusy: 'join' } },
  ),
  'runs.list': runsRead(
    { limit: 100, count: true },
    { workflow: '@workflow', count: true },
    { workflows: ['@workflow', '@chatbot'] },
    { transactionIds: ['@transaction'] },
    { q: '@transaction' },
    { q: '@run' },
    { sessionId: '@session', count: true },
    { where: { id: '@run' } },
    { where: { workflowId: '@workflow' } },
  ),
  'runs.get': runsRead({ id: '@run' }, { id: '@run', include: ['version', 'pauses', 'steps', 'outputs'] }),
  'runs.find': runsRead({ workflow: '@workflow', transactionId: '@transaction' }),
  'runs.current': runsRead({ workflow: '@workflow' }, { workflow: '@workflow', run: '@run' }),
  'runs.wait': runsRead({ id: '@run', until: 'parked', ms: 2_000 }),
  'runs.cancel': runsControl({ id: '@run' }, { workflow: '@workflow' }),
  'runs.stop': runsControl({ workflow: '@workflow', run: '@run' }),
  'runs.hold': runsControl({ id: '@run' }),
  'runs.release': runsControl({ id: '@run' }),
  'runs.retryStep': runsControl({ id: '@run', step: 'ship' }),
  'runs.fork': runsStart({ id: '@run', step: 'ship' }),
  'runs.delete': to('runs.delete', 'editor')({ id: '@run' }),
  'runs.steps': runsRead({ id: '@run' }),
  'runs.events': to('events.read', 'viewer')({ id: '@run', after: 0 }),
  'steps.report': to('runs.report', 'operator')(
    { run: { id: '@run' }, step: 'ship', outcome: 'completed', output: 1 },
    { run: { workflow: '@workflow', transactionId: '@transaction' }, step: 'ship', outcome: 'completed', output: 1 },
  ),
  'pauses.list': to('pauses.read', 'viewer')(
    { limit: 100, count: true },
    { runId: '@run', count: true },
    { workflow: '@workflow' },
    { assignee: '@user' },
    { where: { runId: '@run' } },
  ),
  'pauses.get': to('pauses.read', 'viewer')({ id: '@pause' }),
  'pauses.decide': to('pauses.decide', 'operator')(
    { id: '@pause', action: 'approve', idempotencyKey: '@idempotency' },
    { runId: '@run', action: 'decline' },
    { id: '@pause', action: 'approve', label: '@user' },
  ),
  'signals.send': to('runs.signal', 'operator')({ runId: '@run', name: 'go', idempotencyKey: '@idempotency' }),

  'queues.list': to('queues.read', 'viewer')({ limit: 100, count: true }, { where: { name: '@queue' } }),
  'queues.get': to('queues.read', 'viewer')({ queue: '@queue' }),
  'queues.put': to('queues.manage', 'editor')({ queue: 'new', trigger: null }, { queue: 'new', trigger: { workflow: '@workflow' } }, { queue: '@queue' }),
  'queues.delete': to('queues.manage', 'editor')({ queue: '@queue' }),
  'queues.push': to('queues.push', 'operator')({ queue: '@queue', items: [1], idempotencyKey: '@idempotency' }),
  'queues.items': to('queues.read', 'viewer')({ queue: '@queue', count: true }, { queue: '@queue', where: { id: '@queueItem' } }),
  'queues.item': to('queues.read', 'viewer')({ queue: '@queue', id: '@queueItem' }),
  'queues.retry': to('queues.push', 'operator')({ queue: '@queue', ids: ['@queueItem'] }),

  'schedules.list': to('schedules.read', 'viewer')({ limit: 100, count: true }, { workflow: '@workflow', count: true }, { where: { id: '@schedule' } }),
  'schedules.get': to('schedules.read', 'viewer')({ id: '@schedule' }),
  'schedules.create': to('schedules.manage runs.start', 'editor')({ workflow: '@workflow', cron: '30 2 1 1 *' }),
  'schedules.update': to('schedules.manage runs.start', 'editor')({ id: '@schedule', name: 'mine' }),
  'schedules.pause': to('schedules.control', 'operator')({ id: '@schedule' }),
  'schedules.resume': to('schedules.control', 'operator')({ id: '@schedule' }),
  'schedules.start': to('schedules.control runs.start', 'operator')({ id: '@schedule' }),
  'schedules.delete': to('schedules.manage', 'editor')({ id: '@schedule' }),
  'schedules.preview': to('schedules.read', 'viewer')({ cron: '30 2 1 1 *', after: '2026-03-26T12:00:00Z', count: 2 }),

  'webhooks.create': to('webhooks.manage', 'editor')({ name: 'new-hook' }, { name: 'triggers', trigger: { workflow: '@workflow' } }, { name: '@webhookName' }),
  'webhooks.list': to('webhooks.read', 'viewer')({ limit: 100, count: true }, { where: { id: '@webhook' } }),
  'webhooks.get': to('webhooks.read', 'viewer')({ webhook: '@webhook' }),
  'webhooks.update': to('webhooks.manage', 'editor')({ webhook: '@webhook', idHeader: 'x-id' }, { webhook: '@webhook', trigger: { workflow: '@workflow' } }),
  'webhooks.rotate': to('webhooks.manage', 'editor')({ webhook: '@webhook' }),
  'webhooks.delete': to('webhooks.manage', 'editor')({ webhook: '@webhook' }),
  'webhooks.deliveries': to('webhooks.read', 'viewer')({ webhook: '@webhook', count: true }, { webhook: '@webhook', where: { id: '@delivery' } }),
  'webhooks.redeliver': to('webhooks.deliver', 'operator')({ webhook: '@webhook', id: '@delivery' }),
  'webhooks.deliver': to('webhooks.deliver', 'operator')({ name: '@webhookName', body: 1, idempotencyKey: '@idempotency' }),

  'sessions.list': talks({ limit: 100, count: true }, { workflow: '@chatbot', count: true }, { user: '@user', count: true }, { where: { id: '@session' } }),
  'sessions.get': talks({ id: '@session', lineIds: true, messages: 100 }),
  'sessions.create': {
    ...talks({ title: 'New' }, { workflow: '@chatbot' }, { user: '@user' }, { externalId: '@externalId' }, { id: '@session', title: 'Mine' }),
    shared: { kind: 'session', status: 409, why: taken },
  },
  'sessions.put': {
    ...talks({ id: '@session', title: 'Mine' }, { id: '0isolation0put1', workflow: '@chatbot' }, { id: '0isolation0put2', user: '@user' }),
    shared: { kind: 'session', status: 409, why: taken },
  },
  'sessions.update': talks({ id: '@session', title: 'Mine', metadata: { a: 1 } }),
  'sessions.delete': talks({ id: '@session' }),
  'sessions.send': talks({ to: '@session', text: 'Hello', idempotencyKey: '@idempotency' }, { to: '@chatbot', text: 'Hello' }, { to: '@session', text: 'Hello', files: ['@file'] }),
  'sessions.ask': talks(
    { to: '@session', text: 'Hello', waitMs: 100 },
    { chatbot: '@chatbotHandle', text: 'Hello', waitMs: 100 },
    { session: '@session', text: 'Hello', waitMs: 100 },
    { to: '@session', text: 'Hello', files: ['@file'], waitMs: 100 },
    { session: '@session', runId: '@round', results: [{ callId: 'call_1', content: 'x' }], waitMs: 100 },
  ),
  'sessions.chatbots': talks({ limit: 100 }, { name: '@chatbotHandle' }),
  'sessions.stop': talks({ id: '@session' }),
  'sessions.lines': talks({ id: '@session', count: true }, { id: '@session', afterId: '@message' }),
  'sessions.deleteMessage': talks({ id: '@session', messageId: '@message' }),
  'sessions.detachFile': talks({ id: '@session', messageId: '@message', fileId: '@file' }),
  'sessions.events': talks({ id: '@session', after: 0 }),

  'events.subscribe': to('events.read', 'viewer')(
    {},
    { runId: '@run', after: '0' },
    { workflow: '@workflow' },
    { workflow: '@workflow', current: true },
    { workflow: '@workflow', transactionId: '@transaction' },
    { workflow: '@workflow', runId: '@run' },
    { sessionId: '@session', after: '0' },
    { where: { runId: '@run' } },
    { runId: '@run', tokens: true },
  ),

  'collections.list': to('records.admin', 'admin')(),
  'collections.get': to('records.admin', 'admin')({ collection: 'workflow_sessions' }),
  'records.list': to('records.read', 'viewer')(
    { collection: 'notes', count: true },
    { collection: 'notes', filter: "id = '@note'" },
    { collection: 'workflow_sessions', count: true },
    { collection: 'workflow_sessions', filter: "id = '@session' || user = '@user' || workflow = '@chatbot'" },
    { collection: 'users', count: true },
    { collection: 'users', filter: "id = '@user'" },
  ),
  'records.get': to('records.read', 'viewer')(
    { collection: 'notes', id: '@note' },
    { collection: 'workflow_sessions', id: '@session', expand: 'user,workflow' },
    { collection: 'users', id: '@user' },
  ),
  'records.create': to('records.write', 'operator')(
    { collection: 'notes', values: { text: 'mine' } },
    { collection: 'notes', values: { text: 'mine', about: '@note' } },
    { collection: 'workflow_sessions', values: { ...session, user: '@self', workflow: '@chatbot' } },
    { collection: 'workflow_sessions', values: { ...session, user: '@user' } },
  ),
  'records.update': to('records.write', 'operator')(
    { collection: 'notes', id: '@note', values: { about: '@note' } },
    { collection: 'workflow_sessions', id: '@session', values: { title: 'Mine' } },
  ),
  'records.delete': to('records.write', 'operator')({ collection: 'notes', id: '@note' }, { collection: 'workflow_sessions', id: '@session' }),
  'records.login': { ...of('public', null, { collection: 'users', email: '@email', password: 'not this one' }), ends: true },
  'records.renew': { ...of('anyone', null, { collection: 'users' }), keys: false },
  'records.batch': to('records.write', 'operator')(
    { requests: [{ do: 'create', collection: 'notes', values: { text: 'mine' } }] },
    { requests: [{ do: 'create', collection: 'notes', values: { text: 'mine', about: '@note' } }] },
    { requests: [{ do: 'update', collection: 'notes', id: '@note', values: { text: 'mine' } }] },
    { requests: [{ do: 'update', collection: 'workflow_sessions', id: '@session', values: { title: 'Mine' } }] },
    { requests: [{ do: 'delete', collection: 'workflow_sessions', id: '@session' }] },
  ),
  'connections.subscribe': of('anyone', null, { connection: '@client', topics: [] }, { connection: '@client', topics: ['notes/@note'] }),

  'auth.login': { ...of('public', null, { email: '@email', password: 'not this one' }, { email: '@email', password: 'not this one', workspace: '@workspace' }), ends: true },
  'auth.refresh': { ...of('public', null, { refreshToken: 'none' }), ends: true },
  'auth.setPassword': { ...of('public', null, { token: 'none', password: 'one two three four' }), ends: true },
  'auth.switch': { ...of('anyone', null, { workspace: '@workspace' }), keys: false },
  'auth.renew': { ...of('anyone', null, {}), keys: false },
  'auth.leave': { ...of('anyone', null, {}), keys: false, ends: true },
  'auth.logout': { ...of('anyone', null, {}), keys: false, ends: true },
  'auth.me': of('anyone', null, {}),
  'auth.ticket': of('anyone', null, {}),

  'keys.list': to('keys.manage', 'viewer')({ limit: 100, count: true }, { userId: '@user' }, { where: { id: '@key' } }),
  'keys.create': to('keys.manage', 'viewer')({ name: 'New', scopes: ['keys.manage'] }),
  'keys.revoke': to('keys.manage', 'viewer')({ id: '@key' }),
  'secrets.list': to('secrets.list', 'editor')({ limit: 100, count: true }, { where: { name: '@secret' } }),
  'secrets.set': to('secrets.manage', 'admin')({ name: '@secret', value: 'mine' }),
  'secrets.delete': to('secrets.manage', 'admin')({ name: '@secret' }),
  'model.get': to('model.read', 'viewer')(),
  'model.set': to('model.manage', 'admin')({ url: 'https://api.example.com/v1', model: 'mine' }),
  'model.remove': to('model.manage', 'admin')(),
  'workspaces.list': to('workspaces.read', 'viewer')({ limit: 100, count: true }, { where: { id: '@workspace' } }),
  'workspaces.get': to('workspaces.read', 'viewer')({ workspace: '@workspace' }),
  'workspaces.create': {
    ...to('workspaces.manage', 'owner')({ name: 'New' }, { name: 'New', handle: '@workspaceHandle' }),
    shared: { kind: 'workspaceHandle', status: 409, why: 'Handles of workspaces are one name space for all' },
  },
  'workspaces.update': to('workspaces.manage', 'owner')({ workspace: '@workspace', name: 'Mine' }),
  'workspaces.delete': to('workspaces.manage', 'owner')({ workspace: '@workspace' }),
  'members.list': to('members.read', 'viewer')({ limit: 100, count: true }, { where: { userId: '@user' } }),
  'members.invite': to('members.manage', 'admin')({ email: 'new@made.example', role: 'viewer' }),
  'members.setRole': to('members.manage', 'admin')({ userId: '@user', role: 'viewer' }),
  'members.remove': to('members.manage', 'admin')({ userId: '@user' }),
  'users.list': to('users.read', 'viewer')({ limit: 100, count: true }, { where: { id: '@user' } }),
  'users.get': to('users.read', 'viewer')({ id: '@user' }),
  'users.update': { ...to('users.manage', 'viewer')({ id: '@user', name: 'Mine' }, { id: '@self', defaultWorkspace: '@workspace' }), keys: false },
  'users.delete': { ...to('users.manage', 'viewer')({ id: '@user' }), keys: false },
  'users.changePassword': { ...of('anyone', null, { current: 'not this one', next: 'one two three four' }), keys: false },
  'users.resetPassword': { ...to('users.manage', 'viewer')({ id: '@user' }), keys: false },
  'audit.list': to('audit.read', 'admin')(
    { limit: 100, count: true },
    { principal: '@user' },
    { principal: '@key' },
    { where: { userId: '@user' } },
    { where: { resource: '@run' } },
  ),
  'files.upload': to('files.use', 'operator')({ file: ['a,b'] }, { file: ['a,b'], workflow: '@workflow' }),
  'files.get': to('files.read', 'viewer')({ id: '@file' }),
  'files.content': to('files.read', 'viewer')({ id: '@file' }),
  'files.list': to('files.read', 'viewer')({ limit: 100, count: true }, { userId: '@user' }),
  'files.delete': to('files.use', 'operator')({ id: '@file' }),
  'nodeFiles.list': mayRead({ workflow: '@canvas', nodeId: '@node' }),
  'nodeFiles.get': mayRead({ workflow: '@canvas', nodeId: '@node', id: '@canvasFile' }, { workflow: '@workflow', nodeId: 'in', id: '@nodeFile' }),
  'nodeFiles.add': mayEdit({ workflow: '@canvas', nodeId: '@node', key: 'mine', file: ['a'] }),
  'nodeFiles.change': mayEdit({ workflow: '@canvas', nodeId: '@node', id: '@canvasFile', key: 'mine' }),
  'nodeFiles.delete': mayEdit({ workflow: '@canvas', nodeId: '@node', id: '@canvasFile' }),
}

/** Where others send to. Who knows the address may: nobody else is told whether there is one. */
export const ingress: Readonly<Record<string, Entry>> = {
  'hooks.post': of('public', null, { id: '@webhook', secret: 'not-this-one' }),
  'hooks.put': of('public', null, { id: '@webhook', secret: 'not-this-one' }),
}

// ── PocketBase ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const pocketbase: Readonly<Record<string, Entry>> = {
  realtimeConnect: { ...of('public', null), holds: true },
  recordsList: to('records.read', 'viewer')(
    { collection: 'notes' },
    { collection: 'notes', filter: "id = '@note'" },
    { collection: 'workflow_sessions', perPage: 100 },
    { collection: 'workflow_sessions', filter: "id = '@session'", expand: 'user,workflow' },
    { collection: 'users', filter: "id = '@user'" },
  ),
  recordsView: to('records.read', 'viewer')(
    { collection: 'notes', id: '@note' },
    { collection: 'workflow_sessions', id: '@session', expand: 'user,workflow' },
    { collection: 'users', id: '@user' },
  ),
  recordsCreate: to('records.write', 'operator')(
    { collection: 'notes', text: 'mine' },
    { collection: 'notes', text: 'mine', about: '@note' },
    { collection: 'workflow_sessions', ...session, user: '@self', workflow: '@chatbot' },
    { collection: 'workflow_sessions', ...session, user: '@user' },
  ),
  recordsUpdate: to('records.write', 'operator')({ collection: 'notes', id: '@note', about: '@note' }, { collection: 'workflow_sessions', id: '@session', title: 'Mine' }),
  recordsDelete: to('records.write', 'operator')({ collection: 'notes', id: '@note' }, { collection: 'workflow_sessions', id: '@session' }),
  authWithPassword: { ...of('public', null, { collection: 'users', identity: '@email', password: 'not this one' }), ends: true },
  authRefresh: { ...of('anyone', null, { collection: 'users' }), keys: false },
  authMethods: of('public', null, { collection: 'users' }),
  collectionsList: to('records.admin', 'admin')(),
  collectionsView: to('records.admin', 'admin')({ collection: 'workflow_sessions' }),
  batch: to('records.write', 'operator')(
    { requests: [{ method: 'POST', url: '/api/collections/notes/records', body: { text: 'mine' } }] },
    { requests: [{ method: 'POST', url: '/api/collections/notes/records', body: { text: 'mine', about: '@note' } }] },
    { requests: [{ method: 'PATCH', url: '/api/collections/notes/records/@note', body: { text: 'mine' } }] },
    { requests: [{ method: 'PATCH', url: '/api/collections/workflow_sessions/records/@session?expand=user', body: { title: 'Mine' } }] },
    { requests: [{ method: 'DELETE', url: '/api/collections/workflow_sessions/records/@session' }] },
    { requests: [{ method: 'PUT', url: '/api/collections/notes/records', body: { id: '@note', text: 'mine' } }] },
  ),
  realtimeSubscribe: of('anyone', null, { clientId: '@client', subscriptions: [] }, { clientId: '@client', subscriptions: ['notes/@note', 'workflow_sessions/@session'] }),
  health: of('public', null),
}

// ── PySpur ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const spurred: JsonObject = { name: 'Mine', description: '', definition: { nodes: [], links: [] } }
const approve: JsonObject = { inputs: {}, user_id: 'me', action: 'APPROVE' }
const spurStart = to('runs.start workflows.read pauses.read', 'operator')(
  { workflow_id: '@quick', initial_inputs: { in: {} } },
  { workflow_id: '@chatbot', initial_inputs: { in: { user_message: 'Hello', session_id: '@session' } } },
  { workflow_id: '@quick', initial_inputs: { in: {} }, parent_run_id: '@run' },
  { workflow_id: '@quick', initial_inputs: { in: {} }, files: { in: ['@testFile'] } },
)
/** PySpur's runs come with their version and their pauses. */
const spurRuns = to('runs.read workflows.read pauses.read', 'viewer')
const onWorkflow: JsonObject = { workflow_id: '@workflow' }
const onRun: JsonObject = { run_id: '@run' }

const pyspur: Readonly<Record<string, Entry>> = {
  createWorkflow: mayEdit(spurred),
  listWorkflows: mayRead({ page_size: 100 }),
  getWorkflow: mayRead(onWorkflow),
  updateWorkflow: mayEdit({ ...onWorkflow, ...spurred }),
  resetWorkflow: mayEdit(onWorkflow),
  deleteWorkflow: to('workflows.delete', 'editor')(onWorkflow),
  duplicateWorkflow: mayEdit(onWorkflow),
  getWorkflowOutputVariables: mayRead(onWorkflow),
  uploadTestFiles: to('files.use workflows.edit', 'editor')({ ...onWorkflow, node_id: 'in', files: ['a,b'] }),
  getTestFile: to('files.read', 'viewer')({ ...onWorkflow, name: '@testFile' }),
  getWorkflowVersions: mayRead(onWorkflow),
  listPausedWorkflows: spurRuns({ page_size: 100 }),
  getPauseHistory: to('pauses.read', 'viewer')(onRun),
  processPauseAction: to('pauses.decide runs.read workflows.read pauses.read', 'operator')(
    { ...onRun, ...approve },
    { run_id: '@pause', ...approve },
    { ...onRun, ...approve, user_id: '@user' },
  ),
  runWorkflow: spurStart,
  runWorkflowV2: spurStart,
  startRun: spurStart,
  runPartialWorkflow: tries({ ...onWorkflow, node_id: 'in', initial_inputs: { in: {} } }),
  getWorkflowRuns: spurRuns({ ...onWorkflow, page_size: 100 }, { ...onWorkflow, status: 'PAUSED' }),
  cancelWorkflow: to('runs.control workflows.read pauses.read', 'operator')(onRun),
  listRuns: spurRuns({ page_size: 100, parent_only: false }),
  getRun: spurRuns(onRun),
  getRunStatus: spurRuns(onRun),
  getRunStatusOfDeployment: spurRuns(onRun),
  getRunTasks: spurRuns(onRun),
  getRunChildren: spurRuns(onRun),
  deleteRun: to('runs.delete', 'editor')(onRun),
  createSession: talks(
    { user_id: 'me', workflow_id: '@chatbot' },
    { user_id: '@user', workflow_id: '@chatbot' },
    { user_id: 'me', workflow_id: '@chatbot', external_id: '@externalId' },
  ),
  createTestSession: talks({ workflow_id: '@chatbot' }),
  listSessions: talks({ limit: 100 }, { user_id: '@user' }),
  getSession: talks({ session_id: '@session' }),
  deleteSession: talks({ session_id: '@session' }),
  getSupportedNodeTypes: palette(),
}

// ── the Orchestrator ───────────────────────────────────────────────────────────────────────────────────────────────────

const onCanvas: JsonObject = { workflow_id: '@canvas' }
const onNode: JsonObject = { ...onCanvas, node_id: '@node' }
const onLink: JsonObject = { ...onCanvas, connection_id: '@link' }
const onFile: JsonObject = { ...onNode, file_id: '@canvasFile' }
const ends: JsonObject = { source_node: '@source', target_node: '@node' }

const orchestrator: Readonly<Record<string, Entry>> = {
  createWorkflow: mayEdit({ name: 'New' }),
  listWorkflows: mayRead({ ordering: 'name' }),
  getWorkflow: mayRead(onCanvas),
  updateWorkflow: mayEdit({ ...onCanvas, name: 'Mine' }),
  patchWorkflow: mayEdit({ ...onCanvas, category: 'mine' }),
  deleteWorkflow: to('workflows.delete', 'editor')(onCanvas),
  duplicateWorkflow: mayEdit(onCanvas),
  activateWorkflow: mayEdit(onCanvas),
  deactivateWorkflow: mayEdit(onCanvas),
  getCanvasData: mayRead(onCanvas),
  getRawConfig: mayRead(onCanvas),
  startExecution: runsStart(onCanvas),
  postStartExecution: runsStart(onCanvas),
  stopExecution: runsControl({ ...onCanvas, task_id: '@task' }, onCanvas),
  postStopExecution: runsControl({ ...onCanvas, task_id: '@task' }, onCanvas),
  getTaskStatus: runsRead({ ...onCanvas, task_id: '@task' }, onCanvas),
  getCeleryTaskStatus: runsRead({ task_id: '@task' }),
  listNodes: mayRead(onCanvas),
  createNode: mayEdit({ ...onCanvas, node_type: 'counter' }),
  addNode: mayEdit({ ...onCanvas, nodeTemplate: 'counter' }),
  getNode: mayRead(onNode),
  updateNode: mayEdit({ ...onNode, node_type: 'counter' }),
  patchNode: mayEdit({ ...onNode, x: 1 }),
  deleteNode: mayEdit(onNode),
  removeNode: mayEdit(onNode),
  updateNodePosition: mayEdit({ ...onNode, position: { x: 1, y: 1 } }),
  getNodeInput: mayRead(onNode),
  getNodeOutput: mayRead(onNode),
  executeAndSaveNode: tries({ ...onNode, input_data: {}, session_id: '@trial' }),
  listConnections: mayRead(onCanvas),
  createConnection: mayEdit({ ...onCanvas, ...ends, source_handle: 'other' }),
  addConnection: mayEdit({ ...onCanvas, source: '@source', target: '@node', sourceHandle: 'another' }),
  getConnection: mayRead(onLink),
  updateConnection: mayEdit({ ...onLink, ...ends }),
  patchConnection: mayEdit({ ...onLink, source_handle: 'yes' }),
  deleteConnection: mayEdit(onLink),
  removeConnection: mayEdit(onLink),
  listNodeFiles: mayRead(onNode),
  uploadNodeFile: mayEdit({ ...onNode, key: 'mine', file: ['a'] }),
  getNodeFile: mayRead(onFile),
  deleteNodeFile: mayEdit(onFile),
  updateNodeFile: mayEdit({ ...onFile, file: ['a'] }),
  patchNodeFile: mayEdit({ ...onFile, key: 'mine', file: ['a'] }),
  getNodeTree: palette(),
  listNodeTypes: palette(),
  countNodeTypes: palette(),
  refreshNodeTypes: palette(),
  getNodeType: palette({ identifier: 'counter' }),
  getNodeForm: palette({ identifier: 'counter' }),
  executeNodeType: tries({ identifier: 'counter', form_data: { min_value: 0, max_value: 5, direction: 'increment', step: 1 }, session_id: '@trial' }),
  resetNodeSession: tries({ identifier: 'counter', session_id: '@trial' }),
  getFieldOptions: palette({ identifier: 'counter', parent_field: 'step', dependent_field: 'direction' }),
  postWebhook: to('webhooks.deliver', 'operator')({ webhook_id: '@webhookName', order: 1 }),
  login: { ...of('public', null, { username: '@email', password: 'not this one' }), ends: true },
  refreshToken: { ...of('public', null, { refresh: 'none' }), ends: true },
  getMe: of('anyone', null),
  logout: { ...of('anyone', null), keys: false, ends: true },
  register: { ...of('public', null), ends: true },
}

// ── Medusa ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const onTransaction: JsonObject = { workflow_id: '@workflow', transaction_id: '@transaction' }
const reported = to('runs.report', 'operator')({ ...onTransaction, step_id: 'ship', response: 1 })

/** An execution comes with the graph of its version. */
const execution = to('runs.read workflows.read', 'viewer')

const medusa: Readonly<Record<string, Entry>> = {
  GetWorkflowsExecutions: execution(
    { limit: 1_000 },
    { workflow_id: ['@workflow', '@handle'] },
    { transaction_id: ['@transaction', '@run'] },
    { q: '@transaction' },
    { q: '@run' },
  ),
  GetWorkflowsExecutionsId: execution({ id: 'wf_exec_@run' }, { id: '@run' }),
  GetWorkflowsExecutionsWorkflow_idTransaction_id: execution(onTransaction, { workflow_id: '@canvas', transaction_id: '@task' }),
  PostWorkflowsExecutionsWorkflow_idRun: runsStart({ workflow_id: '@workflow' }, onTransaction),
  PostWorkflowsExecutionsWorkflow_idStepsSuccess: reported,
  PostWorkflowsExecutionsWorkflow_idStepsFailure: reported,
  PostActor_typeAuth_provider: { ...of('public', null, { email: '@email', password: 'not this one' }), ends: true },
  PostActor_typeAuth_provider_register: { ...of('public', null), ends: true },
  PostSession: { ...of('anyone', null), keys: false },
  DeleteSession: { ...of('anyone', null), keys: false, ends: true },
  PostAdminAuthTokenRefresh: { ...of('anyone', null), keys: false },
  GetUsersMe: of('anyone', null),
}

// ── the playground, and OpenAI's clients ───────────────────────────────────────────────────────────────────────────────

const onChat: JsonObject = { workflowId: '@session' }
const playground: Readonly<Record<string, Entry>> = {
  startWorkflow: talks(
    { ...onChat, input: 'Hello', 'idempotency-key': '@idempotency' },
    { workflowId: 'wf_@session', input: 'Hello' },
    { workflowId: '@chatbot', input: 'Hello' },
    { ...onChat, input: 'Hello', files: [{ id: '@file', name: 'x.csv', mimeType: 'text/csv', size: 4 }] },
  ),
  stopWorkflow: talks(onChat),
  getChatData: talks(onChat),
  uploadFile: to('files.use', 'operator')({ file: ['a,b'] }),
  listWorkflows: talks(),
  getWorkflow: talks(onChat),
  updateWorkflow: talks({ ...onChat, name: 'Mine' }),
  getWorkflowStatus: talks(onChat),
  getWorkflowLogs: talks(onChat, { ...onChat, logId: 'log_@log' }),
  getWorkflowMessages: talks(onChat, { ...onChat, messageId: 'msg_@message' }),
  deleteWorkflow: talks(onChat),
  deleteMessage: talks({ ...onChat, messageId: 'msg_@message' }),
  deleteFileFromMessage: talks({ ...onChat, messageId: 'msg_@message', fileId: '@file' }),
}

const hello = [{ role: 'user', content: 'Hello' }]
const called: JsonObject[] = [
  { role: 'user', content: 'Hello' },
  { role: 'assistant', tool_calls: [{ id: 'call_@round_c1', type: 'function', function: { name: 'f', arguments: '{}' } }] },
  { role: 'tool', tool_call_id: 'call_@round_c1', content: 'x' },
]
const openai: Readonly<Record<string, Entry>> = {
  createChatCompletion: talks(
    { model: '@chatbotHandle', messages: hello },
    { model: 'Actionplan', messages: called, 'x-sluice-session': '@session' },
    { model: '@chatbotHandle', messages: hello, metadata: { session: '@session' } },
    { model: '@chatbotHandle', messages: hello, 'x-sluice-session': '@session' },
  ),
  listModels: talks(),
  retrieveModel: talks({ model: '@chatbotHandle' }),
}

export const dialectEntries: Readonly<Record<string, Readonly<Record<string, Entry>>>> = { pocketbase, pyspur, orchestrator, medusa, playground, openai }

// ── streams ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Of an address at which something is told for as long as one listens: with which procedure of the core, and what is named. */
export interface StreamEntry extends Pick<Entry, 'least' | 'scope' | 'sends'> {
  over: readonly ('sse' | 'websocket')[]
}
const tells = (over: StreamEntry['over'], ...sends: JsonObject[]): StreamEntry => ({ over, least: 'viewer', scope: 'events.read', sends })

export const streamEntries: Readonly<Record<string, StreamEntry>> = {
  '/v1/events': tells(['sse', 'websocket'], {}),
  '/v1/runs/{runId}/events': tells(['sse', 'websocket'], { runId: '@run' }),
  '/v1/sessions/{sessionId}/events': { ...tells(['sse', 'websocket'], { sessionId: '@session' }), least: 'operator' },
  '/v1/workflows/{workflow}/events': tells(['sse', 'websocket'], { workflow: '@workflow' }),
  '/admin/workflows-executions/{workflow_id}/subscribe': tells(['sse'], { workflow_id: '@workflow' }),
  '/admin/workflows-executions/{workflow_id}/{transaction_id}/subscribe': tells(['sse'], onTransaction, { workflow_id: '@canvas', transaction_id: '@task' }),
  '/admin/workflows-executions/{workflow_id}/{transaction_id}/{step_id}/subscribe': tells(['sse'], { ...onTransaction, step_id: 'ship' }),
  '/api/chat/playground/{workflowId}/events': { ...tells(['sse'], { workflowId: '@session' }), least: 'operator' },
  '/ws/workflow/{workflow_id}/': tells(['websocket'], { workflow_id: '@canvas' }),
}

// ── what looks like the name of a thing, and is none ───────────────────────────────────────────────────────────────────

/** Places, each by a pattern over `operation place`, with the reason. */
export const noNames: readonly { at: RegExp; why: string }[] = [
  { at: / (definition|drafts?)\b.*\.(nodes|links)\b/, why: 'Ids within a drawing, chosen by who draws it' },
  { at: / drafts\.(workflow|chatbot|agent)$|\.idempotent$| absent$| lineIds$| reuse$| lane\.of$/, why: 'Says how something is done, of nothing in particular' },
  { at: /^workflows\.edit operations\[\]/, why: 'Ids within the drawing that is named beside them' },
  { at: / (nodeId|node_id|step|step_id|inputs|outputs)$/, why: 'Of the workflow or the run that is named beside it' },
  { at: / order$/, why: 'Names of fields' },
  { at: /\bfields$| collection$/, why: 'Names that are the same in every workspace' },
  { at: /^(runs|sessions|workflows)\.events (transactionId|where)$/, why: 'Of the stream at the same address, which has an entry of its own' },
  { at: / (currentStepId|user|clientTools)$/, why: 'What a client keeps with its own; read as text' },
  { at: /^(files|nodeFiles|pyspur|orchestrator|playground)\.\w+ (file|files|key)$/, why: 'The bytes of a file, or what their sender calls it' },
  { at: / (signature\.secret|idHeader|webhook-id)$| secret$/, why: 'What senders of deliveries know, say or sign with' },
  { at: /^model\.set (url|model|key)$/, why: 'Of a service outside' },
  { at: / results\[\]\.callId$/, why: 'Of the run that is named beside it' },
  { at: /^pocketbase\.collectionsList filter$/, why: 'Of collections, which are the same in every workspace' },
  { at: / (lastEventId|kept)$/, why: 'Where a reader has come to: read as a number, or passed over' },
]
