import type { Definition, Json, Node, WorkflowOutput } from '@sluice/schema'
import type { AnyNode, Catalogue } from '../nodes/contract.ts'
import { configOf } from './config.ts'
import { givingOf, graphOf, type GraphNode } from './graph.ts'
import { valuesAt } from './readings.ts'

/**
 * What can be referred to of a run's end: of each output node, or of the leaves when there is none, its step name, and
 * `name.field` for each field that its config or its JSON Schema tells of.
 */
export function outputsOf(definition: Definition, catalogue: Catalogue): WorkflowOutput[] {
  const graph = graphOf(definition, { isEntry: (type) => catalogue.get(type)?.entry === true })
  const { nodes } = givingOf(graph.top, (type) => catalogue.get(type)?.returns === true)
  return nodes.flatMap((node) => [node.name, ...fieldsOf(node, catalogue.get(node.type)).map((field) => `${node.name}.${field}`)].map((name) => ({ nodeId: node.id, name })))
}

function fieldsOf({ definition }: GraphNode, declaration: AnyNode | undefined): string[] {
  const schemas = (declaration?.schemaFields ?? []).flatMap((field) => valuesAt(configOf(definition), field).flatMap(({ value }) => keysAt(value, 'properties')))
  const within = declaration?.schemaOf === undefined ? '' : `${declaration.schemaOf}.`
  return [...new Set([...mappedKeys(definition), ...schemas.map((key) => within + key)])]
}

/** `values` and `map` are objects whose keys are the output's. */
const mappedKeys = (node: Node): string[] => ['values', 'map'].flatMap((key) => keysAt(configOf(node), key))

function keysAt(value: Json, key: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  const inner = Object.hasOwn(value, key) ? value[key] : undefined
  return typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.keys(inner) : []
}
