import { createClient } from '@sluice/client'
import { RunFailedError, startTesting, StillWaitingError, type TestingOptions } from '@sluice/server/testing'
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { approval, delay, external, flow, signal, values } from '../support/flow.ts'

const day = 86_400_000
/** What a busy machine may take for what a test does, on top of what it skips. */
const slackMs = 20_000

/** Drawn graphs, by way of the client. */
async function drawn(options: TestingOptions = {}) {
  const sluice = await startTesting({ ...options, client: createClient })
  const draw = async (definition: ReturnType<typeof flow>, name = 'Drawn') => (await sluice.client.workflows.create({ name, definition })).id
  return { sluice, draw, [Symbol.asyncDispose]: () => sluice.close() }
}

const since = (from: string | Date, to: string | null): number => Date.parse(to!) - new Date(from).getTime()

test('days are skipped in no time, and are seen in what is recorded', async () => {
  await using kit = await drawn()
  const { sluice, draw } = kit
  const workflow = await draw(flow({ a: 'input', b: delay(2 * day), c: delay(3_600_000), d: values({ done: true }) }, ['a > b > c > d']))
  const before = sluice.now()
  const run = await sluice.start(workflow, { n: 1 })
  await expect(run.result()).rejects.toThrow(StillWaitingError)
  await expect(run.result()).rejects.toThrow(/waits for a timer of b until .* \(moved by skip\)/)
  await sluice.skip({ days: 2 })
  expect((await run.get()).status).toBe('waiting')
  await sluice.skip({ hours: 1 })
  expect(await run.result()).toEqual({ d: { done: true } })
  const { created, startedAt, endedAt } = await run.get()
  expect(Math.abs(since(before, created))).toBeLessThan(slackMs)
  expect(since(startedAt!, endedAt)).toBeGreaterThanOrEqual(2 * day + 3_600_000)
  expect(since(startedAt!, endedAt)).toBeLessThan(2 * day + 3_600_000 + slackMs)
  expect(sluice.now().getTime() - Date.now()).toBeGreaterThan(2 * day)
  // What is listed by its time is found by it: ids go by the same time.
  const { items } = await sluice.client.runs.list({ where: { created: { gte: before.toISOString() } } })
  const late = await sluice.start(workflow)
  expect(items.map(({ id }) => id)).toEqual([run.id])
  expect(since(before, (await late.get()).created)).toBeGreaterThan(2 * day)
})

test('what falls due in the time that is skipped happens in its order, each at its moment', async () => {
  await using kit = await drawn()
  const { sluice, draw } = kit
  const long = await sluice.start(await draw(flow({ a: 'input', long: delay(3 * day), end: delay(day) }, ['a > long > end'])))
  const short = await sluice.start(await draw(flow({ a: 'input', one: delay(day), two: delay(day), end: 'output' }, ['a > one > two > end'])))
  const from = sluice.now()
  await sluice.skip({ days: 3, hours: 1 })
  const [, one, two] = await short.steps()
  expect((await short.get()).status).toBe('completed')
  expect((await long.get()).status).toBe('waiting')
  for (const [step, ms] of [
    [one!, day],
    [two!, 2 * day],
    [(await long.steps())[1]!, 3 * day],
  ] as const) {
    expect(since(from, step.endedAt)).toBeGreaterThan(ms - slackMs)
    expect(since(from, step.endedAt)).toBeLessThan(ms + slackMs)
  }
})

test('a pause expires, a run takes too long, and a wait ends, when their time has come', async () => {
  await using kit = await drawn()
  const { sluice, draw } = kit
  const asks = await sluice.start(await draw(flow({ a: 'input', ask: approval({ config: { expiresInMs: 2 * day } }), b: 'output' }, ['a > ask > b'])))
  const slow = await sluice.start(await draw(flow({ a: 'input', wait: external(), b: 'output' }, ['a > wait > b'], { timeoutMs: 5 * day })))
  const listens = await sluice.start(await draw(flow({ a: 'input', hear: signal('paid', { timeoutMs: 7 * day }), b: 'output' }, ['a > hear > b'])))
  await sluice.skip({ days: 1 })
  for (const run of [asks, slow, listens]) expect((await run.get()).endedAt).toBeNull()
  await sluice.skip({ days: 1 })
  expect((await asks.get()).reason?.code).toBe('pause_expired')
  await sluice.skip({ days: 3 })
  expect((await slow.get()).reason?.code).toBe('timed_out')
  await expect(slow.result()).rejects.toMatchObject({ name: 'RunFailedError', code: 'timed_out' } satisfies Partial<RunFailedError>)
  await sluice.skip({ days: 2 })
  expect((await listens.get()).status).toBe('failed')
})

