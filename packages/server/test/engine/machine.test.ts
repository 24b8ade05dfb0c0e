import fc from 'fast-check'
import { expect, test } from 'vitest'
import { everything, undoneInReverse } from './audit.ts'
import { type Shape, definitionFrom, drawn as drawnBodies, nested, richest } from './definitions.ts'
import { type Faults, Simulation, all } from './simulation.ts'
import { Tape, tapes } from './tape.ts'

/** More cases by hand: SLUICE_CASES=20000, and SLUICE_TEST_SEED for others. */
const cases = Number(process.env['SLUICE_CASES'] ?? 300)
const parameters = { numRuns: cases }

function live(shape: Shape, faults: Faults, numbers: { definition: number[]; schedule: number[] }): Simulation {
  const simulation = new Simulation(definitionFrom(new Tape(numbers.definition), shape), new Tape(numbers.schedule), faults, everything())
  simulation.toTheEnd()
  return simulation
}

const numbers = fc.record({ definition: tapes(200), schedule: tapes(500) })

test.each([
  ['graphs of all kinds', richest],
  ['maps and loops in each other', nested],
  ['producers, channels and drawn bodies', drawnBodies],
])('any run of %s, through crashes, late results and interference, comes to one end and keeps its promises on the way', (_, shape) => {
  fc.assert(
    fc.property(numbers, (drawn) => {
      const simulation = live(shape, all, drawn)
      undoneInReverse(simulation.rows)
      const { children } = simulation
      expect([...children.values()].filter((child) => child.known && child.state === 'running')).toEqual([])
    }),
    parameters,
  )
})

test('a run that nothing goes wrong in completes, whatever order its steps finish in', () => {
  fc.assert(
    fc.property(numbers, (drawn) => {
      const { rows } = live({ ...richest, waits: false }, { crashes: false, control: false, failures: false }, drawn)
      const { status, reason, progress } = rows.run()
      if (reason?.code !== 'timed_out') expect({ status, reason, progress }).toEqual({ status: 'completed', reason: null, progress: 100 })
    }),
    parameters,
  )
})

test('of an ended run nothing that happens changes anything', () => {
  fc.assert(
    fc.property(numbers, (drawn) => {
      const simulation = live(richest, all, drawn)
      const before = simulation.rows.image()
      simulation.sayAllAgain()
      expect(simulation.rows.image().replace(/\\"revision\\":\d+/, '')).toBe(before.replace(/\\"revision\\":\d+/, ''))
    }),
    { ...parameters, numRuns: Math.ceil(cases / 4) },
  )
})
