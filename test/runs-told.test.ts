import { createClient, type Sluice } from '@sluice/client'
import { type ListedRun, type Page, type Run, limits } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, external, flow, template, values } from './support/flow.ts'
import { admin, refusal, type TestServer, testServer } from './support/server.ts'

let server: TestServer
let sluice: Sluice
beforeAll(async () => {
  server = await testServer()
  sluice = await createClient({ url: server.url }).auth.login(admin)
})
afterAll(() => server[Symbol.asyncDispose]())

const plain = flow({ in: 'input', out: 'output' }, ['in > out'])
const waiting = flow({ in: 'input', ship: external(), out: 'output' }, ['in > ship > out'])

describe('a list of runs', () => {
  let shop: string
  let stock: string
  const made: Record<string, Run> = {}
  const nameOf = (id: string): string | undefined => Object.entries(made).find(([, run]) => run.id === id)?.[0]
  const named = ({ items }: Page<ListedRun>): (string | undefined)[] => items.map(({ id }) => nameOf(id))
  const over = async (query: string): Promise<(string | undefined)[]> => named(await server.call<Page<ListedRun>>('GET', `/v1/runs?${query}`))

  beforeAll(async () => {
    shop = (await server.workflow(plain, 'Shop')).id
    stock = (await server.workflow(plain, 'Stock_50%')).id
    await server.call('PATCH', `/v1/workflows/${stock}`, { handle: 'stock_50' })
    const start = async (name: string, workflow: string, transactionId?: string): Promise<void> => {
      made[name] = await server.start(workflow, { ...(transactionId !== undefined && { transactionId }), wait: { until: 'finished', ms: 20_000 } })
    }
    await start('a', shop, 'order_A')
    await start('b', shop)
    await start('c', stock, 'order%C')
    await start('again', shop, 'order_A')
  })

  test('says the handle of their workflow, and is asked for by several, by id or handle; of one that is not there, there are none', async () => {
    expect(made['c']!.workflow).toBe('stock_50')
    expect(await over(`workflows=${shop}&workflows=stock_50`)).toEqual(['again', 'c', 'b', 'a'])
    expect(await over('workflows=stock_50&workflows=nowhere')).toEqual(['c'])
    expect(await over('workflows=nowhere')).toEqual([])
    expect(await over(`workflows=stock_50&workflow=${shop}`)).toEqual([])
    expect(named(await sluice.runs.list({ workflows: [] }))).toEqual([])
  })

  test('is asked for by transaction ids; a run without one goes by its own id', async () => {
    expect(await over('transactionIds=order_A&transactionIds=order%25C')).toEqual(['again', 'c', 'a'])
    expect(await over(`transactionIds=${made['b']!.id}`)).toEqual(['b'])
    expect(await over(`transactionIds=${made['a']!.id}`)).toEqual([])
  })

  test.each<[string, (string | undefined)[]]>([
    ['ORDER_', ['again', 'a']],
    ['order%', ['c']],
    ['STOCK_50', ['c']],
    ['%', ['c']],
    ['\\', []],
    ["' or 1=1 --", []],
    ['omplete', ['again', 'c', 'b', 'a']],
  ])('is searched for %s as it stands', async (q, found) => {
    expect(named(await sluice.runs.list({ q }))).toEqual(found)
  })

  test('is searched for ids of runs and workflows, beside what else is asked for', async () => {
    expect(named(await sluice.runs.list({ q: made['b']!.id.toUpperCase() }))).toEqual(['b'])
    expect(named(await sluice.runs.list({ q: shop, transactionIds: ['order_A'], order: 'created' }))).toEqual(['a', 'again'])
    expect(named(await sluice.runs.list({ q: 'order', workflows: [stock], status: 'completed' }))).toEqual(['c'])
  })

  test('is asked for and ordered by the handle of the workflow', async () => {
    expect(named(await sluice.runs.list({ where: { workflow: { contains: 'STOCK' } } }))).toEqual(['c'])
    expect(named(await sluice.runs.list({ where: { not: { workflow: { in: ['stock_50'] } } } }))).toEqual(['again', 'b', 'a'])
    expect(named(await sluice.runs.list({ where: { or: [{ workflow: 'stock_50' }, { transactionId: 'order_A' }] }, order: ['-workflow', 'created'] }))).toEqual(['c', 'a', 'again'])
  })

  test.each(['id', 'created', 'updated', 'workflowId', 'workflow', 'transactionId', 'status'] as const)(
    'by %s has one order, up and down, over pages and from an offset',
    async (field) => {
      const all = async (order: typeof field | `-${typeof field}`, more: object = {}): Promise<string[]> => {
        const ids: string[] = []
        for await (const { id } of sluice.runs.list({ order, limit: 2, ...more })) ids.push(id)
        return ids
      }
      const up = await all(field)
      expect(new Set(up).size).toBe(4)
      expect(await all(`-${field}`)).toEqual(up.toReversed())
      expect(await all(field, { offset: 1 })).toEqual(up.slice(1))
      expect((await sluice.runs.list({ order: field, offset: 2, limit: 1_000, count: true })).total).toBe(4)
    },
  )
})

