import { type Collection, Fault, type JsonObject } from '@sluice/schema'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Asker } from '../packages/server/src/collections/asker.ts'
import { createLanguage } from '../packages/server/src/collections/check.ts'
import { createCollections } from '../packages/server/src/collections/collections.ts'
import { collectionId, fieldOf, idField } from '../packages/server/src/collections/core.ts'
import { fits, listRecords, matchRecords, readRecords, type RecordRow } from '../packages/server/src/store/records/index.ts'
import { patternOf } from '../packages/server/src/store/records/query.ts'
import { type TestDatabase, testDatabase } from './support/database.ts'

/** What filters mean, asked of PostgreSQL and of memory. */

const workspaceId = 'w00000000000001'
const open = { list: '', view: '', create: '', update: '', delete: '' }
const base = (name: string, fields: Collection['fields'], rules: Collection['rules'] = open): Collection => ({
  id: collectionId('base', name),
  name,
  type: 'base',
  system: false,
  fields: [idField, ...fields],
  rules,
  created: '',
  updated: '',
})

const tags = base('tags', [fieldOf('name', 'text'), fieldOf('rank', 'number'), fieldOf('created', 'autodate', { onCreate: true })], { ...open, list: 'name != "secret"' })
const closed = base('closed', [fieldOf('name', 'text')], { ...open, list: null })
const books = base('books', [
  fieldOf('title', 'text'),
  fieldOf('price', 'number'),
  fieldOf('sold', 'bool'),
  fieldOf('read', 'date'),
  fieldOf('extra', 'json'),
  fieldOf('kinds', 'select', { maxSelect: 3, values: ['a', 'b', 'c'] }),
  fieldOf('tag', 'relation', { collection: 'tags', maxSelect: 1 }),
  fieldOf('tags', 'relation', { collection: 'tags', maxSelect: 9 }),
  fieldOf('closed', 'relation', { collection: 'closed', maxSelect: 1 }),
  fieldOf('secret', 'text', { hidden: true }),
  fieldOf('created', 'autodate', { onCreate: true }),
])
const language = createLanguage(createCollections([tags, books, closed]))
const now = new Date('2023-02-03T04:05:06.000Z')
const superuser: Asker = { userId: 'u', superuser: true, auth: { id: 'u' } }
const client: Asker = { userId: 'u', superuser: false, auth: { id: 'u' } }

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await db.database.query('insert into workspaces (id, handle, name) values ($1, $1, $1)', [workspaceId])
})
afterAll(() => db.close())

async function keep(collection: Collection, rows: readonly RecordRow[]): Promise<void> {
  await db.database.query('delete from records where collection = $1', [collection.id])
  await db.database.query(
    `insert into records (workspace_id, collection, id, data, seq, created_at, updated_at)
     select $1, $2, r.id, r."values", 1, '2023-01-01T00:00:00.000Z', '2023-01-01' from jsonb_to_recordset($3::jsonb) r (id text, "values" jsonb)`,
    [workspaceId, collection.id, JSON.stringify(rows)],
  )
  await db.database.query(
    `insert into record_links (workspace_id, collection, id, field, target)
     select $1, $2, r.id, 'tags', t from jsonb_to_recordset($3::jsonb) r (id text, "values" jsonb), jsonb_array_elements_text(coalesce(r."values" -> 'tags', '[]')) t`,
    [workspaceId, collection.id, JSON.stringify(rows)],
  )
}

async function found(collection: Collection, filter: string, { sort = 'id', asker = superuser } = {}): Promise<string> {
  const { where, order } = language.query({ collection, filter, sort, asker, now })
  const { rows, total } = await listRecords(db.database, { workspaceId, collection, where: [where], order, offset: 0, limit: 100, count: true })
  expect(total).toBe(rows.length)
  return rows.map(({ id }) => id).join('')
}

const book = (id: string, values: JsonObject = {}): RecordRow => ({
  id,
  values: { title: '', price: 0, sold: false, read: null, extra: null, kinds: [], tag: '', tags: [], closed: '', secret: '', created: '2023-01-01T00:00:00.000Z', ...values },
})

// ── against memory ─────────────────────────────────────────────────────────────────────────────────────────────────────

const texts = fc.constantFrom('', 'a', 'A', 'b_c', 'b%', '10', '9', '1.5', '2023', '2023-01-31 12:00:00.000Z', 'é', '😀', '\uE000', 'a\\b', 'true', '[]')
const numbers = fc.constantFrom(0, 1, -1, 9, 10, 1.5, 2023)
const instants = fc.constantFrom(null, '2023-01-31T12:00:00.000Z', '2022-12-31T23:59:59.999Z', '2023-02-03T00:00:00.000Z')
const scalars = fc.oneof(texts, numbers, fc.boolean(), fc.constant(null))
const jsons = fc.oneof(scalars, fc.record({ a: scalars }), fc.array(scalars, { maxLength: 2 }))
const aBook = fc.record({ title: texts, price: numbers, sold: fc.boolean(), read: instants, extra: jsons, kinds: fc.subarray(['a', 'b', 'c']) }).map((values): JsonObject => values)

