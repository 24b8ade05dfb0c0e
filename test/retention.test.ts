import type { Event, SnapshotEvent, Trial } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { defaultPeriods, type Periods } from '../packages/server/src/retention/periods.ts'
import { createSweeper, type Sweeper } from '../packages/server/src/retention/sweeper.ts'
import { deleteRuns } from '../packages/server/src/store/rows/retention.ts'
import { createLog } from '../packages/server/src/telemetry.ts'
import { approval, delay, flow, signal, subworkflow, values } from './support/flow.ts'
import { callerOf, refusal, testServer, type TestServer } from './support/server.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const complaints: string[] = []
const sweeperOf = (server: TestServer, periods: Partial<Periods> = {}): Sweeper =>
  createSweeper({ database: server.db.database, periods: { ...defaultPeriods, ...periods }, log: createLog({ level: 'warn', write: (line) => void complaints.push(line) }) })

/** A round that is made so long after now. */
async function sweepAfter(server: TestServer, ms: number, periods?: Partial<Periods>): Promise<Record<string, number>> {
  const sweeper = sweeperOf(server, periods)
  const now = new Date(Date.now() + ms)
  const rows: Record<string, number> = {}
  const end = Date.now() + 20_000
  // The server's own may be at it.
  for (;;) {
    const { swept, whole } = await sweeper.sweep(now)
    for (const [name, count] of Object.entries(swept)) rows[name] = (rows[name] ?? 0) + count
    if (whole) return rows
    if (Date.now() > end) throw new Error('its turn did not come')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const rowsOf = async (server: TestServer, table: string, where = 'true', values: unknown[] = []): Promise<number> =>
  (await server.db.database.query<{ count: number }>(`select count(*) as count from ${table} where ${where}`, values))[0]!.count

/** What is left of a run, by table. */
const leftOf = async (server: TestServer, id: string) => ({
  runs: await rowsOf(server, 'runs', 'id = $1', [id]),
  steps: await rowsOf(server, 'steps', 'run_id = $1', [id]),
  pauses: await rowsOf(server, 'pauses', 'run_id = $1', [id]),
  signals: await rowsOf(server, 'signals', 'run_id = $1', [id]),
  timers: await rowsOf(server, 'timers', 'run_id = $1', [id]),
  events: await rowsOf(server, 'events', `subject_id = $1 and subject_kind = 'run'`, [id]),
  left: await rowsOf(server, 'runs_gone'),
})
const nothing = { runs: 0, steps: 0, pauses: 0, signals: 0, timers: 0, events: 0, left: 0 }

const retained = (seconds: number) => flow({ a: values({}) }, [], { retainForSeconds: seconds })

describe('a run', () => {
  test('goes thirty days after its end with all that is known of it, and not before; a live one stays', async () => {
    await using server = await testServer()
    const run = await server.run(flow({ ask: approval(), out: 'output' }, ['ask > out']), { until: 'parked' })
    await server.call('POST', '/v1/signals', { runId: run.id, name: 'unheard', payload: 1 })
    const live = await server.run(flow({ s: signal('x') }), { until: 'parked' })
    const [pause] = await server.pauses(run)
    await server.decide(pause!, 'approve')
    await server.wait(run)
    const before = await leftOf(server, run.id)
    // Logins go too, after days.
    const { secret } = await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'lasting' })
    const later = callerOf(server.url, secret)
    await sweepAfter(server, 30 * day - minute)
    expect(await leftOf(server, run.id)).toEqual(before)
    expect(await sweepAfter(server, 30 * day + minute)).toMatchObject({ runs: expect.any(Number) as number })
    expect(await leftOf(server, run.id)).toEqual(nothing)
    for (const path of ['', '/steps', '/events']) expect((await refusal(later.call('GET', `/v1/runs/${run.id}${path}`))).code).toBe('run_missing')
    expect((await refusal(later.call('GET', `/v1/pauses/${pause!.id}`))).code).toBe('pause_missing')
    await sweepAfter(server, 3_000 * day)
    expect((await later.get(live)).status).toBe('waiting')
  })

  test('whose definition says how long it is kept goes by that, sooner or later than others', async () => {
    await using server = await testServer()
    const [soon, late, plain] = [await server.run(retained(3_600)), await server.run(retained(60 * 86_400)), await server.run(flow({ a: values({}) }))]
    const there = async () => Promise.all([soon, late, plain].map(({ id }) => rowsOf(server, 'runs', 'id = $1', [id])))
    await sweepAfter(server, hour - minute)
    expect(await there()).toEqual([1, 1, 1])
    await sweepAfter(server, hour + minute)
    expect(await there()).toEqual([0, 1, 1])
    await sweepAfter(server, 60 * day - hour, { runs: null })
    expect(await there()).toEqual([0, 1, 1])
    await sweepAfter(server, 60 * day - hour)
    expect(await there()).toEqual([0, 1, 0])
    await sweepAfter(server, 60 * day + hour, { runs: null })
    expect(await there()).toEqual([0, 0, 0])
  })

  test('goes with the runs that it started, and stays while one of them has not ended, however deep', async () => {
    await using server = await testServer()
    const inner = await server.workflow(flow({ a: values({ x: 1 }) }), 'Inner')
    const middle = await server.workflow(flow({ s: subworkflow(inner.id) }), 'Middle')
    const outer = await server.run(flow({ s: subworkflow(middle.id) }))
    const children = await server.db.database.query<{ id: string }>('select id from runs where parent_run_id is not null order by depth')
    expect(children).toHaveLength(2)
    const live = (id: string, ended: string) => server.db.database.query(`update runs set ended_at = ${ended} where id = $1`, [id])
    for (const { id } of children) {
      await live(id, 'null')
      await sweepAfter(server, 31 * day)
      expect(await rowsOf(server, 'runs')).toBe(3)
      await live(id, 'now()')
    }
    await sweepAfter(server, 31 * day)
    for (const { id } of [outer, ...children]) expect(await leftOf(server, id)).toEqual(nothing)
  })

  test('with more descendants than a batch holds goes leaves first, and its root, which finds them again, last', async () => {
    await using server = await testServer()
    const inner = await server.workflow(flow({ a: values({ x: 1 }) }), 'Inner')
    const outer = await server.run(flow({ one: subworkflow(inner.id), two: subworkflow(inner.id) }))
    const piece = () => server.db.database.transaction((tx) => deleteRuns(tx, [outer.id], 2))
    expect(await piece()).toMatchObject({ gone: [], needed: [], all: [expect.any(String), expect.any(String)] })
    expect((await server.db.database.query<{ id: string }>('select id from runs')).map(({ id }) => id)).toEqual([outer.id])
    expect(await piece()).toEqual({ gone: [outer.id], needed: [], all: [outer.id] })
    expect(await rowsOf(server, 'runs')).toBe(0)
  })

  test('with more events than a batch holds is gone at once, its events piece by piece', async () => {
    await using server = await testServer()
    const run = await server.run(flow({ a: values({}) }))
    await server.db.database.query(
      `insert into events (workspace_id, subject_kind, subject_id, seq, type, data, at)
       select workspace_id, 'run', id, 1000 + n, 'log', '{}', now() from runs, generate_series(1, 2500) n where id = $1`,
      [run.id],
    )
    expect((await sweepAfter(server, 31 * day))['events of runs that have gone']).toBeGreaterThan(2_500)
    expect(await leftOf(server, run.id)).toEqual(nothing)
  })

  test('of a trial goes after a day', async () => {
    await using server = await testServer()
    const { id } = await server.workflow(flow({ a: values({ x: 1 }) }))
    await server.call('POST', `/v1/workflows/${id}/nodes/a/try`, {})
    const { runId } = await server.call<Trial>('POST', '/v1/node-types/static-value/try', { config: { values: {} } })
    await sweepAfter(server, day - minute)
    expect(await rowsOf(server, 'runs', 'trial is not null')).toBe(2)
    await sweepAfter(server, day + minute, { runs: null })
    expect(await rowsOf(server, 'runs', 'trial is not null')).toBe(0)
    expect(await leftOf(server, runId)).toEqual(nothing)
  })

  test('that was forked may go: the fork goes on', async () => {
    await using server = await testServer()
    const source = await server.run(flow({ a: values({ x: 1 }), s: signal('go'), out: 'output' }, ['a > s > out']), { until: 'parked' })
    await server.call('POST', `/v1/runs/${source.id}/cancel`)
    await server.wait(source)
    const fork = await server.call<{ id: string }>('POST', `/v1/runs/${source.id}/fork`, { step: 's' })
    await server.wait(fork, 'parked')
    await sweepAfter(server, 31 * day)
    expect(await rowsOf(server, 'runs', 'id = $1', [source.id])).toBe(0)
    await server.call('POST', '/v1/signals', { runId: fork.id, name: 'go', payload: 7 })
    expect((await server.wait(fork)).status).toBe('completed')
  })

  test('that is read while it goes is there or is not, and nothing in between', async () => {
    await using server = await testServer()
    const { id: workflow } = await server.workflow(flow({ a: values({}) }))
    const runs = await Promise.all(Array.from({ length: 40 }, async () => server.wait(await server.start(workflow))))
    // A login goes too, after days: it would not be told of the runs.
    const { secret: lasting } = await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'lasting' })
    const met = new Set<number>()
    let going = true
    const reading = Promise.all(
      runs.slice(0, 8).map(async ({ id }) => {
        while (going)
          for (const path of ['', '/steps', '/events?after=0'])
            met.add(
              (await fetch(`${server.url}/v1/runs/${id}${path}`, { headers: { authorization: `Bearer ${lasting}` } }).then(async (answer) => (await answer.text(), answer))).status,
            )
      }),
    )
    const streams = runs.slice(8, 16).map(async ({ id }) => {
      const answer = await fetch(`${server.url}/v1/runs/${id}/events`, { headers: { authorization: `Bearer ${lasting}`, accept: 'text/event-stream' } })
      expect(await answer.text()).not.toContain('internal')
      met.add(answer.status)
    })
    await sweepAfter(server, 31 * day)
    await Promise.all(streams)
    going = false
    await reading
    expect([...met].sort()).toEqual([200, 404])
  })
})

