import fc from 'fast-check'
import { expect, test } from 'vitest'
import { everything, undoneInReverse } from './audit.ts'
import { definitionFrom } from './definitions.ts'
import { Simulation, all } from './simulation.ts'
import { Tape, tapes } from './tape.ts'

const numRuns = Number(process.env['SLUICE_CASES'] ?? 600)
const seed = process.env['SLUICE_SEED'] === undefined ? undefined : Number(process.env['SLUICE_SEED'])

test('any run, through any crashes and interference, comes to one terminal status and keeps its promises on the way', () => {
  fc.assert(
    fc.property(tapes(200), tapes(400), (shape, schedule) => {
      const definition = definitionFrom(new Tape(shape))
      const simulation = new Simulation(definition, new Tape(schedule), all, everything())
      simulation.toTheEnd()
      undoneInReverse(simulation.rows)
      expect([...simulation.children.values()].filter((child) => child.known && child.state === 'running')).toEqual([])
    }),
    { numRuns, ...(seed !== undefined && { seed }) },
  )
}, 600_000)

