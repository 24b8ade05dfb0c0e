import type { Definition, Json, Run, Step } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, delay, external, flow, loop, map, post, router, signal, subworkflow, template, values } from '../support/flow.ts'
import { type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const url = (path: string) => server.toy.url + path
const report = (run: { id: string }, step: string, more: object = {}) => server.call<Step>('POST', '/v1/steps/report', { run: { id: run.id }, step, outcome: 'completed', ...more })
const start = async (definition: Definition, input: Json = null) => server.start(await server.workflow(definition), { input })

describe('branches', () => {
  test('run at the same time', async () => {
    const run = await start(
      flow({ a: post(url('/gate/branch-a')), b: post(url('/gate/branch-b')), c: post(url('/gate/branch-c')), end: 'merge' }, ['a > end', 'b > end', 'c > end']),
    )
    await Promise.all(['a', 'b', 'c'].map((name) => server.toy.came(`branch-${name}`)))
    for (const name of ['c', 'a', 'b']) server.toy.open(`branch-${name}`)
    expect((await server.wait(run)).status).toBe('completed')
    expect(server.toy.mostAtOnce('branch')).toBe(3)
  })
})

describe('a map', () => {
  test('gives the results of its body in the order of the items, however they end', async () => {
    const definition = flow(
      {
        in: 'input',
        each: map('input', { concurrency: 3 }),
        call: { type: 'http-request', in: 'each', config: { method: 'POST', url: `${url('/slow')}/{{ item.ms }}/ordered`, body: { n: '{{ index }}' } } },
        out: { type: 'output', in: 'each', config: { map: { n: '{{ call.body.body.n }}' } } },
      },
      ['in > each', 'call > out'],
    )
    const run = await server.run(definition, { input: [{ ms: 120 }, { ms: 60 }, { ms: 1 }, { ms: 30 }] })
    expect(run.output).toEqual({ each: { results: [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }] } })
    expect(run.nodes[1]).toMatchObject({ nodeId: 'each', state: 'completed' })
    expect(run.nodes[2]).toMatchObject({ counts: { completed: 4 } })
  })

  test('runs as many items at a time as it may, and no more', async () => {
    const definition = flow({ in: 'input', each: map('input', { concurrency: 3 }), call: post(url('/gate/limited'), { in: 'each' }) }, ['in > each'])
    const run = await start(definition, [1, 2, 3, 4, 5, 6, 7])
    await server.toy.came('limited', 3)
    server.toy.open('limited')
    expect((await server.wait(run)).status).toBe('completed')
    expect(server.toy.visits('limited')).toHaveLength(7)
    expect(server.toy.mostAtOnce('limited')).toBe(3)
    expect(new Set(server.toy.visits('limited').map(({ key }) => key))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6].map((n) => `${run.id}/call/${n}`)))
  })

  test('of no items completes with no results', async () => {
    expect((await server.run(flow({ in: 'input', each: map('input'), t: template('x', { in: 'each' }) }, ['in > each']), { input: [] })).output).toEqual({ each: { results: [] } })
  })

  test('of what is no list fails', async () => {
    const run = await server.run(flow({ in: 'input', each: map('input'), t: template('x', { in: 'each' }) }, ['in > each']), { input: { a: 1 } })
    expect(run).toMatchObject({ status: 'failed', reason: { step: 'each' } })
    expect((await server.step(run, 'each')).error).toMatchObject({ code: 'items_not_a_list' })
  })

  test('fails with the first item that failed for good, and starts no more', async () => {
    const definition = flow(
      { in: 'input', each: map('input', { concurrency: 1 }), call: { type: 'http-request', in: 'each', config: { method: 'POST', url: `${url('')}/{{ item }}/map-fail` } } },
      ['in > each'],
    )
    const run = await server.run(definition, { input: ['ok', 'refuse', 'ok'] })
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'each' } })
    expect((await server.step(run, 'each')).error).toMatchObject({ code: 'http_422', details: { iteration: '1', step: 'call' } })
    expect(server.toy.visits('map-fail')).toHaveLength(2)
  })

  test('that fails lets what is under way finish, and closes what waits', async () => {
    const definition = flow(
      {
        in: 'input',
        each: map('input'),
        which: router({ bad: 'item == "bad"', slow: 'item == "slow"' }, 'first', { in: 'each' }),
        gate: post(url('/gate/map-gate'), { in: 'each' }),
        bad: post(url('/refuse/map-bad'), { in: 'each' }),
        slow: post(url('/gate/map-slow'), { in: 'each' }),
        ask: approval({ in: 'each' }),
      },
      ['in > each', 'which.bad > gate > bad', 'which.slow > slow', 'which > ask'],
    )
    const run = await start(definition, ['bad', 'slow', 'ask'])
    await server.event(run, 'pause.opened')
    await server.toy.came('map-slow')
    server.toy.open('map-gate')
    await server.event(run, 'step.failed')
    server.toy.open('map-slow')
    const ended = await server.wait(run)
    expect(ended).toMatchObject({ status: 'failed', reason: { step: 'each' }, pauses: [] })
    const steps = await server.steps(run)
    expect(
      steps
        .filter(({ nodeId }) => ['slow', 'bad', 'ask'].includes(nodeId) && true)
        .filter(({ state }) => state !== 'skipped')
        .map(({ nodeId, state }) => [nodeId, state])
        .sort(),
    ).toEqual([
      ['ask', 'cancelled'],
      ['bad', 'failed'],
      ['slow', 'completed'],
    ])
  })

  test('that collects goes on, and says which items failed', async () => {
    const definition = flow(
      {
        in: 'input',
        each: map('input', { onItemFailure: 'collect' }),
        call: { type: 'http-request', in: 'each', config: { method: 'POST', url: `${url('')}/{{ item }}/map-collect` } },
        out: { type: 'output', in: 'each', config: { map: { v: '{{ call.status }}' } } },
      },
      ['in > each', 'call > out'],
    )
    const run = await server.run(definition, { input: ['ok', 'refuse', 'ok'] })
    expect(run).toMatchObject({ status: 'completed', output: { each: { results: [{ v: 200 }, null, { v: 200 }], failures: [{ index: 1, error: { code: 'http_422' } }] } } })
  })

  test('whose failure is linked to goes on by that link', async () => {
    const definition = flow({ in: 'input', each: map('input'), call: post(url('/refuse/map-linked'), { in: 'each' }), rescue: template('rescued') }, [
      'in > each',
      'each.failed > rescue',
    ])
    expect((await server.run(definition, { input: [1] })).output).toEqual({ rescue: { text: 'rescued' } })
  })

  test('nests: paths tell the iterations apart', async () => {
    const definition = flow(
      {
        in: 'input',
        outer: map('input'),
        inner: map('item.list', { in: 'outer' }),
        one: { type: 'static-value', in: 'inner', config: { values: { at: '{{ index }}', v: '{{ item }}' } } },
        out: { type: 'output', in: 'outer', config: { map: { name: '{{ item.name }}', list: '{{ inner.results }}' } } },
      },
      ['in > outer', 'inner > out'],
    )
    const run = await server.run(definition, {
      input: [
        { name: 'a', list: [1, 2] },
        { name: 'b', list: [] },
        { name: 'c', list: [3] },
      ],
    })
    expect(run.output).toEqual({
      outer: {
        results: [
          { name: 'a', list: [{ one: { at: 0, v: 1 } }, { one: { at: 1, v: 2 } }] },
          { name: 'b', list: [] },
          { name: 'c', list: [{ one: { at: 0, v: 3 } }] },
        ],
      },
    })
    expect((await server.steps(run)).filter(({ nodeId }) => nodeId === 'one').map(({ iteration }) => iteration)).toEqual(['0.0', '0.1', '2.0'])
  })

  test('opens a pause for each item that asks, and goes on with each as it is decided', async () => {
    const definition = flow(
      {
        in: 'input',
        each: map('input', { concurrency: 2 }),
        ask: approval({ in: 'each', config: { message: 'Item {{ item }}?' } }),
        call: post(url('/ok/map-paused'), { in: 'each' }),
        out: { type: 'output', in: 'each', config: { map: { v: '{{ nodes.ask.v }}' } } },
      },
      ['in > each', 'ask > call > out'],
    )
    const run = await server.run(definition, { input: ['a', 'b', 'c'], until: (found) => found.pauses.length === 2 && found.status === 'waiting' })
    const pauses = await server.pauses(run)
    expect(pauses.map(({ message, iteration }) => [message, iteration])).toEqual([
      ['Item a?', '0'],
      ['Item b?', '1'],
    ])
    await server.decide(pauses[1]!, 'override', { inputs: { v: 'B' } })
    const third = await server.event(run, 'pause.opened', ({ pause }) => pause.iteration === '2')
    await server.decide(third.pause, 'override', { inputs: { v: 'C' } })
    await server.decide(pauses[0]!, 'override', { inputs: { v: 'A' } })
    expect((await server.wait(run)).output).toEqual({ each: { results: [{ v: 'A' }, { v: 'B' }, { v: 'C' }] } })
  })

  test('declined in one item ends the run, as a decline does', async () => {
    const definition = flow({ in: 'input', each: map('input'), ask: approval({ in: 'each' }) }, ['in > each'])
    const run = await server.run(definition, { input: [1, 2], until: (found) => found.pauses.length === 2 })
    await server.decide((await server.pauses(run))[0]!, 'decline')
    expect(await server.wait(run)).toMatchObject({ status: 'cancelled', reason: { code: 'pause_declined' }, pauses: [] })
  })

  test('of a list in its config gives each value as it stands', async () => {
    const definition = flow(
      {
        in: 'input',
        each: { type: 'map', config: { items: ['{{ input.a }}', 'x', { b: '{{ input.b }}' }] } },
        v: { type: 'static-value', in: 'each', config: { values: { item: '{{ item }}' } } },
      },
      ['in > each'],
    )
    expect((await server.run(definition, { input: { a: [1], b: 2 } })).output).toEqual({
      each: { results: [{ v: { item: [1] } }, { v: { item: 'x' } }, { v: { item: { b: 2 } } }] },
    })
  })

  test('of many items keeps its order and ends', async () => {
    const definition = flow(
      {
        in: 'input',
        each: map('input'),
        v: { type: 'static-value', in: 'each', config: { values: { i: '{{ index }}' } } },
        out: { type: 'output', config: { map: { n: '{{ each.results | size }}', last: '{{ each.results | last }}' } } },
      },
      ['in > each > out'],
    )
    const run = await server.run(definition, { input: Array.from({ length: 600 }, (_, n) => n) })
    expect(run.output).toEqual({ n: 600, last: { v: { i: 599 } } })
  })

  test('may fail by a retry that is used up in one item, while others go on', async () => {
    const definition = flow(
      {
        in: 'input',
        each: map('input', { onItemFailure: 'collect' }),
        call: { type: 'http-request', in: 'each', settings: { retry: { maxAttempts: 2, backoffMs: 1 } }, config: { method: 'POST', url: `${url('')}/{{ item }}` } },
      },
      ['in > each'],
    )
    const run = await server.run(definition, { input: ['fail/1/map-retry-a', 'fail/9/map-retry-b'] })
    expect(run).toMatchObject({ status: 'completed', output: { each: { failures: [{ index: 1 }] } } })
    expect((await server.steps(run)).filter(({ nodeId }) => nodeId === 'call').map(({ state, attempts }) => [state, attempts])).toEqual([
      ['completed', 2],
      ['failed', 2],
    ])
  })
})

