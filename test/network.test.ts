import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { testDatabase } from './support/database.ts'
import { deadline } from './support/deadline.ts'
import { flow, values } from './support/flow.ts'
import { endAll, here, start } from './support/processes.ts'
import { admin, callerOf, type Served, testServer } from './support/server.ts'

afterEach(endAll)

const page = 'https://app.example.com'
const list = (header: string | null): string[] => (header ?? '').split(',').map((each) => each.trim().toLowerCase())

test('SLUICE_CORS_ORIGINS: a page of an origin on the list may do all that the SDK does, and read what it reads; no other page may', async () => {
  await using server = await testServer({ SLUICE_CORS_ORIGINS: `${page},https://two.example.com:8443`, SLUICE_RATE_LIMIT: 'api=1000' })
  const preflight = (origin: string, method: string, headers: string) =>
    fetch(`${server.url}/v1/runs`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': headers } })
  const sent = ['authorization', 'x-api-key', 'content-type', 'idempotency-key', 'last-event-id', 'traceparent', 'x-request-id', 'range']
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const { status, headers } = await preflight(page, method, sent.join(','))
    expect([status, headers.get('access-control-allow-origin'), headers.get('access-control-allow-credentials')]).toEqual([204, page, 'true'])
    expect(list(headers.get('access-control-allow-methods'))).toContain(method.toLowerCase())
    expect(list(headers.get('access-control-allow-headers'))).toEqual(expect.arrayContaining(sent))
  }
  const strangers = ['https://evil.example.com', 'http://app.example.com', `${page}:444`, `${page}.evil.com`, 'https://sub.app.example.com', 'http://localhost:3000', 'null']
  for (const origin of strangers) {
    const { headers } = await preflight(origin, 'POST', 'authorization')
    expect([origin, headers.get('access-control-allow-origin'), headers.get('access-control-allow-headers')]).toEqual([origin, null, null])
  }

  const get = (path: string, origin: string, more: Record<string, string> = {}) =>
    fetch(server.url + path, { headers: { origin, authorization: `Bearer ${server.token}`, ...more } })
  const read = ['x-request-id', 'x-sluice-session', 'retry-after', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'content-disposition']
  const run = await server.start(await server.workflow(flow({ v: values({ a: 1 }) })))
  const replies = [
    await get('/v1/runs', page),
    await get('/v1/nothing-here', page),
    await get('/v1/runs', page, { authorization: 'Bearer wrong' }),
    await get(`/v1/runs/${run.id}/events`, page, { accept: 'text/event-stream' }),
    await get('/trpc/auth.me', page),
  ]
  expect(replies.map(({ status }) => status)).toEqual([200, 404, 401, 200, 200])
  for (const { headers, body } of replies) {
    expect([headers.get('access-control-allow-origin'), headers.get('vary')]).toEqual([page, 'Origin'])
    expect(list(headers.get('access-control-expose-headers'))).toEqual(expect.arrayContaining(read))
    await body?.cancel()
  }
  const foreign = await get('/v1/runs', 'https://evil.example.com')
  expect([foreign.status, foreign.headers.get('access-control-allow-origin')]).toEqual([200, null])
})

async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => void server.close(resolve))
  return String(port)
}

test('SLUICE_PUBLIC_URL: the server is announced and described there; its pages may use cookies and open sockets, those of others may not', async () => {
  await using db = await testDatabase()
  const port = await freePort()
  const program = start([here('../../packages/server/src/main.ts')], {
    SLUICE_DATABASE_URL: db.url,
    SLUICE_PORT: port,
    SLUICE_SECRET: 'a secret of this one server, and long',
    SLUICE_ADMIN_PASSWORD: admin.password,
    SLUICE_LOG_LEVEL: 'error',
    SLUICE_PUBLIC_URL: 'https://sluice.example.com/base/',
    SLUICE_CORS_ORIGINS: page,
  })
  await program.says(/^Sluice is ready at https:\/\/sluice\.example\.com\/base$/m)
  const url = `http://127.0.0.1:${port}`
  const { token } = await callerOf(url, '').call<{ token: string }>('POST', '/v1/auth/login', admin)

  const described = (await (await fetch(`${url}/openapi/sluice.json`)).json()) as { servers: object[] }
  expect(described.servers).toEqual([{ url: 'https://sluice.example.com/base' }, { url: '/base' }])

  const own = 'https://sluice.example.com'
  const withCookie = async (origin: string) => (await fetch(`${url}/v1/auth/me`, { headers: { origin, cookie: `sluice_session=${token}` } })).status
  expect([await withCookie(own), await withCookie(page), await withCookie('https://evil.example.com')]).toEqual([200, 200, 401])
  const cors = async (origin: string) => (await fetch(`${url}/v1/auth/me`, { headers: { origin } })).headers.get('access-control-allow-origin')
  expect([await cors(own), await cors('https://evil.example.com')]).toEqual([own, null])
  const upgrade = (origin: string) =>
    deadline<string>(`the upgrade of ${origin}`, (done) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/trpc`, { origin, headers: { authorization: `Bearer ${token}` } })
      socket.on('open', () => done('open'))
      socket.on('error', ({ message }) => done(message))
      return () => socket.terminate()
    })
  expect([await upgrade(own), await upgrade('https://evil.example.com')]).toEqual(['open', 'Unexpected server response: 403'])
}, 60_000)

/** As behind a proxy that says for whom it speaks. */
const forwarded = (client: string, proto = 'https') => ({ 'x-forwarded-for': client, 'x-forwarded-proto': proto })

const statusOfLogin = async (server: Served, headers: Record<string, string>, password = 'wrong'): Promise<number> =>
  (
    await fetch(`${server.url}/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ email: admin.email, password }),
    })
  ).status

