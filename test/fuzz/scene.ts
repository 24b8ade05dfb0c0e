import type { Definition, Json, JsonObject } from '@sluice/schema'
import { approval, external, flow, template, values } from '../support/flow.ts'
import { type Caller, callerOf } from '../support/server.ts'
import type { Random } from './random.ts'
import type { Target } from './operations.ts'
import type { Bind } from './values.ts'

/** Things that are there, of all kinds, made together so that they belong together: a run is one of the workflow, a message one of the session. */
export interface Scene {
  /** By kind, or by face and kind where a face knows others. */
  things: Readonly<Record<string, readonly string[]>>
  /** Ids of all kinds. */
  ids: readonly string[]
  /** Of a user of its own. */
  email: string
  password: string
  /** What must never be told to anybody, but in the answer that makes it. */
  secrets: readonly string[]
  /** Ends the connection that is held open for it. */
  close(): void
  /** Logs its user in, anew. */
  login(): Promise<{ token: string; refreshToken: string }>
}

const definition: Definition = flow({ order: 'input', approval: approval(), shipping: external(), receipt: template('Thanks {{ input.text }}') }, [
  'order > approval > shipping > receipt',
])
const quick: Definition = flow({ order: 'input', receipt: values({ done: true }) }, ['order > receipt'])
const ships: Definition = flow({ order: 'input', shipping: external(), receipt: values({ done: true }) }, ['order > shipping > receipt'])
const fails: Definition = flow(
  { order: 'input', receipt: { type: 'code', config: { source: "throw new Error('no')" }, settings: { retry: { maxAttempts: 5, backoffMs: 3_600_000, jitter: 0 } } } },
  ['order > receipt'],
)
const chats: Definition = { ...flow({ order: 'input', receipt: template('You said {{ input.text }}') }, ['order > receipt']), kind: 'chatbot' }

/** What is drawn on a canvas: nodes that publish, and go on for a while. */
const forms: readonly [string, JsonObject][] = [
  ['static-value', { values: { a: 1 } }],
  ['log', { message: 'x' }],
  ['delay', { ms: 60_000 }],
]

export const password = 'a password of the fuzzed'

type Told = Record<string, string>

