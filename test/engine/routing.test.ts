import type { Json, Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FlowNode, approval, flow, post, router, signal, template, values } from '../support/flow.ts'
import { type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Each node's state, by id. */
const states = ({ nodes }: Run) => Object.fromEntries(nodes.map(({ nodeId, state }) => [nodeId, state]))
const skips = async (run: Run) => Object.fromEntries((await server.steps(run)).flatMap(({ nodeId, skipReason }) => (skipReason ? [[nodeId, skipReason]] : [])))

describe('a router', () => {
  const routes = { small: 'input.n < 10', even: 'int(input.n) % 2 == 0' }
  const definition = (mode: 'first' | 'all') =>
    flow({ in: 'input', choose: router(routes, mode), small: template('s'), even: template('e'), other: template('o') }, [
      'in > choose',
      'choose.small > small',
      'choose.even > even',
      'choose > other',
    ])

  test('takes the first route that matches, and passes its input on', async () => {
    const run = await server.run(definition('first'), { input: { n: 4 } })
    expect(run.output).toEqual({ small: { text: 's' } })
    expect(states(run)).toEqual({ in: 'completed', choose: 'completed', small: 'completed', even: 'skipped', other: 'skipped' })
    expect(run.nodes[1]).toMatchObject({ route: ['small'], output: { n: 4 } })
    expect(await skips(run)).toEqual({ even: 'route', other: 'route' })
  })

  test('takes all that match when it is told to', async () => {
    expect((await server.run(definition('all'), { input: { n: 4 } })).output).toEqual({ small: { text: 's' }, even: { text: 'e' } })
    expect((await server.run(definition('all'), { input: { n: 14 } })).output).toEqual({ even: { text: 'e' } })
  })

  test('takes default when none does; a link without a handle is on default', async () => {
    const run = await server.run(definition('first'), { input: { n: 15 } })
    expect(run.output).toEqual({ other: { text: 'o' } })
    expect(run.nodes[1]).toMatchObject({ route: ['default'] })
  })

  test('takes a route by rules, whose values are templates and whose operands are not', async () => {
    const rules: Json = [
      { value: '{{ in.tags }}', operator: 'contains', operand: '{{ in.n }}' },
      { value: '{{ in.n }}', operator: 'number_equals', operand: '4', or: true },
      { value: '{{ in.missing }}', operator: 'is_empty' },
    ]
    const choose: FlowNode = { type: 'router', config: { routes: [{ name: 'yes', rules }], passes: 'steps' } }
    const definition = flow({ in: 'input', choose, yes: template('y'), no: template('n') }, ['in > choose', 'choose.yes > yes', 'choose > no'])
    const run = await server.run(definition, { input: { n: 4, tags: ['a'] } })
    expect(run.output).toEqual({ yes: { text: 'y' } })
    expect(run.nodes[1]).toMatchObject({ route: ['yes'], output: { in: { n: 4, tags: ['a'] } } })
    expect((await server.run(definition, { input: { n: 5, tags: ['{{ in.n }}'] } })).output).toEqual({ yes: { text: 'y' } })
    expect((await server.run(definition, { input: { n: 5, tags: [5] } })).output).toEqual({ no: { text: 'n' } })
    expect((await server.run(definition, { input: { n: 4, tags: [], missing: 1 } })).output).toEqual({ no: { text: 'n' } })
  })

  test('whose condition cannot be told fails its step and names the place', async () => {
    const run = await server.run(definition('first'), { input: {} })
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'choose' } })
    expect((await server.step(run, 'choose')).error).toMatchObject({ code: 'expression_failed', message: expect.stringContaining('routes.0.when') })
  })
})

