import { limits } from '@sluice/schema'
import { expect, test } from 'vitest'
import { defaultPeriods } from '../packages/server/src/retention/periods.ts'
import { createSweeper } from '../packages/server/src/retention/sweeper.ts'
import { createLog } from '../packages/server/src/telemetry.ts'
import { flow, signal } from './support/flow.ts'
import { testServer } from './support/server.ts'

test('of a run that goes on for ever the last events are kept, and those of the last day; who resumes before them begins anew', { timeout: 60_000 }, async () => {
  await using server = await testServer()
  const run = await server.start(await server.workflow(flow({ s: signal('go') })), { wait: { until: 'parked' } })
  const { database } = server.db
  // As its producers would have, over some days.
  await database.query(
    `insert into events (workspace_id, subject_kind, subject_id, seq, workflow_id, type, data, at)
     select workspace_id, 'run', id, runs.seq + n, workflow_id, 'log', '{"level":"info","message":"m"}', now() - interval '2 days' from runs, generate_series(1, $2::int) as n where id = $1`,
    [run.id, limits.eventsPerRun + 500],
  )
  await database.query(`update events set at = now() - interval '2 days' where subject_id = $1`, [run.id])
  await database.query('update runs set seq = seq + $2 where id = $1', [run.id, limits.eventsPerRun + 500])
  const oldest = async () => (await database.query<{ seq: number }>(`select min(seq) as seq from events where subject_id = $1`, [run.id]))[0]!.seq
  const sweeper = createSweeper({ database, periods: defaultPeriods, log: createLog({ level: 'error', write: () => {} }) })
  for (;;) if ((await sweeper.sweep(new Date())).whole) break
  expect(await oldest()).toBeGreaterThan(500)
  const [{ left } = { left: 0 }] = await database.query<{ left: number }>(`select count(*)::int as left from events where subject_id = $1`, [run.id])
  expect(left).toBeGreaterThanOrEqual(limits.eventsPerRun)

  for await (const { item } of server.stream(`/v1/runs/${run.id}/events?after=1`)) {
    expect(item.type).toBe('resync')
    break
  }
})
