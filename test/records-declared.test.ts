import { Fault, type Json, type JsonObject, type Record as CollectionRecord } from '@sluice/schema'
import { expect, test } from 'vitest'
import type { Principal } from '../packages/server/src/access/principal.ts'
import { createCollections } from '../packages/server/src/collections/collections.ts'
import { declare } from '../packages/server/src/collections/declare.ts'
import { declaredWriter } from '../packages/server/src/records/declared.ts'
import { createRecords, type RecordsParts } from '../packages/server/src/records/records.ts'
import { createRoom, type Language, type RecordRow, type Stored, type StockedRoom } from '../packages/server/src/records/room.ts'
import type { Rooms } from '../packages/server/src/sessions/within.ts'
import type { Tx } from '../packages/server/src/store/index.ts'
import { testDatabase } from './support/database.ts'

/**
 * How records of declared collections are written, over a database. Rules and reading are toys here: a rule is the name of the field
 * that has to be the asker, or empty.
 */

const own = { listRule: 'owner', viewRule: 'owner', createRule: 'owner', updateRule: 'owner', deleteRule: 'owner' }
const open = { listRule: '', viewRule: '', createRule: '', updateRule: '', deleteRule: '' }
const to = (name: string, collectionId: string, more: object = {}) => ({ name, type: 'relation', collectionId, ...more })
const autodates = [
  { name: 'created', type: 'autodate', onCreate: true },
  { name: 'updated', type: 'autodate', onCreate: true, onUpdate: true },
]

const { collections, problems } = declare([
  { name: 'authors', ...open, fields: [{ name: 'name', type: 'text', required: true }, { name: 'note', type: 'text', hidden: true }, ...autodates] },
  {
    name: 'books',
    ...own,
    fields: [
      { name: 'title', type: 'text', required: true },
      { name: 'isbn', type: 'text' },
      { name: 'sold', type: 'number' },
      to('author', 'authors', { cascadeDelete: true }),
      to('editors', 'authors', { maxSelect: 3 }),
      { name: 'owner', type: 'text' },
      ...autodates,
    ],
    indexes: ['create unique index b on books (isbn)'],
  },
  { name: 'reviews', ...open, fields: [to('book', 'books', { required: true }), { name: 'text', type: 'text' }] },
  { name: 'notes', ...open, fields: [to('book', 'books', { cascadeDelete: true, required: true }), to('next', 'notes', { cascadeDelete: true })] },
  { name: 'laws', fields: [{ name: 'text', type: 'text' }] },
])

type Rule = (row: RecordRow) => boolean

const language: Language<Rule, null> = {
  query: () => ({ where: () => true, order: null }),
  rule({ rules }, which, { superuser, userId }) {
    const rule = rules[which]
    if (superuser) return () => true
    return rule === null ? null : (row) => rule === '' || row.values[rule] === userId
  },
}

async function rowsOf(tx: Tx, workspaceId: string, collection: string): Promise<RecordRow[]> {
  const rows = await tx.query<{ id: string; data: JsonObject; created_at: Date; updated_at: Date }>(
    'select id, data, created_at, updated_at from records where workspace_id = $1 and collection = $2 order by id',
    [workspaceId, collection],
  )
  return rows.map(({ id, data, created_at: created, updated_at: updated }) => ({ id, values: { ...data, created: created.toISOString(), updated: updated.toISOString() } }))
}

const refers = (value: Json | undefined, targets: readonly string[]): boolean =>
  (Array.isArray(value) ? value : [value]).some((id) => typeof id === 'string' && targets.includes(id))

const stored: Stored<Rule, null> = {
  async list(tx, { workspaceId, collection, where, offset, limit }) {
    const rows = (await rowsOf(tx, workspaceId, collection.id)).filter((row) => where.every((holds) => holds(row)))
    return { rows: rows.slice(offset, offset + limit) }
  },
  async read(tx, { workspaceId, collection, ids, where }) {
    return (await rowsOf(tx, workspaceId, collection.id)).filter((row) => ids.includes(row.id) && where.every((holds) => holds(row)))
  },
  async referring(tx, { workspaceId, collection, where, field, targets }) {
    return (await rowsOf(tx, workspaceId, collection.id)).filter((row) => refers(row.values[field], targets) && where.every((holds) => holds(row)))
  },
}

