import type { Json, Page, QueueItem, QueueState } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { createDispatcher } from '../../packages/server/src/queues/dispatch.ts'
import type { Doorbell } from '../../packages/server/src/events/doorbell.ts'
import { type Database, Outage } from '../../packages/server/src/store/database.ts'
import { takeItem } from '../../packages/server/src/store/rows/queues.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { createMetrics } from '../../packages/server/src/telemetry/metrics.ts'
import { testDatabase } from '../support/database.ts'
import { cases } from '../support/effort.ts'
import { flow } from '../support/flow.ts'
import { eventually } from '../support/processes.ts'
import { createRig, type Rig, type Server } from '../support/rig.ts'

const passing = flow({ item: 'input', out: 'output' }, ['item > out'])

/** Pushes so many items, in batches, at whichever server answers; under keys, so that a lost answer costs nothing. */
async function pushAll(servers: readonly Server[], queue: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += 10) {
    const body = { items: Array.from({ length: 10 }, (_, n) => from + n), idempotencyKey: `${queue}.${from}` }
    for (let tries = 0; ; tries++) {
      const { status } = await servers[tries % servers.length]!.call('POST', `/v1/queues/${queue}/items`, body)
      if (status === 201) break
      if (tries > 50) throw new Error(`refused: ${status}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

const takenBy = async (rig: Rig, queue: string): Promise<{ item: string; payload: Json; run: string | null }[]> =>
  rig.database.query(`select id as item, payload, run_id as run from queue_items where queue = $1 and status = 'taken' order by due_at, position`, [queue])

/** Every item started one run, which ended well, and no run was started by none. */
async function checkStarts(rig: Rig, workflow: string, queue: string, count: number): Promise<void> {
  const taken = await takenBy(rig, queue)
  const runs = await rig.database.query<{ id: string; transaction_id: string; input: Json; status: string }>(
    'select id, transaction_id, input, status from runs where workflow_id = $1 order by id',
    [workflow],
  )
  expect(taken.map(({ payload }) => payload)).toEqual(Array.from({ length: count }, (_, n) => n))
  expect(new Map(runs.map((run) => [run.transaction_id, { run: run.id, payload: run.input, status: run.status }]))).toEqual(
    new Map(taken.map(({ item, run, payload }) => [item, { run, payload, status: 'completed' }])),
  )
  expect(runs).toHaveLength(count)
}

describe.concurrent('a queue', () => {
  test('of which a server is killed with -9 again and again: every item starts one run, and none is lost', { timeout: cases(240_000, 900_000) }, async () => {
    await using rig = await createRig()
    const kills = cases(3, 15)
    const count = kills * 100
    const first = await rig.serve()
    const steady = await rig.serve()
    const workflow = await rig.workflow(passing)
    await first.call('PUT', '/v1/queues/orders', { trigger: { workflow, concurrency: 20 } })
    const pushed = pushAll([steady], 'orders', count)
    let killed = first
    for (let number = 0; number < kills; number++) {
      const taken = 20 + number * 70
      await rig.until(`${taken} were taken`, async () => (await takenBy(rig, 'orders')).length >= taken, 60_000)
      await killed.kill()
      killed = await rig.serve()
    }
    await pushed
    await rig.until('all were taken', async () => (await takenBy(rig, 'orders')).length === count, 60_000)
    await rig.ended(
      (await takenBy(rig, 'orders')).map(({ run }) => run!),
      60_000,
    )
    await checkStarts(rig, workflow, 'orders', count)
  })

  test('of which the only server is killed goes on from where it was when one is started', { timeout: 240_000 }, async () => {
    await using rig = await createRig()
    const first = await rig.serve()
    const workflow = await rig.workflow(passing)
    await first.call('PUT', '/v1/queues/orders', { trigger: { workflow, concurrency: 1 } })
    await pushAll([first], 'orders', 60)
    await rig.until('some were taken', async () => (await takenBy(rig, 'orders')).length >= 5, 30_000)
    await first.kill()
    expect((await takenBy(rig, 'orders')).length).toBeLessThan(60)
    const next = await rig.serve()
    await rig.until('all were taken', async () => (await next.call<QueueState>('GET', '/v1/queues/orders')).body.taken === 60, 60_000)
    await rig.ended(
      (await takenBy(rig, 'orders')).map(({ run }) => run!),
      60_000,
    )
    await checkStarts(rig, workflow, 'orders', 60)
  })

  test('that runs read: each item comes to one of them and is pushed on once, whoever is killed', { timeout: 240_000 }, async () => {
    await using rig = await createRig()
    const count = 100
    const first = await rig.serve()
    const steady = await rig.serve()
    const reader = await rig.workflow(flow({ r: { type: 'queue-reader', config: { queue: 'in' } }, echo: { type: 'queue-push', config: { queue: 'out' } } }, ['r > echo']))
    const runs = [await first.begin(reader), await first.begin(reader)]
    const out = async (): Promise<number> => (await steady.call<QueueState>('GET', '/v1/queues/out')).body.waiting ?? 0
    const pushed = pushAll([steady], 'in', count)
    await rig.until('some came through', async () => (await out()) >= 10, 60_000)
    await first.kill()
    await pushed
    await rig.until('all came through', async () => (await out()) >= count, 90_000, runs)
    const { body } = await steady.call<Page<QueueItem>>('GET', '/v1/queues/out/items?limit=100')
    expect(body.items.map(({ payload }) => payload as number).toSorted((one, other) => one - other)).toEqual(Array.from({ length: count }, (_, n) => n))
    expect(await out()).toBe(count)
    expect(new Set((await takenBy(rig, 'in')).map(({ run }) => run))).toEqual(new Set(runs))
  })
})

/** A dispatcher over a real database, of which the engine is a toy. */
async function dispatching(startTaking: (database: Database, item: { input: Json; transactionId: string }) => Promise<string | null>) {
  const db = await testDatabase()
  const { database } = db
  await database.query(`insert into workspaces (id, handle, name) values ('w', 'w', 'W')`)
  await database.query(`insert into queues (workspace_id, name, workflow_id, concurrency) values ('w', 'q', 'f', 10)`)
  await database.query(`insert into queue_items (id, workspace_id, queue, payload, bytes) select 'i' || n, 'w', 'q', n::text::json, 1 from generate_series(1, 3) as n`)
  const quiet: Doorbell = { ring() {}, on: () => () => {}, close: async () => {} }
  const make = () =>
    createDispatcher({
      database,
      doorbell: quiet,
      engine: { deliver: async () => false, startTaking: (_actor, input) => startTaking(database, { input: input.input ?? null, transactionId: input.transactionId! }) },
      metrics: createMetrics(),
      log: createLog({ level: 'fatal', write: () => {} }),
      backoff: (failed) => (failed >= 3 ? null : 1),
    })
  const items = () => database.query<{ id: string; status: string; tries: number }>('select id, status, tries from queue_items order by id')
  return { make, items, database, [Symbol.asyncDispose]: () => db.close() }
}

describe('a dispatcher', () => {
  test('that hears of an outage when the start was committed takes no item twice and counts no failure', async () => {
    const started: Json[] = []
    await using rig = await dispatching(async (database, { input, transactionId }) => {
      started.push(input)
      await takeItem(database, transactionId, { runId: `run ${transactionId}`, live: true })
      throw new Outage('the reply was lost')
    })
    const dispatcher = rig.make()
    dispatcher.start()
    await eventually('all were taken', async () => (await rig.items()).every(({ status }) => status === 'taken'), 30_000)
    await dispatcher.stop()
    expect(started).toEqual([1, 2, 3])
    expect((await rig.items()).map(({ tries }) => tries)).toEqual([0, 0, 0])
  })

  test('counts what fails without an outage, also a bug of ours, until the item is dead', async () => {
    const tried: Json[] = []
    await using rig = await dispatching(async (_database, { input }) => {
      tried.push(input)
      throw new TypeError('a bug')
    })
    const dispatcher = rig.make()
    dispatcher.start()
    await eventually('all are dead', async () => (await rig.items()).every(({ status }) => status === 'dead'), 30_000)
    await dispatcher.stop()
    expect(tried.toSorted()).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3])
    expect((await rig.database.query('select error from queue_items')).map(({ error }) => error)).toEqual(
      Array.from({ length: 3 }, () => ({ code: 'internal', message: 'The run could not be started' })),
    )
  })

  test('does not serve what is lent to another, and does when that has fallen silent; what it holds itself it gives back when it stops', async () => {
    const started: Json[] = []
    await using rig = await dispatching(async (database, { input, transactionId }) => {
      started.push(input)
      return (await takeItem(database, transactionId, { runId: `run ${transactionId}`, live: true })) ? transactionId : null
    })
    await rig.database.query(`update queues set lent_until = now() + interval '3 seconds'`)
    const dispatcher = rig.make()
    dispatcher.start()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(started).toEqual([])
    await eventually('all were taken', async () => (await rig.items()).every(({ status }) => status === 'taken'), 30_000)
    await dispatcher.stop()
    expect(started).toEqual([1, 2, 3])
    expect(await rig.database.query('select lent_until from queues')).toEqual([{ lent_until: null }])
  })
})
