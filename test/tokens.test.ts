import { randomUUID } from 'node:crypto'
import type { Event, SentMessage, Session, TokenEvent } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FeedItem } from '../packages/server/src/events/feed.ts'
import { sayer } from '../packages/server/test/events/sayer.ts'
import { readSocket } from './support/events.ts'
import { here, start } from './support/processes.ts'
import { saying } from './support/sayer.ts'
import { admin, type Caller, callerOf, refusal, secret, type Served, type TestServer, testServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer({}, [], [sayer])
})
afterAll(() => server[Symbol.asyncDispose]())

type Texts = Parameters<typeof saying>
type Round = SentMessage & { runId: string }

async function round(texts: Texts, { at = server, as }: { at?: Caller; as?: string } = {}): Promise<Round> {
  const { id } = await at.workflow(saying(...texts))
  const options = as === undefined ? {} : { as }
  const session = await at.call<Session>('POST', '/v1/sessions', { workflow: id }, options)
  return at.call('POST', '/v1/sessions/send', { to: session.id, text: 'Go on' }, options)
}

const words = (count: number): string[] => Array.from({ length: count }, (_, at) => `größer ${at} 🌊 `)
const isToken = (item: FeedItem): item is TokenEvent => item.type === 'token'
const textOf = (items: readonly FeedItem[], node = 'say0'): string =>
  items
    .filter(isToken)
    .filter(({ nodeId }) => nodeId === node)
    .map(({ text }) => text)
    .join('')

/** The tokens of a text follow one another from its beginning on, and stand before the end of its step. */
function expectOrder(items: readonly FeedItem[], node = 'say0'): void {
  let length = 0
  for (const { nodeId, offset, text } of items.filter(isToken)) {
    if (nodeId !== node) continue
    expect(offset).toBe(length)
    length += text.length
  }
  const end = items.findIndex((item) => item.type === 'step.completed' && (item as Event & { nodeId: string }).nodeId === node)
  expect(items.findLastIndex((item) => isToken(item) && item.nodeId === node)).toBeLessThan(end)
}

async function read(stream: AsyncIterable<{ item: FeedItem }>, until: (item: FeedItem) => boolean = () => false): Promise<FeedItem[]> {
  const items: FeedItem[] = []
  for await (const { item } of stream) {
    items.push(item)
    if (until(item)) break
  }
  return items
}

/** That the round's answer is in the log. */
const isAnswer = (item: FeedItem): boolean => item.type === 'line.added' && item.line?.kind === 'message' && item.line.role === 'assistant'

test('what steps say is told piece by piece to who asks for it, of the run and of the session, and to nobody else', async () => {
  const pieces = words(20)
  const { runId, session } = await round([{ pieces, everyMs: 50 }, { pieces: ['Done.'] }])
  const [ofRun, ofSession, silent, numbered] = await Promise.all([
    read(server.stream(`/v1/runs/${runId}/events?tokens=true&after=0`)),
    read(server.stream(`/v1/sessions/${session.id}/events?tokens=true`), isAnswer),
    read(server.stream(`/v1/runs/${runId}/events?after=0`)),
    read(server.stream(`/v1/sessions/${session.id}/events?tokens=false`), isAnswer),
  ])
  for (const items of [ofRun, ofSession]) {
    expect([textOf(items), textOf(items, 'say1')]).toEqual([pieces.join(''), 'Done.'])
    expect(items.filter(isToken).length).toBeGreaterThan(10)
  }
  expectOrder(ofRun)
  expectOrder(ofRun, 'say1')
  expect(ofRun.find(isToken)).toMatchObject({ runId, sessionId: session.id, nodeId: 'say0', step: 'say0', iteration: '', attempt: 1, offset: 0 })
  expect(silent.some(isToken) || numbered.some(isToken)).toBe(false)
  expect(ofRun.filter((item) => !isToken(item))).toEqual(silent)
  // And nothing of it is in the log.
  expect(await server.events(runId)).toEqual(silent)
  expect(JSON.stringify(await server.db.database.query('select data from events'))).not.toContain('"token"')
})

test('a token has no id: who comes again goes on after the last event', async () => {
  const { runId } = await round([{ pieces: words(8), everyMs: 50 }])
  const ids: (string | null)[] = []
  let last = ''
  let cursor = '0'
  for await (const { id, item } of server.stream(`/v1/runs/${runId}/events?tokens=true&after=0`)) {
    ids.push(id)
    expect(id === null).toBe(isToken(item))
    expect(item.cursor).toBe(isToken(item) ? cursor : id)
    cursor = item.cursor
    last = id ?? last
    if (ids.filter((each) => each === null).length === 3) break
  }
  const rest = await read(server.stream(`/v1/runs/${runId}/events?tokens=true`, { lastEventId: last }))
  expect(rest.filter((item) => !isToken(item)).map((item) => Number(item.cursor))[0]).toBe(Number(last) + 1)
  expect(textOf(rest)).toBe(words(8).join(''))
})

