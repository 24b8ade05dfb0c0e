import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConflictError, createClient, ForbiddenError, InvalidError, NotFoundError, type SignedIn, type Sluice } from '@sluice/client'
import type { JsonObject, Record as CollectionRecord } from '@sluice/schema'
import { expect, test } from 'vitest'
import { admin, testServer } from './support/server.ts'

/** Records of collections that a file declares, over the SDK: authors, books and tags, as a reading list has them. */

const letIn = "@request.auth.id != ''"
const open = { listRule: letIn, viewRule: letIn, createRule: letIn, updateRule: letIn, deleteRule: letIn }
const mine = 'owner = @request.auth.id'
const autodates = [
  { name: 'created', type: 'autodate', onCreate: true },
  { name: 'updated', type: 'autodate', onCreate: true, onUpdate: true },
]
const shelf = [
  { name: 'authors', ...open, fields: [{ name: 'name', type: 'text', required: true }, { name: 'note', type: 'text', hidden: true }, ...autodates] },
  { name: 'tags', ...open, fields: [{ name: 'name', type: 'text', required: true }], indexes: ['CREATE UNIQUE INDEX `t` ON `tags` (`name`)'] },
  {
    name: 'books',
    listRule: `${mine} || public = true`,
    viewRule: `${mine} || public = true`,
    createRule: `${mine} && @request.body.title != "Forbidden"`,
    updateRule: mine,
    deleteRule: mine,
    fields: [
      { name: 'title', type: 'text', required: true },
      { name: 'pages', type: 'number', onlyInt: true, min: 1 },
      { name: 'public', type: 'bool' },
      { name: 'genre', type: 'select', values: ['novel', 'poetry'] },
      { name: 'published', type: 'date' },
      { name: 'meta', type: 'json' },
      { name: 'author', type: 'relation', collectionId: 'authors', required: true },
      { name: 'tags', type: 'relation', collectionId: 'tags', maxSelect: 5 },
      { name: 'owner', type: 'relation', collectionId: 'users', required: true },
      ...autodates,
    ],
  },
  { name: 'laws', fields: [{ name: 'text', type: 'text' }] },
]

const password = 'a horse of another colour'

