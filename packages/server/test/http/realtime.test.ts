import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:net'
import { Fault } from '@sluice/schema'
import { expect, onTestFinished, test } from 'vitest'
import type { Dialect } from '../../src/dialects/dialect.ts'
import { Page } from '../../src/events/page.ts'
import { endOf, type Moment, type Place } from '../../src/events/place.ts'
import type { Change, Subscribed } from '../../src/rpc/context.ts'
import { principal } from '../rpc/toys.ts'
import { serve, type Served, until } from './serve.ts'
import { toyDialect } from './toy-dialect.ts'

/** Connections over which topics are subscribed, with toys for what stands behind them. */

const dialect: Dialect = {
  ...toyDialect,
  realtime: {
    name: 'watch',
    path: '/things/realtime',
    summary: 'x',
    tells: {},
    topic: (name) => (name.startsWith('?') ? null : { collection: name, ...(name.startsWith('kept') && { kept: true }) }),
    head: (connection) => `id:${connection}\n`,
    greeting: () => 'data:hello\n\n',
    about: (topic) => `event:${topic}\n`,
    message: (told) => `data:${told.action}${told.action === 'resync' ? '' : ` ${told.record.id}`}${told.cursor === undefined ? '' : ` at ${told.cursor}`}\n\n`,
  },
}

interface World {
  served: Served
  /** By the id of each connection. */
  subscribe(id: string, topics: Subscribed['topics'], who?: Subscribed['principal']): void
  end(id: string): void
  left: string[]
  told(id: string, hasEnded: boolean): readonly { name: string; place: Place }[]
  /** Something happens: of each transaction one record, named by its number. */
  happen(...xids: number[]): void
}

const at = (xid: number): Place => ({ xid: BigInt(xid), position: 1 })
const moment = (end: number, open: number[] = []): Moment => ({ least: BigInt(open[0] ?? end), end: BigInt(end), open: new Set(open.map(BigInt)) })
const change = (xid: number, collection: string): Change => ({
  place: at(xid),
  action: 'create',
  record: { collection: { id: collection, name: collection }, id: `r${xid}`, values: {}, instants: [] },
})

/** A log of one workspace, in which all of one turn stand on one page. */
async function world(options: Parameters<typeof serve>[0] = {}): Promise<World> {
  const served = await serve({ dialects: [dialect], ...options })
  const pages: Page[] = []
  const waiting = new Set<() => void>()
  const connections = new Map<string, { changed(subscribed: Subscribed | null): void; keeps(hasEnded: boolean): readonly { name: string; place: Place }[] }>()
  const left: string[] = []
  served.parts.connections.open = async (_address, changed) => {
    const id = `c${connections.size}`
    connections.set(id, { changed, keeps: () => [] })
    return {
      id,
      keeps: (told) => void (connections.get(id)!.keeps = told),
      async leave() {
        left.push(id)
      },
    }
  }
  served.parts.connections.toldSoFar = async () => endOf(0n)
  served.parts.feed.pages = (_workspaceId, signal) => ({
    end: async () => pages.at(-1)?.end ?? endOf(0n),
    leave: () => {},
    async next(after) {
      for (;;) {
        if (signal.aborted) return 'over'
        const page = pages.find((each) => each.covers(after))
        if (page) return page.from(after)
        await new Promise<void>((resolve) => {
          waiting.add(resolve)
          signal.addEventListener('abort', () => resolve())
        })
      }
    },
  })
  served.parts.changes.of = async (page, { collection }) => page.entries.map(({ place }) => change(Number(place.xid), collection))
  return {
    served,
    left,
    subscribe: (id, topics, who = principal()) => connections.get(id)!.changed({ principal: who, topics }),
    end: (id) => connections.get(id)!.changed(null),
    told: (id, hasEnded) => connections.get(id)!.keeps(hasEnded),
    happen(...xids) {
      const entries = xids.map((xid) => ({ place: at(xid), workflowId: null, owner: null, event: { cursor: `${xid}.1` } as never }))
      pages.push(new Page({ after: pages.at(-1)?.end ?? endOf(0n), end: at(xids.at(-1)!), entries, isLast: false, bytes: 100 }))
      for (const wake of waiting) wake()
      waiting.clear()
    },
  }
}

async function open({ url }: Served) {
  const gone = new AbortController()
  onTestFinished(() => gone.abort())
  const response = await fetch(`${url}/things/realtime`, { signal: gone.signal })
  const client = { status: response.status, text: '', ended: false, leave: () => gone.abort() }
  void (async () => {
    try {
      for await (const piece of response.body!) client.text += Buffer.from(piece).toString()
    } catch {
      // The test left, or the server cut.
    }
    client.ended = true
  })()
  if (response.status === 200) await until(() => client.text.includes('data:hello'))
  return client
}

