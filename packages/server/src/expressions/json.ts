import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator'
import { limits, type Json, type JsonObject } from '@sluice/schema'
import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { Float } from './jinja-values.ts'

/**
 * What an evaluation gave, as JSON: 64-bit integers become numbers, instants ISO 8601, bytes base64. A value that was
 * put in many times is counted each time: it will be written each time.
 */
export function toJson(value: unknown, budget: Budget, depth = 0): Json {
  budget.spend(1)
  switch (typeof value) {
    case 'string':
      budget.spend(value.length)
      return value
    case 'boolean':
      return value
    case 'number':
      if (!Number.isFinite(value)) throw new ExpressionError(`The result is not a number: ${value}`)
      return value
    case 'bigint':
      return Number(value)
    case 'undefined':
      return null
    case 'object':
      return value === null ? null : ofObject(value, budget, depth)
    default:
      throw new ExpressionError('The result is not a JSON value')
  }
}

function ofObject(value: object, budget: Budget, depth: number): Json {
  if (depth >= limits.jsonDepth) throw new ExpressionError(`The result is nested deeper than ${limits.jsonDepth} levels`)
  if (Array.isArray(value)) return value.map((each) => toJson(each, budget, depth + 1))
  if (value instanceof Float) return value.value
  if (value instanceof Date) return value.toISOString()
  if (value instanceof UnsignedInt) return Number(value.valueOf())
  if (value instanceof Duration) return value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new ExpressionError('The result is not a JSON value')
  const object: JsonObject = {}
  for (const [key, each] of Object.entries(value)) {
    budget.spend(key.length)
    // Assigning it would set the prototype instead of a key.
    if (key !== '__proto__') object[key] = toJson(each, budget, depth + 1)
  }
  return object
}

/** JSON text, charged while it is made. */
export function jsonText(value: unknown, budget: Budget, space?: number): string {
  const charge = (key: string, each: unknown): unknown => {
    budget.spend(key.length + (typeof each === 'string' ? each.length : 2))
    return each
  }
  return JSON.stringify(value, charge, space) ?? ''
}
