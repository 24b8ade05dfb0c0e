import { type Json, type Order, type Page, type Where, whereLimits } from '@sluice/schema'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StoredList } from '../packages/server/src/store/conditions/fields.ts'
import { type ListAsked, listPage, pageIn } from '../packages/server/src/store/conditions/list.ts'
import { endsOpen } from '../packages/server/src/store/conditions/pattern.ts'
import { timeOf } from '../packages/server/src/store/ids.ts'
import { type TestDatabase, testDatabase } from './support/database.ts'

/** A record with a field of every type, and each that can be null. */
interface Thing {
  id: string
  name: string
  note: string | null
  size: number
  weight: number | null
  done: boolean
  seen: boolean | null
  at: string
  born: string
  due: string | null
  tags: string[]
  labels: string[] | null
  data: Json
}

const things: StoredList<Thing> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'things.id', of: (thing) => thing.id },
    name: { type: 'text', sql: 'things.name', of: (thing) => thing.name },
    note: { type: 'text', nullable: true, sql: 'things.note', of: (thing) => thing.note },
    size: { type: 'number', sql: 'things.size', of: (thing) => thing.size },
    weight: { type: 'number', nullable: true, sql: 'things.weight', of: (thing) => thing.weight },
    done: { type: 'boolean', sql: 'things.done', of: (thing) => thing.done },
    seen: { type: 'boolean', nullable: true, sql: 'things.seen', of: (thing) => thing.seen },
    at: { type: 'time', sql: 'things.at', of: (thing) => thing.at },
    born: { type: 'time', ofId: true, sql: 'things.born', of: (thing) => thing.born },
    due: { type: 'time', nullable: true, sql: 'things.due', of: (thing) => thing.due },
    tags: { type: 'texts', sql: 'things.tags', of: (thing) => thing.tags },
    labels: { type: 'texts', nullable: true, sql: 'things.labels', of: (thing) => thing.labels },
    data: { type: 'json', nullable: true, sql: 'things.data', of: (thing) => thing.data },
  },
}

// Of a collation that is not ours: what is compared must bring its own.
const table = `
  create table things (
    batch int not null, id text collate "en-x-icu" not null, name text collate "en-x-icu" not null, note text collate "en-x-icu", size int not null, weight float8, done boolean not null, seen boolean,
    at timestamptz(3) not null, born timestamptz(3) not null, due timestamptz(3), tags text[] not null, labels text[], data json, primary key (batch, id)
  )`

// ── what is random ─────────────────────────────────────────────────────────────────────────────────────────────────────

// Few, so that values meet; and what goes wrong: quotes, wildcards, case pairs, what sorts otherwise by UTF-16 or by language.
const long = 'y'.repeat(199)
const pieces = [
  '',
  'a',
  'A',
  'b',
  'B',
  'z',
  'Z',
  '0',
  '10',
  '9',
  ' ',
  '-',
  '%',
  '_',
  '\\',
  "'",
  '"',
  '$1',
  '[',
  'ä',
  'Ä',
  'ß',
  'ſ',
  'K',
  'İ',
  'é',
  'e\u0301',
  '\uE000',
  '\uFFFD',
  '😀',
  '𝒳',
  '\u0001',
  '\n',
]
const texts = fc.oneof(
  fc.constantFrom(...pieces),
  fc.constantFrom(`${long}😀b`, `${long}😀a`, `${long}a`),
  fc.array(fc.constantFrom(...pieces), { maxLength: 4 }).map((some) => some.join('')),
  fc.string({ unit: 'binary', maxLength: 3 }).filter((text) => !/[\0\p{Cs}]/u.test(text)),
)
const numbers = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 1.5, 0.1, 0.30000000000000004, 1e21, 5e-324, 1.7976931348623157e308, 2 ** 53, -(2 ** 53) - 2),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const integers = fc.constantFrom(-2147483648, -1, 0, 1, 2, 10, 2147483647)
const instants = fc.oneof(
  fc.constantFrom('2026-01-31T12:00:00.000Z', '2026-01-31T12:00:00.001Z', '2026-01-31T00:00:00.000Z', '0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'),
  fc.date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }).map((date) => date.toISOString()),
)
const ids = fc.constantFrom(...Array.from('09abyz', (character) => `mi0${character}`.padEnd(15, character)), 'mi0000000000001', 'mi0000000000010')
const orNull = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(some, { freq: 3 })
const scalars = fc.oneof(texts, numbers, fc.boolean(), fc.constant(null))
const keys = fc.constantFrom('a', 'b', '0', '1', 'constructor', '_')
const json: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof({ maxDepth: 3, withCrossShrink: true }, scalars, fc.array(tie('json'), { maxLength: 3 }), fc.dictionary(keys, tie('json'), { maxKeys: 3, noNullPrototype: true })),
})).json

