import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { type Dialect, stream } from '../../src/dialects/dialect.ts'
import { event, ids, lastEvent } from '../rpc/toys.ts'
import { bigEvent, flood, owner, serve, until, type Served } from './serve.ts'
import { toyDialect } from './toy-dialect.ts'

/** Tells of every event how many it is, with its text. */
const dialect: Dialect = {
  ...toyDialect,
  streams: [
    stream({
      name: 'watchThings',
      path: '/things/live/',
      summary: 'Watch things',
      ask: () => ({}),
      tells: { thing: { summary: 'x', schema: z.looseObject({}), example: {} } },
      messages: (item) => ('seq' in item ? [{ event: 'thing', data: { thing: item.seq, text: item.type === 'message' ? item.text : '' } }] : []),
    }),
  ],
}

const path = '/things/live/'
const things = (options: Parameters<typeof serve>[0] = {}): Promise<Served> => serve({ dialects: [dialect], ...options })

/** What came so far, and whether it ended. */
async function follow({ url }: Served, headers: Record<string, string> = owner) {
  const gone = new AbortController()
  onTestFinished(() => gone.abort())
  const response = await fetch(url + path, { headers: { accept: 'text/event-stream', ...headers }, signal: gone.signal })
  const client = { status: response.status, text: '', ended: false, told: () => [...client.text.matchAll(/^data: \{"thing":(\d+)/gm)].map(([, seq]) => Number(seq)) }
  void (async () => {
    try {
      for await (const piece of response.body!) client.text += Buffer.from(piece).toString()
    } catch {
      // The test left, or the server cut.
    }
    client.ended = true
  })()
  return client
}

/** Asks for it and never reads. */
async function sleeper(url: string): Promise<Socket> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: ${owner.authorization}\r\n\r\n`)
  return socket
}

describe('a stream of a dialect', () => {
  test('cuts a reader that is too slow off, which has cost little memory', async () => {
    const served = await things({ stream: { stallMs: 500 } })
    const taken = flood(served)
    const before = process.memoryUsage().rss
    await sleeper(served.url)
    await until(() => taken.count > 0)
    await until(() => taken.ended, 30_000)
    // What the kernel's buffers hold, and at most 1 MiB of ours.
    expect(taken.count * 64 * 1024).toBeLessThan(16 * 1024 * 1024)
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
    expect((await served.ask('GET', '/health')).status).toBe(200)
  })

  test('tells a reader that keeps up everything, whoever sleeps beside it', async () => {
    const served = await things({ stream: { stallMs: 500 } })
    served.feed.push(event(1))
    await sleeper(served.url)
    const quick = await follow(served)
    for (let seq = 2; seq < 400; seq++) served.feed.push(bigEvent(seq, 'x'.repeat(64 * 1024)))
    served.feed.push(lastEvent(400))
    await until(() => quick.told().length === 400, 20_000)
    expect(quick.told()).toEqual(Array.from({ length: 400 }, (_, at) => at + 1))
    await until(() => served.feed.open === 0, 20_000)
  })

  test('ends within five seconds when the credential does, and others go on', async () => {
    const served = await things()
    served.feed.push(event(1))
    const [own, other] = [await follow(served), await follow(served, { authorization: 'Bearer viewer-token' })]
    await until(() => own.told().length === 1 && other.told().length === 1)
    served.dead.add(ids.user)
    await until(() => own.ended, 10_000)
    served.feed.push(event(2))
    await until(() => other.told().length === 2)
    expect([own.told(), other.ended]).toEqual([[1], false])
    await until(() => served.feed.open === 1)
  })

  test('ends when the server leaves; and none is opened then', async () => {
    const served = await things()
    served.feed.push(event(1))
    const client = await follow(served)
    await until(() => client.told().length === 1)
    served.server.drain()
    await until(() => client.ended)
    expect((await served.ask('GET', path)).body).toMatchObject({ oops: 'unavailable' })
    await until(() => served.feed.open === 0)
  })
})