describe('a loop', () => {
  test('runs its body a number of times, and gives the last output and the count', async () => {
    const definition = flow({ l: loop({ times: 3 }), v: { type: 'output', in: 'l', config: { map: { n: '{{ count }}', before: '{{ last }}' } } } })
    expect((await server.run(definition)).output).toEqual({ l: { count: 3, last: { n: 2, before: { n: 1, before: { n: 0, before: null } } } } })
  })

  test('runs while a condition over its last output holds', async () => {
    const definition = flow({ in: 'input', l: loop({ while: 'last == null || last.call.body.visit < 4' }), call: post(url('/ok/while'), { in: 'l' }) }, ['in > l'])
    const run = await server.run(definition)
    expect(run.output).toMatchObject({ l: { count: 4, last: { call: { body: { visit: 4 } } } } })
    expect(server.toy.visits('while').map(({ key }) => key)).toEqual([0, 1, 2, 3].map((n) => `${run.id}/call/${n}`))
  })

  test('that wants no iteration gives nothing', async () => {
    expect((await server.run(flow({ l: loop({ times: 0 }), v: values({}, { in: 'l' }) }))).output).toEqual({ l: { last: null, count: 0 } })
    expect((await server.run(flow({ l: loop({ while: 'false' }), v: values({}, { in: 'l' }) }))).output).toEqual({ l: { last: null, count: 0 } })
  })

  test('is bounded: it fails when it wants more', async () => {
    const run = await server.run(flow({ l: loop({ while: 'true', max: 5 }), v: values({}, { in: 'l' }) }))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded', step: 'l' } })
    expect((await server.steps(run)).filter(({ nodeId }) => nodeId === 'v')).toHaveLength(5)
  })

  test('asks for a decision once an iteration', async () => {
    const definition = flow({ l: loop({ while: 'last == null || last.ask.again' }), ask: approval({ in: 'l', config: { kind: 'question', message: 'Round {{ count }}' } }) })
    const run = await start(definition)
    for (const [round, again] of [true, true, false].entries()) {
      const { pause } = await server.event(run, 'pause.opened', (event) => event.pause.iteration === String(round))
      expect(pause).toMatchObject({ message: `Round ${round}`, kind: 'question' })
      await server.decide(pause, 'override', { inputs: { again } })
    }
    expect((await server.wait(run)).output).toEqual({ l: { count: 3, last: { ask: { again: false } } } })
  })

  test('ends with an iteration that fails', async () => {
    const run = await server.run(
      flow({
        l: loop({ times: 3 }),
        call: { type: 'http-request', in: 'l', config: { method: 'POST', url: `${url('')}/{% if count == 1 %}refuse{% else %}ok{% endif %}/loop-fail` } },
      }),
    )
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'l' } })
    expect(server.toy.visits('loop-fail')).toHaveLength(2)
  })

  test('of a map of a loop keeps all apart', async () => {
    const definition = flow(
      {
        in: 'input',
        each: map('input'),
        l: loop({ times: '{{ item }}' }, { in: 'each' }),
        v: { type: 'static-value', in: 'l', config: { values: { c: '{{ count }}' } } },
        out: { type: 'output', in: 'each', config: { map: { n: '{{ l.count }}', last: '{{ l.last.v.c }}' } } },
      },
      ['in > each', 'l > out'],
    )
    expect((await server.run(definition, { input: [2, 1, 3] })).output).toEqual({
      each: {
        results: [
          { n: 2, last: 1 },
          { n: 1, last: 0 },
          { n: 3, last: 2 },
        ],
      },
    })
  })
})

