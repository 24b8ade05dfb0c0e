import type { Event, Json, Run, RunEvent, RunEventType, SnapshotEvent } from '@sluice/schema'
import { createTRPCClient, createWSClient, httpSubscriptionLink, wsLink } from '@trpc/client'
import { EventSource } from 'eventsource'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import type { FeedItem } from '../../packages/server/src/events/feed.ts'
import type { AppRouter } from '../../packages/server/src/rpc/router.ts'
import { audit, terminal } from '../support/audit.ts'
import { deadline } from '../support/deadline.ts'
import { type StreamedItem, trimEvents } from '../support/events.ts'
import { approval, delay, external, flow, map, post, router, signal, template, values } from '../support/flow.ts'
import { type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const url = (path: string) => server.toy.url + path
const path = (run: { id: string }) => `/v1/runs/${run.id}/events`
/** All that a stream gives until it ends. */
async function whole(items: AsyncGenerator<StreamedItem>): Promise<StreamedItem[]> {
  const all: StreamedItem[] = []
  for await (const item of items) all.push(item)
  return all
}
/** What a stream gives until so many have come, or one that fits; then the reader leaves. */
async function some(items: AsyncGenerator<StreamedItem>, enough: (all: FeedItem[]) => boolean): Promise<FeedItem[]> {
  const all: FeedItem[] = []
  await deadline('events of a stream', (done, fail) => {
    void (async () => {
      for await (const { item } of items) {
        all.push(item)
        if (enough(all)) return done()
      }
      throw new Error(`the stream ended after ${all.map(({ type }) => type).join()}`)
    })().catch(fail)
    return () => void items.return(undefined).catch(() => {})
  })
  return all
}

/** Everything at once: retries, a pause, a map, routes, a skipped branch, undoing. */
let riches = 0
const rich = () =>
  flow(
    {
      in: 'input',
      call: post(url(`/fail/1/rich${++riches}`), {
        settings: { retry: { maxAttempts: 2, backoffMs: 1 }, compensate: { type: 'http-request', config: { method: 'POST', url: url('/ok/undo-rich') } } },
      }),
      choose: router({ yes: 'input.ok' }),
      skipped: template('never'),
      each: map('input.list'),
      item: { type: 'static-value', in: 'each', config: { values: { v: '{{ item }}' } } },
      say: { type: 'log', config: { level: 'warn', message: 'list of {{ input.list | size }}' } },
      ask: approval(),
      wait: delay(5),
      end: post(url('/refuse/rich-end')),
    },
    ['in > call > choose', 'choose > skipped', 'choose.yes > each > say > ask > wait > end'],
  )
const richInput = { ok: true, list: [1, 2, 3] }
async function richRun(): Promise<Run> {
  const run = await server.start(await server.workflow(rich()), { input: richInput })
  const { pause } = await server.event(run, 'pause.opened')
  await server.decide(pause, 'approve')
  return server.wait(run)
}

describe('the events of a run', () => {
  test('count 1, 2, 3 without a gap, and never contradict each other', async () => {
    const run = await richRun()
    expect(run).toMatchObject({ status: 'compensated' })
    const events = await server.events(run)
    audit(events)
    const counts = Map.groupBy(events, ({ type }) => type)
    const count = (type: RunEventType) => counts.get(type)?.length ?? 0
    expect([count('step.retrying'), count('step.skipped'), count('log'), count('pause.opened'), count('pause.decided'), count('step.compensated')]).toEqual([1, 1, 1, 1, 1, 1])
    expect(events.find(({ type }) => type === 'log')).toMatchObject({ level: 'warn', message: 'list of 3', nodeId: 'say' })
  })

  test('carry what an event says of itself', async () => {
    const run = await server.run(flow({ a: values({ x: 1 }) }))
    const [queued, , started, completed, ended] = await server.events(run)
    expect(queued).toMatchObject({ type: 'run.queued', subject: { kind: 'run', id: run.id }, seq: 1, cursor: '1', workflowId: run.workflowId, version: 1, at: run.created })
    expect(started).toMatchObject({ type: 'step.started', nodeId: 'a', step: 'a', iteration: '', attempt: 1 })
    expect(completed).toMatchObject({ type: 'step.completed', output: { x: 1 }, route: ['default'] })
    expect(ended).toMatchObject({ type: 'run.completed', output: { a: { x: 1 } } })
  })

  test('of many runs at once are each without a gap', async () => {
    const { id } = await server.workflow(flow({ a: post(url('/slow/3/many')), b: values({}), c: delay(1) }, ['a > b > c']))
    const runs = await Promise.all(Array.from({ length: 25 }, () => server.start(id)))
    for (const run of runs) {
      await server.wait(run)
      audit(await server.events(run))
    }
  })
})

describe('a stream of a run', () => {
  test('gives everything after a cursor, and ends with the terminal event', async () => {
    const run = await richRun()
    const events = await server.events(run)
    expect((await whole(server.stream(`${path(run)}?after=0`))).map(({ item }) => item)).toEqual(events)
    const middle = Math.floor(events.length / 2)
    const rest = await whole(server.stream(path(run), { lastEventId: String(middle) }))
    expect(rest.map(({ item }) => item)).toEqual(events.slice(middle))
    expect(rest.map(({ id, event }) => [id, event])).toEqual(events.slice(middle).map(({ seq, type }) => [String(seq), type]))
    expect(await whole(server.stream(`${path(run)}?after=${events.length}`))).toEqual([])
  })

  test('resumed again and again in the middle of a live run misses nothing and doubles nothing', async () => {
    const run = await server.start(await server.workflow(rich()), { input: richInput })
    const seen: FeedItem[] = []
    let decided = false
    for (let last = '0'; !terminal.includes(seen.at(-1)?.type ?? ''); last = seen.at(-1)!.cursor) {
      const from = seen.length
      seen.push(
        ...(await some(server.stream(path(run), { lastEventId: last }), (all) => all.length === 3 || terminal.includes(all.at(-1)!.type) || all.at(-1)!.type === 'pause.opened')),
      )
      const opened = seen.slice(from).find((item) => item.type === 'pause.opened')
      if (opened && !decided) await server.decide(opened.pause, 'approve')
      decided ||= opened !== undefined
    }
    expect(seen).toEqual(await server.events(run))
    audit(seen as RunEvent[])
  })

  test('without a cursor begins with a snapshot, and goes on after it', async () => {
    const run = await server.run(flow({ a: values({}), e: external(), b: values({}) }, ['a > e > b']), { until: 'parked' })
    const items = server.stream(path(run))
    const first = (await items.next()).value!
    const known = await server.events(run)
    expect(first.item).toMatchObject({ type: 'snapshot', cursor: String(known.length), run: { id: run.id, status: 'waiting', waitingOn: [{ kind: 'report' }] } })
    await server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'e', outcome: 'completed' })
    const rest = (await whole(items)).map(({ item }) => item)
    expect(rest).toEqual((await server.events(run)).slice(known.length))
  })

  test('of an ended run is its snapshot', async () => {
    const run = await server.run(flow({ a: values({}) }))
    expect((await whole(server.stream(path(run)))).map(({ item }) => item)).toEqual([{ type: 'snapshot', cursor: '5', at: expect.any(String), run }])
  })

  test('is refused for a cursor that is none, and for a run that is not there', async () => {
    const run = await server.run(flow({}))
    await expect(whole(server.stream(path(run), { lastEventId: 'x' }))).rejects.toThrow('400')
    await expect(whole(server.stream(path({ id: '000000000000000' })))).rejects.toThrow('404')
  })

  test('is the same as the list, as a tRPC subscription over SSE, and over a WebSocket', async () => {
    const { id } = await server.workflow(rich())
    const run = await server.start(id, { input: richInput })
    const rest = whole(server.stream(`${path(run)}?after=0`))
    const sse = subscribed(overSse(server), { runId: run.id, after: '0' })
    const socket = subscribed(overSocket(server), { runId: run.id, after: '0' })
    const { pause } = await server.event(run, 'pause.opened')
    await server.decide(pause, 'approve')
    await server.wait(run)
    const events = await server.events(run)
    expect((await rest).map(({ item }) => item)).toEqual(events)
    expect(await sse).toEqual(events.map((event) => ({ id: event.cursor, data: event })))
    expect(await socket).toEqual(await sse)
  })

  test('on one server sees a run that executes on another', async () => {
    await using house = await testServer({ SLUICE_ROLE: 'api' })
    const run = await house.start(await house.workflow(flow({ a: post(`${house.toy.url}/ok/elsewhere`), ask: approval(), b: values({}) }, ['a > ask > b'])))
    const following = whole(house.stream(path(run)))
    expect((await house.get(run)).status).toBe('queued')
    await using _worker = await house.another({ SLUICE_ROLE: 'worker' })
    const { pause } = await house.event(run, 'pause.opened')
    await house.decide(pause, 'approve')
    expect((await house.wait(run)).status).toBe('completed')
    const [snapshot, ...rest] = (await following).map(({ item }) => item)
    expect(snapshot).toMatchObject({ type: 'snapshot', run: { status: 'queued' } })
    expect(rest).toEqual((await house.events(run)).slice(1))
  })

  test('hears of it at once, not when it looks again', async () => {
    const run = await server.run(flow({ e: external() }), { until: 'parked' })
    const items = server.stream(path(run))
    await items.next()
    const before = performance.now()
    await server.call('POST', '/v1/signals', { runId: run.id, name: 'nobody' })
    await server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'e', outcome: 'completed' })
    await whole(items)
    expect(performance.now() - before).toBeLessThan(1_900)
  })
})