describe('the run of a transaction id', () => {
  test('is the live one, else the newest, with what is asked for', async () => {
    const { id: workflow } = await server.workflow(waiting)
    const first = await server.start(workflow, { transactionId: 't', wait: { until: 'parked', ms: 20_000 } })
    await server.call('POST', `/v1/runs/${first.id}/cancel`, {})
    await server.wait(first)
    expect((await sluice.runs.find({ workflow, transactionId: 't' })).id).toBe(first.id)
    const second = await server.start(workflow, { transactionId: 't', wait: { until: 'parked', ms: 20_000 } })
    const found = await sluice.runs.find({ workflow, transactionId: 't', include: ['steps', 'version'] })
    expect([found.id, found.pinned?.number, found.steps?.map(({ nodeId, state }) => [nodeId, state])]).toEqual([
      second.id,
      1,
      [
        ['in', 'completed'],
        ['ship', 'waiting'],
      ],
    ])
  })

  test('is a run without one by its own id, in its own workflow, and never one that has another', async () => {
    const [one, other] = [await server.workflow(plain), await server.workflow(plain)]
    const bare = await server.start(one)
    const named = await server.start(one, { transactionId: 'mine' })
    expect((await sluice.runs.find({ workflow: one.id, transactionId: bare.id })).id).toBe(bare.id)
    for (const asked of [
      { workflow: other.id, transactionId: bare.id },
      { workflow: one.id, transactionId: named.id },
    ])
      await expect(sluice.runs.find(asked)).rejects.toMatchObject({ code: 'run_missing' })
  })
})

