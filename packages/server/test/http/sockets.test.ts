import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, type ClientOptions } from 'ws'
import { event, ids, lastEvent } from '../rpc/toys.ts'
import { bigEvent, flood, serve, until, type Served } from './serve.ts'

const owner = { authorization: 'Bearer owner-token' }

/** A client that keeps what it got. */
async function open({ url }: Served, query = '', options: ClientOptions = { headers: owner }) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/trpc${query}`, options)
  const client = {
    socket,
    // oxlint-disable-next-line typescript/no-explicit-any -- tests look where they expect something to be
    got: [] as any[],
    code: 0,
    status: 0,
    opened: false,
    send: (message: unknown) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
  }
  onTestFinished(() => socket.terminate())
  socket.on('message', (data: Buffer) => client.got.push(JSON.parse(data.toString())))
  socket.on('error', () => {})
  socket.on('close', (code) => (client.code = code))
  await new Promise<void>((resolve) => {
    socket.on('open', () => {
      client.opened = true
      resolve()
    })
    socket.on('unexpected-response', (_request, response) => {
      client.status = response.statusCode!
      response.resume()
      resolve()
    })
    socket.on('close', () => resolve())
  })
  return client
}

const query = (id: number, path: string, input?: unknown) => ({ id, method: 'query', params: { path, input } })
const subscribe = (id: number, input: unknown = {}, lastEventId?: string) => ({ id, method: 'subscription', params: { path: 'events.subscribe', input, lastEventId } })

describe('a socket', () => {
  test('answers calls, several in one message, and tells faults as HTTP does', async () => {
    const client = await open(await serve())
    client.send([query(1, 'auth.me'), query(2, 'runs.get', { id: 'x' }), query(3, 'no.such')])
    await until(() => client.got.length === 3)
    const byId = Object.fromEntries(client.got.map((message) => [message.id, message]))
    expect(byId[1].result.data.user.name).toBe('Ada')
    expect(byId[2].error.data).toMatchObject({ code: 'input_invalid', status: 400 })
    expect(byId[3].error.data).toMatchObject({ code: 'route_missing', status: 404 })
  })

  test('follows events under their cursors, resumes after the last one that is known, and ends with the run', async () => {
    const served = await serve()
    served.feed.push(event(1), event(2))
    const client = await open(served)
    client.send(subscribe(1, { runId: ids.run }, 'c1'))
    await until(() => client.got.length === 2)
    served.feed.push(lastEvent(3))
    await until(() => client.got.length === 4)
    expect(client.got.map(({ result }) => [result.type, result.id])).toEqual([
      ['started', undefined],
      ['data', 'c2'],
      ['data', 'c3'],
      ['stopped', undefined],
    ])
  })

  test('stops a subscription when asked, and all when it closes', async () => {
    const served = await serve()
    const client = await open(served)
    client.send(subscribe(1))
    client.send(subscribe(2))
    await until(() => served.feed.open === 2)
    client.send({ id: 1, method: 'subscription.stop' })
    await until(() => served.feed.open === 1)
    client.socket.close()
    await until(() => served.feed.open === 0)
  })
})

describe('who may open a socket', () => {
  test.each<[string, string, ClientOptions, number]>([
    ['nobody', '', {}, 401],
    ['a bad token', '', { headers: { authorization: 'Bearer x' } }, 401],
    ['a bad ticket', '?ticket=x', {}, 401],
    ['a page elsewhere, whatever it holds', '', { headers: owner, origin: 'https://evil.example' }, 403],
    ['a page of nowhere', '', { headers: owner, origin: 'null' }, 403],
    ['a cookie of a page elsewhere', '', { headers: { cookie: 'sluice_session=owner-token' }, origin: 'https://evil.example' }, 403],
    ['a cookie of no page', '', { headers: { cookie: 'sluice_session=owner-token' } }, 401],
    ['another address', '/runs.get', { headers: owner }, 404],
    ['a broken query', '?ticket=%ff', { headers: owner }, 400],
  ])('not %s', async (_what, at, options, status) => {
    const served = await serve()
    const client = await open(served, at, options)
    expect([client.opened, client.status]).toEqual([false, status])
    expect((await served.ask('GET', '/health')).status).toBe(200)
  })

  test('who tries again and again: upgrades are counted by address', async () => {
    const served = await serve({ config: { rateLimit: { api: 3 } } })
    const statuses = []
    for (let attempt = 0; attempt < 5; attempt++) statuses.push((await open(served, '', { headers: { authorization: `Bearer guess${attempt}` } })).status)
    expect(statuses).toEqual([401, 401, 401, 429, 429])
  })

  test('a page of this machine with its cookie', async () => {
    expect((await open(await serve(), '', { headers: { cookie: 'sluice_session=owner-token' }, origin: 'http://localhost:3000' })).opened).toBe(true)
  })

  test('a ticket, once', async () => {
    const served = await serve()
    const { ticket } = (await served.ask('POST', '/v1/auth/ticket')).body
    expect((await open(served, `?ticket=${ticket}`, {})).opened).toBe(true)
    expect((await open(served, `?ticket=${ticket}`, {})).status).toBe(401)
  })

  test('who says it in the first message: token, key or ticket', async () => {
    const served = await serve()
    const { ticket } = (await served.ask('POST', '/v1/auth/ticket')).body
    for (const data of [{ token: 'owner-token' }, { apiKey: 'sk_owner' }, { ticket }]) {
      const client = await open(served, '?connectionParams=1', {})
      client.send({ method: 'connectionParams', data })
      client.send(query(1, 'auth.me'))
      await until(() => client.got.length === 1)
      expect(client.got[0].result.data.user.name).toBe('Ada')
    }
    for (const data of [{ token: 'x' }, {}, null, { token: 1 }, 'nonsense']) {
      const client = await open(served, '?connectionParams=1', {})
      client.send({ method: 'connectionParams', data })
      client.send(query(1, 'auth.me'))
      await until(() => client.code > 0)
      expect(JSON.stringify(client.got)).not.toContain('Ada')
    }
  })

  test('it is closed within five seconds when the credential ends', async () => {
    const served = await serve()
    const client = await open(served)
    client.send(subscribe(1))
    await until(() => served.feed.open === 1)
    served.dead.add(ids.user)
    await until(() => client.code > 0)
    expect(client.code).toBe(4401)
    await until(() => served.feed.open === 0)
  })

  test('it is closed with a code to come back by when the server leaves', async () => {
    const served = await serve()
    const client = await open(served)
    client.send(query(1, 'auth.me'))
    await until(() => client.got.length === 1)
    served.server.drain()
    await until(() => client.code > 0)
    expect(client.code).toBe(1012)
  })
})

describe('what a socket may cost', () => {
  test('a message over 1 MiB closes it; the server lives', async () => {
    const served = await serve()
    const client = await open(served)
    client.send(query(1, 'runs.get', { id: 'x'.repeat(2 * 1024 * 1024) }))
    await until(() => client.code > 0)
    expect(client.code).toBe(1009)
    expect((await served.ask('GET', '/health')).status).toBe(200)
  })

  test('a batch of more than ten is refused, one by one', async () => {
    const served = await serve()
    const client = await open(served)
    client.send(Array.from({ length: 11 }, (_, id) => query(id, 'auth.me')))
    await until(() => client.got.length === 11)
    expect(client.got.every(({ error }) => error.data.code === 'input_invalid')).toBe(true)
    expect(served.calls.filter(({ name }) => name === 'access.me')).toEqual([])
  })

  test.each([
    'nonsense',
    '{}',
    '[]',
    'null',
    '{"id":1}',
    '{"id":{},"method":"query"}',
    '{"id":1,"method":"query","params":{"path":"__proto__"}}',
    '{"id":1,"method":"query","params":{"path":"auth.me","input":{"__proto__":{"a":1}}}}',
    '{"id":1,"method":"query","params":{"path":"runs.get","input":{"id":"\\u0000"}}}',
    `{"id":1,"method":"query","params":${'['.repeat(100)}${']'.repeat(100)}}`,
  ])('a message that is none is answered or passed over: %s', async (message) => {
    const served = await serve()
    const client = await open(served)
    client.send(message)
    client.send(query(99, 'auth.me'))
    await until(() => client.got.some(({ id }) => id === 99))
    expect(client.got.filter(({ error }) => error).every(({ error }) => error.data.status < 500)).toBe(true)
  })

  test('who sends nonsense again and again is closed', async () => {
    const client = await open(await serve())
    for (let round = 0; round < 50; round++) client.send('nonsense')
    await until(() => client.code > 0)
    expect(client.code).toBe(1008)
  })

  test('a binary message is refused', async () => {
    const client = await open(await serve())
    client.socket.send(Buffer.from(JSON.stringify(query(1, 'auth.me'))), { binary: true })
    await until(() => client.got.length === 1)
    expect(client.got[0].error.data.code).toBe('media_unsupported')
  })

  test('a flood of calls runs a few at once, in order of arrival, and is all answered', async () => {
    const served = await serve()
    let inside = 0
    let most = 0
    served.parts.access.me = async () => {
      most = Math.max(most, ++inside)
      await sleep(1)
      inside--
      throw new Error('a bug')
    }
    const client = await open(served)
    for (let id = 0; id < 2_000; id++) client.send(query(id, 'auth.me'))
    await until(() => client.got.length === 2_000, 20_000)
    expect(most).toBeLessThanOrEqual(16)
    expect((await served.ask('GET', '/health')).status).toBe(200)
  })

  test('each message counts like a request, and so does the upgrade', async () => {
    const served = await serve({ config: { rateLimit: { api: 5 } } })
    const client = await open(served)
    for (let id = 0; id < 8; id++) client.send(query(id, 'auth.me'))
    await until(() => client.got.length === 8)
    expect(client.got.filter(({ error }) => error?.data.code === 'rate_limited')).toHaveLength(4)
    expect((await served.ask('GET', '/v1/auth/me')).status).toBe(429)
  })

  test('a reader that is too slow is closed, having cost little memory', async () => {
    const served = await serve({ socket: { stallMs: 300 } })
    const taken = flood(served)
    const client = await open(served)
    client.socket.pause()
    client.send(subscribe(1))
    await expect.poll(async () => (await served.ask('GET', '/metrics')).text, { timeout: 20_000 }).toContain('sluice_readers_dropped_total{transport="websocket"} 1\n')
    expect(taken.count * 64 * 1024).toBeLessThan(16 * 1024 * 1024)
    // Who is back soon hears why.
    client.socket.resume()
    await until(() => client.code > 0)
    expect(client.code).toBe(1013)
    await until(() => taken.ended)
  })

  test('a reader that keeps up gets everything, however much it is', async () => {
    const served = await serve({ socket: { stallMs: 500 } })
    for (let seq = 1; seq < 400; seq++) served.feed.push(bigEvent(seq, 'x'.repeat(32 * 1024)))
    served.feed.push(lastEvent(400))
    const client = await open(served)
    client.send(subscribe(1, { runId: ids.run }))
    await until(() => client.got.at(-1)?.result.type === 'stopped', 20_000)
    expect(client.got).toHaveLength(402)
  })

  test('a peer that answers no ping is gone', async () => {
    const served = await serve({ socket: { pingMs: 50 } })
    const client = await open(served, '', { headers: owner, autoPong: false })
    client.send(subscribe(1))
    await until(() => client.code > 0)
    await until(() => served.feed.open === 0)
  })

  test('a client that breaks off in the middle of everything harms nobody', async () => {
    const served = await serve()
    for (let round = 0; round < 30; round++) {
      const client = new WebSocket(`${served.url.replace('http', 'ws')}/trpc`, { headers: owner })
      client.on('error', () => {})
      if (round % 3 === 0) client.terminate()
      else if (round % 3 === 1) client.on('open', () => client.terminate())
      else
        client.on('open', () => {
          client.send(JSON.stringify(subscribe(1)))
          client.terminate()
        })
    }
    await sleep(300)
    await until(() => served.feed.open === 0)
    expect((await served.ask('GET', '/health')).status).toBe(200)
  })
})
