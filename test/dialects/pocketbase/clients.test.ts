import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type PocketBase from 'pocketbase'
import { and, eq, like, or, TypedPocketBase } from 'typed-pocketbase'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deadline } from '../../support/deadline.ts'
import { here } from '../../support/processes.ts'
import { admin } from '../../support/server.ts'
import { libraryCollections } from './library.ts'
import { type PocketBaseServer, pocketbaseServer, type Row } from './sdk.ts'

const run = promisify(execFile)

let folder: string
let base: PocketBaseServer
let pb: PocketBase
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-collections-'))
  const file = join(folder, 'collections.json')
  await writeFile(file, JSON.stringify(libraryCollections))
  base = await pocketbaseServer({ SLUICE_COLLECTIONS: file })
  pb = base.pb
})
afterAll(async () => {
  await base[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

describe('pocketbase-typegen', () => {
  test('reads the collections of the server, and what it writes of them compiles', async () => {
    const out = join(folder, 'types.ts')
    const cli = join(dirname(createRequire(import.meta.url).resolve('pocketbase-typegen')), 'cli.js')
    await run(process.execPath, [cli, '--url', base.server.url, '--email', admin.email, '--password', admin.password, '--out', out], { timeout: 30_000 })
    const types = await readFile(out, 'utf8')
    for (const name of ['WorkflowSessionsRecord', 'UsersRecord', 'RunsRecord', 'BooksRecord', 'BookTagsRecord']) expect(types).toContain(`export type ${name}`)
    for (const line of ['"idle": "idle"', '"Science Fiction": "Science Fiction"', 'published_date?: IsoDateString', 'author: RecordIdString']) expect(types).toContain(line)

    const program = join(folder, 'program.ts')
    await symlink(here('../node_modules'), join(folder, 'node_modules'))
    await writeFile(
      program,
      `${types}
      export const own: Pick<WorkflowSessionsRecord, 'title' | 'status'> = { title: 'A', status: WorkflowSessionsStatusOptions.idle }
      export const of = async (pb: TypedPocketBase): Promise<BooksGenreOptions> => (await pb.collection('books').getOne('a')).genre
      // @ts-expect-error -- a status is none of a book
      export const wrong: BooksRecord['genre'] = WorkflowSessionsStatusOptions.idle`,
    )
    const strict = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig', '--target', 'es2023', '--module', 'nodenext', '--types', '']
    await run(here('../../node_modules/.bin/tsc'), [...strict, program], { timeout: 60_000 }).catch(({ stdout }: { stdout: string }) => Promise.reject(new Error(stdout)))
  })

  test('is for superusers: what collections there are is told to no one else', async () => {
    await expect(pb.collections.getFullList()).rejects.toMatchObject({ status: 403 })
    expect((await base.superuser.collections.getFullList()).map(({ name }) => name)).toEqual(expect.arrayContaining(['workflow_sessions', 'users', 'books']))
  })
})

/** As its generator writes them. */
type Users = { type: 'auth'; collectionId: string; collectionName: 'users'; response: { id: string; name: string }; relations: {} }
type Fields = { title: string; status: string; currentStepId: string; steps: object[]; context: object; user: string }
type Sessions = {
  type: 'base'
  collectionId: string
  collectionName: 'workflow_sessions'
  response: Fields & { id: string; created: string }
  create: Fields
  update: Partial<Fields>
  relations: { user: Users }
}
type Of = Sessions['response'] & { 'user.id': string; 'user.name': string }

test('typed-pocketbase lists, filters, sorts, expands and picks fields with what it makes of them', async () => {
  const db = new TypedPocketBase<{ users: Users; workflow_sessions: Sessions }>(base.server.url)
  db.autoCancellation(false)
  db.authStore.save(pb.authStore.token, pb.authStore.record)
  const sessions = db.from('workflow_sessions')
  const create = (title: string, status: string) => sessions.create({ title, status, currentStepId: 'a', steps: [], context: {}, user: base.me })
  const made = [await create("It's one", 'idle'), await create('Two "quoted"', 'running'), await create('Three', 'running')]

  const list = await sessions.getList(1, 2, { filter: eq('status', 'running'), sort: ['+title', '-created'] })
  expect(list).toMatchObject({ page: 1, perPage: 2, totalItems: 2, items: [{ title: 'Three' }, { title: 'Two "quoted"' }] })
  const running = and<Of>(eq<Of, 'status'>('status', 'running'), like<Of, 'title'>('title', 'QUOT'))
  const filter = and<Of>(eq<Of, 'user'>('user', base.me), or<Of>(running, like<Of, 'title'>('title', "it's")))
  expect((await sessions.getFullList({ filter, sort: '+created' })).map(({ title }) => title)).toEqual(["It's one", 'Two "quoted"'])
  expect(await sessions.getFirstListItem(eq('user.name', (await pb.collection('users').getOne(base.me))['name']), { sort: '-created' })).toMatchObject({ title: 'Three' })
  const { id } = made[0]!
  expect(await sessions.getOne(id, { select: { id: true, title: true, expand: { user: { id: true } } } })).toEqual({ id, title: "It's one", expand: { user: { id: base.me } } })
  expect(await sessions.update(id, { title: 'Changed' })).toMatchObject({ title: 'Changed' })
  for (const each of made) await sessions.delete(each.id)
  expect(await sessions.getFullList({})).toEqual([])
})

// What the live suite of pbtsdb (github.com/nathanstitt/pbtsdb) asks of a server, over its own collections.
describe('a live suite that others wrote', () => {
  const books = () => pb.collection('books')
  const isbn = (): string => `isbn-${(count++).toString().padStart(8, '0')}`
  let count = 0
  let orwell: Row
  let woolf: Row
  const book = (more: object = {}): Promise<Row> =>
    books().create({ title: 'A book', genre: 'Fiction', isbn: isbn(), author: orwell.id, published_date: '', page_count: 0, ...more })

  beforeAll(async () => {
    const author = (name: string): Promise<Row> => pb.collection('authors').create({ name, bio: `About ${name}`, email: `${name.toLowerCase()}@example.com` })
    orwell = await author('Orwell')
    woolf = await author('Woolf')
    await book({ title: 'Animal Farm', genre: 'Fiction', published_date: '1945-08-17', page_count: 112 })
    await book({ title: 'Homage to Catalonia', genre: 'History', page_count: 232 })
    await book({ title: 'Orlando', genre: 'Fiction', author: woolf.id, published_date: '1928-10-11 00:00:00.000Z' })
    await book({ title: 'Flush', genre: 'Biography', author: woolf.id })
  })

  const titles = async (filter: string, sort = 'title'): Promise<string[]> => (await books().getFullList({ filter, sort })).map((each) => each['title'] as string)

  test('filters as its query operators are written', async () => {
    expect(await titles('genre = "Fiction"')).toEqual(['Animal Farm', 'Orlando'])
    expect(await titles('genre != "Fiction"')).toEqual(['Flush', 'Homage to Catalonia'])
    const all = ['Animal Farm', 'Flush', 'Homage to Catalonia', 'Orlando']
    expect(await titles('created > "2020-01-01T00:00:00.000Z"')).toEqual(all)
    expect(await titles('created < "2100-01-01T00:00:00.000Z"')).toEqual(all)
    expect(await titles('created <= "2100-01-01T00:00:00.000Z"')).toEqual(all)
    const [newest] = (await books().getList(1, 1, { sort: '-created' })).items
    expect(await titles(`created >= "${newest!['created']}"`)).toEqual([newest!['title']])
    expect(await titles('(genre = "Fiction" && created > "2020-01-01T00:00:00.000Z")')).toEqual(['Animal Farm', 'Orlando'])
    expect(await titles('(genre = "History" || genre = "Biography")')).toEqual(['Flush', 'Homage to Catalonia'])
    expect(await titles('(genre = "Fiction" && (created > "2100-01-01" || updated < "2100-01-01T00:00:00.000Z"))')).toEqual(['Animal Farm', 'Orlando'])
    expect(await titles('(genre = "Fiction" && id = "")')).toEqual([])
    expect(await titles('(genre = "Fiction" && id != "")')).toEqual(['Animal Farm', 'Orlando'])
    expect(await titles('page_count > 100 && page_count <= 232', '-page_count')).toEqual(['Homage to Catalonia', 'Animal Farm'])
    expect(await titles('published_date != ""', '-published_date')).toEqual(['Animal Farm', 'Orlando'])
    expect(await titles(`author = "${woolf.id}"`, '-title')).toEqual(['Orlando', 'Flush'])
    expect(await titles('author.name = "Orwell"')).toEqual(['Animal Farm', 'Homage to Catalonia'])
  })

  test('expands what a record refers to, and not what it was not asked for', async () => {
    const [farm] = await books().getFullList({ filter: 'title = "Animal Farm"', expand: 'author' })
    expect(farm).toMatchObject({ author: orwell.id, published_date: '1945-08-17 00:00:00.000Z', expand: { author: { id: orwell.id, name: 'Orwell', collectionName: 'authors' } } })
    for (const each of await books().getFullList()) expect(each).not.toHaveProperty('expand')
    const [tag] = [await pb.collection('tags').create({ name: 'classic', color: '#00FF00' })]
    await pb.collection('book_tags').create({ book: farm!.id, tag: tag.id })
    await pb.collection('book_metadata').create({ book: farm!.id, summary: 'Pigs', genre: 'Fiction', language: 'en', rating: 4.5 })
    const whole = await books().getOne(farm!.id, { expand: 'author,book_metadata_via_book,book_tags_via_book.tag' })
    expect(whole['expand']).toMatchObject({ author: { name: 'Orwell' }, book_metadata_via_book: [{ rating: 4.5 }], book_tags_via_book: [{ expand: { tag: { name: 'classic' } } }] })
    expect(await titles('book_tags_via_book.tag.name ?= "classic"')).toEqual(['Animal Farm'])
  })

  test('tells what is wrong with a record by its fields', async () => {
    const error = await books()
      .create({ title: '', isbn: 'short', genre: 'Poetry', author: 'nobody000000000', page_count: -1 })
      .catch(({ response }: { response: object }) => response)
    expect(error).toMatchObject({
      data: {
        title: { code: 'validation_required' },
        isbn: { code: 'validation_min_text_constraint' },
        genre: { code: 'validation_invalid_value' },
        page_count: { code: 'validation_min_number_constraint' },
      },
    })
    await expect(pb.collection('tags').create({ name: 'a', color: 'red' })).rejects.toMatchObject({ response: { data: { color: { code: 'validation_invalid_format' } } } })
    await expect(book({ author: 'nobody000000000' })).rejects.toMatchObject({ response: { data: { author: { code: 'validation_missing_rel_records' } } } })
  })

  test('takes with a record what goes along with it, and keeps what others need', async () => {
    const made = await book()
    const metadata = await pb.collection('book_metadata').create({ book: made.id, genre: 'Fiction', language: 'en' })
    await expect(pb.collection('authors').delete(orwell.id)).rejects.toMatchObject({ status: 400 })
    await books().delete(made.id)
    await expect(pb.collection('book_metadata').getOne(metadata.id)).rejects.toMatchObject({ status: 404 })
  })

  test('pages through 1,200 records that came a hundred at a time', async () => {
    const tags = pb.collection('tags')
    for (let from = 0; from < 1_200; from += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, at) => tags.create({ name: `page-${from + at}`, color: '#FF0000' })))
    }
    const all = await tags.getFullList({ filter: 'color = "#FF0000"' })
    expect(new Set(all.map(({ id }) => id)).size).toBe(1_200)
    expect(new Set(all.map((each) => each['name'])).size).toBe(1_200)
    const limited = await tags.getList(1, 50, { sort: 'id', skipTotal: true, filter: 'color = "#FF0000"' })
    expect(limited).toMatchObject({ perPage: 50, totalItems: -1, totalPages: -1 })
    expect(limited.items.map(({ id }) => id)).toEqual(
      all
        .map(({ id }) => id)
        .toSorted()
        .slice(0, 50),
    )
    // As many ids as it asks for at once, below the bound of a filter.
    const some = all.slice(0, 120).map(({ id }) => id)
    expect((await tags.getFullList({ filter: some.map((id) => `id = "${id}"`).join(' || ') })).map(({ id }) => id).toSorted()).toEqual(some.toSorted())
  })

  test('tells live of what is created, changed and deleted, also to who did it', async () => {
    const told: { action: string; record: Row }[] = []
    const stop = await books().subscribe('*', (event) => void told.push(event as never))
    const until = (length: number): Promise<void> =>
      deadline(`${length} changes are told`, (done) => {
        const look = setInterval(() => told.length >= length && done(), 10)
        return () => clearInterval(look)
      })
    const made = await book({ title: 'Live' })
    await until(1)
    await books().update(made.id, { title: 'Changed' })
    await until(2)
    await books().delete(made.id)
    await until(3)
    expect(told.map(({ action, record }) => [action, record.id, record['title']])).toEqual([
      ['create', made.id, 'Live'],
      ['update', made.id, 'Changed'],
      ['delete', made.id, 'Changed'],
    ])
    const several = [await book({ title: '1' }), await book({ title: '2' }), await book({ title: '3' })]
    await until(6)
    expect(told.slice(3).map(({ record }) => record.id)).toEqual(several.map(({ id }) => id))
    await stop()
    await book({ title: 'Unheard' })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(told).toHaveLength(6)
  })

  test('tells one record, or those of a filter with what they refer to, where that is what was subscribed', async () => {
    const [one, other] = [await book({ title: 'One' }), await book({ title: 'Other' })]
    const [byId, byFilter]: [Row[], Row[]] = [[], []]
    const stops = [
      await books().subscribe(one.id, ({ record }) => void byId.push(record as Row)),
      await books().subscribe('*', ({ record }) => void byFilter.push(record as Row), {
        filter: `author = "${woolf.id}"`,
        expand: 'author',
        fields: 'id,title,expand.author.name',
      }),
    ]
    await books().update(other.id, { title: 'Other 2' })
    await books().update(one.id, { title: 'One 2' })
    await books().update(one.id, { author: woolf.id })
    await deadline('both are told', (done) => {
      const look = setInterval(() => byId.length >= 2 && byFilter.length >= 1 && done(), 10)
      return () => clearInterval(look)
    })
    expect(byId.map(({ id, title, author }) => [id, title, author])).toEqual([
      [one.id, 'One 2', orwell.id],
      [one.id, 'One 2', woolf.id],
    ])
    expect(byFilter).toEqual([{ id: one.id, title: 'One 2', expand: { author: { name: 'Woolf' } } }])
    for (const stop of stops) await stop()
  })
})