describe('a run told with its steps', () => {
  const small = { keep: 'this' }
  const large = 'x'.repeat(limits.listValueBytes + 1)

  test('has each step outside of bodies with its times, counts and undoing, in lists and by itself', async () => {
    const { id: workflow } = await server.workflow(
      flow(
        {
          in: 'input',
          ship: external({ title: 'Ship it', settings: { compensate: { type: 'external', config: {} } } }),
          bad: { type: 'code', config: { source: 'throw new Error("bad")' } },
          out: 'output',
        },
        ['in > ship > bad > out'],
      ),
    )
    const run = await server.start(workflow, { input: { a: 1 }, wait: { until: 'parked', ms: 20_000 } })
    const report = (phase: 'invoke' | 'compensate', more: object): Promise<unknown> =>
      server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'ship', phase, outcome: 'completed', wait: { until: 'parked' }, ...more })
    await report('invoke', { output: { parcel: 7 }, compensateInput: small })
    await report('compensate', { output: { refused: false } })
    await server.wait(run)
    const told = await sluice.runs.get({ id: run.id, include: ['steps'] })
    const instant = expect.stringMatching(/^\d{4}-.*Z$/) as string
    expect(told.steps).toMatchObject([
      { nodeId: 'in', step: 'in', state: 'completed', output: { a: 1 }, reported: false },
      {
        key: `${run.id}/ship/-`,
        nodeId: 'ship',
        step: 'Ship it',
        iteration: '',
        state: 'completed',
        attempts: 1,
        failures: 0,
        output: { parcel: 7 },
        compensateInput: small,
        reported: true,
        skipReason: null,
        waitingFor: null,
        startedAt: instant,
        lastAttemptAt: instant,
        endedAt: instant,
        retryAt: null,
        timedOutAt: null,
        compensation: { state: 'completed', attempts: 1, failures: 0, error: null, output: { refused: false } },
      },
      { nodeId: 'bad', state: 'failed', failures: 1, error: { message: expect.stringContaining('bad') as string }, reported: false },
    ])
    expect(told.steps![0]).not.toHaveProperty('compensateInput')
    expect(told.status).toBe('compensated')
    for (const whole of [true, false]) {
      const [listed] = (await sluice.runs.list({ workflow, whole, include: ['steps', 'version'] })).items
      expect(listed!.steps).toEqual(told.steps)
      expect(listed!.pinned?.number).toBe(1)
    }
    const { steps } = await sluice.runs.wait({ id: run.id, ms: 0, include: ['steps'] })
    expect(steps).toEqual(told.steps)
    expect(await sluice.runs.get({ id: run.id })).not.toHaveProperty('steps')
  })

  test('is told so in a list of those that ask, too', async () => {
    const { workflowId: workflow } = await server.run(flow({ in: 'input', ask: approval() }, ['in > ask']), { until: 'parked' })
    for (const whole of [true, false]) {
      const { items } = await sluice.runs.list({ workflow, paused: true, whole, include: ['steps', 'pauses'] })
      expect(items.map(({ steps, openPauses }) => [steps?.map(({ nodeId, waitingFor }) => [nodeId, waitingFor?.kind]), openPauses?.length])).toEqual([
        [
          [
            ['in', undefined],
            ['ask', 'pause'],
          ],
          1,
        ],
      ])
    }
  })

  test('has large values by their size, and as a whole with the outputs: what they gave, for their undoing, and what that gave', async () => {
    const run = await server.run(
      flow(
        {
          in: 'input',
          big: values({ large }, { settings: { compensate: { type: 'template', config: { text: '{{ input.large }}' } } } }),
          ship: external({ settings: { compensate: { type: 'external', config: {} } } }),
          bad: { type: 'code', config: { source: 'throw new Error("bad")' } },
        },
        ['in > big > ship > bad'],
      ),
      { until: 'parked' },
    )
    const report = (phase: 'invoke' | 'compensate', more: object): Promise<unknown> =>
      server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'ship', phase, outcome: 'completed', wait: { until: 'parked' }, ...more })
    await report('invoke', { output: [large], compensateInput: { large } })
    await report('compensate', { output: { undone: large } })
    await server.wait(run)
    const told = async (include: ('steps' | 'outputs')[]) => (await sluice.runs.get({ id: run.id, include })).steps!
    const size = (value: unknown): object => ({ truncated: JSON.stringify(value).length })
    const ofShip = (steps: Awaited<ReturnType<typeof told>>) => {
      const { output, compensateInput, compensation } = steps.find(({ nodeId }) => nodeId === 'ship')!
      return [output, compensateInput, compensation?.output, compensation?.state]
    }
    expect(ofShip(await told(['steps']))).toEqual([size([large]), size({ large }), size({ undone: large }), 'completed'])
    expect(ofShip(await told(['steps', 'outputs']))).toEqual([[large], { large }, { undone: large }, 'completed'])
    const listed = await sluice.runs.list({ workflow: run.workflowId, include: ['steps'] })
    expect(ofShip(listed.items[0]!.steps!)).toEqual(ofShip(await told(['steps'])))
    // A step by itself, too.
    const steps = await sluice.runs.steps({ id: run.id, nodeId: 'ship' })
    expect(steps.items[0]).toMatchObject({ compensateInput: size({ large }), compensation: { output: size({ undone: large }) } })
  })

  test('is refused as a page that is more than an answer holds, fewer of which are told', async () => {
    const definition = flow(
      { in: 'input', ...Object.fromEntries(Array.from({ length: 79 }, (_, index) => [`n${index}`, template('{{ input }}')])) },
      Array.from({ length: 79 }, (_, index) => `in > n${index}`),
    )
    const { id: workflow } = await server.workflow(definition)
    for (let n = 0; n < 16; n++) await server.start(workflow, { input: 'y'.repeat(15_000), wait: { until: 'finished', ms: 60_000 } })
    const { status, code, issues } = await refusal(server.call('GET', `/v1/runs?workflow=${workflow}&include=steps&limit=1000`))
    expect([status, code, issues[0]?.path]).toEqual([422, 'limit_exceeded', ['limit']])
    expect((await sluice.runs.list({ workflow, include: ['steps'], limit: 10 })).items[0]!.steps).toHaveLength(80)
  }, 120_000)
})
