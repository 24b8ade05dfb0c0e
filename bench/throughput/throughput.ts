import type { Measurement } from '../measurement.ts'
import { race } from '../race.ts'
import { type Name, contestants } from './contestants.ts'
import { section } from './section.ts'

const names = Object.keys(contestants) as Name[]

/** Runs of three steps, in a closed loop, beside what else does this on PostgreSQL. */
export const throughput: Measurement = {
  compares: names,
  async measure(measuring) {
    const inFlight = measuring.quick ? [1, 16] : [1, 16, 64, 256]
    return section(await race(measuring, { from: new URL('contestants.ts', import.meta.url), names, inFlight }), measuring)
  },
}
