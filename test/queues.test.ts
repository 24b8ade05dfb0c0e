import { type Json, limits, type Page, type Queue, type QueueItem, type QueueState, type Run } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { defaultPeriods } from '../packages/server/src/retention/periods.ts'
import { createSweeper } from '../packages/server/src/retention/sweeper.ts'
import { createLog } from '../packages/server/src/telemetry.ts'
import { flow, type FlowNode, post, signal, values } from './support/flow.ts'
import { eventually } from './support/processes.ts'
import { type Caller, callerOf, refusal, testServer, type TestServer } from './support/server.ts'

const hour = 3_600_000

const push = async (to: Caller, queue: string, items: Json[], idempotencyKey?: string): Promise<string[]> =>
  (await to.call<{ ids: string[] }>('POST', `/v1/queues/${queue}/items`, { items, ...(idempotencyKey !== undefined && { idempotencyKey }) })).ids
const bind = (to: Caller, queue: string, trigger: { workflow: string; concurrency?: number } | null): Promise<Queue> => to.call('PUT', `/v1/queues/${queue}`, { trigger })
const stateOf = (of: Caller, queue: string): Promise<QueueState> => of.call('GET', `/v1/queues/${queue}`)
const itemsOf = async (of: Caller, queue: string, more = ''): Promise<QueueItem[]> => (await of.call<Page<QueueItem>>('GET', `/v1/queues/${queue}/items?limit=100${more}`)).items
const runsOf = async (of: Caller, workflow: string): Promise<Run[]> => (await of.call<Page<Run>>('GET', `/v1/runs?workflow=${workflow}&limit=100&order=id`)).items
const counts = async (of: Caller, queue: string) => {
  const { waiting, taken, dead } = await stateOf(of, queue)
  return { waiting, taken, dead }
}
const pushing = (queue: string, more: Record<string, Json> = {}): FlowNode => ({ type: 'queue-push', config: { queue, ...more } })
const reading = (queue: string): FlowNode => ({ type: 'queue-reader', config: { queue } })
/** A step of a run waits for an item. */
const listens = async (server: TestServer, run: { id: string }): Promise<boolean> =>
  (await server.db.database.query('select from listeners where run_id = $1', [run.id])).length > 0
const untilListening = (server: TestServer, run: { id: string }): Promise<void> => eventually('the reader waits', () => listens(server, run))

const passing = flow({ item: 'input', out: 'output' }, ['item > out'])