/** A server with the file, an admin, and two operators. */
async function library(written: object[] = shelf) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-shelf-'))
  const file = join(folder, 'collections.json')
  await writeFile(file, JSON.stringify(written))
  const server = await testServer({ SLUICE_COLLECTIONS: file })
  const boss = createClient({ url: server.url, token: server.token })
  const operator = async (name: string): Promise<SignedIn & { own: string }> => {
    const email = `${name}@example.com`
    await server.call('POST', '/v1/members', { email, name, role: 'operator', password })
    const client = await createClient({ url: server.url }).auth.login({ email, password })
    return Object.assign(client, { own: (await client.auth.me()).user.id })
  }
  return {
    server,
    boss,
    ann: await operator('ann'),
    ben: await operator('ben'),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

const named = (client: Sluice, collection: string, name: string) => client.records.create({ collection, values: { name } })
const titlesOf = async (client: Sluice, filter = '', sort = 'title'): Promise<unknown[]> => {
  const titles: unknown[] = []
  for await (const book of client.records.list({ collection: 'books', filter, sort })) titles.push(book.values['title'])
  return titles
}
const oneOf = (value: CollectionRecord | CollectionRecord[] | undefined): CollectionRecord => value as CollectionRecord

test('what a file declares is written, read, filtered, ordered and expanded, each by its rules', async () => {
  await using shelf = await library()
  const { ann, ben, boss } = shelf
  const author = await named(ann, 'authors', 'Ada')
  const [red, blue] = [await named(ann, 'tags', 'red'), await named(ann, 'tags', 'blue')]
  const book = (client: typeof ann, title: string, more: JsonObject = {}) =>
    client.records.create({ collection: 'books', values: { title, author: author.id, owner: client.own, ...more }, expand: 'author,tags' })

  const first = await book(ann, 'Alpha', { tags: [red.id, blue.id], pages: '10', published: '2024-02-29 10:00:00.000Z', meta: '{"a":{"b":1}}' })
  expect(first.values).toMatchObject({ pages: 10, published: '2024-02-29T10:00:00.000Z', meta: { a: { b: 1 } }, public: false, genre: '', owner: ann.own })
  expect(first.instants.toSorted()).toEqual(['created', 'published', 'updated'])
  expect(oneOf(first.expand!['author']).values['name']).toBe('Ada')
  expect((first.expand!['tags'] as CollectionRecord[]).map((tag) => tag.values['name'])).toEqual(['red', 'blue'])
  await book(ben, 'Beta', { public: true, tags: [red.id] })
  await book(ben, 'Gamma')

  expect([await titlesOf(ann), await titlesOf(ben), await titlesOf(boss)]).toEqual([
    ['Alpha', 'Beta'],
    ['Beta', 'Gamma'],
    ['Alpha', 'Beta', 'Gamma'],
  ])
  expect(await titlesOf(boss, 'author.name = "Ada" && tags.name ?= "red"', '-title')).toEqual(['Beta', 'Alpha'])
  expect(await titlesOf(boss, 'meta.a.b = 1 || pages > 100')).toEqual(['Alpha'])
  expect((await boss.records.get({ collection: 'authors', id: author.id, expand: 'books_via_author' })).expand!['books_via_author']).toHaveLength(3)
  expect((await ann.records.get({ collection: 'authors', id: author.id, expand: 'books_via_author' })).expand!['books_via_author']).toHaveLength(2)

  await expect(book(ann, 'Forbidden')).rejects.toMatchObject({ code: 'record_refused' })
  await expect(ann.records.create({ collection: 'books', values: { title: 'x', author: author.id, owner: ben.own } })).rejects.toThrow(ForbiddenError)
  await expect(ben.records.update({ collection: 'books', id: first.id, values: { title: 'Mine' } })).rejects.toThrow(NotFoundError)
  await expect(ann.records.create({ collection: 'laws', values: {} })).rejects.toMatchObject({ code: 'superusers_only' })
  await expect(ann.records.list({ collection: 'authors', filter: 'note = ""' })).rejects.toMatchObject({ code: 'filter_invalid' })
  await expect(ann.records.delete({ collection: 'authors', id: author.id })).rejects.toThrow(ConflictError)
})

test('what is wrong is told at once, in words that clients can act on', async () => {
  await using shelf = await library()
  const { ann } = shelf
  const values = { title: '', pages: 0.5, genre: 'prose', author: 'a'.repeat(15), owner: ann.own, id: 'short' }
  const error = await ann.records.create({ collection: 'books', values }).then(
    () => undefined,
    (refused: unknown) => refused,
  )
  expect(error).toBeInstanceOf(InvalidError)
  expect((error as InvalidError).issues.map(({ path, code, params }) => [path?.[0], code, params])).toEqual([
    ['id', 'min_text', { min: 15 }],
    ['title', 'required', undefined],
    ['pages', 'only_int', undefined],
    ['genre', 'invalid_value', { value: 'prose' }],
    ['author', 'missing_records', undefined],
  ])
  await named(ann, 'tags', 'red')
  await expect(named(ann, 'tags', 'red')).rejects.toMatchObject({ code: 'record_invalid', issues: [{ path: ['name'], code: 'not_unique' }] })
})

test('a batch happens as a whole or not at all', async () => {
  await using shelf = await library()
  const { ann } = shelf
  const tag = (name: string) => ({ do: 'create', collection: 'tags', values: { name } }) as const
  await expect(ann.records.batch({ requests: [tag('a'), tag('b'), tag('a')] })).rejects.toMatchObject({ code: 'batch_failed', details: { index: 2 } })
  expect((await ann.records.list({ collection: 'tags' })).items).toEqual([])
  const { records } = await ann.records.batch({ requests: [tag('a'), tag('b')] })
  expect(records.map((each) => each?.values['name'])).toEqual(['a', 'b'])
})

test('another workspace has the same collections, and none of the records', async () => {
  await using shelf = await library()
  const { boss, server } = shelf
  const author = await named(boss, 'authors', 'Ada')
  const workspace = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere', handle: 'elsewhere' })
  const { token } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: workspace.id })
  const there = createClient({ url: server.url, token })
  expect((await there.records.list({ collection: 'authors' })).items).toEqual([])
  const which = { collection: 'authors', id: author.id }
  for (const call of [() => there.records.get(which), () => there.records.update({ ...which, values: { name: 'Eve' } }), () => there.records.delete(which)])
    await expect(call()).rejects.toThrow(NotFoundError)
  await there.records.create({ collection: 'authors', values: { id: author.id, name: 'Eve' } })
  expect((await boss.records.get(which)).values['name']).toBe('Ada')
})

test('collections are told to admins, and records are there after a restart', async () => {
  await using shelf = await library()
  const { ann, boss, server } = shelf
  const author = await named(ann, 'authors', 'Ada')
  expect((await boss.collections.list()).items.map(({ name }) => name)).toEqual(expect.arrayContaining(['workflow_sessions', 'authors', 'books', 'tags', 'laws']))
  expect(await boss.collections.get({ collection: 'BOOKS' })).toMatchObject({ name: 'books', system: false, rules: { list: `${mine} || public = true` } })
  await expect(ann.collections.list()).rejects.toThrow(ForbiddenError)
  await using second = await server.another()
  const again = await createClient({ url: second.url }).auth.login(admin)
  expect((await again.records.get({ collection: 'authors', id: author.id })).values['name']).toBe('Ada')
})

test('a rule that cannot be read stops the start, with its place', async () => {
  const wrong = [{ name: 'authors', listRule: 'nobody = 1', viewRule: 'name = ', fields: [{ name: 'name', type: 'text' }] }]
  await expect(library(wrong)).rejects.toThrow(/\[0\]\.listRule \(authors\): .*\[0\]\.viewRule \(authors\): /)
})
