import type { Run, Step } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, delay, external, flow, map, post, signal, subworkflow, template, values } from '../support/flow.ts'
import { refusal, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const control = (run: { id: string }, what: string, body: object = {}) => server.call<Run>('POST', `/v1/runs/${run.id}/${what}`, body)
const report = (run: { id: string }, step: string, more: object = {}) => server.call<Step>('POST', '/v1/steps/report', { run: { id: run.id }, step, outcome: 'completed', ...more })
const start = async (definition: Parameters<TestServer['workflow']>[0], more = {}) => server.start(await server.workflow(definition), more)
const undone = (name: string) => ({ compensate: { type: 'http-request', config: { method: 'POST', url: `${server.toy.url}/ok/${name}` } } })

describe('a cancel', () => {
  test('of a queued run ends it before anything started', async () => {
    const { id } = await server.workflow(flow({ ext: external() }))
    const first = await server.start(id, { lane: { key: 'cancel queued' }, wait: { until: 'parked' } })
    const second = await server.start(id, { lane: { key: 'cancel queued' } })
    expect(await control(second, 'cancel')).toMatchObject({ status: 'cancelled', reason: { code: 'cancelled' }, startedAt: null })
    expect((await server.events(second)).map(({ type }) => type)).toEqual(['run.queued', 'run.cancelling', 'run.cancelled'])
    await control(first, 'cancel')
  })

  test('reaches a call under way: the service sees its caller hang up', async () => {
    const run = await start(flow({ call: post(`${server.toy.url}/hang/cancelled`), next: template('next') }, ['call > next']))
    await server.toy.came('cancelled')
    await control(run, 'cancel')
    const ended = await server.wait(run)
    expect(ended).toMatchObject({ status: 'cancelled', reason: { code: 'cancelled' }, waitingOn: [] })
    expect(ended.nodes.map(({ state }) => state)).toEqual(['cancelled', null])
    await server.toy.left('cancelled')
    expect((await server.events(run)).map(({ type }) => type)).toEqual(['run.queued', 'run.started', 'step.started', 'run.cancelling', 'step.cancelled', 'run.cancelled'])
  })

  test('of a waiting run closes its pauses, signals, timers and reports', async () => {
    const run = await start(flow({ p: approval(), s: signal('x'), d: delay(3_600_000), e: external() }))
    await server.wait(run, (found) => found.waitingOn.length === 4 && found.status === 'waiting')
    const [pause] = await server.pauses(run)
    expect(await control(run, 'cancel')).toMatchObject({ status: 'cancelled', pauses: [], waitingOn: [], waitingKind: null })
    expect(await server.call('GET', `/v1/pauses/${pause!.id}`)).toMatchObject({ status: 'cancelled' })
    expect(await refusal(server.decide(pause!, 'approve'))).toMatchObject({ status: 409, code: 'pause_decided' })
    expect(await refusal(report(run, 'e'))).toMatchObject({ status: 409 })
    expect(await server.db.database.query('select 1 from timers where run_id = $1', [run.id])).toEqual([])
  })

  test('asked to compensate undoes what completed, and then is cancelled', async () => {
    const run = await start(flow({ a: post(`${server.toy.url}/ok/c-a`, { settings: undone('undo-c-a') }), b: approval() }, ['a > b']))
    await server.wait(run, 'parked')
    const asked = await control(run, 'cancel', { compensate: true })
    expect(['cancelling', 'compensating', 'cancelled']).toContain(asked.status)
    expect(await server.wait(run)).toMatchObject({ status: 'cancelled', reason: { code: 'cancelled' } })
    expect(server.toy.visits('undo-c-a')).toMatchObject([{ key: `${run.id}/a/-/undo` }])
    expect(await server.step(run, 'a')).toMatchObject({ state: 'completed', compensation: { state: 'completed', attempts: 1 } })
  })

  test('without being asked to undoes nothing', async () => {
    const run = await start(flow({ a: post(`${server.toy.url}/ok/n-a`, { settings: undone('undo-n-a') }), b: approval() }, ['a > b']))
    await server.wait(run, 'parked')
    expect(await control(run, 'cancel')).toMatchObject({ status: 'cancelled' })
    expect(server.toy.visits('undo-n-a')).toEqual([])
  })

  test('of an ended or cancelling run changes nothing; of a compensating one it is a conflict', async () => {
    const done = await server.run(flow({ a: values({}) }))
    expect(await control(done, 'cancel')).toEqual(done)
    const run = await start(flow({ a: values({}, { settings: { compensate: { type: 'external', config: {} } } }), b: approval() }, ['a > b']))
    await server.wait(run, 'parked')
    await control(run, 'cancel', { compensate: true })
    const compensating = await server.wait(run, (found) => found.status === 'compensating' && found.waitingOn.length > 0)
    expect(await refusal(control(run, 'cancel'))).toMatchObject({ status: 409, code: 'run_compensating' })
    expect(compensating.waitingOn).toMatchObject([{ kind: 'report', step: 'a' }])
    await report(run, 'a', { phase: 'compensate' })
    const ended = await server.wait(run)
    expect(ended.status).toBe('cancelled')
    expect(await control(run, 'cancel', { compensate: true })).toEqual(ended)
  })

  test('asked for by many at once happens once', async () => {
    const run = await start(flow({ call: post(`${server.toy.url}/hang/many`) }))
    await server.toy.came('many')
    await Promise.all(Array.from({ length: 6 }, () => control(run, 'cancel')))
    await server.wait(run)
    expect((await server.events(run)).filter(({ type }) => type === 'run.cancelling')).toHaveLength(1)
  })

  test('of a run with children reaches them', async () => {
    const child = await server.workflow(flow({ call: post(`${server.toy.url}/hang/child`) }))
    const run = await start(flow({ sub: subworkflow(child.id) }))
    await server.toy.came('child')
    const { waitingOn } = await server.wait(run, (found) => found.waitingOn.length > 0)
    await control(run, 'cancel')
    expect(await server.wait(run)).toMatchObject({ status: 'cancelled' })
    expect(await server.wait(waitingOn[0]!.runId!)).toMatchObject({ status: 'cancelled', parentRunId: run.id })
    await server.toy.left('child')
  })
})

describe('a hold', () => {
  test('lets nothing start; what is under way finishes and is recorded; release goes on from there', async () => {
    const run = await start(flow({ call: post(`${server.toy.url}/gate/held`), next: template('next') }, ['call > next']))
    await server.toy.came('held')
    expect(await control(run, 'hold')).toMatchObject({ status: 'held', waitingOn: [{ kind: 'hold' }] })
    server.toy.open('held')
    await server.event(run, 'step.completed')
    expect((await control(run, 'hold')).status).toBe('held')
    const other = await server.run(flow({ d: delay(100) }))
    expect(other.status).toBe('completed')
    expect((await server.get(run)).nodes.map(({ state }) => state)).toEqual(['completed', null])
    await control(run, 'release')
    expect(await server.wait(run)).toMatchObject({ status: 'completed', output: { next: { text: 'next' } } })
    expect((await server.events(run)).map(({ type }) => type).filter((type) => /held|released/.test(type))).toEqual(['run.held', 'run.released'])
  })

  test('records decisions, reports, signals and timers, and does not let the run end', async () => {
    const run = await start(flow({ p: approval(), e: external(), s: signal('x'), d: delay(250) }))
    await server.wait(run, (found) => found.waitingOn.length === 4 && found.status === 'waiting')
    await control(run, 'hold')
    await server.decide((await server.pauses(run))[0]!, 'approve')
    await report(run, 'e')
    await server.call('POST', '/v1/signals', { runId: run.id, name: 'x' })
    await server.event(run, 'step.completed', ({ nodeId }) => nodeId === 'd')
    const held = await server.get(run)
    expect(held).toMatchObject({ status: 'held', endedAt: null })
    expect(held.nodes.map(({ state }) => state)).toEqual(['completed', 'completed', 'completed', 'completed'])
    await control(run, 'release')
    expect((await server.wait(run)).status).toBe('completed')
  })

  test('of a queued run keeps it from starting', async () => {
    const { id } = await server.workflow(flow({ ext: external() }))
    const first = await server.start(id, { lane: { key: 'hold queued' }, wait: { until: 'parked' } })
    const second = await server.start(id, { lane: { key: 'hold queued' } })
    expect((await control(second, 'hold')).status).toBe('held')
    const third = await server.start(id, { lane: { key: 'hold queued' } })
    await report(first, 'ext')
    // The lane passes over what is held.
    expect((await server.wait(third, 'parked')).status).toBe('waiting')
    expect((await server.get(second)).status).toBe('held')
    await control(second, 'release')
    await report(third, 'ext')
    await server.wait(second, (found) => found.status === 'waiting')
    await report(second, 'ext')
    expect((await server.wait(second)).status).toBe('completed')
  })

  test('of an ended run, and a release of one that is not held, are conflicts', async () => {
    const run = await server.run(flow({ e: external() }), { until: 'parked' })
    expect(await refusal(control(run, 'release'))).toMatchObject({ status: 409, code: 'run_not_held' })
    await report(run, 'e')
    await server.wait(run)
    expect(await refusal(control(run, 'hold'))).toMatchObject({ status: 409, code: 'run_ended' })
    expect(await refusal(control(run, 'release'))).toMatchObject({ status: 409, code: 'run_ended' })
  })

  test('ends with a cancel', async () => {
    const run = await server.run(flow({ e: external() }), { until: 'parked' })
    await control(run, 'hold')
    expect(await control(run, 'cancel')).toMatchObject({ status: 'cancelled' })
  })

  test('covers all descendants, and so does its release', async () => {
    const grandchild = await server.workflow(flow({ e: external(), next: template('next') }, ['e > next']))
    const child = await server.workflow(flow({ sub: subworkflow(grandchild.id) }))
    const run = await start(flow({ sub: subworkflow(child.id) }))
    const middle = (await server.wait(run, (found) => found.waitingOn[0]?.kind === 'child')).waitingOn[0]!.runId!
    const inner = (await server.wait(middle, (found) => found.waitingOn[0]?.kind === 'child')).waitingOn[0]!.runId!
    await server.wait(inner, 'parked')
    await control(run, 'hold')
    for (const id of [run.id, middle, inner]) expect((await server.get(id)).status).toBe('held')
    await report({ id: inner }, 'e')
    expect((await server.get(inner)).status).toBe('held')
    await control(run, 'release')
    expect((await server.wait(run)).status).toBe('completed')
  })
})

describe('a hold on a run that is just starting a child', () => {
  test('covers the child as well', async () => {
    const child = await server.workflow(flow({ e: external() }))
    const locked = Promise.withResolvers<void>()
    const done = Promise.withResolvers<void>()
    // The child's draft is published under its row lock: as long as that is ours, the child does not start.
    const locking = server.db.database.transaction(async (tx) => {
      await tx.query('select 1 from workflows where id = $1 for update', [child.id])
      locked.resolve()
      await done.promise
    })
    await locked.promise
    const run = await start(flow({ sub: subworkflow(child.id) }))
    await server.event(run, 'step.started')
    const held = control(run, 'hold')
    // It waits for the child's start, or comes before it: either will do.
    await Promise.race([held, server.run(flow({ d: delay(100) }))])
    done.resolve()
    await Promise.all([held, locking])
    const { waitingOn } = await server.wait(run, (found) => found.waitingOn.some(({ kind }) => kind === 'child'))
    const id = waitingOn.find(({ kind }) => kind === 'child')!.runId!
    expect((await server.get(id)).status).toBe('held')
    await control(run, 'release')
    await server.wait(id, (found) => found.status === 'waiting')
    await report({ id }, 'e')
    expect((await server.wait(run)).status).toBe('completed')
  })
})

describe('a fork', () => {
  const counting = (name: string) =>
    flow({ in: 'input', a: post(`${server.toy.url}/ok/${name}-a`), b: post(`${server.toy.url}/ok/${name}-b`, { body: { from: '{{ a.body.visit }}' } }), c: 'output' }, [
      'in > a > b > c',
    ])

  test('starts again from a step, with the recorded outputs of what does not depend on it; the source stays as it is', async () => {
    const source = await server.run(counting('fork'), { input: { n: 1 }, tags: ['t'] })
    const before = { run: source, events: await server.events(source), steps: await server.steps(source) }
    const { id } = await control(source, 'fork', { step: 'b' })
    const forked = await server.wait(id)
    expect(forked).toMatchObject({ status: 'completed', version: source.version, input: { n: 1 }, trigger: 'fork', tags: ['t'] })
    expect(forked.output).toMatchObject({ body: { visit: 2, body: { from: 1 } } })
    expect([server.toy.visits('fork-a').length, server.toy.visits('fork-b').length]).toEqual([1, 2])
    expect({ run: await server.get(source), events: await server.events(source), steps: await server.steps(source) }).toEqual(before)
  })

  test('takes edited outputs in place of recorded ones', async () => {
    const source = await server.run(counting('edit'), { input: { n: 1 } })
    const { id } = await control(source, 'fork', { step: 'b', outputs: { a: { body: { visit: 77 } } } })
    expect((await server.wait(id)).output).toMatchObject({ body: { body: { from: 77 } } })
  })

  test('takes another input, which input nodes then give', async () => {
    const definition = flow(
      { in: 'input', a: template('{{ in.n }}'), b: post(`${server.toy.url}/ok/fork-in`), c: { type: 'output', config: { map: { a: '{{ nodes.a.text }}', n: '{{ input.n }}' } } } },
      ['in > a > b > c', 'a > c'],
    )
    const source = await server.run(definition, { input: { n: 1 } })
    expect(source.output).toEqual({ a: '1', n: 1 })
    const { id } = await control(source, 'fork', { step: 'b', input: { n: 2 } })
    expect((await server.wait(id)).output).toEqual({ a: '1', n: 2 })
    const again = await control(source, 'fork', { step: 'in', input: { n: 3 } })
    expect((await server.wait(again)).output).toEqual({ a: '3', n: 3 })
  })

  test('of a failed run carries on where it failed', async () => {
    const definition = flow({ a: post(`${server.toy.url}/ok/mend-a`), b: post(`${server.toy.url}/fail/1/mend-b`), c: 'output' }, ['a > b > c'])
    const source = await server.run(definition)
    expect(source.status).toBe('failed')
    const { id } = await control(source, 'fork', { step: 'b' })
    expect((await server.wait(id)).status).toBe('completed')
    expect(server.toy.visits('mend-a')).toHaveLength(1)
    expect((await server.get(source)).status).toBe('failed')
  })

  test('of a live run is a run of its own', async () => {
    const source = await server.run(flow({ a: values({ x: 1 }), p: approval(), out: 'output' }, ['a > p > out']), { until: 'parked' })
    const { id } = await control(source, 'fork', { step: 'p', wait: { until: 'parked' } })
    const [theirs] = await server.pauses(id)
    await server.decide(theirs!, 'approve', { inputs: { y: 2 } })
    expect((await server.wait(id)).output).toEqual({ x: 1, y: 2 })
    expect(await server.get(source)).toMatchObject({ status: 'waiting' })
  })

  test('from what is not there, or inside a body, is refused', async () => {
    const source = await server.run(flow({ in: 'input', each: map('input'), t: template('x', { in: 'each' }) }, ['in > each']), { input: [1] })
    expect(await refusal(control(source, 'fork', { step: 'gone' }))).toMatchObject({ status: 404, code: 'step_missing' })
    expect(await refusal(control(source, 'fork', { step: 't' }))).toMatchObject({ status: 404, code: 'step_missing' })
    expect(await refusal(control(source, 'fork', { step: 'each', outputs: { gone: 1 } }))).toMatchObject({ status: 404, code: 'node_missing' })
    expect(await refusal(control({ id: '000000000000000' }, 'fork', { step: 'x' }))).toMatchObject({ status: 404, code: 'run_missing' })
  })

  test('from behind a map brings the map’s results along', async () => {
    const definition = flow(
      {
        in: 'input',
        each: map('input'),
        call: post(`${server.toy.url}/ok/mapped`, { in: 'each' }),
        after: { type: 'output', config: { map: { n: '{{ each.results | size }}' } } },
      },
      ['in > each > after'],
    )
    const source = await server.run(definition, { input: [1, 2, 3] })
    const { id } = await control(source, 'fork', { step: 'after' })
    expect((await server.wait(id)).output).toEqual(source.output)
    expect(server.toy.visits('mapped')).toHaveLength(3)
  })

  test('checks another input as a start does', async () => {
    const source = await server.run(flow({ in: { type: 'input', config: { schema: { type: 'number' } } } }), { input: 1 })
    expect(await refusal(control(source, 'fork', { step: 'in', input: 'x' }))).toMatchObject({ status: 400, code: 'input_invalid' })
  })
})

describe('deleting a workflow', () => {
  test('cancels all that its runs have begun, however many', async () => {
    const { id } = await server.workflow(flow({ a: post(`${server.toy.url}/slow/1/deleting`), b: post(`${server.toy.url}/hang/deleting`) }, ['a > b']))
    const runs = await Promise.all(Array.from({ length: 20 }, () => server.start(id)))
    await server.toy.came('deleting', 10)
    await server.call('DELETE', `/v1/workflows/${id}`)
    for (const run of runs) expect((await server.wait(run)).status).toBe('cancelled')
  })

  test('hides it, frees its handle and cancels its runs', async () => {
    const made = await server.call<{ id: string; handle: string }>('POST', '/v1/workflows', { name: 'Doomed', handle: 'doomed', definition: flow({ e: external() }) })
    const other = await server.call<{ id: string }>('POST', '/v1/workflows', { name: 'Hanging', definition: flow({ call: post(`${server.toy.url}/hang/deleted`) }) })
    const waiting = await server.start(made.id, { wait: { until: 'parked' } })
    const working = await server.start(other.id)
    await server.toy.came('deleted')
    for (const { id } of [made, other]) await server.call('DELETE', `/v1/workflows/${id}`)
    expect(await server.wait(waiting)).toMatchObject({ status: 'cancelled' })
    expect(await server.wait(working)).toMatchObject({ status: 'cancelled' })
    await server.toy.left('deleted')
    expect(await refusal(server.start('doomed'))).toMatchObject({ code: 'workflow_missing' })
    expect(await server.call('POST', '/v1/workflows', { name: 'Next', handle: 'doomed' })).toMatchObject({ handle: 'doomed' })
  })
})
