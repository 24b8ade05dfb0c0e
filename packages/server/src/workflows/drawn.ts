import type { Link } from '@sluice/schema'
import { type GraphNode, type GraphTypes, drawnBy, handleOf, isProducer, owners } from './graph-node.ts'

/**
 * Bodies that are drawn: what one handle of a node leads to, and everything behind it, is run once for each of its items.
 * No node of it names a parent; where it stands follows from the links. PURE.
 */

interface Flow {
  link: Link
  source: GraphNode
  target: GraphNode
}

export interface Drawing {
  /** Links inside one scope, a drawn one from the `item` on. */
  flows: Flow[]
  /** The first nodes of drawn bodies. */
  items: GraphNode[]
  crossing: ReadonlySet<Link>
  produces: boolean
}

/** Gives nodes of drawn bodies their parents and depths, and heads their items. */
export function drawBodies(nodes: ReadonlyMap<string, GraphNode>, links: readonly Link[], types: GraphTypes): Drawing {
  const heads = new Map<GraphNode, string>()
  let produces = false
  for (const node of nodes.values()) {
    const type = types.get(node.type)
    const handle = drawnBy(type)
    if (handle !== null) heads.set(node, handle)
    produces ||= isProducer(type)
  }
  const crossing = new Set<Link>()
  const leading: Flow[] = []
  const channels: Flow[] = []
  for (const link of links) {
    const source = nodes.get(link.source)
    const target = nodes.get(link.target)
    if (!source || !target) continue
    const type = types.get(source.type)
    if (type?.writes && types.get(target.type)?.reads && handleOf(link, type) === 'default') channels.push({ link, source, target })
    else if (type?.alias?.ends) continue
    else if (source.parent === target.parent) leading.push({ link, source, target })
    else crossing.add(link)
  }
  const led = ledBy(heads, leading, types)
  if (heads.size > 0) place(heads, led, types)
  for (const node of nodes.values()) node.depth = depthOf(node)
  const items = [...heads.keys()].map(itemOf)
  const flows: Flow[] = []
  for (const { link, source, target } of leading) {
    const drawn = heads.has(source) && handleOf(link, types.get(source.type)) === heads.get(source)
    const from = drawn ? source.item! : source
    if (from.parent === target.parent) flows.push({ link, source: from, target })
    else crossing.add(link)
  }
  feed(channels, led, crossing)
  return { flows, items, crossing, produces }
}

function depthOf(node: GraphNode): number {
  let depth = 0
  for (let at = node.parent; at; at = at.parent) depth++
  return depth
}

function itemOf(head: GraphNode): GraphNode {
  head.item = {
    ...head,
    head,
    parent: owners(head)[0]!,
    depth: head.depth + 1,
    item: null,
    shares: [],
    body: [],
    incoming: [],
    outgoing: [],
    alsoDefault: [],
    readers: [],
    feeds: [],
    fedBy: [],
  }
  return head.item
}

/** Gives each node the innermost of the heads that lead to it as its parent. */
function place(heads: ReadonlyMap<GraphNode, string>, led: Led, types: GraphTypes): void {
  const innermost = new Map<GraphNode, GraphNode[]>()
  for (const [node, by] of led) {
    const inner = [...by].filter((head) => ![...by].some((other) => other !== head && led.get(other)?.has(head)))
    if (inner.length > 0 && inner.every((head) => head !== node)) innermost.set(node, inner)
  }
  const groups = groupsOf([...heads.keys()], innermost, types)
  for (const [node, [inner]] of innermost) node.parent = groups.get(inner!)?.[0] ?? inner!
  for (const [head, group] of groups) head.shares = group
}

/** By node, the heads whose bodies it is in, however deep. */
type Led = ReadonlyMap<GraphNode, ReadonlySet<GraphNode>>

function ledBy(heads: ReadonlyMap<GraphNode, string>, leading: readonly Flow[], types: GraphTypes): Led {
  const outgoing = Map.groupBy(leading, ({ source }) => source)
  const led = new Map<GraphNode, Set<GraphNode>>()
  for (const [head, handle] of heads) {
    const begun = (outgoing.get(head) ?? []).filter(({ link }) => handleOf(link, types.get(head.type)) === handle)
    const reached = new Set(begun.map(({ target }) => target))
    for (const node of reached) {
      if (node === head) continue
      for (const { target } of outgoing.get(node) ?? []) reached.add(target)
    }
    for (const node of reached) led.set(node, (led.get(node) ?? new Set()).add(head))
  }
  return led
}

/** Producers of one scope that lead to a common node, and what these lead to in common with others. */
function groupsOf(heads: readonly GraphNode[], innermost: ReadonlyMap<GraphNode, readonly GraphNode[]>, types: GraphTypes): Map<GraphNode, GraphNode[]> {
  const groups = new Map<GraphNode, ReadonlySet<GraphNode>>()
  const groupOf = (head: GraphNode): ReadonlySet<GraphNode> => groups.get(head) ?? new Set([head])
  /** What stands for the scope that a head is in: those that share a body have one. */
  const scopeOf = (head: GraphNode): unknown => {
    const [inner] = innermost.get(head) ?? []
    return inner ? (groups.get(inner) ?? inner) : head.parent
  }
  const areApart = (a: GraphNode, b: GraphNode): boolean => isProducer(types.get(a.type)) && isProducer(types.get(b.type)) && scopeOf(a) === scopeOf(b) && !groupOf(a).has(b)
  // Where two bodies have become one, what stands in them may be of one scope.
  for (let merges = true; merges;) {
    merges = false
    for (const [first, ...others] of innermost.values())
      for (const other of others) {
        if (!areApart(first!, other)) continue
        const merged = new Set([...groupOf(first!), ...groupOf(other)])
        for (const each of merged) groups.set(each, merged)
        merges = true
      }
  }
  return new Map([...groups].map(([head, group]) => [head, heads.filter((each) => group.has(each))]))
}

/** Says who feeds whom through channels. */
function feed(channels: readonly Flow[], led: Led, crossing: Set<Link>): void {
  for (const { link, source, target } of channels) {
    const feeders = feedersOf(source, target, led)
    if (feeders.length === 0) crossing.add(link)
    else if (!source.readers.includes(target)) source.readers.push(target)
    for (const feeder of feeders) {
      if (feeder.feeds.includes(target)) continue
      feeder.feeds.push(target)
      target.fedBy.push(feeder)
    }
  }
}

/** What of the reader's own scope must have settled before a writer can write no more: of producers that share a body, those that lead to it. */
function feedersOf(writer: GraphNode, { parent }: GraphNode, led: Led): readonly GraphNode[] {
  let at: readonly GraphNode[] = [writer]
  for (let around = writer.parent; around !== parent; around = around.parent) {
    if (!around) return []
    const inner = at
    at = around.shares.length === 0 ? [around] : around.shares.filter((owner) => inner.some((node) => led.get(node)?.has(owner)))
  }
  return at
}
