import type { Definition, Json, JsonObject } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { evaluate } from '../../src/engine/attempt.ts'
import type { Surround } from '../../src/engine/iterations.ts'
import { type Payload, nothing, payloadOf } from '../../src/engine/payload.ts'
import { type Body, type StepRow, newStep, stateOf } from '../../src/engine/state.ts'
import type { AnyNode } from '../../src/nodes/contract.ts'
import { input } from '../../src/nodes/library/input.ts'
import { loop } from '../../src/nodes/library/loop.ts'
import { map } from '../../src/nodes/library/map.ts'
import { output } from '../../src/nodes/library/output.ts'
import { template } from '../../src/nodes/library/template.ts'
import { createPreparedCache } from '../../src/workflows/prepare.ts'
import { graph } from './play.ts'
import { Rows } from './rows.ts'

const nodes: AnyNode[] = [input, output, template, map, loop]
const catalogue = { get: (type: string) => nodes.find((node) => node.type === type), list: () => nodes }

type Session = Surround['session']

/** A run in the hands of one worker after another. */
class World {
  readonly fetched: string[][] = []
  private readonly run: Surround
  private readonly stored = new Map<string, Payload>()

  constructor(definition: Definition, { given = nothing, session = () => expect.unreachable() }: { given?: Payload; session?: Session } = {}) {
    const prepared = createPreparedCache(catalogue)('hash', definition)
    this.run = {
      state: stateOf(prepared.graph, { ...new Rows(definition).run(), input: given, status: 'running', startedAt: 1 }),
      plan: { ...prepared, missing: [] },
      items: new Map(),
      configs: new Map(),
      carried: new Map(),
      session,
      traceparent: () => null,
      now: () => 0,
      read: async (steps) => {
        this.fetched.push(steps.map(({ key }) => key))
        return new Map(steps.map(({ key }) => [key, this.stored.get(key)!]))
      },
    }
  }

  /** Another worker takes the run over: it has the rows, and nothing else. */
  takeOver(): void {
    this.run.items = new Map()
    this.run.carried = new Map()
  }

  step(nodeId: string, iteration = ''): StepRow {
    const { steps } = this.run.state
    const step = steps.get(newStep(nodeId, iteration).key) ?? newStep(nodeId, iteration)
    steps.set(step.key, step)
    return step
  }

  complete(nodeId: string, iteration: string, payload: Payload, isLarge = false): void {
    const step = this.step(nodeId, iteration)
    Object.assign(step, { state: 'completed', route: ['default'], outputBytes: payload.bytes, output: isLarge ? null : payload })
    this.stored.set(step.key, payload)
  }

  /** A loop that has begun so many iterations. */
  body(nodeId: string, next: number, iteration = ''): void {
    const step = this.step(nodeId, iteration)
    const begun: Body = { total: null, next, live: 0, done: next, failed: 0, concurrency: 1, collect: false, asked: true, error: null }
    Object.assign(step, { state: 'running', body: { ...step.body, ...begun } })
  }

  async happened(nodeId: string, iteration = '', phase: 'invoke' | 'ask' = 'invoke') {
    const { key } = newStep(nodeId, iteration)
    const evaluated = await evaluate(this.run, { key, nodeId, iteration, phase, attempt: 1 }, new Date(1_000))
    return 'happened' in evaluated ? evaluated.happened : expect.unreachable()
  }

  /** A loop begins, as the machine takes it. */
  async begin(nodeId: string, iteration = ''): Promise<void> {
    this.step(nodeId, iteration).state = 'running'
    const happened = await this.happened(nodeId, iteration)
    if (happened.is !== 'fanned') return expect.unreachable(JSON.stringify(happened))
    this.step(nodeId, iteration).body = happened.start === undefined ? null : ({ start: happened.start } as Body)
    this.body(nodeId, 0, iteration)
  }

  async ask(nodeId: string, count: number, iteration = '') {
    this.body(nodeId, count, iteration)
    const happened = await this.happened(nodeId, iteration, 'ask')
    return happened.is === 'asked' ? happened : expect.unreachable(JSON.stringify(happened))
  }

  async failure(nodeId: string, count: number) {
    this.body(nodeId, count)
    const happened = await this.happened(nodeId, '', 'ask')
    return happened.is === 'unanswerable' ? happened.error : expect.unreachable(JSON.stringify(happened))
  }

  async output(nodeId: string, iteration = ''): Promise<Payload> {
    const happened = await this.happened(nodeId, iteration)
    return happened.is === 'completed' ? happened.output : expect.unreachable(JSON.stringify(happened))
  }
}

const looped = (config: JsonObject): Definition =>
  graph({ again: { type: 'loop', config }, in: { type: 'input', parentId: 'again' }, out: { type: 'output', parentId: 'again' } }, 'in -> out')