const unborn: fc.Arbitrary<Omit<Thing, 'born'>> = fc.record({
  id: ids,
  name: texts,
  note: orNull(texts),
  size: integers,
  weight: orNull(numbers),
  done: fc.boolean(),
  seen: orNull(fc.boolean()),
  at: instants,
  due: orNull(instants),
  tags: fc.array(texts, { maxLength: 3 }),
  labels: orNull(fc.array(texts, { maxLength: 2 })),
  data: json,
})
const bornAt = (id: string): string => new Date(timeOf(id)).toISOString()
const record: fc.Arbitrary<Thing> = unborn.map((thing) => ({ ...thing, born: bornAt(thing.id) }))
const births = fc.oneof(
  instants,
  fc.tuple(ids, fc.constantFrom(-1, 0, 0, 1)).map(([id, more]) => new Date(timeOf(id) + more).toISOString()),
)
const plain: Thing = {
  id: '',
  name: '',
  note: null,
  size: 0,
  weight: null,
  done: false,
  seen: null,
  at: '2026-01-31T12:00:00.000Z',
  born: '2026-01-31T12:00:00.000Z',
  due: null,
  tags: [],
  labels: null,
  data: null,
}
const records = fc.uniqueArray(record, { maxLength: 8, selector: ({ id }) => id })

const paths = fc.array(keys, { minLength: 1, maxLength: 3 }).map((path) => ['data', ...path].join('.'))
const patterns = fc
  .array(fc.constantFrom('%', '_', '\\%', '\\_', '\\\\', '\\a', ...pieces), { maxLength: 5 })
  .map((parts) => parts.join(''))
  .filter((pattern) => !endsOpen(pattern))
const alone = (operator: string, values: fc.Arbitrary<unknown>) => values.map((value) => ({ [operator]: value }))

function comparisons(values: fc.Arbitrary<Json>, ordered: fc.Arbitrary<Json> | null, isText = false): fc.Arbitrary<Json> {
  return fc.oneof(
    orNull(values),
    alone('eq', orNull(values)),
    alone('ne', orNull(values)),
    alone('in', fc.array(orNull(values), { maxLength: 4 })),
    ...(ordered ? ['lt', 'lte', 'gt', 'gte'].map((operator) => alone(operator, ordered)) : []),
    ...(ordered ? [fc.record({ gte: ordered, lt: ordered })] : []),
    ...(isText ? ['like', 'ilike'].map((operator) => alone(operator, patterns)) : []),
    ...(isText ? [alone('contains', texts)] : []),
  ) as fc.Arbitrary<Json>
}

const on = (field: fc.Arbitrary<string>, comparison: fc.Arbitrary<Json>) => fc.tuple(field, comparison).map((entry) => Object.fromEntries([entry]))
const field = (...names: string[]) => fc.constantFrom(...names)
const leaf = fc.oneof(
  on(field('id'), comparisons(ids, ids, true)),
  on(field('name', 'note'), comparisons(texts, texts, true)),
  on(field('size', 'weight'), comparisons(fc.oneof(numbers, integers), fc.oneof(numbers, integers))),
  on(field('done', 'seen'), comparisons(fc.boolean(), null)),
  on(field('at', 'due'), comparisons(instants, instants)),
  on(field('born'), comparisons(births, births)),
  on(field('tags', 'labels'), alone('has', texts) as fc.Arbitrary<Json>),
  on(paths, comparisons(scalars, fc.oneof(texts, numbers), true)),
)
/** Each says one thing of its place, or two. */
const inJson = (asked: unknown): number => JSON.stringify(asked).split('"data.').length - 1

const where = fc
  .letrec<{ where: Json }>((tie) => ({
    where: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.tuple(leaf, leaf).map(([one, other]) => ({ ...one, ...other })),
      on(field('and', 'or'), fc.array(tie('where'), { maxLength: 3 })),
      on(field('not'), tie('where')),
    ),
  }))
  .where.filter((where) => inJson(where) <= whereLimits.termsInJson / 2) as fc.Arbitrary<Where>

const order: fc.Arbitrary<Order | undefined> = fc.option(
  fc
    .array(
      fc
        .tuple(fc.constantFrom('', '-'), fc.oneof(field(...Object.keys(things.fields).filter((name) => !['tags', 'labels', 'data'].includes(name))), paths))
        .map((parts) => parts.join('')),
      { maxLength: 4 },
    )
    .filter((names) => inJson(names.map((name) => name.replace('-', ''))) <= whereLimits.orderInJson),
  { nil: undefined },
)

// ── two interpreters ───────────────────────────────────────────────────────────────────────────────────────────────────

let db: TestDatabase
let batch = 0
beforeAll(async () => {
  db = await testDatabase()
  await db.database.query(table)
})
afterAll(() => db.close())

