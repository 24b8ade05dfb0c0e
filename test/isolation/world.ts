import type { Json, JsonObject } from '@sluice/schema'
import { orchestrator } from '../../packages/server/src/dialects/orchestrator/index.ts'
import { pyspur } from '../../packages/server/src/dialects/pyspur/index.ts'
import { describeDialect } from '../../packages/server/src/openapi/dialect.ts'
import { contractOf } from '../../packages/server/test/openapi/contract.ts'
import { send } from '../openapi/sending.ts'
import { approval, external, flow, signal } from '../support/flow.ts'
import { openRealtime } from './listening.ts'
import { admin, type Caller, callerOf } from '../support/server.ts'

/** All that the tests of isolation name things by: ids, and names that count in one workspace. */
export const kinds = [
  ...['workflow', 'handle', 'run', 'transaction', 'pause', 'idempotency', 'quick'],
  ...['chatbot', 'chatbotHandle', 'session', 'message', 'round', 'log', 'externalId', 'file', 'nodeFile', 'testFile'],
  ...['canvas', 'source', 'node', 'link', 'canvasFile', 'task', 'trial'],
  ...['queue', 'queueItem', 'schedule', 'webhook', 'webhookName', 'delivery', 'hook'],
  ...['key', 'user', 'email', 'self', 'secret', 'note', 'workspace', 'workspaceHandle', 'client'],
] as const
export type Kind = (typeof kinds)[number]
export type Things = Readonly<Record<Kind, string>>

/** In what the tests send: `@run` stands for the run of somebody's workspace. What is no kind stays as it is. */
const named = /@([a-zA-Z]+)(?![a-zA-Z])/g
export const isKind = (text: string): text is Kind => (kinds as readonly string[]).includes(text)

/** The kinds that a text names, in their order. */
export const kindsIn = (text: string): Kind[] => [...text.matchAll(named)].map(([, kind = '']) => kind).filter(isKind)

/** The value with what each place names; `thing` is told how many places came before it. */
export function filled(value: Json, thing: (kind: Kind, place: number) => string): Json {
  let place = 0
  const fill = (each: Json): Json => {
    if (typeof each === 'string') return each.replaceAll(named, (whole, kind: string) => (isKind(kind) ? thing(kind, place++) : whole))
    if (Array.isArray(each)) return each.map(fill)
    if (each === null || typeof each !== 'object') return each
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, fill(inner)]))
  }
  return fill(value)
}

/** Where a workspace says something that another must not hear. */
export const markOf = (name: string): string => `marked-${name}`

/** What nobody has, as long as the thing and of its form. */
export function nobodys(things: Things, word: 'lost' | 'gone' = 'lost'): Things {
  const turn = word === 'lost' ? 8 : 5
  const other = (text: string): string => text.replaceAll(/\b0[a-z0-9]{14}\b/g, (id) => `0${id.slice(turn)}${id.slice(1, turn)}`).replaceAll('made', word)
  // A connection's id is of no form.
  const turned = (text: string): string => text.slice(turn) + text.slice(0, turn)
  return Object.fromEntries(Object.entries(things).map(([kind, thing]) => [kind, kind === 'client' ? turned(thing) : other(thing)])) as unknown as Things
}

export interface World {
  things: Things
  /** Its owner. */
  caller: Caller
  token: string
  mark: string
  [Symbol.asyncDispose](): Promise<void>
}

const spur = contractOf(describeDialect(pyspur))
const canvasApi = contractOf(describeDialect(orchestrator))
export const password = 'another correct horse'

/** The owner of a workspace of their own, who stands in no other. The server's admin makes it, and leaves it, which ends the admin's logins. */
export async function owner(url: string, name: string): Promise<{ token: string; workspace: string }> {
  const first = callerOf(url, '')
  const login = async (who: { email: string; password: string }): Promise<string> => (await first.call<{ token: string }>('POST', '/v1/auth/login', who)).token
  const { id: workspace } = await first.call<{ id: string }>('POST', '/v1/workspaces', { name: `${markOf(name)} workspace`, handle: `made-${name}` }, { as: await login(admin) })
  const there = await first.call<{ token: string; user: { id: string } }>('POST', '/v1/auth/switch', { workspace }, { as: await login(admin) })
  const email = `owner-${markOf(name)}@made.example`
  await first.call('POST', '/v1/members', { email, role: 'owner', password, name: `Owner ${markOf(name)}` }, { as: there.token })
  const token = await login({ email, password })
  await first.call('DELETE', `/v1/members/${there.user.id}`, undefined, { as: token })
  return { token, workspace }
}

