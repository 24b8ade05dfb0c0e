import type { Collection, Json } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Asker } from '../packages/server/src/collections/asker.ts'
import { createLanguage } from '../packages/server/src/collections/check.ts'
import { createCollections } from '../packages/server/src/collections/collections.ts'
import { collectionId, fieldOf, idField } from '../packages/server/src/collections/core.ts'
import { type Checked, fits, listRecords, matchRecords } from '../packages/server/src/store/records/index.ts'
import { type TestDatabase, testDatabase } from './support/database.ts'

/** What filters are asked that nobody would ask in earnest: each is answered, or refused as a mistake of the caller. */

const workspaceId = 'w00000000000001'
const open = { list: '', view: '', create: '', update: '', delete: '' }
const things: Collection = {
  id: collectionId('base', 'things'),
  name: 'things',
  type: 'base',
  system: false,
  fields: [
    idField,
    fieldOf('title', 'text'),
    fieldOf('price', 'number'),
    fieldOf('read', 'date'),
    fieldOf('extra', 'json'),
    fieldOf('kinds', 'select', { maxSelect: 3, values: ['a', 'b'] }),
    fieldOf('created', 'autodate', { onCreate: true }),
  ],
  rules: open,
  created: '',
  updated: '',
}
const language = createLanguage(createCollections([things]))
const asker: Asker = { userId: 'u', superuser: true, auth: { id: 'u' } }
const now = new Date('2023-02-03T04:05:06.000Z')
const rows: readonly (readonly [id: string, title: string, price: number, extra: Json])[] = [
  ['a', 'one', 1, { list: [1, 2, 3], n: 9_007_199_254_740_992 }],
  ['b', '1e400', -0, [1e308, 'two']],
  ['c', '', 1e21, { n: '0001' }],
  ['d', '9'.repeat(400), 1e17, { n: 0.00001, list: 1.5e-7 }],
  ['e', `${'9'.repeat(250)}e99`, 123_456_789_012_345_680, 1e17],
]
let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await db.database.query('insert into workspaces (id, handle, name) values ($1, $1, $1)', [workspaceId])
  for (const [id, title, price, extra] of rows)
    await db.database.query(`insert into records (workspace_id, collection, id, data, seq, created_at, updated_at) values ($1, $2, $3, $4, 1, '2023-01-01', '2023-01-01')`, [
      workspaceId,
      things.id,
      id,
      JSON.stringify({ title, price, extra, read: null, kinds: ['a'] }),
    ])
})
afterAll(() => db.close())
const big = '9'.repeat(400)
const nested = (depth: number) => '('.repeat(depth) + 'price = 1' + ')'.repeat(depth)
const hostile = [
  'title = "\0"',
  'title ~ "\0"',
  'extra.a = "\0"',
  'extra = "\0"',
  'id = "\0"',
  'created > "\0"',
  'read = "\0"',
  'title = "\uD800"',
  'title ~ "\uDC00%"',
  'extra.\uD835\uDC00 = 1',
  'extra.list.99999999999999999999 = 1',
  'extra.list.00 = 1',
  'extra.list.0.0.0.0.0.0.0.0.0.0 = 1',
  'extra.__proto__ = null',
  'extra.constructor.name = "x"',
  '__proto__ = 1',
  'constructor = 1',
  'extra.__proto__.__proto__ != 1',
  `price = ${big}`,
  `price > ${big}`,
  `price < -${big}`,
  `title = ${big}`,
  `extra = ${big}`,
  `price = "1e400"`,
  `price < "1e400"`,
  `price = "-1e400"`,
  'price = "1e-400"',
  'price = -0',
  'price = 9007199254740993',
  'extra.n = 9007199254740993',
  'price = title',
  'title = price',
  'price > title',
  'extra.0 = title',
  'extra.0 > price',
  'price ~ 1',
  'price ~ "00"',
  'price ~ "e+"',
  'extra.n ~ "e-"',
  'extra.n ~ "0000"',
  'extra.list ~ "e-0"',
  'extra.n:lower = "1e-05"',
  'title = extra.n',
  'title ~ price',
  'price > extra',
  'extra >= 100000000000000000',
  'price != title',
  'extra != title',
  'price ~ title',
  'extra.0 = 1',
  'read = "0000-01-01 00:00:00.000Z"',
  'created > "0000-01-01 00:00:00.000Z"',
  'created < "9999-12-31 23:59:59.999Z"',
  'created <= "9999-12-31 23:59:59.999Z"',
  'created > "294276-12-31"',
  'created > "+294276"',
  'created < "-0001"',
  'created >= ""',
  'created > "é"',
  'created > 5',
  'created > -5',
  'created = 2023',
  `strftime('%Y', '294276-01-01') = 1`,
  `strftime('%Y', '0000-01-01') = '0000'`,
  `strftime('%Y', '-000001-01-01') = ''`,
  `strftime('%Y', created, '+999999999 days') = ''`,
  `strftime('%Y', created, '-999999999 days') = ''`,
  `strftime('%Y', 'now', '+999999999 days') = ''`,
  `strftime('%Y', @now, '-999999999 days') = ''`,
  `strftime('', created) = ''`,
  `strftime('%', created) = ''`,
  `strftime('%%%', created) = ''`,
  `strftime('%Y\0', created) = ''`,
  `strftime('%s%w%j', created, 'start of year', '-1 second') ~ '1'`,
  `strftime('%Y', null) = ''`,
  `strftime('%Y', 5) = ''`,
  `strftime('%Y', title) = ''`,
  `strftime(title, created) = ''`,
  `strftime() = ''`,
  `strftime('%Y', created, 5) = ''`,
  `strftime('%Y', strftime('%Y', created)) = ''`,
  `strftime("%Y", read, "+0.001 seconds") = ""`,
  'geoDistance(price, price, price, price) > 0',
  `geoDistance(${big}, 0, 0, 0) > 0`,
  'geoDistance(extra.0, extra.0, 1, 1) > 0',
  'geoDistance(title, 1, 1, 1) = 0',
  'geoDistance(null, 1, 1, 1) = 0',
  'geoDistance(read, 1, 1, 1) = 0',
  'geoDistance(1, 1, 1) = 0',
  'geoDistance(1, 91, 1e5, 1) = 0',
  'geoDistance(1,2,3,999999999999999999999999) > 1',
  'kinds:each = "a"',
  'kinds:each ?= "a"',
  'kinds:each:each = 1',
  'kinds:length > 0',
  'kinds:length = "x"',
  'kinds:lower = "x"',
  'extra:lower = "x"',
  'extra:length = 1',
  'extra:each = 1',
  'price:lower = 1',
  'created:lower = "x"',
  'id:lower = "A"',
  'title:isset = true',
  '@request.body.title:changed = true',
  '@request.body.title:isset = true',
  '@request.headers.x:lower = ""',
  '@request.auth.__proto__ = ""',
  '@request.auth.constructor.name = ""',
  '@request.body.a:each = 1',
  '@request.',
  '@request = 1',
  '@Request.auth.id = 1',
  '@REQUEST.auth.id = ""',
  '@request.method.x = 1',
  '@request..a = 1',
  '@collection.things.title ?= "one"',
  '@collection.things:x.title ?= "one"',
  '@collection.things = 1',
  '@collection.none.x = 1',
  '@collection.things.title.x = 1',
  '%40request.auth.id = 1',
  '@request%2Eauth.id=1',
  'title ~ "\\\\"',
  'title ~ "%\\\\"',
  `title ~ '${'%_'.repeat(1000)}'`,
  nested(16),
  nested(17),
  `title ~ title`,
  `title ~ extra`,
  `extra ~ extra`,
  `extra !~ null`,
  `null ~ null`,
  `null = null`,
  '1 = "1"',
  '"a" ~ "A"',
  'true = 1',
  '@now > "2000"',
  'strftime("%Y") = "2023"',
]
/** Null: it is refused. */
function asked(filter: string): Checked | null {
  try {
    return language.query({ collection: things, filter, asker, now }).where
  } catch (error) {
    expect(error).toMatchObject({ code: 'filter_invalid', issues: [{ path: ['filter'] }] })
    return null
  }
}