/** What was told of a topic. */
const toldOf = (text: string, topic: string): string[] => [...text.matchAll(new RegExp(`^event:${topic}\\ndata:(.*)$`, 'gm'))].map(([, data]) => data!)

test('R1: each topic is told what commits after its subscription, once and in order, however far the connection was told', async () => {
  const { served, subscribe, happen } = await world()
  const client = await open(served)
  happen(1)
  // Before it the second had committed, and the third had not.
  subscribe('c0', [{ name: 'a', since: moment(2) }])
  happen(2, 3)
  await until(() => toldOf(client.text, 'a').length === 2)
  happen(4)
  await until(() => toldOf(client.text, 'a').length === 3)
  // Subscribed when the third was open still and the fourth had committed, taken over only now.
  subscribe('c0', [
    { name: 'a', since: moment(2) },
    { name: 'b', since: moment(5, [3]) },
  ])
  happen(5)
  await until(() => toldOf(client.text, 'b').length >= 2 && toldOf(client.text, 'a').length === 4)
  expect(toldOf(client.text, 'a')).toEqual(['create r2', 'create r3', 'create r4', 'create r5'])
  expect(toldOf(client.text, 'b')).toEqual(['create r3', 'create r5'])
  subscribe('c0', [{ name: '?', since: moment(6) }])
  await sleep(50)
  happen(6)
  await sleep(100)
  expect(client.text).not.toContain('r6')
})

test('R3: a kept topic counts as told as of an earlier look, and as it was left when the connection has ended', async () => {
  const { served, subscribe, happen, told } = await world()
  const client = await open(served)
  subscribe('c0', [
    { name: 'kept', since: null },
    { name: 'other', since: moment(1) },
  ])
  happen(1)
  await until(() => client.text.includes('create r1 at 1.1'))
  expect(told('c0', false)).toEqual([])
  happen(2)
  await until(() => client.text.includes('create r2 at 2.1'))
  expect(told('c0', false)).toEqual([{ name: 'kept', place: at(1) }])
  expect(told('c0', false)).toEqual([{ name: 'kept', place: at(2) }])
  served.server.drain()
  await until(() => client.ended)
  expect(told('c0', true)).toEqual([{ name: 'kept', place: at(2) }])
})

test('R4: over which nothing is subscribed ends after a while; with topics a connection stays', async () => {
  const { served, subscribe, left } = await world({ stream: { idleMs: 300 } })
  const [idle, busy] = [await open(served), await open(served)]
  subscribe('c1', [{ name: 'a', since: moment(1) }])
  await until(() => idle.ended && left.includes('c0'))
  expect(busy.ended).toBe(false)
})

test('R4: one address has a bounded number of connections that nobody has subscribed over', async () => {
  const { served, subscribe } = await world()
  const { port } = new URL(served.url)
  const sockets = Array.from({ length: 1_000 }, () => connect({ port: Number(port), host: '127.0.0.1' }))
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()))
  let greeted = 0
  for (const socket of sockets) {
    socket.on('error', () => {})
    socket.on('data', (piece) => void (piece.includes('data:hello') && greeted++))
    socket.write('GET /things/realtime HTTP/1.1\r\nHost: localhost\r\n\r\n')
  }
  await until(() => greeted === 1_000, 30_000)
  const refused = await fetch(`${served.url}/things/realtime`)
  expect(refused.status).toBeGreaterThanOrEqual(400)
  await refused.body?.cancel()
  // Who is known counts elsewhere.
  subscribe('c0', [{ name: 'a', since: moment(1) }])
  await sleep(100)
  expect((await open(served)).status).toBe(200)
})

test('a connection ends when its row has gone, when its credential dies, and when the server leaves', async () => {
  const { served, subscribe, end, left } = await world()
  const [lost, dead, drained] = [await open(served), await open(served), await open(served)]
  end('c0')
  await until(() => lost.ended)
  const who = principal({ id: '000000000viewer', userId: '000000000viewer', role: 'viewer' })
  subscribe('c1', [{ name: 'a', since: moment(1) }], who)
  await sleep(50)
  served.dead.add(who.id)
  await until(() => dead.ended)
  expect(drained.ended).toBe(false)
  served.server.drain()
  await until(() => drained.ended)
  expect(left.sort()).toEqual(['c0', 'c1', 'c2'])
})

