import { Fault } from '@sluice/schema'
import { flawOf, inertKeys } from './json.ts'

/** The values of a query or a form by key, in the order they came. */
export type QueryValues = ReadonlyMap<string, string[]>

export const maxPairs = 1_000

/**
 * Reads `a=1&b=2&b=3`. Decoding is strict: a broken escape or bad UTF-8 is a fault, not a replacement character. Keys that
 * JavaScript code trips over are dropped.
 */
export function readQuery(text: string): QueryValues {
  const values = new Map<string, string[]>()
  if (text === '') return values
  const pairs = text.split('&', maxPairs + 1)
  if (pairs.length > maxPairs) throw new Fault('input_invalid', { message: `The query has more than ${maxPairs} values` })
  for (const pair of pairs) {
    if (pair === '') continue
    const cut = pair.indexOf('=')
    const key = decode(cut < 0 ? pair : pair.slice(0, cut))
    const value = cut < 0 ? '' : decode(pair.slice(cut + 1))
    if (inertKeys.has(key)) continue
    const seen = values.get(key)
    if (seen) seen.push(value)
    else values.set(key, [value])
  }
  return values
}

const decode = (text: string): string => decoded(text.replaceAll('+', ' '), 'query')

/** A part of a path between two slashes. Throws `input_invalid`. */
export const decodeSegment = (text: string): string => decoded(text, 'path')

/** Which part of an address does not fit, a dialect may have to say. */
type Place = 'query' | 'path'

function decoded(text: string, place: Place): string {
  try {
    return checkPlain(decodeURIComponent(text), place)
  } catch (error) {
    if (error instanceof Fault) throw error
    throw addressFault('is not percent-encoded UTF-8', place)
  }
}

/** The text, once decoded. Throws `input_invalid` unless it can be kept, and said. */
export function checkPlain(text: string, place: Place): string {
  const flaw = flawOf(text)
  if (flaw !== null) throw addressFault(`has ${flaw}`, place)
  return text
}

export const addressFault = (words: string, place: Place): Fault =>
  new Fault('input_invalid', { message: `The ${place === 'path' ? 'address' : 'query'} ${words}`, details: { in: place } })

/** What stands behind the question mark of a request target. */
export function queryOf(target: string): QueryValues {
  const cut = target.indexOf('?')
  return readQuery(cut < 0 ? '' : target.slice(cut + 1))
}

/** What stands before it. */
export const pathOf = (target: string): string => target.split('?', 1)[0]!
