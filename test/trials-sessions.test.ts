import type { Definition, JsonObject, Trial } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defaultPeriods } from '../packages/server/src/retention/periods.ts'
import { createSweeper } from '../packages/server/src/retention/sweeper.ts'
import { createLog } from '../packages/server/src/telemetry.ts'
import { flow, post, template } from './support/flow.ts'
import { createRig } from './support/rig.ts'
import { inTurn, refusal, testServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const counter = (config: JsonObject = {}) => ({ type: 'counter', config: { from: 1, to: 3, ...config } })
const counting = (config: JsonObject = {}): Definition => flow({ n: counter(config), t: template('{{ n.value }}') }, ['n > t'])
const path = (workflow: { id: string }, nodeId: string) => `/v1/workflows/${workflow.id}/nodes/${nodeId}/try`
const tryNode = (workflow: { id: string }, session?: string, body: object = {}, nodeId = 'n') =>
  server.call<Trial>('POST', path(workflow, nodeId), { ...(session !== undefined && { session }), ...body })
const tryType = (type: string, body: object, as?: string) => server.call<Trial>('POST', `/v1/node-types/${type}/try`, body, as === undefined ? {} : { as })
const forget = (type: string, session: string) => server.call<{ cleared: boolean }>('POST', `/v1/node-types/${type}/forget`, { type, session })
const valueOf = ({ output }: Trial): unknown => (output as JsonObject | null)?.['value'] ?? null
const statesOf = (session: string) => server.db.database.query<{ count: number; run_id: string | null }>('select count, run_id from trial_states where session = $1', [session])

describe('a producer that is tried', () => {
  test('gives one item and runs nothing behind it, each time the first without a session', async () => {
    const workflow = await server.workflow(flow({ n: counter(), a: post(`${server.toy.url}/ok/behind`), end: template('x') }, ['n > a', 'n.done > end']))
    for (const _ of [1, 2]) {
      const trial = await tryNode(workflow)
      expect(trial).toMatchObject({ status: 'completed', output: { value: 1 }, outputs: { n: { value: 1 } }, ended: false, error: null })
    }
    expect(server.toy.visits('behind')).toHaveLength(0)
  })

  test('gives its next item in each trial of a session, then says that there are no more', async () => {
    const workflow = await server.workflow(counting())
    const trials = await inTurn([1, 2, 3, 4, 5], () => tryNode(workflow, 'counting'))
    expect(trials.map(valueOf)).toEqual([1, 2, 3, null, null])
    expect(trials.map(({ status, ended }) => [status, ended])).toEqual([...Array(3).fill(['completed', false]), ...Array(2).fill(['completed', true])])
    expect(valueOf(await tryNode(workflow, 'another'))).toBe(1)
    expect(valueOf(await tryNode(workflow))).toBe(1)
  })

  test('goes on with the config it is given now', async () => {
    const workflow = await server.workflow(counting())
    await tryNode(workflow, 'config')
    expect(valueOf(await tryNode(workflow, 'config', { config: { from: 100, to: 200 } }))).toBe(101)
    expect(valueOf(await tryNode(workflow, 'config'))).toBe(3)
  })

  test('is another one in another workflow, under another id, in none, and as another type', async () => {
    const [one, two] = [await server.workflow(flow({ n: counter(), m: counter() })), await server.workflow(counting())]
    expect(valueOf(await tryNode(one, 'places'))).toBe(1)
    expect(valueOf(await tryNode(one, 'places', {}, 'm'))).toBe(1)
    expect(valueOf(await tryNode(two, 'places'))).toBe(1)
    expect(valueOf(await tryType('counter', { config: { from: 7, to: 9 }, session: 'places' }))).toBe(7)
    expect(valueOf(await tryType('counter', { config: { from: 7, to: 9 }, session: 'places' }))).toBe(8)
    expect(valueOf(await tryNode(one, 'places'))).toBe(2)
    const operations = [{ op: 'setConfig', nodeId: 'n', type: 'iterator', config: { items: ['a', 'b'] } }]
    await server.call('POST', `/v1/workflows/${one.id}/edit`, { operations })
    expect(await tryNode(one, 'places')).toMatchObject({ status: 'completed', output: { value: 'a' } })
  })

  test('gives one item to the nodes that need it when one of these is tried, and the next one then, in a session', async () => {
    const workflow = await server.workflow(counting())
    const trials = await inTurn([1, 2], () => tryNode(workflow, 'behind', {}, 't'))
    expect(trials).toMatchObject([
      { status: 'completed', input: { n: { value: 1 } }, output: { text: '1' } },
      { status: 'completed', input: { n: { value: 2 } }, output: { text: '2' } },
    ])
    const given = await tryNode(workflow, 'behind', { input: { n: { value: 40 } } }, 't')
    expect(given).toMatchObject({ status: 'completed', input: { n: { value: 40 } }, output: { text: '40' } })
    expect(await tryNode(workflow, undefined, { outputs: { n: { value: 50 } } }, 't')).toMatchObject({ status: 'completed', output: { text: '50' } })
  })

  test('waits for what comes from outside, up to its time; then its session begins anew', async () => {
    const config = { queue: 'tried' }
    await server.call('POST', '/v1/queues/tried/items', { items: [{ n: 1 }] })
    expect(await tryType('queue-reader', { config, session: 'q', timeoutMs: 20_000 })).toMatchObject({ status: 'completed', output: { n: 1 } })
    const waiting = tryType('queue-reader', { config, session: 'q', timeoutMs: 20_000 })
    await expect.poll(() => server.db.database.query(`select 1 from listeners where name = 'tried'`), { timeout: 10_000 }).toHaveLength(1)
    await server.call('POST', '/v1/queues/tried/items', { items: [{ n: 2 }] })
    expect(await waiting).toMatchObject({ status: 'completed', output: { n: 2 } })
    expect((await statesOf('q')).map(({ count }) => count)).toEqual([2])
    expect(await tryType('queue-reader', { config, session: 'q', timeoutMs: 300 })).toMatchObject({ status: 'failed', output: null, ended: false, error: { code: 'timed_out' } })
    expect((await statesOf('q')).map(({ count }) => count)).toEqual([0])
    expect(await server.db.database.query(`select 1 from listeners where name = 'tried'`)).toHaveLength(0)
  })
})

describe('a session', () => {
  test('stays where it was when a trial fails', async () => {
    const workflow = await server.workflow(counting())
    expect(valueOf(await tryNode(workflow, 'failing'))).toBe(1)
    expect(await tryNode(workflow, 'failing', { config: { from: '{{ data.none }}', to: 3 } })).toMatchObject({ status: 'failed', output: null, ended: false })
    expect(valueOf(await tryNode(workflow, 'failing'))).toBe(2)
  })

  test('stays where it was when what an item was needed for fails', async () => {
    const workflow = await server.workflow(flow({ n: counter(), a: post(`${server.toy.url}/fail/1/needed`, { body: { n: '{{ n.value }}' } }) }, ['n > a']))
    expect(await tryNode(workflow, 'needed', {}, 'a')).toMatchObject({ status: 'failed', input: { n: { value: 1 } }, output: null, error: { code: 'http_503' } })
    expect(await tryNode(workflow, 'needed', {}, 'a')).toMatchObject({ status: 'completed', input: { n: { value: 1 } } })
    expect(valueOf(await tryNode(workflow, 'needed'))).toBe(2)
  })

  test('is one for trials that come at once: each gives another item, one after the other, on two servers', async () => {
    const other = await server.another()
    const workflow = await server.workflow(counting({ to: 12 }))
    const trials = await Promise.all(
      Array.from({ length: 12 }, (_, at) => (at % 2 ? other : server).call<Trial>('POST', path(workflow, 'n'), { session: 'at once', timeoutMs: 60_000 })),
    )
    expect(trials.map((trial) => Number(valueOf(trial))).sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, at) => at + 1))
  })

  test('that stays busy for as long as a trial may take is a conflict that names the trial under way', async () => {
    const trying = tryType('queue-reader', { config: { queue: 'silent' }, session: 'busy', timeoutMs: 8_000 })
    await expect.poll(() => statesOf('busy'), { timeout: 10_000 }).toMatchObject([{ run_id: expect.any(String) }])
    const [state] = await statesOf('busy')
    expect(await refusal(tryType('queue-reader', { config: { queue: 'silent' }, session: 'busy', timeoutMs: 300 }))).toMatchObject({
      status: 409,
      code: 'lane_busy',
      details: { runId: state!.run_id },
    })
    await server.call('POST', `/v1/runs/${state!.run_id}/cancel`, {})
    expect(await trying).toMatchObject({ status: 'cancelled' })
  })

  test('of another workspace is another one, whatever its name', async () => {
    const workspace = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Other' })
    const { token } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: workspace.id })
    const body = { config: { from: 1, to: 9 }, session: 'same' }
    const values = await inTurn([undefined, undefined, token, undefined, token], async (as) => valueOf(await tryType('counter', body, as)))
    expect(values).toEqual([1, 2, 1, 3, 2])
    expect(await server.call('POST', '/v1/node-types/counter/forget', { session: 'same' }, { as: token })).toEqual({ cleared: true })
    expect(valueOf(await tryType('counter', body))).toBe(4)
    expect(valueOf(await tryType('counter', body, token))).toBe(1)
  })

  test('is forgotten by the type of its nodes, in workflows and outside', async () => {
    const workflow = await server.workflow(counting())
    await tryNode(workflow, 'forgotten')
    await tryType('iterator', { config: { items: ['a', 'b'] }, session: 'forgotten' })
    expect(await forget('counter', 'forgotten')).toEqual({ cleared: true })
    expect(await forget('counter', 'forgotten')).toEqual({ cleared: false })
    expect(await forget('unheard-of', 'forgotten')).toEqual({ cleared: false })
    expect(valueOf(await tryNode(workflow, 'forgotten'))).toBe(1)
    expect(await tryType('iterator', { config: { items: ['a', 'b'] }, session: 'forgotten' })).toMatchObject({ output: { value: 'b' } })
  })

  test('that is forgotten while a trial is under way begins anew, whatever that comes to', async () => {
    const config = { queue: 'forgetful' }
    const trying = tryType('queue-reader', { config, session: 'under way', timeoutMs: 20_000 })
    await expect.poll(() => server.db.database.query(`select 1 from listeners where name = 'forgetful'`), { timeout: 10_000 }).toHaveLength(1)
    expect(await forget('queue-reader', 'under way')).toEqual({ cleared: true })
    await server.call('POST', '/v1/queues/forgetful/items', { items: [1] })
    expect(await trying).toMatchObject({ status: 'completed', output: 1 })
    expect(await statesOf('under way')).toEqual([])
  })

  test('is kept for thirty minutes after its last trial, and swept then', async () => {
    const workflow = await server.workflow(counting())
    const later = (minutes: number) => server.db.database.query(`update trial_states set expires_at = expires_at - $1 * interval '1 minute' where session = 'aging'`, [minutes])
    expect(valueOf(await tryNode(workflow, 'aging'))).toBe(1)
    await later(29)
    expect(valueOf(await tryNode(workflow, 'aging'))).toBe(2)
    await later(29)
    expect(valueOf(await tryNode(workflow, 'aging'))).toBe(3)
    await later(31)
    expect(valueOf(await tryNode(workflow, 'aging'))).toBe(1)
    const sweeper = createSweeper({ database: server.db.database, periods: defaultPeriods, log: createLog({ level: 'silent' }) })
    const sweep = async () => {
      await expect.poll(async () => (await sweeper.sweep(new Date())).whole, { timeout: 20_000 }).toBe(true)
      return (await statesOf('aging')).length
    }
    expect(await sweep()).toBe(1)
    await later(31)
    expect(await sweep()).toBe(0)
  })
})

