import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'

/**
 * Values of Jinja templates, as Python has them: JSON, and `undefined` for what is not there. It is empty wherever it is
 * read, also inside. Texts are counted in characters, not in UTF-16 units. Only own keys of objects are seen.
 */

/** A float without a fraction, made by a template (`4 / 2` is 2.0). Of JSON such a number is an int: nobody can tell. */
export class Float {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** Written and compared as a tuple, else a list. Made with `Tuple.of` and `Tuple.from`. */
export class Tuple extends Array<unknown> {
  // What is made of it is a list.
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }
}

/** What `groupby` gives of each group: a tuple whose parts have names. */
export class Group extends Tuple {}
const partsOfGroup = ['grouper', 'list']

/** What `loop` is in a loop. Depths are those of recursive loops, which there are not here. */
export class Loop {
  readonly length: number
  readonly depth = 1
  readonly depth0 = 0
  index = 0
  index0 = -1
  revindex: number
  revindex0: number
  first = true
  last = false
  previtem: unknown = undefined
  nextitem: unknown = undefined

  constructor(length: number) {
    this.length = length
    this.revindex = length + 1
    this.revindex0 = length
  }

  advance(items: readonly unknown[]): void {
    this.index0 = this.index++
    this.revindex = this.revindex0--
    this.first = this.index0 === 0
    this.last = this.index === this.length
    this.previtem = items[this.index0 - 1]
    this.nextitem = items[this.index]
  }
}

export type Dict = Readonly<Record<string, unknown>>

export const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value)
export const isDict = (value: unknown): value is Dict =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Float) && !(value instanceof Loop)

/** The number that a value counts as, True being 1. */
export const numberIn = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : value instanceof Float ? value.value : undefined

export const isFloat = (value: unknown): boolean => value instanceof Float || (typeof value === 'number' && !Number.isInteger(value))

/** A number that was made. Throws for one that is none, or too large for one. */
export function numeric(value: number, float: boolean): number | Float {
  if (!Number.isFinite(value)) throw new ExpressionError('The result is no number, or one that is too large')
  if (!Number.isInteger(value)) return value
  return float ? new Float(value) : value || 0
}

export function kindOf(value: unknown): string {
  if (value === undefined) return 'undefined'
  if (value === null) return 'None'
  if (typeof value === 'string') return 'str'
  if (typeof value === 'boolean') return 'bool'
  if (isFloat(value)) return 'float'
  if (typeof value === 'number') return 'int'
  if (value instanceof Loop) return 'loop'
  return value instanceof Tuple ? 'tuple' : isList(value) ? 'list' : 'dict'
}

/** Charged: the keys of an object are gone through. */
export function truth(budget: Budget, value: unknown): boolean {
  if (value instanceof Float) return value.value !== 0
  if (isList(value)) return value.length > 0
  return isDict(value) ? keysOf(budget, value).length > 0 : Boolean(value)
}

export function keysOf(budget: Budget, value: Dict): readonly string[] {
  const keys = Object.keys(value)
  budget.tick(keys.length / 8 + 1)
  return keys
}

/** What stands under a key of an object, or at a place of a list or text; undefined where nothing does. */
export function inside(value: unknown, key: unknown): unknown {
  if (typeof value === 'object' && value !== null && typeof key === 'string' && !isList(value)) {
    return !(value instanceof Float) && Object.hasOwn(value, key) ? (value as Dict)[key] : undefined
  }
  const at = value instanceof Group && typeof key === 'string' && partsOfGroup.includes(key) ? partsOfGroup.indexOf(key) : numberIn(key)
  if (at === undefined || isFloat(key) || !(isList(value) || typeof value === 'string')) return undefined
  return (typeof value === 'string' ? characters(value) : value).at(at)
}

/** A text by its characters: as it is, when each is one UTF-16 unit. */
export const characters = (text: string): string | readonly string[] => (/[\ud800-\udbff]/.test(text) ? Array.from(text) : text)

/** The characters in a row again. */
export const joined = (part: string | readonly string[]): string => (typeof part === 'string' ? part : part.join(''))

/** What a loop goes through: elements, keys, characters, and of what is not there nothing. */
export function elements(budget: Budget, value: unknown): readonly unknown[] {
  if (value === undefined) return []
  const found = isList(value) ? value : typeof value === 'string' ? Array.from(value) : isDict(value) ? keysOf(budget, value) : null
  if (!found) throw new ExpressionError(`${kindOf(value)} cannot be gone through: it is no list, dict or text`)
  budget.tick(found.length + 1)
  return found
}

export function lengthOf(value: unknown): number {
  if (value === undefined) return 0
  if (typeof value === 'string') return characters(value).length
  if (isList(value)) return value.length
  if (isDict(value)) return Object.keys(value).length
  throw new ExpressionError(`${kindOf(value)} has no length`)
}

