import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { percentFormat } from './jinja-format.ts'
import { type Float, Tuple, isFloat, isList, kindOf, numberIn, numeric } from './jinja-values.ts'

/** Python's operators. Numbers are doubles: an int beyond 2^53 is no longer exact. */

const ofNumbers: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '//': (a, b) => floored(a, b),
  '%': (a, b) => remainder(a, b),
  '**': (a, b) => a ** b,
}
/** With the sign of the divisor, and exact, as what is left of a division that was rounded is not. */
function remainder(a: number, b: number): number {
  const left = a % b
  if (left === 0) return b < 0 ? -0 : 0
  return left < 0 === b < 0 ? left : left + b
}

function floored(a: number, b: number): number {
  const whole = (a - remainder(a, b)) / b
  const below = Math.floor(whole)
  return whole - below > 0.5 ? below + 1 : below
}

const divisions = new Set(['/', '//', '%'])

export function arithmetic(budget: Budget, operator: string, left: unknown, right: unknown): unknown {
  budget.tick()
  const [a, b] = [numberIn(left), numberIn(right)]
  if (a !== undefined && b !== undefined) {
    if (b === 0 && divisions.has(operator)) throw new ExpressionError('It divides by zero')
    return numeric(ofNumbers[operator]!(a, b), operator === '/' || isFloat(left) || isFloat(right) || (operator === '**' && b < 0))
  }
  if (operator === '%' && typeof left === 'string') return percentFormat(budget, left, right)
  if (operator === '+' && typeof left === 'string' && typeof right === 'string') {
    budget.spend(left.length + right.length)
    return left + right
  }
  if (operator === '+' && isList(left) && isList(right) && left instanceof Tuple === right instanceof Tuple) {
    budget.spend(left.length + right.length)
    return likeTo(left, [...left, ...right])
  }
  if (operator === '*' && b !== undefined && !isFloat(right)) return repeated(budget, left, b)
  if (operator === '*' && a !== undefined && !isFloat(left)) return repeated(budget, right, a)
  throw new ExpressionError(`${operator} says nothing of ${kindOf(left)} and ${kindOf(right)}`)
}

/** A number with a sign before it. */
export function signed(value: unknown, sign: 1 | -1): number | Float {
  const number = numberIn(value)
  if (number === undefined) throw new ExpressionError(`${kindOf(value)} has no sign`)
  return numeric(sign * number, isFloat(value))
}

function repeated(budget: Budget, value: unknown, times: number): unknown {
  if (!(typeof value === 'string' || isList(value))) throw new ExpressionError(`* says nothing of ${kindOf(value)} and ${kindOf(times)}`)
  const count = Math.max(times, 0)
  budget.spend(count * (value.length + 1))
  return typeof value === 'string' ? value.repeat(count) : likeTo(value, Array.from({ length: count }, () => value).flat())
}

/** A part of a tuple is a tuple. */
export const likeTo = (model: readonly unknown[], items: readonly unknown[]): readonly unknown[] => (model instanceof Tuple ? Tuple.from(items) : items)
