import { Fault } from '@sluice/schema'
import { parse } from 'qs'
import type { z } from 'zod'
import { coerce, fieldsOf, unwrap } from './coerce.ts'
import { inertKeys } from './json.ts'
import { addressFault, maxPairs, type QueryValues } from './query.ts'

/** A value of a query whose keys have levels: `a=x`, `a[]=x`, and `a[b]=x` or `a[b][]=x`. */
export type NestedValue = string | string[] | { readonly [key: string]: string | string[] }

const options = { allowDots: true, depth: 2, strictDepth: true, arrayLimit: maxPairs, throwOnLimitExceeded: true, plainObjects: true } as const

/**
 * Reads the keys of a query as levels: `a[]=x&a[]=y` and `a[0]=x&a[1]=y` as a list, `a[b]=x` and `a.b=x` as an object. What
 * was decoded strictly is not decoded again. A key one of whose levels JavaScript code trips over is dropped. Throws a Fault
 * `input_invalid` for what goes deeper than two levels, where a place in a list is none, and for longer lists than a query has values.
 */
export function nestedQuery(values: QueryValues): Map<string, NestedValue> {
  const said = new Map<string, string | string[]>()
  for (const [key, texts] of values) if (!key.split(/[[\].]/).some((level) => inertKeys.has(level))) said.set(key, texts.length === 1 ? texts[0]! : texts)
  return new Map(Object.entries(levelsOf(Object.fromEntries(said))).map(([key, value]) => [key, within(value)]))
}

function levelsOf(said: Record<string, string | string[]>): Record<string, unknown> {
  try {
    // It takes what is decoded already, although its types know of texts and of its own values alone.
    return parse(said as Record<string, string>, options)
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep()
    throw error
  }
}

const tooDeep = (): Fault => addressFault('goes deeper than two levels, or has a list that is too long', 'query')

function within(value: unknown): NestedValue {
  if (isValue(value)) return value
  if (Array.isArray(value) || typeof value !== 'object' || value === null) throw tooDeep()
  return Object.fromEntries(
    Object.entries(value).map(([key, each]: [string, unknown]) => {
      if (!isValue(each)) throw tooDeep()
      return [key, each]
    }),
  )
}

const isValue = (value: unknown): value is string | string[] => typeof value === 'string' || (Array.isArray(value) && value.every((each) => typeof each === 'string'))

/** The values as the schema wants them. What cannot be read so, and what no field is named after, is left to the schema to refuse. */
export function coerceNested(schema: z.core.$ZodType, values: ReadonlyMap<string, NestedValue>): Record<string, unknown> {
  const fields = fieldsOf(schema) ?? {}
  return Object.fromEntries([...values].map(([key, value]) => [key, coerceLevel(Object.hasOwn(fields, key) ? fields[key] : undefined, value)]))
}

function coerceLevel(schema: z.core.$ZodType | undefined, value: NestedValue): unknown {
  if (typeof value === 'string') return coerce(schema, [value])
  if (Array.isArray(value)) {
    const list = branch(schema, 'array')
    return list ? coerce(list, value) : value
  }
  const object = branch(schema, 'object')
  if (object) return coerceNested(object, new Map(Object.entries(value)))
  const record = branch(schema, 'record')
  const { valueType } = record ? (record._zod.def as z.core.$ZodRecordDef) : {}
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, valueType ? coerceLevel(valueType, each) : each]))
}

/** The schema, or the branch of it, that is of this type. */
function branch(schema: z.core.$ZodType | undefined, type: 'array' | 'object' | 'record'): z.core.$ZodType | undefined {
  const inner = unwrap(schema)
  if (inner?._zod.def.type === type) return inner
  if (inner?._zod.def.type !== 'union') return undefined
  for (const option of (inner._zod.def as z.core.$ZodUnionDef).options) {
    const found = branch(option, type)
    if (found) return found
  }
  return undefined
}