describe('an item', () => {
  test('starts one run of the workflow that its queue is bound to, with itself as input, whatever it is', async () => {
    await using server = await testServer()
    const { id: workflow } = await server.workflow(passing)
    expect(await bind(server, 'orders', { workflow })).toMatchObject({ name: 'orders', trigger: { workflowId: workflow, concurrency: 10 } })
    const given = [{ n: 1 }, 'two', null, [4], false]
    const ids = await push(server, 'orders', given)
    expect(ids).toHaveLength(5)
    await eventually('all were taken', async () => (await counts(server, 'orders')).taken === 5)
    for (const item of await itemsOf(server, 'orders')) {
      const run = await server.wait(item.runId!)
      expect(run).toMatchObject({ status: 'completed', trigger: 'queue', transactionId: item.id, input: item.payload, output: item.payload })
      expect(item).toMatchObject({ status: 'taken', tries: 0, error: null, takenAt: expect.any(String) as string })
    }
    expect((await runsOf(server, workflow)).map((run) => run.transactionId)).toEqual(ids)
  })

  test('is pushed once under its key, with all that came along, in their order', async () => {
    await using server = await testServer()
    const ids = await push(server, 'orders', ['a', 'b', 'c'], 'key')
    expect(await push(server, 'orders', ['a', 'b', 'c'], 'key')).toEqual(ids)
    expect((await refusal(push(server, 'orders', ['a', 'c', 'b'], 'key'))).code).toBe('idempotency_conflict')
    const together = await Promise.all(Array.from({ length: 8 }, () => push(server, 'orders', ['d'], 'at once')))
    expect(new Set(together.flat()).size).toBe(1)
    expect((await itemsOf(server, 'orders')).map(({ payload }) => payload)).toEqual(['a', 'b', 'c', 'd'])
    expect(await stateOf(server, 'orders')).toMatchObject({ waiting: 4, taken: 0, dead: 0, oldest: (await itemsOf(server, 'orders'))[0]!.pushedAt })
  })

  test('that is large is listed by its size, and given whole when it is asked for', async () => {
    await using server = await testServer()
    const large = 'x'.repeat(100_000)
    const [id] = await push(server, 'orders', [large])
    expect((await itemsOf(server, 'orders'))[0]!.payload).toEqual({ truncated: 100_002 })
    expect((await server.call<QueueItem>('GET', `/v1/queues/orders/items/${id}`)).payload).toBe(large)
    expect((await refusal(server.call('GET', `/v1/queues/others/items/${id}`))).code).toBe('item_missing')
  })

  test('that cannot start its run is tried again, others go before it; at last it is dead, shown with its error, and can be retried', { timeout: 90_000 }, async () => {
    await using server = await testServer()
    const definition = flow({ item: { type: 'input', config: { schema: { type: 'number' } } }, out: 'output' }, ['item > out'])
    const { id: workflow } = await server.workflow(definition)
    await bind(server, 'numbers', { workflow, concurrency: 1 })
    const [bad, good] = await push(server, 'numbers', ['one', 2])
    const item = (id: string | undefined): Promise<QueueItem> => server.call('GET', `/v1/queues/numbers/items/${id}`)
    await eventually('the next one was not kept waiting', async () => (await item(good)).status === 'taken')
    await eventually('it was tried more than once', async () => (await item(bad)).tries > 1)
    expect(await item(bad)).toMatchObject({ status: 'waiting', retryAt: expect.any(String) as string, error: { code: 'input_invalid' }, runId: null })

    await server.db.database.query('update queue_items set tries = 9, due_at = now() where id = $1', [bad])
    await eventually('it is dead', async () => (await item(bad)).status === 'dead')
    expect(await item(bad)).toMatchObject({ tries: 10, retryAt: null, error: { code: 'input_invalid', details: { issues: [expect.objectContaining({ nodeId: 'item' })] } } })
    expect(await counts(server, 'numbers')).toEqual({ waiting: 0, taken: 1, dead: 1 })
    expect((await itemsOf(server, 'numbers', '&status=dead')).map(({ id }) => id)).toEqual([bad])

    await server.call('PATCH', `/v1/workflows/${workflow}`, { definition: passing })
    expect(await server.call('POST', '/v1/queues/numbers/retry', { ids: [good] })).toEqual({ count: 0 })
    expect(await server.call('POST', '/v1/queues/numbers/retry', {})).toEqual({ count: 1 })
    await eventually('it was taken', async () => (await item(bad)).status === 'taken')
    expect(await server.wait((await item(bad)).runId!)).toMatchObject({ status: 'completed', output: 'one' })
    expect(await server.call('POST', '/v1/queues/numbers/retry', {})).toEqual({ count: 0 })
  })

  test('that was taken is kept for a day, and longer while its run is live; others stay', { timeout: 60_000 }, async () => {
    await using server = await testServer()
    const { id: workflow } = await server.workflow(flow({ item: 'input', s: signal('go') }, ['item > s']))
    await bind(server, 'orders', { workflow, concurrency: 1 })
    const [first] = await push(server, 'orders', [1, 2])
    await eventually('one runs', async () => (await counts(server, 'orders')).taken === 1)
    const sweep = async (ms: number) => {
      const sweeper = createSweeper({ database: server.db.database, periods: { ...defaultPeriods, runs: null }, log: createLog({ level: 'error', write: () => {} }) })
      await eventually('a whole round', async () => (await sweeper.sweep(new Date(Date.now() + ms))).whole)
    }
    await sweep(25 * hour)
    expect(await counts(server, 'orders')).toEqual({ waiting: 1, taken: 1, dead: 0 })
    const [run] = await runsOf(server, workflow)
    await server.call('POST', '/v1/signals', { runId: run!.id, name: 'go' })
    await server.wait(run!)
    await eventually('the next one runs', async () => (await counts(server, 'orders')).taken === 2)
    await sweep(23 * hour)
    expect((await itemsOf(server, 'orders')).map(({ id }) => id)).toContain(first)
    await sweep(25 * hour)
    expect(await itemsOf(server, 'orders')).toMatchObject([{ payload: 2, status: 'taken' }])
  })
})

