import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEngine, createQueue } from '../../packages/server/src/engine/index.ts'
import { createDoorbell } from '../../packages/server/src/events/doorbell.ts'
import { createCatalogue } from '../../packages/server/src/nodes/catalogue.ts'
import type { Catalogue } from '../../packages/server/src/nodes/contract.ts'
import { createModels } from '../../packages/server/src/models/models.ts'
import { createOutside } from '../../packages/server/src/outside/outside.ts'
import { createSandbox } from '../../packages/server/src/sandbox/sandbox.ts'
import { openDatabase } from '../../packages/server/src/store/database.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { createPlans } from '../../packages/server/src/workflows/plans.ts'
import { createWorkflows } from '../../packages/server/src/workflows/workflows.ts'
import { external, flow, loop, map, post, template, values } from '../support/flow.ts'
import { eventually } from '../support/processes.ts'
import { type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

describe('an output', () => {
  const half = 'x'.repeat(700_000)
  const large = (times: number) =>
    flow({ a: values({ half }), b: values(Object.fromEntries(Array.from({ length: times }, (_, n) => [`v${n}`, '{{ nodes.a.half }}']))), c: values({ fine: true }) }, ['a > b > c'])

  test('over two mebibytes fails the step, and is kept nowhere', async () => {
    const run = await server.run(large(3))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded', step: 'b' } })
    expect(await server.step(run, 'b')).toMatchObject({
      state: 'failed',
      attempts: 1,
      output: null,
      error: { code: 'limit_exceeded', message: expect.stringContaining('2097152') },
    })
    const [stored] = await server.db.database.query<{ bytes: number }>('select coalesce(sum(length(output::text)), 0)::int as bytes from steps where run_id = $1', [run.id])
    expect(stored!.bytes).toBeLessThan(800_000)
  })

  test('under them goes through', async () => {
    expect(await server.run(large(2))).toMatchObject({ status: 'completed', output: { c: { fine: true } } })
  })

  test('of everything merged is bounded too', async () => {
    const merging = (text: string) =>
      flow({ a: values({ a: '{{ input.half }}' }), b: values({ b: 'b{{ input.half }}' }), c: values({ c: 'c{{ input.half }}' }), d: template(text) }, ['a > b > c > d'])
    expect(await server.run(merging('{{ data.nothing }}'), { input: { half } })).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded', step: 'd' } })
    expect((await server.run(merging('{{ nodes.a.nothing }}'), { input: { half } })).status).toBe('completed')
  })

  test('of a run made of many large ones is bounded', async () => {
    const definition = flow({ in: 'input', each: map('input'), v: values({ half }, { in: 'each' }) }, ['in > each'])
    expect(await server.run(definition, { input: [1, 2, 3, 4] })).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded', step: 'each' } })
  })

  test('of the run itself is bounded, and is not even read when it is larger', async () => {
    const leaves = (count: number) => {
      const nodes = Object.fromEntries(Array.from({ length: count }, (_, n) => [`v${n}`, values({ v: '{{ input.half }}' })]))
      return flow(
        { in: 'input', ...nodes },
        Object.keys(nodes).map((id) => `in > ${id}`),
      )
    }
    expect(await server.run(leaves(13), { input: { half } })).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded' }, output: null })
    expect(Object.keys((await server.run(leaves(4), { input: { half } })).output as object)).toHaveLength(4)
  })
})

describe('a run', () => {
  test('has at most ten thousand steps', async () => {
    const run = await server.run(flow({ l: loop({ times: 10_000 }), v: values({}, { in: 'l' }) }), { until: 'accepted' })
    const ended = await server.wait(run, 'finished')
    expect(ended).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded' } })
    const [counted] = await server.db.database.query<{ steps: number; rows: number }>(
      'select steps, (select count(*) from steps where run_id = runs.id)::int as rows from runs where id = $1',
      [run.id],
    )
    expect(counted).toEqual({ steps: 10_000, rows: 10_000 })
  }, 60_000)

  test('that waits is nowhere but in the database', async () => {
    const { id } = await server.workflow(flow({ e: external() }))
    const runs = await Promise.all(Array.from({ length: 20 }, () => server.start(id, { wait: { until: 'parked' } })))
    expect(new Set(runs.map(({ status }) => status))).toEqual(new Set(['waiting']))
    expect(
      await server.db.database.query(`select 1 from sluice_jobs.job where name = 'runs' and state < 'completed' and singleton_key = any($1)`, [runs.map((run) => run.id)]),
    ).toEqual([])
  })
})

describe('a run whose version no server has the handlers for', () => {
  /** A worker beside the server that has only some of the node types. */
  async function workerWithout(house: TestServer, ...missing: string[]) {
    const log = createLog({ level: 'error', write: (line) => void process.stderr.write(line) })
    const database = openDatabase({ url: house.db.url, max: 5 })
    const doorbell = createDoorbell(database)
    const queue = createQueue(database, { supervise: false, onError: () => {} })
    const outside = createOutside({ allow: [house.toy.host] })
    const sandbox = createSandbox()
    const whole = createCatalogue({ outside, sandbox, models: createModels({ configured: null, outside }) })
    const catalogue: Catalogue = { get: (type) => (missing.includes(type) ? undefined : whole.get(type)), list: () => whole.list().filter(({ type }) => !missing.includes(type)) }
    const workflows = createWorkflows({ database, catalogue })
    const { worker, clock } = createEngine({
      database,
      writer: database,
      doorbell,
      queue,
      catalogue,
      plans: createPlans(catalogue),
      workflows,
      secret: async () => '',
      writeFile: () => Promise.reject(new Error('no files here')),
      log,
    })
    await queue.start()
    worker.start()
    clock.start()
    return {
      async [Symbol.asyncDispose]() {
        await Promise.all([worker.drain(0), clock.stop()])
        await queue.stop()
        await doorbell.close()
        await Promise.all([outside.close(), sandbox.close()])
        await database.close()
      },
    }
  }
  const logs = { type: 'log', config: { message: 'x' } }

  test('waits for one that has, and goes on there', async () => {
    await using house = await testServer({ SLUICE_ROLE: 'api' })
    const run = await house.start(await house.workflow(flow({ a: values({ x: 1 }), l: logs }, ['a > l'])))
    const other = await house.start(await house.workflow(flow({ a: values({}, { settings: { compensate: logs } }) })))
    {
      await using _ = await workerWithout(house, 'log')
      for (const { id } of [run, other]) {
        await eventually('waits for handlers', async () => (await house.get(id)).waitingKind === 'version')
        expect(await house.get(id)).toMatchObject({ status: 'queued', waitingOn: [{ kind: 'version', missing: ['log'] }], endedAt: null })
      }
      expect(await house.call('POST', `/v1/runs/${other.id}/cancel`, {})).toMatchObject({ status: 'cancelled' })
    }
    await using _ = await workerWithout(house)
    expect(await house.wait(run)).toMatchObject({ status: 'completed', waitingKind: null, output: { l: { x: 1 } } })
  })

  test('waits too when it had begun where they are', async () => {
    await using house = await testServer({ SLUICE_ROLE: 'api' })
    const run = await house.start(await house.workflow(flow({ e: external(), l: logs }, ['e > l'])))
    {
      await using _ = await workerWithout(house)
      await house.wait(run, (found) => found.status === 'waiting')
    }
    {
      await using _ = await workerWithout(house, 'log')
      await house.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'e', outcome: 'completed', output: 5 })
      expect(await house.wait(run, (found) => found.waitingKind === 'version')).toMatchObject({ status: 'waiting', waitingOn: [{ kind: 'version', missing: ['log'] }] })
    }
    await using _ = await workerWithout(house)
    expect(await house.wait(run)).toMatchObject({ status: 'completed', output: { l: 5 } })
  })
})

