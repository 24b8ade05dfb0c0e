import { Fault } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { parseExpansion } from '../../src/collections/expansion.ts'
import { macroOf } from '../../src/collections/macros.ts'
import { parseSort } from '../../src/collections/sort.ts'

// As PocketBase's tools/search/sort_test.go and identifier_macros_test.go have them.

describe('an order', () => {
  const up = (name: string) => ({ is: 'field', name, descending: false })
  const down = (name: string) => ({ is: 'field', name, descending: true })

  test.each([
    ['', []],
    ['test', [up('test')]],
    ['+test', [up('test')]],
    ['-test', [down('test')]],
    ['test1, -test2 ,+test3', [up('test1'), down('test2'), up('test3')]],
    ['-@random,-@rowid', [{ is: 'random' }, { is: 'rowid', descending: true }]],
  ])('%j is read', (text, terms) => expect(parseSort(text)).toEqual(terms))

  test.each([',', 'a,', 'a,,b', 'a,b,c,d,e,f,g,h,i', 'x'.repeat(256), '-', ' '])('%j is refused', (text) => {
    expect(() => parseSort(text)).toThrow(Fault)
  })
})

describe('what is to be expanded', () => {
  test('is read without blanks, each relation once', () => expect(parseExpansion(' a . b , a.c,a,, .x')).toEqual({ a: { b: {}, c: {} }, x: {} }))
  test('ends after six relations', () => expect(parseExpansion('a.b.c.d.e.f.g.h')).toEqual({ a: { b: { c: { d: { e: { f: {} } } } } } }))
  test('is a name and no more, whatever it is', () => {
    expect(Object.keys(parseExpansion('__proto__.x,constructor.y'))).toEqual(['__proto__', 'constructor'])
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

test.each([
  ['@now', '2023-02-03 04:05:06.000Z'],
  ['@yesterday', '2023-02-02 04:05:06.000Z'],
  ['@tomorrow', '2023-02-04 04:05:06.000Z'],
  ['@second', 6],
  ['@minute', 5],
  ['@hour', 4],
  ['@day', 3],
  ['@month', 2],
  ['@weekday', 5],
  ['@year', 2023],
  ['@todayStart', '2023-02-03 00:00:00.000Z'],
  ['@todayEnd', '2023-02-03 23:59:59.999Z'],
  ['@monthStart', '2023-02-01 00:00:00.000Z'],
  ['@monthEnd', '2023-02-28 23:59:59.999Z'],
  ['@yearStart', '2023-01-01 00:00:00.000Z'],
  ['@yearEnd', '2023-12-31 23:59:59.999Z'],
  ['@x', undefined],
  ['constructor', undefined],
])('the macro %s is %j at five past four of a Friday', (name, value) => expect(macroOf(name, new Date('2023-02-03T04:05:06Z'))).toBe(value))