const principal = (userId: string, role: Principal['role'] = 'operator', workspaceId = 'w'): Principal => ({
  id: userId,
  userId,
  workspaceId,
  role,
  scopes: null,
  credential: 'token',
  email: `${userId}@example.com`,
  name: userId,
})
const ann = principal('ann')
const ben = principal('ben')
const boss = principal('boss', 'owner')
const stranger = principal('ann', 'owner', 'other')

async function library() {
  const db = await testDatabase()
  await db.database.query(`insert into workspaces (id, handle, name) values ('w', 'w', 'W'), ('other', 'other', 'Other')`)
  const rooms = { database: db.database, doorbell: { ring: () => {} }, rounds: {}, files: {} } as unknown as Rooms
  const room: StockedRoom<Rule, null> = { ...createRoom(createCollections(collections), { declared: declaredWriter }), database: db.database, language, stored }
  const records = createRecords({ ...rooms, room, access: {} as RecordsParts['access'], now: () => Date.now() })
  return {
    ...db,
    records,
    create: (collection: string, values: JsonObject, as = ann, expand?: string) => records.create(as, { collection, values, ...(expand !== undefined && { expand }) }),
    all: async (collection: string, as = boss) => (await records.list(as, { collection, limit: 100 })).items,
    events: async () =>
      (
        await db.database.query<{ subject_id: string; seq: number; type: string; owner: string | null }>(
          `select subject_id, seq, type, owner from events where subject_kind = 'record' order by position`,
        )
      ).map(({ subject_id: id, seq, type, owner }) => `${id.split('/')[1]} ${seq} ${type} ${owner}`),
    [Symbol.asyncDispose]: () => db.close(),
  }
}

async function faultOf(call: Promise<unknown>): Promise<Fault> {
  const answer = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (answer instanceof Fault) return answer
  throw answer instanceof Error ? answer : new Error('It was not refused')
}
const codeOf = async (call: Promise<unknown>): Promise<string> => (await faultOf(call)).code
const issuesOf = async (call: Promise<unknown>): Promise<unknown> => (await faultOf(call)).issues.map(({ path, code }) => `${path!.join('.')} ${code}`)
const id = (name: string): string => name.padEnd(15, '0')

test('the file of these tests has nothing wrong', () => expect(problems).toEqual([]))

test('a record is answered with all its fields, its instants named, and what is hidden left to superusers', async () => {
  await using db = await library()
  const values = { name: 'Ada', note: 'secret', nothing: 1 }
  const author = await db.create('authors', values, boss)
  expect(author).toMatchObject({ collection: { name: 'authors' }, values: { name: 'Ada', note: 'secret' }, instants: ['created', 'updated'] })
  expect((await db.records.get(ann, { collection: 'authors', id: author.id })).values).toEqual({
    name: 'Ada',
    created: author.values['created'],
    updated: author.values['created'],
  })
  expect((await db.create('authors', values, ann)).values).not.toHaveProperty('note')
  expect((await db.all('authors')).map((each) => each.values['note'])).toEqual(['secret', ''])
})

test('who is not let in by a rule creates nothing, finds nothing and changes nothing', async () => {
  await using db = await library()
  expect(await codeOf(db.create('books', { title: 'Not mine', owner: 'ben' }))).toBe('record_refused')
  expect([await db.all('books'), await db.events()]).toEqual([[], []])
  const { id } = await db.create('books', { title: 'Mine', owner: 'ann' })
  expect([await db.all('books', ben), (await db.all('books', ann)).length]).toEqual([[], 1])
  expect(await codeOf(db.records.get(ben, { collection: 'books', id }))).toBe('record_missing')
  expect(await codeOf(db.records.update(ben, { collection: 'books', id, values: { title: 'Ours' } }))).toBe('record_missing')
  expect(await codeOf(db.records.delete(ben, { collection: 'books', id }))).toBe('record_missing')
  expect((await db.records.update(boss, { collection: 'books', id, values: { title: 'Ours' } })).values['title']).toBe('Ours')
  expect(await codeOf(db.create('laws', {}))).toBe('superusers_only')
  expect(await codeOf(db.create('books', { title: 'x' }, principal('eve', 'viewer')))).toBe('permission_denied')
  expect(await codeOf(db.create('runs', {}, boss))).toBe('collection_read_only')
  expect(await codeOf(db.create('nowhere', {}, boss))).toBe('collection_missing')
})