export async function createScene(url: string, { admin, token }: { admin: Caller; token: string }, number: number, pyspurExample: JsonObject): Promise<Scene> {
  const things: Record<string, string[]> = {}
  const add = (kind: string, ...ids: string[]): void => void (things[kind] ??= []).push(...ids)
  const made = <T = Told>(path: string, body: object, method = 'POST'): Promise<T> => admin.call<T>(method, path, body)
  const parked = { until: 'parked', ms: 5_000 } as const
  const email = `scene${number}@fuzz.example`

  const drawn = await Promise.all(
    [definition, definition, definition, quick, ships, fails, chats].map((each, at) => made('/v1/workflows', { name: `Flow ${number} ${at}`, definition: each })),
  )
  const [main, spare, another, short, shipping, failing, chatbot] = drawn.map(({ id }) => id!) as [string, string, string, string, string, string, string]
  add('workflow', main, drawn[0]!['handle']!, spare, another)
  add('chatbot', chatbot)
  const started = await Promise.all(
    [0, 1, 2].map((at) => made<{ id: string }>('/v1/runs', { workflow: main, transactionId: `order-${number}-${at}`, input: { text: 'hello' }, wait: parked })),
  )
  add('run', ...started.map(({ id }) => id))
  add('transaction', ...started.map((_, at) => `order-${number}-${at}`))
  const ended = await Promise.all([0, 1].map(() => made<{ id: string }>('/v1/runs', { workflow: short, wait: { until: 'finished', ms: 5_000 } })))
  add('ended', ...ended.map(({ id }) => id))
  const waits = await Promise.all([0, 1, 2, 3].map((at) => made<{ id: string }>('/v1/runs', { workflow: shipping, transactionId: `ship-${number}-${at}`, wait: parked })))
  add('reported', ...waits.map(({ id }) => id))
  add('reported.workflow', shipping)
  add('reported.transaction', ...waits.map((_, at) => `ship-${number}-${at}`))
  const held = await Promise.all([0, 1, 2].map(() => made<{ id: string }>('/v1/runs', { workflow: shipping, wait: parked })))
  for (const { id } of held) await made(`/v1/runs/${id}/hold`, {})
  add('held', ...held.map(({ id }) => id))
  const retrying = await made<{ id: string }>('/v1/runs', { workflow: failing, wait: parked })
  add('retrying', retrying.id)
  const pauses = await admin.call<{ items: { id: string }[] }>('GET', `/v1/pauses?workflow=${main}&limit=100`)
  add('pause', ...pauses.items.map(({ id }) => id))

  const file = async (path: string, name = `${number}.csv`): Promise<JsonObject> => {
    const form = new FormData()
    form.append('file', new Blob([`a,b\n1,${number}\n`], { type: 'text/csv' }), name)
    const response = await fetch(url + path, { method: 'POST', body: form, headers: { authorization: `Bearer ${token}` } })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as JsonObject
  }
  const files = await Promise.all([0, 1, 2].map(() => file('/v1/files')))
  add('file', ...files.map((each) => ((each['files'] as JsonObject[])[0] as Told)['id']!))
  for (const at of [0, 1]) add('nodeFile', ((await file(`/v1/workflows/${main}/nodes/receipt/files?key=k${at}`)) as Told)['id']!)

  for (const at of [0, 1]) {
    const session = await made('/v1/sessions', { title: `Talk ${number} ${at}`, status: 'idle', context: { text: 'x' } })
    add('session', session['id']!)
    const sent = await made<{ message: Told }>('/v1/sessions/send', { to: session['id'], text: 'Hello there', files: [things['file']![at]] })
    add('message', sent.message['id']!)
  }
  const queue = `queue-${number}`
  await made(`/v1/queues/${queue}`, {}, 'PUT')
  add('queue', queue)
  add('item', ...(await made<{ ids: string[] }>(`/v1/queues/${queue}/items`, { items: [{ a: 1 }, { a: 2 }] })).ids)
  const hook = await made('/v1/webhooks', { name: `hook-${number}` })
  add('webhook', `hook-${number}`, hook['id']!)
  const [, hookId, hookSecret] = /\/v1\/hooks\/([^/]+)\/([^/]+)$/.exec(hook['address']!)!
  add('hook', hookId!)
  add('hookSecret', hookSecret!)
  add('delivery', (await made(`/v1/webhooks/hook-${number}/deliver`, { body: { a: 1 } }))['id']!)
  for (const at of [0, 1]) add('schedule', (await made('/v1/schedules', { workflow: short, name: `nightly-${number}-${at}`, cron: '30 2 1 1 *' }))['id']!)
  for (const at of [0, 1]) add('key', (await made('/v1/keys', { name: `key-${number}-${at}`, scopes: ['runs'] }))['id']!)
  const secret = `rk_kept_${number}_nobody_is_told`
  await made(`/v1/secrets/secret-${number}`, { value: secret }, 'PUT')
  add('secret', `secret-${number}`)
  add('workspace', (await made('/v1/workspaces', { name: `Place ${number}`, handle: `place-${number}` }))['id']!)
  const invited = await made<{ userId: string; setPassword: Told }>('/v1/members', { email, role: 'admin' })
  await callerOf(url, '').call('POST', '/v1/auth/set-password', { token: invited.setPassword['token'], password })
  const others = await Promise.all([0, 1].map((at) => made<{ userId: string; setPassword: Told }>('/v1/members', { email: `guest${number}-${at}@fuzz.example`, role: 'viewer' })))
  add('user', ...others.map(({ userId }) => userId))
  add('setPassword', ...others.map(({ setPassword }) => setPassword['token']!))

  const drawing = await made('/wf/', { ...pyspurExample, name: `Drawing ${number}` })
  add('pyspur.workflow', drawing['id']!)
  for (const _ of [0, 1]) {
    const run = await made(`/wf/${drawing['id']}/start_run/`, { initial_inputs: { input_node: { input_1: 'Hello' } } })
    add('pyspur.run', run['id']!)
  }
  for (const at of [0, 1]) add('pyspur.session', (await made('/session/', { user_id: `customer ${number} ${at}`, workflow_id: chatbot }))['id']!)
  const canvas = await made('/api/workflow/', { name: `Canvas ${number}`, description: 'x' })
  add('orchestrator.workflow', canvas['id']!)
  const nodes = await Promise.all(
    forms.map(([nodeTemplate, form_values]) => made(`/api/workflow/${canvas['id']}/nodes/add/`, { nodeTemplate, position: { x: 1, y: 2 }, form_values })),
  )
  add('node', ...nodes.map(({ id }) => id!))
  const link = await made(`/api/workflow/${canvas['id']}/connections/add/`, { source: nodes[0]!['id'], target: nodes[1]!['id'] })
  add('link', link['id']!)
  add('orchestrator.run', (await made(`/api/workflow/${canvas['id']}/start_execution/`, {}))['task_id']!)
  const form = new FormData()
  form.append('file', new Blob(['a,b\n'], { type: 'text/csv' }), 'a.csv')
  form.append('key', 'k')
  const kept = await fetch(`${url}/api/workflow/${canvas['id']}/nodes/${nodes[0]!['id']}/files/upload/`, {
    method: 'POST',
    body: form,
    headers: { authorization: `Bearer ${token}` },
  })
  if (kept.ok) add('orchestrator.nodeFile', String(((await kept.json()) as Told)['id']))
  const tests = new FormData()
  tests.append('workflow_id', drawing['id']!)
  tests.append('node_id', 'input_node')
  tests.append('files', new Blob(['%PDF-1.7'], { type: 'application/pdf' }), 'a.pdf')
  const uploaded = await fetch(`${url}/wf/upload_test_files/`, { method: 'POST', body: tests, headers: { authorization: `Bearer ${token}` } })
  if (uploaded.ok) add('testFile', ((await uploaded.json()) as Record<string, string[]>)['input_node']![0]!.split('/').at(-1)!)
  const live = new AbortController()
  const connection = await fetch(`${url}/api/realtime`, { headers: { accept: 'text/event-stream' }, signal: live.signal })
  const reader = connection.body!.getReader()
  add('connection', /"clientId":"([^"]+)"/.exec(new TextDecoder().decode((await reader.read()).value))?.[1] ?? 'none')
  // Somebody has to read what is told over it.
  void (async () => {
    while (!(await reader.read()).done);
  })().catch(() => {})
  return {
    things,
    close: () => live.abort(),
    ids: Object.entries(things).flatMap(([kind, ids]) => (/secret|password/i.test(kind) ? [] : ids)),
    email,
    password,
    secrets: [secret],
    login: () => callerOf(url, '').call('POST', '/v1/auth/login', { email, password }),
  }
}

