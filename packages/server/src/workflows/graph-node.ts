import type { Join, Link, Node, NodeSettings, RetrySettings } from '@sluice/schema'

/** The nodes of a graph, and what it knows of their types. PURE. */

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
  /** The map, loop or producer whose body this is in; of producers that share one, the first. */
  parent: GraphNode | null
  /** How many bodies it stands in. */
  depth: number
  /** The nodes of its body, in topological order: those that name it as parent, or that its drawn handle leads to, behind its `item`. */
  body: GraphNode[]
  /** Of a node that draws its body: itself inside of it, the first of each iteration, where its output is what it hands to that. */
  item: GraphNode | null
  /** Of such an item: the node that has the body. */
  head: GraphNode | null
  /** Producers that lead to a common node, in the order of the definition: their bodies are one scope. Empty for who shares with none. */
  shares: GraphNode[]
  /** Queue readers whose channel this node writes into. */
  readers: GraphNode[]
  /** Readers of its scope whose channel is written by it, or inside of it: none is closed before it has settled. */
  feeds: GraphNode[]
  /** Of a reader: those that feed it. */
  fedBy: GraphNode[]
  incoming: GraphLink[]
  outgoing: GraphLink[]
  /** Handles that links of it name and that mean `default`: a step that leaves by that one leaves by these, as the definition says it. */
  alsoDefault: string[]
  /** The ways in from nodes that are part of the run, in topological order. */
  paths: GraphPath[]
  /** The same, by the producer whose item it is; null where that makes no difference. */
  pathsBy: ReadonlyMap<GraphNode, GraphPath[]> | null
  join: Join
  entry: boolean
  /** Whether an entry of its scope leads here. What none reaches is not part of the run. */
  reachable: boolean
  /** Its place in the topological order of its scope. */
  order: number
  settings: NodeSettings
  retry: Required<RetrySettings>
}

/** What the graph needs to know of node types: a catalogue says it. */
export interface GraphTypes {
  get(type: string): GraphType | undefined
}

export interface GraphType {
  entry?: boolean
  handles?: { fixed?: readonly string[] }
  behaviour?: { is: string }
  draws?: string
  writes?: true
  reads?: true
  /** Set when the type is another name of a node type. */
  alias?: { of: string; leaves?: 'default'; draws?: string; ends?: true }
}

/** The handle by which a node of a type draws its body. */
export const drawnBy = (type: GraphType | undefined): string | null => (isProducer(type) ? 'default' : (type?.alias?.draws ?? type?.draws ?? null))

export const isProducer = (type: GraphType | undefined): boolean => type?.behaviour?.is === 'producer'

/** The producers whose bodies are one scope, or the one node whose body it is. */
export const owners = (parent: GraphNode): readonly GraphNode[] => (parent.shares.length > 0 ? parent.shares : [parent])

/** The handle that a link leaves by. */
export function handleOf({ sourceHandle }: Link, type: GraphType | undefined): string {
  if (sourceHandle === undefined || sourceHandle === null) return 'default'
  const isKnown = sourceHandle === 'failed' || type?.handles?.fixed?.includes(sourceHandle)
  return type?.alias?.leaves === 'default' && !isKnown ? 'default' : sourceHandle
}
