import { EventSource } from 'eventsource'
import PocketBase, { type RecordSubscribeOptions, type RecordSubscription } from 'pocketbase'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { approval, flow } from '../../support/flow.ts'
import { eventually } from '../../support/processes.ts'
import { admin, type Caller, callerOf, type TestServer, testServer } from '../../support/server.ts'

/** Realtime, with the published SDK and its EventSource. */

Object.assign(globalThis, { EventSource })

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

type Told = RecordSubscription<{ id: string; [field: string]: unknown }>

const open: PocketBase[] = []
afterEach(() => Promise.all(open.splice(0).map((pb) => pb.realtime.unsubscribe())))

function sdk(token = server.token, url = server.url): PocketBase {
  const pb = new PocketBase(url)
  pb.autoCancellation(false)
  pb.authStore.save(token)
  open.push(pb)
  return pb
}

/** What is told of a topic from now on. */
async function listen(pb: PocketBase, collection: string, id = '*', options?: RecordSubscribeOptions): Promise<Told[]> {
  const told: Told[] = []
  await pb.collection(collection).subscribe<Told['record']>(id, (message) => void told.push(message), options)
  return told
}

const title = ({ record }: Told): unknown => record['title']
const brief = ({ action, record }: Told): unknown => [action, record['title']]

interface Session {
  id: string
}
const create = (caller: Caller, named: string, more: object = {}): Promise<Session> => caller.call('POST', '/v1/sessions', { title: named, ...more })
const rename = (caller: Caller, { id }: Session, named: string): Promise<Session> => caller.call('PATCH', `/v1/sessions/${id}`, { title: named })
const remove = (caller: Caller, { id }: Session): Promise<void> => caller.call('DELETE', `/v1/sessions/${id}`)

let names = 0
async function member(role = 'operator'): Promise<Caller & { token: string; id: string }> {
  const as = { email: `realtime-${++names}@example.com`, password: 'another correct horse' }
  const { userId } = await server.call<{ userId: string }>('POST', '/v1/members', { ...as, role })
  const { token } = await server.call<{ token: string }>('POST', '/v1/auth/login', as, { as: '' })
  return { ...callerOf(server.url, token), token, id: userId }
}

/** Nothing that was not told up to here is told of what came before: a record of their own is, through the same stream. */
async function settled(caller: Caller, told: readonly Told[]): Promise<void> {
  const mark = `mark ${++names}`
  await create(caller, mark)
  await eventually('the mark is told', () => told.some((message) => title(message) === mark))
}