describe('a secret', () => {
  test('is read by a step at the moment of its call, and shows up nowhere', async () => {
    const value = 'sk-very-secret-value'
    await server.call('PUT', '/v1/secrets/payments', { value })
    const call = { type: 'http-request', config: { method: 'POST', url: `${server.toy.url}/ok/paid`, auth: { secret: 'payments' } } }
    const run = await server.run(flow({ call }))
    expect(run.status).toBe('completed')
    expect(server.toy.visits('paid')).toMatchObject([{ authorization: `Bearer ${value}` }])
    const everything = JSON.stringify([run, await server.events(run), await server.steps(run), await server.call('GET', '/v1/secrets')])
    expect(everything).not.toContain(value)
  })

  test('that is not there fails the step at once', async () => {
    const call = {
      type: 'http-request',
      config: { method: 'GET', url: `${server.toy.url}/ok/unpaid`, auth: { secret: 'missing' } },
      settings: { retry: { maxAttempts: 5, backoffMs: 1 } },
    }
    const run = await server.run(flow({ call }))
    expect(await server.step(run, 'call')).toMatchObject({ state: 'failed', attempts: 1, error: { code: 'secret_missing' } })
    expect(server.toy.visits('unpaid')).toEqual([])
  })
})

test('code runs beside the server, and what it logs is an event', async () => {
  const run = await server.run(
    flow(
      {
        in: 'input',
        c: { type: 'code', config: { source: 'console.log("twice", input.in.n); return { n: input.in.n * 2 }' } },
        p: post(`${server.toy.url}/ok/coded`, { body: { n: '{{ c.n }}' } }),
      },
      ['in > c > p'],
    ),
    { input: { n: 21 } },
  )
  expect(run.status).toBe('completed')
  expect(server.toy.visits('coded')).toMatchObject([{ body: { n: 42 } }])
  expect((await server.events(run)).find(({ type }) => type === 'log')).toMatchObject({ nodeId: 'c', message: expect.stringContaining('twice') })
})
