import type { Json, JsonObject, NodeType } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import type { AnyNode, Reading } from './contract.ts'
import { isJsonObject } from './values.ts'

/** What a node type says of itself: the JSON Schema of its config as it is written, each place that holds text marked by how it is read. */
export function describe(node: AnyNode): NodeType {
  const { schema, definitions } = Schema.toJsonSchemaDocument(node.config, { onExcessProperty: 'error' })
  const config = { ...(schema as JsonObject), ...(Object.keys(definitions).length > 0 && { $defs: definitions as JsonObject }) }
  for (const [path, reading] of Object.entries(node.readings ?? {})) mark(config, path.split('.'), reading)
  markTemplates(config)
  return {
    type: node.type,
    title: node.title,
    description: node.description,
    category: node.category,
    config,
    handles: { fixed: [...(node.handles?.fixed ?? [])], fromConfig: node.handles?.fromConfig ?? null },
    body: node.behaviour.is === 'map' || node.behaviour.is === 'loop',
  }
}

const annotation = 'x-reading'

/** `**` marks the place itself: it stands for everything below. A place that says its own reading keeps it. */
function mark(schema: JsonObject, path: string[], reading: Reading): void {
  const [segment, ...rest] = path
  if (segment === undefined || segment === '**') {
    if (segment === undefined || !(annotation in schema)) schema[annotation] = reading
    return
  }
  const properties = schema['properties']
  const inside = segment === '*' ? [schema['items'], schema['additionalProperties']] : [properties && isJsonObject(properties) ? properties[segment] : undefined]
  for (const each of inside) if (each !== undefined && isJsonObject(each)) mark(each, rest, reading)
}

/** Everything else that may be text is a template. */
function markTemplates(schema: Json): void {
  if (!isJsonObject(schema) || annotation in schema) return
  const { type, anyOf, properties, items, additionalProperties } = schema
  const isText = (each: Json) => isJsonObject(each) && each['type'] === 'string' && !('enum' in each)
  if (isText(schema) || (Array.isArray(anyOf) && anyOf.some(isText)) || (type === undefined && anyOf === undefined)) schema[annotation] = 'template'
  if (properties && isJsonObject(properties)) for (const each of Object.values(properties)) markTemplates(each)
  for (const each of [items, additionalProperties]) if (each !== undefined) markTemplates(each)
}
