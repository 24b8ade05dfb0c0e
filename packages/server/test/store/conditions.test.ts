import { Fault, listInput, ListRuns, type Order, type Where } from '@sluice/schema'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { instantOf } from '../../src/store/conditions/check.ts'
import type { ListFields } from '../../src/store/conditions/fields.ts'
import { pageIn } from '../../src/store/conditions/list.ts'
import { fits } from '../../src/store/conditions/pattern.ts'

interface Thing {
  id: string
  name: string | null
  size: number
  tags: string[]
  made: string
  extra: { [key: string]: number | string | boolean | null | string[] }
}

const list: ListFields<Thing> = {
  id: 'id',
  fields: {
    id: { type: 'id', of: (thing) => thing.id },
    name: { type: 'text', nullable: true, of: (thing) => thing.name },
    size: { type: 'number', of: (thing) => thing.size },
    tags: { type: 'texts', of: (thing) => thing.tags },
    made: { type: 'time', of: (thing) => thing.made },
    extra: { type: 'json', of: (thing) => thing.extra },
  },
}

const id = (letter: string): string => letter.repeat(15)
const thing = (letter: string, over: Partial<Thing> = {}): Thing => ({ id: id(letter), name: letter, size: 0, tags: [], made: '2026-01-31T00:00:00.000Z', extra: {}, ...over })
const things = [
  thing('a', { name: null, size: -0, tags: ['x', 'y'], extra: { n: 1, in: ['1'] } }),
  thing('b', { name: 'B_1', size: 1.5, made: '2026-01-31T12:00:00.001Z', extra: { n: '1' } }),
  thing('c', { name: '😀', extra: { n: true } }),
  thing('d', { name: '\uE000', extra: { n: null } }),
]

const found = (where: Where, order: Order = ['id']): string =>
  pageIn(things, list, { where, order, limit: 100 })
    .items.map((each) => each.id[0])
    .join('')

const issuesOf = (asked: () => unknown): { path: string; message: string }[] => {
  try {
    asked()
  } catch (error) {
    if (error instanceof Fault && error.kind === 'invalid') return error.issues.map(({ path, message }) => ({ path: path!.join('.'), message }))
    throw error
  }
  return []
}

describe('what a condition means', () => {
  test.each<[string, Where, string]>([
    ['nothing is asked', {}, 'abcd'],
    ['an `or` of nothing holds for none', { or: [] }, ''],
    ['a value alone is equal', { name: 'B_1' }, 'b'],
    ['null is equal to null alone', { name: null }, 'a'],
    ['what is not equal may be null', { name: { ne: 'B_1' } }, 'acd'],
    ['null among values', { name: { in: [null, '😀'] } }, 'ac'],
    ['order and patterns are false of null, and what is not so is true of it', { not: { or: [{ name: { gte: '' } }, { name: { like: '%' } }] } }, 'a'],
    ['-0 is 0', { size: { eq: 0, gte: 0 } }, 'acd'],
    ['texts are ordered by code point', { name: { gt: '\uE000' } }, 'c'],
    ['a wildcard is one by itself, and none after its escape', { name: { like: 'B\\_%' } }, 'b'],
    ['`_` is one character, however many units it has', { name: { like: '_' } }, 'cd'],
    ['A–Z is a–z where it is said so', { and: [{ name: { ilike: 'b%' } }, { name: { contains: 'b_' } }] }, 'b'],
    ['a list of texts has one', { tags: { has: 'y' } }, 'a'],
    ['a date is its first instant', { made: { gt: '2026-01-31' } }, 'b'],
    ['an instant may be said in any zone, and finer than a millisecond', { made: '2026-01-31T13:30:00.0019999+01:30' }, 'b'],
    ['in JSON a text is no number', { 'extra.n': '1' }, 'b'],
    ['in JSON null is what is not there', { 'extra.n': null }, 'd'],
    ['what an object inherits is not in it', { 'extra.constructor': null }, 'abcd'],
    ['a place in a list', { 'extra.in.0': '1' }, 'a'],
    ['all that one object says holds', { size: 0, name: { ne: null }, not: { name: '😀' } }, 'd'],
  ])('%s', (_, where, expected) => {
    expect(found(where)).toBe(expected)
  })

  test.each<[string, Order, string]>([
    ['newest first unless asked otherwise', [], 'dcba'],
    ['null comes last', ['name'], 'bdca'],
    ['and first downwards', '-name', 'acdb'],
    ['what is equal is in the order of ids, in the direction of the last field', ['-size'], 'bdca'],
    ['by type in JSON', 'extra.n', 'cabd'],
  ])('%s', (_, order, expected) => {
    expect(found({}, order)).toBe(expected)
  })

  test.each([
    ['2026-02-30', undefined],
    ['0000-01-01', undefined],
    ['2026-01-31T12:00:00', undefined],
    ['2026-1-1', undefined],
    ['now', undefined],
    ['2026-01-31', Date.UTC(2026, 0, 31)],
    ['2026-01-31T12:00Z', Date.UTC(2026, 0, 31, 12)],
    ['2026-01-31 12:00:00,5+0100', Date.UTC(2026, 0, 31, 11, 0, 0, 500)],
  ])('the instant %s', (text, ms) => {
    expect(instantOf(text)).toBe(ms)
  })
})

