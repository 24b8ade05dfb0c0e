import type { Chart, Measurement } from '../measurement.ts'
import { type Aim, atMost } from '../page/aims.ts'
import { type Series, chart } from '../page/chart.ts'
import { count, figure, figureOrNone } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { sectionOf } from '../page/words.ts'
import { firstLine, inOwnDatabase, takeTurns } from '../race.ts'
import type { Costs } from './curve.ts'
import { type CurveName, curves } from './curves.ts'
import type { Task } from './perform.ts'
import { type Line, linesOf, steepest } from './slope.ts'

const names = Object.keys(curves) as CurveName[]
const performing = new URL('perform.ts', import.meta.url).href
/** A million rows are made in it. */
const silenceMs = 300_000
/** Each point is a median already. */
const mostSeconds = 1

interface Found {
  sizes: readonly number[]
  lines: Line[]
  unfinished: string
}

/** What becomes of costs while something grows, through the engine in process. */
export const growth: Measurement = {
  compares: names,
  async measure(measuring) {
    const { quick, say } = measuring
    const seconds = Math.min(mostSeconds, measuring.seconds)
    const found = await takeTurns({ ...measuring, rounds: 1 }, names, async (curve): Promise<Found> => {
      const sizes: readonly number[] = quick ? curves[curve].sizes.slice(0, 2) : curves[curve].sizes
      const { results, failed } = await inOwnDatabase<Task, Costs>(measuring, performing, { curve, sizes, seconds }, silenceMs)
      for (const [at, costs] of results.entries())
        say(
          `${curve.padEnd(15)} ${count(sizes[at]!)}: ${Object.entries(costs)
            .map(([line, cost]) => `${line} ${figure(cost)}`)
            .join('   ')}`,
        )
      if (failed !== null) say(`${curve.padEnd(15)} ${failed}`)
      const unfinished = results.length < sizes.length ? `Did not finish at ${count(sizes[results.length]!)}: ${firstLine(failed)}.` : ''
      return { sizes, lines: linesOf(sizes, results), unfinished }
    })
    const parts = [...found].map(([name, [each]]) => partOf(name, each!))
    return {
      markdown: sectionOf(...parts.map((part) => part.markdown), notMeasured),
      charts: parts.flatMap((part) => part.charts),
      aims: [...aimsOf('`runs.list`, ', found.get('kept')?.[0]?.lines ?? []), ...aimsOf('`records.list` of sessions, ', found.get('records')?.[0]?.lines ?? [])],
    }
  },
}

/** The table, the verdict and the chart of one curve. */
function partOf(name: CurveName, { sizes, lines, unfinished }: Found): { markdown: string; charts: Chart[] } {
  const { title, x, y } = curves[name]
  if (lines.length === 0) return { markdown: sectionOf(`**${title}**`, unfinished), charts: [] }
  const file = `performance-growth-${name}.svg`
  const rows = lines.map(({ name, points }) => [name, ...sizes.map((size) => figureOrNone(points.find(([at]) => at === size)?.[1]))])
  const head = [`${y}, by ${x}`, ...sizes.map(count)]
  const series = [...lines, inProportion(lines[0]!, sizes)]
  return {
    markdown: sectionOf(`**${title}**`, `![${title}](${file})`, table(head, rows), unfinished, verdictOf(lines)),
    charts: [{ file, svg: chart({ title, x, y, series }) }],
  }
}

/** What the first line would be if its cost grew as its size does. */
function inProportion({ points }: Line, sizes: readonly number[]): Series {
  const [size, cost] = points[0]!
  return { name: 'in proportion', guide: true, points: sizes.map((each) => [each, (cost * each) / size]) }
}

/** Where a cost grows by more than this power of its size, it is told of: noise alone does not do that. */
const mostPower = 1.15

function verdictOf(lines: readonly Line[]): string {
  const worse = lines.flatMap(({ name, points }) => {
    const { power, from, to } = steepest(points)
    return power > mostPower ? [`${name} from ${count(from)} to ${count(to)} (with the power ${figure(power)})`] : []
  })
  return worse.length === 0 ? 'Nothing grows faster than in proportion.' : `**Grows faster than in proportion**: ${worse.join('; ')}.`
}

/** Of what lists cost at a million runs, beside ten thousand. */
function aimsOf(what: string, lines: readonly Line[]): Aim[] {
  return lines
    .filter(({ name }) => name.startsWith('list'))
    .flatMap(({ name, points }) => {
      const [few, many] = [10_000, 1_000_000].map((size) => points.find(([at]) => at === size)?.[1])
      return few && many ? [atMost(`${what}${name.slice('list '.length)}: its time at 1,000,000 of that at 10,000`, 1.5, many / few)] : []
    })
}

const notMeasured =
  'Each point is a median of one after another, nothing else going on. Both axes of the charts are logarithmic: a line steeper than the proportional one is worse than linear. ' +
  'The runs kept and those that wait are copies that PostgreSQL made of the rows of one; lists are of 50 without a count, deep ones by a cursor nine tenths down; ' +
  'their times are those of the statement and of what is made of its rows, without HTTP. Not measured here: steps in parallel, many workflows, many workspaces; a table that is not in memory.'
