import type { Definition, Json, JsonObject, WorkflowOutput } from '@sluice/schema'
import type { AnyNode, Catalogue } from '../nodes/contract.ts'
import { configFor, configOf, ownOutputFields } from './config.ts'
import { type Graph, givingOf, graphOf, type GraphNode, standingOf } from './graph.ts'
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

function fieldsOf(node: GraphNode, declaration: AnyNode | undefined): string[] {
  const stored = configOf(node.definition)
  if (!declaration) return mappedKeys(stored)
  const own = ownOutputFields(declaration, stored)
  if (own) return own
  const meant = configFor(declaration, stored, standingOf(node))
  if (!meant.ok) return []
  const { config } = meant
  const schemas = (declaration.schemaFields ?? []).flatMap((field) => valuesAt(config, field).flatMap(({ value }) => keysAt(value, 'properties')))
  const key = declaration.schemaOf?.(config) ?? null
  const within = key === null ? '' : `${key}.`
  return [...new Set([...mappedKeys(config), ...schemas.map((key) => within + key)])]
}

/** `values` and `map` are objects whose keys are the output's. */
const mappedKeys = (config: JsonObject): string[] => ['values', 'map'].flatMap((key) => keysAt(config, key))

function keysAt(value: Json, key: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  const inner = Object.hasOwn(value, key) ? value[key] : undefined
  return typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.keys(inner) : []
}
