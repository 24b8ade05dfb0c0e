import type { Measurement } from '../measurement.ts'
import { atLeast } from '../page/aims.ts'
import { figureOrNone } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { abouts, methodOf, sectionOf } from '../page/words.ts'
import { race } from '../race.ts'
import { type Name, contestants } from './contestants.ts'

const names = Object.keys(contestants) as Name[]
const inFlight = [32]

/** One run read over REST, beside the least that could be done. */
export const reading: Measurement = {
  compares: names,
  async measure(measuring) {
    const { of, unfinished } = await race(measuring, { from: new URL('contestants.ts', import.meta.url), names, inFlight })
    const rows = [...of].map(([name, [each]]) => [`\`${name}\``, ...[each?.perSecond, each?.p50, each?.p99, each?.statements, each?.cpuNode, each?.cpuPostgres].map(figureOrNone)])
    const head = [`${inFlight[0]} in flight`, 'reads/s', 'p50 ms', 'p99 ms', 'statements', 'CPU ms Node', 'CPU ms PostgreSQL']
    const [run, row] = names.map((name) => of.get(name)?.[0]?.perSecond)
    const aims = [atLeast("`runs.get` over REST: reads/s of the bare route's", 0.5, run && row && run / row)]
    return { markdown: sectionOf(table(head, rows), unfinished.join(' '), abouts(contestants, [...of.keys()]), methodOf(measuring), notMeasured), charts: [], aims }
  },
}

const notMeasured = 'Not measured here: large outputs, many different runs, a cold PostgreSQL, limits of requests (they are off). The sender takes its part of the cores.'
