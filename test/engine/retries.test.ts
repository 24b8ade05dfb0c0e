import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { delay, external, flow, post, template } from '../support/flow.ts'
import { refusal, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const calling = (path: string, settings: object) => flow({ call: post(server.toy.url + path, { settings }) })
const types = async (run: { id: string }) => (await server.events(run)).map(({ type }) => type)

describe('a retry', () => {
  test('tries again after its backoff, and counts attempts and failures', async () => {
    const run = await server.run(calling('/fail/2/flaky', { retry: { maxAttempts: 3, backoffMs: 60, factor: 2, jitter: 0 } }))
    expect(run).toMatchObject({ status: 'completed', nodes: [{ output: { status: 200, body: { visit: 3 } } }] })
    expect(await server.step(run, 'call')).toMatchObject({ state: 'completed', attempts: 3, failures: 2, error: null, retryAt: null })
    const [first, second, third] = server.toy.visits('flaky').map(({ at }) => at)
    expect(second! - first!).toBeGreaterThanOrEqual(60)
    expect(third! - second!).toBeGreaterThanOrEqual(120)
    const retries = (await server.events(run)).filter((event) => event.type === 'step.retrying')
    expect(retries).toMatchObject([
      { attempt: 1, error: { code: 'http_503' } },
      { attempt: 2, error: { code: 'http_503' } },
    ])
    expect(await types(run)).toEqual([
      'run.queued',
      'run.started',
      ...['step.started', 'step.retrying', 'run.waiting', 'run.resumed', 'step.started', 'step.retrying', 'run.waiting', 'run.resumed', 'step.started', 'step.completed'],
      'run.completed',
    ])
  })

  test('sends the same Idempotency-Key with every attempt, and another with every step', async () => {
    const more = { settings: { retry: { maxAttempts: 3, backoffMs: 0 } } }
    const run = await server.run(flow({ a: post(`${server.toy.url}/fail/1/key`, more), 'b c': post(`${server.toy.url}/ok/key`, more) }, ['a > b c']))
    expect(server.toy.visits('key').map(({ key }) => key)).toEqual([`${run.id}/a/-`, `${run.id}/a/-`, `${run.id}/b%20c/-`])
  })

  test('ends with the last attempt, and the step has failed', async () => {
    const run = await server.run(calling('/fail/9/last', { retry: { maxAttempts: 2, backoffMs: 1 } }))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'call', message: expect.stringContaining('503') } })
    expect(await server.step(run, 'call')).toMatchObject({ state: 'failed', attempts: 2, failures: 2, error: { code: 'http_503' } })
  })

  test('is not made of an error that no retry mends', async () => {
    const run = await server.run(calling('/refuse/once', { retry: { maxAttempts: 5, backoffMs: 1 } }))
    expect(run.status).toBe('failed')
    expect(await server.step(run, 'call')).toMatchObject({ attempts: 1, failures: 1, error: { code: 'http_422' } })
    expect(server.toy.visits('once')).toHaveLength(1)
  })

  test('that is asked for now is made now', async () => {
    const { id } = await server.workflow(calling('/fail/1/now', { retry: { maxAttempts: 2, backoffMs: 3_600_000 } }))
    const run = await server.start(id, { wait: { until: 'parked' } })
    expect(run).toMatchObject({ status: 'waiting', waitingKind: 'timer', waitingOn: [{ kind: 'timer', step: 'call', until: expect.any(String) }] })
    expect(await refusal(server.call('POST', `/v1/runs/${run.id}/retry-step`, { step: 'gone' }))).toMatchObject({ status: 404, code: 'step_missing' })
    await server.call('POST', `/v1/runs/${run.id}/retry-step`, { step: 'call' })
    expect((await server.wait(run)).status).toBe('completed')
    expect(await refusal(server.call('POST', `/v1/runs/${run.id}/retry-step`, { step: 'call' }))).toMatchObject({ status: 409, code: 'run_ended' })
  })

  test('asked for of a step that is not retrying is a conflict', async () => {
    const run = await server.run(flow({ ext: external() }), { until: 'parked' })
    expect(await refusal(server.call('POST', `/v1/runs/${run.id}/retry-step`, { step: 'ext' }))).toMatchObject({ status: 409, code: 'step_not_retrying' })
  })
})

