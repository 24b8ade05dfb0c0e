import type { Json, JsonObject } from '@sluice/schema'

/**
 * Of a JSON Schema the part that a type can say, and nothing else: what a schema compiler would take for more than data
 * (`tsType`, `extends`, `$id`, files and addresses in `$ref`) never reaches it, and texts cannot end the comment they
 * become. Throws `SchemaRefused` for a `$ref` out of the schema.
 */
export function typedSchema(schema: JsonObject): JsonObject {
  return ofObject(schema)
}

/** Its message says why there is no type. */
export class SchemaRefused extends Error {}

/** A schema that says nothing of its values. */
export const saysNothing = (schema: JsonObject): boolean => Object.keys(schema).every((key) => key === 'description' || key === '$defs')

/** With `Json` where nothing is said of a value: what comes out of a run is that in any case. Of a typed schema. */
export function withJson(schema: Json): Json {
  if (schema === true || (isObject(schema) && saysNothing(schema))) return { ...(isObject(schema) && schema), tsType: 'Json' }
  if (!isObject(schema)) return schema
  const inner = (value: Json | undefined): Json | undefined =>
    Array.isArray(value) ? value.map(withJson) : isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withJson(each)])) : value
  const { properties, $defs, definitions, items, anyOf, oneOf, ...rest } = schema
  const changed = {
    properties: inner(properties),
    $defs: inner($defs),
    definitions: inner(definitions),
    items: Array.isArray(items) ? inner(items) : items === undefined ? (schema['type'] === 'array' ? withJson(true) : undefined) : withJson(items),
    anyOf: inner(anyOf),
    oneOf: inner(oneOf),
  }
  return { ...rest, ...Object.fromEntries(Object.entries(changed).filter((entry): entry is [string, Json] => entry[1] !== undefined)) }
}

const longestText = 2_000

/** What each keyword may hold; what is not listed says nothing that a type can. */
const keywords: Record<string, (value: Json) => Json | undefined> = {
  type: (value) => (typeof value === 'string' ? typeOf(value) : Array.isArray(value) ? list(value, (each) => (typeof each === 'string' ? typeOf(each) : undefined)) : undefined),
  enum: (value) => (Array.isArray(value) && value.length > 0 ? value : undefined),
  const: (value) => value,
  properties: (value) => each(value, schemaOf),
  required: (value) => (Array.isArray(value) ? list(value, (name) => (typeof name === 'string' ? name : undefined)) : undefined),
  items: (value) => (Array.isArray(value) ? list(value, schemaOf) : schemaOf(value)),
  prefixItems: (value) => (Array.isArray(value) ? list(value, schemaOf) : undefined),
  anyOf: (value) => choices(value),
  oneOf: (value) => choices(value),
  allOf: (value) => choices(value),
  additionalProperties: schemaOf,
  additionalItems: schemaOf,
  nullable: (value) => (value === true ? true : undefined),
  deprecated: (value) => (value === true ? true : undefined),
  $ref: within,
  $defs: (value) => each(value, schemaOf),
  definitions: (value) => each(value, schemaOf),
}

const types = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'])
const typeOf = (name: string): string | undefined => (types.has(name) ? name : undefined)

function schemaOf(value: Json): Json | undefined {
  if (typeof value === 'boolean') return value
  return isObject(value) ? ofObject(value) : undefined
}

function ofObject(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema).flatMap(([key, value]): [string, Json][] => {
    const kept = Object.hasOwn(keywords, key) ? keywords[key]!(value) : undefined
    return kept === undefined ? [] : [[key, kept]]
  })
  const description = describe(schema['title'], schema['description'])
  return shaped({ ...Object.fromEntries(entries), ...(description !== '' && { description }) })
}

/** What the schema compiler would read otherwise than a validator does. */
function shaped({ prefixItems, ...schema }: JsonObject): JsonObject {
  if (Array.isArray(prefixItems)) {
    const { items: rest = true, ...around } = schema
    return { ...around, items: prefixItems, ...(rest !== false && !Array.isArray(rest) && { additionalItems: rest }) }
  }
  const isOfObjects = schema['properties'] !== undefined || schema['type'] === 'object'
  if (!isOfObjects) return schema
  const named = Object.keys((schema['properties'] as JsonObject | undefined) ?? {}).length > 0
  const others = schema['additionalProperties'] ?? !named
  // Beside named properties an index signature of another type would contradict them.
  return { type: 'object', ...schema, additionalProperties: named && isObject(others) ? true : others }
}

function within(ref: Json): string {
  if (typeof ref === 'string' && /^#(\/|$)/.test(ref)) return ref
  throw new SchemaRefused(`it refers to ${JSON.stringify(ref)?.slice(0, 100)}, and only references within a schema are followed`)
}

/** As the lines of a comment. */
function describe(...texts: (Json | undefined)[]): string {
  const lines = texts.filter((text): text is string => typeof text === 'string' && text.trim() !== '')
  return [...new Set(lines)]
    .join('\n')
    .slice(0, longestText)
    .replaceAll(/\r\n?|[\u2028\u2029\u0085]/g, '\n')
    .replaceAll(/[^\P{C}\n]/gu, ' ')
    .replaceAll('*/', '* /')
    .trim()
}

const choices = (value: Json): Json | undefined => (Array.isArray(value) && value.length > 0 ? list(value, schemaOf) : undefined)
const list = (values: Json[], one: (value: Json) => Json | undefined): Json[] => values.map(one).filter((value) => value !== undefined)

function each(value: Json, one: (value: Json) => Json | undefined): JsonObject | undefined {
  if (!isObject(value)) return undefined
  return Object.fromEntries(Object.entries(value).flatMap(([key, inner]): [string, Json][] => [[key, one(inner) ?? true]]))
}

export const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