describe('a queue', () => {
  test('has its runs one after another in the order of its items, at most so many at a time', { timeout: 60_000 }, async () => {
    await using server = await testServer()
    await server.another()
    const { id: workflow } = await server.workflow(flow({ item: 'input', call: post(`${server.toy.url}/slow/400/call`) }, ['item > call']))
    await bind(server, 'calls', { workflow, concurrency: 2 })
    const ids = [...(await push(server, 'calls', [0, 1, 2, 3, 4])), ...(await push(server, 'calls', [5, 6, 7, 8, 9]))]
    await eventually('all were taken', async () => (await counts(server, 'calls')).taken === 10, 30_000)
    const runs = await runsOf(server, workflow)
    for (const run of runs) await server.wait(run)
    const byStart = runs.toSorted((one, other) => (one.created < other.created ? -1 : one.created > other.created ? 1 : Number(one.transactionId! > other.transactionId!)))
    expect(byStart.map((run) => run.transactionId)).toEqual(ids)
    expect(server.toy.visits('call')).toHaveLength(10)
    expect(server.toy.mostAtOnce('call')).toBeLessThanOrEqual(2)
  })

  test('that is full refuses what is one too many, all of it, and takes it when there is room', { timeout: 60_000 }, async () => {
    await using server = await testServer()
    await push(server, 'full', ['first'])
    const workspace = (await server.call<{ workspace: { id: string } }>('GET', '/v1/auth/me')).workspace.id
    await server.db.database.query(
      `insert into queue_items (id, workspace_id, queue, payload, bytes, status)
      select 'i' || lpad(n::text, 14, '0'), $1, 'full', '0', 1, case when n % 2 = 0 then 'dead' else 'waiting' end from generate_series(1, $2::int) as n`,
      [workspace, limits.queueItems - 2],
    )
    expect(await refusal(push(server, 'full', ['a', 'b']))).toMatchObject({ status: 422, code: 'queue_full', details: { unread: limits.queueItems - 1 } })
    expect(await counts(server, 'full')).toEqual({ waiting: limits.queueItems / 2, taken: 0, dead: limits.queueItems / 2 - 1 })
    const answers = await Promise.allSettled(Array.from({ length: 4 }, () => push(server, 'full', ['a'])))
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await push(server, 'other', ['a'])
    await server.call('DELETE', '/v1/queues/full')
    expect((await refusal(stateOf(server, 'full'))).code).toBe('queue_missing')
    expect(await server.db.database.query(`select from queue_items where queue = 'full'`)).toEqual([])
    await push(server, 'full', ['a', 'b'])
    expect(await counts(server, 'full')).toEqual({ waiting: 2, taken: 0, dead: 0 })
  })

  test('of another workspace has the same name and nothing else in common', async () => {
    await using server = await testServer()
    const { id: workflow } = await server.workflow(passing)
    await bind(server, 'orders', { workflow })
    const elsewhere = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere', handle: 'elsewhere' })
    const there = callerOf(server.url, (await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: elsewhere.id })).token)
    const [strange] = await push(there, 'orders', ['there'])
    expect((await stateOf(there, 'orders')).trigger).toBeNull()
    expect((await refusal(bind(there, 'orders', { workflow }))).code).toBe('workflow_missing')
    await push(server, 'orders', ['here'])
    await eventually('it was taken', async () => (await counts(server, 'orders')).taken === 1)
    expect(await counts(there, 'orders')).toEqual({ waiting: 1, taken: 0, dead: 0 })
    expect((await refusal(server.call('GET', `/v1/queues/orders/items/${strange}`))).code).toBe('item_missing')
    await server.db.database.query(`update queue_items set status = 'dead' where id = $1`, [strange])
    expect(await server.call('POST', '/v1/queues/orders/retry', { ids: [strange] })).toEqual({ count: 0 })
    await server.call('DELETE', '/v1/queues/orders')
    expect(await counts(there, 'orders')).toEqual({ waiting: 0, taken: 0, dead: 1 })
  })

  test('whose workflow is deleted keeps its items for who reads them, and may be bound to another', async () => {
    await using server = await testServer()
    const { id: workflow } = await server.workflow(flow({ item: 'input', s: signal('go') }, ['item > s']))
    await bind(server, 'orders', { workflow, concurrency: 1 })
    await push(server, 'orders', [1, 2])
    await eventually('one runs', async () => (await counts(server, 'orders')).taken === 1)
    await server.call('DELETE', `/v1/workflows/${workflow}`)
    expect(await stateOf(server, 'orders')).toMatchObject({ trigger: null, waiting: 1, taken: 1, dead: 0 })
    await bind(server, 'orders', { workflow: (await server.workflow(passing)).id })
    await eventually('the other was taken', async () => (await counts(server, 'orders')).taken === 2)
    expect(await bind(server, 'orders', null)).toMatchObject({ trigger: null })
  })

  test('is refused a name that is none, and a workspace more of them than it may have', async () => {
    await using server = await testServer()
    for (const name of ['a b', 'x'.repeat(101), '%C3%A4']) expect((await refusal(push(server, name, [1]))).code).toBe('input_invalid')
    expect((await refusal(push(server, 'q', []))).code).toBe('input_invalid')
    expect(
      (
        await refusal(
          push(
            server,
            'q',
            Array.from({ length: 101 }, () => 1),
          ),
        )
      ).code,
    ).toBe('input_invalid')
    const workspace = (await server.call<{ workspace: { id: string } }>('GET', '/v1/auth/me')).workspace.id
    await server.db.database.query(`insert into queues (workspace_id, name) select $1, 'q' || n from generate_series(1, $2::int) as n`, [workspace, limits.queues])
    await push(server, 'q1', [1])
    expect((await refusal(push(server, 'one-more', [1]))).code).toBe('limit_exceeded')
    expect((await refusal(stateOf(server, 'one-more'))).code).toBe('queue_missing')
  })
})