test('decisions, reports and signals are given in a word each, and wait for who is about to ask', async () => {
  await using kit = await drawn()
  const { sluice, draw } = kit
  const workflow = await draw(flow({ a: 'input', rest: delay(50), ask: approval(), ship: external(), hear: signal('paid'), end: 'output' }, ['a > rest > ask > ship > hear > end']))
  const run = await sluice.start(workflow, { n: 1 })
  await sluice.pauses.approve(run, 'ask', { limit: 5 }, { comments: 'fine' })
  await sluice.report(run, 'ship', { tracking: 'T1' })
  await expect(sluice.report(run, 'nobody')).rejects.toThrow(StillWaitingError)
  await expect(sluice.pauses.decline(run, 'ask')).rejects.toThrow(/asks nothing.*signal of hear/)
  await sluice.signal(run, 'paid', { amount: 3 })
  expect(await run.result()).toEqual({ amount: 3 })
  const declined = await sluice.start(workflow)
  await sluice.pauses.decline(declined, 'ask')
  await expect(declined.result()).rejects.toMatchObject({ code: 'pause_declined' })
})

test('a schedule starts its runs at its moments', async () => {
  await using kit = await drawn({ at: '2026-03-27T10:00:00Z' })
  const { sluice, draw } = kit
  const workflow = await draw(flow({ a: 'input', b: 'output' }, ['a > b']))
  await sluice.client.schedules.create({ workflow, name: 'morning', cron: '0 9 * * *', timeZone: 'Europe/Berlin' })
  await sluice.skip({ days: 3 })
  const runs = await sluice.runs(workflow)
  const inputs = await Promise.all(runs.map(async (run) => (await run.get()).input))
  // In Berlin the clocks go forward in the night to the 29th.
  expect(inputs).toEqual(['2026-03-28T08:00:00.000Z', '2026-03-29T07:00:00.000Z', '2026-03-30T07:00:00.000Z'].map((scheduledFor) => ({ scheduledFor })))
  for (const run of runs) {
    const { created, input } = await run.get()
    expect(since((input as { scheduledFor: string }).scheduledFor, created)).toBeLessThan(slackMs)
  }
})

test('two tests at once have each its own time and its own runs', async () => {
  await using one = await drawn()
  await using other = await drawn()
  const definition = flow({ a: 'input', b: delay(day), c: 'output' }, ['a > b > c'])
  const mine = await one.sluice.start(await one.draw(definition))
  const theirs = await other.sluice.start(await other.draw(definition))
  await one.sluice.skip({ days: 1 })
  expect((await mine.get()).status).toBe('completed')
  expect((await theirs.get()).status).toBe('waiting')
  const later = await other.sluice.start((await theirs.get()).workflowId)
  expect(Math.abs(since(new Date(), (await later.get()).created))).toBeLessThan(slackMs)
  expect(Math.abs(other.sluice.now().getTime() - Date.now())).toBeLessThan(slackMs)
})

test('on a PostgreSQL of their own, tests leave nothing behind', async () => {
  const databaseUrl = inject('postgresUrl')
  const databases = async () => {
    const client = new pg.Client(databaseUrl)
    await client.connect()
    const { rows } = await client.query<{ datname: string }>(`select datname from pg_database where datname like 'sluice\\_test\\_%' and datallowconn`)
    await client.end()
    return rows.length
  }
  const kit = await drawn({ databaseUrl })
  const run = await kit.sluice.start(await kit.draw(flow({ a: 'input', b: delay(day) }, ['a > b'])))
  await kit.sluice.skip({ days: 1 })
  expect((await run.get()).status).toBe('completed')
  expect(await databases()).toBe(1)
  await kit.sluice.close()
  await kit.sluice.close()
  expect(await databases()).toBe(0)
  await expect(run.get()).rejects.toThrow()
})