test('over tRPC, and over sockets, tokens come as they do over server-sent events', async () => {
  const pieces = words(8)
  const authorization = { authorization: `Bearer ${server.token}` }
  const overSocket = await round([{ pieces, everyMs: 50 }])
  const items: FeedItem[] = []
  for await (const item of readSocket(`${server.url}/v1/runs/${overSocket.runId}/events?tokens=true&after=0`, authorization)) items.push(item)
  expect(textOf(items)).toBe(pieces.join(''))
  expectOrder(items)

  const overTrpc = await round([{ pieces, everyMs: 50 }])
  const input = encodeURIComponent(JSON.stringify({ runId: overTrpc.runId, tokens: true, after: '0' }))
  const told = await read(server.stream(`/trpc/events.subscribe?input=${input}`), ({ type }) => type === 'run.completed')
  expect(textOf(told)).toBe(pieces.join(''))
  expectOrder(told)
})

test('tokens are of a run or a session: of a workspace or a workflow they are refused', async () => {
  const { session } = await round([{ pieces: ['Hi'] }])
  for (const path of ['/v1/events', `/v1/workflows/${session.workflowId}/events`]) {
    const refused = server.call('GET', `${path}?tokens=true`)
    await expect(refused).rejects.toMatchObject({ status: 400, code: 'input_invalid', issues: [{ path: ['tokens'] }] })
  }
})

test('who may not follow the session or the run hears nothing of what is said there', async () => {
  const [own, other] = [await operator(), await operator()]
  const { session, runId } = await round([{ pieces: words(4), everyMs: 50 }], { as: own })
  const heard = await read(callerOf(server.url, own).stream(`/v1/sessions/${session.id}/events?tokens=true`), isAnswer)
  expect(textOf(heard)).toBe(words(4).join(''))
  const elsewhere = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere' })
  const { token: stranger } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: elsewhere.id })
  const refused = async (path: string, as: string) =>
    (await refusal(server.call('GET', `${path}/events?tokens=true`, undefined, { as, headers: { accept: 'text/event-stream' } }))).code
  expect(await refused(`/v1/sessions/${session.id}`, other)).toBe('session_missing')
  expect(await refused(`/v1/sessions/${session.id}`, stranger)).toBe('session_missing')
  expect(await refused(`/v1/runs/${runId}`, stranger)).toBe('run_missing')
})

async function operator(): Promise<string> {
  const email = `${randomUUID()}@sluice.local`
  const { setPassword } = await server.call<{ setPassword: { token: string } }>('POST', '/v1/members', { email, role: 'operator' })
  await server.call('POST', '/v1/auth/set-password', { token: setPassword.token, password: admin.password })
  return (await server.call<{ token: string }>('POST', '/v1/auth/login', { email, password: admin.password })).token
}

test('what a worker in another process says is heard here in pieces, before its step ends', async () => {
  await using api = await testServer({ SLUICE_ROLE: 'api' }, [], [sayer])
  await using worker = workerOf(api)
  await worker.program.says(/It serves/, 90_000)
  const pieces = words(30)
  const { runId, session } = await round([{ pieces, everyMs: 40 }, { pieces }], { at: api })
  const [ofRun, ofSession] = await Promise.all([
    read(api.stream(`/v1/runs/${runId}/events?tokens=true&after=0`)),
    read(api.stream(`/v1/sessions/${session.id}/events?tokens=true`), isAnswer),
  ])
  for (const items of [ofRun, ofSession]) {
    expect([textOf(items), textOf(items, 'say1')]).toEqual([pieces.join(''), pieces.join('')])
    expect(items.filter(isToken).length).toBeGreaterThan(5)
  }
  expectOrder(ofRun)
  expectOrder(ofRun, 'say1')
}, 180_000)

test('the answer of a worker that is killed is begun anew by the next, as another attempt', async () => {
  await using api = await testServer({ SLUICE_ROLE: 'api' }, [], [sayer])
  await using worker = workerOf(api)
  await worker.program.says(/It serves/, 90_000)
  const { runId } = await round([{ pieces: ['To ', 'be'], everyMs: 50, hang: true }], { at: api })
  const items: FeedItem[] = []
  for await (const { item } of api.stream(`/v1/runs/${runId}/events?tokens=true&after=0`)) {
    items.push(item)
    if (textOf(items) !== 'To be' || worker.isKilled()) continue
    worker.kill()
    await api.another({ SLUICE_ROLE: 'worker' })
  }
  const tokens = items.filter(isToken)
  const again = tokens.filter(({ attempt }) => attempt > 1)
  expect(again[0]!.offset).toBe(0)
  expect(again.map(({ text }) => text).join('')).toBe('To be')
  expect(tokens.findLastIndex(({ attempt }) => attempt === 1)).toBeLessThan(tokens.indexOf(again[0]!))
  expect(items.at(-1)!.type).toBe('run.completed')
}, 180_000)

/** A worker of this server's database, as a process of its own. */
function workerOf(api: TestServer & Served) {
  const program = start([here('sayer.ts')], { SLUICE_DATABASE_URL: api.db.url, SLUICE_ROLE: 'worker', SLUICE_PORT: '0', SLUICE_SECRET: secret })
  let isKilled = false
  const kill = (): void => {
    isKilled = true
    program.kill('SIGKILL')
  }
  return {
    program,
    kill,
    isKilled: () => isKilled,
    async [Symbol.asyncDispose]() {
      kill()
      await program.ended
    },
  }
}