describe('a time-out', () => {
  test('of an attempt aborts the body and counts as a failed attempt', async () => {
    const run = await server.run(calling('/hang/hung', { timeoutMs: 80, retry: { maxAttempts: 2, backoffMs: 1 } }))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'timed_out', step: 'call' } })
    expect(await server.step(run, 'call')).toMatchObject({ state: 'failed', attempts: 2, failures: 2, error: { code: 'timed_out' }, timedOutAt: expect.any(String) })
    await server.toy.left('hung')
    expect(server.toy.visits('hung').map(({ key }) => key)).toEqual([`${run.id}/call/-`, `${run.id}/call/-`])
  })

  test('of an attempt is followed by one that may succeed', async () => {
    const run = await server.start(await server.workflow(calling('/gate/slowly', { timeoutMs: 150, retry: { maxAttempts: 5, backoffMs: 1 } })))
    await server.event(run, 'step.retrying')
    server.toy.open('slowly')
    expect(await server.wait(run)).toMatchObject({ status: 'completed' })
    expect(await server.step(run, 'call')).toMatchObject({ state: 'completed', timedOutAt: null })
  })

  test('of a run ends it, whatever it does: working, waiting, retrying', async () => {
    const settings = { timeoutMs: 150 }
    const runs = await Promise.all([
      server.run({ ...calling('/hang/deadline', {}), settings }),
      server.run(flow({ ext: external() }, [], settings)),
      server.run(flow({ d: delay(3_600_000) }, [], settings)),
      server.run({ ...calling('/fail/9/deadline-retry', { retry: { maxAttempts: 9, backoffMs: 3_600_000 } }), settings }),
    ])
    for (const run of runs) expect(run).toMatchObject({ status: 'failed', reason: { code: 'timed_out' } })
    await server.toy.left('deadline')
  })

  test('of a run does not count a hold', async () => {
    const run = await server.run(flow({ ext: external(), d: delay(10) }, [], { timeoutMs: 400 }), { until: 'parked' })
    await server.call('POST', `/v1/runs/${run.id}/hold`)
    const other = await server.run(flow({ d: delay(500) }))
    expect(other.status).toBe('completed')
    expect((await server.get(run)).status).toBe('held')
    await server.call('POST', `/v1/runs/${run.id}/release`)
    const ended = await server.wait(run)
    expect(ended.reason).toMatchObject({ code: 'timed_out' })
    expect(Date.parse(ended.endedAt!) - Date.parse(ended.startedAt!)).toBeGreaterThanOrEqual(800)
  })

  test('of a report counts as a failed attempt, and the step waits again', async () => {
    const run = await server.run(flow({ ext: external({ settings: { timeoutMs: 60, retry: { maxAttempts: 2, backoffMs: 1 } } }) }))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'timed_out', step: 'ext' } })
    expect(await server.step(run, 'ext')).toMatchObject({ attempts: 2, failures: 2 })
  })
})

test('what fails in an expression is the step’s failure, once', async () => {
  const run = await server.run(flow({ a: template('{{ nodes | no_such_filter }}', { settings: { retry: { maxAttempts: 3, backoffMs: 1 } } }) })).catch((error: unknown) => error)
  expect(run).toMatchObject({ code: 'definition_invalid' })
  const late = await server.run(flow({ in: 'input', a: { type: 'delay', config: { ms: '{{ input.ms }}' }, settings: { retry: { maxAttempts: 3, backoffMs: 1 } } } }, ['in > a']), {
    input: { ms: 'soon' },
  })
  expect(late).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'a' } })
  expect(await server.step(late, 'a')).toMatchObject({ attempts: 1, error: { code: 'config_invalid' } })
})
