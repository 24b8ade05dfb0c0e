import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { collectionId } from '../../src/collections/core.ts'
import { declare, loadCollections } from '../../src/collections/declare.ts'
import { StartRefused } from '../../src/store/refused.ts'

const books = (...fields: object[]) => [{ name: 'books', fields }]
const problemsOf = (...fields: object[]): string[] => declare(books(...fields)).problems
const title = { name: 'title', type: 'text', required: true }

test('a collection has the id that PocketBase would give it, or its own, and the fields that are kept', () => {
  const { collections, problems } = declare([
    {
      name: 'books',
      type: 'base',
      listRule: '',
      fields: [
        { name: 'id', type: 'text', primaryKey: true, min: 15, max: 15, pattern: '^[a-z0-9]+$', autogeneratePattern: '[a-z0-9]{15}' },
        { ...title, id: 'text724990059', presentable: true, autogeneratePattern: '', max: 0, min: 0, pattern: '' },
      ],
    },
  ])
  expect(problems).toEqual([])
  expect(collections[0]).toMatchObject({
    id: collectionId('base', 'books'),
    name: 'books',
    system: false,
    rules: { list: '', view: null, create: null, update: null, delete: null },
  })
  expect(collections[0]!.fields.map(({ id, name }) => [id, name])).toEqual([
    [collections[0]!.fields[0]!.id, 'id'],
    ['text724990059', 'title'],
  ])
  expect(declare({ collections: [{ id: 'mine', name: 'books', fields: [] }] }).collections[0]!.id).toBe('mine')
})

test('a relation leads to a collection of the core or of the file, by its name or its id', () => {
  const to = (collectionId: string) => ({ name: 'to', type: 'relation', collectionId })
  const targets = ['users', '_pb_users_auth_', 'books', collectionId('base', 'books'), 'workflow_sessions']
  expect(targets.map((target) => declare(books(to(target))).collections[0]!.fields[1]!.collection)).toEqual(['users', 'users', 'books', 'books', 'workflow_sessions'])
  expect(problemsOf(to('nowhere'))).toEqual(['[0].fields[0] (books.to): collectionId: there is no collection "nowhere"'])
})

test.for<[object, string]>([
  [{ name: 'cover', type: 'file' }, '[0].fields[0] (books.cover): a field of type "file" cannot be declared: files are not kept in records'],
  [{ name: 'at', type: 'geoPoint' }, 'a field of type "geoPoint" cannot be declared'],
  [{ name: 'v', type: 'vector' }, 'a field of type "vector" cannot be declared: it is one of text'],
  [{ name: 'p', type: 'text', pattern: '(?=x)' }, '(books.p): pattern: only groups'],
  [{ name: 'p', type: 'text', pattern: '^(a{1,30}){1,30}$', max: 100000 }, 'lessen max'],
  [{ name: 'n', type: 'number', min: 3, max: 2 }, 'min is more than max'],
  [{ name: 's', type: 'select', values: [] }, '(books.s): values'],
  [{ name: 'd', type: 'date', min: '2020-01-01' }, '(books.d): min'],
  [{ name: 'm', type: 'email', onlyDomains: ['a.b'] }, 'onlyDomains: it is not kept here'],
  [{ name: 'a', type: 'autodate' }, 'set neither by onCreate nor by onUpdate'],
  [{ name: 'id', type: 'text', min: 5, max: 5 }, 'ids are texts of 15 characters'],
  [{ name: 'expand', type: 'text' }, 'has a meaning of its own'],
  [{ name: '1st', type: 'text' }, '[0].fields[0].name: must be letters'],
  [{ name: 'j', type: 'json', maxSize: 99_000_000 }, 'maxSize: at most'],
])('%j is refused with its place', ([field, problem]) => {
  expect(problemsOf(field)).toEqual([expect.stringContaining(problem)])
})

test('names of the core, names that stand twice, and what is no base collection are refused, all at once', () => {
  const { problems } = declare([
    { name: 'Users', fields: [] },
    { name: 'a', type: 'view', fields: [] },
    { name: 'A', fields: [title, { ...title, name: 'TITLE' }] },
  ])
  expect(problems).toEqual([
    '[0] (Users): "users" is a collection of the core: leave it out, or rename it',
    '[2] (A): "a" is declared twice',
    '[1] (a): its type is "view": "base" alone can be declared',
    '[2] (A): it has two fields named title',
  ])
})

test('a plain unique index of one field is kept, others are told of', () => {
  const indexes = [
    'CREATE UNIQUE INDEX `i` ON `books` (`title`)',
    'CREATE INDEX j ON books (title)',
    "CREATE UNIQUE INDEX k ON books (title) WHERE title != ''",
    'CREATE UNIQUE INDEX l ON books (title, id)',
    'nonsense',
  ]
  const { collections, warnings } = declare([{ name: 'books', fields: [title], indexes }])
  expect(collections[0]!.fields[1]!.unique).toBe(true)
  expect(warnings.map((warning) => warning.slice(0, 22))).toEqual(
    ['[0].indexes[2] (books):', '[0].indexes[3] (books):', '[0].indexes[4] (books):'].map((place) => place.slice(0, 22)),
  )
})

test('a file that is not there, is not JSON, or is something else stops the start and is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-collections-'))
  try {
    const file = join(folder, 'collections.json')
    await expect(loadCollections(file)).rejects.toThrow(`${file} does not exist`)
    await writeFile(file, '[{]')
    await expect(loadCollections(file)).rejects.toThrow(/is not JSON: .*position 2/)
    await writeFile(file, '{"name": "books"}')
    await expect(loadCollections(file)).rejects.toThrow(StartRefused)
    await writeFile(file, JSON.stringify(books({ name: 'a', type: 'file' }, { name: 'b', type: 'geoPoint' })))
    await expect(loadCollections(file)).rejects.toThrow(/books\.a.*; .*books\.b/)
  } finally {
    await rm(folder, { recursive: true })
  }
})