describe('what is told', () => {
  test('of a collection and of one record every creation, change and deletion is told, in order, with the record as it then was', async () => {
    const pb = sdk()
    const all = await listen(pb, 'workflow_sessions')
    const made = await create(server, 'first')
    const one = await listen(pb, 'workflow_sessions', made.id)
    for (let step = 1; step <= 20; step++) await rename(server, made, `step ${step}`)
    await create(server, 'second')
    // A deletion takes with it what was not told yet.
    await eventually('what came before the deletion is told', () => all.length === 22 && one.length === 20)
    await remove(server, made)
    await eventually('all is told', () => all.length === 23 && one.length === 21)
    const steps = Array.from({ length: 20 }, (_, step) => ['update', `step ${step + 1}`])
    expect(all.map(brief)).toEqual([['create', 'first'], ...steps, ['create', 'second'], ['delete', 'step 20']])
    expect(one.map(brief)).toEqual([...steps, ['delete', 'step 20']])
    expect(one.at(-1)!.record).toMatchObject({ id: made.id, collectionName: 'workflow_sessions', collectionId: 'pbc_3436149272' })
  })

  test('a filter is held against each record, fields are picked, and what cannot be read of either disturbs nothing', async () => {
    const pb = sdk()
    const [all, some, whole, never] = await Promise.all([
      listen(pb, 'workflow_sessions'),
      listen(pb, 'workflow_sessions', '*', { filter: 'title = "wanted"', fields: 'id,title' }),
      listen(pb, 'workflow_sessions', '*', { filter: 'title = "wanted"', fields: 'title:nothing()' }),
      listen(pb, 'workflow_sessions', '*', { filter: 'title = ' }),
    ])
    const made = await create(server, 'unwanted')
    await rename(server, made, 'wanted')
    await rename(server, made, 'unwanted again')
    await rename(server, made, 'wanted')
    await eventually('what came before the deletion is told', () => some.length === 2 && whole.length === 2)
    await remove(server, made)
    await settled(server, all)
    // One topic is told after another.
    await eventually('the others are told', () => some.length === 3 && whole.length === 3)
    expect(some).toEqual([
      { action: 'update', record: { id: made.id, title: 'wanted' } },
      { action: 'update', record: { id: made.id, title: 'wanted' } },
      { action: 'delete', record: { id: made.id, title: 'wanted' } },
    ])
    expect(whole).toHaveLength(3)
    expect(whole[0]!.record).toMatchObject({ id: made.id, status: 'idle', title: 'wanted' })
    expect(never).toEqual([])
  })

  test('relations are crossed by filters and told by `expand`', async () => {
    const pb = sdk()
    const workflow = await server.workflow(flow({ ask: approval() }), 'Crossed')
    const options = { filter: 'workflow.name = "Crossed"', expand: 'workflow,user' }
    const [all, crossed] = await Promise.all([listen(pb, 'workflow_sessions'), listen(pb, 'workflow_sessions', '*', options)])
    await create(server, 'unbound')
    const bound = await create(server, 'bound', { workflow: workflow.id })
    await settled(server, all)
    expect(crossed.map(brief)).toEqual([['create', 'bound']])
    expect(crossed[0]!.record).toMatchObject({ id: bound.id, expand: { workflow: { id: workflow.id, name: 'Crossed' }, user: { collectionName: 'users' } } })
  })

  test('of messages everybody is told of those of their own sessions, and that one was deleted', async () => {
    const [one, other] = [await member(), await member()]
    const [ofOne, ofOther] = await Promise.all([listen(sdk(one.token), 'messages'), listen(sdk(other.token), 'messages')])
    const workflow = await server.workflow(flow({ ask: approval() }))
    const say = (caller: Caller, text: string) => caller.call<{ session: Session; message: { id: string } }>('POST', '/v1/sessions/send', { to: workflow.id, text })
    const said = await say(one, 'of one')
    await say(other, 'of the other')
    await eventually('it is told before it goes', () => ofOne.length >= 1)
    await one.call('DELETE', `/v1/sessions/${said.session.id}/messages/${said.message.id}`)
    await eventually('each is told of theirs', () => ofOne.length >= 2 && ofOther.length >= 1)
    expect(ofOne.map(({ action, record }) => [action, record.id, record['text']])).toEqual([
      ['create', said.message.id, 'of one'],
      ['delete', said.message.id, ''],
    ])
    expect(ofOther.map(({ record }) => record['text'])).toEqual(['of the other'])
  })

  test('of another workspace nothing is told', async () => {
    const elsewhere = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere', handle: `elsewhere-${++names}` })
    const { token } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: elsewhere.id })
    const there = { ...callerOf(server.url, token), token }
    const [here, away] = await Promise.all([listen(sdk(), 'workflow_sessions'), listen(sdk(there.token), 'workflow_sessions')])
    await create(server, 'here')
    await create(there, 'there')
    await Promise.all([settled(server, here), settled(there, away)])
    expect(here.map(title)).not.toContain('there')
    expect(away.map(title)[0]).toBe('there')
    expect(away.map(title)).not.toContain('here')
  })

  test('with `remove` it is told that a record has left the filter, once', async () => {
    const pb = sdk()
    const all = await listen(pb, 'workflow_sessions')
    const told = await listen(pb, 'workflow_sessions', '*', { filter: 'title = "inside"', query: { remove: true } })
    const made = await create(server, 'outside')
    await rename(server, made, 'still outside')
    await rename(server, made, 'inside')
    await rename(server, made, 'left')
    await rename(server, made, 'still left')
    await settled(server, all)
    expect(told.map(brief)).toEqual([
      ['update', 'inside'],
      ['remove', 'left'],
    ])
  })

  test('everybody is told of what they may see: of sessions their own, and admins of all', async () => {
    const [one, other] = [await member(), await member()]
    const [ofOne, ofOther, ofAdmin] = await Promise.all([
      listen(sdk(one.token), 'workflow_sessions'),
      listen(sdk(other.token), 'workflow_sessions'),
      listen(sdk(), 'workflow_sessions'),
    ])
    const theirs = await create(one, 'of one')
    await create(other, 'of the other')
    // What is deleted takes what was not told of it yet along.
    await eventually('both are told that one was made', () => ofOne.length >= 1 && ofAdmin.length >= 2)
    await remove(one, theirs)
    await Promise.all([settled(one, ofOne), settled(other, ofOther)])
    expect(ofOne.map(brief).slice(0, 2)).toEqual([
      ['create', 'of one'],
      ['delete', 'of one'],
    ])
    expect(ofOne.every(({ record }) => record['user'] === one.id)).toBe(true)
    expect(ofOther.map(title)[0]).toBe('of the other')
    expect(ofOther.every(({ record }) => record['user'] === other.id)).toBe(true)
    await eventually('admins are told', () => ofAdmin.length >= 5)
  })

  test('runs, pauses, workflows and messages move, too', async () => {
    const pb = sdk()
    const [workflows, runs, pauses, messages] = await Promise.all(['workflows', 'runs', 'pauses', 'messages'].map((collection) => listen(pb, collection)))
    const run = await server.run(flow({ ask: approval() }), { until: 'parked' })
    await server.decide((await server.pauses(run))[0]!, 'approve')
    await server.wait(run)
    const session = await create(server, 'chat', { workflow: run.workflowId })
    await server.call('POST', '/v1/sessions/send', { to: session.id, text: 'Hello' })
    await eventually('all have moved', () => runs!.some(({ record }) => record['status'] === 'completed') && pauses!.length >= 2 && workflows!.length >= 1 && messages!.length >= 1)
    expect(runs![0]).toMatchObject({ action: 'create', record: { id: run.id, workflow: run.workflowId } })
    expect(pauses!.map(({ action, record }) => [action, record['status']]).slice(0, 2)).toEqual([
      ['create', 'open'],
      ['update', 'approved'],
    ])
    expect(workflows![0]).toMatchObject({ action: 'create', record: { id: run.workflowId, name: 'Flow' } })
    expect(messages![0]).toMatchObject({ action: 'create', record: { session: session.id, text: 'Hello', role: 'user' } })
  })

  test('what is not subscribed any more is not told', async () => {
    const pb = sdk()
    const told: Told[] = []
    const stop = await pb.collection('workflow_sessions').subscribe<Told['record']>('*', (message) => void told.push(message))
    const kept = await listen(pb, 'workflow_sessions', '*', { filter: 'title != ""' })
    await settled(server, kept)
    await stop()
    const before = told.length
    await settled(server, kept)
    expect(told).toHaveLength(before)
  })
})

