import type { Definition, Json } from '@sluice/schema'
import { expect, test } from 'vitest'
import { type Evaluated, evaluate } from '../../src/engine/attempt.ts'
import type { Surround } from '../../src/engine/iterations.ts'
import { type Payload, nothing, payloadOf, payloadOfText } from '../../src/engine/payload.ts'
import { type StepRow, newStep, stateOf } from '../../src/engine/state.ts'
import { type Task, root } from '../../src/engine/turn.ts'
import { type AnyNode, defineNode } from '../../src/nodes/contract.ts'
import { input } from '../../src/nodes/library/input.ts'
import { loop } from '../../src/nodes/library/loop.ts'
import { map } from '../../src/nodes/library/map.ts'
import { merge } from '../../src/nodes/library/merge.ts'
import { output } from '../../src/nodes/library/output.ts'
import { router } from '../../src/nodes/library/router.ts'
import { template } from '../../src/nodes/library/template.ts'
import { NoConfig } from '../../src/nodes/values.ts'
import { createPreparedCache } from '../../src/workflows/prepare.ts'
import { graph } from './play.ts'
import { Rows } from './rows.ts'

/** Gives what it is given: its input, and what is left to undo by. */
const work = defineNode({
  type: 'work',
  title: 'Work',
  description: '',
  category: 'work',
  config: NoConfig,
  behaviour: { is: 'pure', run: (_, context) => ({ output: { input: context.input, given: context.given } }) },
})
const nodes: AnyNode[] = [input, output, router, template, merge, map, loop, work]
const catalogue = { get: (type: string) => nodes.find((node) => node.type === type), list: () => nodes }

/** An output that is not in memory, for it is large. */
const elsewhere = (value: Json): { elsewhere: Payload } => ({ elsewhere: payloadOf(value) })

/** A run of which these steps have completed. */
class World {
  readonly fetched: string[][] = []
  private readonly run: Surround
  private readonly stored = new Map<string, Payload>()

  constructor(definition: Definition, completed: { [name: string]: Payload | { elsewhere: Payload } }, runInput: Payload = nothing) {
    const prepared = createPreparedCache(catalogue)('hash', definition)
    const state = stateOf(prepared.graph, { ...new Rows(definition).run(), input: runInput, status: 'running', startedAt: 1 })
    this.run = {
      state,
      plan: { ...prepared, missing: [] },
      items: new Map(),
      configs: new Map(),
      carried: new Map(),
      session: () => expect.unreachable('nobody asks for a session'),
      traceparent: () => null,
      now: () => 0,
      read: async (steps) => {
        this.fetched.push(steps.map((step) => step.key))
        return new Map(steps.map((step) => [step.key, this.stored.get(step.key)!]))
      },
    }
    for (const [name, result] of Object.entries(completed)) this.complete(name, result)
  }

  private complete(name: string, result: Payload | { elsewhere: Payload }): void {
    const [nodeId, iteration = ''] = name.split('@') as [string, string?]
    const payload = 'elsewhere' in result ? result.elsewhere : result
    const step = this.step(nodeId, iteration)
    Object.assign(step, { state: 'completed', route: ['default'], outputBytes: payload.bytes, output: 'elsewhere' in result ? null : payload })
    this.stored.set(step.key, payload)
  }

  step(nodeId: string, iteration = ''): StepRow {
    const { steps } = this.run.state
    const step = steps.get(newStep(nodeId, iteration).key) ?? newStep(nodeId, iteration)
    steps.set(step.key, step)
    return step
  }

  async evaluate(task: Partial<Task> & { nodeId: string }): Promise<Extract<Evaluated, { happened: unknown }>['happened']> {
    const { iteration = '' } = task
    const evaluated = await evaluate(this.run, { key: newStep(task.nodeId, iteration).key, iteration, phase: 'invoke', attempt: 1, ...task }, new Date(1_000))
    return 'happened' in evaluated ? evaluated.happened : expect.unreachable()
  }

  /** What a task gives. */
  async output(nodeId: string, task: Partial<Task> = {}): Promise<Payload> {
    const happened = await this.evaluate({ nodeId, ...task })
    return 'output' in happened ? happened.output : expect.unreachable(JSON.stringify(happened))
  }
}

const unread: Payload = {
  text: '"unread"',
  bytes: 8,
  get value() {
    return expect.unreachable('nobody reads this value')
  },
}

test('what no expression names is neither fetched nor parsed', async () => {
  const world = new World(graph({ a: {}, b: { type: 'template', config: { text: 'as it is' } } }, 'a -> b'), { a: elsewhere('large') }, unread)
  expect((await world.output('b')).value).toEqual({ text: 'as it is' })
  const near = new World(graph({ a: {}, b: {}, c: { type: 'template', config: { text: '{{ b }}' } } }, 'a -> c', 'b -> c'), { a: unread, b: payloadOf(1) }, unread)
  expect((await near.output('c')).value).toEqual({ text: '1' })
  expect([...world.fetched, ...near.fetched]).toEqual([])
})

