import type { Json, JsonObject, Record as CollectionRecord } from '@sluice/schema'
import { expect, test } from 'vitest'
import { coreCollections } from '../../../src/collections/core.ts'
import { ListQuery } from '../../../src/dialects/pocketbase/contract.ts'
import { collectionOf } from '../../../src/dialects/pocketbase/mapping/collection.ts'
import { excerptOf } from '../../../src/dialects/pocketbase/mapping/excerpt.ts'
import { pickFields } from '../../../src/dialects/pocketbase/mapping/fields.ts'
import { countsOf, pageAsked } from '../../../src/dialects/pocketbase/mapping/page.ts'
import { recordOf } from '../../../src/dialects/pocketbase/mapping/record.ts'

const user: CollectionRecord = {
  collection: { id: '_pb_users_auth_', name: 'users' },
  id: 'u',
  values: { name: 'Ann', created: '2026-01-31T12:00:00.001Z' },
  instants: ['created'],
}
const session: CollectionRecord = {
  collection: { id: 'pbc_3436149272', name: 'workflow_sessions' },
  id: 's',
  values: { user: 'u', title: '2026-01-31T12:00:00.000Z', created: '2026-01-31T12:00:00.000Z', endedAt: null, context: { b: 1, a: 2 } },
  instants: ['created', 'endedAt'],
}

test('a record is flat, its keys sorted, its instants with a space and empty where there is none; texts that look like one stay', () => {
  const written = recordOf({ ...session, expand: { user, several: [user] } })
  expect(Object.keys(written)).toEqual(['collectionId', 'collectionName', 'context', 'created', 'endedAt', 'expand', 'id', 'title', 'user'])
  expect(written).toMatchObject({ created: '2026-01-31 12:00:00.000Z', endedAt: '', title: '2026-01-31T12:00:00.000Z', context: { b: 1, a: 2 } })
  const ann = { collectionId: '_pb_users_auth_', collectionName: 'users', created: '2026-01-31 12:00:00.001Z', id: 'u', name: 'Ann' }
  expect(written['expand']).toEqual({ several: [ann], user: ann })
  expect(recordOf(session)).not.toHaveProperty('expand')
  expect(recordOf({ ...session, expand: {} })).toMatchObject({ expand: {} })
})

const query = (sent: object) => ListQuery.parse(sent)

test('a page out of bounds is brought into them', () => {
  expect(pageAsked(query({}))).toEqual({ offset: 0, limit: 30, count: true })
  expect(pageAsked(query({ page: '3', perPage: '50' }))).toEqual({ offset: 100, limit: 50, count: true })
  expect(pageAsked(query({ page: '-3', perPage: '-1', skipTotal: '1' }))).toEqual({ offset: 0, limit: 30, count: false })
  expect(pageAsked(query({ page: '', perPage: '5000', skipTotal: '' }))).toEqual({ offset: 0, limit: 1_000, count: true })
  expect(countsOf(query({ page: 2, perPage: 2 }), 5)).toEqual({ page: 2, perPage: 2, totalItems: 5, totalPages: 3 })
  expect(countsOf(query({}), 0)).toEqual({ page: 1, perPage: 30, totalItems: 0, totalPages: 0 })
  expect(countsOf(query({ skipTotal: 'T' }), undefined)).toEqual({ page: 1, perPage: 30, totalItems: -1, totalPages: -1 })
})

test('what is no integer, and no boolean in the spellings of Go, is refused', () => {
  for (const wrong of [{ page: 'x' }, { page: '1.5' }, { perPage: '1e3' }, { perPage: ' 1' }, { skipTotal: 'yes' }, { skipTotal: 'tRUE' }])
    expect([wrong, ListQuery.safeParse(wrong).success]).toEqual([wrong, false])
  for (const on of ['1', 't', 'T', 'true', 'TRUE', 'True']) expect(query({ skipTotal: on }).skipTotal).toBe(true)
  for (const off of ['0', 'f', 'F', 'false', 'FALSE', 'False']) expect(query({ skipTotal: off }).skipTotal).toBe(false)
})

const deep = { id: '123', title: 'lorem', rel: { id: '456', title: '<p>rel_title</p>', sub: { id: '789', title: 'sub_title' } } }