describe('a join', () => {
  const nodes = { in: 'input', choose: router({ a: 'input.a', b: 'input.b' }, 'all'), a: template('a'), b: template('b') }
  const links = ['in > choose', 'choose.a > a > end', 'choose.b > b > end']

  test('of any runs when one path was taken, with what that path gave', async () => {
    const definition = flow({ ...nodes, end: 'output' }, links)
    expect((await server.run(definition, { input: { a: true, b: false } })).output).toEqual({ text: 'a' })
    expect((await server.run(definition, { input: { a: true, b: true } })).output).toEqual({ a: { text: 'a' }, b: { text: 'b' } })
    const none = await server.run(definition, { input: { a: false, b: false } })
    expect(none).toMatchObject({ status: 'completed', output: null })
    expect(states(none)['end']).toBe('skipped')
  })

  test('of all is skipped when one path was, and what follows it too', async () => {
    const definition = flow({ ...nodes, end: template('all'), after: template('after') }, [...links, 'end > after'], { join: 'all' })
    const run = await server.run(definition, { input: { a: true, b: false } })
    expect(states(run)).toMatchObject({ a: 'completed', b: 'skipped', end: 'skipped', after: 'skipped' })
    expect((await server.run(definition, { input: { a: true, b: true } })).output).toEqual({ after: { text: 'after' } })
  })

  test('of a node is its own before the definition’s', async () => {
    const definition = flow({ ...nodes, end: template('any', { settings: { join: 'any' } }) }, links, { join: 'all' })
    expect((await server.run(definition, { input: { a: true, b: false } })).output).toEqual({ end: { text: 'any' } })
  })

  test('waits for every incoming path to settle', async () => {
    const definition = flow(
      { quick: template('q'), slow: post(`${server.toy.url}/gate/join`), end: { type: 'output', config: { map: { both: '{{ input }}', names: '{{ nodes | json }}' } } } },
      ['quick > end', 'slow > end'],
    )
    const run = await server.start(await server.workflow(definition))
    await server.event(run, 'step.completed', ({ nodeId }) => nodeId === 'quick')
    await server.toy.came('join')
    expect(states(await server.get(run))).toMatchObject({ quick: 'completed', slow: 'running', end: null })
    server.toy.open('join')
    expect((await server.wait(run)).status).toBe('completed')
  })

  test('coalesce gives the first output that is not null, by its preferences', async () => {
    const definition = flow({ ...nodes, end: { type: 'coalesce', config: { order: ['b', 'a'] } } }, links, { join: 'all' })
    expect((await server.run(definition, { input: { a: true, b: true } })).output).toEqual({ end: { text: 'b' } })
    expect((await server.run(definition, { input: { a: true, b: false } })).output).toEqual({ end: { text: 'a' } })
  })

  test('merge puts outputs into one object, the later step winning', async () => {
    const definition = flow({ a: values({ x: 1, y: 1 }), b: values({ y: 2 }), c: template('t'), end: 'merge' }, ['a > end', 'b > end', 'c > end'])
    expect((await server.run(definition)).output).toEqual({ end: { x: 1, y: 2, text: 't' } })
  })

  test('two links from one source are one path that either handle takes', async () => {
    const definition = flow({ in: 'input', choose: router({ a: 'input.a', b: 'input.b' }, 'all'), end: template('end') }, ['in > choose', 'choose.a > end', 'choose.b > end'], {
      join: 'all',
    })
    const run = await server.run(definition, { input: { a: true, b: true } })
    expect(run.output).toEqual({ end: { text: 'end' } })
    expect((await server.run(definition, { input: { a: false, b: true } })).output).toEqual({ end: { text: 'end' } })
  })
})