/** Stand for what has to be got anew just before it is sent: a credential is spent by its use. */
export const freshRefresh = '@refresh@'

/** Which of the scene's things a name means, where an operation uses it. */
export function binding(target: Target, scene: Scene, unique: () => string): Bind {
  const { face, id } = target
  const of = (kind: string, random: Random): string | undefined => {
    const from = scene.things[`${face}.${kind}`] ?? scene.things[kind]
    return from && random.pick(from)
  }
  const own = kindsById(face, id)
  const logsIn = /login|authWithPassword|PostActor_type/i.test(id) && !/register/.test(id)
  return (name, random): Json | undefined => {
    if (logsIn && /^(email|identity|username)$/.test(name)) return scene.email
    if (logsIn && name === 'password') return scene.password
    const byOperation = special[`${face} ${id} ${name}`] ?? special[`${face} ${id.split('.')[0]}.* ${name}`] ?? special[`${face} ${name}`] ?? special[name]
    if (byOperation) return byOperation({ of: (kind) => of(kind, random), random, unique, scene })
    const kind = own[name] ?? kinds[name]
    return kind === undefined ? undefined : of(kind, random)
  }
}

const kinds: Readonly<Record<string, string>> = {
  workflow: 'workflow',
  workflow_id: 'workflow',
  run: 'run',
  runId: 'run',
  run_id: 'run',
  task_id: 'run',
  sessionId: 'session',
  session_id: 'session',
  message_id: 'message',
  messageId: 'message',
  messageID: 'message',
  fileId: 'file',
  file_id: 'file',
  userId: 'user',
  queue: 'queue',
  webhook: 'webhook',
  webhook_id: 'webhook',
  workspace: 'workspace',
  pause_id: 'pause',
  transactionId: 'transaction',
  transaction_id: 'transaction',
}

function kindsById(face: string, id: string): Readonly<Record<string, string>> {
  if (face === 'sluice') {
    const noun = id.split('.')[0]!
    const kind = {
      runs: 'run',
      pauses: 'pause',
      sessions: 'session',
      schedules: 'schedule',
      files: 'file',
      nodeFiles: 'nodeFile',
      keys: 'key',
      users: 'user',
      records: 'session',
      queues: 'item',
      hooks: 'hook',
    }[noun]
    const more: Record<string, string> =
      id === 'webhooks.redeliver' ? { id: 'delivery' } : id === 'webhooks.deliver' ? { name: 'webhook' } : id.startsWith('hooks.') ? { secret: 'hookSecret' } : {}
    const secrets: Record<string, string> = id === 'secrets.delete' ? { name: 'secret' } : {}
    return { ...(kind && { id: kind }), ...more, ...secrets }
  }
  if (face === 'orchestrator')
    return { node_id: 'node', connection_id: 'link', file_id: 'nodeFile', source: 'node', target: 'node', source_node: 'node', target_node: 'node', webhook_id: 'webhook' }
  if (face === 'playground') return { workflowId: 'session', id: 'file' }
  if (face === 'pocketbase') return { id: 'session' }
  if (face === 'medusa') return { id: 'run' }
  return {}
}