// ── the wire ───────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Connected extends AsyncDisposable {
  id: string
  response: Response
  text(): string
  ended: Promise<void>
}

async function connect(url = server.url): Promise<Connected> {
  const leaving = new AbortController()
  const response = await fetch(`${url}/api/realtime`, { signal: leaving.signal })
  let text = ''
  const ended = (async () => {
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) text += piece
  })().catch(() => {})
  await eventually('it is connected', () => text.includes('PB_CONNECT'))
  const id = /^id:(\w{40})$/m.exec(text)![1]!
  return {
    id,
    response,
    text: () => text,
    ended,
    async [Symbol.asyncDispose]() {
      leaving.abort()
      await ended
    },
  }
}

async function subscribe(body: unknown, { token = server.token, url = server.url, headers = {} }: { token?: string; url?: string; headers?: Record<string, string> } = {}) {
  const response = await fetch(`${url}/api/realtime`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== '' && { authorization: token }), ...headers },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, message: text === '' ? '' : (JSON.parse(text) as { message: string }).message }
}

describe('the wire', () => {
  test('a message is three lines, the first of them the id of the connection; nothing is stored on its way', async () => {
    await using connected = await connect()
    const { id, response, text } = connected
    expect(Object.fromEntries(['content-type', 'cache-control', 'x-accel-buffering'].map((name) => [name, response.headers.get(name)]))).toEqual({
      'content-type': expect.stringContaining('text/event-stream'),
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    expect(text()).toContain(`id:${id}\nevent:PB_CONNECT\ndata:{"clientId":"${id}"}\n\n`)
    const topic = 'workflow_sessions/*?options=%7B%22query%22%3A%7B%22fields%22%3A%22title%22%7D%7D'
    expect(await subscribe({ clientId: id, subscriptions: [topic, 'nothing/*', 'x', 'workflow_sessions'] })).toEqual({ status: 204, message: '' })
    await create(server, 'wire')
    await eventually('it is told', () => text().includes('event:workflow_sessions\n'))
    expect(text()).toContain(`id:${id}\nevent:${topic}\ndata:{"record":{"title":"wire"},"action":"create"}\n\n`)
  })

  test('who may not subscribe over a connection is told why', async () => {
    await using connected = await connect()
    const { id } = connected
    expect(await subscribe({ clientId: id, subscriptions: [] }, { token: '' })).toMatchObject({ status: 401 })
    expect(await subscribe({ clientId: id, subscriptions: [] }, { token: 'nonsense' })).toMatchObject({ status: 401 })
    expect(await subscribe({ clientId: 'unknown', subscriptions: [] })).toEqual({ status: 404, message: 'Missing or invalid client id.' })
    expect(await subscribe({ clientId: id, subscriptions: Array.from({ length: 1_001 }, (_, at) => `runs/${at}`) })).toMatchObject({ status: 400 })
    expect(await subscribe({ clientId: id, subscriptions: ['x'.repeat(2_501)] })).toMatchObject({ status: 400 })
    expect(await subscribe({ subscriptions: [] })).toMatchObject({ status: 400 })
    expect(await subscribe({ clientId: id, subscriptions: ['runs/*'] })).toMatchObject({ status: 204 })
    const other = await member()
    expect(await subscribe({ clientId: id, subscriptions: [] }, { token: other.token })).toEqual({
      status: 403,
      message: "The current and the previous request authorization don't match.",
    })
    // Of the same user another login is no other authorization.
    const again = await server.call<{ token: string }>('POST', '/v1/auth/login', admin, { as: '' })
    expect(await subscribe({ clientId: id, subscriptions: [] }, { token: again.token })).toMatchObject({ status: 204 })
  })

  test('from another address a connection cannot be subscribed over', async () => {
    const behind = await server.another({ SLUICE_TRUST_PROXY: 'true' })
    await using connected = await connect(behind.url)
    expect(await subscribe({ clientId: connected.id, subscriptions: [] }, { url: behind.url, headers: { 'x-forwarded-for': '203.0.113.7' } })).toEqual({
      status: 400,
      message: 'Invalid realtime client.',
    })
  })

  test('what is subscribed on another server is told from then on, each change once', async () => {
    const other = await server.another()
    await using connected = await connect()
    const titles = (event: string): unknown[] =>
      [...connected.text().matchAll(new RegExp(`^event:${event}\\ndata:(.*)$`, 'gm'))].map((match) => (JSON.parse(match[1]!) as Told).record['title'])
    expect(await subscribe({ clientId: connected.id, subscriptions: ['workflow_sessions'] }, { url: other.url })).toMatchObject({ status: 204 })
    const made: string[] = []
    const make = async (): Promise<void> => {
      made.push(`n ${++names}`)
      await create(names % 2 ? other : server, made.at(-1)!)
    }
    for (let at = 0; at < 10; at++) await make()
    expect(await subscribe({ clientId: connected.id, subscriptions: ['workflow_sessions', 'workflow_sessions/.'.replace('.', '*')] }, { url: other.url })).toMatchObject({
      status: 204,
    })
    for (let at = 0; at < 10; at++) await make()
    await eventually('all is told', () => titles('workflow_sessions').length >= 20 && titles('workflow_sessions/[*]').length >= 10)
    expect(titles('workflow_sessions')).toEqual(made)
    expect(titles('workflow_sessions/[*]')).toEqual(made.slice(10))
  })

  test('a connection ends with the credential that was subscribed with', async () => {
    const somebody = await member()
    await using connected = await connect()
    expect(await subscribe({ clientId: connected.id, subscriptions: ['workflow_sessions/*'] }, { token: somebody.token })).toMatchObject({ status: 204 })
    await create(somebody, 'before')
    await eventually('it is told', () => connected.text().includes('before'))
    await somebody.call('POST', '/v1/auth/logout')
    let isOver = false
    void connected.ended.then(() => (isOver = true))
    await eventually('the stream is over', () => isOver)
  })
})