describe('deleting a run', () => {
  test('takes an ended one at once, with its steps, its events and the runs it started', async () => {
    await using server = await testServer()
    const inner = await server.workflow(flow({ a: values({ x: 1 }) }), 'Inner')
    const outer = await server.run(flow({ s: subworkflow(inner.id) }))
    const [child] = await server.db.database.query<{ id: string }>('select id from runs where parent_run_id = $1', [outer.id])
    const refused = await refusal(server.call('DELETE', `/v1/runs/${child!.id}`))
    expect([refused.status, refused.code, refused.details]).toEqual([409, 'run_is_child', { parentRunId: outer.id }])
    await server.call('DELETE', `/v1/runs/${outer.id}`)
    expect([await leftOf(server, outer.id), await leftOf(server, child!.id)]).toEqual([nothing, nothing])
    expect((await refusal(server.call('DELETE', `/v1/runs/${outer.id}`))).code).toBe('run_missing')
  })

  test('takes its own events and leaves those of others to the sweeper, however many they are', async () => {
    await using server = await testServer()
    // A worker that sweeps as it starts has done so.
    await sweepAfter(server, 0)
    const [one, other] = [await server.run(flow({ a: values({}) })), await server.run(flow({ a: values({}) }))]
    const told = await rowsOf(server, 'events', 'subject_id = $1', [other.id])
    await server.db.database.query('insert into runs_gone values ($1)', [other.id])
    await server.call('DELETE', `/v1/runs/${one.id}`)
    expect(await leftOf(server, one.id)).toEqual({ ...nothing, left: 1 })
    expect(await rowsOf(server, 'events', 'subject_id = $1', [other.id])).toBe(told)
  })

  test('leaves a key that is spent, and every door to it closed with a 404', async () => {
    await using server = await testServer()
    const { id: workflow } = await server.workflow(flow({ ask: approval(), out: 'output' }, ['ask > out']))
    const start = () => server.start(workflow, { idempotencyKey: 'once' })
    const follow = `/v1/events?after=${(await server.stream('/v1/events').next()).value!.item.cursor}`
    const run = await start()
    await server.wait(run, 'parked')
    const [pause] = await server.pauses(run)
    await server.decide(pause!, 'approve')
    await server.wait(run)
    await server.call('DELETE', `/v1/runs/${run.id}`)
    const doors: [() => Promise<unknown>, string][] = [
      [start, 'run_missing'],
      [() => server.call('GET', `/v1/runs/${run.id}`), 'run_missing'],
      [() => server.call('GET', `/v1/runs/${run.id}/wait?until=finished&ms=20000`), 'run_missing'],
      [() => server.call('GET', `/v1/runs/${run.id}/steps`), 'run_missing'],
      [() => server.call('GET', `/v1/runs/${run.id}/events?after=1`), 'run_missing'],
      [() => server.call('POST', `/v1/runs/${run.id}/cancel`), 'run_missing'],
      [() => server.call('POST', `/v1/runs/${run.id}/fork`, { step: 'ask' }), 'run_missing'],
      [() => server.call('DELETE', `/v1/runs/${run.id}`), 'run_missing'],
      [() => server.call('POST', '/v1/signals', { runId: run.id, name: 'x', payload: 1 }), 'run_missing'],
      [() => server.call('POST', '/v1/signals', { runId: run.id, name: 'x', payload: 1, idempotencyKey: 'k' }), 'run_missing'],
      [() => server.decide(pause!, 'approve'), 'pause_missing'],
    ]
    for (const [at, [door, code]] of doors.entries()) {
      const { status, code: said } = await refusal(door())
      expect([at, status, said]).toEqual([at, 404, code])
    }
    expect((await server.stream(follow).next()).value!.item.type).toBe('resync')
  })

  test('is refused while it, or one that it started, is live', async () => {
    await using server = await testServer()
    const run = await server.run(flow({ s: signal('x') }), { until: 'parked' })
    expect((await refusal(server.call('DELETE', `/v1/runs/${run.id}`))).code).toBe('run_live')
    const inner = await server.workflow(flow({ a: values({}) }), 'Inner')
    const outer = await server.run(flow({ s: subworkflow(inner.id) }))
    await server.db.database.query('update runs set ended_at = null where parent_run_id = $1', [outer.id])
    expect((await refusal(server.call('DELETE', `/v1/runs/${outer.id}`))).code).toBe('run_live')
    expect(await rowsOf(server, 'runs')).toBe(3)
  })

  test('just after its end leaves its lane to the next one', async () => {
    await using server = await testServer()
    const { id: workflow } = await server.workflow(flow({ d: delay(50) }))
    const lane = { key: 'one', whenBusy: 'queue' } as const
    const [first, second] = [await server.start(workflow, { lane }), await server.start(workflow, { lane })]
    await server.wait(first)
    await server.call('DELETE', `/v1/runs/${first.id}`)
    expect((await server.wait(second)).status).toBe('completed')
  })

  test('tells who resumes before it to start anew: nothing is missed without a word', async () => {
    await using server = await testServer()
    const cursor = (await server.stream('/v1/events').next()).value!.item.cursor
    const run = await server.run(flow({ a: values({}) }))
    await server.call('DELETE', `/v1/runs/${run.id}`)
    expect((await server.stream(`/v1/events?after=${cursor}`).next()).value!.item.type).toBe('resync')
  })
})

