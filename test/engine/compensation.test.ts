import type { Definition, Json, NodeSettings, Step } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, delay, external, type FlowNode, flow, map, post, subworkflow, template, values } from '../support/flow.ts'
import { refusal, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const url = (path: string) => server.toy.url + path
const start = async (definition: Definition, input: Json = null) => server.start(await server.workflow(definition), { input })
const report = (run: { id: string }, step: string, more: object = {}) =>
  server.call<Step>('POST', '/v1/steps/report', { run: { id: run.id }, step, outcome: 'completed', phase: 'compensate', ...more })
/** A step whose undoing calls the service under a name of its own. */
const undoable = (name: string, how = '/ok', settings: NodeSettings = {}, more: object = {}): FlowNode => ({
  type: 'http-request',
  config: { method: 'POST', url: url(`/ok/${name}`) },
  settings: { ...settings, compensate: { type: 'http-request', config: { method: 'POST', url: url(`${how}/undo-${name}`), body: { was: `{{ nodes['${name}'].body.visit }}` } } } },
  ...more,
})
/** The names of what was undone in the order in which it was, of those that begin so. */
const undone = (start: string) => server.toy.ledger.flatMap(({ name }) => (name.startsWith(`undo-${start}`) ? [name.slice('undo-'.length)] : []))
const bad = (name: string): FlowNode => post(url(`/refuse/${name}`))

describe('a run that failed', () => {
  test('undoes what completed, one at a time, the last first, and is then compensated', async () => {
    const run = await start(
      flow({ 'r-a': undoable('r-a'), 'r-b': undoable('r-b'), plain: values({}), 'r-c': undoable('r-c'), end: bad('r-end') }, ['r-a > r-b > plain > r-c > end']),
    )
    const ended = await server.wait(run)
    expect(ended).toMatchObject({ status: 'compensated', reason: { code: 'step_failed', step: 'end' } })
    expect(undone('r')).toEqual(['r-c', 'r-b', 'r-a'])
    expect(server.toy.mostAtOnce('undo-r')).toBe(1)
    expect(await server.step(run, 'r-b')).toMatchObject({
      state: 'completed',
      output: { body: { visit: 1 } },
      compensation: { state: 'completed', attempts: 1, failures: 0, error: null },
    })
    expect((await server.step(run, 'plain')).compensation).toBeNull()
    expect((await server.events(run)).map(({ type }) => type).slice(-9)).toEqual([
      'step.failed',
      'run.compensating',
      ...Array.from({ length: 3 }, () => ['step.compensating', 'step.compensated']).flat(),
      'run.compensated',
    ])
  })

  test('gives each undoing a key of its own, and what the step left', async () => {
    const run = await server.wait(await start(flow({ 'k-a': undoable('k-a'), end: bad('k-end') }, ['k-a > end'])))
    expect(server.toy.visits('undo-k-a')).toMatchObject([{ key: `${run.id}/k-a/-/undo`, body: { was: 1 } }])
  })

  test('undoes the failed step too, when it declares how', async () => {
    const failing: FlowNode = {
      ...(undoable('f-b') as object),
      type: 'http-request',
      config: { method: 'POST', url: url('/refuse/f-b') },
      settings: { compensate: { type: 'http-request', config: { method: 'POST', url: url('/ok/undo-f-b') } } },
    }
    const run = await server.wait(await start(flow({ 'f-a': undoable('f-a'), 'f-b': failing }, ['f-a > f-b'])))
    expect(run).toMatchObject({ status: 'compensated', reason: { step: 'f-b' } })
    expect(undone('f')).toEqual(['f-b', 'f-a'])
    expect(await server.step(run, 'f-b')).toMatchObject({ state: 'failed', error: { code: 'http_422' }, compensation: { state: 'completed' } })
  })

  test('with nothing to undo has failed', async () => {
    expect(await server.run(flow({ a: values({}), end: bad('n-end') }, ['a > end']))).toMatchObject({ status: 'failed', reason: { code: 'step_failed' } })
  })

  test('undoes nothing of what was skipped or never ran', async () => {
    const run = await server.wait(await start(flow({ 's-a': undoable('s-a'), end: bad('s-end'), 's-b': undoable('s-b') }, ['s-a > end > s-b'])))
    expect(run.status).toBe('compensated')
    expect(undone('s')).toEqual(['s-a'])
  })

  test('undoes those of parallel branches by when they completed, not by where they stand', async () => {
    const definition = flow(
      {
        'p-1': undoable('p-1'),
        'p-2': { ...(undoable('p-2') as object), type: 'http-request', config: { method: 'POST', url: url('/gate/p-2') } },
        both: 'merge',
        end: bad('p-end'),
      },
      ['p-1 > both', 'p-2 > both > end'],
    )
    const run = await start(definition)
    await server.event(run, 'step.completed', ({ nodeId }) => nodeId === 'p-1')
    server.toy.open('p-2')
    expect((await server.wait(run)).status).toBe('compensated')
    expect(undone('p')).toEqual(['p-2', 'p-1'])
  })

  test('undoes the iterations of a map, the last completed first', async () => {
    const definition = flow({ in: 'input', each: map('input', { concurrency: 1 }), 'm-a': undoable('m-a', '/ok', {}, { in: 'each' }), end: bad('m-end') }, ['in > each > end'])
    const run = await server.wait(await start(definition, [1, 2, 3]))
    expect(run.status).toBe('compensated')
    expect(server.toy.visits('undo-m-a').map(({ key, body }) => [key, body])).toEqual([2, 1, 0].map((n) => [`${run.id}/m-a/${n}/undo`, { was: n + 1 }]))
  })

  test('by its time-out is undone too', async () => {
    const run = await server.run(flow({ 't-a': undoable('t-a'), wait: external() }, ['t-a > wait'], { timeoutMs: 300 }))
    expect(run).toMatchObject({ status: 'compensated', reason: { code: 'timed_out' } })
    expect(undone('t')).toEqual(['t-a'])
  })

  test('under continue is undone once every path has come to its end', async () => {
    const run = await server.wait(await start(flow({ 'c-a': undoable('c-a'), end: bad('c-end'), 'c-b': undoable('c-b') }, ['c-a > end', 'c-a > c-b'], { onFailure: 'continue' })))
    expect(run.status).toBe('compensated')
    expect(undone('c')).toEqual(['c-b', 'c-a'])
  })

  test('has a child undone by what the step of it declares; the child itself is not reopened', async () => {
    const child = await server.workflow(flow({ 'sub-a': undoable('sub-a') }))
    const sub = subworkflow(child.id, {
      settings: { compensate: { type: 'http-request', config: { method: 'POST', url: url('/ok/undo-sub'), body: { got: '{{ nodes.sub }}' } } } },
    })
    const run = await server.wait(await start(flow({ sub, end: bad('sub-end') }, ['sub > end'])))
    expect(run.status).toBe('compensated')
    expect(server.toy.visits('undo-sub')).toMatchObject([{ body: { got: { 'sub-a': { status: 200 } } } }])
    expect(undone('sub-a')).toEqual([])
    expect(await server.call('GET', `/v1/runs?workflow=${child.id}`)).toMatchObject({ items: [{ status: 'completed' }] })
  })
})

describe('an undoing', () => {
  test('that fails is tried again, as the step is', async () => {
    const run = await server.wait(
      await start(flow({ 'u-a': undoable('u-a', '/fail/2', { retry: { maxAttempts: 3, backoffMs: 20, jitter: 0 } }), end: bad('u-end') }, ['u-a > end'])),
    )
    expect(run.status).toBe('compensated')
    expect(await server.step(run, 'u-a')).toMatchObject({ attempts: 1, compensation: { state: 'completed', attempts: 3, failures: 2 } })
    expect(new Set(server.toy.visits('undo-u-a').map(({ key }) => key)).size).toBe(1)
  })

  test('that waits to be tried again says until when, and can be made to try now', async () => {
    const run = await start(flow({ 'w-a': undoable('w-a', '/fail/1', { retry: { maxAttempts: 2, backoffMs: 3_600_000 } }), end: bad('w-end') }, ['w-a > end']))
    await server.toy.came('undo-w-a')
    const found = await eventuallyWaiting(run)
    expect(found).toMatchObject({ status: 'compensating', waitingOn: [{ kind: 'timer', step: 'w-a', until: expect.any(String) }] })
    await server.call('POST', `/v1/runs/${run.id}/retry-step`, { step: 'w-a' })
    expect((await server.wait(run)).status).toBe('compensated')
  })

  test('that fails for good makes the run failed with compensation_failed; the others are undone all the same', async () => {
    const run = await server.wait(
      await start(flow({ 'x-a': undoable('x-a'), 'x-b': undoable('x-b', '/refuse'), 'x-c': undoable('x-c'), end: bad('x-end') }, ['x-a > x-b > x-c > end'])),
    )
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'compensation_failed', step: 'x-b' } })
    expect(undone('x')).toEqual(['x-c', 'x-b', 'x-a'])
    expect(await server.step(run, 'x-b')).toMatchObject({ state: 'completed', compensation: { state: 'failed', error: { code: 'http_422' } } })
    expect((await server.events(run)).filter(({ type }) => type === 'step.compensation_failed')).toMatchObject([{ step: 'x-b' }])
  })

  test('that hangs is ended by the node’s time-out', async () => {
    const run = await server.wait(await start(flow({ 'h-a': undoable('h-a', '/hang', { timeoutMs: 150 }), end: bad('h-end') }, ['h-a > end'])))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'compensation_failed' } })
    await server.toy.left('undo-h-a')
  })

  test('may wait for a report: completed, failed and tried again, or a conflict', async () => {
    const settings: NodeSettings = { retry: { maxAttempts: 2, backoffMs: 1 }, compensate: { type: 'external', config: {} } }
    const run = await start(flow({ a: values({ x: 1 }, { settings }), end: bad('e-end') }, ['a > end']))
    await server.event(run, 'step.compensating')
    expect(await server.get(run)).toMatchObject({ status: 'compensating', waitingOn: [{ kind: 'report', step: 'a' }] })
    expect(await report(run, 'a', { outcome: 'failed', error: { code: 'later', message: 'Later' } })).toMatchObject({ compensation: { state: 'retrying', failures: 1 } })
    await server.event(run, 'step.compensating', ({ attempt }) => attempt === 2)
    const done = await report(run, 'a', { output: { undone: true } })
    expect(done).toMatchObject({ state: 'completed', compensation: { state: 'completed', attempts: 2, output: { undone: true } } })
    expect((await server.wait(run)).status).toBe('compensated')
    expect(await report(run, 'a', { output: { undone: true } })).toEqual(done)
    expect(await refusal(report(run, 'a', { output: { undone: false } }))).toMatchObject({ status: 409, code: 'report_conflict' })
  })

  test('of an external step is given what its report left for it', async () => {
    const settings: NodeSettings = { compensate: { type: 'http-request', config: { method: 'POST', url: url('/ok/undo-left'), body: { step: '{{ nodes.work }}' } } } }
    const run = await start(flow({ work: external({ settings }), end: bad('l-end') }, ['work > end']))
    await server.wait(run, 'parked')
    await report(run, 'work', { phase: 'invoke', output: { x: 1 }, compensateInput: { refund: 5 } })
    expect((await server.wait(run)).status).toBe('compensated')
    expect(server.toy.visits('undo-left')).toMatchObject([{ body: { step: { x: 1 } } }])
  })
})

test('a decline undoes what completed, and the run is cancelled', async () => {
  const run = await start(flow({ 'd-a': undoable('d-a'), ask: approval(), after: template('after') }, ['d-a > ask > after']))
  await server.wait(run, 'parked')
  await server.decide((await server.pauses(run))[0]!, 'decline', { comments: 'no' })
  expect(await server.wait(run)).toMatchObject({ status: 'cancelled', reason: { code: 'pause_declined', step: 'ask' } })
  expect(undone('d')).toEqual(['d-a'])
})

test('a run being undone goes on although its server is held up by other work', async () => {
  const runs = await Promise.all(Array.from({ length: 10 }, (_, n) => start(flow({ [`z-${n}`]: undoable(`z-${n}`), d: delay(10), end: bad(`z-end-${n}`) }, [`z-${n} > d > end`]))))
  for (const run of runs) expect((await server.wait(run)).status).toBe('compensated')
})

/** There is no event of an undoing that begins to wait: looks until it does. */
async function eventuallyWaiting(run: { id: string }) {
  for (;;) {
    const found = await server.get(run)
    if (found.waitingOn.length > 0 || found.endedAt) return found
  }
}
