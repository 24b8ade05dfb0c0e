import type { Schedule } from '@sluice/schema'
import { expect, test } from 'vitest'
import { flow } from '../support/flow.ts'
import { createRig, type Rig, type Server } from '../support/rig.ts'

const passing = flow({ in: 'input', out: 'output' }, ['in > out'])

interface StartedRun {
  id: string
  status: string
  transaction_id: string
}

const create = async (server: Server, input: object): Promise<Schedule> => {
  const { status, body } = await server.call<Schedule>('POST', '/v1/schedules', input)
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body
}

const startedBy = ({ database }: Rig, { id }: Schedule): Promise<(StartedRun & Record<string, unknown>)[]> =>
  database.query<StartedRun & Record<string, unknown>>(`select id, status, transaction_id from runs where transaction_id like $1 order by transaction_id`, [`schedule:${id}:%`])

const counted = async ({ database }: Rig): Promise<{ id: string; count: number; skipped: number; next_at: Date | null }[]> =>
  database.query('select id, count, skipped, next_at from schedules order by id')

/** The moments of an interval from its first on. */
const momentsOf = (schedule: Schedule, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `schedule:${schedule.id}:${new Date(Date.parse(schedule.nextAt!) + n * schedule.everyMs!).toISOString()}`)

test('servers killed with -9 while many schedules are due: each moment starts one run, and none is lost', { timeout: 180_000 }, async () => {
  await using rig = await createRig()
  const stays = await rig.serve()
  let killed = await rig.serve()
  const workflow = await rig.workflow(passing)
  const times = 14
  const made = await Promise.all(
    Array.from({ length: 12 }, (_, n) => create(n % 2 ? stays : killed, { workflow, name: `n${n}`, everyMs: 1_000, times, overlap: 'allow', missed: 'all' })),
  )
  const started = async (): Promise<number> => (await counted(rig)).reduce((sum, { count }) => sum + count, 0)
  for (const reached of [15, 60, 110]) {
    await rig.until(`${reached} were started`, async () => (await started()) >= reached, 60_000)
    await killed.kill()
    killed = await rig.serve()
  }
  await rig.until('all were started', async () => (await counted(rig)).every(({ next_at }) => next_at === null), 90_000)
  for (const schedule of made) {
    const runs = await startedBy(rig, schedule)
    expect(runs.map(({ transaction_id }) => transaction_id)).toEqual(momentsOf(schedule, times))
    await rig.ended(
      runs.map(({ id }) => id),
      60_000,
    )
  }
  expect((await counted(rig)).map(({ count, skipped }) => [count, skipped])).toEqual(made.map(() => [times, 0]))
})

test('a schedule that was due while no server was there is served when one is: in its time late, after that as it says', { timeout: 120_000 }, async () => {
  await using rig = await createRig()
  const first = await rig.serve()
  const workflow = await rig.workflow(passing)
  const hour = 3_600_000
  const [late, skip, once, all] = await Promise.all(
    (['late', 'skip', 'once', 'all'] as const).map((name) => create(first, { workflow, name, everyMs: hour, overlap: 'allow', ...(name !== 'late' && { missed: name }) })),
  )
  await first.kill()
  // Three hours and a half pass for three of them, and for one ten seconds after its moment.
  const pass = (schedule: Schedule, ms: number): Promise<unknown> =>
    rig.database.query(
      `update schedules set (anchor_at, next_at, due_at) = (anchor_at - $2 * interval '1 millisecond', next_at - $2 * interval '1 millisecond', due_at - $2 * interval '1 millisecond') where id = $1`,
      [schedule.id, ms],
    )
  await pass(late!, hour + 10_000)
  for (const schedule of [skip!, once!, all!]) await pass(schedule, 3.5 * hour)
  await rig.serve()
  await rig.until('all have gone on', async () => (await counted(rig)).every(({ next_at }) => next_at!.getTime() > Date.now()), 30_000)
  const told = new Map((await counted(rig)).map(({ id, count, skipped }) => [id, [count, skipped]]))
  expect([late!, skip!, once!, all!].map(({ id }) => told.get(id))).toEqual([
    [1, 0],
    [0, 3],
    [1, 0],
    [3, 0],
  ])
})
