import type { Costs } from './curve.ts'

/** A cost at each size. */
export interface Line {
  name: string
  points: (readonly [size: number, cost: number])[]
}

/** What was found size by size, line by line: a line may lack sizes. */
export function linesOf(sizes: readonly number[], found: readonly Costs[]): Line[] {
  const lines = new Map<string, Line>()
  for (const [at, costs] of found.entries()) {
    for (const [name, cost] of Object.entries(costs)) {
      const line = lines.get(name) ?? { name, points: [] }
      line.points.push([sizes[at]!, cost])
      lines.set(name, line)
    }
  }
  return [...lines.values()]
}

/** Between which neighbours a cost grew most: with that power of the size, 1 being in proportion. */
export function steepest(points: Line['points']): { power: number; from: number; to: number } {
  const slopes = points.slice(1).map(([to, cost], at) => {
    const [from, before] = points[at]!
    return { power: Math.log(cost / before) / Math.log(to / from), from, to }
  })
  return slopes.reduce((most, each) => (each.power > most.power ? each : most), { power: Number.NEGATIVE_INFINITY, from: 0, to: 0 })
}
