import { limits, type Definition, type DefinitionIssue } from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'
import { bytesOf, extraTooLarge } from './form.ts'
import { drawnBy, type Graph, type GraphNode, owners } from './graph.ts'
import { handlesOf } from './handles.ts'
import { listed } from './names.ts'

/** What is wrong with nodes and links as a graph, whatever the nodes do. */
export function graphIssues(definition: Definition, graph: Graph, catalogue: Catalogue): DefinitionIssue[] {
  return [
    ...sizeIssues(definition),
    ...nodeIssues(definition),
    ...parentIssues(definition, graph, catalogue),
    ...linkIssues(definition, graph, catalogue),
    ...cycleIssues(graph),
    ...channelIssues(graph),
  ]
}

function* sizeIssues({ nodes, links }: Definition): Generator<DefinitionIssue> {
  if (nodes.length > limits.nodes) yield { nodeId: null, field: 'nodes', message: `${limits.nodes} nodes are allowed` }
  if (links.length > limits.links) yield { nodeId: null, field: 'links', message: `${limits.links} links are allowed` }
}

function* nodeIssues({ nodes }: Definition): Generator<DefinitionIssue> {
  const seen = new Set<string>()
  for (const { id, extra } of nodes) {
    if (seen.has(id)) yield { nodeId: id, field: 'id', message: `There is another node with the id ${id}` }
    seen.add(id)
    if (extra && bytesOf(extra) > limits.extraBytes) yield { nodeId: id, field: 'extra', message: extraTooLarge }
  }
}

function* parentIssues({ nodes }: Definition, graph: Graph, catalogue: Catalogue): Generator<DefinitionIssue> {
  const parents = new Set(nodes.map(({ parentId }) => parentId))
  for (const node of nodes) {
    const is = catalogue.get(node.type)?.behaviour.is
    if ((is === 'map' || is === 'loop') && !parents.has(node.id) && drawnBy(catalogue.get(node.type)) === null)
      yield { nodeId: node.id, field: 'type', message: `A ${is} needs a body: no node names it as its parent` }
    const issue = (message: string): DefinitionIssue => ({ nodeId: node.id, field: 'parentId', message })
    if (!node.parentId) continue
    const parent = graph.nodes.get(node.parentId)
    if (!parent) yield issue(`There is no node ${node.parentId}`)
    else if (isUnderItself(node.id, graph)) yield issue('A node cannot stand in its own body')
    else {
      const kind = catalogue.get(parent.type)?.behaviour.is
      if (kind && kind !== 'map' && kind !== 'loop') yield issue(`${parent.name} has no body: only a map or a loop has one`)
      else if (drawnBy(catalogue.get(parent.type)) !== null) yield issue(`${parent.name} has the body that its handle leads to: no node names it as its parent`)
    }
  }
}

function isUnderItself(id: string, graph: Graph): boolean {
  const seen = new Set<string>()
  for (let at = graph.nodes.get(id)?.definition.parentId; at && !seen.has(at); at = graph.nodes.get(at)?.definition.parentId) {
    if (at === id) return true
    seen.add(at)
  }
  return false
}

function* linkIssues({ links }: Definition, graph: Graph, catalogue: Catalogue): Generator<DefinitionIssue> {
  const seen = new Set<string>()
  const handlesBy = new Map<GraphNode, ReturnType<typeof handlesOf>>()
  for (const [at, link] of links.entries()) {
    const issue = (end: string, message: string): DefinitionIssue => ({ nodeId: link.source, field: `links.${at}${end}`, message })
    const source = graph.nodes.get(link.source)
    const target = graph.nodes.get(link.target)
    if (!source) yield { ...issue('.source', `There is no node ${link.source}`), nodeId: target ? link.target : null }
    if (!target) yield { ...issue('.target', `There is no node ${link.target}`), nodeId: source ? link.source : null }
    if (!source || !target) continue
    if (source === target) yield issue('', 'A node cannot lead to itself')
    else if (graph.crossing.has(link)) yield issue('', crossed(source, target))
    const key = JSON.stringify([link.source, link.target, link.sourceHandle ?? 'default', link.targetHandle ?? null])
    if (seen.has(key)) yield issue('', `There is another link from ${source.name} to ${target.name} like this one`)
    seen.add(key)
    const declaration = catalogue.get(source.type)
    if (!declaration || !link.sourceHandle) continue
    if (!handlesBy.has(source)) handlesBy.set(source, handlesOf(source, declaration))
    const handles = handlesBy.get(source)
    if (handles && !handles.has(link.sourceHandle)) yield issue('.sourceHandle', `${source.name} has no handle ${link.sourceHandle}; it has ${listed(handles)}`)
  }
}

