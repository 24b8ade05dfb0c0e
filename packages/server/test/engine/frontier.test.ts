import type { Definition, Link } from '@sluice/schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StepRow } from '../../src/engine/state.ts'
import { definitionFrom, flat } from './definitions.ts'
import { type Rows, stepsOf } from './rows.ts'
import { Simulation } from './simulation.ts'
import { Tape, tapes } from './tape.ts'

/**
 * An oracle of its own: from the definition as data and the outcomes that were recorded, whether a node had to run. It
 * knows nothing of the frontier's way there.
 */
class Oracle {
  private readonly definition: Definition
  private readonly outcomes: Map<string, StepRow>
  private readonly entries: Set<string>
  readonly reachable: Set<string>

  constructor(definition: Definition, steps: readonly StepRow[]) {
    this.definition = definition
    this.outcomes = new Map(steps.map((step) => [step.nodeId, step]))
    const inputs = definition.nodes.filter((node) => node.type === 'input')
    const roots = definition.nodes.filter((node) => !definition.links.some((link) => link.target === node.id))
    this.entries = new Set((inputs.length > 0 ? inputs : roots).map((node) => node.id))
    this.reachable = new Set(this.entries)
    for (let before = -1; before !== this.reachable.size;) {
      before = this.reachable.size
      for (const { source, target } of definition.links) if (this.reachable.has(source)) this.reachable.add(target)
    }
  }

  /** What the paths into a node say: by source, whether it was taken; undefined while one is open. */
  private ways(id: string): boolean[] | undefined {
    const bySource = new Map<string, Link[]>()
    for (const link of this.definition.links) if (link.target === id && this.reachable.has(link.source)) bySource.set(link.source, [...(bySource.get(link.source) ?? []), link])
    const ways: boolean[] = []
    for (const [source, links] of bySource) {
      const step = this.outcomes.get(source)
      if (!step || !['completed', 'failed', 'skipped'].includes(step.state)) return undefined
      ways.push(links.some((link) => step.route?.includes(link.sourceHandle ?? 'default') === true))
    }
    return ways
  }

  verdict(id: string): 'runs' | 'skipped' | 'open' {
    if (this.entries.has(id)) return 'runs'
    const ways = this.ways(id)
    if (!ways) return 'open'
    const node = this.definition.nodes.find((each) => each.id === id)!
    const join = node.settings?.join ?? this.definition.settings?.join ?? 'any'
    return (join === 'all' ? ways.every(Boolean) : ways.some(Boolean)) ? 'runs' : 'skipped'
  }
}

function check(definition: Definition, rows: Rows): void {
  const steps = stepsOf(rows)
  const oracle = new Oracle(definition, steps)
  const run = rows.run()
  for (const { id } of definition.nodes) {
    const step = steps.find((each) => each.nodeId === id)
    if (!oracle.reachable.has(id)) expect(step).toBeUndefined()
    else if (run.status === 'completed' || definition.settings?.onFailure === 'continue')
      expect([id, step?.state === 'skipped' ? 'skipped' : step ? 'runs' : 'open']).toEqual([id, oracle.verdict(id)])
    else if (step) expect([id, step.state === 'skipped' ? 'skipped' : 'runs']).toEqual([id, oracle.verdict(id)])
  }
  const failed = steps.filter((step) => step.state === 'failed' && step.route!.length === 0)
  // The run's output may turn out too large to say; and then undoing may fail too.
  if (!['limit_exceeded', 'compensation_failed'].includes(run.reason?.code ?? '')) expect(run.status === 'completed').toBe(failed.length === 0)
}

test('a node runs, or is skipped, exactly as its paths and its join say', () => {
  fc.assert(
    fc.property(tapes(150), tapes(300), fc.boolean(), (shape, schedule, failures) => {
      const definition = definitionFrom(new Tape(shape), flat)
      delete definition.settings!.timeoutMs
      const simulation = new Simulation(definition, new Tape(schedule), { crashes: true, control: false, failures }, { committed: () => {} })
      simulation.toTheEnd()
      check(definition, simulation.rows)
    }),
    { numRuns: Number(process.env['SLUICE_CASES'] ?? 800) },
  )
})

test('the oracle tells the two joins apart', () => {
  const node = (id: string, type = 'work') => ({ id, type })
  const definition: Definition = {
    kind: 'workflow',
    nodes: [node('a', 'router'), node('b'), node('c'), node('d')],
    links: [
      { source: 'a', target: 'b', sourceHandle: 'a' },
      { source: 'a', target: 'c' },
      { source: 'b', target: 'd' },
      { source: 'c', target: 'd' },
    ],
  }
  const end = (join: 'any' | 'all') => {
    const simulation = new Simulation({ ...definition, settings: { join } }, new Tape([]), { crashes: false, control: false, failures: false }, { committed: () => {} })
    simulation.toTheEnd()
    check({ ...definition, settings: { join } }, simulation.rows)
    return Object.fromEntries(stepsOf(simulation.rows).map((step) => [step.nodeId, step.skipReason ?? step.state]))
  }
  expect(end('any')).toEqual({ a: 'completed', b: 'route', c: 'completed', d: 'completed' })
  expect(end('all')).toEqual({ a: 'completed', b: 'route', c: 'completed', d: 'route' })
})
