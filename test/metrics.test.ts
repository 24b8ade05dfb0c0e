import { request } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { testDatabase } from './support/database.ts'
import { deadline } from './support/deadline.ts'
import { approval, flow, post, values } from './support/flow.ts'
import { endAll, eventually, here, start } from './support/processes.ts'
import { admin, callerOf, testServer } from './support/server.ts'

afterEach(endAll)

/** The value of a series, by its name and labels as they are shown; 0 while there is none. */
async function series(url: string, token?: string): Promise<{ text: string; of(name: string): number }> {
  const response = await fetch(`${url}/metrics`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const text = await response.text()
  return {
    text,
    of: (name) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.slice(name.length + 1) ?? 0,
      ),
  }
}

test('runs, steps, calls and commits are counted where they happen: each server counts its own, and worker and API are told apart', async () => {
  await using api = await testServer({ SLUICE_ROLE: 'api' })
  const worker = await api.another({ SLUICE_ROLE: 'worker' })
  const { toy } = api
  const good = await api.workflow(flow({ v: values({ a: 1 }), c: post(`${toy.url}/ok/c`) }, ['v > c']), 'Good')
  for (const _ of [1, 2]) expect((await api.wait(await api.start(good))).status).toBe('completed')
  const retried = post(`${toy.url}/fail/1/f`, { settings: { retry: { maxAttempts: 2, backoffMs: 1 } } })
  const bad = await api.run(flow({ f: retried, r: post(`${toy.url}/refuse/r`) }, ['f > r']))
  expect(bad.status).toBe('failed')
  // A trial counts among the steps and not among the runs.
  await api.call('POST', `/v1/workflows/${good.id}/nodes/v/try`, {})

  const served = await series(api.url)
  const worked = await series(worker.url)
  expect([served.of('sluice_runs_started_total'), worked.of('sluice_runs_started_total')]).toEqual([3, 0])
  expect([served.of('sluice_runs_ended_total{status="completed"}'), worked.of('sluice_runs_ended_total{status="completed"}')]).toEqual([0, 2])
  expect(worked.of('sluice_runs_ended_total{status="failed"}')).toBe(1)
  expect(worked.of('sluice_steps_total{type="static-value",outcome="completed"}')).toBe(3)
  expect(worked.of('sluice_steps_total{type="http-request",outcome="completed"}')).toBe(3)
  expect(worked.of('sluice_steps_total{type="http-request",outcome="retrying"}')).toBe(1)
  expect(worked.of('sluice_steps_total{type="http-request",outcome="failed"}')).toBe(1)
  expect(worked.of('sluice_step_duration_seconds_count{type="http-request"}')).toBe(5)
  expect([
    worked.of('sluice_outgoing_requests_total{outcome="2xx"}'),
    worked.of('sluice_outgoing_requests_total{outcome="5xx"}'),
    worked.of('sluice_outgoing_requests_total{outcome="4xx"}'),
  ]).toEqual([3, 1, 1])
  expect(worked.of('sluice_commit_batch_size_count')).toBeGreaterThan(0)
  expect(worked.of('sluice_commit_duration_seconds_count')).toBe(worked.of('sluice_commit_batch_size_count'))
  expect(worked.of('sluice_database_connections{state="idle"}') + worked.of('sluice_database_connections{state="busy"}')).toBeGreaterThan(0)
  expect(served.of('sluice_http_requests_total{method="POST",route="/v1/runs",status="201"}')).toBe(3)
  expect(served.of('process_resident_memory_bytes')).toBeGreaterThan(1_000_000)
})

test('labels are route templates, never what a caller wrote; nothing shown holds an id, a name or a credential', async () => {
  await using server = await testServer()
  const workflow = await server.workflow(flow({ v: values({ a: 'payload-kept' }) }), 'Name-kept')
  const run = await server.wait(await server.start(workflow))
  await server.call('GET', `/v1/runs/${run.id}/steps`)
  await server.call('GET', '/trpc/auth.me')
  for (const path of ['/v1/path-kept', `/v1/runs/${run.id}/nothing`, '/%E0%A4%A', '/v1/runs?q=query-kept']) await fetch(server.url + path)
  await fetch(`${server.url}/v1/runs`, { method: 'PROPFIND' }).catch(() => null)
  const { text, of } = await series(server.url)
  expect(of('sluice_http_requests_total{method="GET",route="/v1/runs/{id}/steps",status="200"}')).toBe(1)
  expect(of('sluice_http_requests_total{method="GET",route="/trpc/{path}",status="200"}')).toBe(1)
  expect(
    of('sluice_http_requests_total{method="GET",route="unmatched",status="401"}') + of('sluice_http_requests_total{method="GET",route="unmatched",status="404"}'),
  ).toBeGreaterThanOrEqual(2)
  for (const kept of [run.id, workflow.id, 'Name-kept', 'payload-kept', 'path-kept', 'query-kept', server.token, admin.password]) expect(text).not.toContain(kept)
})

