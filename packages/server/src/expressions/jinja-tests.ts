import { type Callable, callable } from './jinja-callable.ts'
import { arithmetic } from './jinja-arithmetic.ts'
import { contains, equal, isDict, isFloat, isList, numberIn, order, str } from './jinja-values.ts'

/** The tests of Jinja: what stands behind `is`. */

const simple = (holds: (value: unknown) => boolean): Callable => callable('', (_budget, value) => holds(value))
const ordered = (holds: (order: number) => boolean): Callable => callable('other!', (budget, value, [other]) => holds(order(budget, value, other)))
const remainder = (of: number): Callable => callable('', (budget, value) => equal(budget, arithmetic(budget, '%', value, 2), of))
/** There is a letter that has a case, and none of the other one. */
const cased = (own: RegExp, other: RegExp): Callable =>
  callable('', (budget, value) => {
    const text = str(budget, value)
    return own.test(text) && !other.test(text)
  })
const same = callable('other!', (budget, value, [other]) => equal(budget, value, other))
const different = callable('other!', (budget, value, [other]) => !equal(budget, value, other))
const [less, lessOrEqual, greater, greaterOrEqual] = [ordered((by) => by < 0), ordered((by) => by <= 0), ordered((by) => by > 0), ordered((by) => by >= 0)]

export const tests: ReadonlyMap<string, Callable> = new Map(
  Object.entries({
    defined: simple((value) => value !== undefined),
    undefined: simple((value) => value === undefined),
    none: simple((value) => value === null),
    boolean: simple((value) => typeof value === 'boolean'),
    true: simple((value) => value === true),
    false: simple((value) => value === false),
    integer: simple((value) => typeof value === 'number' && !isFloat(value)),
    float: simple(isFloat),
    number: simple((value) => numberIn(value) !== undefined),
    string: simple((value) => typeof value === 'string'),
    mapping: simple(isDict),
    sequence: simple((value) => isList(value) || isDict(value) || typeof value === 'string' || value === undefined),
    iterable: simple((value) => isList(value) || isDict(value) || typeof value === 'string' || value === undefined),
    odd: remainder(1),
    even: remainder(0),
    divisibleby: callable('num!', (budget, value, [num]) => equal(budget, arithmetic(budget, '%', value, num), 0)),
    lower: cased(/\p{Ll}/u, /[\p{Lu}\p{Lt}]/u),
    upper: cased(/\p{Lu}/u, /[\p{Ll}\p{Lt}]/u),
    sameas: callable('other!', (_budget, value, [other]) => value === other),
    in: callable('seq!', (budget, value, [whole]) => contains(budget, whole, value)),
    eq: same,
    equalto: same,
    '==': same,
    ne: different,
    '!=': different,
    lt: less,
    lessthan: less,
    '<': less,
    le: lessOrEqual,
    '<=': lessOrEqual,
    gt: greater,
    greaterthan: greater,
    '>': greater,
    ge: greaterOrEqual,
    '>=': greaterOrEqual,
  }),
)
