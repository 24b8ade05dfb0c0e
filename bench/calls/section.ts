import { bars } from '../page/bars.ts'
import { figureOrNone } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { sectionOf } from '../page/words.ts'
import { figure } from '../page/figure.ts'
import type { Chart, Measuring } from '../measurement.ts'
import { type CallResults, type Calls, mostRounds, secondsOf } from './calls.ts'

export interface CallsPage<Name extends string> {
  calls: Calls<Name>
  inFlight: readonly number[]
  /** What is counted a second: `reads/s`. */
  unit: string
  chart: { file: string; title: string }
  notMeasured: string
}

/** A table, what each call is, and a chart at the most in flight. */
export function callsSection<Name extends string>(measuring: Measuring, { of, failed }: CallResults<Name>, { calls, inFlight, unit, chart, notMeasured }: CallsPage<Name>) {
  const last = inFlight.length - 1
  const levels = inFlight.flatMap((each) => [`${unit}, ${each} in flight`, 'p50 ms', 'p99 ms'])
  const rows = [...of].map(([name, each]) => [
    `\`${name}\``,
    ...each.flatMap((at) => [at?.perSecond, at?.p50, at?.p99]).map(figureOrNone),
    ...[each[last]?.statements, each[last]?.cpuNode, each[last]?.cpuPostgres].map(figureOrNone),
  ])
  const drawn = [...of].flatMap(([name, each]) => (each[last] ? [[name, each[last].perSecond] as const] : []))
  const charts: Chart[] = drawn.length > 0 ? [{ file: chart.file, svg: bars({ title: chart.title, x: `${unit}, ${inFlight[last]} in flight`, bars: drawn }) }] : []
  return {
    markdown: sectionOf(
      drawn.length > 0 ? `![${chart.title}](${chart.file})` : '',
      table(['', ...levels, 'statements', 'CPU ms Node', 'CPU ms PostgreSQL'], rows),
      failed.join(' '),
      [...of.keys()].map((name) => `- \`${name}\`: ${calls[name]}`).join('\n'),
      `Medians of ${Math.min(mostRounds, measuring.rounds)}, ${figure(secondsOf(measuring))} s each after a warm-up; one server is asked all of them in turn, a new one on a fresh database in each round. Costs are those with ${inFlight[last]} in flight.`,
      notMeasured,
    ),
    charts,
  }
}