const own = fc.constantFrom('title', 'title:lower', 'price', 'sold', 'read', 'extra', 'extra.a', 'extra.0', 'kinds', 'kinds:length', 'created', 'id')
const literal = fc.oneof(
  texts.map((text) => `'${text}'`),
  numbers.map(String),
  fc.constantFrom(
    'null',
    'true',
    'false',
    '@now',
    '@year',
    '@todayStart',
    `strftime('%Y-%m', read)`,
    `strftime('%F %T', read, 'start of month', '+36 hours')`,
    'geoDistance(price, 1, 2, 3)',
  ),
)
const operator = fc.constantFrom('=', '!=', '>', '>=', '<', '<=', '~', '!~', '?=', '?!=', '?>', '?>=', '?<', '?<=', '?~', '?!~')
const comparison = fc.tuple(fc.oneof(own, literal), operator, fc.oneof(own, literal)).map((parts) => parts.join(' '))
const filters = fc.oneof(
  comparison,
  fc.tuple(comparison, fc.constantFrom(' && ', ' || '), comparison).map((parts) => parts.join('')),
)

/** For a long search. */
const times = Number(process.env['SLUICE_TEST_TIMES'] ?? 1)

describe('PostgreSQL and memory agree', () => {
  test(
    'about what a record says itself, as it is stored and as it is handed in',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(aBook, { minLength: 3, maxLength: 6 }), fc.array(filters, { minLength: 4, maxLength: 8 }), async (values, asked) => {
          const rows = values.map((each, at) => book('abcdef'[at]!, each))
          await keep(books, rows)
          for (const filter of asked) {
            const { where } = language.query({ collection: books, filter, asker: superuser, now })
            const expected = rows.filter(fits(where)).map(({ id }) => id)
            expect(await found(books, filter), filter).toBe(expected.join(''))
            expect([...(await matchRecords(db.database, { workspaceId, collection: books, records: rows, where: [where] }))].toSorted(), filter).toEqual(expected)
          }
        }),
        { numRuns: 60 * times },
      )
    },
    60_000 * times,
  )

  test(
    'about relations: any row is enough, or none may fail',
    async () => {
      const names = ['a', 'b', 'c']
      await keep(
        tags,
        names.map((name) => ({ id: name, values: { name, rank: 0 } })),
      )
      const holds: { [sign: string]: (a: string | null, b: string) => boolean } = {
        '=': (a, b) => a === b,
        '!=': (a, b) => a !== b,
        '>': (a, b) => a !== null && a > b,
        '>=': (a, b) => a !== null && a >= b,
        '<': (a, b) => a !== null && a < b,
        '<=': (a, b) => a !== null && a <= b,
        '~': (a, b) => a !== null && a.includes(b),
        '!~': (a, b) => a !== null && !a.includes(b),
      }
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.subarray(names), { minLength: 2, maxLength: 5 }),
          fc.constantFrom(...Object.keys(holds)),
          fc.boolean(),
          fc.constantFrom(...names),
          async (links, sign, any, name) => {
            const rows = links.map((each, at) => book('uvwxy'[at]!, { tags: each, tag: each[0] ?? '' }))
            await keep(books, rows)
            const fit = (values: readonly string[]): boolean => {
              const joined = values.length === 0 ? [null] : values
              return any ? joined.some((each) => holds[sign]!(each, name)) : joined.every((each) => holds[sign]!(each, name))
            }
            const asked = `${any ? '?' : ''}${sign} "${name}"`
            const each = (of: (row: RecordRow) => readonly string[]): string =>
              rows
                .filter((row) => fit(of(row)))
                .map(({ id }) => id)
                .join('')
            expect(await found(books, `tags.name ${asked}`)).toBe(each(({ values }) => values['tags'] as string[]))
            expect(await found(books, `tags:each ${asked}`)).toBe(each(({ values }) => values['tags'] as string[]))
            expect(await found(books, `tag.name ${asked}`)).toBe(each(({ values }) => [values['tag'] as string].filter((id) => id !== '')))
            const back = names.filter((tag) => fit(rows.filter(({ values }) => (values['tags'] as string[]).includes(tag)).map(({ id }) => (id < 'w' ? 'a' : 'c'))))
            for (const row of rows) row.values['title'] = row.id < 'w' ? 'a' : 'c'
            await db.database.query('delete from record_links')
            await keep(books, rows)
            expect(await found(tags, `books_via_tags.title ${asked}`)).toBe(back.join(''))
          },
        ),
        { numRuns: 40 * times },
      )
    },
    60_000 * times,
  )
})

