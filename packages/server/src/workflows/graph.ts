import { type Definition, type Link, type RetrySettings, stepNames } from '@sluice/schema'
import type { Standing } from '../nodes/contract.ts'
import { drawBodies, type Drawing } from './drawn.ts'
import { type GraphLink, type GraphNode, type GraphPath, type GraphTypes, handleOf, isProducer, owners } from './graph-node.ts'

export type { GraphLink, GraphNode, GraphPath, GraphTypes } from './graph-node.ts'
export { drawnBy, isProducer, owners } from './graph-node.ts'

/**
 * A definition as the engine reads it: links by handle, bodies as scopes of their own, names, order, what can be reached.
 * PURE, and total: a draft that would not publish still gives a graph, so that validation can speak about it.
 */

export interface Graph {
  nodes: ReadonlyMap<string, GraphNode>
  /** Top-level nodes, in topological order. */
  top: GraphNode[]
  /** How many of them are part of the run. */
  reached: number
  /** Nodes on a cycle, and those behind one: not in any order. */
  unordered: GraphNode[]
  /** Links across the border of a body: they say nothing about order in any scope. */
  crossing: ReadonlySet<Link>
  /** Whether any node is a producer. */
  produces: boolean
  onFailure: 'stop' | 'continue'
  timeoutMs: number | null
  definition: Definition
}

export const defaultRetry: Required<RetrySettings> = { maxAttempts: 1, backoffMs: 1000, factor: 2, jitter: 0.2, manual: false }

export function graphOf(definition: Definition, types: GraphTypes): Graph {
  const join = definition.settings?.join ?? 'any'
  const nodes = new Map<string, GraphNode>()
  const names = stepNames(definition)
  for (const node of definition.nodes) {
    if (nodes.has(node.id)) continue
    const name = names.get(node.id)!
    const is = types.get(node.type)?.alias?.of ?? node.type
    nodes.set(node.id, {
      id: node.id,
      type: node.type,
      is,
      name,
      key: `${node.id}\n`,
      told: `{"nodeId":${JSON.stringify(node.id)},"step":${JSON.stringify(name)},"nodeType":${JSON.stringify(node.type)}`,
      definition: node,
      parent: null,
      depth: 0,
      body: [],
      item: null,
      head: null,
      shares: [],
      readers: [],
      feeds: [],
      fedBy: [],
      incoming: [],
      outgoing: [],
      alsoDefault: [],
      paths: [],
      pathsBy: null,
      join: is === 'coalesce' ? 'any' : (node.settings?.join ?? join),
      entry: false,
      reachable: false,
      order: -1,
      settings: node.settings ?? {},
      retry: { ...defaultRetry, ...node.settings?.retry },
    })
  }
  for (const node of nodes.values()) node.parent = parentOf(nodes, node)
  const drawing = drawBodies(nodes, definition.links, types)
  for (const item of drawing.items) tellPart(nodes.get(item.id)!, item, types)
  for (const { link, source, target } of drawing.flows) connect(link, source, target, types)

  const scopes = scopesOf(nodes.values(), drawing)
  const unordered: GraphNode[] = []
  let top: GraphNode[] = []
  for (const [parent, members] of scopes) {
    const sorted = topological(members)
    if (!parent) top = sorted
    else if (!parent.item) parent.body = sorted
    const inOrder = new Set(sorted)
    unordered.push(...members.filter((node) => !inOrder.has(node)))
    for (const node of entriesOf(parent, sorted, types)) node.entry = true
    for (const node of sorted) node.reachable = node.entry || node.incoming.some((link) => link.source.reachable)
    for (const node of sorted) node.paths = pathsTo(node)
    if (parent?.item) share(parent, sorted)
  }
  return {
    nodes,
    top,
    reached: top.filter((node) => node.reachable).length,
    unordered,
    crossing: drawing.crossing,
    produces: drawing.produces,
    onFailure: definition.settings?.onFailure ?? 'stop',
    timeoutMs: definition.settings?.timeoutMs ?? null,
    definition,
  }
}

/** Which of the steps of a node that draws its body an event is of: events alone do not tell how deep it stands. */
function tellPart(node: GraphNode, item: GraphNode, types: GraphTypes): void {
  if (isProducer(types.get(node.type))) node.told += ',"part":"items"'
  item.told += `,"part":"${isProducer(types.get(node.type)) ? 'item' : 'element'}"`
}

/** The node that stands under an id where a step of this iteration does: of a node that draws its body there are two. */
export function nodeAt({ nodes }: Pick<Graph, 'nodes'>, nodeId: string, iteration: string): GraphNode | undefined {
  const node = nodes.get(nodeId)
  return node?.item && depthOf(iteration) > node.depth ? node.item : node
}

const depthOf = (iteration: string): number => (iteration === '' ? 0 : iteration.split('.').length)

/** Nodes by the body they stand in; `null` is the top. */
function scopesOf(nodes: Iterable<GraphNode>, { items }: Drawing): Map<GraphNode | null, GraphNode[]> {
  const scopes = new Map<GraphNode | null, GraphNode[]>()
  for (const node of [...items, ...nodes]) {
    const scope = scopes.get(node.parent) ?? []
    scopes.set(node.parent, scope)
    scope.push(node)
  }
  return scopes
}