test('of one value there is one, also of two that come at once, and another workspace has its own', async () => {
  await using db = await library()
  const books = await Promise.allSettled(Array.from({ length: 6 }, (_, at) => db.create('books', { title: `${at}`, isbn: 'one', owner: 'ann' })))
  expect(books.map(({ status }) => status).toSorted()).toEqual(['fulfilled', ...Array.from({ length: 5 }, () => 'rejected')])
  const refused = books.filter((each) => each.status === 'rejected').map(({ reason }: { reason: Fault }) => reason.issues)
  expect(new Set(refused.map((issues) => JSON.stringify(issues)))).toEqual(new Set(['[{"path":["isbn"],"code":"not_unique","message":"Value must be unique."}]']))
  const other = await db.create('books', { title: 'B', isbn: 'two', owner: 'ann' })
  expect(await issuesOf(db.records.update(ann, { collection: 'books', id: other.id, values: { isbn: 'one' } }))).toEqual(['isbn not_unique'])
  await db.records.update(ann, { collection: 'books', id: other.id, values: { isbn: 'two', title: 'Same' } })
  await db.records.update(ann, { collection: 'books', id: other.id, values: { isbn: 'three' } })
  await db.create('books', { title: 'C', isbn: 'two', owner: 'ann' })
  await db.create('books', { title: 'D', isbn: 'one', owner: 'ann' }, stranger)
})

test('an id is one of its collection in a workspace: elsewhere the same is another record, with events of its own', async () => {
  await using db = await library()
  const given = { id: id('same'), name: 'Ada' }
  await db.create('authors', given)
  expect(await issuesOf(db.create('authors', given))).toEqual(['id not_unique'])
  await db.create('books', { id: id('same'), title: 'T', owner: 'ann' })
  await db.create('authors', { ...given, name: 'Eve' }, stranger)
  expect((await db.records.get(ann, { collection: 'authors', id: id('same') })).values['name']).toBe('Ada')
  await db.records.delete(stranger, { collection: 'authors', id: id('same') })
  expect((await db.all('authors')).length).toBe(1)
})

test('each change is an event without gaps, for admins alone as far as the log is read as it is; an id that comes again counts on', async () => {
  await using db = await library()
  const one = { collection: 'authors', id: id('a') }
  await db.create('authors', { id: one.id, name: 'Ada' })
  await db.records.update(ann, { ...one, values: { name: 'Ada L.' } })
  await db.records.delete(ann, one)
  await db.create('authors', { id: one.id, name: 'Again' })
  expect(await db.events()).toEqual(['created', 'updated', 'deleted', 'created'].map((type, at) => `${one.id} ${at + 1} ${type} *`))
})

test('a relation leads to what is there in this workspace, and all that is wrong is told at once', async () => {
  await using db = await library()
  const foreign = await db.create('authors', { name: 'Far' }, stranger)
  const near = await db.create('authors', { name: 'Near' })
  const wrong = db.create('books', { owner: 'ann', sold: 'many', author: foreign.id, editors: [near.id, id('none')] })
  expect(await issuesOf(wrong)).toEqual(['title required', 'sold not_a_number', 'author missing_records', 'editors missing_records'])
  const book = await db.create('books', { title: 'T', owner: 'ann', author: near.id, editors: [near.id] }, ann, 'author,editors,nothing,books_via_author')
  expect(Object.keys(book.expand!)).toEqual(['author', 'editors'])
  expect((book.expand!['author'] as CollectionRecord).values['name']).toBe('Near')
})

