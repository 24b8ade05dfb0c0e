import type { Event, InvitedMember, Json } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Batch, createFeed, type FeedItem } from '../packages/server/src/events/feed.ts'
import { deadline } from './support/deadline.ts'
import { readSocket, readStream } from './support/events.ts'
import { approval, flow, loop } from './support/flow.ts'
import { type Caller, callerOf, type TestServer, testServer } from './support/server.ts'

/** The streams of events that the native API gives at its own addresses: server-sent events, and the same over a plain WebSocket. */

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

type Transport = 'sse' | 'socket'
const transports: readonly Transport[] = ['sse', 'socket']

async function* follow(transport: Transport, path: string, token = server.token): AsyncGenerator<FeedItem> {
  const headers = { authorization: `Bearer ${token}` }
  if (transport === 'socket') yield* readSocket(server.url + path, headers)
  else for await (const { item } of readStream(server.url + path, headers)) yield item
}

/** All that a stream gives, until it ends or one fits. */
function taken(items: AsyncGenerator<FeedItem>, enough: (item: FeedItem) => boolean = () => false): Promise<FeedItem[]> {
  const all: FeedItem[] = []
  return deadline('the end of a stream', (done, fail) => {
    void (async () => {
      for await (const item of items) {
        all.push(item)
        if (enough(item)) break
      }
      done(all)
    })().catch(fail)
    return () => void items.return(undefined).catch(() => {})
  })
}

const password = 'another correct horse'
let names = 0

/** Somebody with a role in this workspace, logged in. */
async function member(role: string): Promise<Caller & { id: string; token: string }> {
  const email = `streams-${++names}@example.com`
  const { userId } = await server.call<InvitedMember>('POST', '/v1/members', { email, role, password })
  const { token } = await server.call<{ token: string }>('POST', '/v1/auth/login', { email, password }, { as: '' })
  return { ...callerOf(server.url, token), id: userId, token }
}

/** Some hundred events in small commits, after somebody has approved. */
const busy = flow(
  {
    ask: approval(),
    l: loop({ times: 40, max: 40 }),
    d: { type: 'delay', config: { ms: 1 }, in: 'l' },
    v: { type: 'static-value', config: { values: { text: 'größer 🌊' } }, in: 'l' },
  },
  ['ask > l', 'd > v'],
)

