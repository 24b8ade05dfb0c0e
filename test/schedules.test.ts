import { setTimeout as sleep } from 'node:timers/promises'
import { Fault, type JsonObject, type Page, type Run, type Schedule } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { createSchedules, type WrittenSchedule } from '../packages/server/src/schedules/schedules.ts'
import { template, flow } from './support/flow.ts'
import { callerOf, type Caller, refusal, type TestServer, testServer } from './support/server.ts'

const passing = flow({ in: 'input', out: 'output' }, ['in > out'])
const waiting = flow({ in: 'input', ask: { type: 'human', config: { kind: 'approval', message: 'Well?' } } }, ['in > ask'])
const picky = flow({ in: { type: 'input', config: { schema: { type: 'object', required: ['amount'] } } }, out: 'output' }, ['in > out'])

const hour = 3_600_000

const create = (server: Caller, input: JsonObject): Promise<Schedule> => server.call('POST', '/v1/schedules', input)
const get = (server: Caller, { id }: { id: string }): Promise<Schedule> => server.call('GET', `/v1/schedules/${id}`)

/** The schedule once it is so. */
async function until(server: Caller, schedule: { id: string }, holds: (schedule: Schedule) => boolean, ms = 30_000): Promise<Schedule> {
  for (const end = Date.now() + ms; ;) {
    const found = await get(server, schedule)
    if (holds(found)) return found
    if (Date.now() > end) throw new Error(`It did not come so: ${JSON.stringify(found)}`)
    await sleep(20)
  }
}

/** The runs that it has started, in the order of their moments. */
async function runsOf(server: Caller, { name, workflowId }: Schedule): Promise<Run[]> {
  const { items } = await server.call<Page<Run>>('GET', `/v1/runs?workflow=${workflowId}&tag=schedule:${name}&limit=100`)
  return Promise.all(items.map((item) => server.get(item))).then((runs) => runs.toSorted((one, other) => (timeOf(one) < timeOf(other) ? -1 : 1)))
}

const timeOf = ({ tags }: Run): string => tags.find((tag) => tag.startsWith('scheduledFor:'))!.slice('scheduledFor:'.length)

/** As if so much time had gone by in which no server was there. */
const away = (server: TestServer, { id }: { id: string }, ms: number): Promise<unknown> =>
  server.db.database.query(
    `update schedules set next_at = next_at - $2 * interval '1 millisecond', due_at = due_at - $2 * interval '1 millisecond', anchor_at = anchor_at - $2 * interval '1 millisecond' where id = $1`,
    [id, ms],
  )

/** Its next moment is now. */
const due = (server: TestServer, { id }: { id: string }): Promise<unknown> =>
  server.db.database.query(`update schedules set next_at = date_trunc('milliseconds', now()), due_at = date_trunc('milliseconds', now()) where id = $1`, [id])

