import fc from 'fast-check'
import { expect, test } from 'vitest'
import { firstFault } from '../../src/http/json-fault.ts'

test('the place is that of the first thing that cannot stand there', () => {
  const cases: [string, number][] = [
    ['', 0],
    ['{"a":', 5],
    ['{"a" 1}', 5],
    ['[1,]', 3],
    ['{,}', 1],
    ['{"a":1}}', 7],
    ['[1 2]', 3],
    ['{"a":1,}', 7],
    ['01', 1],
    ['{"a":tru}', 5],
    ["{'a': 1}", 1],
    ['{"a": "line\nbreak"}', 6],
    ['"\\x"', 0],
    [' \n [] x', 6],
  ]
  for (const [body, offset] of cases) expect(firstFault(body), body).toBe(offset)
})

test('JSON has no fault before its end, whatever it is; what is cut off is missed at its end, or where a word of it began', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.nat(), (body, at) => {
      expect(firstFault(body)).toBe(body.length)
      const cut = body.slice(0, at % (body.length + 1))
      const offset = firstFault(cut)!
      expect(offset).toBeLessThanOrEqual(cut.length)
      expect(body.startsWith(cut.slice(0, offset))).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('a long body is not searched, and a deep one takes no stack', () => {
  expect(firstFault('['.repeat(70_000))).toBeUndefined()
  expect(firstFault('['.repeat(60_000))).toBe(60_000)
})