// ── as data ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test.each([
  ['abc', '%abc%'],
  ['ab%c', 'ab%c'],
  ['ab\\%c', '%ab\\%c%'],
  ['%ab\\%c', '%ab\\%c'],
  ['ab\\\\%c', 'ab\\\\%c'],
  ['ab\\\\\\%c', '%ab\\\\\\%c%'],
  ['ab_c', '%ab\\_c%'],
  ['ab\\_c', '%ab\\_c%'],
  ['%ab_c', '%ab_c'],
  ['ab\\c', '%ab\\\\c%'],
  ['_ab\\c_', '%\\_ab\\\\c\\_%'],
  ['ab\\c%', 'ab\\c%'],
  ['a\nb\\', '%a\nb\\\\%'],
])('~ %j looks for %j', (text, pattern) => {
  expect(patternOf(text)).toBe(pattern)
})

test('what filters, orders and paths answer', async () => {
  await keep(tags, [
    { id: 'p', values: { name: 'secret', rank: 2 } },
    { id: 'q', values: { name: 'plain', rank: 1 } },
  ])
  await db.database.query('delete from record_links')
  await keep(books, [
    book('a', { title: 'Zero', tag: 'p', extra: { n: 1 }, read: '2023-01-31T12:00:00.000Z' }),
    book('b', { title: 'zero', tag: 'q', extra: { n: '1' }, secret: 'x' }),
    book('c', { price: 5, tags: ['p', 'q'], extra: '' }),
  ])
  const answers: [string, string][] = [
    ['', 'abc'],
    ['title = null', 'c'],
    ['title ~ "ZERO"', 'ab'],
    ['extra = ""', 'c'],
    ['extra.n = 1', 'a'],
    ['extra.n = "1"', 'b'],
    ['price = "5"', 'c'],
    ['read >= "2023-01"', 'a'],
    ['read = ""', 'bc'],
    ['read ~ "31 12"', 'a'],
    ['tag.created = ""', 'c'],
    ['tag.created < "2024"', 'ab'],
    ['tag = "p" && tag.id = "p" && tag.name = "secret"', 'a'],
    ['@collection.tags.name ?= "plain"', 'abc'],
    ['@collection.tags.name = "plain"', ''],
    ['@request.auth.id = "u"', 'abc'],
    ['tags.name ?= "secret" && tags.rank ?= 1', ''],
    ['tags.name ?= "secret" && tags.rank ?= 2', 'c'],
  ]
  for (const [filter, ids] of answers) expect(await found(books, filter), filter).toBe(ids)
  expect(await found(books, '', { sort: '-title' })).toBe('bac')
  expect(await found(books, '', { sort: '-tag.rank,id' })).toBe('abc')
  expect(await found(books, '', { sort: '-created' })).toBe('cba')
  // What a client may not list is as good as not there.
  expect(await found(books, 'tag.name ~ "e"', { asker: client })).toBe('')
  expect(await found(books, 'tag.rank > 0', { asker: client })).toBe('b')
  expect(await found(books, 'tags.name = "plain"', { asker: client })).toBe('c')
  const [row] = await readRecords(db.database, { workspaceId, collection: books, ids: ['a'], where: [] })
  expect(row?.values).toMatchObject({ title: 'Zero', price: 0, sold: false, read: '2023-01-31T12:00:00.000Z', extra: { n: 1 }, kinds: [], created: '2023-01-01T00:00:00.000Z' })
  expect(await readRecords(db.database, { workspaceId: 'w00000000000002', collection: books, ids: ['a'], where: [] })).toEqual([])
})

test.each(['secret = "x"', 'closed.name = "x"', 'nothing = 1', 'title.x = 1', 'title:each = 1', 'nope(1) = 1', 'strftime("%Q", read) = 1', 'tag.nothing = 1', 'users.x = 1'])(
  'of clients %j is refused',
  (filter) => {
    expect(() => language.query({ collection: books, filter, asker: client, now })).toThrow(Fault)
  },
)

test('a request, and other collections, are for superusers to ask about', () => {
  for (const asked of [{ filter: '@request.auth.id = 1' }, { sort: '@collection.tags.name' }])
    expect(() => language.query({ collection: books, ...asked, asker: client, now })).toThrow(expect.objectContaining({ code: 'superusers_only' }))
})

test('every field of the core can be read, asked about and ordered by', async () => {
  const { all } = createCollections()
  for (const collection of all)
    for (const { name, type } of collection.fields.filter((field) => field.type !== 'password' && field.name !== 'tokenKey'))
      for (const sort of [name, `-${name}`])
        expect(await found(collection, `${name} != "x" && ${name} ~ "y" && ${name} >= 1 || ${name} = 'idle'`, { sort }), `${collection.name}.${name} ${type}`).toBe('')
})