describe('a deleted workflow', () => {
  test('goes with its versions thirty days after its deletion, once none of its runs is left', async () => {
    await using server = await testServer()
    const { id } = await server.workflow(retained(90 * 86_400))
    await server.wait(await server.start(id))
    const { id: other } = await server.workflow(flow({ a: values({}) }), 'Other')
    await server.wait(await server.start(other))
    for (const each of [id, other]) await server.call('DELETE', `/v1/workflows/${each}`)
    const there = async () =>
      Promise.all([id, other].map(async (each) => [await rowsOf(server, 'workflows', 'id = $1', [each]), await rowsOf(server, 'versions', 'workflow_id = $1', [each])]))
    await sweepAfter(server, 30 * day - minute)
    expect(await there()).toEqual([
      [1, 1],
      [1, 1],
    ])
    await sweepAfter(server, 30 * day + minute)
    expect(await there()).toEqual([
      [1, 1],
      [0, 0],
    ])
    await sweepAfter(server, 91 * day)
    expect(await there()).toEqual([
      [0, 0],
      [0, 0],
    ])
  })

  test('takes the files of its draft at once, but for those that something else uses', async () => {
    await using server = await testServer()
    const { id } = await server.workflow(flow({ a: values({}) }))
    const files = await upload(server, 3)
    await server.db.database.query(`insert into file_uses select unnest($1::text[]), 'workflow', $2`, [files.slice(0, 2), id])
    await server.db.database.query(`insert into file_uses values ($1, 'run', 'another')`, [files[1]])
    await server.db.database.query('update files set unused_at = null where id = any($1)', [files.slice(0, 2)])
    await server.call('DELETE', `/v1/workflows/${id}`)
    const left = await server.db.database.query<{ id: string; used: boolean }>('select id, unused_at is null as used from files order by id')
    expect(left).toEqual([
      { id: files[1], used: true },
      { id: files[2], used: false },
    ])
  })
})