describe('an outcome handle', () => {
  test('failed takes a failure up: normal followers are skipped and the run goes on', async () => {
    const run = await server.run(
      flow({ a: post(`${server.toy.url}/refuse/handled`), next: template('next'), rescue: { type: 'output', config: { map: { code: '{{ a.error.code }}' } } } }, [
        'a > next',
        'a.failed > rescue',
      ]),
    )
    expect(run).toMatchObject({ status: 'completed', output: { code: 'http_422' }, progress: 100 })
    expect(states(run)).toEqual({ a: 'failed', next: 'skipped', rescue: 'completed' })
    expect(await skips(run)).toEqual({ next: 'upstream_failed' })
  })

  test('declined takes a decline up', async () => {
    const run = await server.run(flow({ in: 'input', ask: approval(), yes: template('yes'), no: template('no') }, ['in > ask', 'ask > yes', 'ask.declined > no']), {
      input: { a: 1 },
      until: 'parked',
    })
    await server.decide((await server.pauses(run))[0]!, 'decline')
    const ended = await server.wait(run)
    expect(ended).toMatchObject({ status: 'completed', output: { no: { text: 'no' } } })
    expect(await skips(ended)).toEqual({ yes: 'declined' })
    expect(await server.step(run, 'ask')).toMatchObject({ state: 'completed', route: ['declined'], output: { a: 1 } })
  })

  test('expired takes an expiry up, of a pause and of a signal', async () => {
    const run = await server.run(
      flow({ ask: approval({ config: { expiresInMs: 50 } }), wait: signal('never', { timeoutMs: 50 }), yes: template('yes'), late: template('late'), never: template('never') }, [
        'ask > yes',
        'ask.expired > late',
        'wait.expired > never',
      ]),
    )
    expect(run).toMatchObject({ status: 'completed', output: { late: { text: 'late' }, never: { text: 'never' } } })
  })

  test('both a failure’s link and a default link may lead to one node', async () => {
    const run = await server.run(flow({ a: post(`${server.toy.url}/refuse/both`), end: template('end') }, ['a > end', 'a.failed > end']))
    expect(run).toMatchObject({ status: 'completed', output: { end: { text: 'end' } } })
  })
})

describe('a step that failed for good', () => {
  const nodes = { in: 'input', bad: 'template', after: template('after'), slow: 'template', next: template('next') }
  const links = ['in > bad > after', 'in > slow > next']

  test('under stop ends the run: nothing new starts, attempts under way finish', async () => {
    const run = await server.start(await server.workflow(flow({ ...nodes, slow: post(`${server.toy.url}/gate/stop`), bad: post(`${server.toy.url}/refuse/stop`) }, links)), {})
    await server.toy.came('stop', 2)
    await server.event(run, 'step.failed')
    server.toy.open('stop')
    const ended = await server.wait(run)
    expect(ended).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'bad' } })
    expect(states(ended)).toEqual({ in: 'completed', bad: 'failed', after: null, slow: 'completed', next: null })
  })

  test('under stop closes open waits', async () => {
    const run = await server.start(
      await server.workflow(flow({ ask: approval(), wait: signal('x'), go: signal('go'), bad: post(`${server.toy.url}/refuse/closing`) }, ['go > bad'])),
    )
    await server.wait(run, (found) => found.waitingOn.length === 3)
    const pause = (await server.pauses(run))[0]!
    await server.call('POST', '/v1/signals', { runId: run.id, name: 'go' })
    const ended = await server.wait(run)
    expect(ended).toMatchObject({ status: 'failed', pauses: [], waitingOn: [] })
    expect(states(ended)).toEqual({ ask: 'cancelled', wait: 'cancelled', go: 'completed', bad: 'failed' })
    expect(await server.call('GET', `/v1/pauses/${pause.id}`)).toMatchObject({ status: 'cancelled', decision: null })
  })

  test('under continue skips what depends on it, and other paths go on to their end', async () => {
    const run = await server.start(
      await server.workflow(flow({ ...nodes, slow: post(`${server.toy.url}/gate/continue`), bad: post(`${server.toy.url}/refuse/continue`) }, links, { onFailure: 'continue' })),
    )
    await server.event(run, 'step.skipped')
    server.toy.open('continue')
    const ended = await server.wait(run)
    expect(ended).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'bad' } })
    expect(states(ended)).toEqual({ in: 'completed', bad: 'failed', after: 'skipped', slow: 'completed', next: 'completed' })
    expect(await skips(ended)).toEqual({ after: 'upstream_failed' })
  })
})
