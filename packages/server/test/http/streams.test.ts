import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Event, limits } from '@sluice/schema'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sseText } from '../../src/http/frames.ts'
import { sendStream } from '../../src/http/streams.ts'
import { event, ids, lastEvent } from '../rpc/toys.ts'
import { bigEvent, flood, serve, until, type Served } from './serve.ts'

const path = `/v1/runs/${ids.run}/events`
const sse = { accept: 'text/event-stream', authorization: 'Bearer owner-token' }

/** Follows a stream: what came so far, and whether it ended. */
async function follow({ url }: Served, at = path, headers: Record<string, string> = {}) {
  const gone = new AbortController()
  onTestFinished(() => gone.abort())
  const response = await fetch(url + at, { headers: { ...sse, ...headers }, signal: gone.signal })
  const stream = { response, text: '', ended: false, leave: () => gone.abort(), ids: () => [...stream.text.matchAll(/^id: (.+)$/gm)].map(([, id]) => id) }
  void (async () => {
    try {
      for await (const piece of response.body!) stream.text += Buffer.from(piece).toString()
    } catch {
      // The test left, or the server cut.
    }
    stream.ended = true
  })()
  return stream
}

describe('a stream of events', () => {
  test('sends its head at once, then what is known, then what comes, and ends with the run', async () => {
    const served = await serve()
    served.feed.push(event(1))
    const stream = await follow(served)
    expect([stream.response.status, stream.response.headers.get('content-type'), stream.response.headers.get('x-request-id')]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      expect.any(String),
    ])
    await until(() => stream.ids().length === 1)
    served.feed.push(event(2), lastEvent(3))
    await until(() => stream.ended)
    expect(stream.text).toBe(
      `retry: 2000\n\n${[event(1), event(2), lastEvent(3)].map((each) => `id: ${each.cursor}\nevent: ${each.type}\ndata: ${JSON.stringify(each)}\n\n`).join('')}`,
    )
    await until(() => served.feed.open === 0)
  })

  test('the head comes although nothing is known yet', async () => {
    const served = await serve()
    const stream = await follow(served, '/v1/events')
    await until(() => stream.text.startsWith('retry:'))
    expect(stream.ended).toBe(false)
  })

  test('resumes after Last-Event-ID, which wins over the cursor of the query', async () => {
    const served = await serve()
    served.feed.push(event(1), event(2), event(3), lastEvent(4))
    const stream = await follow(served, `${path}?after=c1`, { 'last-event-id': 'c2' })
    await until(() => stream.ended)
    expect(stream.ids()).toEqual(['c3', 'c4'])
    const byQuery = await follow(served, `${path}?after=c1`)
    await until(() => byQuery.ended)
    expect(byQuery.ids()).toEqual(['c2', 'c3', 'c4'])
  })

  test('the same address without asking for a stream is a list, and HEAD opens nothing', async () => {
    const served = await serve()
    expect((await served.ask('GET', `${path}?after=3`)).body).toEqual({ items: [], nextCursor: null })
    expect(served.calls.at(-1)?.args.slice(2)).toEqual([ids.run, { after: 3, limit: 50 }])
    expect((await served.ask('HEAD', '/v1/events', undefined, sse)).status).toBe(200)
    expect(served.feed.asked).toEqual([])
  })

  test('what is not there, or may not be seen, is said before the stream begins', async () => {
    const served = await serve()
    expect((await served.ask('GET', '/v1/runs/00000000missing/events', undefined, sse)).status).toBe(404)
    expect((await served.ask('GET', '/v1/runs/nonsense/events', undefined, sse)).status).toBe(400)
    expect((await served.ask('GET', path, undefined, { ...sse, authorization: 'Bearer x' })).status).toBe(401)
    expect(served.feed.open).toBe(0)
  })

  test('a failure under way is the last frame, and its text stays in the log', async () => {
    const served = await serve()
    served.parts.feed.workspace = async () => breaking()
    async function* breaking() {
      yield [event(1)]
      throw new Error('10.0.0.7 went away')
    }
    const stream = await follow(served, '/v1/events')
    await until(() => stream.ended)
    expect(stream.text).toMatch(/event: error\ndata: \{"error":\{"code":"internal"/)
    expect(stream.text).not.toContain('10.0.0.7')
    expect(served.logged.join('')).toContain('10.0.0.7')
  })

  test('comments keep a quiet line alive', async () => {
    const served = await serve({ stream: { heartbeatMs: 30 } })
    const stream = await follow(served)
    await until(() => stream.text.split(':\n\n').length > 3)
  })

  test('a reader that goes ends its subscription', async () => {
    const served = await serve()
    const stream = await follow(served)
    await until(() => served.feed.open === 1)
    stream.leave()
    await until(() => served.feed.open === 0)
  })

  test('a reader that goes lets go of a source that never says anything again', async () => {
    let over = false
    const server = createServer((_request, response) => {
      const silent: AsyncIterable<string> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }
      void sendStream(response, silent, { pieceOf: String, failure: String }).then(() => (over = true))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const gone = new AbortController()
    await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { signal: gone.signal })
    expect(over).toBe(false)
    gone.abort()
    await until(() => over)
  })

  test('a snapshot as large as what may wait comes right behind a short frame', async () => {
    const served = await serve()
    const [resync, snapshot] = [event(1), bigEvent(2, 'x'.repeat(limits.streamBufferBytes))]
    served.parts.feed.workspace = async () => both()
    async function* both() {
      await sleep(50)
      yield [resync]
      yield [snapshot]
    }
    const stream = await follow(served, '/v1/events')
    await until(() => stream.ended)
    expect(stream.ids()).toEqual([resync.cursor, snapshot.cursor])
    expect(stream.text).toHaveLength(
      `retry: 2000\n\n${[resync, snapshot].map((each) => sseText({ id: each.cursor, event: each.type, data: JSON.stringify(each) })).join('')}`.length,
    )
  })

  test('a server that leaves before a stream has its head cuts it: no reader takes a reply without events for one', async () => {
    const served = await serve()
    const opening = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    served.parts.feed.workspace = async () => {
      asked.resolve()
      await opening.promise
      return (async function* () {})()
    }
    const answer = follow(served, '/v1/events').then(
      ({ response }) => response.status,
      () => 'cut',
    )
    await asked.promise
    served.server.drain()
    opening.resolve()
    expect(await answer).toBe('cut')
  })

  test('an event is made into text once for all who follow', async () => {
    const served = await serve()
    let made = 0
    const counted: Event = Object.defineProperty({ ...lastEvent(1) }, 'toJSON', { value: () => (made++, lastEvent(1)) })
    const streams = await Promise.all(Array.from({ length: 5 }, () => follow(served)))
    served.feed.push(counted)
    await until(() => streams.every(({ ended }) => ended))
    expect(made).toBe(1)
    expect(streams.every((stream) => stream.ids().length === 1)).toBe(true)
  })

  test('frames cannot be broken out of', () => {
    expect(sseText({ id: 'a\nevent: x', event: 'b\r\ndata: y', data: 'one\ntwo\r\nthree' })).toBe('id: a event: x\nevent: b  data: y\ndata: one\ndata: two\ndata: three\n\n')
  })
})

describe('a stream ends', () => {
  test('within five seconds when its credential does, and others go on', async () => {
    const served = await serve()
    const [own, other] = [await follow(served), await follow(served, path, { authorization: 'Bearer viewer-token' })]
    const trpc = await follow(served, '/trpc/events.subscribe?input=%7B%7D')
    await until(() => served.feed.open === 3)
    served.dead.add(ids.user)
    await until(() => own.ended && trpc.ended, 10_000)
    expect(other.ended).toBe(false)
  })

  test('with a hint to come back when the server leaves; then none is opened, and requests are still answered', async () => {
    const served = await serve()
    const stream = await follow(served)
    await until(() => stream.text.length > 0)
    served.server.drain()
    await until(() => stream.ended)
    expect(stream.text).toMatch(/retry: \d+\n\n$/)
    expect((await served.ask('GET', path, undefined, sse)).status).toBe(503)
    expect((await served.ask('GET', '/v1/runs')).status).toBe(200)
    expect((await served.ask('GET', '/ready')).status).toBe(503)
  })

  test('and closing takes no longer than its grace, whatever is still open', async () => {
    const served = await serve()
    served.parts.engine.wait = () => new Promise(() => {})
    await follow(served)
    const hanging = served.ask('GET', `/v1/runs/${ids.run}/wait`).catch(() => 'cut')
    await sleep(100)
    const begun = Date.now()
    await served.server.close(300)
    expect(Date.now() - begun).toBeLessThan(6_000)
    expect(await hanging).toBe('cut')
    await served.server.close()
  })
})

describe('a reader that is too slow', () => {
  /** Asks for a stream and never reads. */
  async function sleeper(url: string, at: string): Promise<Socket> {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
    socket.pause()
    socket.write(`GET ${at} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer owner-token\r\n\r\n`)
    onTestFinished(() => void socket.destroy())
    return socket
  }

  test.each(['/v1/events', '/trpc/events.subscribe?input=%7B%7D'])('is cut off, having cost little memory: %s', async (at) => {
    const served = await serve({ stream: { stallMs: 500 } })
    const taken = flood(served)
    const before = process.memoryUsage().rss
    await sleeper(served.url, at)
    await until(() => taken.count > 0)
    await until(() => taken.ended, 30_000)
    // What the kernel's buffers hold, and at most 1 MiB of ours.
    expect(taken.count * 64 * 1024).toBeLessThan(16 * 1024 * 1024)
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
    expect((await served.ask('GET', '/health')).status).toBe(200)
  })

  test('a reader that keeps up gets everything, however much it is', async () => {
    const served = await serve({ stream: { stallMs: 500 } })
    for (let seq = 1; seq < 400; seq++) served.feed.push(bigEvent(seq, 'x'.repeat(32 * 1024)))
    served.feed.push(lastEvent(400))
    const stream = await follow(served)
    await until(() => stream.ended, 20_000)
    expect(stream.ids()).toHaveLength(400)
  })
})
