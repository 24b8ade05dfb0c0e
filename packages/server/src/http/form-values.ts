import { Fault, type Json, type JsonObject } from '@sluice/schema'
import { inertKeys, type JsonBounds, jsonBounds, readJsonText } from './json.ts'

/** A text of a form by how it looks: `true` and `false`, and a number that says itself as short as it can be, `-2.5` and not `2.50`. */
function valueOfText(text: string): Json {
  if (text === 'true' || text === 'false') return text === 'true'
  return isNumber(text) ? Number(text) + 0 : text
}

const decimal = /^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/
/** So many digits are read and said again without a loss. */
const safeDigits = 15

function isNumber(text: string): boolean {
  if (!decimal.test(text) || !Number.isFinite(Number(text))) return false
  const digits = text.replace(/[-.]/g, '').replace(/^0+/, '')
  const significant = text.includes('.') ? digits : digits.replace(/0+$/, '')
  return significant.length <= safeDigits || String(Number(text)) === text
}

/** Under this name stands JSON, which is taken as it is. */
const jsonName = '@jsonPayload'

/**
 * The fields of a form as one object: a name that comes twice has a list; and over them, in their order, the keys of what stands as
 * JSON. Throws `json_malformed`, `input_invalid` unless that is an object, and within `bounds`.
 */
export function valuesOfForm(entries: Iterable<readonly [name: string, text: string]>, bounds: JsonBounds = jsonBounds): JsonObject {
  const texts = new Map<string, Json[]>()
  const payloads: JsonObject[] = []
  for (const [name, text] of entries) {
    if (name === jsonName) payloads.push(payloadOf(text, bounds))
    else if (texts.has(name)) texts.get(name)!.push(valueOfText(text))
    else if (!inertKeys.has(name)) texts.set(name, [valueOfText(text)])
  }
  const values: JsonObject = Object.fromEntries([...texts].map(([name, each]) => [name, each.length === 1 ? each[0]! : each]))
  return payloads.reduce((all, each) => ({ ...all, ...each }), values)
}

function payloadOf(text: string, bounds: JsonBounds): JsonObject {
  const { value } = readJsonText(text, bounds)
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) throw new Fault('input_invalid', { issues: [{ path: [jsonName], message: 'expected an object' }] })
  return value
}