async function upload(server: TestServer, count: number): Promise<string[]> {
  const form = new FormData()
  for (let n = 0; n < count; n++) form.append('file', new Blob([`file ${n}`]), `${n}.txt`)
  const answer = await fetch(`${server.url}/v1/files`, { method: 'POST', body: form, headers: { authorization: `Bearer ${server.token}` } })
  return ((await answer.json()) as { files: { id: string }[] }).files.map(({ id }) => id)
}

describe('the log', () => {
  test('keeps events of runs with their run and all others a day; who resumes before that starts anew, and then misses nothing', async () => {
    await using server = await testServer()
    const cursor = (await server.stream('/v1/events').next()).value!.item.cursor
    const run = await server.run(flow({ a: values({}) }))
    const records = `subject_kind <> 'run'`
    const told = await rowsOf(server, 'events', records)
    expect(told).toBeGreaterThan(0)
    await sweepAfter(server, day - minute)
    expect(await rowsOf(server, 'events', records)).toBe(told)
    expect((await server.stream(`/v1/events?after=${cursor}`).next()).value!.item.type).not.toBe('resync')
    await sweepAfter(server, day + minute)
    expect(await rowsOf(server, 'events', records)).toBe(0)
    expect((await server.events(run)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])

    const items = server.stream(`/v1/events?after=${cursor}`)
    expect((await items.next()).value!.item.type).toBe('resync')
    const snapshot = (await items.next()).value!.item as SnapshotEvent
    expect(snapshot.type).toBe('snapshot')
    const next = await server.run(flow({ b: values({}) }))
    const seen: number[] = []
    for await (const { item } of server.stream(`/v1/events?after=${snapshot.cursor}`)) {
      const event = item as Event
      if (event.subject.id === next.id) seen.push(event.seq)
      if (event.type === 'run.completed') break
    }
    expect(seen).toEqual([1, 2, 3, 4, 5])
  })
})