test('a session outlives its server, killed with -9, and so does the trial under way: each item is given once', { timeout: 120_000 }, async () => {
  await using rig = await createRig()
  const first = await rig.serve()
  const asked = { config: { from: 1, to: 9 }, session: 'outlives' }
  const ask = async (from: typeof first) => {
    const reply = await from.call<Trial>('POST', '/v1/node-types/counter/try', asked)
    expect(reply.status).toBe(200)
    return valueOf(reply.body)
  }
  expect([await ask(first), await ask(first)]).toEqual([1, 2])
  await first.kill()
  const second = await rig.serve()
  expect(await ask(second)).toBe(3)

  // One that waits, and whose server dies: it is done by another, and nobody is there to write down what came of it but the next trial.
  const reading = { config: { queue: 'outlives' }, session: 'outlives', timeoutMs: 60_000 }
  const lost = second.call('POST', '/v1/node-types/queue-reader/try', reading)
  await rig.until('it waits', async () => (await rig.database.query(`select 1 from listeners where name = 'outlives'`)).length === 1, 20_000)
  await second.kill()
  expect((await lost).status).toBe(0)
  const third = await rig.serve()
  const states = () => rig.database.query<{ count: number; run_id: string | null }>(`select count, run_id from trial_states where type = 'queue-reader'`)
  const [{ run_id: runId }] = (await states()) as [{ count: number; run_id: string }]
  await third.call('POST', '/v1/queues/outlives/items', { items: ['first'] })
  await rig.ended([runId], 40_000)
  expect(await states()).toEqual([{ count: 0, run_id: runId }])
  await third.call('POST', '/v1/queues/outlives/items', { items: ['second'] })
  const next = await third.call<Trial>('POST', '/v1/node-types/queue-reader/try', reading)
  expect(next.body).toMatchObject({ status: 'completed', output: 'second' })
  expect(await states()).toEqual([{ count: 2, run_id: null }])
})