describe('a large output', () => {
  const big = 'x'.repeat(70_000)

  test('goes by reference in events, by its size in lists, and whole where it is asked for', async () => {
    const run = await server.run(flow({ a: values({ big }), b: { type: 'output', config: { map: { big: '{{ nodes.a.big }}' } } } }, ['a > b']))
    expect(run.output).toEqual({ big })
    const bytes = JSON.stringify({ big }).length
    expect(run.nodes[0]).toMatchObject({ output: { truncated: bytes } })
    expect((await server.steps(run))[0]).toMatchObject({ output: { truncated: bytes } })
    const events = await server.events(run)
    const completed = events.find((event) => event.type === 'step.completed')!
    expect(completed).toMatchObject({ outputRef: { runId: run.id, key: `${run.id}/a/-`, bytes } })
    expect(completed).not.toHaveProperty('output')
    expect(events.at(-1)).toMatchObject({ type: 'run.completed', outputRef: { runId: run.id, bytes } })
    for (const event of events) expect(JSON.stringify(event).length).toBeLessThan(10_000)
  })
})

describe('a stream of a workspace', () => {
  test('misses nothing while many write at once, on two servers, and its readers come and go', async () => {
    await using house = await testServer()
    await using there = await house.another()
    const { id } = await house.workflow(flow({ a: post(`${house.toy.url}/slow/2/crowd`), b: values({}), c: delay(1) }, ['a > b > c']))
    const first = (await house.stream('/v1/events').next()).value!
    expect(first.item).toMatchObject({ type: 'snapshot', runs: [] })
    const runs: Run[] = []
    const starting = (async () => {
      for (let n = 0; n < 6; n++) runs.push(...(await Promise.all(Array.from({ length: 8 }, (_, m) => (m % 2 ? there : house).start(id)))))
    })()
    const bySubject = new Map<string, Event[]>()
    const ended = () => [...bySubject.values()].filter((events) => terminal.includes(events.at(-1)!.type)).length
    let after = first.item.cursor
    for (let round = 0; ended() < 48; round++) {
      const reader = round % 2 ? there : house
      const seen = await some(reader.stream(`/v1/events?after=${after}`), (all) => {
        const { subject } = all.at(-1) as Event
        bySubject.set(subject.id, [...(bySubject.get(subject.id) ?? []), all.at(-1) as Event])
        return all.length === 40 || ended() === 48
      })
      after = seen.at(-1)!.cursor
    }
    await starting
    for (const run of runs) {
      expect(bySubject.get(run.id)).toMatchObject((await house.events(run)).map(({ seq, type }) => ({ seq, type })))
      audit(bySubject.get(run.id) as RunEvent[])
    }
  })

  test('waits for what commits late: nothing is told before it, so that nothing is missed', async () => {
    await using house = await testServer()
    const cursor = (await house.stream('/v1/events').next()).value!.item.cursor
    const [workspace] = await house.db.database.query<{ id: string }>('select id from workspaces')
    const late = Promise.withResolvers<void>()
    const open = Promise.withResolvers<void>()
    const writing = house.db.database.transaction(async (tx) => {
      await tx.query(`insert into events (workspace_id, subject_kind, subject_id, seq, type, data, at) values ($1, 'record', 'late', 1, 'created', '{"record":{}}', now())`, [
        workspace!.id,
      ])
      open.resolve()
      await late.promise
    })
    await open.promise
    const run = await house.run(flow({ a: values({}) }))
    const items = house.stream(`/v1/events?after=${cursor}`)
    const first = items.next()
    expect(await Promise.race([first, house.run(flow({ d: delay(100) })).then(() => 'nothing yet')])).toBe('nothing yet')
    late.resolve()
    await writing
    expect((await first).value?.item).toMatchObject({ subject: { id: 'late' } })
    const rest = await some(items, (all) => all.filter(({ type }) => type === 'run.completed').length === 2)
    expect(rest.filter((item) => (item as Event).subject.id === run.id).map((item) => (item as Event).seq)).toEqual([1, 2, 3, 4, 5])
  })

  test('begins with the live runs when it has no cursor', async () => {
    await using house = await testServer()
    await house.run(flow({ a: values({}) }))
    const live = await house.run(flow({ s: signal('x') }), { until: 'parked' })
    const snapshot = (await house.stream('/v1/events').next()).value!.item as SnapshotEvent
    expect(snapshot.runs?.map(({ id, status }) => [id, status])).toEqual([[live.id, 'waiting']])
  })

  test('tells who comes too late to start anew', async () => {
    await using house = await testServer()
    const cursor = (await house.stream('/v1/events').next()).value!.item.cursor
    await house.run(flow({ a: values({}) }))
    await trimEvents(house.db.database, 1_000_000)
    const [resync, snapshot] = await some(house.stream(`/v1/events?after=${cursor}`), (all) => all.length === 2)
    expect(resync).toMatchObject({ type: 'resync', cursor: snapshot!.cursor })
    expect(snapshot).toMatchObject({ type: 'snapshot', runs: [] })
    await house.run(flow({ b: values({}) }))
    expect((await some(house.stream(`/v1/events?after=${snapshot!.cursor}`), (all) => all.at(-1)!.type === 'run.completed')).length).toBeGreaterThan(4)
  })

  test('of a workflow is of its runs alone, and does not end with one of them', async () => {
    const mine = await server.workflow(flow({ a: values({}) }))
    const other = await server.workflow(flow({ a: values({}) }))
    const items = server.stream(`/v1/workflows/${mine.id}/events`)
    expect((await items.next()).value?.item).toMatchObject({ type: 'snapshot', runs: [] })
    const runs = []
    for (const { id } of [mine, other, mine, other]) runs.push(await server.wait(await server.start(id)))
    const seen = await some(items, (all) => all.filter(({ type }) => type === 'run.completed').length === 2)
    const subjects = seen.flatMap((item) => ('subject' in item && item.subject.kind === 'run' ? [item.subject.id] : []))
    expect([...new Set(subjects)]).toEqual([runs[0]!.id, runs[2]!.id])
    expect(subjects).toHaveLength(10)
  })
})

