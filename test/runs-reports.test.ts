import { createClient, type Sluice } from '@sluice/client'
import type { Json, ReportedStep } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, delay, external, flow, post } from './support/flow.ts'
import { admin, refusal, type Served, type TestServer, testServer } from './support/server.ts'

let server: TestServer
let other: Served
let sluice: Sluice
beforeAll(async () => {
  server = await testServer()
  other = await server.another()
  sluice = await createClient({ url: server.url }).auth.login(admin)
})
afterAll(() => server[Symbol.asyncDispose]())

const report = (body: object, at: Served = server): Promise<ReportedStep> => at.call('POST', '/v1/steps/report', body)
const undoing = { compensate: { type: 'external', config: {} } }

describe('five steps beside each other', () => {
  const names = ['a', 'b', 'c', 'd', 'e']
  const definition = flow(
    { in: 'input', ...Object.fromEntries(names.map((name) => [name, external()])), all: 'merge', out: 'output' },
    names.flatMap((name) => [`in > ${name} > all`]).concat('all > out'),
  )

  test('reported at the same moment over two servers finish their run once, with all that was reported', async () => {
    const { id: workflow } = await server.workflow(definition)
    for (let round = 0; round < 10; round++) {
      const transactionId = `round-${round}`
      await server.start(workflow, { transactionId, wait: { until: 'parked', ms: 20_000 } })
      // Twice each, as who has lost an answer does.
      const steps = await Promise.all(
        [...names, ...names].map((step, at) =>
          report(
            { run: { workflow, transactionId }, step, outcome: 'completed', output: { [step]: round }, wait: { until: 'finished', ms: 20_000 }, include: ['run', 'steps'] },
            at % 2 ? other : server,
          ),
        ),
      )
      const output = Object.fromEntries(names.map((name) => [name, round]))
      for (const { run } of steps) expect([run?.status, run?.output]).toEqual(['completed', output])
      expect(steps[0]!.run!.steps!.flatMap(({ nodeId, reported }) => (reported ? [nodeId] : [])).toSorted()).toEqual(names)
      const events = await server.events(steps[0]!.run!)
      expect(events.filter(({ type }) => type === 'run.completed')).toHaveLength(1)
      expect(events.filter(({ type }) => type === 'step.completed')).toHaveLength(names.length + 3)
    }
  }, 120_000)
})

describe('a report', () => {
  test('answers at once unless it is told to wait, and without the run unless it is asked for', async () => {
    const run = await server.run(flow({ work: external(), rest: delay(3_600_000), out: 'output' }, ['work > rest > out']), { until: 'parked' })
    const step = await report({ run: { id: run.id }, step: 'work', outcome: 'completed' })
    expect(step).toMatchObject({ nodeId: 'work', state: 'completed', reported: true })
    expect(step).not.toHaveProperty('run')
  })

  test('waits until the run is parked again, and tells it with what is asked for, also when it is sent again', async () => {
    const run = await server.run(flow({ work: external(), call: post(`${server.toy.url}/ok/after`), ask: approval(), out: 'output' }, ['work > call > ask > out']), {
      until: 'parked',
    })
    const said = { run: { id: run.id }, step: 'work', outcome: 'completed' as const, output: 7 }
    const asked = { ...said, wait: { until: 'parked' as const, ms: 20_000 }, include: ['run' as const, 'steps' as const, 'version' as const, 'pauses' as const] }
    const first = await sluice.steps.report(asked)
    expect(first.run).toMatchObject({ status: 'waiting', waitingKind: 'pause', openPauses: [{ nodeId: 'ask' }], pinned: { number: 1 } })
    expect(first.run!.steps!.map(({ nodeId, state }) => [nodeId, state])).toEqual([
      ['work', 'completed'],
      ['call', 'completed'],
      ['ask', 'waiting'],
    ])
    expect(await sluice.steps.report(asked)).toEqual(first)
    expect(await sluice.steps.report(said)).toMatchObject({ output: 7 })
    expect(server.toy.visits('after')).toHaveLength(1)
  })

  test('that fails the run waits until it is undone, as far as that goes by itself', async () => {
    const run = await server.run(flow({ first: external({ settings: undoing }), second: external(), out: 'output' }, ['first > second > out']), { until: 'parked' })
    // Longer than this test may take.
    const wait = { until: 'parked', ms: 300_000 }
    await report({ run: { id: run.id }, step: 'first', outcome: 'completed', wait })
    const failed = await report({ run: { id: run.id }, step: 'second', outcome: 'failed', error: { code: 'no', message: 'No' }, wait, include: ['run'] })
    expect([failed.state, failed.run?.status]).toEqual(['failed', 'compensating'])
    const undone = await report({ run: { id: run.id }, step: 'first', phase: 'compensate', outcome: 'completed', wait, include: ['run'] })
    expect([undone.compensation?.state, undone.run?.status]).toEqual(['completed', 'compensated'])
  })

  test('does not ask for what is told of the run without the run', async () => {
    const refused = await refusal(report({ run: { id: '000000000000000' }, step: 'a', outcome: 'completed', include: ['steps'] }))
    expect([refused.status, refused.issues[0]?.path]).toEqual([400, ['include']])
  })

  test('finds a run without a transaction id by its own id among those of its workflow', async () => {
    const [one, another] = [await server.workflow(flow({ work: external() })), await server.workflow(flow({ work: external() }))]
    const run = await server.start(one, { wait: { until: 'parked', ms: 20_000 } })
    const said = { step: 'work', outcome: 'completed' }
    expect(await refusal(report({ ...said, run: { workflow: another.id, transactionId: run.id } }))).toMatchObject({ status: 404, code: 'run_missing' })
    expect(await refusal(report({ ...said, run: { workflow: 'nowhere', transactionId: run.id } }))).toMatchObject({ status: 404, code: 'workflow_missing' })
    expect(await report({ ...said, run: { workflow: one.id, transactionId: run.id } })).toMatchObject({ runId: run.id, state: 'completed' })
  })
})