test.for<[string, JsonObject, Json]>([
  ['', { a: 1, b: 2 }, { a: 1, b: 2 }],
  ['missing', { a: 1 }, {}],
  ['a,  c  ,missing', { a: 1, b: 2, c: 't' }, { a: 1, c: 't' }],
  ['*', deep, deep],
  ['*,rel.id', deep, { id: '123', title: 'lorem', rel: { id: '456' } }],
  ['id,rel.*', deep, { id: '123', rel: deep.rel }],
  ['id,rel.*,rel.sub.id', deep, { id: '123', rel: { id: '456', title: deep.rel.title, sub: { id: '789' } } }],
  ['rel,rel.id', deep, { rel: deep.rel }],
  ['*:excerpt(2),rel.title:excerpt(3, true)', deep, { id: '12', title: 'lo', rel: { title: 'rel...' } }],
  ['list.D.A', { list: [{ A: 1, D: [{ A: 1, B: 2 }, { B: 3 }] }, { A: 2 }] }, { list: [{ D: [{ A: 1 }, {}] }, {}] }],
  ['a.b', { a: 'text' }, { a: 'text' }],
  ['toString,__proto__', { a: 1 }, {}],
])('fields %s', ([fields, value, expected]) => {
  expect(pickFields(fields)(value)).toEqual(expected)
})

test('a modifier that there is none of is refused, with the reason', () => {
  for (const wrong of ['*:excerpt', 'a:excerpt()', 'a:excerpt(0)', 'a:excerpt(x)', 'a:excerpt(1,true,2)', 'a:upper(1)', 'a:', `${'a.'.repeat(40)}b`])
    expect(() => pickFields(wrong), wrong).toThrow(expect.objectContaining({ code: 'filter_invalid', issues: [expect.objectContaining({ path: ['fields'] })] }))
  expect(pickFields('a:excerpt(1,something)')({ a: 'bc' })).toEqual({ a: 'b' })
})

test('an excerpt is plain text, as many characters as were asked for', () => {
  const html = ` <script>var a = 123;</script>   <p>Hello</p><div id="test_id">t   est<b>12\n\t3</b><span>456</span></div><span>word <b>7</b> 89<span>!<b>?</b><b> a </b><b>b </b>c</span>#<h1>title</h1>`
  const plain = 'Hello t est12 3456 word 7 89!? a b c# title'
  const of = (text: string, max: number, withEllipsis = false) => excerptOf(text, { max, withEllipsis })
  expect([of(html, 2), of(html, plain.length), of(html, 999)]).toEqual(['He', plain, plain])
  expect([of(html, 2, true), of(html, plain.length, true)]).toEqual(['He...', plain])
  expect([of('аб\nв ', 4, true), of('аб\nв ', 3, true)]).toEqual(['аб в', 'аб...'])
  expect([of('😀😀😀', 2, true), of('1 < 2 &amp; &lt;3', 99), of('a<!-- b -->c<style>d', 99)]).toEqual(['😀😀...', '1 < 2 & <3', 'ac'])
})

test('however a text is made, its excerpt is there at once', () => {
  const before = process.cpuUsage().user
  for (const piece of ['<', '<!--', '<script>', '</', '&#1', '<a ']) excerptOf(piece.repeat(100_000), { max: 10, withEllipsis: true })
  expect(process.cpuUsage().user - before).toBeLessThan(5_000_000)
})

test('a collection is told with the ids that its relations lead to', () => {
  const sessions = collectionOf(
    coreCollections.find(({ name }) => name === 'workflow_sessions')!,
    coreCollections,
  )
  expect(sessions).toMatchObject({ id: 'pbc_3436149272', type: 'base', listRule: 'user = @request.auth.id', indexes: [] })
  const fields = sessions['fields'] as JsonObject[]
  expect(fields.map(({ name }) => name)).toEqual(['id', 'title', 'status', 'currentStepId', 'steps', 'context', 'user', 'workflow', 'created', 'updated'])
  expect(fields.find(({ name }) => name === 'user')).toMatchObject({ type: 'relation', collectionId: '_pb_users_auth_', maxSelect: 1 })
  expect(fields[0]).toMatchObject({ primaryKey: true, min: 15, max: 15 })
})