test('R3: a kept topic that is subscribed again over its connection goes on where it was left there', async () => {
  const { served, subscribe, happen } = await world()
  const client = await open(served)
  const [kept, other] = [
    { name: 'kept', since: null },
    { name: 'other', since: moment(1) },
  ]
  subscribe('c0', [kept, other])
  happen(1, 2)
  await until(() => toldOf(client.text, 'kept').length === 2)
  subscribe('c0', [other])
  happen(3)
  await until(() => toldOf(client.text, 'other').length === 3)
  subscribe('c0', [kept, other])
  await until(() => toldOf(client.text, 'kept').length >= 3)
  happen(4)
  await until(() => toldOf(client.text, 'other').length === 4)
  await until(() => toldOf(client.text, 'kept').length >= 4)
  expect(toldOf(client.text, 'kept').map((told) => told.split(' ')[1])).toEqual(['r1', 'r2', 'r3', 'r4'])
})

test('R3: who reads slowly when the server leaves is written all that was begun, and that counts as told', async () => {
  const { served, subscribe, happen, told, left } = await world()
  const socket = connect({ port: Number(new URL(served.url).port), host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  const greeted = new Promise<void>((resolve) => socket.once('data', () => resolve()))
  socket.write('GET /things/realtime HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await greeted
  socket.pause()
  // More than the network takes.
  const id = 'x'.repeat(30_000_000)
  let asked = 0
  served.parts.changes.of = async () => {
    asked++
    return [{ ...change(1, 'kept'), record: { ...change(1, 'kept').record, id } }]
  }
  subscribe('c0', [{ name: 'kept', since: null }])
  happen(1)
  await until(() => asked === 1)
  await sleep(200)
  const closed = served.server.close(10_000)
  await sleep(200)
  let bytes = 0
  let end = ''
  socket.on('data', (piece) => {
    bytes += piece.length
    end = `${end}${piece.toString('latin1')}`.slice(-5)
  })
  socket.resume()
  await closed
  await until(() => left.includes('c0') && socket.closed, 10_000)
  expect({ whole: bytes > id.length, end }).toEqual({ whole: true, end: '0\r\n\r\n' })
  expect(told('c0', true)).toEqual([{ name: 'kept', place: at(1) }])
})

test('R5: between topics that take their time others have their turns', async () => {
  const { served, subscribe, happen } = await world()
  const client = await open(served)
  let turns = 0
  const tick = (): void => {
    turns++
    ticking = setImmediate(tick)
  }
  let ticking = setImmediate(tick)
  onTestFinished(() => clearImmediate(ticking))
  const seen: number[] = []
  served.parts.changes.of = async (page, { collection }) => {
    for (const end = performance.now() + 2; performance.now() < end;);
    seen.push(turns)
    return page.entries.map(({ place }) => change(Number(place.xid), collection))
  }
  subscribe(
    'c0',
    Array.from({ length: 100 }, (_, topic) => ({ name: `t${topic}`, since: moment(1) })),
  )
  happen(1)
  await until(() => toldOf(client.text, 't99').length === 1)
  expect(new Set(seen).size).toBeGreaterThan(10)
})

test('a client that goes is forgotten, and a failure ends its connection with an error', async () => {
  const { served, subscribe, happen, left } = await world()
  const [going, failing] = [await open(served), await open(served)]
  going.leave()
  await until(() => left.includes('c0'))
  served.parts.changes.of = async () => {
    throw new Fault('limit_exceeded')
  }
  subscribe('c1', [{ name: 'a', since: moment(1) }])
  happen(1)
  await until(() => failing.ended)
  expect(failing.text).toContain('event:error\ndata:')
})

test('a reader that does not read is cut off, and has cost little', async () => {
  const { served, subscribe, happen, left } = await world({ stream: { stallMs: 500 } })
  const socket = connect({ port: Number(new URL(served.url).port), host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  const greeted = new Promise<void>((resolve) => socket.once('data', () => resolve()))
  socket.write('GET /things/realtime HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await greeted
  socket.pause()
  let asked = 0
  const id = 'x'.repeat(60_000)
  served.parts.changes.of = async (page, { collection }) => {
    asked++
    return page.entries.map(({ place }) => ({ ...change(Number(place.xid), collection), record: { ...change(1, collection).record, id } }))
  }
  subscribe('c0', [{ name: 'a', since: moment(1) }])
  for (let xid = 1; xid <= 2_000; xid++) happen(xid)
  await until(() => left.includes('c0'), 20_000)
  expect(asked).toBeLessThan(1_000)
})