describe('what a report does not fit says how its step stands', () => {
  const faultOf = async (body: object): Promise<[number, string, Json]> => {
    const { status, code, details } = await refusal(report({ outcome: 'completed', ...body }))
    return [status, code, details]
  }

  test('before it began, once it was reported, by phase, and in a run that has ended', async () => {
    const run = await server.run(flow({ in: 'input', work: external({ title: 'Work', settings: undoing }), ask: approval(), late: external() }, ['in > work > ask > late']), {
      until: 'parked',
    })
    const of = { runId: run.id, run: 'waiting', phase: 'invoke', compensation: null }
    const at = { run: { id: run.id } }
    expect(await faultOf({ ...at, step: 'late' })).toEqual([409, 'step_not_waiting', { ...of, step: 'late', state: 'pending' }])
    expect(await faultOf({ ...at, step: 'in' })).toEqual([409, 'step_not_waiting', { ...of, step: 'in', state: 'completed' }])
    expect(await faultOf({ ...at, step: 'Work', phase: 'compensate' })).toEqual([409, 'step_not_waiting', { ...of, step: 'work', state: 'waiting', phase: 'compensate' }])
    expect(await faultOf({ ...at, step: 'nobody' })).toMatchObject([404, 'step_missing', {}])
    await report({ ...at, step: 'work', outcome: 'completed', wait: { until: 'parked', ms: 20_000 } })
    expect(await faultOf({ ...at, step: 'work', outcome: 'failed' })).toEqual([409, 'report_conflict', { ...of, step: 'work', state: 'completed' }])
    expect(await faultOf({ ...at, step: 'ask' })).toEqual([409, 'step_not_waiting', { ...of, step: 'ask', state: 'waiting' }])
    await server.call('POST', `/v1/runs/${run.id}/cancel`, {})
    await server.wait(run)
    expect(await faultOf({ ...at, step: 'ask' })).toEqual([409, 'step_not_waiting', { ...of, run: 'cancelled', step: 'ask', state: 'cancelled' }])
    expect(await faultOf({ ...at, step: 'late' })).toEqual([409, 'step_not_waiting', { ...of, run: 'cancelled', step: 'late', state: 'pending' }])
  })

  test('while it is undone, too', async () => {
    const run = await server.run(flow({ work: external({ settings: undoing }), bad: external() }, ['work > bad']), { until: 'parked' })
    const at = { run: { id: run.id } }
    await report({ ...at, step: 'work', outcome: 'completed', wait: { until: 'parked', ms: 20_000 } })
    await report({ ...at, step: 'bad', outcome: 'failed', wait: { until: 'parked', ms: 20_000 } })
    const of = { runId: run.id, run: 'compensating', step: 'work', state: 'completed' }
    expect(await faultOf({ ...at, step: 'work', output: 'another' })).toEqual([409, 'report_conflict', { ...of, phase: 'invoke', compensation: 'waiting' }])
    await report({ ...at, step: 'work', phase: 'compensate', outcome: 'completed', wait: { until: 'finished', ms: 20_000 } })
    const ended = { ...of, run: 'compensated', phase: 'compensate', compensation: 'completed' }
    expect(await faultOf({ ...at, step: 'work', phase: 'compensate', outcome: 'failed' })).toEqual([409, 'report_conflict', ended])
  })
})