// ── everything else, by its own time ─────────────────────────────────────────────────────────────────────────────────────

const workspace = '(select id from workspaces limit 1)'
const user = '(select id from users limit 1)'
/** How one row of each comes to be, as of now, and how long it is kept. */
const kinds: [table: string, insert: string, keeps: number, where?: string][] = [
  ['idempotency', `insert into idempotency (workspace_id, actor, key, fingerprint, reply) values (${workspace}, 'a', 'k', 'f', '{}')`, day, `key = 'k'`],
  ['password_tokens', `insert into password_tokens (hash, user_id, expires_at) values ('x', ${user}, now() + interval '1 hour')`, hour],
  [
    'refresh_tokens',
    `insert into refresh_tokens (hash, family, user_id, workspace_id, token_epoch, expires_at) values ('x', 'f', ${user}, ${workspace}, 1, now() + interval '1 hour')`,
    hour,
    `family = 'f'`,
  ],
  ['tickets', `insert into tickets (hash, principal, expires_at) values ('x', '{}', now() + interval '1 hour')`, hour],
  [
    'audit',
    `insert into audit (id, workspace_id, at, action, outcome, details, request_id, ip) values ('__ID__', ${workspace}, now(), 'kept', 'done', '{}', '', '')`,
    365 * day,
    `action = 'kept'`,
  ],
  ['rate_limits', `insert into rate_limits values ('k', 1, extract(epoch from now()) * 1000)`, hour],
  ['files', `insert into files (id, workspace_id, owner_id, name, content_type, bytes) values ('00coming0000000', ${workspace}, 'o', 'n', 't', 1)`, hour, 'stored_at is null'],
  [
    'files',
    `insert into files (id, workspace_id, owner_id, name, content_type, bytes, stored_at, unused_at) values ('00unused0000000', ${workspace}, 'o', 'n', 't', 1, now(), now())`,
    day,
    'stored_at is not null',
  ],
]

