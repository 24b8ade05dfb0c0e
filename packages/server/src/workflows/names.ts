import { upstreamOf, type GraphNode } from './graph.ts'

/** What the expressions of a node may name. */

/** Names of the scope that are always there, or there inside a body. */
export const scopeNames: ReadonlySet<string> = new Set(['input', 'nodes', 'data', 'run', 'session', 'item', 'index', 'last', 'count'])

/** Step names of the direct predecessors: they stand beside the names of the scope. */
export const predecessors = (node: GraphNode): Set<string> => new Set(node.incoming.map(({ source }) => source.name))

/** Step names under `nodes`: everything upstream, in the node's own scope and in those around it. */
export function upstreamNames(node: GraphNode): Set<string> {
  const names = new Set<string>()
  const seen = new Set<GraphNode>()
  for (let at: GraphNode | null = node; at && !seen.has(at); at = at.parent) {
    seen.add(at)
    for (const source of upstreamOf(at)) names.add(source.name)
  }
  return names
}

export const listed = (names: Iterable<string>): string => {
  const all = [...names].sort()
  return all.length === 0 ? 'none' : all.slice(0, 20).join(', ') + (all.length > 20 ? ` and ${all.length - 20} more` : '')
}