/** The addresses in the audit log, newest first. */
async function addresses(server: Served, action: string): Promise<string[]> {
  const { items } = await server.call<{ items: { ip: string }[] }>('GET', `/v1/audit?action=${action}`)
  return items.map(({ ip }) => ip)
}

/** Makes a key over a socket that was opened with these headers. */
async function keyOverSocket(server: Served, name: string, headers: Record<string, string>): Promise<void> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/trpc`, { headers: { authorization: `Bearer ${server.token}`, ...headers } })
  try {
    await deadline<void>(`the answer to ${name}`, (done, fail) => {
      socket.on('error', fail)
      socket.on('open', () => socket.send(JSON.stringify({ id: 1, method: 'mutation', params: { path: 'keys.create', input: { name } } })))
      socket.on('message', (data: Buffer) => (data.toString().includes('"secret"') ? done() : fail(new Error(data.toString()))))
      return () => {}
    })
  } finally {
    socket.terminate()
  }
}

test('SLUICE_TRUST_PROXY: the client behind a trusted proxy is who the audit log names and whose logins are counted, over HTTP and over sockets', async () => {
  await using server = await testServer({ SLUICE_TRUST_PROXY: '127.0.0.0/8,10.0.0.0/8', SLUICE_RATE_LIMIT: 'api=100000' })
  await server.call('POST', '/v1/keys', { name: 'one' }, { headers: forwarded('203.0.113.7') })
  // The nearest address that is no proxy of ours: what stands before it, anybody may have written.
  await server.call('POST', '/v1/keys', { name: 'two' }, { headers: forwarded('198.51.100.1, 203.0.113.8, 10.1.2.3') })
  await server.call('POST', '/v1/keys', { name: 'three' }, { headers: forwarded('2001:db8::7') })
  await server.call('POST', '/v1/keys', { name: 'four' }, { headers: forwarded('nonsense') })
  await keyOverSocket(server, 'five', forwarded('203.0.113.9'))
  await keyOverSocket(server, 'six', forwarded('198.51.100.1, 203.0.113.10, 10.1.2.3'))
  expect((await addresses(server, 'keys.create')).reverse()).toEqual(['203.0.113.7', '203.0.113.8', '2001:db8::7', '127.0.0.1', '203.0.113.9', '203.0.113.10'])

  const tries = (client: string, times: number) => Promise.all(Array.from({ length: times }, () => statusOfLogin(server, forwarded(client))))
  expect((await tries('203.0.113.20', 12)).filter((status) => status === 429).length).toBeGreaterThan(0)
  expect(await statusOfLogin(server, forwarded('203.0.113.20'), admin.password)).toBe(429)
  expect(await statusOfLogin(server, forwarded('203.0.113.21'), admin.password)).toBe(200)
})

test('without it, and from who is no trusted proxy, such headers are nobody’s word', async () => {
  for (const SLUICE_TRUST_PROXY of ['false', '10.0.0.0/8', '0']) {
    await using server = await testServer({ SLUICE_TRUST_PROXY, SLUICE_RATE_LIMIT: 'api=100000' })
    await server.call('POST', '/v1/keys', { name: 'one' }, { headers: forwarded('203.0.113.7') })
    await keyOverSocket(server, 'two', forwarded('203.0.113.7'))
    expect(await addresses(server, 'keys.create')).toEqual(['127.0.0.1', '127.0.0.1'])
    const statuses = await Promise.all(Array.from({ length: 12 }, (_, at) => statusOfLogin(server, forwarded(`203.0.113.${at}`))))
    expect(statuses).toContain(429)
  }
})

test('SLUICE_TRUST_PROXY as a number believes so many proxies', async () => {
  await using server = await testServer({ SLUICE_TRUST_PROXY: '2' })
  await server.call('POST', '/v1/keys', { name: 'one' }, { headers: forwarded('198.51.100.1, 203.0.113.7, 192.0.2.1') })
  await keyOverSocket(server, 'two', forwarded('198.51.100.1, 203.0.113.7, 192.0.2.1'))
  expect(await addresses(server, 'keys.create')).toEqual(['203.0.113.7', '203.0.113.7'])
})

test('SLUICE_RATE_LIMIT: the limit that is set is the one that holds, on all servers together; off means none', async () => {
  await using server = await testServer({ SLUICE_RATE_LIMIT: 'api=20' })
  const other = await server.another()
  const get = (url: string) => fetch(`${url}/v1/auth/me`, { headers: { authorization: `Bearer ${server.token}` } })
  const first = await get(server.url)
  expect([first.status, first.headers.get('x-ratelimit-limit')]).toEqual([200, '20'])
  const replies = await Promise.all(Array.from({ length: 40 }, (_, at) => get(at % 2 === 0 ? server.url : other.url)))
  expect(replies.filter(({ status }) => status === 200).length).toBeLessThan(20)
  const over = replies.find(({ status }) => status === 429)!
  expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)

  await using free = await testServer({ SLUICE_RATE_LIMIT: 'off' })
  const reply = await fetch(`${free.url}/v1/auth/me`, { headers: { authorization: `Bearer ${free.token}` } })
  expect([reply.status, reply.headers.get('x-ratelimit-limit')]).toEqual([200, null])
})