describe('what a loop hands to its iterations, and gives', () => {
  const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
  const without = (value: Json, key: string | undefined): Json =>
    isObject(value) && key !== undefined ? Object.fromEntries(Object.entries(value).filter(([each]) => each !== key)) : value

  /** The rule, said plainly. */
  function expected({ start = null, carry, historyAs, gives }: JsonObject, outs: readonly Json[]): { handed: Json[]; output: Json } {
    const key = historyAs as string | undefined
    const handed: Json[] = []
    let last = start
    let given = start
    for (const [at, out] of outs.entries()) {
      const history: JsonObject = at === 0 ? {} : { in: handed.map((each) => without(each, key)), out: outs.slice(0, at).map((each) => without(each, key)) }
      handed.push(key === undefined ? last : { ...(isObject(last) ? last : { value: last }), [key]: history })
      given = without(out, key)
      last = carry === 'merge' && isObject(last) && isObject(given) ? { ...last, ...given } : given
    }
    return { handed, output: gives === 'last' ? last : gives === 'iteration' ? given : { last, count: outs.length } }
  }

  const value = fc.oneof(
    fc.dictionary(fc.constantFrom('a', 'b', 'past', '__proto__', 'value'), fc.oneof(fc.integer(), fc.constant({ past: 1 })), { noNullPrototype: true }),
    fc.constantFrom<Json>(null, 'text', [1, 2]),
  )
  const config = fc.record(
    {
      times: fc.constant(100),
      start: value,
      carry: fc.constantFrom('replace', 'merge'),
      historyAs: fc.constant('past'),
      gives: fc.constantFrom('summary', 'last', 'iteration'),
    },
    { requiredKeys: ['times'] },
  )
  const iteration = fc.record({ out: value, isLarge: fc.boolean(), takenOver: fc.boolean() })

  test('is the same whoever has the run, and however often it changes hands', async () => {
    await fc.assert(
      fc.asyncProperty(config, fc.array(iteration, { maxLength: 8 }), async (written, iterations) => {
        const count = iterations.length
        const world = new World(looped({ ...written, times: count }))
        await world.begin('again')
        const handed: Payload[] = []
        for (const [at, { out, isLarge, takenOver }] of iterations.entries()) {
          expect(await world.ask('again', at)).toMatchObject({ more: true })
          world.body('again', at + 1)
          if (takenOver) world.takeOver()
          const given = await world.output('in', String(at))
          handed.push(given)
          world.complete('in', String(at), given, isLarge)
          world.complete('out', String(at), payloadOf(out), isLarge)
          if (takenOver && isLarge) world.takeOver()
        }
        const ended = await world.ask('again', count)
        expect(ended.more).toBe(false)
        const said = expected(
          written,
          iterations.map(({ out }) => out),
        )
        expect(handed.map(({ text }) => JSON.parse(text) as Json)).toEqual(said.handed)
        // What was handed on once is not changed by what comes after.
        expect(handed.map((given) => given.value)).toEqual(said.handed)
        expect(JSON.parse(ended.output.text)).toEqual(said.output)
      }),
    )
  })
})

test('of what a loop carries each iteration is read once, and again only by who takes it over', async () => {
  const world = new World(looped({ times: 3, carry: 'merge' }))
  await world.begin('again')
  for (const at of [0, 1, 2]) {
    await world.ask('again', at)
    world.body('again', at + 1)
    await world.output('in', String(at))
    world.complete('out', String(at), payloadOf({ [at]: true }), true)
  }
  expect(world.fetched).toEqual([['out\n0'], ['out\n1']])
  expect((await world.ask('again', 3)).output.text).toBe('{"last":{"0":true,"1":true,"2":true},"count":3}')
  expect(world.fetched.splice(0)).toEqual([['out\n0'], ['out\n1'], ['out\n2']])
  world.takeOver()
  expect((await world.ask('again', 3)).output.text).toBe('{"last":{"0":true,"1":true,"2":true},"count":3}')
  expect(world.fetched).toEqual([['out\n0', 'out\n1', 'out\n2']])
})

test('who takes over a loop of large outputs has not all of them in memory at once', async () => {
  const world = new World(looped({ times: 9, carry: 'merge' }))
  for (let at = 0; at < 8; at++) world.complete('out', String(at), payloadOf({ text: 'x'.repeat(1024 * 1024) }), true)
  await world.ask('again', 8)
  expect(world.fetched).toEqual([0, 2, 4, 6].map((at) => [`out\n${at}`, `out\n${at + 1}`]))
})

test('what undoes an iteration sees what that was handed, and the loop has not to look at all again', async () => {
  const world = new World(looped({ times: 3, start: { n: 0 }, carry: 'merge' }))
  await world.begin('again')
  for (const at of [0, 1, 2]) world.complete('out', String(at), payloadOf({ n: at + 1 }), true)
  await world.ask('again', 2)
  expect((await world.output('in', '2')).value).toEqual({ n: 2 })
  expect((await world.output('in', '1')).value).toEqual({ n: 1 })
  world.fetched.splice(0)
  await world.ask('again', 3)
  expect(world.fetched).toEqual([['out\n2']])
})