test.each(hostile.map((filter) => [filter]))('%j', async (filter) => {
  const where = asked(filter)
  if (where === null) return
  const { rows: found } = await listRecords(db.database, { workspaceId, collection: things, where: [where], order: [], offset: 0, limit: 100, count: true })
  const { rows: all } = await listRecords(db.database, { workspaceId, collection: things, where: [], order: [], offset: 0, limit: 100, count: false })
  const expected = all.map((row) => fits(where)(row))
  if (!expected.includes('unknown')) expect(found.map(({ id }) => id)).toEqual(all.filter((_, at) => expected[at]).map(({ id }) => id))
  const matched = await matchRecords(db.database, { workspaceId, collection: things, records: all, where: [where] })
  expect([...matched].toSorted()).toEqual(found.map(({ id }) => id))
})

test('an order that cannot be read is told as one', () => {
  for (const sort of ['nothing', '-title.x', 'created,', 'title,nothing', '@collection.none.x', '\0'])
    expect(() => language.query({ collection: things, sort, asker, now }), sort).toThrow(expect.objectContaining({ issues: [expect.objectContaining({ path: ['sort'] })] }))
})

test('what comes with a request may hold what no stored text does', async () => {
  const sent: Asker = {
    ...asker,
    superuser: false,
    request: { method: 'POST', context: 'default', query: { a: '\0' }, headers: {}, body: { title: 'one\0', list: ['\0'], deep: { x: '\uD800' } } },
  }
  for (const rule of [
    '@request.query.a = title',
    'title ~ @request.query.a',
    '@request.body.title = title',
    '@request.body.title:lower = title',
    '@request.body.list ~ title',
    '@request.body.deep.x = title',
  ]) {
    const where = language.rule({ ...things, rules: { ...open, list: rule } }, 'list', sent, now)
    expect(await listRecords(db.database, { workspaceId, collection: things, where: [where!], order: [], offset: 0, limit: 9, count: false }), rule).toBeDefined()
  }
})

test('of relations no more are followed than can be planned in time', async () => {
  const filter = (count: number): string => Array.from({ length: count }, (_, at) => `@collection.things:a${at}.id=id`).join('&&')
  expect(asked(filter(31))).toBeNull()
  const startedAt = performance.now()
  const { rows: found } = await listRecords(db.database, { workspaceId, collection: things, where: [asked(filter(7))!], order: [], offset: 0, limit: 9, count: true })
  expect(found).toEqual([])
  expect(performance.now() - startedAt).toBeLessThan(20_000)
})
