import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { likeTo } from './jinja-arithmetic.ts'
import { characters, isFloat, isList, joined, kindOf, numberIn } from './jinja-values.ts'

/** Python's slices, of texts, lists and tuples. */

/** Where a slice begins or ends, or its step; undefined, if it does not say. */
export function placeOf(value: unknown): number | undefined {
  if (value === null) return undefined
  const number = numberIn(value)
  if (number === undefined || isFloat(value)) throw new ExpressionError(`A place in a list is a whole number, not ${kindOf(value)}`)
  return number
}

export function sliced(budget: Budget, value: unknown, [start, end, by]: readonly (number | undefined)[]): unknown {
  if (typeof value !== 'string' && !isList(value)) throw new ExpressionError(`${kindOf(value)} cannot be sliced`)
  const source = typeof value === 'string' ? characters(value) : value
  budget.tick(source.length)
  const made = by === undefined || by === 1 ? source.slice(start, end) : stepped(source, start, end, by)
  return typeof value === 'string' ? joined(made as string | string[]) : likeTo(value, made as readonly unknown[])
}

/** With a step, which may go backwards. */
function stepped(source: string | readonly unknown[], from: number | undefined, to: number | undefined, step: number): readonly unknown[] {
  if (step === 0) throw new ExpressionError('The step of a slice cannot be 0')
  const { length } = source
  const [least, most] = step > 0 ? [0, length] : [-1, length - 1]
  const placed = (place: number | undefined, otherwise: number): number => (place === undefined ? otherwise : Math.min(Math.max(place < 0 ? place + length : place, least), most))
  const [start, end] = step > 0 ? [placed(from, 0), placed(to, length)] : [placed(from, length - 1), placed(to, -1)]
  return Array.from({ length: Math.max(Math.ceil((end - start) / step), 0) }, (_, at) => source[start + at * step])
}