/** As Python prints it. Charged. */
export function str(budget: Budget, value: unknown): string {
  if (value === undefined) return ''
  if (typeof value !== 'string') return repr(budget, value)
  budget.tick(value.length)
  return value
}

/** As Python shows it inside a list. Charged. */
export function repr(budget: Budget, value: unknown): string {
  budget.spend(1)
  if (typeof value === 'string') return quote(budget, value)
  if (value === undefined) return 'Undefined'
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  const number = numberIn(value)
  if (number !== undefined) return isFloat(value) ? floatText(number) : intText(number)
  if (value instanceof Loop) return `<LoopContext ${value.index}/${value.length}>`
  const within = (parts: string[]): string => {
    budget.spend(parts.length * 2)
    return parts.join(', ')
  }
  if (isList(value)) {
    const parts = within(value.map((each) => repr(budget, each)))
    return value instanceof Tuple ? `(${parts}${value.length === 1 ? ',' : ''})` : `[${parts}]`
  }
  return `{${within(Object.entries(value as Dict).map(([key, each]) => `${quote(budget, key)}: ${repr(budget, each)}`))}}`
}

/** All digits of an int, as far as JavaScript writes them for others: beyond, it was no int that anybody wrote down. */
const intText = (value: number): string => (Number.isSafeInteger(value) || Math.abs(value) >= 1e21 ? String(value) : String(BigInt(value)))

function floatText(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) return value.toExponential().replace(/e([-+])(\d)$/, 'e$10$2')
  if (Number.isInteger(value)) return `${Object.is(value, -0) ? '-0' : value}.0`
  return String(value)
}

const shown: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function quote(budget: Budget, text: string): string {
  budget.spend(text.length * 2)
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'"
  const safe = text.replace(/[\\'\p{C}\p{Z}]/gu, (found) => {
    if (found === ' ' || (found === "'" && mark === '"')) return found
    if (found === "'") return "\\'"
    const code = found.codePointAt(0)!
    return shown[found] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`)
  })
  return mark + safe + mark
}

const hex = (code: number, width: number): string => code.toString(16).padStart(width, '0')

export function equal(budget: Budget, left: unknown, right: unknown): boolean {
  budget.spend(1)
  if (left === right) return true
  const [a, b] = [numberIn(left), numberIn(right)]
  if (a !== undefined || b !== undefined) return a === b
  if (isList(left) && isList(right))
    return left.length === right.length && left instanceof Tuple === right instanceof Tuple && left.every((each, at) => equal(budget, each, right[at]))
  if (!isDict(left) || !isDict(right)) return false
  const keys = keysOf(budget, left)
  return keys.length === keysOf(budget, right).length && keys.every((key) => Object.hasOwn(right, key) && equal(budget, left[key], right[key]))
}

/** Below 0 when `left` comes first. Numbers, texts and lists have an order among themselves; throws for all else. */
export function order(budget: Budget, left: unknown, right: unknown): number {
  budget.spend(1)
  const [a, b] = [numberIn(left), numberIn(right)]
  if (a !== undefined && b !== undefined) return a - b
  if (typeof left === 'string' && typeof right === 'string') {
    budget.spend(Math.min(left.length, right.length) / 16)
    return left < right ? -1 : left > right ? 1 : 0
  }
  if (!isList(left) || !isList(right) || left instanceof Tuple !== right instanceof Tuple) throw new ExpressionError(`${kindOf(left)} and ${kindOf(right)} have no order`)
  const at = left.findIndex((each, index) => index >= right.length || !equal(budget, each, right[index]))
  if (at === -1) return left.length - right.length
  return at >= right.length ? 1 : order(budget, left[at], right[at])
}

export function contains(budget: Budget, whole: unknown, part: unknown): boolean {
  if (whole === undefined) return false
  if (isList(whole)) return whole.some((each) => equal(budget, each, part))
  if (isDict(whole)) {
    if (isDict(part) || (isList(part) && !(part instanceof Tuple))) throw new ExpressionError(`A ${kindOf(part)} cannot be a key`)
    return typeof part === 'string' && Object.hasOwn(whole, part)
  }
  if (typeof whole !== 'string' || typeof part !== 'string') throw new ExpressionError(`It cannot be told whether ${kindOf(part)} is in ${kindOf(whole)}`)
  budget.tick(whole.length / 8)
  return whole.includes(part)
}

/** One of Python's comparisons by its operator. */
export function compared(budget: Budget, operator: string, left: unknown, right: unknown): boolean {
  switch (operator) {
    case '==':
      return equal(budget, left, right)
    case '!=':
      return !equal(budget, left, right)
    case 'in':
      return contains(budget, right, left)
    case 'not in':
      return !contains(budget, right, left)
    case '<':
      return order(budget, left, right) < 0
    case '<=':
      return order(budget, left, right) <= 0
    case '>':
      return order(budget, left, right) > 0
    default:
      return order(budget, left, right) >= 0
  }
}
