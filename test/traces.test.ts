import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { testDatabase, type TestDatabase } from './support/database.ts'
import { flow, post, subworkflow, values } from './support/flow.ts'
import { traceReceiver, type ToldSpan, type TraceReceiver } from './support/otlp.ts'
import { endAll, eventually, here, start, type Program } from './support/processes.ts'
import { admin, callerOf, type Caller, testServer } from './support/server.ts'
import { toyService, type ToyService } from './support/toy-service.ts'

const main = here('../../packages/server/src/main.ts')
afterEach(endAll)

const traceId = '0af7651916cd43dd8448eb211c80319c'
const above = 'b7ad6b7169203331'
const incoming = `00-${traceId}-${above}-01`
const kinds = { internal: 1, server: 2, client: 3 }

interface Outdoors extends AsyncDisposable {
  db: TestDatabase
  toy: ToyService
  collector: TraceReceiver
  /** A server of its own process. What it tells waits for its end, unless the settings say otherwise. */
  serve(settings?: Record<string, string>): Promise<{ program: Program; url: string; caller: Caller }>
}

async function outdoors(): Promise<Outdoors> {
  const [db, toy, collector] = await Promise.all([testDatabase(), toyService(), traceReceiver()])
  return {
    db,
    toy,
    collector,
    async serve(settings = {}) {
      const program = start([main], {
        SLUICE_DATABASE_URL: db.url,
        SLUICE_PORT: '0',
        SLUICE_SECRET: 'a secret that the servers of a test share',
        SLUICE_ADMIN_PASSWORD: admin.password,
        SLUICE_HTTP_ALLOW: toy.host,
        SLUICE_LOG_LEVEL: 'warn',
        OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=sluice%20test',
        OTEL_BSP_SCHEDULE_DELAY: '60000',
        ...settings,
      })
      const [, url] = await program.says(/^Sluice is ready at (http:\S+)$/m)
      const serves = settings['SLUICE_ROLE'] !== 'worker'
      const { token } = serves ? await callerOf(url!, '').call<{ token: string }>('POST', '/v1/auth/login', admin) : { token: '' }
      return { program, url: url!, caller: callerOf(url!, token) }
    },
    async [Symbol.asyncDispose]() {
      endAll()
      await Promise.all([toy[Symbol.asyncDispose](), collector[Symbol.asyncDispose]()])
      await db.close()
    },
  }
}

async function leave(program: Program): Promise<void> {
  program.kill('SIGTERM')
  expect(await program.ended).toBe(0)
}

/** Of the trace that came in, each by what it is under: one tree, or it throws. */
function treeOf(spans: readonly ToldSpan[], top = above): object {
  const mine = spans.filter((span) => span.traceId === traceId)
  const under = (parent: string): object =>
    Object.fromEntries(
      mine
        .filter((span) => span.parentSpanId === parent)
        .sort((a, b) => a.start - b.start || a.name.localeCompare(b.name))
        .map((span) => [`${span.name}${span.attributes['sluice.step'] === undefined ? '' : ` ${span.attributes['sluice.step']}`}`, under(span.spanId)]),
    )
  const orphans = mine.filter((span) => span.parentSpanId !== top && !mine.some(({ spanId }) => spanId === span.parentSpanId))
  expect(orphans).toEqual([])
  expect(new Set(mine.map(({ spanId }) => spanId)).size).toBe(mine.length)
  return under(top)
}

const tree = {
  'POST /v1/runs': {
    run: {
      'step static-value v': {},
      'step http-request call': { POST: {} },
      'step subworkflow child': { run: { 'step http-request inner': { POST: {} } } },
    },
  },
}

async function startTraced(caller: Caller, toy: ToyService): Promise<string> {
  const inner = await caller.workflow(flow({ inner: post(`${toy.url}/ok/inner`) }), 'Inner')
  const outer = await caller.workflow(
    flow({ v: values({ payload: 'kept-to-itself' }), call: post(`${toy.url}/ok/outer?token=querysecret`, { body: { x: 'bodysecret' } }), child: subworkflow(inner.id) }, [
      'v > call > child',
    ]),
    'Outer',
  )
  const run = await caller.call<{ id: string }>('POST', '/v1/runs', { workflow: outer.id, tags: ['t'] }, { headers: { traceparent: incoming } })
  expect((await caller.wait(run)).status).toBe('completed')
  return run.id
}

