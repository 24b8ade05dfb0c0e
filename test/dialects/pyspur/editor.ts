import type { JsonObject } from '@sluice/schema'

/**
 * What the editor of PySpur's front end saves, key by key: nulls where it knows nothing, the title of a node once more in its
 * config, the schema of its outputs twice. The shapes are PySpur's, the workflows are ours.
 */

export interface Drawn {
  nodes: JsonObject[]
  links: JsonObject[]
  test_inputs?: JsonObject[]
  spur_type?: 'workflow' | 'chatbot' | 'agent'
}

/** The text of a schema of these fields, written as the editor does. */
export const schemaText = (fields: JsonObject): string =>
  JSON.stringify({ type: 'object', properties: Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, { type }])), required: Object.keys(fields) })

/** A node at its place on the canvas; `fields` are its outputs. */
export function drawn(
  id: string,
  node_type: string,
  config: JsonObject = {},
  { title = id, fields = { output: 'string' }, ...more }: { title?: string; fields?: JsonObject } & JsonObject = {},
): JsonObject {
  const x = 120.5 + 310 * (id.length % 7)
  const common = { title, type: 'object', output_schema: fields, output_json_schema: schemaText(fields), has_fixed_output: false }
  return { id, title, parent_id: null, node_type, config: { ...common, ...config }, coordinates: { x, y: 64 }, dimensions: { width: 428, height: 261 }, subworkflow: null, ...more }
}

/** The first node of every workflow, as the server makes it and the editor sends it back. */
export const begins = (fields: JsonObject): JsonObject => ({
  ...drawn('input_node', 'InputNode'),
  config: { output_schema: fields, output_json_schema: schemaText(fields), has_fixed_output: false, enforce_schema: false },
  dimensions: null,
})

export const ends = (output_map: JsonObject, more: JsonObject = {}): JsonObject =>
  drawn('OutputNode_1', 'OutputNode', { output_map }, { fields: Object.fromEntries(Object.keys(output_map).map((key) => [key, 'string'])), ...more })

export const asks = (id: string, message: string, more: JsonObject = {}): JsonObject =>
  drawn(id, 'HumanInterventionNode', { has_fixed_output: true, message, block_only_dependent_nodes: true, ...more })

/** A link of the canvas; of a router's, the route it leaves by, which the editor says at both ends. */
export const link = (source_id: string, target_id: string, route: string | null = null): JsonObject => ({
  source_id,
  target_id,
  source_handle: route,
  target_handle: route && `${source_id}.${route}`,
})

export const definitionOf = ({ nodes, links, test_inputs = [], spur_type = 'workflow' }: Drawn): JsonObject => ({ nodes, links, test_inputs, spur_type })
