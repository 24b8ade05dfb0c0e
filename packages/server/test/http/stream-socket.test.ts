import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, type ClientOptions } from 'ws'
import { messageBytes } from '../../src/http/frames.ts'
import { event, ids, lastEvent } from '../rpc/toys.ts'
import { bigEvent, flood, owner, serve, until, type Served } from './serve.ts'

const path = `/v1/runs/${ids.run}/events`

/** What a client says first. */
const upgrade = (authorization: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`

/** Follows a stream over a socket: what came so far, and how it was closed. */
async function follow({ url }: Served, at = path, options: ClientOptions = { headers: owner }) {
  const socket = new WebSocket(url.replace('http', 'ws') + at, options)
  const client = {
    socket,
    // oxlint-disable-next-line typescript/no-explicit-any -- tests look where they expect something to be
    got: [] as any[],
    texts: [] as string[],
    code: 0,
    status: 0,
    refusal: '',
    cursors: () => client.got.map(({ cursor }) => cursor),
  }
  onTestFinished(() => socket.terminate())
  socket.on('message', (data: Buffer, isBinary) => {
    expect(isBinary).toBe(false)
    client.texts.push(data.toString())
    client.got.push(JSON.parse(data.toString()))
  })
  socket.on('error', () => {})
  socket.on('close', (code) => (client.code = code))
  await new Promise<void>((resolve) => {
    socket.on('open', () => resolve())
    socket.on('close', () => resolve())
    socket.on('unexpected-response', (_request, response) => {
      client.status = response.statusCode!
      response.on('data', (piece: Buffer) => (client.refusal += piece.toString()))
      response.on('end', () => resolve())
    })
  })
  return client
}

describe('a stream over a socket of its own', () => {
  test('tells in messages what the stream of server-sent events tells as data, and closes with 1000 after the last', async () => {
    const served = await serve()
    served.feed.push(event(1))
    const client = await follow(served)
    await until(() => client.got.length === 1)
    served.feed.push(event(2), lastEvent(3))
    await until(() => client.code > 0)
    expect(client.code).toBe(1000)
    const sse = await (await fetch(served.url + path, { headers: { ...owner, accept: 'text/event-stream' } })).text()
    expect(client.texts).toEqual([...sse.matchAll(/^data: (.*)$/gm)].map(([, data]) => data))
    await until(() => served.feed.open === 0)
  })

  test('resumes after a cursor, given as `after` or as Last-Event-ID', async () => {
    const served = await serve()
    served.feed.push(event(1), event(2), event(3), lastEvent(4))
    const byQuery = await follow(served, `${path}?after=c2`)
    const byHeader = await follow(served, path, { headers: { ...owner, 'last-event-id': 'c3' } })
    await until(() => byQuery.code > 0 && byHeader.code > 0)
    expect([byQuery.cursors(), byHeader.cursors()]).toEqual([['c3', 'c4'], ['c4']])
  })

  test.each(['/v1/events', `/v1/workflows/invoice/events`, `/v1/sessions/${ids.session}/events`, `${path}/`])('is at the address of each stream: %s', async (at) => {
    const served = await serve()
    served.feed.push(event(1))
    const client = await follow(served, at)
    await until(() => client.got.length === 1)
  })

  test('is refused in HTTP, as the stream of server-sent events is, before there is a socket', async () => {
    const served = await serve()
    for (const at of [
      '/v1/runs/00000000missing/events',
      '/v1/runs/nonsense/events',
      '/v1/runs/%ff/events',
      `${path}?where=nonsense`,
      `${path}?unknown=1`,
      '/v1/runs',
      '/v1/runs//events',
    ]) {
      const client = await follow(served, at)
      const answer = await served.ask('GET', at, undefined, { accept: 'text/event-stream', connection: 'close' })
      if (at !== '/v1/runs') expect([at, client.status, JSON.parse(client.refusal).error.code]).toEqual([at, answer.status, answer.body.error.code])
      else expect(client.status).toBe(404)
    }
    expect(served.feed.open).toBe(0)
  })

  test('a failure under way is the last message, before 1011, and its text stays in the log', async () => {
    const served = await serve()
    served.parts.feed.workspace = async () => breaking()
    async function* breaking() {
      yield [event(1)]
      throw new Error('10.0.0.7 went away')
    }
    const client = await follow(served, '/v1/events')
    await until(() => client.code > 0)
    expect(client.code).toBe(1011)
    expect(client.got).toMatchObject([{ type: 'run.resumed' }, { error: { code: 'internal' } }])
    expect(client.texts.join('')).not.toContain('10.0.0.7')
    expect(served.logged.join('')).toContain('10.0.0.7')
  })

  test.each([0, 1, 125, 126, 65_535, 65_536, 200_000])('a message is whole whatever its size: %i', async (size) => {
    const served = await serve()
    const events = ['x'.repeat(size), 'ä🌊'.repeat(size / 6)].map((text, index) => bigEvent(index + 1, text))
    served.feed.push(...events, lastEvent(3))
    const client = await follow(served)
    await until(() => client.code > 0)
    expect(client.got).toEqual([...events, lastEvent(3)])
    const bytes = messageBytes({ data: 'x'.repeat(size) })
    expect(bytes.length - size).toBe(size < 126 ? 2 : size < 65_536 ? 4 : 10)
  })
})

describe('who may follow over a socket', () => {
  test.each<[string, string, ClientOptions, number]>([
    ['nobody', '', {}, 401],
    ['a bad token', '', { headers: { authorization: 'Bearer x' } }, 401],
    ['a bad ticket', '?ticket=x', {}, 401],
    ['who promises to tell later', '?connectionParams=1', {}, 401],
    ['a page elsewhere, whatever it holds', '', { headers: owner, origin: 'https://evil.example' }, 403],
    ['a cookie of no page', '', { headers: { cookie: 'sluice_session=owner-token' } }, 401],
    ['a broken query', '?after=%ff', { headers: owner }, 400],
  ])('not %s', async (_what, query, options, status) => {
    const served = await serve()
    const client = await follow(served, path + query, options)
    expect(client.status).toBe(status)
    expect(served.feed.open).toBe(0)
  })

  test('a ticket, once; a key; a page of this machine with its cookie', async () => {
    const served = await serve()
    served.feed.push(lastEvent(1))
    const { ticket } = (await served.ask('POST', '/v1/auth/ticket')).body
    const cookie = { headers: { cookie: 'sluice_session=owner-token' }, origin: 'http://localhost:3000' }
    for (const [query, options] of [
      [`?ticket=${ticket}`, {}],
      ['', { headers: { 'x-api-key': 'sk_owner' } }],
      ['', cookie],
    ] as const) {
      const client = await follow(served, path + query, options)
      await until(() => client.code > 0)
      expect(client.cursors()).toEqual(['c1'])
    }
    expect((await follow(served, `${path}?ticket=${ticket}`, {})).status).toBe(401)
  })

  test('each upgrade counts like a request', async () => {
    const served = await serve({ config: { rateLimit: { api: 2 } } })
    served.feed.push(lastEvent(1))
    const statuses = []
    for (let attempt = 0; attempt < 4; attempt++) statuses.push((await follow(served)).status)
    expect(statuses).toEqual([0, 0, 429, 429])
  })

  test('it is closed within five seconds when the credential ends, and others go on', async () => {
    const served = await serve()
    const [own, other] = [await follow(served), await follow(served, path, { headers: { authorization: 'Bearer viewer-token' } })]
    await until(() => served.feed.open === 2)
    served.dead.add(ids.user)
    await until(() => own.code > 0)
    expect([own.code, other.code]).toEqual([4401, 0])
    await until(() => served.feed.open === 1)
  })

  test('it is closed with a code to come back by when the server leaves, and none is opened', async () => {
    const served = await serve()
    const client = await follow(served)
    served.server.drain()
    await until(() => client.code > 0)
    expect(client.code).toBe(1012)
    expect((await follow(served)).status).toBe(503)
  })
})

describe('what following over a socket may cost', () => {
  test('a reader that is too slow is closed, having cost little memory', async () => {
    const served = await serve({ socket: { stallMs: 300 } })
    const taken = flood(served)
    const client = await follow(served, '/v1/events')
    client.socket.pause()
    await until(() => taken.ended, 20_000)
    expect(taken.count * 64 * 1024).toBeLessThan(16 * 1024 * 1024)
    // Who is back soon hears why.
    client.socket.resume()
    await until(() => client.code > 0)
    expect(client.code).toBe(1013)
    // What was sent before it was too much came whole.
    expect(client.got.map(({ seq }) => seq)).toEqual(client.got.map((_, index) => index + 1))
  })

  test('a reader that keeps up gets everything, however much it is, and slowly the rest after the end', async () => {
    const served = await serve({ socket: { stallMs: 5_000 } })
    for (let seq = 1; seq < 400; seq++) served.feed.push(bigEvent(seq, 'x'.repeat(32 * 1024)))
    served.feed.push(lastEvent(400))
    const client = await follow(served)
    await until(() => client.got.length > 50)
    client.socket.pause()
    await sleep(1_500)
    client.socket.resume()
    await until(() => client.code > 0, 20_000)
    expect([client.got.length, client.code]).toEqual([400, 1000])
  })

  test('pings go between messages, and a peer that answers none is gone', async () => {
    const served = await serve({ socket: { pingMs: 50 } })
    const [deaf, well] = [await follow(served, path, { headers: owner, autoPong: false }), await follow(served)]
    await until(() => deaf.code > 0)
    let seq = 0
    for (const end = Date.now() + 300; Date.now() < end; await sleep(1)) served.feed.push(event(++seq))
    served.feed.push(lastEvent(++seq))
    await until(() => well.code > 0)
    expect([well.got.length, well.code]).toEqual([seq, 1000])
    await until(() => served.feed.open === 0)
  })

  test('who talks on and on is closed; a word now and then harms nobody', async () => {
    const served = await serve()
    const [talker, quiet] = [await follow(served), await follow(served)]
    quiet.socket.send('{"type":"ping"}')
    for (let round = 0; round < 30; round++) talker.socket.send('x')
    await until(() => talker.code > 0)
    expect([talker.code, quiet.code]).toEqual([1008, 0])
    served.feed.push(lastEvent(1))
    await until(() => quiet.code === 1000)
  })

  test('a message over 1 MiB closes it; the server lives', async () => {
    const served = await serve()
    const client = await follow(served)
    client.socket.send('x'.repeat(2 * 1024 * 1024))
    await until(() => client.code > 0)
    expect(client.code).toBe(1009)
    await until(() => served.feed.open === 0)
    expect((await served.ask('GET', '/health')).status).toBe(200)
  })

  test('who is refused and does not hang up is cut', async () => {
    const served = await serve()
    const socket = connect({ port: Number(new URL(served.url).port), host: '127.0.0.1', allowHalfOpen: true })
    onTestFinished(() => void socket.destroy())
    let closed = false
    let answer = ''
    socket.on('error', () => {})
    socket.on('close', () => (closed = true))
    socket.on('data', (piece) => (answer += piece.toString()))
    socket.write(upgrade('Bearer x'))
    // To a connection that is gone nothing can be written.
    await until(() => {
      socket.write('x')
      return closed
    })
    expect(answer).toMatch(/^HTTP\/1.1 401 /)
  })

  test('who breaks off in the middle of everything leaves nothing open', async () => {
    const served = await serve()
    served.feed.push(event(1))
    const slowly = served.parts.feed.run
    served.parts.feed.run = async (of, signal) => {
      await sleep(20)
      return slowly(of, signal)
    }
    for (let round = 0; round < 30; round++) {
      const socket = connect({ port: Number(new URL(served.url).port), host: '127.0.0.1' })
      socket.on('error', () => {})
      socket.write(upgrade('Bearer owner-token'))
      setTimeout(() => socket.destroy(), round * 2)
    }
    await sleep(300)
    await until(() => served.feed.open === 0)
    expect((await served.ask('GET', '/metrics')).text).toMatch(/streams\S*\{transport="websocket"\} 0/)
  })
})