async function stored(records: readonly Thing[]): Promise<number> {
  batch++
  for (const { data, ...rest } of records) {
    const { id, name, note, size, weight, done, seen, at, born, due, tags, labels } = rest
    await db.database.query('insert into things values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)', [
      batch,
      id,
      name,
      note,
      size,
      weight,
      done,
      seen,
      at,
      born,
      due,
      tags,
      labels,
      JSON.stringify(data),
    ])
  }
  return batch
}

const read = (of: number, asked: ListAsked, list = things): Promise<Page<string>> =>
  listPage(db.database, list, asked, { select: 'things.*', from: 'things', scope: 'things.batch = $1', values: [of], item: (row: { id: string }) => row.id })

const remembered = (of: readonly Thing[], asked: ListAsked): Page<string> => {
  const page = pageIn(of, things, asked)
  return { ...page, items: page.items.map(({ id }) => id) }
}

async function walk(read: (cursor: string | undefined) => Promise<Page<string>>): Promise<string[]> {
  const all: string[] = []
  for (let cursor: string | undefined; ;) {
    const { items, nextCursor } = await read(cursor)
    all.push(...items)
    if (nextCursor === null) return all
    cursor = nextCursor
  }
}

const all = 1_000

describe('the conditions of a list mean the same in SQL and in memory', () => {
  test('which records, in which order, and how many', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(records, fc.array(fc.tuple(where, order), { minLength: 12, maxLength: 12 }), async (some, questions) => {
        const of = await stored(some)
        for (const [where, order] of questions) {
          const asked = { where, order, limit: all, count: true }
          expect(await read(of, asked), JSON.stringify(asked)).toEqual(remembered(some, asked))
        }
      }),
      { numRuns: 150 },
    )
  })

  test('every text against every other, as a value, as a part and as a pattern', async () => {
    const names = [...new Set([...pieces, ...['a%b', 'a_b', 'a\\b', 'axb', 'AB', 'äÄ', '%%', '\\%', '😀😀']])]
    const some = names.map((name, index) => ({ ...plain, id: `text${String(index).padStart(11, '0')}`, name }))
    const of = await stored(some)
    for (const text of names)
      for (const pattern of [text, `%${text}`, `${text}%`, `_${text}`, `\\${text}`].filter((each) => !endsOpen(each)))
        for (const comparison of [{ like: pattern }, { ilike: pattern }, { contains: text }, { lte: text }]) {
          const asked: ListAsked = { where: { name: comparison }, order: ['name'], limit: all }
          expect(await read(of, asked), JSON.stringify(asked)).toEqual(remembered(some, asked))
        }
  })

  test('all pages, by cursor or by offset, are the whole list without gap or double, whatever its order', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(records, order, fc.integer({ min: 1, max: 3 }), async (some, order, limit) => {
        const of = await stored(some)
        const whole = (await read(of, { order, limit: all })).items
        expect(new Set(whole).size).toBe(some.length)
        expect(await walk((cursor) => read(of, { order, limit, cursor }))).toEqual(whole)
        expect(await walk(async (cursor) => remembered(some, { order, limit, cursor }))).toEqual(whole)
        for (let offset = 0; offset <= whole.length; offset += limit) {
          const asked = { order, limit, offset }
          const page = await read(of, asked)
          expect(page.items).toEqual(whole.slice(offset, offset + limit))
          expect(page).toEqual(remembered(some, asked))
        }
      }),
      { numRuns: 100 },
    )
  })

  test('of when an id was made, asked of the id and of what is stored', async () => {
    const { born } = things.fields
    const asStored: StoredList<Thing> = { ...things, fields: { ...things.fields, born: { ...born!, ofId: false } } }
    const orders = fc.constantFrom<Order>('born', '-born', ['-born', '-id'], ['born', '-id'], ['done', '-born'], ['born', 'name'])
    await fc.assert(
      fc.asyncProperty(records, on(field('born'), comparisons(births, births)), orders, async (some, where, order) => {
        const of = await stored(some)
        const asked: ListAsked = { where: where as Where, order, limit: all }
        expect((await read(of, asked)).items, JSON.stringify(asked)).toEqual((await read(of, asked, asStored)).items)
      }),
      { numRuns: 300 },
    )
  })

  test('one order upwards is the other downwards', async () => {
    await fc.assert(
      fc.asyncProperty(records, fc.constantFrom('name', 'note', 'weight', 'seen', 'due', 'data.a'), async (some, field) => {
        const of = await stored(some)
        const [up, down] = [await read(of, { order: [field], limit: all }), await read(of, { order: [`-${field}`], limit: all })]
        expect(down.items).toEqual(up.items.toReversed())
      }),
      { numRuns: 30 },
    )
  })
})
