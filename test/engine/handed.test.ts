import { afterAll, beforeAll, expect, test } from 'vitest'
import { approval, external, flow, post, values } from '../support/flow.ts'
import { type Served, type TestServer, testServer } from '../support/server.ts'

/** The way without a queue: what a server starts, or brings to move again, is in the hands of its own worker at once. */

let server: TestServer
let api: Served
const url = (path: string): string => server.toy.url + path

beforeAll(async () => {
  server = await testServer()
  // The same database, and no worker of its own.
  api = await server.another({ SLUICE_ROLE: 'api' })
})
afterAll(() => server[Symbol.asyncDispose]())

const jobsOf = (runId: string) =>
  server.db.database.query<{ state: string; retries: number }>('select state::text as state, retry_count as retries from sluice_jobs.job where singleton_key = $1', [runId])
const epochOf = async (runId: string) => (await server.db.database.query<{ epoch: number }>('select epoch from runs where id = $1', [runId]))[0]!.epoch

/** A second start finds the workflow known. */
async function known(definition: Parameters<TestServer['workflow']>[0]): Promise<string> {
  const { id } = await server.workflow(definition)
  await server.start(id)
  return id
}

test('a run is claimed by its start, and its job is there for another worker should this one fall silent', async () => {
  const id = await known(flow({ a: post(url('/gate/claimed')) }))
  const run = await server.start(id)
  expect(run.status).toBe('running')
  expect([await jobsOf(run.id), await epochOf(run.id)]).toEqual([[{ state: 'active', retries: 0 }], 1])
  server.toy.open('claimed')
  expect((await server.wait(run)).status).toBe('completed')
  // Nothing is left that would bring it back.
  expect([await jobsOf(run.id), await epochOf(run.id)]).toEqual([[], 1])
})

test('a run that needs nothing but the start is stored as it ended, and never has a job', async () => {
  const id = await known(flow({ a: values({ x: 1 }), b: values({ y: 2 }) }, ['a > b']))
  const run = await server.start(id)
  expect(run).toMatchObject({ status: 'completed', output: { b: { y: 2 } }, progress: 100 })
  expect(await jobsOf(run.id)).toEqual([])
  const types = (await server.events(run)).map(({ type, seq }) => `${seq} ${type}`)
  expect(types).toEqual(['1 run.queued', '2 run.started', '3 step.started', '4 step.completed', '5 step.started', '6 step.completed', '7 run.completed'])
})

test('a run that waits at once is stored waiting, with its pause', async () => {
  const id = await known(flow({ ask: approval() }))
  const run = await server.start(id)
  expect(run).toMatchObject({ status: 'waiting', waitingOn: [{ kind: 'pause' }] })
  expect([await jobsOf(run.id), (await server.pauses(run)).length]).toEqual([[], 1])
})

test('where no worker is, a run is queued with a job for whoever comes', async () => {
  await using alone = await testServer({ SLUICE_ROLE: 'api' })
  const { id } = await alone.workflow(flow({ a: values({}) }))
  for (const _ of [1, 2]) {
    const run = await alone.start(id)
    expect(run.status).toBe('queued')
    const jobs = await alone.db.database.query('select state::text as state, data from sluice_jobs.job where singleton_key = $1', [run.id])
    expect(jobs).toEqual([{ state: 'created', data: { runId: run.id } }])
  }
})

test('a decision has the worker of its server claim the run in the same transaction', async () => {
  const id = await known(flow({ ask: approval(), a: post(url('/gate/decided')) }, ['ask > a']))
  const run = await server.start(id)
  const [pause] = await server.pauses(run)
  await server.decide(pause!, 'approve')
  expect([await jobsOf(run.id), await epochOf(run.id)]).toEqual([[{ state: 'active', retries: 0 }], 2])
  expect((await server.step(run, 'a')).state).toBe('running')
  server.toy.open('decided')
  expect((await server.wait(run)).status).toBe('completed')
  expect(await jobsOf(run.id)).toEqual([])
})

test('a decision asked of a server without a worker leaves the run to one that has, which goes on at once', async () => {
  const id = await known(flow({ ask: approval(), a: values({ x: 1 }) }, ['ask > a']))
  const run = await server.start(id)
  const [pause] = await server.pauses(run)
  await api.decide(pause!, 'approve')
  expect((await server.wait(run)).status).toBe('completed')
})

test('a run that somebody works on is not claimed by a report: what is under way goes on', async () => {
  const id = await known(flow({ slow: post(url('/gate/beside')), ext: external(), after: values({}) }, ['ext > after']))
  const run = await server.start(id)
  await server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'ext', phase: 'invoke', outcome: 'completed', output: 7 })
  await server.event(run, 'step.completed', ({ nodeId }) => nodeId === 'after')
  server.toy.open('beside')
  expect((await server.wait(run)).status).toBe('completed')
  // Of this run and of the one before it.
  expect([await epochOf(run.id), server.toy.visits('beside').length]).toEqual([1, 2])
})

test('a run whose job another worker has is not claimed by a decision, which counts all the same: it goes on when that worker is given up', async () => {
  const id = await known(flow({ ask: approval(), a: post(url('/ok/left')) }, ['ask > a']))
  const run = await server.start(id)
  const [pause] = await server.pauses(run)
  // As a worker leaves it that fetched the job and has not said a word since.
  await server.db.database.query(
    `insert into sluice_jobs.job (name, data, state, singleton_key, policy, started_on, heartbeat_on, heartbeat_seconds, retry_limit, retry_delay, expire_seconds)
     select 'runs', jsonb_build_object('runId', $1::text), 'active', $1, policy, now(), now(), heartbeat_seconds, retry_limit, retry_delay, expire_seconds from sluice_jobs.queue`,
    [run.id],
  )
  await server.decide(pause!, 'approve')
  expect([await epochOf(run.id), (await jobsOf(run.id)).length]).toEqual([1, 1])
  expect((await server.events(run)).map(({ type }) => type)).toContain('pause.decided')
  expect((await server.wait(run)).status).toBe('completed')
  expect(await epochOf(run.id)).toBe(2)
})

test('a draft that changed is published by the next start, whatever was known of it', async () => {
  const id = await known(flow({ a: values({ x: 1 }) }))
  await server.call('PATCH', `/v1/workflows/${id}`, { definition: flow({ a: values({ x: 2 }) }) })
  expect(await server.start(id, { wait: { until: 'finished', ms: 10_000 } })).toMatchObject({ version: 2, output: { a: { x: 2 } } })
  await server.call('DELETE', `/v1/workflows/${id}`)
  await expect(server.start(id)).rejects.toThrow('404')
})

test('one key starts one run, also of many that come at the same moment over two servers', async () => {
  const id = await known(flow({ a: values({ x: 1 }) }))
  const starts = Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? server : api).start(id, { idempotencyKey: `k${at % 4 < 2 ? 1 : 2}` }))
  const ids = (await Promise.all(starts)).map((run) => run.id)
  expect(new Set(ids).size).toBe(2)
  const [{ runs } = { runs: 0 }] = await server.db.database.query<{ runs: number }>('select count(*)::int as runs from runs where workflow_id = $1', [id])
  expect(runs).toBe(1 + 2)
})
