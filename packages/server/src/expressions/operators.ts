import { Drop, toValueSync, type Liquid } from 'liquidjs'
import type { Budget } from './budget.ts'
import { unwrap } from './filters.ts'

/** The operators of templates, ours because the library's compare lists at a microsecond an element and cannot be stopped. */

/** Liquid's `==`: lists by their elements, `empty` and `blank` by what they stand for, all else by identity. */
export function equal(budget: Budget, left: unknown, right: unknown): boolean {
  budget.tick()
  const drop = left instanceof Drop && 'equals' in left ? left : right instanceof Drop && 'equals' in right ? right : null
  if (drop) return Boolean(toValueSync((drop as unknown as { equals(other: unknown): unknown }).equals(drop === left ? right : left)))
  const [a, b] = [unwrap(left), unwrap(right)]
  if (a === b) return true
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
  return a.every((each, at) => equal(budget, each, b[at]))
}

function contains(budget: Budget, whole: unknown, part: unknown): boolean {
  const [within, sought] = [unwrap(whole), unwrap(part)]
  if (Array.isArray(within)) return within.some((each) => equal(budget, each, sought))
  if (typeof within !== 'string') return false
  budget.spend(within.length / 8)
  return typeof sought === 'string' || typeof sought === 'number' ? within.includes(String(sought)) : false
}

/** Numbers with numbers, texts with texts; a text that is a number is one beside a number. Nothing else has an order. */
function ordered(left: unknown, right: unknown): readonly [number, number] | readonly [string, string] | null {
  const [a, b] = [unwrap(left), unwrap(right)]
  if (typeof a === 'string' && typeof b === 'string') return [a, b]
  const number = (value: unknown): number => (typeof value === 'number' ? value : typeof value === 'string' && value !== '' ? Number(value) : NaN)
  return Number.isNaN(number(a)) || Number.isNaN(number(b)) ? null : [number(a), number(b)]
}

const truthy = (value: unknown): boolean => {
  const plain = unwrap(value)
  return plain !== false && plain !== null && plain !== undefined
}

type BudgetOf = (context: unknown) => Budget

export function operators(budgetOf: BudgetOf): Liquid['options']['operators'] {
  const order = (holds: (a: number | string, b: number | string) => boolean) => (left: unknown, right: unknown, context: unknown) => {
    budgetOf(context).tick()
    const pair = ordered(left, right)
    return pair !== null && holds(pair[0], pair[1])
  }
  return {
    '==': (left, right, context) => equal(budgetOf(context), left, right),
    '!=': (left, right, context) => !equal(budgetOf(context), left, right),
    '>': order((a, b) => a > b),
    '<': order((a, b) => a < b),
    '>=': order((a, b) => a >= b),
    '<=': order((a, b) => a <= b),
    contains: (left, right, context) => contains(budgetOf(context), left, right),
    not: (value: unknown) => !truthy(value),
    and: (left: unknown, right: unknown) => truthy(left) && truthy(right),
    or: (left: unknown, right: unknown) => truthy(left) || truthy(right),
  }
}