describe('a schedule', () => {
  test('starts a run for each of its moments, at their times, and no other', async () => {
    await using server = await testServer()
    const workflow = await server.workflow(passing, 'Ticks')
    const before = Date.now()
    const made = await create(server, { workflow: 'ticks', everyMs: 1_000, times: 4, overlap: 'allow' })
    expect(made).toMatchObject({ workflowId: workflow.id, name: 'default', cron: null, everyMs: 1_000, timeZone: 'UTC', missed: 'once', overlap: 'allow', times: 4, enabled: true })
    expect(made).toMatchObject({ startsAt: null, endsAt: null, lastAt: null, lastRunId: null, count: 0, skipped: 0, lastError: null, retryAt: null, origin: 'api' })
    const first = Date.parse(made.nextAt!)
    expect(first - before).toBeGreaterThanOrEqual(1_000)
    const ended = await until(server, made, ({ nextAt }) => nextAt === null)
    const runs = await runsOf(server, made)
    expect(runs.map(timeOf)).toEqual([0, 1, 2, 3].map((n) => new Date(first + n * 1_000).toISOString()))
    for (const run of runs) {
      const time = timeOf(run)
      expect(run).toMatchObject({
        trigger: 'schedule',
        transactionId: `schedule:${made.id}:${time}`,
        input: { scheduledFor: time },
        tags: ['schedule:default', `scheduledFor:${time}`],
      })
      expect(Date.parse(run.created) - Date.parse(time), 'never before its time').toBeGreaterThanOrEqual(0)
    }
    expect(ended).toMatchObject({ count: 4, skipped: 0, enabled: true, lastAt: timeOf(runs[3]!), lastRunId: runs[3]!.id })
  })

  test('with a cron of seconds does so at the seconds', async () => {
    await using server = await testServer()
    await server.workflow(passing, 'Seconds')
    const made = await create(server, { workflow: 'seconds', name: 'even', cron: '*/2 * * * * *', timeZone: 'Europe/Berlin', input: { from: 'me' }, overlap: 'allow' })
    await until(server, made, ({ count }) => count >= 2)
    const [one, other] = await runsOf(server, made)
    expect(Date.parse(timeOf(other!)) - Date.parse(timeOf(one!))).toBe(2_000)
    expect(Date.parse(timeOf(one!)) % 2_000).toBe(0)
    expect([one!.input, other!.input]).toEqual([{ from: 'me' }, { from: 'me' }])
  })

  test('of two servers starts one run a moment, whichever was told of it', async () => {
    await using server = await testServer()
    const other = await server.another()
    await server.workflow(passing, 'Twice')
    const made = await Promise.all(
      Array.from({ length: 6 }, (_, n) => create(n % 2 ? other : server, { workflow: 'twice', name: `n${n}`, everyMs: 1_000, times: 4, overlap: 'allow' })),
    )
    for (const schedule of made) {
      await until(other, schedule, ({ nextAt }) => nextAt === null)
      const first = Date.parse(schedule.nextAt!)
      expect((await runsOf(server, schedule)).map(timeOf)).toEqual([0, 1, 2, 3].map((n) => new Date(first + n * 1_000).toISOString()))
    }
  })

  test.each([
    ['skip', 0, { count: 0, skipped: 5 }],
    ['once', 1, { count: 1, skipped: 0 }],
    ['all', 5, { count: 5, skipped: 0 }],
  ] as const)('whose moments were missed starts %s: %i runs', async (missed, started, told) => {
    await using server = await testServer()
    await server.workflow(passing, 'Missed')
    const made = await create(server, { workflow: 'missed', name: missed, everyMs: hour, missed, overlap: 'allow' })
    // Five and a half hours: five moments were missed, and the next is half an hour from now.
    await away(server, made, 5.5 * hour)
    const next = new Date(Date.parse(made.nextAt!) - 0.5 * hour).toISOString()
    const after = await until(server, made, ({ nextAt }) => nextAt === next)
    expect(after).toMatchObject(told)
    const runs = await runsOf(server, made)
    const times = [5, 4, 3, 2, 1].map((n) => new Date(Date.parse(next) - n * hour).toISOString())
    expect(runs.map(timeOf)).toEqual(started === 0 ? [] : times.slice(-started))
    expect(runs.map(({ tags }) => tags[2])).toEqual(runs.map(() => (missed === 'once' ? 'missed:5' : 'missed:1')))
  })

  test.each(['allow', 'skip', 'queue'] as const)('with a run that is live: %s', async (overlap) => {
    await using server = await testServer()
    await server.workflow(waiting, 'Long')
    const made = await create(server, { workflow: 'long', everyMs: hour, ...(overlap !== 'skip' && { overlap }) })
    expect(made.overlap).toBe(overlap)
    for (const n of [1, 2, 3]) {
      await due(server, made)
      await until(server, made, ({ count, skipped }) => count + skipped === n)
    }
    const runs = await runsOf(server, made)
    expect(await get(server, made)).toMatchObject(overlap === 'skip' ? { count: 1, skipped: 2, lastError: null } : { count: 3, skipped: 0 })
    await server.wait(runs[0]!, 'paused')
    const beside = overlap === 'allow' ? 'waiting' : 'queued'
    if (overlap === 'allow') await Promise.all(runs.map((run) => server.wait(run, 'paused')))
    expect((await runsOf(server, made)).map(({ status }) => status)).toEqual(overlap === 'skip' ? ['waiting'] : ['waiting', beside, beside])
    // When it has ended the next one goes.
    await server.call('POST', `/v1/runs/${runs[0]!.id}/cancel`, {})
    if (overlap === 'skip') {
      await server.wait(runs[0]!)
      await due(server, made)
      await until(server, made, ({ count }) => count === 2)
    }
    if (overlap === 'queue') await server.wait(runs[1]!, 'paused')
  })

  test('queues ten runs and no more, and says so', async () => {
    await using server = await testServer()
    await server.workflow(waiting, 'Long')
    const made = await create(server, { workflow: 'long', everyMs: hour, overlap: 'queue', missed: 'all' })
    await away(server, made, 13.5 * hour)
    const full = await until(server, made, ({ count, skipped }) => count + skipped === 13)
    expect(full).toMatchObject({ count: 11, skipped: 2, lastError: { code: 'lane_full' }, retryAt: null })
  })

  test('whose start is refused tells why, and tries again until its next moment; others go on', async () => {
    await using server = await testServer()
    const workflow = await server.workflow(picky, 'Picky')
    const made = await create(server, { workflow: 'picky', name: 'broken', everyMs: hour, input: { none: 1 } })
    const other = await create(server, { workflow: 'picky', name: 'whole', everyMs: 1_000, input: { amount: 1 }, overlap: 'allow' })
    await due(server, made)
    const told = await until(server, made, ({ lastError }) => lastError !== null)
    expect(told).toMatchObject({ count: 0, skipped: 0, lastError: { code: 'input_invalid', details: { issues: [{ nodeId: 'in' }] } } })
    expect(Date.parse(told.retryAt!)).toBeGreaterThan(Date.parse(told.nextAt!))
    const again = await until(server, made, ({ retryAt }) => Date.parse(retryAt!) > Date.parse(told.retryAt!))
    expect(again.nextAt, 'of the same moment').toBe(told.nextAt)
    await until(server, other, ({ count }) => count >= 3)
    await until(server, made, ({ retryAt }) => Date.parse(retryAt!) - Date.now() > 7_000)
    // Mended, it is served at once: the moment that it was refused for.
    const since = Date.now()
    const mended = await server.call<Schedule>('PATCH', `/v1/schedules/${made.id}`, { input: { amount: 2 } })
    expect(mended.nextAt).toBe(told.nextAt)
    const served = await until(server, made, ({ count }) => count === 1)
    expect(Date.parse((await server.get(served.lastRunId!)).created) - since).toBeLessThan(6_000)
    expect(served).toMatchObject({ lastError: null, retryAt: null, lastAt: told.nextAt, skipped: 0 })
    const [run] = await runsOf(server, made)
    expect(await server.wait(run!)).toMatchObject({ status: 'completed', input: { amount: 2 }, workflowId: workflow.id })
    // One that comes every second gives each moment up when the next comes.
    await server.call('PATCH', `/v1/schedules/${other.id}`, { input: 'nothing' })
    expect(await until(server, other, ({ skipped }) => skipped >= 2)).toMatchObject({ lastError: { code: 'input_invalid' } })
  })

  test('that is paused starts nothing and misses nothing', async () => {
    await using server = await testServer()
    await server.workflow(passing, 'Paused')
    const made = await create(server, { workflow: 'paused', everyMs: 1_000, enabled: false, missed: 'all' })
    expect(made).toMatchObject({ enabled: false, nextAt: null })
    await sleep(2_500)
    expect(await runsOf(server, made)).toEqual([])
    const resumed = await server.call<Schedule>('POST', `/v1/schedules/${made.id}/resume`)
    expect(Date.parse(resumed.nextAt!)).toBeGreaterThan(Date.parse(made.created) + 2_000)
    expect(await server.call<Schedule>('POST', `/v1/schedules/${made.id}/resume`), 'again is the same').toMatchObject({ enabled: true })
    await until(server, made, ({ count }) => count >= 1)
    const stopped = await server.call<Schedule>('POST', `/v1/schedules/${made.id}/pause`)
    await sleep(1_500)
    expect(await get(server, made)).toEqual(stopped)
    expect((await runsOf(server, made)).every((run) => timeOf(run) >= resumed.nextAt!)).toBe(true)
  })

  test('goes on where it was when it is changed, but for its rhythm', async () => {
    await using server = await testServer()
    await server.workflow(passing, 'Changed')
    const made = await create(server, { workflow: 'changed', everyMs: hour, inputs: { in: 1 }, times: 5 })
    const change = (input: JsonObject) => server.call<Schedule>('PATCH', `/v1/schedules/${made.id}`, input)
    expect(await change({ name: 'other', missed: 'all', times: null, input: 7 })).toMatchObject({ name: 'other', nextAt: made.nextAt, missed: 'all', times: null, input: 7 })
    expect(await change({ inputs: null })).not.toHaveProperty('input')
    const daily = await change({ cron: '0 9 * * *', timeZone: 'Asia/Kolkata' })
    expect(daily).toMatchObject({ cron: '0 9 * * *', everyMs: null, nextAt: expect.stringMatching(/T03:30:00\.000Z$/) })
    expect((await refusal(change({ cron: '0 0 31 2 *' }))).issues).toMatchObject([{ path: ['cron'] }])
    expect(await change({ endsAt: '2020-01-02T00:00:00Z', startsAt: '2020-01-01T00:00:00Z' })).toMatchObject({ nextAt: null, enabled: true })
    expect(await change({ endsAt: null, startsAt: null })).toMatchObject({ nextAt: daily.nextAt })
  })

  test('starts a run by hand, beside its moments', async () => {
    await using server = await testServer()
    await server.workflow(waiting, 'Hand')
    const made = await create(server, { workflow: 'hand', everyMs: hour })
    const run = await server.call<Run>('POST', `/v1/schedules/${made.id}/start`)
    expect(run).toMatchObject({ trigger: 'manual', transactionId: null, tags: ['schedule:default', expect.stringMatching(/^scheduledFor:/)] })
    expect(await refusal(server.call('POST', `/v1/schedules/${made.id}/start`))).toMatchObject({ status: 409, code: 'lane_busy', details: { runId: run.id } })
    expect(await get(server, made)).toMatchObject({ count: 0, nextAt: made.nextAt })
  })

  test('is deleted with its workflow, and not copied with it', async () => {
    await using server = await testServer()
    const workflow = await server.workflow(passing, 'Gone')
    const made = await create(server, { workflow: 'gone', everyMs: 1_000 })
    const copy = await server.call<{ id: string }>('POST', `/v1/workflows/${workflow.id}/duplicate`, {})
    expect((await server.call<Page<Schedule>>('GET', `/v1/schedules?workflow=${copy.id}`)).items).toEqual([])
    await server.call('DELETE', `/v1/workflows/${workflow.id}`)
    expect(await refusal(get(server, made))).toMatchObject({ status: 404, code: 'schedule_missing' })
  })

  test('whose workflow has gone by another way ends when it is due, and the log says so', async () => {
    await using server = await testServer({ SLUICE_LOG_LEVEL: 'warn' })
    const workflow = await server.workflow(passing, 'Lost')
    const made = await create(server, { workflow: 'lost', name: 'orphan', everyMs: hour })
    await server.db.database.query('update workflows set deleted_at = now() where id = $1', [workflow.id])
    await due(server, made)
    for (const end = Date.now() + 20_000; (await server.db.database.query('select from schedules')).length > 0; await sleep(20)) expect(Date.now()).toBeLessThan(end)
    expect(server.lines.filter((line) => line.includes('a schedule has ended: its workflow was deleted') && line.includes(made.id))).toHaveLength(1)
  })

  test('is told what is wrong with it, and has its name alone', async () => {
    await using server = await testServer()
    await server.workflow(passing, 'Named')
    await server.workflow(passing, 'Another')
    const made = await create(server, { workflow: 'named', name: 'nightly', cron: '30 2 * * *' })
    expect(await refusal(create(server, { workflow: 'named', name: 'nightly', everyMs: 5_000 }))).toMatchObject({ status: 409, code: 'name_taken', details: { id: made.id } })
    await create(server, { workflow: 'another', name: 'nightly', cron: '30 2 * * *' })
    const many = await Promise.allSettled(Array.from({ length: 8 }, () => create(server, { workflow: 'another', name: 'race', everyMs: hour })))
    expect(many.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const issues = async (input: JsonObject): Promise<unknown> => {
      const { status, code, issues: found } = await refusal(create(server, { workflow: 'named', name: 'x', ...input }))
      expect([status, code]).toEqual([400, 'input_invalid'])
      return found[0]!.path
    }
    expect(await issues({})).toEqual(['cron'])
    expect(await issues({ cron: 'every day' })).toEqual(['cron'])
    expect(await issues({ cron: '0 0 30 2 *' })).toEqual(['cron'])
    expect(await issues({ cron: '* * * * *', everyMs: 5_000 })).toEqual(['everyMs'])
    expect(await issues({ everyMs: 999 })).toEqual(['everyMs'])
    expect(await issues({ cron: '* * * * *', timeZone: 'Mars/Olympus' })).toEqual(['timeZone'])
    expect(await issues({ everyMs: 1_000, input: 1, inputs: {} })).toEqual(['inputs'])
    expect(await issues({ everyMs: 1_000, input: 'x'.repeat(65_536) })).toEqual(['input'])
    expect(await issues({ everyMs: 1_000, endsAt: '2020-01-01T00:00:00Z' })).toEqual(['endsAt'])
    expect(await issues({ everyMs: 1_000, times: 0 })).toEqual(['times'])
    expect(await refusal(create(server, { workflow: 'nobody', everyMs: 1_000 }))).toMatchObject({ status: 404, code: 'workflow_missing' })
  })

  test('can be tried before it is one', async () => {
    await using server = await testServer()
    const preview = (query: string): Promise<unknown> => server.call<{ moments: string[] }>('GET', `/v1/schedules/preview?${query}`).then(({ moments }) => moments)
    expect(await preview('cron=30%202%20*%20*%20*&timeZone=Europe/Berlin&after=2026-03-28T00:00:00Z&count=3')).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
    expect(await preview('everyMs=60000&startsAt=2030-01-01T00:00:00Z&endsAt=2030-01-01T00:01:00Z')).toEqual(['2030-01-01T00:00:00.000Z', '2030-01-01T00:01:00.000Z'])
    expect((await refusal(preview('cron=x'))).issues).toMatchObject([{ path: ['cron'] }])
  })

  test('is for who may: viewers look, operators pause, editors make them', async () => {
    await using server = await testServer()
    await server.workflow(passing, 'Mine')
    const made = await create(server, { workflow: 'mine', everyMs: hour })
    const as = async (role: string): Promise<Caller> => {
      const password = 'correct horse battery'
      await server.call('POST', '/v1/members', { email: `${role}@sluice.local`, role, password })
      const { token } = await server.call<{ token: string }>('POST', '/v1/auth/login', { email: `${role}@sluice.local`, password }, { as: '' })
      return callerOf(server.url, token)
    }
    const [viewer, operator, editor] = [await as('viewer'), await as('operator'), await as('editor')]
    const may = async (call: Promise<unknown>): Promise<boolean> =>
      call.then(
        () => true,
        (error: { status?: number }) => (error.status === 403 ? false : Promise.reject(error)),
      )
    for (const [caller, wanted] of [
      [viewer, [true, false, false]],
      [operator, [true, true, false]],
      [editor, [true, true, true]],
    ] as const)
      expect([
        await may(get(caller, made)),
        await may(caller.call('POST', `/v1/schedules/${made.id}/resume`)),
        await may(caller.call('PATCH', `/v1/schedules/${made.id}`, { missed: 'skip' })),
      ]).toEqual(wanted)
  })
})

describe('schedules that code says', () => {
  async function coded(server: TestServer): Promise<{ sync(written: readonly WrittenSchedule[]): Promise<void>; all(): Promise<Schedule[]>; workflow: string }> {
    const workflow = await server.workflow(passing, 'Coded')
    const [row] = await server.db.database.query<{ workspace_id: string }>('select workspace_id from workflows where id = $1', [workflow.id])
    const schedules = createSchedules({ database: server.db.database, engine: { start: () => Promise.reject(new Error('not here')) }, changed() {} })
    return {
      workflow: workflow.id,
      sync: (written) => schedules.syncWritten(row!.workspace_id, workflow.id, written),
      all: async () => (await server.call<Page<Schedule>>('GET', `/v1/schedules?workflow=${workflow.id}&order=name`)).items,
    }
  }

  test('are what the code says, and go on where they were when it says the same', async () => {
    await using server = await testServer()
    const { sync, all } = await coded(server)
    const written: WrittenSchedule[] = [
      { name: 'hourly', everyMs: hour, input: { a: 1, b: 2 } },
      { name: 'nightly', cron: '30 2 * * *', timeZone: 'Europe/Berlin', missed: 'skip', overlap: 'queue', times: 9 },
    ]
    // By two servers that start together.
    await Promise.all([sync(written), sync(written)])
    const [hourly, nightly, ...more] = await all()
    expect(more).toEqual([])
    expect([hourly, nightly]).toMatchObject([
      { name: 'hourly', origin: 'code', everyMs: hour, input: { a: 1, b: 2 }, missed: 'once', overlap: 'skip' },
      { name: 'nightly', origin: 'code', cron: '30 2 * * *', timeZone: 'Europe/Berlin', missed: 'skip', overlap: 'queue', times: 9 },
    ])
    await due(server, hourly!)
    const served = await until(server, hourly!, ({ count }) => count === 1)
    await sync([{ ...written[0]!, input: { b: 2, a: 1 } }, written[1]!])
    expect(await all()).toEqual([served, nightly])
    // Another input: on it goes. Another rhythm: from now on. What is gone, is gone.
    await sync([{ name: 'hourly', everyMs: hour, input: 3 }])
    expect(await all()).toMatchObject([{ id: hourly!.id, input: 3, count: 1, nextAt: served.nextAt }])
    await sync([{ name: 'hourly', everyMs: 2 * hour, input: 3 }])
    const [rare] = await all()
    expect(rare).toMatchObject({ id: hourly!.id, count: 1, everyMs: 2 * hour })
    expect(Date.parse(rare!.nextAt!)).toBeGreaterThan(Date.parse(served.nextAt!))
    await sync([])
    expect(await all()).toEqual([])
  })

  test('can be paused by people, and are changed in the code alone', async () => {
    await using server = await testServer()
    const { sync, all, workflow } = await coded(server)
    await sync([{ name: 'hourly', everyMs: hour }])
    const [{ id }] = (await all()) as [Schedule]
    expect(await refusal(server.call('PATCH', `/v1/schedules/${id}`, { everyMs: 5_000 }))).toMatchObject({ status: 409, code: 'schedule_in_code' })
    const paused = await server.call<Schedule>('POST', `/v1/schedules/${id}/pause`)
    await sync([{ name: 'hourly', everyMs: hour }])
    expect(await all()).toEqual([paused])
    await sync([{ name: 'hourly', everyMs: 2 * hour }])
    expect(await all()).toMatchObject([{ id, enabled: false, nextAt: null, everyMs: 2 * hour }])
    // Of callers' the one of the same name becomes the code's, and the others are left alone.
    await create(server, { workflow, name: 'daily', cron: '@daily' })
    await create(server, { workflow, name: 'theirs', cron: '@daily' })
    await sync([{ name: 'daily', cron: '0 5 * * *' }])
    expect(await all()).toMatchObject([
      { name: 'daily', origin: 'code', cron: '0 5 * * *' },
      { name: 'theirs', origin: 'api' },
    ])
  })

  test('that cannot be are refused by their names, and nothing changes', async () => {
    await using server = await testServer()
    const { sync, all } = await coded(server)
    await sync([{ name: 'hourly', everyMs: hour }])
    const before = await all()
    const issues = (written: WrittenSchedule[]): Promise<unknown> =>
      sync(written).catch((error: unknown) => (error instanceof Fault ? error.issues.map(({ path }) => path) : error))
    expect(
      await issues([
        { name: 'hourly', everyMs: 5 * hour },
        { name: 'hourly', cron: '* * * * *' },
      ]),
    ).toEqual([['schedules', 'hourly', 'name']])
    expect(await issues([{ name: 'odd name', everyMs: 1 }])).toEqual([
      ['schedules', 'odd name', 'name'],
      ['schedules', 'odd name', 'everyMs'],
    ])
    expect(
      await issues([
        { name: 'hourly', everyMs: 5 * hour },
        { name: 'never', cron: '0 0 30 2 *' },
      ]),
    ).toEqual([['schedules', 'never', 'cron']])
    expect(await all()).toEqual(before)
  })
})

test('a run knows its time in expressions, too', async () => {
  await using server = await testServer()
  await server.workflow(flow({ in: 'input', out: template('{{ input.scheduledFor }}') }, ['in > out']), 'Told')
  const made = await create(server, { workflow: 'told', everyMs: 1_000, times: 1 })
  await until(server, made, ({ count }) => count === 1)
  const [run] = await runsOf(server, made)
  expect((await server.wait(run!)).output).toEqual({ out: { text: made.nextAt } })
})
