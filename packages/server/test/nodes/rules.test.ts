import type { Json } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { type Rule, doMatch } from '../../src/nodes/rules.ts'

const matches = (value: Json, operator: Rule['operator'], ...operand: [Json?]): boolean =>
  doMatch([operand.length > 0 ? { value, operator, operand: operand[0]! } : { value, operator }])

describe('texts are compared as they are, all else as its JSON', () => {
  test.each<[Json, Rule['operator'], Json, boolean]>([
    ['order 42', 'contains', '42', true],
    ['order 42', 'contains', 42, true],
    ['order', 'contains', '42', false],
    [['a', 'b'], 'contains', '"a"', true],
    [{ a: [1] }, 'contains', [1], true],
    [1.5, 'equals', '1.5', true],
    [true, 'equals', 'true', true],
    ['True', 'equals', true, false],
    [{ a: 1 }, 'equals', { a: 1 }, true],
    ['null', 'equals', null, true],
    ['', 'equals', '', true],
    ['refund', 'starts_with', 're', true],
    ['refund', 'starts_with', 'fund', false],
    [1250, 'starts_with', 12, true],
    ['refund', 'not_starts_with', 're', false],
    ['refund', 'not_starts_with', 'fund', true],
  ])('%j %s %j: %s', (value, operator, operand, expected) => {
    expect(matches(value, operator, operand)).toBe(expected)
  })
})

describe('numbers are read out of numbers, and of texts that are numbers', () => {
  test.each<[Json, Rule['operator'], Json, boolean]>([
    [2, 'greater_than', 1, true],
    ['10', 'greater_than', '9', true],
    [9, 'greater_than', 10, false],
    [1, 'greater_than', 1, false],
    [' -1.5e1 ', 'less_than', '.5', true],
    [1, 'less_than', 1, false],
    ['1.0', 'number_equals', 1, true],
    [1, 'number_equals', 2, false],
    ['0x10', 'number_equals', 16, false],
    ['', 'number_equals', 0, false],
    [true, 'number_equals', 1, false],
    [[1], 'number_equals', 1, false],
    ['many', 'greater_than', 1, false],
    ['many', 'less_than', 1, false],
    ['Infinity', 'greater_than', 1, false],
    ['1e999', 'greater_than', 1, false],
    [5, 'less_than', 'many', false],
  ])('%j %s %j: %s', (value, operator, operand, expected) => {
    expect(matches(value, operator, operand)).toBe(expected)
  })
})

test('empty are null, and a text, a list, an object with nothing in it', () => {
  for (const value of [null, '', [], {}]) expect([value, matches(value, 'is_empty')]).toEqual([value, true])
  for (const value of [0, false, ' ', [null], { a: null }]) expect([value, matches(value, 'is_empty'), matches(value, 'is_not_empty')]).toEqual([value, false, true])
  for (const value of ['', [], {}]) expect(matches(value, 'is_not_empty')).toBe(false)
})

test('what is not there matches is_empty alone, and is compared with nothing', () => {
  const operators: Rule['operator'][] = ['contains', 'equals', 'greater_than', 'less_than', 'starts_with', 'not_starts_with', 'number_equals']
  expect([...operators, 'is_not_empty' as const].filter((operator) => matches(null, operator, null))).toEqual([])
  expect(operators.filter((operator) => matches('1', operator))).toEqual([])
})

test('rules are joined from left to right, without precedence; none of them match always', () => {
  const rules = (...said: [boolean, boolean?][]): Rule[] => said.map(([so, or]) => ({ value: so ? 'x' : null, operator: 'equals', operand: 'x', ...(or !== undefined && { or }) }))
  expect(doMatch([])).toBe(true)
  expect(doMatch(rules([true], [true]))).toBe(true)
  expect(doMatch(rules([true], [false]))).toBe(false)
  expect(doMatch(rules([true], [false, false]))).toBe(false)
  expect(doMatch(rules([false], [true, true]))).toBe(true)
  // (a or b) and c: by precedence it would be true.
  expect(doMatch(rules([true], [true, true], [false]))).toBe(false)
  expect(doMatch(rules([false], [false], [true, true]))).toBe(true)
  // What the first one would be joined to is not there.
  expect(doMatch(rules([false, true]))).toBe(false)
})

test('a value may be megabytes of text', () => {
  expect(matches('1'.repeat(2_000_000), 'greater_than', 1)).toBe(false)
  expect(matches(' '.repeat(2_000_000), 'number_equals', 1)).toBe(false)
})

test('however many rules look at one large value, its text is made once', () => {
  let made = 0
  const value = { toJSON: () => `${++made}` } as never
  expect(doMatch(Array.from({ length: 100 }, () => ({ value, operator: 'contains', operand: 'x', or: true })))).toBe(false)
  expect(made).toBe(1)
})
