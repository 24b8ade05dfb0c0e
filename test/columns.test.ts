import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Column, type Table, composing, fewRows, manyRows } from '../packages/server/src/store/columns.ts'
import { testDatabase } from './support/database.ts'

interface Row {
  id: number
  word: string | null
  data: string | null
  number: number | null
  truth: boolean | null
  at: number | null
}

const columns: readonly Column<Row>[] = [
  ['id', 'int', (row) => row.id],
  ['word', 'text', (row) => row.word],
  ['data', 'json', (row) => row.data],
  ['number', 'int', (row) => row.number],
  ['truth', 'boolean', (row) => row.truth],
  ['at', 'timestamptz', (row) => row.at],
]

const read = composing<{ given: Table }>('columns-read', 0, ({ given }) =>
  given === '' ? 'select 1 where false' : `select id, word, data::text as data, number, truth, (extract(epoch from at) * 1000)::bigint as at from ${given}`,
)

// PostgreSQL stores no NUL, and no half of a character.
const word = fc.oneof(
  fc.constantFrom('', 'NULL', 'null', '{}', '{a,b}', '"', '\\', 'a"b\\c', ' ', 'ä€😀', '\n\t'),
  fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '').toWellFormed()),
)
const json = fc.tuple(fc.json(), fc.constantFrom(undefined, 1, '\t')).map(([text, space]) => JSON.stringify(JSON.parse(text.replaceAll('\\u0000', '')), null, space))
const row: fc.Arbitrary<Row> = fc.record({
  id: fc.nat(100),
  word: fc.option(word),
  data: fc.option(json),
  number: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  truth: fc.option(fc.boolean()),
  at: fc.option(fc.integer({ min: 0, max: 4e12 })),
})

test.each([
  ['many', manyRows],
  ['few', fewRows],
] as const)('what goes into a statement as %s rows is what PostgreSQL reads', async (_, rowsOf) => {
  await using db = await testDatabase()
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 8 }), async (rows) => {
      const { statement, values } = read({ given: rowsOf('t', columns, rows) }, [])
      expect(await db.database.query(statement, values)).toEqual(rows)
    }),
    { numRuns: 200 },
  )
})
