import type { Json, JsonObject, NodeTypeOption } from '@sluice/schema'
import type { AnyNode } from './contract.ts'
import { describe } from './describe.ts'
import { isJsonObject } from './values.ts'

/**
 * What a field of a config can be, given what others are: what the node type says of it itself, else the values that its schema
 * counts up; none for a field of anything else. Undefined: there is no such field.
 */
export function optionsOf(node: AnyNode, field: string, values: JsonObject): NodeTypeOption[] | undefined {
  const { config } = describe(node)
  const place = placeAt(config, config, field.split('.'))
  if (!place) return undefined
  const told = (node.alias ?? node).options?.(field, values)
  return told ?? countedUp(config, place).map((value) => ({ value, text: typeof value === 'string' ? value : JSON.stringify(value) }))
}

function placeAt(root: JsonObject, schema: JsonObject, path: readonly string[]): JsonObject | undefined {
  const [segment, ...rest] = path
  if (segment === undefined) return schema
  for (const each of alternatives(root, schema)) {
    const { properties, items, additionalProperties } = each
    const own = isObject(properties) && Object.hasOwn(properties, segment) ? properties[segment] : /^\d+$/.test(segment) && items !== undefined ? items : additionalProperties
    const found = isObject(own) ? placeAt(root, own, rest) : undefined
    if (found) return found
  }
  return undefined
}

function countedUp(root: JsonObject, schema: JsonObject): Json[] {
  return alternatives(root, schema).flatMap((each) => {
    if (Array.isArray(each['enum'])) return each['enum']
    if ('const' in each) return [each['const']!]
    return each['type'] === 'boolean' ? [true, false] : []
  })
}

const defs = '#/$defs/'

/** A schema and what it stands for, or may be. Definitions that name each other are followed so far. */
function alternatives(root: JsonObject, schema: JsonObject, depth = 8): JsonObject[] {
  const { $ref, $defs = null, ...more } = schema
  const unions = [more['anyOf'], more['oneOf'], more['allOf']].flatMap((each) => (Array.isArray(each) ? each.filter(isJsonObject) : []))
  const named = typeof $ref === 'string' && $ref.startsWith(defs) ? ownOf(schema === root ? $defs : (root['$defs'] ?? null), $ref.slice(defs.length)) : []
  return depth === 0 ? [] : [schema, ...[...unions, ...named].flatMap((each) => alternatives(root, each, depth - 1))]
}

const ownOf = (object: Json, key: string): JsonObject[] => {
  const value = isJsonObject(object) && Object.hasOwn(object, key) ? object[key] : undefined
  return isObject(value) ? [value] : []
}

const isObject = (value: Json | undefined): value is JsonObject => value !== undefined && isJsonObject(value)