describe('what cannot be asked', () => {
  test.each<[string, Where, string, RegExp]>([
    ['a field that is not there', { nam: 'x' }, 'where.nam', /no such field.*id, name/],
    ['a name every object has', { constructor: 'x' }, 'where.constructor', /no such field/],
    ['a path into what is not JSON', { 'name.x': 'x' }, 'where.name.x', /no such field/],
    ['all of some JSON', { extra: null }, 'where.extra', /no such field/],
    ['a value of another type, inside', { or: [{}, { not: { size: { gte: '1' } } }] }, 'where.or.1.not.size.gte', /a number/],
    ['one of several values', { name: { in: ['a', 1] } }, 'where.name.in.1', /a text/],
    ['no instant', { made: { lt: 'yesterday' } }, 'where.made.lt', /an instant/],
    ['a comparison that the type does not know', { size: { like: '1%' } }, 'where.size.like', /can be asked for eq, ne/],
    ['half an id', { id: { gt: 'a' } }, 'where.id.gt', /an id/],
    ['half an escape', { name: { like: 'a\\' } }, 'where.name.like', /escape/],
  ])('%s', (_, where, path, message) => {
    expect(issuesOf(() => found(where))).toEqual([{ path, message: expect.stringMatching(message) as string }])
  })

  test('all that is wrong is told at once', () => {
    expect(issuesOf(() => found({ nam: 1, or: [{ size: 'x' }] })).map(({ path }) => path)).toEqual(['where.nam', 'where.or.0.size.eq'])
  })

  test('an order of what has none, or by too many', () => {
    expect(issuesOf(() => found({}, ['name', '-tags'])).map(({ path }) => path)).toEqual(['order.1'])
    expect(issuesOf(() => found({}, 'nam'))[0]?.message).toMatch(/no such field/)
    expect(
      issuesOf(() =>
        found(
          {},
          Array.from({ length: 9 }, () => 'name'),
        ),
      )[0]?.message,
    ).toMatch(/at most 8/)
  })

  test('an offset beside a cursor, beyond its bounds, a page of too many', () => {
    const ask = (asked: object) => issuesOf(() => pageIn(things, list, { limit: 10, ...asked })).map(({ path }) => path)
    const { nextCursor } = pageIn(things, list, { limit: 1 })
    expect(ask({ cursor: nextCursor, offset: 0 })).toEqual(['offset'])
    expect(ask({ offset: 100_001 })).toEqual(['offset'])
    expect(ask({ limit: 1_001 })).toEqual(['limit'])
    expect(ask({ limit: 1_000, offset: 100_000 })).toEqual([])
  })

  test('a cursor of another order, or one that was made up', () => {
    const { nextCursor } = pageIn(things, list, { limit: 1, order: ['name'] })
    const ask = (cursor: string, order: Order) => () => pageIn(things, list, { limit: 1, order, cursor })
    expect(ask(nextCursor!, ['name'])().items).toHaveLength(1)
    for (const order of ['-name', 'size', 'id', ['name', '-id']] as const) expect(ask(nextCursor!, order)).toThrow('of another order')
    const made = (...values: unknown[]): string => Buffer.from(JSON.stringify(values)).toString('base64url')
    expect(ask(made('name,id', 'x', id('a')), ['name'])().items).toHaveLength(1)
    for (const cursor of [
      '',
      '!',
      made(),
      made('name,id'),
      made('name,id', 1, id('a')),
      made('name,id', 'x', "';"),
      made('name,id', '\u0000', id('a')),
      made('name,id', 'x', null),
      made('name,id', 'x', id('a'), 1),
    ])
      expect(ask(cursor, ['name']), cursor).toThrow(expect.objectContaining({ code: 'cursor_invalid' }) as Error)
  })
})

