import type { Definition } from '@sluice/schema'

/** Where nodes stand that nobody placed: in columns, each behind what leads to it. PURE. */

export interface Place {
  x: number
  y: number
}

const column = 260
const row = 140
const corner = 100

/** Of every node. What is placed stays there; and what moves moves no other. */
export function placesOf(definition: Pick<Definition, 'nodes' | 'links'>): Map<string, Place> {
  const depths = depthsOf(definition)
  const rows = new Map<number, number>()
  return new Map(
    definition.nodes.map(({ id, position }) => {
      const depth = depths.get(id) ?? 0
      const at = rows.get(depth) ?? 0
      rows.set(depth, at + 1)
      return [id, position ?? { x: corner + depth * column, y: corner + at * row }]
    }),
  )
}

/** By how many links a node is behind the first ones, at most. What leads back, or into a circle, is not counted. */
export function depthsOf({ nodes, links }: Pick<Definition, 'nodes' | 'links'>): Map<string, number> {
  const ids = new Set(nodes.map(({ id }) => id))
  const known = links.filter(({ source, target }) => ids.has(source) && ids.has(target) && source !== target)
  const targets = Map.groupBy(known, ({ source }) => source)
  const open = new Map<string, number>()
  for (const { target } of known) open.set(target, (open.get(target) ?? 0) + 1)
  const depths = new Map<string, number>()
  const waiting = [...ids].filter((id) => !open.has(id))
  for (let next = 0; next < waiting.length; next++) {
    const id = waiting[next]!
    const depth = depths.get(id) ?? 0
    for (const { target } of targets.get(id) ?? []) {
      depths.set(target, Math.max(depths.get(target) ?? 0, depth + 1))
      const left = open.get(target)! - 1
      open.set(target, left)
      if (left === 0) waiting.push(target)
    }
  }
  return depths
}
