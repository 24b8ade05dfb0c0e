import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type PocketBase from 'pocketbase'
import type { RecordSubscribeOptions, RecordSubscription } from 'pocketbase'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { eventually } from '../../support/processes.ts'
import { member, type PocketBaseServer, pocketbaseServer, type Row, sdkOf } from './sdk.ts'

/** What is told of the collections that a file declares, over the published SDK. */

const own = 'owner = @request.auth.id'
const ofOwnShelf = 'shelf.owner = @request.auth.id'
const ruled = (rule: string) => ({ listRule: rule, viewRule: rule, createRule: rule, updateRule: rule, deleteRule: rule })
const text = (name: string, more: object = {}) => ({ name, type: 'text', ...more })
const to = (name: string, collectionId: string, more: object = {}) => ({ name, type: 'relation', collectionId, required: true, ...more })

const declared = [
  { name: 'shelves', ...ruled(own), fields: [text('name'), to('owner', 'users')] },
  { name: 'books', ...ruled(ofOwnShelf), fields: [text('title'), text('note', { hidden: true }), to('shelf', 'shelves', { cascadeDelete: true })] },
  { name: 'laws', fields: [text('title')] },
]

let folder: string
let base: PocketBaseServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-declared-'))
  const file = join(folder, 'collections.json')
  await writeFile(file, JSON.stringify(declared))
  base = await pocketbaseServer({ SLUICE_COLLECTIONS: file })
})
afterAll(async () => {
  await base?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})
afterEach(() => Promise.all([base.pb, base.superuser].map((pb) => pb.realtime.unsubscribe())))

type Told = RecordSubscription<Row>

async function listen(pb: PocketBase, collection: string, topic = '*', options?: RecordSubscribeOptions): Promise<Told[]> {
  const told: Told[] = []
  await pb.collection(collection).subscribe<Row>(topic, (message) => void told.push(message), options)
  return told
}

const brief = (told: readonly Told[]): unknown[] => told.map(({ action, record }) => [action, record['title'] ?? record['name']])

/** All that came before it has been told when this law is. */
async function settled(): Promise<void> {
  const laws = await listen(base.superuser, 'laws')
  const title = `law ${Math.random()}`
  await base.superuser.collection('laws').create({ title })
  await eventually('the law is told', () => laws.some(({ record }) => record['title'] === title))
}

test('creations, changes and deletions are told to whom the rules let, with what is not hidden', async () => {
  const { pb, superuser, me, server } = base
  const stranger = await sdkOf(server.url, await member(server, 'stranger@example.com'))
  const shelf = await pb.collection('shelves').create<Row>({ name: 'Mine', owner: me })
  const [mine, expanded, some, one, theirs, laws, all] = await Promise.all([
    listen(pb, 'books'),
    listen(pb, 'books', '*', { expand: 'shelf.owner', fields: 'title,expand.shelf.name' }),
    listen(pb, 'books', '*', { filter: 'title ~ "B" && shelf.name = "Mine"' }),
    listen(pb, 'shelves', shelf.id),
    listen(stranger, 'books'),
    listen(pb, 'laws'),
    listen(superuser, 'books'),
  ])
  const book = await pb.collection('books').create<Row>({ title: 'A', shelf: shelf.id })
  await superuser.collection('books').update(book.id, { title: 'B', note: 'of admins' })
  await pb.collection('books').update(book.id, { title: 'C' })
  await pb.collection('books').delete(book.id)
  await settled()
  await eventually('all is told', () => mine.length === 4 && all.length === 4 && expanded.length === 4 && some.length === 1)
  expect(brief(mine)).toEqual([
    ['create', 'A'],
    ['update', 'B'],
    ['update', 'C'],
    ['delete', 'C'],
  ])
  expect(expanded[0]).toEqual({ action: 'create', record: { title: 'A', expand: { shelf: { name: 'Mine' } } } })
  expect(brief(some)).toEqual([['update', 'B']])
  expect([mine, all].map((told) => told.map(({ record }) => record['note']))).toEqual([
    [undefined, undefined, undefined, undefined],
    ['', 'of admins', 'of admins', 'of admins'],
  ])
  expect([one, theirs, laws]).toEqual([[], [], []])
  await stranger.realtime.unsubscribe()
})

test('what is deleted with a record is told, too', async () => {
  const { pb, superuser, me } = base
  const shelf = await pb.collection('shelves').create<Row>({ name: 'Full', owner: me })
  for (const title of ['A', 'B']) await pb.collection('books').create({ title, shelf: shelf.id })
  const [shelves, books, one] = await Promise.all([listen(pb, 'shelves'), listen(superuser, 'books'), listen(superuser, 'books', '*', { filter: 'title = "A"' })])
  await pb.collection('shelves').delete(shelf.id)
  await eventually('all is told', () => shelves.length === 1 && books.length === 2 && one.length === 1)
  expect(brief(shelves)).toEqual([['delete', 'Full']])
  expect(brief(books).toSorted()).toEqual([
    ['delete', 'A'],
    ['delete', 'B'],
  ])
  expect(books[0]!.record).toMatchObject({ collectionName: 'books', shelf: shelf.id })
})

test('what is deleted together is told to whom it was there for, though their rule asks about what has gone with it', async () => {
  const { pb, me, server } = base
  const stranger = await sdkOf(server.url, await member(server, 'another@example.com'))
  const shelf = await pb.collection('shelves').create<Row>({ name: 'Full', owner: me })
  for (const title of ['A', 'B']) await pb.collection('books').create({ title, shelf: shelf.id })
  const [shelves, books, named, theirs] = await Promise.all([
    listen(pb, 'shelves'),
    listen(pb, 'books'),
    listen(pb, 'books', '*', { filter: 'shelf.name = "Full"' }),
    listen(stranger, 'books'),
  ])
  await pb.collection('shelves').delete(shelf.id)
  await settled()
  await eventually('all is told', () => shelves.length === 1 && books.length === 2 && named.length === 2)
  expect(brief(shelves)).toEqual([['delete', 'Full']])
  expect(brief(books).toSorted()).toEqual([
    ['delete', 'A'],
    ['delete', 'B'],
  ])
  expect(theirs).toEqual([])
  await stranger.realtime.unsubscribe()
})

test('of a batch that is rolled back nothing is told, and of one that is kept all, in its order', async () => {
  const { pb, me } = base
  const shelves = await listen(pb, 'shelves')
  const failing = pb.createBatch()
  failing.collection('shelves').create({ name: 'Never', owner: me })
  failing.collection('shelves').create({ name: 'Of nobody', owner: 'nobody000000000' })
  await expect(failing.send()).rejects.toMatchObject({ status: 400 })
  const kept = pb.createBatch()
  for (const name of ['1', '2', '3']) kept.collection('shelves').create({ name, owner: me })
  await kept.send()
  await eventually('all is told', () => shelves.length >= 3)
  expect(brief(shelves)).toEqual([
    ['create', '1'],
    ['create', '2'],
    ['create', '3'],
  ])
})