// ── tRPC ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Client = ReturnType<typeof createTRPCClient<AppRouter>>

function overSse({ url: at, token }: TestServer): Client {
  const withToken = (target: string | URL, init: RequestInit) =>
    fetch(target, { ...init, headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` } })
  return createTRPCClient<AppRouter>({
    links: [httpSubscriptionLink({ url: `${at}/trpc`, EventSource: EventSource as never, eventSourceOptions: () => ({ fetch: withToken }) as never })],
  })
}

function overSocket({ url: at, token }: TestServer): Client {
  class Authorized extends WebSocket {
    constructor(target: string) {
      super(target, { headers: { authorization: `Bearer ${token}` } })
    }
  }
  const client = createWSClient({ url: `${at.replace('http', 'ws')}/trpc`, WebSocket: Authorized as never })
  onTestFinished(() => client.close())
  return createTRPCClient<AppRouter>({ links: [wsLink({ client })] })
}

/** All that a subscription gives until it completes. */
function subscribed(client: Client, input: { runId: string; after: string }): Promise<{ id: string; data: Json }[]> {
  const all: { id: string; data: Json }[] = []
  return deadline('the end of a subscription', (done, fail) => {
    const subscription = client.events.subscribe.subscribe(input, {
      onData: (item) => void all.push(item as never),
      onError: fail,
      onComplete: () => done(all),
    })
    return () => subscription.unsubscribe()
  })
}
