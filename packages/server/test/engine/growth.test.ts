import type { Definition, Link, Node } from '@sluice/schema'
import { expect, test } from 'vitest'
import type { Happening } from '../../src/engine/happening.ts'
import { happen, proceed, rest } from '../../src/engine/machine.ts'
import { nothing } from '../../src/engine/payload.ts'
import { type StepRow, stateOf } from '../../src/engine/state.ts'
import { type Task, beginTurn, root } from '../../src/engine/turn.ts'
import { graphOf } from '../../src/workflows/graph.ts'
import { Rows } from './rows.ts'

/** What the machine looks at, counted: time would say it too, on a machine that does nothing else. */
class Counted extends Map<string, StepRow> {
  looks = 0
  override get(key: string): StepRow | undefined {
    this.looks++
    return super.get(key)
  }
  override *values(): MapIterator<StepRow> {
    for (const step of super.values()) {
      this.looks++
      yield step
    }
  }
  override [Symbol.iterator](): never {
    throw new Error('steps are gone through by values()')
  }
}

/** A definition in which each node that is looked at counts. */
function counting(nodes: readonly Node[], links: readonly Link[], count: () => void) {
  const graph = graphOf({ kind: 'workflow', nodes: [...nodes], links: [...links] } satisfies Definition, { get: () => undefined })
  const top = new Proxy(graph.top, {
    get(target, key, receiver) {
      if (typeof key === 'string' && /^\d+$/.test(key)) count()
      return Reflect.get(target, key, receiver) as unknown
    },
  })
  return { ...graph, top }
}

/** What comes of a task: all goes well, and a loop goes on until it has had so many iterations. */
function outcomeOf(task: Task, steps: Map<string, StepRow>, type: string, size: number): Happening {
  const { key, nodeId, iteration, phase, attempt } = task
  if (phase !== 'ask' && type === 'map') return { is: 'fanned', nodeId, iteration, phase, attempt, total: size, concurrency: 3, collect: true }
  if (phase !== 'ask' && type === 'loop') return { is: 'fanned', nodeId, iteration, phase, attempt, total: null, concurrency: 1, collect: false }
  if (phase !== 'ask' && type === 'failing')
    return { is: 'failed', nodeId, iteration, phase, attempt, error: { code: 'broken', message: 'It broke' }, retry: false, timedOut: false }
  if (phase !== 'ask') return { is: 'completed', nodeId, iteration, phase, attempt, output: nothing, route: ['default'] }
  if (key === root) return { is: 'gathered', output: nothing }
  const body = steps.get(key)!.body!
  return { is: 'asked', nodeId, iteration, more: body.total === null && body.next < size, output: nothing }
}

/** How many steps and nodes are looked at in a turn, and how many characters it writes, of a run that takes one turn for each outcome. */
function costsOfTurn(make: (size: number) => { nodes: Node[]; links?: Link[] }, size: number): { looks: number; characters: number } {
  const { nodes, links = [] } = make(size)
  const steps = new Counted()
  const graph = counting(nodes, links, () => steps.looks++)
  const state = { ...stateOf(graph, new Rows({ kind: 'workflow', nodes, links }).run()), steps }
  const tasks: Task[] = []
  let happening: Happening | undefined = { is: 'started' }
  let turns = 0
  let characters = 0
  for (; happening; turns++) {
    const turn = beginTurn(
      state,
      turns,
      () => 0.5,
      () => `id${turns}`,
    )
    happen(turn, happening)
    proceed(turn)
    rest(turn)
    characters += JSON.stringify([...turn.steps.values(), ...turn.events]).length
    tasks.push(...turn.tasks)
    const task = tasks.shift()
    happening = task && outcomeOf(task, steps, graph.nodes.get(task.nodeId)?.type ?? '', size)
  }
  expect(state.run.status).toBe('completed')
  return { looks: steps.looks / turns, characters: characters / turns }
}

const nodesOf = (size: number): Node[] => Array.from({ length: size }, (_, at) => ({ id: `n${at}`, type: 'work' }))
const linked = (pairs: [number, number][]): Link[] => pairs.map(([source, target]) => ({ source: `n${source}`, target: `n${target}` }))
const indices = (size: number): number[] => Array.from({ length: size }, (_, at) => at)

const shapes: { [name: string]: (size: number) => { nodes: Node[]; links?: Link[] } } = {
  'a chain': (size) => ({ nodes: nodesOf(size), links: linked(indices(size - 1).map((at) => [at, at + 1])) }),
  'steps side by side': (size) => ({ nodes: nodesOf(size) }),
  'many into one': (size) => ({ nodes: nodesOf(size), links: linked(indices(size - 1).map((at) => [at, size - 1])) }),
  'one into many': (size) => ({ nodes: nodesOf(size), links: linked(indices(size - 1).map((at) => [0, at + 1])) }),
  'the items of a map': () => ({
    nodes: [
      { id: 'map', type: 'map' },
      { id: 'a', type: 'work', parentId: 'map' },
    ],
  }),
  'items that fail': () => ({
    nodes: [
      { id: 'map', type: 'map' },
      { id: 'a', type: 'failing', parentId: 'map' },
      { id: 'b', type: 'work', parentId: 'map' },
    ],
  }),
  'the rounds of a loop': () => ({
    nodes: [
      { id: 'loop', type: 'loop' },
      { id: 'a', type: 'work', parentId: 'loop' },
    ],
  }),
}

for (const [name, make] of Object.entries(shapes))
  test(`a turn costs as much among 1,000 steps as among 50: ${name}`, () => {
    const few = costsOfTurn(make, 50)
    const many = costsOfTurn(make, 1_000)
    expect({ looks: many.looks / few.looks < 1.2, characters: many.characters / few.characters < 1.2 }).toEqual({ looks: true, characters: true })
  })
