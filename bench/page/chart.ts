import { count } from './figure.ts'
import { escaped } from './svg.ts'

export interface Series {
  name: string
  points: readonly (readonly [x: number, y: number])[]
  /** Not measured, but for the eye to compare with. */
  guide?: boolean
}

/** Both axes are logarithmic: what grows in proportion is a straight line, and what grows faster is seen. All values are above 0. */
export interface ChartOf {
  title: string
  x: string
  y: string
  series: readonly Series[]
}

const width = 860
const height = 420
const plot = { left: 70, right: 620, top: 50, bottom: 370 }
const lineHeight = 15
/** Told apart by those who do not see all colours too. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#444444', '#8b5a2b', '#6a3d9a', '#b22222']
const guideColour = '#999999'

/** An SVG that needs nothing beside itself. */
export function chart({ title, x, y, series }: ChartOf): string {
  // A guide says where to look, not how far: it ends where the chart does.
  const points = series.filter(({ guide }) => !guide).flatMap((each) => each.points)
  const across = scale(
    points.map(([at]) => at),
    plot.left,
    plot.right,
  )
  const up = scale(
    points.flatMap(([, value]) => decadesAround(value)),
    plot.bottom,
    plot.top,
  )
  const colourOf = (at: number): string => (series[at]!.guide ? guideColour : colours[at % colours.length]!)
  const lines = series.map(({ points: own, guide }, at) => {
    const places = own.map(([px, py]) => [across(px), up(py)] as const)
    return guide ? dashed(belowTop(places[0]!, places.at(-1)!)) : line(places, colourOf(at))
  })
  const labels = apart(series.map(({ points: own }) => Math.max(plot.top, up(own.at(-1)![1]))))
  const names = series.map(({ name }, at) => text(plot.right + 12, labels[at]! + 4, name, `fill="${colourOf(at)}"`))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#333" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(10, 24, title, 'font-size="15" font-weight="600"'),
    ...decades(points.map(([, value]) => value)).map((value) => gridLine(up(value), value)),
    ...[...new Set(points.map(([at]) => at))].map((at) => text(across(at), plot.bottom + 20, count(at), 'text-anchor="middle"')),
    text((plot.left + plot.right) / 2, height - 10, x, 'text-anchor="middle"'),
    text(10, plot.top - 10, y),
    ...lines,
    ...names,
    '</svg>',
    '',
  ].join('\n')
}

/** From values to pixels. */
function scale(values: readonly number[], from: number, to: number): (value: number) => number {
  const [least, most] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))]
  const span = most - least || 1
  return (value) => round(from + ((Math.log(value) - least) / span) * (to - from))
}

const decadesAround = (value: number): number[] => [10 ** Math.floor(Math.log10(value)), 10 ** Math.ceil(Math.log10(value))]

function decades(values: readonly number[]): number[] {
  const [least, most] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))]
  return Array.from({ length: most - least + 1 }, (_, at) => 10 ** (least + at))
}

const gridLine = (at: number, value: number): string =>
  `<path d="M${plot.left} ${at}H${plot.right}" stroke="#ddd"/>${text(plot.left - 8, at + 4, gridValue(value), 'text-anchor="end"')}`

/** Decades are whole, or have as many decimals as they need. */
const gridValue = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 1 })

const line = (points: readonly Place[], colour: string): string =>
  `<polyline points="${points.map((point) => point.join(',')).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>` +
  points.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="3" fill="${colour}"/>`).join('')

type Place = readonly [px: number, py: number]

/** What of a straight line is within the chart. */
function belowTop([fromX, fromY]: Place, [toX, toY]: Place): Place[] {
  const share = toY < plot.top ? (fromY - plot.top) / (fromY - toY) : 1
  return [
    [fromX, fromY],
    [round(fromX + (toX - fromX) * share), round(fromY + (toY - fromY) * share)],
  ]
}

const dashed = (points: readonly Place[]): string =>
  `<polyline points="${points.map((point) => point.join(',')).join(' ')}" fill="none" stroke="${guideColour}" stroke-width="1.5" stroke-dasharray="5 4"/>`

/** The heights of the names, moved down until none is written over another. */
function apart(heights: readonly number[]): number[] {
  const moved = [...heights]
  const order = heights.map((_, at) => at).sort((a, b) => heights[a]! - heights[b]!)
  for (const [place, at] of order.entries()) {
    const above = order[place - 1]
    if (above !== undefined) moved[at] = Math.max(moved[at]!, moved[above]! + lineHeight)
  }
  return moved
}

const text = (px: number, py: number, words: string, more = ''): string => `<text x="${round(px)}" y="${round(py)}" ${more}>${escaped(words)}</text>`

const round = (value: number): number => Math.round(value * 10) / 10
