import { figure } from './figure.ts'
import { escaped } from './svg.ts'

/** Lengths are in proportion. All values are above 0. */
export interface BarsOf {
  title: string
  x: string
  bars: readonly (readonly [name: string, value: number])[]
}

const width = 860
const plot = { left: 210, right: 760, top: 50 }
const rowHeight = 22
const barHeight = 14
const colour = '#0072b2'

/** An SVG that needs nothing beside itself: a bar for each name. */
export function bars({ title, x, bars: rows }: BarsOf): string {
  const most = Math.max(...rows.map(([, value]) => value))
  const height = plot.top + rows.length * rowHeight + 30
  const drawn = rows.map(([name, value], at) => {
    const top = plot.top + at * rowHeight
    const end = Math.round(plot.left + (value / most) * (plot.right - plot.left))
    const middle = top + barHeight - 3
    return (
      `<text x="${plot.left - 8}" y="${middle}" text-anchor="end">${escaped(name)}</text>` +
      `<rect x="${plot.left}" y="${top}" width="${Math.max(1, end - plot.left)}" height="${barHeight}" fill="${colour}"/>` +
      `<text x="${end + 6}" y="${middle}">${figure(value)}</text>`
    )
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#333" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="10" y="24" font-size="15" font-weight="600">${escaped(title)}</text>`,
    ...drawn,
    `<text x="${(plot.left + plot.right) / 2}" y="${height - 10}" text-anchor="middle">${escaped(x)}</text>`,
    '</svg>',
    '',
  ].join('\n')
}
