import type { JsonObject, Run, Version } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, external, flow, post, subworkflow, template, values } from '../support/flow.ts'
import { refusal, type Start, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const echo = flow({ in: 'input', out: 'output' }, ['in > out'])
const waiting = flow({ in: 'input', ask: approval(), out: 'output' }, ['in > ask > out'])

describe('a start', () => {
  test('runs the workflow to its end and gives its output', async () => {
    const run = await server.run(echo, { input: { a: 1 }, tags: ['x', 'y', 'x'], trigger: 'test' })
    expect(run).toMatchObject({ status: 'completed', input: { a: 1 }, output: { a: 1 }, progress: 100, version: 1, tags: ['x', 'y'], trigger: 'test', reason: null, waitingOn: [] })
    expect((await server.events(run)).map(({ type }) => type)).toEqual([
      'run.queued',
      'run.started',
      'step.started',
      'step.completed',
      'step.started',
      'step.completed',
      'run.completed',
    ])
  })

  test('publishes a draft whose hash is new, and only such a one; each run stays on the version it began with', async () => {
    const { id } = await server.workflow(waiting)
    const first = await server.start(id, { input: 1 })
    const again = await server.start(id, { input: 2 })
    expect([first.version, again.version]).toEqual([1, 1])
    await server.call('PATCH', `/v1/workflows/${id}`, {
      definition: flow({ in: 'input', ask: approval(), out: { type: 'output', config: { map: { new: true } } } }, ['in > ask > out']),
    })
    const second = await server.start(id, { input: 3 })
    const pinned = await server.start(id, { input: 4, version: 1 })
    expect([second.version, pinned.version]).toEqual([2, 1])
    const ends = []
    for (const run of [first, second, pinned]) {
      await server.wait(run, 'parked')
      await server.decide((await server.pauses(run))[0]!, 'approve')
      ends.push((await server.wait(run)).output)
    }
    expect(ends).toEqual([1, { new: true }, 4])
    const { items } = await server.call<{ items: Version[] }>('GET', `/v1/workflows/${id}/versions`)
    expect(items.map(({ number }) => number)).toEqual([2, 1])
  })

  test('many at once publish a new draft once', async () => {
    const { id } = await server.workflow(echo)
    const runs = await Promise.all(Array.from({ length: 8 }, (_, input) => server.start(id, { input })))
    expect(new Set(runs.map(({ version }) => version))).toEqual(new Set([1]))
    expect(await Promise.all(runs.map(async (run) => (await server.wait(run)).output))).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('refuses another definition than the one whose hash is expected', async () => {
    const { id } = await server.workflow(echo)
    const { hash } = await server.call<Version>('POST', `/v1/workflows/${id}/publish`, {})
    expect((await server.start(id, { expectHash: hash })).version).toBe(1)
    await server.call('PATCH', `/v1/workflows/${id}`, { definition: waiting })
    expect(await refusal(server.start(id, { expectHash: hash }))).toMatchObject({ status: 409, code: 'hash_mismatch' })
    expect((await server.start(id, { expectHash: hash, version: 1 })).version).toBe(1)
  })

  test('sent again by a program that knows a newer version, the same key means the same run', async () => {
    const { id } = await server.workflow(echo)
    const { hash } = await server.call<Version>('POST', `/v1/workflows/${id}/publish`, {})
    const first = await server.start(id, { idempotencyKey: 'again', expectHash: hash })
    await server.call('PATCH', `/v1/workflows/${id}`, { definition: waiting })
    const { hash: newer } = await server.call<Version>('POST', `/v1/workflows/${id}/publish`, {})
    expect((await server.start(id, { idempotencyKey: 'again', expectHash: newer })).id).toBe(first.id)
  })

  test('refuses a draft that means nothing, with node and field, and makes no run', async () => {
    const { id } = await server.workflow(flow({ a: { type: 'router', config: { routes: [{ name: 'x', when: 'nonsense(' }] } }, b: 'unheard-of' }, ['a.y > b']))
    const refused = await refusal(server.start(id))
    expect(refused).toMatchObject({ status: 400, code: 'definition_invalid' })
    expect(refused.issues.map(({ nodeId, field }) => `${nodeId} ${field}`).sort()).toEqual(['a config.routes.0.when', 'a links.0.sourceHandle', 'b type'])
    expect(await server.call('GET', `/v1/runs?workflow=${id}`)).toMatchObject({ items: [] })
  })

  test('of what is not there is a 404', async () => {
    expect(await refusal(server.start('gone'))).toMatchObject({ status: 404, code: 'workflow_missing' })
    const { id } = await server.workflow(echo)
    expect(await refusal(server.start(id, { version: 7 }))).toMatchObject({ status: 404, code: 'version_missing' })
    expect(await refusal(server.get('000000000000000'))).toMatchObject({ status: 404, code: 'run_missing' })
  })

  test('names the workflow by its handle too', async () => {
    const { handle, id } = await server.workflow(echo, 'By handle')
    expect((await server.start(handle)).workflowId).toBe(id)
  })
})

describe('the input', () => {
  const schema = { type: 'object', required: ['amount'], properties: { amount: { type: 'number' } } }

  test('is checked against the schema of each input node, and what is wrong is named by node and path', async () => {
    const { id } = await server.workflow(flow({ order: { type: 'input', title: 'Order', config: { schema } }, note: 'input', out: 'output' }, ['order > out', 'note > out']))
    const one = await refusal(server.start(id, { input: { amount: 'much' } }))
    expect(one).toMatchObject({ status: 400, code: 'input_invalid' })
    expect(one.issues).toMatchObject([{ nodeId: 'order', path: ['input', 'amount'] }])
    const keyed = await refusal(server.start(id, { inputs: { Order: {}, note: 1 } }))
    expect(keyed.issues).toMatchObject([{ nodeId: 'order', path: ['inputs', 'Order'] }])
    expect((await server.start(id, { input: { amount: 3 } })).status).toBe('queued')
  })

  test('is the same to expressions, whether the only input node is named or not', async () => {
    const definition = flow({ a: { type: 'input', title: 'First' }, out: { type: 'output', config: { map: { n: '{{ input.n }}', same: '{{ nodes.First.n }}' } } } }, ['a > out'])
    const starts: Start[] = [{ input: { n: 1 } }, { inputs: { a: { n: 1 } } }, { inputs: { First: { n: 1 } } }]
    for (const start of starts) expect(await server.run(definition, start)).toMatchObject({ status: 'completed', input: { n: 1 }, output: { n: 1, same: 1 } })
  })

  test('may be given to each input node by its id or title', async () => {
    const definition = flow({ a: { type: 'input', title: 'First' }, b: 'input', out: 'output' }, ['a > out', 'b > out'])
    expect((await server.run(definition, { inputs: { First: 1, b: { two: 2 } } })).output).toEqual({ First: 1, b: { two: 2 } })
    expect((await server.run(definition, { inputs: { a: 1 } })).output).toEqual({ First: 1, b: null })
    const { id } = await server.workflow(definition)
    expect((await refusal(server.start(id, { inputs: { c: 1 } }))).issues).toMatchObject([{ path: ['inputs', 'c'] }])
    expect((await refusal(server.start(id, { inputs: { a: 1, First: 2 } }))).issues).toMatchObject([{ path: ['inputs', 'First'] }])
    expect((await refusal(server.start(id, { input: 1, inputs: {} }))).code).toBe('input_invalid')
  })

  test('that names no input node is left out where that is asked for, and not kept; with no value for any input node nothing starts', async () => {
    const definition = flow({ a: { type: 'input', title: 'First' }, b: 'input', out: 'output' }, ['a > out', 'b > out'])
    const { id } = await server.workflow(definition)
    const ignoring = (inputs: JsonObject): Promise<Run> => server.start(id, { inputs, otherInputs: 'ignore', wait: {} })
    // The first time by the long way, then by what is known of the workflow.
    for (let time = 0; time < 2; time++) {
      expect(await ignoring({ First: 1, b: 2, c: 3, constructor: 4 })).toMatchObject({ status: 'completed', output: { First: 1, b: 2 }, input: { First: 1, b: 2 } })
      expect((await ignoring({ First: 1, b: 2, c: 3 })).input).toEqual({ First: 1, b: 2 })
      expect((await ignoring({ b: 2 })).output).toEqual({ First: null, b: 2 })
      for (const inputs of [{}, { c: 3 }] as JsonObject[]) {
        const refused = await refusal(ignoring(inputs))
        expect(refused).toMatchObject({ status: 400, code: 'input_invalid', issues: [{ nodeId: 'a' }, { nodeId: 'b' }] })
      }
      expect((await refusal(server.start(id, { inputs: { First: 1, c: 3 } }))).issues).toMatchObject([{ path: ['inputs', 'c'] }])
    }
    const without = await server.workflow(flow({ s: values({ a: 1 }) }))
    expect(await server.start(without, { inputs: { c: 3 }, otherInputs: 'ignore', wait: {} })).toMatchObject({ status: 'completed', input: {} })
    const checked = await server.workflow(flow({ in: { type: 'input', config: { schema } } }))
    expect((await refusal(server.start(checked, { inputs: { in: {}, c: 1 }, otherInputs: 'ignore' }))).issues).toMatchObject([{ nodeId: 'in', path: ['inputs', 'in'] }])
  })

  test('one value goes to every input node', async () => {
    expect((await server.run(flow({ a: 'input', b: 'input' }), { input: [1] })).output).toEqual({ a: [1], b: [1] })
  })

  test('of a sub-workflow and of an output are checked too: what does not fit fails the step', async () => {
    const child = await server.workflow(flow({ in: { type: 'input', config: { schema } } }))
    const run = await server.run(flow({ in: 'input', sub: subworkflow(child.id) }, ['in > sub']), { input: { amount: 'x' } })
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'child_failed', step: 'sub' } })
    const wrong = await server.run(flow({ in: 'input', out: { type: 'output', config: { schema } } }, ['in > out']), { input: {} })
    expect(wrong).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'out' } })
    expect((await server.step(wrong, 'out')).error).toMatchObject({ code: 'output_invalid', details: { issues: [{ message: expect.stringContaining('amount') }] } })
  })

  test('with hostile keys stays data', async () => {
    const input = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":{"__proto__":2}}') as object
    const { id } = await server.workflow(echo)
    const response = await fetch(`${server.url}/v1/runs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
      body: `{"workflow":"${id}","input":${JSON.stringify(input)},"wait":{"until":"finished"}}`,
    })
    expect(JSON.parse(await response.text())).toMatchObject({ status: 'completed' })
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
})

describe('an idempotency key', () => {
  test('makes the same request the same run; another body is a conflict', async () => {
    const { id } = await server.workflow(waiting)
    const runs = await Promise.all(Array.from({ length: 5 }, () => server.start(id, { input: { a: 1, b: 2 }, idempotencyKey: 'k1' })))
    expect(new Set(runs.map((run) => run.id)).size).toBe(1)
    expect((await server.start(id, { idempotencyKey: 'k1', input: { b: 2, a: 1 }, wait: { until: 'parked' } })).id).toBe(runs[0]!.id)
    expect(await refusal(server.start(id, { input: { a: 2 }, idempotencyKey: 'k1' }))).toMatchObject({ status: 409, code: 'idempotency_conflict' })
    expect((await server.start(id, { input: { a: 1, b: 2 }, idempotencyKey: 'k2' })).id).not.toBe(runs[0]!.id)
  })

  test('is not used up by a request that was refused', async () => {
    const { id } = await server.workflow(flow({ in: { type: 'input', config: { schema: { type: 'number' } } } }))
    expect((await refusal(server.start(id, { input: 'x', idempotencyKey: 'k3' }))).code).toBe('input_invalid')
    expect((await server.start(id, { input: 1, idempotencyKey: 'k3' })).status).not.toBe('failed')
  })

  test('belongs to who used it', async () => {
    const { secret } = await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'other' })
    const { id } = await server.workflow(echo)
    const mine = await server.start(id, { idempotencyKey: 'k4' })
    const theirs = await server.call<{ id: string }>('POST', '/v1/runs', { workflow: id, idempotencyKey: 'k4' }, { as: secret })
    expect(theirs.id).not.toBe(mine.id)
  })
})

describe('a transaction id', () => {
  test('names the live run: the same input gives that run, another input is a conflict', async () => {
    const { id } = await server.workflow(waiting)
    const runs = await Promise.all(Array.from({ length: 5 }, () => server.start(id, { input: { a: 1 }, transactionId: 't1' })))
    expect(new Set(runs.map((run) => run.id)).size).toBe(1)
    expect(await refusal(server.start(id, { input: { a: 2 }, transactionId: 't1' }))).toMatchObject({ status: 409, code: 'transaction_conflict', details: { runId: runs[0]!.id } })
    expect((await server.call<{ id: string }>('GET', `/v1/workflows/${id}/transactions/t1`)).id).toBe(runs[0]!.id)
    const { id: other } = await server.workflow(waiting)
    expect((await server.start(other, { input: { a: 2 }, transactionId: 't1' })).id).not.toBe(runs[0]!.id)
  })

  test('names the live run also to who does not say what it was started with, and makes the attempts that wait to be asked for', async () => {
    const manual = { retry: { maxAttempts: 3, manual: true } }
    const nodes = [
      { id: 'in', type: 'input', config: { schema: { type: 'object', required: ['a'] } } },
      { id: 'out', type: 'external', settings: manual },
    ]
    const { id } = await server.workflow({ kind: 'workflow', nodes, links: [{ source: 'in', target: 'out' }] })
    const wait = { until: 'parked', ms: 20_000 } as const
    const first = await server.start(id, { input: { a: 1 }, transactionId: 't3', wait })
    const fail = (code: string) => server.call('POST', '/v1/steps/report', { run: { id: first.id }, step: 'out', outcome: 'failed', error: { code, message: 'No' }, wait })
    await fail('one')
    const parked = await server.call('GET', `/v1/runs/${first.id}`)
    expect(parked).toMatchObject({ status: 'waiting', waitingKind: 'retry', waitingOn: [{ kind: 'retry', step: 'out' }] })
    const again = await server.start(id, { transactionId: 't3', wait })
    expect(again).toMatchObject({ id: first.id, status: 'waiting', waitingKind: 'report' })
    await fail('two')
    await server.start(id, { input: { a: 1 }, transactionId: 't3', wait })
    await fail('three')
    expect(await server.call('GET', `/v1/runs/${first.id}`)).toMatchObject({ status: 'failed', reason: { code: 'step_failed' } })
    expect(await refusal(server.start(id, { transactionId: 't3' }))).toMatchObject({ code: 'input_invalid' })
  })

  test('that is the id of a run which has none names that run, as it is told', async () => {
    const { id } = await server.workflow(waiting)
    const run = await server.start(id, { input: { a: 1 } })
    for (const again of [{ transactionId: run.id }, { transactionId: run.id, input: { a: 1 } }]) expect((await server.start(id, again)).id).toBe(run.id)
    expect(await refusal(server.start(id, { transactionId: run.id, input: { a: 2 } }))).toMatchObject({ code: 'transaction_conflict', details: { runId: run.id } })
    const { id: other } = await server.workflow(waiting)
    expect((await server.start(other, { transactionId: run.id, input: { a: 1 } })).id).not.toBe(run.id)
    const { id: idempotent } = await server.workflow({ ...echo, settings: { idempotent: true } })
    const ended = await server.wait(await server.start(idempotent, { input: 1 }))
    expect((await server.start(idempotent, { input: 1, transactionId: ended.id })).id).toBe(ended.id)
  })

  test('sent by many at once to two servers names one run', async () => {
    await using there = await server.another()
    const { id } = await server.workflow(waiting)
    await server.call('POST', `/v1/workflows/${id}/publish`, {})
    for (const transactionId of ['m1', 'm2', 'm3']) {
      const runs = await Promise.all(Array.from({ length: 12 }, (_, n) => (n % 2 ? server : there).start(id, { input: 1, transactionId })))
      expect(new Set(runs.map((run) => run.id)).size).toBe(1)
    }
  })

  test('of an ended run is free again; of an idempotent definition it names the ended one', async () => {
    const { id } = await server.workflow(echo)
    const first = await server.wait(await server.start(id, { input: 1, transactionId: 't2' }))
    const second = await server.start(id, { input: 2, transactionId: 't2' })
    expect(second.id).not.toBe(first.id)
    const { id: idempotent } = await server.workflow({ ...echo, settings: { idempotent: true } })
    const ended = await server.wait(await server.start(idempotent, { input: 1, transactionId: 't2' }))
    expect(await server.start(idempotent, { input: 1, transactionId: 't2' })).toEqual(ended)
  })
})

describe('a start that waits', () => {
  test('until accepted answers at once with the run as it stands', async () => {
    const { id } = await server.workflow(waiting)
    expect(await server.start(id, { wait: { until: 'accepted' } })).toMatchObject({ status: 'queued', waitingOn: [{ kind: 'queue' }] })
  })

  test('until parked answers when it waits, or a retry is scheduled', async () => {
    const { id } = await server.workflow(waiting)
    const run = await server.start(id, { wait: { until: 'parked' } })
    expect(run).toMatchObject({ status: 'waiting', waitingKind: 'pause', waitingOn: [{ kind: 'pause', step: 'ask' }], progress: 33 })
    expect(run.pauses).toHaveLength(1)
    const { id: flaky } = await server.workflow(flow({ call: post(`${server.toy.url}/fail/9/parked`, { settings: { retry: { maxAttempts: 2, backoffMs: 60_000 } } }) }))
    expect(await server.start(flaky, { wait: { until: 'parked' } })).toMatchObject({ nodes: [{ nodeId: 'call', state: 'retrying' }] })
  })

  test('until finished answers with a failed run as an outcome', async () => {
    const { id } = await server.workflow(flow({ a: post(`${server.toy.url}/refuse/started`) }))
    expect(await server.start(id, { wait: { until: 'finished' } })).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'a' } })
  })

  test('answers when the time is up, with the run as it then stands', async () => {
    const { id } = await server.workflow(waiting)
    expect((await server.start(id, { wait: { until: 'finished', ms: 100 } })).status).not.toBe('completed')
    expect((await server.start(id, { wait: { until: 'finished', ms: 0 } })).status).not.toBe('completed')
  })
})

describe('what a run is made of', () => {
  test('zero nodes complete with an empty object', async () => {
    expect(await server.run(flow({}))).toMatchObject({ status: 'completed', output: {}, progress: 100, nodes: [] })
  })

  test('what no entry reaches is not part of the run', async () => {
    const run = await server.run(flow({ in: 'input', out: 'output', lost: template('x'), after: template('y') }, ['in > out', 'lost > after']), { input: 5 })
    expect(run).toMatchObject({ status: 'completed', output: 5, progress: 100 })
    expect(run.nodes.map(({ nodeId, state }) => [nodeId, state])).toEqual([
      ['in', 'completed'],
      ['out', 'completed'],
      ['lost', null],
      ['after', null],
    ])
  })

  test('without an input node the nodes with no incoming link are the entries', async () => {
    expect((await server.run(flow({ a: values({ x: 1 }), b: values({ y: 2 }), c: 'merge' }, ['a > c', 'b > c']))).output).toEqual({ c: { x: 1, y: 2 } })
  })

  test('one output node gives the output; several, or the leaves, an object by step name', async () => {
    const two = flow({ in: 'input', a: { type: 'output', title: 'One' }, b: { type: 'output', config: { map: { n: '{{ input.n }}' } } } }, ['in > a', 'in > b'])
    expect((await server.run(two, { input: { n: 4 } })).output).toEqual({ One: { n: 4 }, b: { n: 4 } })
    const leaves = flow({ in: 'input', a: { ...(values({ x: 1 }) as object), type: 'static-value', title: 'Leaf' }, b: template('n {{ input.n }}') }, ['in > a', 'in > b'])
    expect((await server.run(leaves, { input: { n: 4 } })).output).toEqual({ Leaf: { x: 1 }, b: { text: 'n 4' } })
  })

  test('a step sees its predecessors by name, everything upstream as nodes, and all of it merged as data', async () => {
    const definition = flow(
      {
        in: 'input',
        one: { type: 'static-value', title: 'One', config: { values: { k: 1, a: 'one' } } },
        two: { type: 'static-value', config: { values: { k: 2 } } },
        out: { type: 'output', config: { map: { direct: '{{ two.k }}', far: '{{ nodes.One.a }}', merged: '{{ data }}', run: '{{ run.trigger }}', input: '{{ input }}' } } },
      },
      ['in > one > two > out'],
    )
    expect((await server.run(definition, { input: { n: 1 } })).output).toEqual({ direct: 2, far: 'one', merged: { n: 1, k: 1, a: 'one', k_2: 2 }, run: 'manual', input: { n: 1 } })
  })

  test('a run that waits for something outside says what for', async () => {
    const run = await server.run(flow({ a: external(), b: approval() }), { until: (run) => run.status === 'waiting' })
    expect(run).toMatchObject({ waitingKind: 'pause' })
    expect(run.waitingOn.map(({ kind, step }) => [kind, step]).sort()).toEqual([
      ['pause', 'b'],
      ['report', 'a'],
    ])
  })
})
