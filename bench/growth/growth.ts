import type { Chart, Measurement } from '../measurement.ts'
import { chart } from '../page/chart.ts'
import { count, figure } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { inOwnDatabase, takeTurns } from '../race.ts'
import { median } from '../statistics.ts'
import { type CurveName, curves } from './curves.ts'
import type { Task } from './perform.ts'

const names = Object.keys(curves) as CurveName[]
const performing = new URL('perform.ts', import.meta.url).href

/** What becomes of a cost while something grows, through the engine in process. */
export const growth: Measurement = {
  compares: names,
  async measure(measuring) {
    const { quick, seconds, rounds, say } = measuring
    const sizesOf = (name: CurveName): readonly number[] => (quick ? curves[name].sizes.slice(0, 2) : curves[name].sizes)
    const costs = await takeTurns(measuring, names, async (curve) => {
      const each = await inOwnDatabase<Task, number[]>(measuring, performing, { curve, sizes: sizesOf(curve), seconds })
      say(`${curve.padEnd(15)} ${each.map((cost, at) => `${count(sizesOf(curve)[at]!)}: ${figure(cost)}`).join('   ')}`)
      return each
    })
    const parts = [...costs].map(([name, all]) =>
      partOf(
        name,
        sizesOf(name).map((size, at) => [size, median(all.map((each) => each[at]!))]),
      ),
    )
    const markdown = [...parts.map((part) => part.markdown), `Medians of ${rounds}. ${notMeasured}`].join('\n\n')
    return { markdown, charts: parts.map((part) => part.chart) }
  },
}

type Points = [size: number, cost: number][]

/** The table and the chart of one curve. */
function partOf(name: CurveName, points: Points): { markdown: string; chart: Chart } {
  const { title, x, y } = curves[name]
  const [first] = points
  const file = `performance-growth-${name}.svg`
  const rows = points.map(([size, cost]) => [count(size), figure(cost), figure(cost / first![1]), count(size / first![0])])
  const proportional: Points = points.map(([size]) => [size, (first![1] * size) / first![0]])
  const series = [
    { name: 'measured', points },
    { name: 'in proportion', points: proportional },
  ]
  return {
    markdown: `**${title}**\n\n![${title}](${file})\n\n${table([x, y, 'times the first', 'times the size'], rows)}`,
    chart: { file, svg: chart({ title, x, y, series }) },
  }
}

const notMeasured =
  'Both axes of the charts are logarithmic: a line steeper than the proportional one is worse than linear. The runs kept are copies of the row of one. ' +
  'Not measured here: steps in parallel, many workflows, many workspaces, more than a thousand subscribers; for runs that wait see the server at rest.'