/** A workspace that is full of everything. All that it says has the mark; nothing of it goes on by itself. */
export async function furnish(url: string, token: string, name: string, workspace: string): Promise<World> {
  const caller = callerOf(url, token)
  const mark = markOf(name)
  const call = caller.call
  const made = (what: string): string => `made-${what}-${name}`
  type Made = { id: string }

  const handle = made('flow')
  const definition = flow({ in: 'input', ask: approval({ config: { message: `May ${mark} go on?` } }), ship: external(), got: signal('go') }, ['in > ask', 'in > ship', 'in > got'])
  const idempotency = made('key')
  const { id: workflow } = await call<Made>('POST', '/v1/workflows', { name: `Flow ${mark}`, handle, description: mark, definition, extra: { mark }, idempotencyKey: idempotency })
  const transaction = made('transaction')
  const start = { input: { mark }, transactionId: transaction, tags: [mark], idempotencyKey: idempotency, wait: { until: 'parked' as const } }
  const { id: run } = await caller.start(workflow, start)
  const [pause] = await caller.pauses(run)

  const { id: quick } = await caller.workflow(flow({ in: 'input', out: 'output' }, ['in > out']), `Quick ${mark}`)
  const chatbotHandle = made('bot')
  const bot = {
    ...flow({ in: 'input', which: { type: 'human', config: { kind: 'question', message: `Which ${mark}?` } }, out: 'output' }, ['in > which > out']),
    kind: 'chatbot' as const,
  }
  const { id: chatbot } = await call<Made>('POST', '/v1/workflows', { name: `Bot ${mark}`, handle: chatbotHandle, definition: bot })
  await call('POST', `/v1/workflows/${chatbot}/publish`, {})
  const form = new FormData()
  form.append('file', new Blob([`${mark}\n`], { type: 'text/csv' }), `${mark}.csv`)
  const uploaded = await fetch(`${url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: form })
  const file = ((await uploaded.json()) as { files: [Made] }).files[0].id
  const said = await call<{ session: Made; message: Made; runId: string }>('POST', '/v1/sessions/send', {
    to: chatbot,
    text: `Said ${mark}`,
    files: [file],
    metadata: { mark },
    idempotencyKey: idempotency,
  })
  await caller.wait(said.runId, 'parked')
  const logs = await call<{ items: [Made] }>('GET', `/v1/sessions/${said.session.id}/lines?kind=log`)
  const externalId = made('subject')
  await call('POST', '/v1/sessions', { externalId, title: `Plain ${mark}`, context: { mark }, workflow: chatbot })

  const inForm = { url, token }
  const spurred = await send(spur.operations.get('uploadTestFiles')!, { workflow_id: workflow, node_id: 'in', files: [mark] }, inForm)
  const [path] = ((await spurred.json()) as { in: [string] }).in
  const onNode = new FormData()
  onNode.append('key', mark)
  onNode.append('file', new Blob([mark]), `${mark}.txt`)
  const attached = await fetch(`${url}/v1/workflows/${workflow}/nodes/in/files`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: onNode })
  const nodeFile = ((await attached.json()) as Made).id

  const canvas = (await call<Made>('POST', '/api/workflow/', { name: `Canvas ${mark}`, tags: [mark] })).id
  const added = async (nodeTemplate: string, form_values: JsonObject): Promise<string> =>
    (await call<Made>('POST', `/api/workflow/${canvas}/nodes/add/`, { nodeTemplate, form_values })).id
  const producer = await added('webhook-producer', { webhook_id: made('orders') })
  const node = await added('static-delay-node', { interval: 1, unit: 'seconds' })
  const { id: link } = await call<Made>('POST', `/api/workflow/${canvas}/connections/add/`, { source: producer, target: node })
  await call('PATCH', `/api/workflow/${canvas}/nodes/${node}/`, { input_data: { mark }, output_data: { mark } })
  const held = await send(canvasApi.operations.get('uploadNodeFile')!, { workflow_id: canvas, node_id: node, key: mark, file: [mark] }, inForm)
  const canvasFile = ((await held.json()) as Made).id
  const { task_id: task } = await call<{ task_id: string }>('POST', `/api/workflow/${canvas}/start_execution/`)
  await caller.wait(task, ({ waitingOn }) => waitingOn.some(({ kind }) => kind === 'signal'))
  const trial = made('tab')
  await call('POST', '/v1/node-types/counter/try', { type: 'counter', config: { from: 0, to: 5 }, session: trial })

  const queue = made('queue')
  await call('PUT', `/v1/queues/${queue}`, {})
  const pushed = await call<{ ids: [string] }>('POST', `/v1/queues/${queue}/items`, { items: [{ mark }], idempotencyKey: idempotency })
  const { id: schedule } = await call<Made>('POST', '/v1/schedules', { workflow, name: `nightly-${mark}`, cron: '30 2 1 1 *', input: { mark } })
  const webhookName = made('hook')
  const hooked = await call<Made & { address: string }>('POST', '/v1/webhooks', { name: webhookName })
  const delivered = await call<Made>('POST', `/v1/webhooks/${webhookName}/deliver`, { body: { mark }, headers: { 'x-mark': mark }, idempotencyKey: idempotency })

  const { id: key } = await call<Made>('POST', '/v1/keys', { name: `Key ${mark}`, scopes: ['runs'] })
  const email = `colleague-${mark}@made.example`
  const { userId: user } = await call<{ userId: string }>('POST', '/v1/members', { email, role: 'operator', name: `Colleague ${mark}`, password })
  const { user: me } = await call<{ user: Made }>('GET', '/v1/auth/me')
  const secret = made('secret')
  await call('PUT', `/v1/secrets/${secret}`, { value: mark })
  await call('PUT', '/v1/model', { url: 'https://api.example.com/v1', model: mark, key: mark })
  const note = await call<Made>('POST', '/v1/collections/notes/records', { values: { text: mark } })

  const connection = await openRealtime(url, ['workflow_sessions/*'], { authorization: `Bearer ${token}` })
  const things: Things = {
    ...{ workflow, handle, run, transaction, pause: pause!.id, idempotency, quick },
    ...{
      chatbot,
      chatbotHandle,
      session: said.session.id,
      message: said.message.id,
      round: said.runId,
      log: logs.items[0].id,
      externalId,
      file,
      nodeFile,
      testFile: path.split('/').at(-1)!,
    },
    ...{ canvas, source: producer, node, link, canvasFile, task, trial },
    ...{ queue, queueItem: pushed.ids[0], schedule, webhook: hooked.id, webhookName, delivery: delivered.id, hook: hooked.address.split('/').slice(-2).join('/') },
    ...{ key, user, email, self: me.id, secret, note: note.id, workspace, workspaceHandle: `made-${name}` },
    client: connection.client,
  }
  return {
    things,
    caller,
    token,
    mark,
    async [Symbol.asyncDispose]() {
      connection.close()
    },
  }
}