describe('what is taken at all', () => {
  const asked = (where: unknown) =>
    z
      .strictObject(listInput(['a', 'b']))
      .safeParse({ where })
      .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
  const deep = (depth: number): object => (depth === 1 ? {} : { not: deep(depth - 1) })
  const many = (terms: number): object => ({ or: Array.from({ length: terms }, () => ({ a: 1 })) })

  test.each<[string, unknown, unknown]>([
    ['no object', '{', ['where: expected an object of conditions, as JSON']],
    ['a list', [], ['where: expected an object of conditions, as JSON']],
    ['a junction of no list', { and: {} }, ['where.and: expected a list of conditions']],
    ['a list where one is expected', { not: [{}] }, ['where.not: expected an object of conditions, as JSON']],
    ['no comparison', { a: {} }, [expect.stringMatching(/^where.a: expected one of eq, ne/)]],
    ['an unknown comparison', { or: [{ a: { regex: 'x' } }] }, [expect.stringMatching(/^where.or.0.a.regex: expected one of/)]],
    ['a list in place of a value', { a: { in: ['x', ['y']] } }, [expect.stringMatching(/^where.a.in.1: expected a text/)]],
    ['null has no order', { a: { lt: null } }, [expect.stringMatching(/^where.a.lt: expected a text or a number/)]],
    ['no text of ours', { a: { eq: 'a\u0000' }, b: '\ud800' }, ['where.a.eq: no text has this', 'where.b: no text has this']],
    ['sixteen deep', deep(16), []],
    ['deeper', deep(17), [`where.${'not.'.repeat(15)}not: at most 16 deep`]],
    ['two hundred comparisons', many(200), []],
    ['more', many(201), ['where: at most 200 comparisons']],
    ['3,500 bytes', { a: 'ä'.repeat(1_746) }, []],
    ['more', { a: 'ä'.repeat(1_747) }, ['where: at most 3500 bytes of JSON']],
  ])('%s', (_, where, problems) => {
    expect(asked(where)).toEqual(problems)
  })

  test('an order is a text with commas or a list, of eight at most', () => {
    const order = (order: unknown) => ListRuns.safeParse({ order }).success
    expect([order('-created,id'), order(['-created']), order('a,'.repeat(8)), order(1), order([1])]).toEqual([true, true, false, false, false])
  })

  test('the compiler knows the fields of a list', () => {
    type Asked = z.input<typeof ListRuns>
    expectTypeOf<{ where: { or: [{ status: { in: ['failed'] } }, { not: { created: { gte: '2026' } } }] }; order: ['-created', 'id'] }>().toExtend<Asked>()
    expectTypeOf<{ where: { state: 'failed' } }>().not.toExtend<Asked>()
    expectTypeOf<{ where: { status: { equals: 'failed' } } }>().not.toExtend<Asked>()
    expectTypeOf<{ order: ['-createdAt'] }>().not.toExtend<Asked>()
  })
})

test('a pattern takes time of text × pattern, not more', () => {
  const started = performance.now()
  expect(fits(`${'%a'.repeat(1_700)}%b`)('a'.repeat(20_000))).toBe(false)
  expect(performance.now() - started).toBeLessThan(5_000)
})
