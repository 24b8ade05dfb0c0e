import type { Definition, Json, Node, WorkflowOutput } from '@sluice/schema'
import type { AnyNode, Catalogue } from '../nodes/contract.ts'
import { configOf } from './config.ts'
import { type Graph, givingOf, graphOf, type GraphNode } from './graph.ts'
import { valuesAt } from './readings.ts'

/**
 * What can be referred to of a run's end: of each output node, or of the leaves when there is none, its step name, and
 * `name.field` for each field that its config or its JSON Schema tells of. With `leaves` the same of every node that no link
 * leaves, in the order of the definition, whatever stands in bodies too.
 */
export function outputsOf(definition: Definition, catalogue: Catalogue, of: 'result' | 'leaves' = 'result'): WorkflowOutput[] {
  const graph = graphOf(definition, catalogue)
  const nodes = of === 'leaves' ? leavesOf(graph) : givingOf(graph.top, (type) => catalogue.get(type)?.returns === true).nodes
  return nodes.flatMap((node) =>
    [null, ...fieldsOf(node, catalogue.get(node.type))].map((field) => ({ nodeId: node.id, name: field === null ? node.name : `${node.name}.${field}`, field })),
  )
}

/** A link over the border of a body leads from its node, too. */
function leavesOf({ nodes, definition }: Graph): GraphNode[] {
  const sources = new Set(definition.links.map(({ source }) => source))
  return [...nodes.values()].filter(({ id }) => !sources.has(id))
}

function fieldsOf({ definition }: GraphNode, declaration: AnyNode | undefined): string[] {
  const schemas = (declaration?.schemaFields ?? []).flatMap((field) => valuesAt(configOf(definition), field).flatMap(({ value }) => keysAt(value, 'properties')))
  const key = declaration?.schemaOf?.(configOf(definition)) ?? null
  const within = key === null ? '' : `${key}.`
  return [...new Set([...mappedKeys(definition), ...schemas.map((key) => within + key)])]
}

/** `values` and `map` are objects whose keys are the output's. */
const mappedKeys = (node: Node): string[] => ['values', 'map'].flatMap((key) => keysAt(configOf(node), key))

function keysAt(value: Json, key: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  const inner = Object.hasOwn(value, key) ? value[key] : undefined
  return typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.keys(inner) : []
}
