import { describe, expect, test } from 'vitest'
import { ExpressionError, compileCel } from '../../src/expressions/index.ts'

const scope = { input: { n: 3, half: 7.5, list: [1, 2, 3], name: 'Ada', nothing: null }, nodes: { fetch: { status: 200 } } }
const give = (source: string) => compileCel(source).evaluate(scope)

describe('CEL over JSON', () => {
  test.each([
    ['input.n + 1', 4],
    ['1 + input.n', 4],
    ['input.half - 1', 6.5],
    ['input.n * 2', 6],
    ['input.n / 2', 1.5],
    ['input.n % 2 == 1', true],
    ['input.half % input.n', 1.5],
    ['input.n == 3 && 3 == input.n', true],
    ['input.n != 3', false],
    ['1.0 == 1', true],
    ['double("3") == 3', true],
    ['size(input.list) * 2', 6],
    ['input.list[input.n - 1]', 3],
    ['input.n in input.list', true],
    ['input.list.map(x, x * 2)', [2, 4, 6]],
    ['input.list.filter(x, x > 1).size()', 2],
    ['has(input.missing)', false],
    ['input.nothing == null', true],
    ['"Dear " + input.name', 'Dear Ada'],
    ['{"a": 1, "b": [1, "x", null]}', { a: 1, b: [1, 'x', null] }],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['timestamp("2026-01-01T00:00:00Z")', '2026-01-01T00:00:00.000Z'],
    ['duration("90s")', '90s'],
    ['b"abc"', 'YWJj'],
    ['7u', 7],
  ])('%s gives the JSON value people expect', (source, expected) => expect(give(source)).toEqual(expected))

  test('a path hands the very value on, without a walk', () => expect(give('input.list')).toBe(scope.input.list))

  test('a missing key, an unknown name and a number that is none are errors, with their place where known', () => {
    expect(() => give('input.missing')).toThrow(ExpressionError)
    expect(() => give('stranger.x')).toThrow('Unknown variable: stranger')
    expect(() => give('input.n / 0')).toThrow('not a number')
    expect(() => compileCel('1 +')).toThrow(expect.objectContaining({ name: 'ExpressionError', offset: 3 }))
  })

  test('a condition gives true or false and nothing else', () => {
    expect(compileCel('input.n > 2').condition(scope)).toBe(true)
    expect(() => compileCel('input.n').condition(scope)).toThrow('gave a number, not true or false')
    expect(compileCel('1 + 1').type).toBe('int')
  })
})

describe('what an expression reads', () => {
  test('variables that a macro binds are not read from the scope', () => {
    const { names, steps } = compileCel('input.list.map(x, x + nodes.fetch.status).exists(y, y == last) && nodes["Fetch it"].ok')
    expect([...names].sort()).toEqual(['input', 'last', 'nodes'])
    expect([...steps].sort()).toEqual(['Fetch it', 'fetch'])
  })

  test('of the scope only the named getters run', () => {
    let built = 0
    const lazy = {
      input: { n: 1 },
      get data() {
        built++
        return { total: 5 }
      },
    }
    expect(compileCel('input.n == 1').condition(lazy)).toBe(true)
    expect(built).toBe(0)
    expect(compileCel('data.total').evaluate(lazy)).toBe(5)
    expect(built).toBe(1)
  })
})
