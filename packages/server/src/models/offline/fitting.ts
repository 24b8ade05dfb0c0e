import type { Json, JsonObject } from '@sluice/schema'
import { booleanOf, datesIn, emailsIn, numbersIn, urlsIn, uuidsIn } from './values.ts'
import { wordsOfName } from './words.ts'

/** What a JSON Schema lets a value be, as far as the rules look. PURE. */

/** What has a form by which it is found in any text. */
const finders = new Map<string, (text: string) => string[]>([
  ['date', (text) => datesIn(text).map(({ date }) => date)],
  ['date-time', (text) => datesIn(text).map(({ date, time }) => time ?? `${date}T00:00:00Z`)],
  ['email', emailsIn],
  ['uri', urlsIn],
  ['url', urlsIn],
  ['uuid', uuidsIn],
])

export const finderOf = ({ format }: JsonObject): ((text: string) => string[]) | undefined => (typeof format === 'string' ? finders.get(format) : undefined)

export const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** Whether a text has the words of a value, one after another; the text is read once for many values. */
export function mentioning(text: string): (value: string) => boolean {
  const all = wordsOfName(text)
  const there = new Set(all)
  const said = ` ${all.join(' ')} `
  return (value) => {
    const wanted = wordsOfName(value)
    // Most are not there at all: for those the text is not gone through again.
    return wanted.length > 0 && wanted.every((word) => there.has(word)) && said.includes(` ${wanted.join(' ')} `)
  }
}

/** A labelled value as the schema wants it; undefined when it cannot be that. */
export function coerced(value: Json, schema: JsonObject): Json | undefined {
  if (schema['type'] === 'number' || schema['type'] === 'integer') {
    const number = typeof value === 'number' ? value : typeof value === 'string' ? numbersIn(value)[0] : undefined
    return number !== undefined && allows(schema, number) ? number : undefined
  }
  if (schema['type'] === 'boolean') return typeof value === 'boolean' ? value : typeof value === 'string' ? (booleanOf(value) ?? undefined) : undefined
  if (Array.isArray(schema['enum'])) {
    const isSaid = typeof value === 'string' ? mentioning(value) : null
    return schema['enum'].find((each) => each === value || (typeof each === 'string' && isSaid?.(each)))
  }
  const find = finderOf(schema)
  if (find) return find(textOf(value))[0]
  if (typeof value === 'object') return schema['type'] === undefined ? value : undefined
  const text = textOf(value).trim()
  return allowsText(schema, text) ? text : undefined
}

export function allows({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }: JsonObject, value: number): boolean {
  if (type === 'integer' && !Number.isInteger(value)) return false
  if (typeof multipleOf === 'number' && !Number.isInteger(value / multipleOf)) return false
  const bound = (limit: Json | undefined, holds: (limit: number) => boolean): boolean => typeof limit !== 'number' || holds(limit)
  return (
    bound(minimum, (least) => value >= least) &&
    bound(maximum, (most) => value <= most) &&
    bound(exclusiveMinimum, (above) => value > above) &&
    bound(exclusiveMaximum, (below) => value < below)
  )
}

export const allowsText = ({ minLength, maxLength }: JsonObject, text: string): boolean =>
  (typeof minLength !== 'number' || text.length >= minLength) && (typeof maxLength !== 'number' || text.length <= maxLength)

export const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A schema with its reference followed. */
export function resolved({ schema, root }: { schema: JsonObject; root: JsonObject }): JsonObject {
  const [, kind, name] = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(typeof schema['$ref'] === 'string' ? schema['$ref'] : '') ?? []
  const definitions = kind === undefined ? undefined : root[kind]
  const target = isObject(definitions) && name !== undefined ? definitions[decodeURIComponent(name)] : undefined
  return isObject(target) ? { ...schema, ...target } : schema
}
