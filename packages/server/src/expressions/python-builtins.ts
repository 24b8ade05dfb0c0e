import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { arithmetic } from './jinja-arithmetic.ts'
import { rounded } from './jinja-rounding.ts'
import { Float, Tuple, elements, isFloat, kindOf, lengthOf, numberIn, numeric, order, repr, str, truth } from './jinja-values.ts'

/** The functions that conditions may call by their name: those of Python's that only look at what they are given. */

export interface Builtin {
  /** How many arguments it takes. */
  least: number
  most: number
  apply(budget: Budget, args: readonly unknown[]): unknown
}

const many = 16

/** Of one value, or of what there is without. */
const made = (empty: unknown, apply: (budget: Budget, value: unknown) => unknown): Builtin => ({
  least: 0,
  most: 1,
  apply: (budget, args) => (args.length === 0 ? empty : apply(budget, args[0])),
})
const of = (apply: (budget: Budget, value: unknown) => unknown): Builtin => ({ least: 1, most: 1, apply: (budget, [value]) => apply(budget, value) })

function digits(budget: Budget, value: string, pattern: RegExp, kind: string): number {
  budget.tick(value.length)
  const written = value.trim()
  if (!pattern.test(written)) throw new ExpressionError(`${repr(budget, value.slice(0, 100))} is no ${kind}`)
  return Number(written.replaceAll('_', ''))
}

function int(budget: Budget, value: unknown): number | Float {
  if (typeof value === 'string') return numeric(digits(budget, value, /^[-+]?\d+(?:_\d+)*$/, 'int'), false)
  const number = numberIn(value)
  if (number === undefined) throw new ExpressionError(`${kindOf(value)} cannot be made an int`)
  return numeric(Math.trunc(number), false)
}

const fraction = /^[-+]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[-+]?\d+)?$/i

function float(budget: Budget, value: unknown): number | Float {
  const number = typeof value === 'string' ? digits(budget, value, fraction, 'float') : numberIn(value)
  if (number === undefined) throw new ExpressionError(`${kindOf(value)} cannot be made a float`)
  return numeric(number, true)
}

function absolute(_budget: Budget, value: unknown): number | Float {
  const number = numberIn(value)
  if (number === undefined) throw new ExpressionError(`${kindOf(value)} has no absolute value`)
  return numeric(Math.abs(number), isFloat(value))
}

const extreme = (direction: 1 | -1): Builtin => ({
  least: 1,
  most: many,
  apply(budget, args) {
    const [first, ...others] = args.length === 1 ? elements(budget, args[0]) : args
    if (first === undefined) throw new ExpressionError('There is none in an empty list')
    return others.reduce((best, each) => (direction * order(budget, each, best) > 0 ? each : best), first)
  },
})

const round: Builtin = {
  least: 1,
  most: 2,
  apply(_budget, [value, places = null]) {
    const [number, to] = [numberIn(value), places === null ? 0 : numberIn(places)]
    if (number === undefined || to === undefined || isFloat(places)) throw new ExpressionError(`${kindOf(value)} cannot be rounded to ${kindOf(places)}`)
    return numeric(rounded(number, to), isFloat(value) && places !== null)
  },
}

/** A bool is an int too. */
const isinstance: Builtin = {
  least: 2,
  most: 2,
  apply(budget, [value, names]) {
    const kind = kindOf(value)
    return elements(budget, names).some((name) => name === kind || (name === 'int' && kind === 'bool'))
  },
}

/** What `isinstance` asks for. */
export const types: ReadonlySet<string> = new Set(['str', 'int', 'float', 'bool', 'list', 'tuple', 'dict'])

export const builtins: ReadonlyMap<string, Builtin> = new Map(
  Object.entries({
    len: of((_budget, value) => lengthOf(value)),
    str: made('', str),
    int: made(0, int),
    float: made(new Float(0), float),
    bool: made(false, truth),
    list: made([], (budget, value) => [...elements(budget, value)]),
    tuple: made(Tuple.of(), (budget, value) => Tuple.from(elements(budget, value))),
    abs: of(absolute),
    round,
    min: extreme(-1),
    max: extreme(1),
    sum: of((budget, value) => elements(budget, value).reduce((total, each) => arithmetic(budget, '+', total, each), 0)),
    any: of((budget, value) => elements(budget, value).some((each) => truth(budget, each))),
    all: of((budget, value) => elements(budget, value).every((each) => truth(budget, each))),
    isinstance,
  }),
)
