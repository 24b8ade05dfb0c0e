import type { Measurement } from '../measurement.ts'
import { figure } from '../page/figure.ts'
import { abouts, methodOf } from '../page/words.ts'
import { table } from '../page/table.ts'
import { race } from '../race.ts'
import { type Name, contestants } from './contestants.ts'

const names = Object.keys(contestants) as Name[]
const inFlight = [1, 16]

/** How soon a run goes on once it was decided. */
export const approval: Measurement = {
  compares: names,
  async measure(measuring) {
    const { of } = await race(measuring, { from: new URL('contestants.ts', import.meta.url), names, inFlight })
    const head = ['ms from decision to next step', ...inFlight.flatMap((each) => [`p50, ${each} in flight`, `p99, ${each} in flight`])]
    const rows = [...of].map(([name, figures]) => [`\`${name}\``, ...figures.flatMap(({ p50, p99 }) => [figure(p50), figure(p99)])])
    return { markdown: [table(head, rows), wanted, abouts(contestants, [...of.keys()]), methodOf(measuring), notMeasured].join('\n\n'), charts: [] }
  },
}

const wanted = 'Wanted of the engine: p50 under 5 ms alone, p99 under 30 ms at 16.'

const notMeasured =
  'Not measured here: a decision that reaches another server than the one that will do the step, a decision over HTTP, a run that has waited for long. ' +
  'DBOS keeps a waiting workflow in the memory of its process; each in flight also starts and ends its run, which takes its part of the cores.'
