import { Environment } from '@marcbachmann/cel-js'
import type { Budget } from './budget.ts'
import type { Meter } from './cel-guard.ts'
import { ExpressionError } from './error.ts'
import { arithmetic, signed } from './jinja-arithmetic.ts'
import { methods } from './jinja-methods.ts'
import { placeOf, sliced } from './jinja-slices.ts'
import { type Dict, Float, Tuple, characters, compared, isDict, isFloat, isList, kindOf, numberIn, repr, truth } from './jinja-values.ts'
import { builtins } from './python-builtins.ts'

/**
 * The functions that a translated condition calls, wherever Python means something else than CEL. What truth, equality, order
 * and arithmetic are is what they are in Jinja templates; only that here what is not there is an error, as it is in Python.
 */

/** Of translations: one operator of Python's is several nodes, and a chain of them goes deep. */
const limits = { maxAstNodes: 40_000, maxDepth: 1_000, maxListElements: 2_000, maxMapEntries: 0, maxCallArguments: 4 }

/** CEL with these functions; they charge the budget that the meter has while they run. */
export function pythonEnvironment(meter: Meter): Environment {
  const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false, limits })
  environment.registerType('Float', { ctor: Float, fields: {} })
  environment.registerType('Tuple', { ctor: Tuple, fields: {} })
  const define = (signature: string, apply: (budget: Budget, ...args: unknown[]) => unknown): void => {
    environment.registerFunction(signature, (...args: unknown[]) => {
      const { budget } = meter
      if (!budget) throw new ExpressionError('A condition is evaluated under a budget')
      budget.tick()
      return apply(budget, ...args)
    })
  }
  define('floating(double): dyn', (_budget, value) => new Float(Number(value)))
  define('tuple(list): dyn', (_budget, parts) => Tuple.from(listOf(parts)))
  define('dict(list, list): dyn', (budget, keys, values) => dict(budget, listOf(keys), listOf(values)))
  define('truth(dyn): bool', truth)
  define('item(dyn, dyn): dyn', item)
  define('attribute(dyn, string): dyn', attribute)
  define('slice(dyn, list): dyn', (budget, of, places) => sliced(budget, of, listOf(places).map(placeOf)))
  define('signed(double, dyn): dyn', (_budget, sign, value) => signed(value, sign === -1 ? -1 : 1))
  define('arithmetic(string, dyn, dyn): dyn', (budget, operator, left, right) => arithmetic(budget, String(operator), left, right))
  define('compare(string, dyn, dyn): bool', (budget, operator, left, right) => compared(budget, String(operator), left, right))
  define('same(dyn, dyn): bool', (_budget, left, right) => left === right)
  define('method(string, dyn, list): dyn', (budget, name, of, args) => methods.get(String(name))!.apply(budget, of, listOf(args), new Map()))
  define('call(string, list): dyn', (budget, name, args) => builtins.get(String(name))!.apply(budget, listOf(args)))
  return environment
}

const listOf = (value: unknown): readonly unknown[] => (isList(value) ? value : [])

function dict(budget: Budget, keys: readonly unknown[], values: readonly unknown[]): Dict {
  const made: Record<string, unknown> = Object.create(null)
  for (const [at, key] of keys.entries()) {
    if (typeof key !== 'string') throw new ExpressionError(`The key of a dict must be a text, not ${kindOf(key)}`)
    budget.spend(key.length)
    made[key] = values[at]
  }
  return made
}

/** `value[key]`. Throws for what is not there. */
function item(budget: Budget, value: unknown, key: unknown): unknown {
  if (isDict(value)) {
    if (typeof key === 'string' && Object.hasOwn(value, key)) return value[key]
    throw new ExpressionError(`There is no key ${shown(budget, key)}`)
  }
  if (!isList(value) && typeof value !== 'string') throw new ExpressionError(`${kindOf(value)} has no items`)
  const at = numberIn(key)
  if (at === undefined || isFloat(key)) throw new ExpressionError(`A place in a ${kindOf(value)} is a whole number, not ${kindOf(key)}`)
  budget.tick(typeof value === 'string' ? value.length : 1)
  const within = typeof value === 'string' ? characters(value) : value
  if (at >= within.length || at < -within.length) throw new ExpressionError(`The ${kindOf(value)} has ${within.length} items: there is none at ${at}`)
  return within.at(at)
}

/** `value.name`, which of a dict is what stands under the key. */
function attribute(budget: Budget, value: unknown, name: unknown): unknown {
  if (isDict(value)) return item(budget, value, name)
  throw new ExpressionError(`${kindOf(value)} has no attribute ${String(name)}`)
}

const longest = 100

/** For a message: a long text is cut. */
function shown(budget: Budget, value: unknown): string {
  const text = repr(budget, value)
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}
