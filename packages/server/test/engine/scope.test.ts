import type { Json, JsonObject } from '@sluice/schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergeOutputs } from '../../src/engine/scope.ts'

/** The rule, said plainly: each value goes under its key or the first number after it that is free, unless it stands there already. */
function merged(nodes: JsonObject): JsonObject {
  const result = new Map<string, Json>()
  for (const [name, output] of Object.entries(nodes))
    for (const [key, value] of typeof output === 'object' && output !== null && !Array.isArray(output) ? Object.entries(output) : [[name, output] as const]) {
      const keys = [key, ...Array.from({ length: 50 }, (_, at) => `${key}_${at + 2}`)]
      const free = keys.find((each) => !result.has(each))!
      const taken = keys.slice(0, keys.indexOf(free))
      if (!taken.some((each) => JSON.stringify(result.get(each)) === JSON.stringify(value))) result.set(free, value)
    }
  return Object.fromEntries(result)
}

test('what finds its key taken by another value goes under the next number that is free', () => {
  const key = fc.constantFrom('a', 'a_2', 'a_3', 'b', '__proto__')
  const value = fc.constantFrom<Json>(1, 2, 3, 'x', { a: 1 }, null)
  const output = fc.oneof(value, fc.dictionary(key, value, { noNullPrototype: true }))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'n1', 'n2', 'n3', 'n4', 'n5'), output)), (outputs) => {
      const nodes = Object.fromEntries(outputs)
      expect(Object.entries(mergeOutputs(nodes))).toEqual(Object.entries(merged(nodes)))
    }),
  )
})

test('what is given before them stands first, as it is', () => {
  const given = { a: 1, b: { c: 2 } }
  expect(mergeOutputs({}, given)).toEqual(given)
  expect(mergeOutputs({ n: { a: 1, b: 3 }, m: { a: 4 } }, given)).toEqual({ ...given, b_2: 3, a_2: 4 })
})
