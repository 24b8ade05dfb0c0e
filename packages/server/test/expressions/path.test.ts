import { describe, expect, test } from 'vitest'
import { ExpressionError, compilePath } from '../../src/expressions/index.ts'

const nodes = {
  fetch: { rows: [{ id: 7 }, { id: 8 }], none: null, empty: '', no: false, '': 'blank', 'a.b': 'dotted' },
  'my.step': { key: 1 },
  my: { step: { key: 2 }, other: 3 },
  list: ['a', 'b'],
  text: 'abc',
  gone: null,
}
const at = (path: string) => compilePath(path).read({ nodes, input: 'never' })

describe('a path', () => {
  test.each([
    ['fetch', nodes.fetch],
    ['fetch.rows.1.id', 8],
    [' fetch.rows.0 ', { id: 7 }],
    ['list.1', 'b'],
    ['fetch.empty', ''],
    ['fetch.no', false],
    ['fetch.', 'blank'],
    ['my.step.key', 1],
    ['my.step', nodes['my.step']],
    ['my.other', 3],
  ])('%s leads to what stands there, the longest name of a step first', (path, expected) => expect(at(path)).toEqual(expected))

  test.each([
    '',
    '  ',
    'nobody',
    'nobody.x.y',
    'fetch.nothing',
    'fetch.none',
    'fetch.none.x',
    'fetch.rows.2',
    'fetch.rows.-1',
    'fetch.rows.x',
    'fetch.rows.length',
    'text.0',
    'text.length',
    'gone.x',
    'input',
    '.',
    '..',
  ])('"%s" leads to null', (path) => expect(at(path)).toBeNull())

  test.each(['fetch.constructor', 'fetch.__proto__', 'constructor', '__proto__', 'list.constructor', 'hasOwnProperty.name', 'fetch.toString'])(
    '%s reaches nothing that is not data',
    (path) => expect(at(path)).toBeNull(),
  )

  test('a scope without outputs gives null', () => expect(compilePath('a.b').read({})).toBeNull())

  test('it says every name that its step may have, and a blank one none', () => {
    expect([...compilePath('a.b.c').steps]).toEqual(['a.b.c', 'a.b', 'a'])
    expect(compilePath('  ').steps.size).toBe(0)
  })

  test('what is longer than a path is refused', () => {
    expect(() => compilePath('a.'.repeat(100))).toThrow(ExpressionError)
    expect(() => compilePath('a'.repeat(100_000))).toThrow(ExpressionError)
  })
})
