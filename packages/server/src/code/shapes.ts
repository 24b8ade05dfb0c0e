import type { JsonObject } from '@sluice/schema'
import { z } from 'zod'
import { DefinitionError } from './errors.ts'

/** What values look like: a zod schema, or a type alone, with a JSON Schema or without. */

declare const shaped: unique symbol

export interface Typed<out T> {
  readonly [shaped]?: T
  readonly schema: JsonObject | null
}

/** As JSON comes: what a zod schema takes, not what it makes of it. */
export type Shape<T> = z.ZodType<unknown, T> | Typed<T>

/** Says the type of a value where nothing else does: `output: type<Shipment>()`. With a JSON Schema the value is held against that. */
export const type = <T>(schema: JsonObject | null = null): Typed<T> => ({ schema })

/** The JSON Schema that a value is held against; null: anything. `what` it is of is told when it is no shape. */
export function schemaOf(shape: Shape<unknown>, what: string, workflow: string): JsonObject | null {
  if (!('_zod' in shape)) {
    if ('schema' in shape) return shape.schema
    throw new DefinitionError(`The ${what} of workflow ${workflow} is described by something else than a schema of zod 4 or type<…>()`, workflow)
  }
  const { $schema: _draft, ...schema } = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' }) as JsonObject
  return withoutPatterns(schema) as JsonObject
}

/** Regular expressions of strangers are not run by the server, wherever a definition comes from: a schema with one is refused. */
function withoutPatterns(schema: unknown, isSchema = true): unknown {
  if (Array.isArray(schema)) return schema.map((each) => withoutPatterns(each))
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).filter(([key, value]) => !isSchema || !(key === 'patternProperties' || (key === 'pattern' && typeof value === 'string')))
  return Object.fromEntries(entries.map(([key, value]) => [key, isSchema && dataKeys.has(key) ? value : withoutPatterns(value, !(isSchema && mapKeys.has(key)))]))
}

const dataKeys = new Set(['const', 'enum', 'default', 'examples', 'required'])
const mapKeys = new Set(['properties', '$defs', 'definitions'])