test.for(kinds)('rows of %s go when they are due, and not before', async ([table, insert, keeps, where], { expect: that }) => {
  await using server = await testServer()
  const id = `${Date.now().toString(36).padStart(9, '0')}zzzzzz`
  await server.db.database.query(insert.replace('__ID__', id))
  await sweepAfter(server, keeps - minute)
  that(await rowsOf(server, table, where)).toBe(1)
  await sweepAfter(server, keeps + minute)
  that(await rowsOf(server, table, where)).toBe(0)
})

test('what uses a file keeps it, however long; what is kept for ever is kept', async () => {
  await using server = await testServer()
  const [used, unused] = await upload(server, 2)
  await server.db.database.query(`insert into file_uses values ($1, 'session', 's')`, [used])
  await server.db.database.query('update files set unused_at = null where id = $1', [used])
  await sweepAfter(server, 900 * day, { runs: null, events: null, keys: null, files: null, audit: null })
  expect(await rowsOf(server, 'files')).toBe(2)
  expect(await rowsOf(server, 'events')).toBeGreaterThanOrEqual(0)
  await sweepAfter(server, 900 * day)
  expect(await rowsOf(server, 'files', 'id = $1', [used])).toBe(1)
  expect(await rowsOf(server, 'files', 'id = $1', [unused])).toBe(0)
})

describe('sweepers', () => {
  test('of several servers, and people who delete, do each other no harm', async () => {
    await using server = await testServer()
    const { id: workflow } = await server.workflow(flow({ a: values({}) }))
    const runs = await Promise.all(Array.from({ length: 120 }, async () => server.wait(await server.start(workflow))))
    const keep = await server.run(flow({ s: signal('x') }), { until: 'parked' })
    complaints.length = 0
    const swept = await Promise.all([
      ...Array.from({ length: 4 }, () => sweepAfter(server, 31 * day)),
      ...runs.slice(0, 20).map(async ({ id }) => {
        await server.call('DELETE', `/v1/runs/${id}`).catch((error: unknown) => expect(error).toMatchObject({ code: 'run_missing' }))
        return {}
      }),
    ])
    expect(swept).toHaveLength(24)
    expect(complaints).toEqual([])
    expect(await rowsOf(server, 'runs')).toBe(1)
    expect(await rowsOf(server, 'runs_gone')).toBe(0)
    expect(await rowsOf(server, 'events', `subject_kind = 'run' and subject_id <> $1`, [keep.id])).toBe(0)
  })

  test('whose batch is more than a statement has time for take smaller ones, and all of it goes', async () => {
    await using server = await testServer()
    const { id: workflow } = await server.workflow(flow({ a: values({}) }))
    await Promise.all(Array.from({ length: 12 }, async () => server.wait(await server.start(workflow))))
    await server.db.database.query(
      `create function too_slow() returns trigger language plpgsql as $$ begin
         if (select count(*) from gone) > 7 then raise exception 'canceling statement due to statement timeout' using errcode = '57014'; end if;
         return null;
       end $$;
       create trigger too_slow after delete on runs referencing old table as gone for each statement execute function too_slow()`,
    )
    expect(await sweepAfter(server, 31 * day)).toMatchObject({ runs: 12 })
    expect(await rowsOf(server, 'runs')).toBe(0)
  })

  test('that are stopped end with their batch, and begin no other', async () => {
    await using server = await testServer()
    await server.run(flow({ a: values({}) }))
    const sweeper = sweeperOf(server, { runs: 1 })
    await sweeper.stop()
    expect(await sweeper.sweep(new Date(Date.now() + day))).toEqual({ swept: {}, whole: false })
    sweeper.start()
    await sweeper.stop()
    expect(await rowsOf(server, 'runs')).toBe(1)
  })

  test('of a server take away what its settings say', async () => {
    await using server = await testServer({ SLUICE_RETENTION: 'runs=1s' })
    const run = await server.run(flow({ a: values({}) }))
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    await using _second = await server.another()
    // It sweeps when it starts.
    const end = Date.now() + 15_000
    while ((await rowsOf(server, 'events', 'subject_id = $1', [run.id])) > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await leftOf(server, run.id)).toEqual(nothing)
  })
})