describe('C5: every transport tells the same', () => {
  test('of a run: from its first event, in its middle, by a filter, however many follow and whenever they join', async () => {
    const run = await server.run(busy, { until: 'parked' })
    const where = encodeURIComponent('{"type":{"like":"step.%"}}')
    const paths = [`/v1/runs/${run.id}/events?after=0`, `/v1/runs/${run.id}/events?after=4`, `/v1/runs/${run.id}/events?after=0&where=${where}`]
    const opened = paths.flatMap((path) => transports.flatMap((transport) => Array.from({ length: 15 }, () => ({ path, read: taken(follow(transport, path)) }))))
    await server.decide((await server.pauses(run))[0]!, 'approve')
    for (let late = 0; late < 30; late++) {
      const path = paths[late % paths.length]!
      opened.push({ path, read: taken(follow(transports[late % 2]!, path)) })
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await server.wait(run)
    const events = await server.events(run)
    const told = [events, events.slice(4), events.filter(({ type }) => type.startsWith('step.'))]
    for (const { path, read } of opened) expect((await read).filter(({ type }) => type !== 'passed')).toEqual(told[paths.indexOf(path)])
  })

  test('a socket of an ended run gives its snapshot and closes with 1000; of what is not there it is refused', async () => {
    const run = await server.run(flow({}))
    const items = readSocket(`${server.url}/v1/runs/${run.id}/events`, { authorization: `Bearer ${server.token}` })
    expect((await items.next()).value).toMatchObject({ type: 'snapshot', run: { id: run.id, status: 'completed' } })
    expect(await items.next()).toEqual({ done: true, value: 1000 })
    await expect(taken(follow('socket', '/v1/runs/000000000000000/events'))).rejects.toThrow('404')
    await expect(taken(follow('socket', `/v1/runs/${run.id}/events?after=x`))).rejects.toThrow('400')
  })

  test('a socket that is cut again and again is resumed by the cursors of its messages: nothing is missed or doubled', async () => {
    const run = await server.run(busy, { until: 'parked' })
    await server.decide((await server.pauses(run))[0]!, 'approve')
    const seen: FeedItem[] = []
    while (seen.at(-1)?.type !== 'run.completed') {
      const from = seen.length
      seen.push(...(await taken(follow('socket', `/v1/runs/${run.id}/events?after=${seen.at(-1)?.cursor ?? 0}`), (item) => Number(item.cursor) >= from + 17)))
    }
    expect(seen).toEqual(await server.events(run))
  })
})

describe('the current run of a workflow', () => {
  test.each(transports)('is told whole, and the next one after it, and no other beside it, over %s', async (transport) => {
    const workflow = await server.workflow(flow({ ask: approval() }))
    const path = `/v1/workflows/${workflow.id}/events?current=true`
    const items = follow(transport, path)
    expect((await items.next()).value).toMatchObject({ type: 'snapshot', workflowId: workflow.id })
    const first = await server.start(workflow, { wait: { until: 'parked' } })
    const late = follow(transport, path)
    expect((await late.next()).value).toMatchObject({ type: 'snapshot', run: { id: first.id, nodes: [{ nodeId: 'ask', latest: { waiting: { iteration: '' } } }] } })
    await server.decide((await server.pauses(first))[0]!, 'approve')
    const second = await server.start(workflow, { wait: { until: 'parked' } })
    await server.decide((await server.pauses(second))[0]!, 'approve')
    await server.wait(second)
    const isLast = (item: FeedItem): boolean => item.type === 'run.completed' && item.subject.id === second.id
    const listed = [...(await server.events(first)), ...(await server.events(second))]
    const told = async (of: AsyncGenerator<FeedItem>): Promise<FeedItem[]> => (await taken(of, isLast)).map((item) => ({ ...item, cursor: '' }))
    const all = listed.map((item) => ({ ...item, cursor: '' }))
    expect(await told(items)).toEqual(all)
    // It joined when these had happened.
    expect(await told(late)).toEqual(all.slice(all.findIndex(({ type }) => type === 'pause.decided')))
  })

  test('has no cursors, and is of a workflow; a run is named with the workflow only where it is one of its runs', async () => {
    const [run, other] = [await server.run(flow({})), await server.workflow(flow({}))]
    await expect(taken(follow('sse', `/v1/workflows/${run.workflowId}/events?current=true&after=1.1`))).rejects.toThrow('400')
    await expect(taken(follow('sse', '/v1/events?current=true'))).rejects.toThrow('400')
    await expect(taken(follow('sse', `/v1/runs/${run.id}/events?workflow=${other.id}`))).rejects.toThrow('404')
    expect(await taken(follow('sse', `/v1/runs/${run.id}/events?workflow=${run.workflowId}`))).toMatchObject([{ type: 'snapshot', run: { id: run.id } }])
  })
})

describe('C7: many at one log, and each sees its own', () => {
  test.each(transports)('of a workspace: members their own sessions, admins all, over %s', async (transport) => {
    const [ada, bob] = [await member('operator'), await member('operator')]
    const viewer = await member('viewer')
    const watching = [server.token, ada.token, bob.token, ada.token, viewer.token].map((token) => follow(transport, '/v1/events', token))
    // All are at the log before anything is written.
    for (const each of watching) await each.next()
    const sessions: Record<string, string> = {}
    for (const [name, who] of [
      ['ada', ada],
      ['bob', bob],
      ['admin', server],
    ] as const)
      sessions[name] = (await who.call<{ id: string }>('POST', '/v1/sessions', { title: `of ${name}` })).id
    const last = await server.run(flow({}))
    const ofSessions = async (items: AsyncGenerator<FeedItem>): Promise<string[]> => {
      const all = await taken(items, (item) => item.type === 'run.completed' && item.subject.id === last.id)
      return all.flatMap((item) => ('subject' in item && item.subject.kind === 'session' ? [item.subject.id] : []))
    }
    const [all, adas, bobs, again, none] = await Promise.all(watching.map(ofSessions))
    expect([all, adas, bobs, again, none]).toEqual([[sessions['ada'], sessions['bob'], sessions['admin']], [sessions['ada']], [sessions['bob']], [sessions['ada']], []])
  })

  test.each(transports)('another workspace is told of nothing, and refused what it names as if it were nobody’s, over %s', async (transport) => {
    const run = await server.run(flow({ ask: approval() }), { until: 'parked' })
    const session = await server.call<{ id: string }>('POST', '/v1/sessions', { title: 'ours' })
    const handle = `streams-${transport}`
    const { id } = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: handle, handle })
    const { token } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: id })
    const theirs = follow(transport, '/v1/events', token)
    expect((await theirs.next()).value).toMatchObject({ type: 'snapshot', runs: [] })
    for (const path of [`/v1/runs/${run.id}/events`, `/v1/workflows/${run.workflowId}/events`, `/v1/sessions/${session.id}/events`]) {
      const nobodys = path.replace(/\/0\w{14}\//, '/000000000000000/')
      const refused = (at: string) => taken(follow(transport, at, token)).catch((error: Error) => error.message.replaceAll(/"requestId":"[^"]*"/g, ''))
      expect(await refused(path)).toMatch(/refused: 404/)
      expect(await refused(path)).toBe(await refused(nobodys))
    }
    await server.decide((await server.pauses(run))[0]!, 'approve')
    await server.wait(run)
    const own = await callerOf(server.url, token).run(flow({}))
    const told = (await taken(theirs, (item) => item.type === 'run.completed')) as Event[]
    expect(new Set(told.map(({ subject }) => subject.id).filter((each) => each !== own.workflowId))).toEqual(new Set([own.id]))
  })

  test.each(transports)('a credential that ends takes its streams with it within five seconds, over %s', async (transport) => {
    const ada = await member('operator')
    const [hers, others] = [follow(transport, '/v1/events', ada.token), follow(transport, '/v1/events')]
    await Promise.all([hers.next(), others.next()])
    onTestFinished(() => void others.return(undefined).catch(() => {}))
    const ended = taken(hers)
    const before = performance.now()
    await ada.call<Json>('POST', '/v1/auth/logout', {})
    await ended
    expect(performance.now() - before).toBeLessThan(10_000)
    const run = await server.run(flow({}))
    expect((await taken(others, (item) => item.type === 'run.completed')).at(-1)).toMatchObject({ subject: { id: run.id } })
  })
})