function crossed(source: GraphNode, target: GraphNode): string {
  if (isInside(source, target)) return `${source.name} is run for each item of ${target.name}, and cannot lead back to it`
  const owner = target.parent?.item && !isInside(source, target.parent) ? target.parent : null
  if (!owner) return `${source.name} and ${target.name} do not stand in the same body`
  return `${target.name} is run for each item of ${owner.name}, and ${source.name} is not: what it gave is seen there by its name, without a link`
}

function isInside(node: GraphNode, body: GraphNode): boolean {
  for (let at = node.parent; at; at = at.parent) if (owners(at).includes(body)) return true
  return false
}

/** Readers that wait for each other to write, or for themselves, and would never end; or that begin too late for who writes to them. */
function* channelIssues(graph: Graph): Generator<DefinitionIssue> {
  for (const reader of graph.nodes.values()) {
    if (reader.fedBy.length === 0) continue
    const issue = (message: string): DefinitionIssue => ({ nodeId: reader.id, field: null, message })
    const before = new Set(reader.fedBy)
    for (const node of before) for (const feeder of [...node.fedBy, ...sourcesOf(node)]) before.add(feeder)
    const writer = awaitedBy(reader)
    if (before.has(reader)) yield issue(`${reader.name} reads what follows from its own items`)
    else if (writer) yield issue(`${reader.name} begins when ${writer.name} has ended, and that waits for ${reader.name} to read: draw what leads to ${reader.name} from elsewhere`)
  }
}

/** What a reader waits for before it begins, and that comes to no end before it reads: of channels the room is bounded. */
function awaitedBy(reader: GraphNode): GraphNode | null {
  const before = new Set(sourcesOf(reader))
  for (const node of before) {
    const drains = drainsOf(node)
    if (drains.has(reader)) return node
    for (const other of [...sourcesOf(node), ...node.fedBy, ...[...drains].flatMap(sourcesOf)]) before.add(other)
  }
  return null
}

/** The readers that make room for what the body of a node writes, and for what theirs do. */
function drainsOf(node: GraphNode): Set<GraphNode> {
  const drains = new Set(node.body.length > 0 ? node.feeds : [])
  for (const reader of drains) for (const next of reader.feeds) drains.add(next)
  return drains
}

const sourcesOf = (node: GraphNode): GraphNode[] => node.incoming.map(({ source }) => source)

/** One issue a cycle. Of nodes behind a cycle nothing is said: they are well once it is gone. */
function* cycleIssues({ unordered }: Graph): Generator<DefinitionIssue> {
  const left = new Set(unordered)
  peel(left)
  while (left.size > 0) {
    const cycle = cycleFrom([...left][0]!, left)
    for (const node of cycle) left.delete(node)
    // A link to itself is told of as a link.
    if (cycle.length > 1) yield { nodeId: cycle[0]!.id, field: null, message: `These nodes wait for each other: ${[...cycle, cycle[0]!].map(({ name }) => name).join(' → ')}` }
    peel(left)
  }
}

/** Takes off what leads nowhere inside the rest: it is behind a cycle, not on one. */
function peel(left: Set<GraphNode>): void {
  let before = -1
  while (before !== left.size) {
    before = left.size
    for (const node of left) if (!node.outgoing.some(({ target }) => left.has(target))) left.delete(node)
  }
}

/** Every node left leads on inside the rest, so that walking on comes back somewhere. */
function cycleFrom(start: GraphNode, within: ReadonlySet<GraphNode>): GraphNode[] {
  const path: GraphNode[] = []
  const places = new Map<GraphNode, number>()
  let at = start
  while (!places.has(at)) {
    places.set(at, path.length)
    path.push(at)
    at = at.outgoing.find(({ target }) => within.has(target))!.target
  }
  return path.slice(places.get(at))
}