/** Where a scope begins: in a drawn body with what that hands on; else with the declared entries, and without any with what nothing leads to. */
function entriesOf(parent: GraphNode | null, sorted: readonly GraphNode[], types: GraphTypes): readonly GraphNode[] {
  if (parent?.item) return sorted.filter(({ head }) => head !== null)
  // A producer that something leads to waits for it, like any other node.
  const isBegun = (node: GraphNode): boolean => (isProducer(types.get(node.type)) ? node.incoming.length === 0 : types.get(node.type)?.entry === true)
  const declared = parent ? [] : sorted.filter(isBegun)
  return declared.length > 0 ? declared : sorted.filter((node) => node.incoming.length === 0)
}

/** What of a drawn scope each of its owners leads to. */
function share(parent: GraphNode, sorted: readonly GraphNode[]): void {
  for (const owner of owners(parent)) {
    const led = new Set([owner.item!])
    for (const node of led) for (const { target } of node.outgoing) led.add(target)
    owner.body = sorted.filter((node) => led.has(node))
    if (parent.shares.length === 0) continue
    for (const node of owner.body) {
      const by = new Map(node.pathsBy)
      node.pathsBy = by.set(
        owner,
        node.paths.filter(({ source }) => led.has(source)),
      )
    }
  }
}

/** The body a node stands in. Without one: where the parent is not there, or where nodes would stand in each other. */
function parentOf(nodes: ReadonlyMap<string, GraphNode>, node: GraphNode): GraphNode | null {
  const parent = nodes.get(node.definition.parentId ?? '')
  const seen = new Set([node])
  for (let at = parent; at; at = nodes.get(at.definition.parentId ?? '')) {
    if (seen.has(at)) return null
    seen.add(at)
  }
  return parent ?? null
}

function connect(link: Link, source: GraphNode, target: GraphNode, types: GraphTypes): void {
  const made: GraphLink = { source, target, handle: handleOf(link, types.get(source.type)) }
  const said = link.sourceHandle ?? 'default'
  if (said !== made.handle && !source.alsoDefault.includes(said)) source.alsoDefault.push(said)
  source.outgoing.push(made)
  target.incoming.push(made)
}

function pathsTo(node: GraphNode): GraphPath[] {
  const paths = new Map<GraphNode, GraphPath>()
  for (const { source, handle } of node.incoming) {
    if (!source.reachable) continue
    const path = paths.get(source) ?? { source, handles: [] }
    paths.set(source, path)
    path.handles.push(handle)
  }
  return [...paths.values()].sort((a, b) => a.source.order - b.source.order)
}

/** Kahn's order, by place in the definition where the graph leaves a choice; nodes on a cycle are left out. */
function topological(members: GraphNode[]): GraphNode[] {
  const missing = new Map(members.map((node) => [node, node.incoming.length]))
  const sorted: GraphNode[] = []
  const ready = members.filter((node) => missing.get(node) === 0)
  for (let next = 0; next < ready.length; next++) {
    const node = ready[next]!
    node.order = sorted.length
    sorted.push(node)
    for (const link of node.outgoing) {
      const left = missing.get(link.target)! - 1
      missing.set(link.target, left)
      if (left === 0) ready.push(link.target)
    }
  }
  return sorted
}

/** What the config of an alias is made into the library's with. */
export const standingOf = ({ id, definition, paths }: GraphNode): Standing => ({ id, title: definition.title ?? '', names: paths.map(({ source }) => source.name) })

/** The nodes that give what a scope gives. */
export interface Giving {
  nodes: readonly GraphNode[]
  /** Whether it is what one output node gives, and not an object by step name. */
  isOne: boolean
}

/** Of the nodes of a scope its output nodes, or, without any, its leaves. */
export function givingOf(members: readonly GraphNode[], isOutput: (type: string) => boolean): Giving {
  const reached = members.filter((node) => node.reachable)
  const declared = reached.filter((node) => isOutput(node.type))
  return { nodes: declared.length > 0 ? declared : reached.filter((node) => node.outgoing.length === 0), isOne: declared.length === 1 }
}

/** Everything upstream of a node, in its own scope and in those around it: the outermost first, each in topological order. */
export function allUpstreamOf(node: GraphNode): GraphNode[] {
  const upstream = upstreamOf(node)
  return node.parent ? [...new Set(owners(node.parent).flatMap(allUpstreamOf)), ...upstream] : upstream
}

/** Everything upstream of a node inside its scope, in topological order. */
export function upstreamOf(node: GraphNode): GraphNode[] {
  const seen = new Set<GraphNode>()
  const add = ({ source }: GraphLink): unknown => seen.add(source)
  node.incoming.forEach(add)
  // What is added while it is gone through is come to as well.
  for (const source of seen) source.incoming.forEach(add)
  return [...seen].sort((a, b) => a.order - b.order)
}