test('a loop starts with what stands around it: there `last` is that of the loop around', async () => {
  const inner = { type: 'loop', parentId: 'outer', config: { while: 'last < 12', start: '{{ last }}' } }
  const world = new World(graph({ outer: { type: 'loop', config: { times: 2, start: 7 } }, inner, out: { type: 'input', parentId: 'inner' } }))
  await world.begin('outer')
  await world.ask('outer', 0)
  world.body('outer', 1)
  await world.begin('inner', '0')
  expect(await world.ask('inner', 0, '0')).toMatchObject({ more: true })
  expect((await world.output('out', '0.0')).value).toBe(7)
  world.complete('out', '0.0', payloadOf(12))
  expect(await world.ask('inner', 0, '0')).toMatchObject({ more: true })
})

test('what a loop starts with stays as it was read, though it was read of the clock, and another takes the run over', async () => {
  const world = new World(looped({ times: 3, start: { at: "{{ 'now' | date: '%s' }}" }, carry: 'merge' }))
  vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
  try {
    await world.begin('again')
    vi.setSystemTime(2_000_000)
    world.takeOver()
    world.complete('out', '0', payloadOf({ n: 1 }))
    world.body('again', 1)
    expect((await world.output('in', '1')).value).toEqual({ at: '1000', n: 1 })
  } finally {
    vi.useRealTimers()
  }
})

test('what a loop starts with out of a session is kept, for the session moves on; and is bounded', async () => {
  let context: Json = { n: 1 }
  const world = new World(looped({ times: 2, start: '{{ session.context }}' }), { session: async () => ({ context }) })
  await world.begin('again')
  context = { n: 2 }
  world.takeOver()
  world.body('again', 1)
  expect((await world.output('in', '0')).value).toEqual({ n: 1 })
  context = 'x'.repeat(65 * 1024)
  world.step('again').body = null
  expect(await world.happened('again')).toMatchObject({ is: 'failed', error: { code: 'limit_exceeded' } })
})

test('what cannot be read to start with fails the loop before it begins', async () => {
  const world = new World(looped({ times: 2, start: '{{ nodes | no_such_filter }}' }))
  expect(await world.happened('again')).toMatchObject({ is: 'failed', retry: false, error: { code: 'expression_failed', message: expect.stringContaining('start: ') } })
})

describe('more than a step may give is handed to no iteration', () => {
  const large = payloadOf({ text: 'x'.repeat(1_500_000) })
  const larger = payloadOf({ more: 'x'.repeat(1_500_000) })
  test.each<[string, JsonObject]>([
    ['laid over each other', { carry: 'merge' }],
    ['as a history', { historyAs: 'past' }],
  ])('%s', async (_, config) => {
    const world = new World(looped({ times: 5, ...config }))
    world.complete('out', '0', config['carry'] ? large : payloadOf(1), true)
    expect(await world.ask('again', 1)).toMatchObject({ more: true })
    world.complete('out', '1', larger, true)
    world.complete('out', '2', large, true)
    expect(await world.failure('again', 3)).toMatchObject({ code: 'limit_exceeded', message: expect.stringContaining('hands to its next iteration') })
  })
  test('as it came, without being read', async () => {
    const definition = graph({ again: { type: 'loop', config: { times: 5 } }, a: { type: 'template', parentId: 'again' }, b: { type: 'template', parentId: 'again' } })
    const world = new World(definition)
    world.complete('a', '0', large, true)
    world.complete('b', '0', larger, true)
    expect(await world.failure('again', 1)).toMatchObject({ code: 'limit_exceeded' })
    expect(world.fetched).toEqual([])
  })
})

describe('an input node in a body', () => {
  test('gives the item of a map, of the innermost body', async () => {
    const world = new World(
      graph({
        outer: { type: 'map', config: { items: [{ of: [1, 2] }, { of: [3] }] } },
        each: { type: 'input', parentId: 'outer' },
        inner: { type: 'map', parentId: 'outer', config: { items: 'item.of' } },
        one: { type: 'input', parentId: 'inner' },
      }),
      { given: payloadOf('the input of the run') },
    )
    expect((await world.output('each', '0')).value).toEqual({ of: [1, 2] })
    expect((await world.output('one', '0.1')).value).toBe(2)
    expect((await world.output('one', '1.0')).value).toBe(3)
  })
  test('gives it wherever in the body it stands', async () => {
    const world = new World(
      graph({ each: { type: 'map', config: { items: [5] } }, first: { type: 'template', parentId: 'each' }, late: { type: 'input', parentId: 'each' } }, 'first -> late'),
    )
    world.complete('first', '0', payloadOf('first'))
    expect((await world.output('late', '0')).value).toBe(5)
  })
})
