import type { Measurement } from '../measurement.ts'
import { figure } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { abouts, methodOf } from '../page/words.ts'
import { race } from '../race.ts'
import { type Name, contestants } from './contestants.ts'

const names = Object.keys(contestants) as Name[]
const inFlight = [32]

/** One run read over REST, beside the least that could be done. */
export const reading: Measurement = {
  compares: names,
  async measure(measuring) {
    const { of } = await race(measuring, { from: new URL('contestants.ts', import.meta.url), names, inFlight })
    const rows = [...of].map(([name, [each]]) => [`\`${name}\``, ...[each!.perSecond, each!.p50, each!.p99, each!.statements, each!.cpuNode, each!.cpuPostgres].map(figure)])
    const head = [`${inFlight[0]} in flight`, 'reads/s', 'p50 ms', 'p99 ms', 'statements', 'CPU ms Node', 'CPU ms PostgreSQL']
    const [run, row] = names.map((name) => of.get(name)?.[0]?.perSecond)
    const wanted = run && row ? `Wanted: 0.5 of the bare route's reads/s. Measured: ${figure(run / row)}.` : ''
    return { markdown: [table(head, rows), wanted, abouts(contestants, [...of.keys()]), methodOf(measuring), notMeasured].filter((part) => part !== '').join('\n\n'), charts: [] }
  },
}

const notMeasured = 'Not measured here: large outputs, many different runs, a cold PostgreSQL, limits of requests (they are off). The sender takes its part of the cores.'