describe('a run', () => {
  test('pushes with the result of its step, and once however often the step is tried', async () => {
    await using server = await testServer()
    const run = await server.run(flow({ a: values({ n: 1 }), p: pushing('out'), q: pushing('out', { value: '{{ nodes.a.n }}' }), end: 'output' }, ['a > p > q > end']))
    expect(run).toMatchObject({ status: 'completed', output: 1 })
    expect((await itemsOf(server, 'out')).map(({ payload }) => payload)).toEqual([{ n: 1 }, 1])
    expect((await server.run(flow({ p: pushing('no queue') }))).reason).toMatchObject({ code: 'step_failed' })
  })

  test(
    'that reads a queue is given its items one after another, before the workflow that the queue starts; of two that read, each gets its share',
    { timeout: 60_000 },
    async () => {
      await using server = await testServer()
      const { id: workflow } = await server.workflow(passing)
      const reader = flow({ r: reading('orders'), echo: pushing('echo') }, ['r > echo'])
      const one = await server.run(reader, { until: 'parked' })
      const other = await server.run(reader, { until: 'parked' })
      await untilListening(server, one)
      await untilListening(server, other)
      for (let n = 0; n < 6; n += 2) {
        await push(server, 'orders', [n, n + 1])
        await eventually('both were given one', async () => (await counts(server, 'orders')).taken === n + 2)
        await untilListening(server, one)
        await untilListening(server, other)
      }
      expect((await itemsOf(server, 'orders')).map(({ runId }) => runId).sort()).toEqual([one.id, one.id, one.id, other.id, other.id, other.id].sort())
      await eventually('all came through', async () => (await counts(server, 'echo')).waiting === 6)

      await bind(server, 'orders', { workflow })
      await push(server, 'orders', ['read'])
      await eventually('it was taken', async () => (await counts(server, 'orders')).taken === 7)
      expect(await runsOf(server, workflow)).toEqual([])
      for (const run of [one, other]) await server.call('POST', `/v1/runs/${run.id}/cancel`, {})
      await push(server, 'orders', ['started'])
      await eventually('it started a run', async () => (await runsOf(server, workflow)).length === 1)
    },
  )
})