test('a thousand paths, procedures and methods that somebody makes up add no more series than the first few did', async () => {
  await using server = await testServer()
  const tryAll = async (from: number): Promise<void> => {
    for (let n = from; n < from + 100; n++)
      await Promise.all(
        [
          ['GET', `/${n}`],
          ['GET', `/v1/${n}`],
          ['GET', `/v1/runs/${n}`],
          ['POST', `/v1/runs/${n}/${n}`],
          ['GET', `/docs/${n}.js`],
          ['GET', `/trpc/made${n}.up`],
          ['GET', `/trpc/runs.get,made${n}.up?batch=1`],
          ['PROPFIND', `/v1/runs/${n}`],
          ['LINK', `/metrics/${n}`],
          ['M-SEARCH', `/${n}`],
        ].map(([method = '', path = '']) => fetch(server.url + path, { method, headers: { authorization: `Bearer ${server.token}` } }).then((answer) => answer.text())),
      )
  }
  const linesOf = async (): Promise<number> => (await series(server.url)).text.split('\n').filter((line) => line.startsWith('sluice_')).length
  // To look is a request, too.
  await linesOf()
  await tryAll(0)
  const first = await linesOf()
  await tryAll(100)
  expect(await linesOf()).toBe(first)
})

test('open streams and sockets are shown while they are open, and no longer', async () => {
  await using server = await testServer()
  const run = await server.wait(await server.start(await server.workflow(flow({ a: approval() }))), 'parked')
  const open = async (transport: string): Promise<number> => (await series(server.url)).of(`sluice_streams_open{transport="${transport}"}`)
  expect([await open('sse'), await open('websocket')]).toEqual([0, 0])

  const gone = new AbortController()
  const stream = await fetch(`${server.url}/v1/runs/${run.id}/events`, { headers: { authorization: `Bearer ${server.token}`, accept: 'text/event-stream' }, signal: gone.signal })
  expect(stream.status).toBe(200)
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/trpc`, { headers: { authorization: `Bearer ${server.token}` } })
  await deadline<void>('the socket', (done, fail) => void socket.on('open', () => done()).on('error', fail))
  socket.send(JSON.stringify({ id: 1, method: 'query', params: { path: 'auth.me' } }))
  await eventually('both are counted', async () => (await open('sse')) === 1 && (await open('websocket')) === 1)
  gone.abort()
  socket.close()
  await eventually('neither is counted', async () => (await open('sse')) === 0 && (await open('websocket')) === 0)
  // A stream is a request, and its length is no duration of an answer.
  const { of } = await series(server.url)
  expect(of('sluice_http_requests_total{method="GET",route="/v1/runs/{id}/events",status="200"}')).toBeGreaterThanOrEqual(1)
  expect(of('sluice_http_request_duration_seconds_count{method="GET",route="/v1/runs/{id}/events"}')).toBe(0)
})

const statusOf = async (url: string, headers: Record<string, string> = {}): Promise<number> =>
  // Not `fetch`, which sets Host itself.
  new Promise((resolve, reject) =>
    request(`${url}/metrics`, { headers }, (reply) => resolve(reply.resume().statusCode!))
      .on('error', reject)
      .end(),
  )

test('without a token metrics are open on this machine alone: not through a proxy, not to pages of elsewhere', async () => {
  await using server = await testServer()
  expect(await statusOf(server.url)).toBe(200)
  const strangers: Record<string, string>[] = [
    { 'x-forwarded-for': '203.0.113.7' },
    { forwarded: 'for=203.0.113.7' },
    { via: '1.1 proxy' },
    { 'x-forwarded-proto': 'https' },
    { 'x-real-ip': '203.0.113.7' },
    { origin: 'https://evil.example.com' },
    { host: 'evil.example.com' },
    { 'sec-fetch-site': 'cross-site' },
  ]
  for (const headers of strangers) expect([headers, await statusOf(server.url, headers)]).toEqual([headers, 403])
  expect(await statusOf(server.url, { 'x-forwarded-for': '203.0.113.7', authorization: `Bearer ${server.token}` })).toBe(403)

  const reachable: Record<string, string>[] = [{ SLUICE_TRUST_PROXY: '10.0.0.0/8' }, { SLUICE_HOST: '0.0.0.0' }]
  for (const settings of reachable) {
    await using closed = await testServer(settings)
    expect([settings, await statusOf(closed.url.replace('localhost', '127.0.0.1'))]).toEqual([settings, 403])
  }
})

test('with SLUICE_METRICS_TOKEN its bearer reads them from anywhere, on every role, and nobody else does', async () => {
  const token = 'shown-by-prometheus'
  await using server = await testServer({ SLUICE_METRICS_TOKEN: token, SLUICE_TRUST_PROXY: 'true' })
  const worker = await server.another({ SLUICE_ROLE: 'worker' })
  for (const { url } of [server, worker]) {
    expect(await statusOf(url, { authorization: `Bearer ${token}`, 'x-forwarded-for': '203.0.113.7' })).toBe(200)
    expect(await statusOf(url)).toBe(401)
    expect(await statusOf(url, { authorization: `Bearer ${token}x` })).toBe(401)
    expect(await statusOf(url, { authorization: `Bearer ${server.token}` })).toBe(401)
  }
  expect((await series(server.url, token)).text).not.toContain(token)
})

test('they are shown while PostgreSQL is away', async () => {
  const db = await testDatabase()
  const program = start([here('../../packages/server/src/main.ts')], {
    SLUICE_DATABASE_URL: db.url,
    SLUICE_PORT: '0',
    SLUICE_SECRET: 'a secret of this one server, and long',
    SLUICE_ADMIN_PASSWORD: admin.password,
    SLUICE_LOG_LEVEL: 'silent',
  })
  const [, url] = await program.says(/^Sluice is ready at (http:\S+)$/m)
  await callerOf(url!, '').call('POST', '/v1/auth/login', admin)
  await db.close()
  await eventually('the server notices', async () => (await fetch(`${url}/ready`)).status === 503)
  expect((await series(url!)).of('sluice_http_requests_total{method="POST",route="/v1/auth/login",status="200"}')).toBe(1)
}, 60_000)
