import type { Json, JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { StepFailure } from './contract.ts'

/** What configs hold beside text, and how it is taken out of them. */

// What reaches a declaration is JSON already, so it is not walked again: an expression may give a megabyte.
export const AnyJson = Schema.Any as unknown as Schema.Codec<Json>
/** A config with nothing in it. An empty struct would take anything but null. */
export const NoConfig = Schema.Record(Schema.String, Schema.Never)

export const JsonMap: Schema.Codec<{ readonly [key: string]: Json }, unknown> = Schema.Record(Schema.String, AnyJson)

/** What a node that lets its input through gives of it. */
export const Passes = Schema.Literals(['value', 'steps']).annotate({
  title: 'Passes',
  description: 'What it lets through: the output of the one step before it, of several an object by step name (`value`, unless set), or always that object (`steps`)',
})

const year = 31_536_000_000

/** A number of milliseconds, or text that gives one. The most is ten years. */
export const Milliseconds = Schema.Union([Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10 * year })), Schema.String])

export function millisecondsOf(value: number | string, field: string): number {
  const number = wholeOf(value)
  if (number === null || number > 10 * year) throw new StepFailure('config_invalid', `${field} is not a number of milliseconds up to ten years`, { retry: false })
  return number
}

/** A whole number, or text that gives one. */
export const Whole = Schema.Union([Schema.Int, Schema.String])

export function wholeNumberOf(value: number | string, field: string): number {
  const number = typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw new StepFailure('config_invalid', `${field} is not a whole number`, { retry: false })
  return number
}

/** A whole number from 0, also out of text; null when it is none. */
export function wholeOf(value: number | string): number | null {
  const number = typeof value === 'string' && /^\s*\d{1,15}\s*$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null
}

export const isJsonObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a value is nested deeper than so many levels; `[1]` has one. It does not descend by calls: the value may be a hostile one. */
export function isDeeperThan(value: Json, levels: number): boolean {
  let layer: Json[] = [value]
  for (let depth = 1; layer.length > 0; depth++) {
    if (depth > levels) return true
    layer = layer.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each).filter((inner) => typeof inner === 'object' && inner !== null) : []))
  }
  return false
}
