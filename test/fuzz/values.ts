import type { Json, JsonObject } from '@sluice/schema'
import type { Random } from './random.ts'

/** What a value at a place is to be; undefined: nothing is known of it, and its schema decides. */
export type Bind = (name: string, random: Random) => Json | undefined

interface Schema {
  $ref?: string
  type?: string | string[]
  const?: Json
  enum?: Json[]
  anyOf?: JsonObject[]
  oneOf?: JsonObject[]
  allOf?: JsonObject[]
  properties?: Record<string, JsonObject>
  required?: string[]
  additionalProperties?: boolean | JsonObject
  propertyNames?: JsonObject
  items?: JsonObject
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  pattern?: string
  format?: string
}

/** Makes values as a schema says, with those that have a meaning bound to what is there. */
export interface Maker {
  value(schema: JsonObject, name: string, depth?: number): Json
  /** A value that is right, with what has a meaning in it bound anew. */
  rebound(value: Json, name?: string): Json
}

const deepest = 5

export function createMaker(components: Record<string, JsonObject>, random: Random, bind: Bind): Maker {
  const resolve = (schema: JsonObject): Schema => {
    const { $ref }: Schema = schema
    return $ref === undefined ? schema : resolve(components[$ref.split('/').at(-1)!] ?? {})
  }

  function object({ properties = {}, required = [], additionalProperties, propertyNames }: Schema, depth: number): JsonObject {
    const made: JsonObject = {}
    for (const [key, property] of Object.entries(properties))
      if (required.includes(key) || random.chance(depth === 0 ? 0.3 : 0.15)) {
        if (!required.includes(key) && unlikely.test(key)) continue
        made[key] = value(property, key, depth + 1)
      }
    if (typeof additionalProperties === 'object' && Object.keys(properties).length === 0 && depth < deepest)
      for (let left = random.whole(3); left > 0; left--) {
        const key = propertyNames ? value(propertyNames, 'key', deepest) : `key${random.whole(9)}`
        made[textOf(key)] = value(additionalProperties, 'value', depth + 1)
      }
    return made
  }

  function value(given: JsonObject, name: string, depth = 0): Json {
    const bound = bind(name, random)
    if (bound !== undefined && random.chance(0.95)) return bound
    const schema = resolve(given)
    if (schema.const !== undefined) return schema.const
    if (schema.enum) return random.pick(schema.enum)
    const among = schema.anyOf ?? schema.oneOf
    if (among) return value(depth >= deepest ? among.at(-1)! : random.pick(among), name, depth)
    if (schema.allOf) return Object.assign({}, ...schema.allOf.map((each) => value(each, name, depth))) as JsonObject
    const type = Array.isArray(schema.type) ? random.pick(schema.type) : schema.type
    if (type === 'object' || (type === undefined && schema.properties)) return object(schema, depth)
    if (type === 'array') {
      const most = Math.min(schema.maxItems ?? 3, (schema.minItems ?? 0) + 2)
      const length = depth >= deepest ? (schema.minItems ?? 0) : Math.max(schema.minItems ?? 0, random.whole(most + 1))
      return Array.from({ length }, () => value(schema.items ?? {}, name.replace(/s$/, ''), depth + 1))
    }
    if (type === 'boolean') return random.chance(0.5)
    if (type === 'null') return null
    if (type === 'integer' || type === 'number') return number(schema, type === 'integer')
    if (type === 'string') return text(schema)
    return random.pick<Json>(['text', 7, true, null, { a: 1 }, ['x']])
  }

  function number({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema, isWhole: boolean): number {
    const least = Math.max(minimum ?? -5, exclusiveMinimum === undefined ? -Infinity : exclusiveMinimum + 1)
    const most = Math.min(maximum ?? least + 50, exclusiveMaximum === undefined ? Infinity : exclusiveMaximum - 1, least + 50)
    const drawn = least + random.next() * (most - least)
    return isWhole ? Math.floor(drawn) : drawn
  }

  function text({ format, pattern, minLength = 0, maxLength = 40 }: Schema): string {
    if (format === 'date-time') return random.pick(['2026-03-26T12:00:00.000Z', '2024-02-29T23:59:59.999Z'])
    if (pattern !== undefined && format === undefined) return textLike(pattern, minLength)
    const words = random.pick(['a plain text', 'Grüße', 'x', 'two\nlines', '日本語', '{{ input.text }}', 'a "quoted" one', '🦆'])
    const long = words.length < minLength ? words.padEnd(minLength, 'x') : words
    return long.length > maxLength ? 'x'.repeat(Math.max(minLength, Math.min(maxLength, 3))) : long
  }

  const textLike = (pattern: string, minLength: number): string => {
    const like = new RegExp(pattern)
    const samples = [
      'abc',
      'abc-1',
      'a1',
      '000000000000000',
      'ABC',
      '#00ff7f',
      '2026-03-26T12:00:00Z',
      '2026-03-26T12:00:00',
      '2026-03-26T12:00:00.000000Z',
      '2026-03-26T12:00:00.000Z',
      '2026-03-26',
      '2026-03-26T12:00:00+00:00',
      '1',
    ]
    const fits = samples.filter((each) => like.test(each) && each.length >= minLength)
    return fits.length > 0 ? random.pick(fits) : 'abc'.padEnd(minLength, 'x')
  }

  function rebound(given: Json, name = ''): Json {
    const bound = name === '' ? undefined : bind(name, random)
    if (bound !== undefined) return bound
    if (typeof given === 'string') return given.replaceAll(/https?:\/\/[\w.-]+(:\d+)?/g, nowhere)
    if (Array.isArray(given)) return given.map((each) => rebound(each, name.replace(/s$/, '')))
    if (given === null || typeof given !== 'object') return given
    return Object.fromEntries(Object.entries(given).map(([key, each]) => [key, rebound(each, key)]))
  }

  return { value, rebound }
}

/** What is right in one place alone: the version that was read, where a page had ended. */
const unlikely = /^(cursor|revision|ifUpdated|where|filter|idempotencyKey|idempotency-key|last-event-id|schema)$/i

/** The only address that values name: one that no step may call. */
export const nowhere = 'http://127.0.0.1:9'

export const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))