test('changes that add go by what is there, however many come at once', async () => {
  await using db = await library()
  const { id } = await db.create('books', { title: 'T', owner: 'ann', sold: 1 })
  await Promise.all(Array.from({ length: 8 }, () => db.records.update(ann, { collection: 'books', id, values: { 'sold+': 2 } })))
  expect((await db.records.get(ann, { collection: 'books', id })).values['sold']).toBe(17)
})

test('what refers to a deleted record goes with it, is emptied, or keeps it', async () => {
  await using db = await library()
  const [ada, bob] = [await db.create('authors', { name: 'Ada' }), await db.create('authors', { name: 'Bob' })]
  const book = await db.create('books', { title: 'T', owner: 'ben', author: ada.id, editors: [ada.id, bob.id] }, boss)
  const edited = await db.create('books', { title: 'U', isbn: 'u', owner: 'ben', author: bob.id, editors: [bob.id, ada.id] }, boss)
  const note = await db.create('notes', { book: book.id })
  await db.records.update(ann, { collection: 'notes', id: note.id, values: { next: note.id } })
  const review = await db.create('reviews', { book: book.id }, boss)
  expect((await faultOf(db.records.delete(ann, { collection: 'authors', id: ada.id }))).details).toEqual({ collection: 'reviews', id: review.id, field: 'book' })
  expect([(await db.all('authors')).length, (await db.all('books')).length, (await db.all('notes')).length]).toEqual([2, 2, 1])
  await db.records.delete(boss, { collection: 'reviews', id: review.id })
  await db.records.delete(ann, { collection: 'authors', id: ada.id })
  expect((await db.all('books')).map((each) => [each.id, each.values['editors']])).toEqual([[edited.id, [bob.id]]])
  expect(await db.all('notes')).toEqual([])
})

test('what refers and what is referred to at once: nothing is left that leads nowhere', async () => {
  await using db = await library()
  for (let time = 0; time < 5; time++) {
    const author = await db.create('authors', { name: 'Ada' })
    await Promise.allSettled([
      db.records.delete(ann, { collection: 'authors', id: author.id }),
      db.create('books', { title: 'T', isbn: `${time}`, owner: 'ann', author: author.id }),
    ])
  }
  const there = new Set((await db.all('authors')).map((author) => author.id))
  expect((await db.all('books')).filter((book) => ![...there].includes(book.values['author'] as string))).toEqual([])
})

test('a back relation is expanded as its view rule lets, and names that are no relation leave no trace', async () => {
  await using db = await library()
  const ada = await db.create('authors', { name: 'Ada' })
  await db.create('books', { title: 'A', isbn: 'a', owner: 'ann', author: ada.id })
  await db.create('books', { title: 'B', isbn: 'b', owner: 'ben', author: ada.id }, ben)
  const asked = async (expand: string, as = ann) => (await db.records.get(as, { collection: 'authors', id: ada.id, expand })).expand
  const titles = async (as: Principal) => ((await asked('books_via_author', as))!['books_via_author'] as CollectionRecord[]).map((book) => book.values['title'])
  expect([await titles(ann), await titles(ben), await titles(boss)]).toEqual([['A'], ['B'], ['A', 'B']])
  expect([await asked('nothing,name'), await asked('books_via_editors'), await asked('books_via_author', principal('eve'))]).toEqual([undefined, {}, {}])
})

test('a page goes on where the one before it ended', async () => {
  await using db = await library()
  for (const name of ['a', 'b', 'c', 'd', 'e']) await db.create('authors', { id: id(name), name })
  const names: Json[] = []
  for (let cursor: string | undefined | null; cursor !== null;) {
    const page = await db.records.list(ann, { collection: 'authors', limit: 2, ...(cursor && { cursor }) })
    names.push(page.items.map((each) => each.values['name']!))
    cursor = page.nextCursor
  }
  expect(names).toEqual([['a', 'b'], ['c', 'd'], ['e']])
  expect(await codeOf(db.records.list(ann, { collection: 'authors', limit: 2, cursor: 'nonsense' }))).toBe('cursor_invalid')
})
