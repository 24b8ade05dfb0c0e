import { type Definition, Fault, type Json, type JsonObject, type Node, type TryNode } from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'
import { type Graph, type GraphNode, drawnBy, isProducer, owners } from '../workflows/graph.ts'
import { type Seed, seedOf } from './seeds.ts'

/** The part of a draft that a trial runs, and the results that stand in for what leads to it. PURE. */

export interface TrialPart {
  nodes: GraphNode[]
  seeds: Seed[]
}

export type TrialGiven = Pick<TryNode, 'input' | 'outputs' | 'data'>

export function partOf(graph: Graph, catalogue: Catalogue, target: GraphNode, { input, outputs = {}, data }: TrialGiven): TrialPart {
  const whole = (node: GraphNode): GraphNode[] => (isProducer(catalogue.get(node.type)) ? [node] : [node, ...bodyOf(node)])
  if (data !== undefined) return { nodes: whole(target), seeds: [] }
  if (input !== undefined) {
    const seeds = sourcesOf(graph, target).map((source) => seedOf(source.id, own(input, source.name) ?? own(input, source.id) ?? null, everyWay(source)))
    return { nodes: whole(target), seeds }
  }
  const seeds = new Map<string, Seed>()
  const nodes = new Set([target])
  // Of what draws the body that the target stands in no more is run than leads there.
  const around = new Set<GraphNode>()
  // What is added while it is gone through is come to as well.
  for (const node of nodes) {
    for (const drawer of drawersOf(node)) around.add(drawer)
    for (const source of sourcesOf(graph, node))
      if (Object.hasOwn(outputs, source.id)) seeds.set(source.id, seedOf(source.id, outputs[source.id]!, everyWay(source)))
      else nodes.add(source)
  }
  return { nodes: [...new Set([...nodes].flatMap((node) => (around.has(node) ? [node] : whole(node))))], seeds: [...seeds.values()] }
}

/** What leads to a node; to the nodes of a drawn body what draws it, too. */
export function sourcesOf({ nodes }: Graph, node: GraphNode): GraphNode[] {
  const before = node.incoming.map(({ source }) => nodes.get(source.id)!)
  return [...new Set([...drawersOf(node), ...before])]
}

const drawersOf = (node: GraphNode): GraphNode[] => (node.parent?.item ? owners(node.parent).filter((owner) => owner.body.includes(node)) : [])

/** What stands in for a node leads to whatever is to be tried behind it. */
const everyWay = (node: GraphNode): string[] => [...new Set(['default', ...[node, ...(node.item ? [node.item] : [])].flatMap(waysOf)])]

const waysOf = (node: GraphNode): string[] => [...node.outgoing.map((link) => link.handle), ...node.alsoDefault]

/** But for itself, which is the first node of a body that it draws. */
const bodyOf = (node: GraphNode): GraphNode[] => node.body.flatMap((inner) => (inner === node.item ? [] : [inner, ...bodyOf(inner)]))

/** A key of a stranger's object; `constructor` is none unless it was given. */
export const own = (object: JsonObject, key: string): Json | undefined => (Object.hasOwn(object, key) ? object[key] : undefined)

export function refusePauses(catalogue: Catalogue, nodes: readonly GraphNode[], seeds: readonly Seed[]): void {
  const seeded = new Set(seeds.map((seed) => seed.nodeId))
  const waiting = nodes.filter((node) => !seeded.has(node.id) && catalogue.get(node.type)?.behaviour.is === 'wait' && node.is === 'human')
  if (waiting.length > 0) throw new Fault('trial_refused', { message: `${waiting[0]!.name} would open a pause`, details: { nodes: waiting.map((node) => node.id) } })
}

/** The part as a definition of its own. What a body was, stays one; a part of a body stands at the top. */
export function definitionOf(definition: Definition, catalogue: Catalogue, { nodes, seeds }: TrialPart): Definition {
  const seeded = new Set(seeds.map(({ nodeId }) => nodeId))
  const ids = new Set([...nodes.map(({ id }) => id), ...seeded])
  const within = definition.nodes.filter(({ id }) => ids.has(id))
  const isEntered = within.some(({ id, type }) => isEntry(catalogue, type) && !(seeded.has(id) && isProducer(catalogue.get(type))))
  const part = within.map((node): Node => {
    const placed = node.parentId && !ids.has(node.parentId) ? { ...node, parentId: null } : node
    return seeded.has(node.id) ? standIn(placed, catalogue, isEntered) : placed
  })
  return { kind: definition.kind, nodes: part, links: definition.links.filter((link) => ids.has(link.source) && ids.has(link.target)), settings: { onFailure: 'stop' } }
}

const isEntry = (catalogue: Catalogue, type: string): boolean => catalogue.get(type)?.entry === true

/** What is given in place of a node draws no body, waits for no server that knows its type, and is part of the run wherever that is entered. */
function standIn(node: Node, catalogue: Catalogue, isEntered: boolean): Node {
  const type = catalogue.get(node.type)
  const isAside = isEntered && type?.entry !== true
  if (type && drawnBy(type) === null && !isAside) return node
  const { id, title, parentId } = node
  return { id, type: isEntered ? 'input' : 'static-value', ...(title !== undefined && { title }), ...(parentId && { parentId }) }
}
