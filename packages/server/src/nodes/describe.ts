import type { Json, JsonObject, NodeType } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import type { AnyNode, Reading, Readings } from './contract.ts'
import { isJsonObject } from './values.ts'

/**
 * What a node type says of itself: the JSON Schema of its config as it is written, each place that holds text marked by how it is
 * read. That of an alias is its own, in which keys may stand that it does not know.
 */
export function describe(node: AnyNode): NodeType {
  const { alias } = node
  const config = alias ? described(alias.config, 'ignore', alias.reads, 'raw') : described(node.config, 'error', node.readings, 'template')
  return {
    type: node.type,
    title: node.title,
    description: node.description,
    category: node.category,
    config,
    handles: { fixed: [...(node.handles?.fixed ?? [])], fromConfig: alias ? null : (node.handles?.fromConfig ?? null) },
    body: node.behaviour.is === 'map' || node.behaviour.is === 'loop',
    alias: alias ? { dialect: alias.dialect, of: alias.of } : null,
  }
}

function described(codec: AnyNode['config'], onExcessProperty: 'error' | 'ignore', readings: Readings = {}, others: Reading): JsonObject {
  const { schema, definitions } = Schema.toJsonSchemaDocument(codec, { onExcessProperty })
  const config = { ...(schema as JsonObject), ...(Object.keys(definitions).length > 0 && { $defs: definitions as JsonObject }) }
  for (const [path, reading] of Object.entries(readings)) mark(config, path.split('.'), reading)
  markOthers(config, others)
  return config
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

/** Everything else that may be text is read in this way. */
function markOthers(schema: Json, reading: Reading): void {
  if (!isJsonObject(schema) || annotation in schema) return
  const { type, anyOf, properties, items, additionalProperties } = schema
  const isText = (each: Json) => isJsonObject(each) && each['type'] === 'string' && !('enum' in each)
  if (isText(schema) || (Array.isArray(anyOf) && anyOf.some(isText)) || (type === undefined && anyOf === undefined)) schema[annotation] = reading
  if (properties && isJsonObject(properties)) for (const each of Object.values(properties)) markOthers(each, reading)
  for (const each of [items, additionalProperties]) if (each !== undefined) markOthers(each, reading)
}
