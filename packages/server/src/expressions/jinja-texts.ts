import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { characters, joined, numberIn } from './jinja-values.ts'

/** What Python's strings do, which both filters and methods ask for. Who calls has charged the texts themselves. */

export const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()

/** Each run of letters begins with a capital. */
export const titled = (text: string): string => text.replace(/\p{L}+/gu, capitalized)

/** Python's split(): at a separator, or at white space, at most so often. */
export function split(budget: Budget, text: string, separator: string | null, most: number): string[] {
  const parts = separator === null ? text.trim().split(/\s+/) : text.split(separator)
  if (separator === '') throw new ExpressionError('A text cannot be split at nothing')
  budget.spend(parts.length)
  if (separator === null && parts[0] === '') return []
  if (most < 0 || parts.length <= most + 1) return parts
  if (separator !== null) return [...parts.slice(0, most), parts.slice(most).join(separator)]
  let rest = text.trimStart()
  for (const part of parts.slice(0, most)) rest = rest.slice(part.length).trimStart()
  return [...parts.slice(0, most), rest]
}

/** Charged before it is made. */
export function replaced(budget: Budget, text: string, found: string, put: string, most: number): string {
  const parts = found === '' ? ['', ...Array.from(text), ''] : text.split(found)
  const times = most < 0 ? parts.length - 1 : Math.min(most, parts.length - 1)
  budget.spend(parts.length + times * put.length)
  return (
    parts.slice(0, times + 1).join(put) +
    parts
      .slice(times + 1)
      .map((part) => found + part)
      .join('')
  )
}

export function stripped(text: string, chars: string | null, sides: 'left' | 'right' | 'both'): string {
  if (chars === null) return sides === 'left' ? text.trimStart() : sides === 'right' ? text.trimEnd() : text.trim()
  const [set, all] = [new Set(Array.from(chars)), Array.from(text)]
  let [from, to] = [0, all.length]
  if (sides !== 'right') while (from < to && set.has(all[from]!)) from++
  if (sides !== 'left') while (to > from && set.has(all[to - 1]!)) to--
  return all.slice(from, to).join('')
}

/** Lines without their ends; a last one that is empty is none. */
export const lines = (text: string): string[] =>
  text
    .replace(/(?:\r\n|[\n\r])$/, '')
    .split(/\r\n|[\n\r]/)
    .slice(text === '' ? 1 : 0)

/** The first so many characters. */
export const firstOf = (text: string, count: number): string => joined(characters(text).slice(0, count))

/** An argument that must be a whole number. */
export function whole(value: unknown, name: string): number {
  const number = numberIn(value)
  if (number === undefined || !Number.isInteger(number)) throw new ExpressionError(`${name} must be a whole number`)
  return number
}
