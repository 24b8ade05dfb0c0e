import { type Definition, type Join, type Link, type Node, type NodeSettings, type RetrySettings, stepNames } from '@sluice/schema'
import type { Standing } from '../nodes/contract.ts'

/**
 * A definition as the engine reads it: links by handle, bodies as scopes of their own, names, order, what can be reached.
 * PURE, and total: a draft that would not publish still gives a graph, so that validation can speak about it.
 */

export interface GraphLink {
  source: GraphNode
  target: GraphNode
  handle: string
}

/** A way into a node: from one source, by any of these handles. */
export interface GraphPath {
  source: GraphNode
  handles: string[]
}

export interface GraphNode {
  id: string
  /** As the definition has it. */
  type: string
  /** The node type it is: the same, unless it stands there under a name of a dialect. */
  is: string
  /** The title when it is unique in the definition, else the id. */
  name: string
  /** What the keys of its steps begin with; at the top the key itself, and not put together again each time. */
  key: string
  /** How its events begin, as JSON text that is open still: the same in all runs. */
  told: string
  definition: Node
  /** The map or loop whose body this is in. */
  parent: GraphNode | null
  /** Nodes that name this one as parent, in topological order. */
  body: GraphNode[]
  incoming: GraphLink[]
  outgoing: GraphLink[]
  /** Handles that links of it name and that mean `default`: a step that leaves by that one leaves by these, as the definition says it. */
  alsoDefault: string[]
  /** The ways in from nodes that are part of the run, in topological order. */
  paths: GraphPath[]
  join: Join
  entry: boolean
  /** Whether an entry of its scope leads here. What none reaches is not part of the run. */
  reachable: boolean
  /** Its place in the topological order of its scope. */
  order: number
  settings: NodeSettings
  retry: Required<RetrySettings>
}

export interface Graph {
  nodes: ReadonlyMap<string, GraphNode>
  /** Top-level nodes, in topological order. */
  top: GraphNode[]
  /** How many of them are part of the run. */
  reached: number
  /** Nodes on a cycle, and those behind one: not in any order. */
  unordered: GraphNode[]
  onFailure: 'stop' | 'continue'
  timeoutMs: number | null
  definition: Definition
}

/** What the graph needs to know of node types: a catalogue says it. */
export interface GraphTypes {
  get(type: string): GraphType | undefined
}

interface GraphType {
  entry?: boolean
  handles?: { fixed?: readonly string[] }
  /** Set when the type is another name of a node type. */
  alias?: { of: string; leaves?: 'default' }
}

export const defaultRetry: Required<RetrySettings> = { maxAttempts: 1, backoffMs: 1000, factor: 2, jitter: 0.2 }

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
      told: `{"nodeId":${JSON.stringify(node.id)},"step":${JSON.stringify(name)}`,
      definition: node,
      parent: null,
      body: [],
      incoming: [],
      outgoing: [],
      alsoDefault: [],
      paths: [],
      join: is === 'coalesce' ? 'any' : (node.settings?.join ?? join),
      entry: false,
      reachable: false,
      order: -1,
      settings: node.settings ?? {},
      retry: { ...defaultRetry, ...node.settings?.retry },
    })
  }
  for (const node of nodes.values()) node.parent = parentOf(nodes, node)
  for (const link of definition.links) connect(nodes, link, types)

  const scopes = new Map<GraphNode | null, GraphNode[]>()
  for (const node of nodes.values()) {
    const scope = scopes.get(node.parent) ?? []
    scopes.set(node.parent, scope)
    scope.push(node)
  }
  const unordered: GraphNode[] = []
  let top: GraphNode[] = []
  for (const [parent, members] of scopes) {
    const sorted = topological(members)
    if (parent) parent.body = sorted
    else top = sorted
    const inOrder = new Set(sorted)
    unordered.push(...members.filter((node) => !inOrder.has(node)))
    const declared = parent ? [] : sorted.filter((node) => types.get(node.type)?.entry === true)
    for (const node of declared.length > 0 ? declared : sorted.filter((each) => each.incoming.length === 0)) node.entry = true
    for (const node of sorted) node.reachable = node.entry || node.incoming.some((link) => link.source.reachable)
    for (const node of sorted) node.paths = pathsTo(node)
  }
  return {
    nodes,
    top,
    reached: top.filter((node) => node.reachable).length,
    unordered,
    onFailure: definition.settings?.onFailure ?? 'stop',
    timeoutMs: definition.settings?.timeoutMs ?? null,
    definition,
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

function connect(nodes: Map<string, GraphNode>, link: Link, types: GraphTypes): void {
  const source = nodes.get(link.source)
  const target = nodes.get(link.target)
  // A link across the border of a body says nothing about order inside either scope; validation names it.
  if (!source || !target || source.parent !== target.parent) return
  const made: GraphLink = { source, target, handle: handleOf(link, types.get(source.type)) }
  const said = link.sourceHandle ?? 'default'
  if (said !== made.handle && !source.alsoDefault.includes(said)) source.alsoDefault.push(said)
  source.outgoing.push(made)
  target.incoming.push(made)
}

function handleOf({ sourceHandle }: Link, type: GraphType | undefined): string {
  if (sourceHandle === undefined || sourceHandle === null) return 'default'
  const isKnown = sourceHandle === 'failed' || type?.handles?.fixed?.includes(sourceHandle)
  return type?.alias?.leaves === 'default' && !isKnown ? 'default' : sourceHandle
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
  return node.parent ? [...allUpstreamOf(node.parent), ...upstream] : upstream
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
