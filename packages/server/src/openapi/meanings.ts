import type { Json, JsonObject } from '@sluice/schema'
import type { Document, Meanings } from './description.ts'

/** The document with a description of every schema and key that the meanings know. What describes itself keeps its words. */
export function explain(document: Document, { schemas, keys }: Meanings): Document {
  const explained = Object.entries(document.components.schemas).map(([name, schema]): [string, JsonObject] => {
    const item = /^(.+)Page$/.exec(name)?.[1]
    const meaning = schemas[name] ?? (item && schemas['{}Page']?.replace('{}', item))
    return [name, withKeys({ ...(meaning !== undefined && { description: meaning }), ...schema }, name, keys)]
  })
  return { ...document, components: { ...document.components, schemas: Object.fromEntries(explained) } }
}

/** Its keys, and those of the kinds that it is one of. */
function withKeys(schema: JsonObject, name: string, keys: Meanings['keys']): JsonObject {
  const kinds = (of: string): JsonObject => (Array.isArray(schema[of]) ? { [of]: schema[of].map((kind) => (isObject(kind) ? withKeys(kind, name, keys) : kind)) } : {})
  if (!isObject(schema['properties'])) return { ...schema, ...kinds('anyOf'), ...kinds('oneOf') }
  const properties = Object.entries(schema['properties']).map(([key, property]): [string, Json] => {
    const meaning = keys[`${name}.${key}`] ?? keys[key]
    return [key, isObject(property) && meaning !== undefined && !('$ref' in property) ? { description: meaning, ...property } : property]
  })
  return { ...schema, properties: Object.fromEntries(properties) }
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