describe('a sub-workflow', () => {
  const child = (definition: Definition, name = 'Child') => server.workflow(definition, name)

  test('runs another workflow as a child run, and gives its output', async () => {
    const { id } = await child(flow({ in: 'input', out: { type: 'output', config: { map: { twice: '{{ input.n | times: 2 }}' } } } }, ['in > out']))
    const run = await server.run(flow({ in: 'input', sub: subworkflow(id, { config: { input: { n: '{{ input.n }}' } } }), out: 'output' }, ['in > sub > out']), {
      input: { n: 21 },
    })
    expect(run.output).toEqual({ twice: 42 })
    const { items } = await server.call<{ items: Run[] }>('GET', `/v1/runs?workflow=${id}`)
    expect(items).toMatchObject([{ parentRunId: run.id, trigger: 'parent', status: 'completed' }])
  })

  test('shows that its parent waits for it', async () => {
    const { id } = await child(flow({ e: external() }))
    const run = await start(flow({ sub: subworkflow(id) }))
    const waiting = await server.wait(run, (found) => found.status === 'waiting')
    expect(waiting).toMatchObject({ waitingKind: 'child', waitingOn: [{ kind: 'child', step: 'sub', runId: expect.any(String) }] })
    const childId = waiting.waitingOn[0]!.runId!
    await server.wait(childId, (found) => found.status === 'waiting')
    await report({ id: childId }, 'e', { output: 7 })
    expect((await server.wait(run)).output).toEqual({ sub: { e: 7 } })
  })

  test('that failed fails the step with child_failed', async () => {
    const { id } = await child(flow({ call: post(url('/refuse/sub')) }))
    const run = await server.run(flow({ sub: subworkflow(id) }))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'child_failed', step: 'sub' } })
    expect((await server.step(run, 'sub')).error).toMatchObject({ code: 'child_failed', details: { runId: expect.any(String), reason: 'step_failed' } })
  })

  test('that failed is started anew by a retry of its step', async () => {
    const { id } = await child(flow({ call: post(url('/fail/1/sub-retry')) }))
    const run = await server.run(flow({ sub: subworkflow(id, { settings: { retry: { maxAttempts: 2, backoffMs: 1 } } }) }))
    expect(run.status).toBe('completed')
    expect(await server.call('GET', `/v1/runs?workflow=${id}`)).toMatchObject({ items: [{ status: 'completed' }, { status: 'failed' }] })
  })

  test('that was cancelled fails the step with child_cancelled', async () => {
    const { id } = await child(flow({ e: external() }))
    const run = await start(flow({ sub: subworkflow(id) }))
    const { waitingOn } = await server.wait(run, (found) => found.status === 'waiting')
    await server.call('POST', `/v1/runs/${waitingOn[0]!.runId!}/cancel`, {})
    expect(await server.wait(run)).toMatchObject({ status: 'failed', reason: { code: 'child_cancelled', step: 'sub' } })
  })

  test('that is not there, or does not mean anything, fails the step', async () => {
    const gone = await server.run(flow({ sub: subworkflow('no-such-workflow') }))
    expect(gone).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'sub' } })
    expect((await server.step(gone, 'sub')).error).toMatchObject({ code: 'workflow_missing' })
    const { id } = await child(flow({ a: 'unheard-of' }))
    expect((await server.step(await server.run(flow({ sub: subworkflow(id) })), 'sub')).error).toMatchObject({ code: 'definition_invalid' })
  })

  test('nests ten levels deep and no deeper', async () => {
    const { id } = await server.call<{ id: string }>('POST', '/v1/workflows', { name: 'Deep', handle: 'deep', definition: flow({ sub: subworkflow('deep') }) })
    const run = await server.wait(await server.start(id))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'child_failed' } })
    const { items } = await server.call<{ items: Run[] }>('GET', `/v1/runs?workflow=${id}&limit=100`)
    expect(items).toHaveLength(11)
    const inner = items.find(({ reason }) => reason?.code === 'limit_exceeded')
    expect(inner).toMatchObject({ status: 'failed' })
  })

  test('in a map starts a child for each item', async () => {
    const { id } = await child(flow({ in: 'input', out: { type: 'output', config: { map: { v: '{{ input }}' } } } }, ['in > out']))
    const definition = flow({ in: 'input', each: map('input'), sub: subworkflow(id, { in: 'each', config: { input: '{{ item }}' } }), out: { type: 'output', in: 'each' } }, [
      'in > each',
      'sub > out',
    ])
    expect((await server.run(definition, { input: [1, 'b', [3]] })).output).toEqual({ each: { results: [{ v: 1 }, { v: 'b' }, { v: [3] }] } })
  })

  test('whose time is up is cancelled, and its step has failed', async () => {
    const { id } = await child(flow({ call: post(url('/hang/sub-late')) }))
    const run = await server.run(flow({ sub: subworkflow(id, { settings: { timeoutMs: 250 } }) }))
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'timed_out', step: 'sub' } })
    const { items } = await server.call<{ items: Run[] }>('GET', `/v1/runs?workflow=${id}`)
    expect(items).toMatchObject([{ status: 'cancelled' }])
  })

  test('is ended with its parent, when that fails elsewhere', async () => {
    const { id } = await child(flow({ e: external() }))
    const run = await start(flow({ sub: subworkflow(id), go: signal('go'), bad: post(url('/refuse/parent')) }, ['go > bad']))
    const { waitingOn } = await server.wait(run, (found) => found.waitingOn.length === 2 && found.waitingOn.some(({ kind }) => kind === 'child'))
    await server.call('POST', '/v1/signals', { runId: run.id, name: 'go' })
    expect(await server.wait(run)).toMatchObject({ status: 'failed', reason: { step: 'bad' } })
    expect(await server.wait(waitingOn.find(({ kind }) => kind === 'child')!.runId!)).toMatchObject({ status: 'cancelled' })
  })
})

test('a long chain of instant steps comes to its end', async () => {
  const nodes = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`n${n}`, values({ n })]))
  const run = await server.run(flow({ ...nodes, d: delay(1) }, [`${Object.keys(nodes).join(' > ')} > d`]))
  expect(run).toMatchObject({ status: 'completed', progress: 100 })
})
