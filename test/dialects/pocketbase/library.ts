/** The five collections of the live suite of pbtsdb, as PocketBase exports them: whoever has logged in may all. */

const anybody = '@request.auth.id != ""'
const open = { listRule: anybody, viewRule: anybody, createRule: anybody, updateRule: anybody, deleteRule: anybody }

const collection = (name: string, fields: object[], indexes: string[] = []) => ({
  name,
  type: 'base',
  ...open,
  fields: [
    { name: 'id', type: 'text', system: true, primaryKey: true, required: true, min: 15, max: 15, pattern: '^[a-z0-9]+$', autogeneratePattern: '[a-z0-9]{15}' },
    ...fields,
    { name: 'created', type: 'autodate', onCreate: true, onUpdate: false },
    { name: 'updated', type: 'autodate', onCreate: true, onUpdate: true },
  ],
  indexes,
})

const text = (name: string, max: number, more: object = {}) => ({ name, type: 'text', min: 0, max, pattern: '', ...more })
const needed = { required: true, min: 1 }
const to = (name: string, collectionId: string, cascadeDelete: boolean) => ({ name, type: 'relation', collectionId, cascadeDelete, required: true, minSelect: 0, maxSelect: 1 })
const genre = {
  name: 'genre',
  type: 'select',
  required: true,
  maxSelect: 1,
  values: ['Fiction', 'Non-Fiction', 'Science Fiction', 'Fantasy', 'Mystery', 'Romance', 'Thriller', 'Biography', 'History', 'Science', 'Self-Help', 'Other'],
}

export const libraryCollections = [
  collection('authors', [text('name', 255, needed), text('bio', 2_000), { name: 'email', type: 'email', required: true }]),
  collection(
    'books',
    [
      text('title', 500, needed),
      text('isbn', 17, { required: true, min: 10 }),
      { name: 'published_date', type: 'date' },
      { name: 'page_count', type: 'number', min: 1, onlyInt: false },
      genre,
      to('author', 'authors', false),
    ],
    ['CREATE UNIQUE INDEX `idx_books_isbn` ON `books` (`isbn`)'],
  ),
  collection('book_metadata', [
    text('summary', 5_000),
    genre,
    text('language', 50, { required: true, min: 2 }),
    { name: 'rating', type: 'number', min: 0, max: 5 },
    to('book', 'books', true),
  ]),
  collection('tags', [text('name', 100, needed), text('color', 7, { pattern: '^#([A-Fa-f0-9]{6})$' })]),
  collection('book_tags', [to('book', 'books', true), to('tag', 'tags', true)]),
]