interface Setting {
  of(kind: string): string | undefined
  random: Random
  unique(): string
  scene: Scene
}
type Special = (setting: Setting) => Json | undefined

const nodeTypes = ['template', 'router', 'delay', 'static-value', 'counter', 'code', 'http-request', 'log', 'merge']
const rarely =
  (value: Special): Special =>
  (setting) =>
    setting.random.chance(0.3) ? value(setting) : undefined

/** What a name means in one operation, in the operations of a noun, in a face, or anywhere. */
const special: Readonly<Record<string, Special>> = {
  nodeId: ({ random }) => random.pick(['order', 'receipt']),
  version: () => 1,
  idempotencyKey: ({ unique }) => `i-${unique()}`,
  'Idempotency-Key': ({ unique }) => `i-${unique()}`,
  'idempotency-key': ({ unique }) => `i-${unique()}`,
  ms: ({ random }) => random.whole(100),
  waitMs: ({ random }) => random.whole(100),
  timeoutMs: ({ random }) => 1 + random.whole(200),
  timeout: ({ random }) => 1 + random.whole(2),
  backoffMs: () => 10,
  'sluice nodeTypes.* type': ({ random }) => random.pick(nodeTypes),
  identifier: ({ random }) => random.pick(nodeTypes),
  collection: () => 'workflow_sessions',
  email: ({ unique }) => `u${unique()}@fuzz.example`,
  handle: ({ unique }) => `h-${unique()}`,
  externalId: ({ unique }) => `x-${unique()}`,
  external_id: ({ unique }) => `x-${unique()}`,
  url: () => 'http://127.0.0.1:9/',
  refreshToken: () => freshRefresh,
  refresh: () => freshRefresh,
  order: () => '-created',
  sort: () => '-created',
  'medusa order': () => '-created_at',
  'medusa fields': () => 'id,state',
  'pyspur order': () => undefined,
  'orchestrator postWebhook order': () => 7,
  expand: () => 'user',
  fields: () => 'id',
  user: rarely(({ of }) => of('user')),
  'sluice users.changePassword current': ({ scene }) => scene.password,
  'sluice users.changePassword next': ({ scene }) => scene.password,
  'sluice auth.setPassword token': ({ of }) => of('setPassword'),
  'sluice auth.setPassword password': () => password,
  'sluice runs.start transactionId': ({ unique }) => `t-${unique()}`,
  'medusa PostWorkflowsExecutionsWorkflow_idRun transaction_id': ({ unique }) => `t-${unique()}`,
  'sluice runs.retryStep id': ({ of }) => of('retrying'),
  'sluice runs.retryStep step': () => 'receipt',
  'sluice runs.release id': ({ of }) => of('held'),
  'sluice runs.fork id': ({ of }) => of('ended'),
  'sluice runs.fork step': () => 'receipt',
  'sluice runs.delete id': ({ of }) => of('ended'),
  'pyspur deleteRun run_id': ({ of }) => of('ended'),
  'sluice steps.report run': ({ of }) => ({ id: of('reported')! }),
  'sluice steps.report step': () => 'shipping',
  'medusa step_id': () => 'shipping',
  'sluice sessions.send to': ({ of, random }) => of(random.pick(['session', 'chatbot'])),
  'sluice sessions.ask to': ({ of, random }) => of(random.pick(['session', 'chatbot'])),
  'sluice sessions.put id': ({ of }) => of('session'),
  'sluice auth.login workspace': () => undefined,
  'sluice users.resetPassword id': ({ of }) => of('user'),
  'sluice auth.switch workspace': () => 'default',
  'sluice sessions.detachFile id': ({ scene }) => scene.things['session']![0],
  'sluice sessions.detachFile messageId': ({ scene }) => scene.things['message']![0],
  'sluice sessions.detachFile fileId': ({ scene }) => scene.things['file']![0],
  'sluice sessions.deleteMessage id': ({ scene }) => scene.things['session']![0],
  'sluice sessions.deleteMessage messageId': ({ scene }) => scene.things['message']![0],
  'playground deleteFileFromMessage workflowId': ({ scene }) => scene.things['session']![0],
  'playground deleteFileFromMessage messageId': ({ scene }) => scene.things['message']![0],
  'playground deleteFileFromMessage fileId': ({ scene }) => scene.things['file']![0],
  'playground deleteMessage workflowId': ({ scene }) => scene.things['session']![0],
  'playground deleteMessage messageId': ({ scene }) => scene.things['message']![0],
  'medusa PostWorkflowsExecutionsWorkflow_idStepsSuccess workflow_id': ({ of }) => of('reported.workflow'),
  'medusa PostWorkflowsExecutionsWorkflow_idStepsSuccess transaction_id': ({ of }) => of('reported.transaction'),
  'medusa PostWorkflowsExecutionsWorkflow_idStepsFailure workflow_id': ({ of }) => of('reported.workflow'),
  'medusa PostWorkflowsExecutionsWorkflow_idStepsFailure transaction_id': ({ of }) => of('reported.transaction'),
  'orchestrator getNodeFile node_id': ({ scene }) => scene.things['node']![0],
  'orchestrator updateNodeFile node_id': ({ scene }) => scene.things['node']![0],
  'orchestrator patchNodeFile node_id': ({ scene }) => scene.things['node']![0],
  'orchestrator deleteNodeFile node_id': ({ scene }) => scene.things['node']![0],
  'sluice nodeFiles.get nodeId': () => 'receipt',
  'sluice nodeFiles.change nodeId': () => 'receipt',
  'sluice nodeFiles.delete nodeId': () => 'receipt',
  'sluice nodeFiles.* workflow': ({ scene }) => scene.things['workflow']![0],
  'sluice nodeFiles.change key': ({ unique }) => `k-${unique().slice(0, 60)}`,
  'sluice nodeFiles.add key': ({ unique }) => `k-${unique().slice(0, 60)}`,
  'pocketbase authWithPassword collection': () => 'users',
  'pocketbase authRefresh collection': () => 'users',
  'pocketbase authMethods collection': () => 'users',
  connection: ({ of }) => of('connection'),
  clientId: ({ of }) => of('connection'),
  'pocketbase url': () => undefined,
  'pocketbase user': ({ of }) => of('user'),
  'pocketbase fields': rarely(() => 'id'),
  'pocketbase requests': ({ of }) => [
    {
      method: 'POST',
      url: '/api/collections/workflow_sessions/records',
      body: { title: 'One of several', status: 'idle', currentStepId: 'a', steps: [], context: {}, user: of('user')! },
    },
  ],
  'pyspur name': ({ of }) => of('testFile'),
  'pyspur createWorkflow name': ({ unique }) => `Drawing ${unique()}`,
  'pyspur updateWorkflow name': ({ unique }) => `Drawing ${unique()}`,
  'pyspur initial_inputs': () => ({ input_node: { input_1: 'Hello' } }),
  'pyspur runPartialWorkflow node_id': () => 'input_node',
  'orchestrator getFieldOptions identifier': () => 'http-request',
  'orchestrator getFieldOptions parent_field': () => 'method',
  'orchestrator getFieldOptions parent_value': () => 'GET',
  'orchestrator getFieldOptions dependent_field': () => 'auth_type',
  'orchestrator executeNodeType identifier': () => 'template',
  'orchestrator executeNodeType form_data': () => ({ text: 'Hello {{ input.key }}' }),
  'orchestrator executeAndSaveNode node_id': ({ scene }) => scene.things['node']![0],
  'orchestrator executeAndSaveNode form_values': () => ({ values: { a: 1 } }),
  'sluice nodeTypes.options type': () => 'router',
  'sluice nodeTypes.options field': () => 'mode',
  'sluice nodeTypes.try type': () => 'template',
  'sluice nodeTypes.try config': ({ random }) => ({ text: random.pick(['Hello', '{{ data.a }} and {{ data.b | upcase }}', '{% for i in (1..9) %}{{ i }}{% endfor %}']) }),
  'sluice workspaces.get workspace': () => 'default',
  'sluice workspaces.update workspace': () => 'default',
  'sluice workspaces.update handle': () => 'default',
  'sluice secrets.set name': ({ unique }) => `s-${unique()}`,
  'sluice queues.put queue': ({ unique, of, random }) => (random.chance(0.5) ? `q-${unique()}` : of('queue')),
  'sluice webhooks.create name': ({ unique }) => `w-${unique()}`,
  'sluice schedules.* cron': () => '30 2 1 1 *',
  'sluice schedules.* everyMs': () => undefined,
  'sluice schedules.* timeZone': () => 'Europe/Berlin',
  model: ({ random }) => random.pick(['React', 'offline']),
}
