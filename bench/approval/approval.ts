import type { Measurement } from '../measurement.ts'
import { under } from '../page/aims.ts'
import { figureOrNone } from '../page/figure.ts'
import { abouts, methodOf, sectionOf } from '../page/words.ts'
import { table } from '../page/table.ts'
import { race } from '../race.ts'
import { type Name, contestants } from './contestants.ts'

const names = Object.keys(contestants) as Name[]
const inFlight = [1, 16]

/** How soon a run goes on once it was decided. */
export const approval: Measurement = {
  compares: names,
  async measure(measuring) {
    const { of, unfinished } = await race(measuring, { from: new URL('contestants.ts', import.meta.url), names, inFlight })
    const head = ['ms from decision to next step', ...inFlight.flatMap((each) => [`p50, ${each} in flight`, `p99, ${each} in flight`])]
    const rows = [...of].map(([name, figures]) => [`\`${name}\``, ...figures.flatMap((each) => [each?.p50, each?.p99].map(figureOrNone))])
    const [alone, sixteen] = of.get('approval-engine') ?? []
    const aims = [under('p50 from a decision to the next step, alone', 5, alone?.p50, ' ms'), under('p99 from a decision to the next step, 16 in flight', 30, sixteen?.p99, ' ms')]
    return { markdown: sectionOf(table(head, rows), unfinished.join(' '), abouts(contestants, [...of.keys()]), methodOf(measuring), notMeasured), charts: [], aims }
  },
}

const notMeasured =
  'Not measured here: a decision that reaches another server than the one that will do the step, a decision over HTTP, a run that has waited for long. ' +
  'DBOS keeps a waiting workflow in the memory of its process; each in flight also starts and ends its run, which takes its part of the cores.'