test('request, run, steps and outgoing calls are one tree under the trace that came in; what a server has told is sent when it leaves', async () => {
  await using out = await outdoors()
  const { collector, toy } = out
  const { program, caller } = await out.serve({ OTEL_SERVICE_NAME: 'sluice-of-the-test', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test' })
  const runId = await startTraced(caller, toy)
  await leave(program)

  expect(treeOf(collector.spans)).toEqual(tree)
  const of = (name: string, step?: string): ToldSpan =>
    collector.spans.find((span) => span.traceId === traceId && span.name === name && (step === undefined || span.attributes['sluice.step'] === step))!
  expect(of('POST /v1/runs')).toMatchObject({
    service: 'sluice-of-the-test',
    kind: kinds.server,
    attributes: { 'http.request.method': 'POST', 'http.route': '/v1/runs', 'http.response.status_code': 201, 'url.scheme': 'http' },
  })
  expect(collector.spans.filter(({ name }) => name === 'run').map(({ attributes }) => attributes['sluice.run.id'])).toContain(runId)
  const call = of('step http-request', 'call')
  expect(call).toMatchObject({ kind: kinds.internal, failed: false, attributes: { 'sluice.run.id': runId, 'sluice.attempt': 1, 'sluice.outcome': 'completed' } })
  const [host, port] = toy.host.split(':')
  const client = collector.spans.find((span) => span.parentSpanId === call.spanId)!
  expect(client).toMatchObject({
    kind: kinds.client,
    attributes: { 'http.request.method': 'POST', 'server.address': host, 'server.port': Number(port), 'http.response.status_code': 200, 'url.scheme': 'http' },
  })
  expect(client.start).toBeGreaterThanOrEqual(call.start)
  expect(toy.visits('outer').map(({ traceparent }) => traceparent)).toEqual([`00-${traceId}-${client.spanId}-01`])
  expect(toy.visits('inner')[0]!.traceparent).toMatch(`00-${traceId}-`)

  expect(collector.headers()['x-tenant']).toBe('sluice test')
  for (const kept of ['querysecret', 'bodysecret', 'kept-to-itself', '/ok/outer', admin.password]) expect(collector.text()).not.toContain(kept)
}, 60_000)

test('a worker in another process goes on in the same trace', async () => {
  await using out = await outdoors()
  const { collector, toy } = out
  const api = await out.serve({ SLUICE_ROLE: 'api', OTEL_SERVICE_NAME: 'api' })
  const worker = await out.serve({ SLUICE_ROLE: 'worker', OTEL_SERVICE_NAME: 'worker' })
  await startTraced(api.caller, toy)
  await Promise.all([leave(api.program), leave(worker.program)])

  expect(treeOf(collector.spans)).toEqual(tree)
  const services = (name: RegExp) => [...new Set(collector.spans.filter((span) => span.traceId === traceId && name.test(span.name)).map(({ service }) => service))]
  expect(services(/^POST \/v1/)).toEqual(['api'])
  expect(services(/^(run|step|POST$)/)).toEqual(['worker'])
}, 60_000)

test('each attempt has its span, a failed one says so; a run that nobody traced is a trace of its own, and a fork stands under who asked for it', async () => {
  await using out = await outdoors()
  const { collector, toy } = out
  const { program, caller } = await out.serve()
  const flaky = flow({ f: post(`${toy.url}/fail/1/flaky`, { settings: { retry: { maxAttempts: 2, backoffMs: 10 } } }), v: values({ a: 1 }) }, ['f > v'])
  const run = await caller.run(flaky)
  const fork = await caller.call<{ id: string }>('POST', `/v1/runs/${run.id}/fork`, { step: 'v' }, { headers: { traceparent: incoming } })
  await caller.wait(fork)
  await leave(program)

  const attempts = collector.spans.filter(({ attributes }) => attributes['sluice.run.id'] === run.id && attributes['sluice.step'] === 'f')
  expect(attempts.map(({ failed, attributes }) => [attributes['sluice.attempt'], attributes['sluice.outcome'], failed, attributes['error.type']])).toEqual([
    [1, 'retrying', true, 'http_503'],
    [2, 'completed', false, undefined],
  ])
  const calls = collector.spans.filter(({ kind, attributes }) => kind === kinds.client && [200, 503].includes(Number(attributes['http.response.status_code'])))
  expect(calls.map(({ parentSpanId }) => parentSpanId)).toEqual(attempts.map(({ spanId }) => spanId))
  expect(new Set(attempts.map(({ spanId }) => spanId)).size).toBe(2)
  const root = collector.spans.find(({ name, attributes }) => name === 'run' && attributes['sluice.run.id'] === run.id)!
  const request = collector.spans.find(({ spanId }) => spanId === root.parentSpanId)!
  expect(request).toMatchObject({ name: 'POST /v1/runs', parentSpanId: '', traceId: root.traceId })
  expect(treeOf(collector.spans)).toEqual({ 'POST /v1/runs/{id}/fork': { run: { 'step static-value v': {} } } })
}, 60_000)

test('an attempt whose worker leaves is told as lost by the one that goes on, and what it called stands below it', async () => {
  await using out = await outdoors()
  const { collector, toy } = out
  const api = await out.serve({ SLUICE_ROLE: 'api' })
  const first = await out.serve({ SLUICE_ROLE: 'worker', SLUICE_DRAIN_MS: '0' })
  const workflow = await api.caller.workflow(flow({ g: post(`${toy.url}/gate/g`) }), 'Gate')
  const run = await api.caller.call<{ id: string }>('POST', '/v1/runs', { workflow: workflow.id }, { headers: { traceparent: incoming } })
  await toy.came('g')
  await leave(first.program)
  const second = await out.serve({ SLUICE_ROLE: 'worker' })
  await toy.came('g', 2)
  toy.open('g')
  expect((await api.caller.wait(run)).status).toBe('completed')
  await Promise.all([leave(api.program), leave(second.program)])

  const attempts = collector.spans.filter(({ attributes }) => attributes['sluice.step'] === 'g')
  expect(attempts.map(({ attributes }) => [attributes['sluice.attempt'], attributes['sluice.outcome'], attributes['error.type']])).toEqual([
    [1, 'lost', 'worker_lost'],
    [2, 'completed', undefined],
  ])
  const calls = collector.spans.filter(({ kind, traceId: id }) => kind === kinds.client && id === traceId)
  expect(calls.map(({ parentSpanId, attributes }) => [parentSpanId, attributes['error.type']])).toEqual([
    [attempts[0]!.spanId, 'aborted'],
    [attempts[1]!.spanId, undefined],
  ])
}, 60_000)

test('a receiver that refuses, or is away, reaches no run, and one line says so', async () => {
  await using out = await outdoors()
  const { collector, toy } = out
  collector.refuse()
  const refused = await out.serve({ OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_EXPORTER_OTLP_TIMEOUT: '300' })
  await startTraced(refused.caller, toy)
  await eventually('a warning', () => refused.program.stdout().includes('Traces do not arrive'))
  await startTraced(refused.caller, toy)
  await leave(refused.program)
  expect(refused.program.stdout().split('Traces do not arrive')).toHaveLength(2)

  const away = await out.serve({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' })
  await startTraced(away.caller, toy)
  await leave(away.program)
}, 90_000)

test('without an endpoint a trace that comes in is handed on, and none is begun; a header that the workflow sets is left alone', async () => {
  await using server = await testServer()
  const { toy } = server
  await startTraced(server, toy)
  expect(toy.visits('outer')[0]!.traceparent).toBe(incoming)
  expect(toy.visits('inner')[0]!.traceparent).toBe(incoming)

  await server.run(flow({ c: post(`${toy.url}/ok/plain`) }))
  expect(toy.visits('plain')[0]!.traceparent).toBeNull()

  const theirs = '00-11111111111111111111111111111111-2222222222222222-00'
  const own = { type: 'http-request', config: { method: 'GET', url: `${toy.url}/ok/own`, headers: { TraceParent: theirs } } }
  const run = await server.call<{ id: string }>('POST', '/v1/runs', { workflow: (await server.workflow(flow({ own }), 'Own')).id }, { headers: { traceparent: incoming } })
  await server.wait(run)
  expect(toy.visits('own')[0]!.traceparent).toBe(theirs)

  const socketed = await server.workflow(flow({ s: post(`${toy.url}/ok/socketed`) }), 'Socketed')
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/trpc`, { headers: { authorization: `Bearer ${server.token}`, traceparent: incoming } })
  socket.on('open', () => socket.send(JSON.stringify({ id: 1, method: 'mutation', params: { path: 'runs.start', input: { workflow: socketed.id } } })))
  expect((await toy.came('socketed')).traceparent).toBe(incoming)
  socket.terminate()

  const garbled = await server.call<{ id: string }>(
    'POST',
    '/v1/runs',
    { workflow: (await server.workflow(flow({ g: post(`${toy.url}/ok/garbled`) }), 'Garbled')).id },
    { headers: { traceparent: '00-zz-b7-01' } },
  )
  await server.wait(garbled)
  expect(toy.visits('garbled')[0]!.traceparent).toBeNull()
})

test('a trace that comes in unsampled is handed on and told to nobody', async () => {
  await using out = await outdoors()
  const { collector, toy } = out
  const { program, caller } = await out.serve()
  const workflow = await caller.workflow(flow({ c: post(`${toy.url}/ok/quiet`) }), 'Quiet')
  const run = await caller.call<{ id: string }>('POST', '/v1/runs', { workflow: workflow.id }, { headers: { traceparent: `00-${traceId}-${above}-00` } })
  await caller.wait(run)
  await leave(program)
  expect(toy.visits('quiet')[0]!.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
  expect(collector.spans.filter((span) => span.traceId === traceId)).toEqual([])
  expect(collector.spans.length).toBeGreaterThan(0)
}, 60_000)