describe('C8: what is read for a reader at a time', () => {
  test('is some 256 KiB, however large the events are, and nothing is left out', async () => {
    const run = await server.run(flow({ ask: approval() }), { until: 'parked' })
    const { id: workspaceId } = (await server.call<{ workspace: { id: string } }>('GET', '/v1/auth/me')).workspace
    const feed = createFeed({ database: server.db.database, doorbell: { ring() {}, on: () => () => {}, close: async () => {} } })
    const viewer = { workspaceId, userId: '', seesAll: true }
    const before = (await feed.workspace({ viewer }, new AbortController().signal))[Symbol.asyncIterator]()
    const { cursor } = ((await before.next()).value as Batch)[0]!
    const known = (await server.events(run)).length
    const sizes = Array.from({ length: 60 }, (_, index) => (index % 3 === 0 ? 100 : 100_000))
    await server.db.database.query(
      `insert into events (workspace_id, subject_kind, subject_id, seq, type, data, at)
       select $1, 'run', $2, $3 + n, 'log', json_build_object('message', repeat('ä', size / 2)), now() from unnest($4::int[]) with ordinality as large (size, n)`,
      [workspaceId, run.id, known, sizes],
    )
    const gone = new AbortController()
    for (const batches of [await feed.run({ workspaceId, runId: run.id, after: String(known) }, gone.signal), await feed.workspace({ viewer, after: cursor }, gone.signal)]) {
      const seen: number[] = []
      for await (const batch of batches) {
        const bytes = batch.map((item) => Buffer.byteLength(JSON.stringify(item)))
        expect(bytes.slice(0, -1).reduce((sum, each) => sum + each, 0)).toBeLessThan(300 * 1024)
        seen.push(...batch.map((item) => (item as Event).seq - known))
        if (seen.length >= sizes.length) break
      }
      expect(seen).toEqual(sizes.map((_, index) => index + 1))
    }
    await before.return?.()
  })
})
