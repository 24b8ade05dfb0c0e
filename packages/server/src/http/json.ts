import { Fault, limits, type Json } from '@sluice/schema'
import { firstFault } from './json-fault.ts'

export interface JsonBounds {
  bytes: number
  depth: number
  keys: number
}

export const jsonBounds: JsonBounds = { bytes: limits.bodyBytes, depth: limits.jsonDepth, keys: limits.jsonKeys }

/** What was read, and a text that says just that: the one that came, unless keys were dropped from it. */
export interface ReadJson {
  value: Json
  text: string
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads JSON that a stranger wrote. Bytes, depth and keys are bounded before anything is built; bad UTF-8, NUL, lone
 * surrogates and numbers beyond a double are refused, because PostgreSQL cannot keep them or JSON cannot say them again.
 * Keys that JavaScript code trips over are dropped. Throws `json_malformed`, `input_invalid` or `body_too_large`.
 */
export function readJson(bytes: Uint8Array, bounds: JsonBounds = jsonBounds): ReadJson {
  if (bytes.byteLength > bounds.bytes) throw new Fault('body_too_large', { details: { maxBytes: bounds.bytes } })
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw malformed('The body is not UTF-8')
  }
  return readJsonText(text, bounds)
}

/** The same for a text that was decoded already, as a query value or a WebSocket message. */
export function readJsonText(text: string, bounds: JsonBounds = jsonBounds): ReadJson {
  measure(text, bounds)
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    // The parser's message quotes the body.
    throw malformed(undefined, firstFault(text))
  }
  const dropped = clean(value)
  return { value, text: dropped ? JSON.stringify(value) : text }
}

const malformed = (message?: string, offset?: number) =>
  new Fault('json_malformed', { ...(message !== undefined && { message }), ...(offset !== undefined && { details: { offset } }) })

const quote = 34
const backslash = 92
const colon = 58

/** One pass over the text: how deep it nests and how many keys it has, before the parser builds any of it. */
function measure(text: string, bounds: JsonBounds): void {
  let depth = 0
  let keys = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) at = endOfString(text, at)
    // { is 123, [ is 91; } and ] stand two further.
    else if (code === 123 || code === 91) {
      if (++depth > bounds.depth) throw new Fault('input_invalid', { message: `The body nests deeper than ${bounds.depth} levels` })
    } else if (code === 125 || code === 93) depth--
    else if (code === colon && ++keys > bounds.keys) throw new Fault('input_invalid', { message: `The body has more than ${bounds.keys} keys` })
  }
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) return at
    if (code === backslash) at++
  }
  return text.length
}

/** Keys under which code finds a prototype where it expects data. */
export const inertKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** Drops inert keys in place and refuses what cannot be kept. Recursion is bounded: the depth was measured. */
function clean(value: Json): boolean {
  if (typeof value === 'string') checkText(value)
  else if (typeof value === 'number' && !Number.isFinite(value)) throw malformed('The body has a number that is too large')
  if (typeof value !== 'object' || value === null) return false
  let dropped = false
  if (Array.isArray(value)) for (const item of value) dropped = clean(item) || dropped
  else
    for (const key of Object.keys(value)) {
      if (inertKeys.has(key)) {
        delete value[key]
        dropped = true
        continue
      }
      checkText(key)
      dropped = clean(value[key]!) || dropped
    }
  return dropped
}

/** Throws unless PostgreSQL can keep the text and UTF-8 can say it. */
export function checkText(text: string): void {
  const flaw = flawOf(text)
  if (flaw !== null) throw malformed(`A text has ${flaw}`)
}

/** What keeps a text from being kept, or said; null: nothing. */
export function flawOf(text: string): string | null {
  if (text.includes('\0')) return 'a NUL character'
  return text.isWellFormed() ? null : 'half of a surrogate pair'
}