test('of all that is upstream the steps are fetched that are named', async () => {
  const chain = (text: string): World =>
    new World(graph({ a: {}, b: {}, c: {}, d: { type: 'template', config: { text } } }, 'a -> b', 'b -> c', 'c -> d'), { a: elsewhere(1), b: elsewhere(2), c: elsewhere(3) })
  const fetchedFor = async (text: string): Promise<string[][]> => {
    const world = chain(text)
    await world.output('d')
    return world.fetched
  }
  expect(await fetchedFor('{{ nodes.a }}')).toEqual([['a\n']])
  expect(await fetchedFor('{{ nodes["b"] }} {{ c }}')).toEqual([['b\n', 'c\n']])
  expect(await fetchedFor('{{ nodes | json }}')).toEqual([['a\n', 'b\n', 'c\n']])
  expect(await fetchedFor('{{ data | json }}')).toEqual([['a\n', 'b\n', 'c\n']])
  // A name of the template's own in one branch is a name of the scope in the other.
  expect(await fetchedFor('{% if false %}{% assign nodes = 1 %}{% endif %}{{ nodes.a }}')).toEqual([['a\n', 'b\n', 'c\n']])
})

test('the steps around a body are seen from inside it, each in its own iteration', async () => {
  const world = new World(
    graph(
      {
        a: {},
        outer: { type: 'loop' },
        b: { parentId: 'outer' },
        inner: { type: 'loop', parentId: 'outer' },
        c: { type: 'template', parentId: 'inner', config: { text: '{{ nodes.a }} {{ nodes.b }}' } },
      },
      'a -> outer',
      'b -> inner',
    ),
    { a: payloadOf('top'), 'b@0': payloadOf('before'), 'b@3': payloadOf('around') },
  )
  expect((await world.output('c', { iteration: '3.0' })).value).toEqual({ text: 'top around' })
})

test('a step that takes its input gets what was given before it', async () => {
  const world = new World(graph({ a: {}, b: {}, c: {} }, 'a -> c', 'b -> c'), { a: payloadOf(1), b: elsewhere({ large: true }) }, unread)
  expect((await world.output('c')).value).toEqual({ input: { a: 1, b: { large: true } }, given: null })
})

test('what is handed on as it came keeps its text', async () => {
  const odd = payloadOfText('{"n": 1.50}')
  const routed = new World(graph({ a: {}, b: { type: 'router', config: { routes: [{ name: 'x', when: 'a.n > 1.0' }] } } }, 'a -> b'), { a: odd })
  expect((await routed.output('b')).text).toBe('{"n": 1.50}')
  const given = new World(graph({ a: { type: 'input' } }), {}, odd)
  expect((await given.output('a')).text).toBe('{"n": 1.50}')
})

test('what a run gives is put together of texts', async () => {
  const ask = { key: root, phase: 'ask' } as const
  const one = new World(graph({ a: {}, b: { type: 'output' } }, 'a -> b'), { a: unread, b: unread })
  expect((await one.output('', ask)).text).toBe('"unread"')
  const leaves = new World(graph({ a: {}, b: {} }), { a: unread, b: elsewhere([1]) })
  expect((await leaves.output('', ask)).text).toBe('{"a":"unread","b":[1]}')
})

test('the results of a map are fetched together, in the order of its items, with those that failed', async () => {
  const world = new World(graph({ each: { type: 'map', config: { items: [1, 2, 3] } }, a: { parentId: 'each' } }), { 'a@0': elsewhere('first'), 'a@2': elsewhere('third') })
  Object.assign(world.step('a', '1'), { state: 'failed', route: [], settled: 1, error: { code: 'broken', message: 'It broke' } })
  world.step('each').body = { total: 3, next: 3, live: 0, done: 2, failed: 1, concurrency: 3, collect: true, asked: true, error: null }
  expect((await world.output('each', { phase: 'ask' })).value).toEqual({
    results: [{ a: 'first' }, null, { a: 'third' }],
    failures: [{ index: 1, error: { code: 'broken', message: 'It broke' } }],
  })
  expect(world.fetched).toEqual([['a\n0', 'a\n2']])
})

test('what a loop came to is fetched when it is named, and at its end', async () => {
  const fetchedBy = async (config: { [key: string]: Json }) => {
    const world = new World(graph({ again: { type: 'loop', config }, a: { parentId: 'again' } }), { 'a@0': elsewhere('last') })
    world.step('again').body = { total: null, next: 1, live: 0, done: 1, failed: 0, concurrency: 1, collect: false, asked: true, error: null }
    const happened = await world.evaluate({ nodeId: 'again', phase: 'ask' })
    return { happened, fetched: world.fetched.length }
  }
  expect(await fetchedBy({ times: 2 })).toMatchObject({ happened: { more: true }, fetched: 0 })
  expect(await fetchedBy({ while: 'last.a == "last"' })).toMatchObject({ happened: { more: true }, fetched: 1 })
  const ended = await fetchedBy({ times: 1 })
  expect(ended).toMatchObject({ happened: { more: false }, fetched: 1 })
  expect(ended.happened).toHaveProperty('output.text', '{"last":{"a":"last"},"count":1}')
})

test('a step is undone by what it gave, however large that was', async () => {
  const world = new World(graph({ a: { settings: { compensate: { type: 'work' } } } }), { a: elsewhere('large') })
  expect((await world.output('a', { phase: 'compensate' })).value).toEqual({ input: {}, given: 'large' })
})
