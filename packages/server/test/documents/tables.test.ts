import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bounds } from '../../src/documents/bounds.ts'
import type { Table } from '../../src/documents/content.ts'
import { readDelimited } from '../../src/documents/delimited.ts'
import { readJson, readJsonLines } from '../../src/documents/json-content.ts'

const shapeOf = ({ columns }: Table) => columns.map(({ name, type }) => `${name}:${type}`).join(' ')
const cellsOf = ({ columns }: Table) => columns.map(({ cells }) => cells)
const csv = (text: string) => readDelimited(text, bounds)

describe('a table in lines', () => {
  it.each([
    ['a,b\n1,2\n', 'a:number b:number'],
    ['a;b\n1,5;2,5\n', 'a:number b:number'],
    ['a\tb\n1,5\tx;y\n', 'a:number b:text'],
    ['a|b\n1|x\n', 'a:number b:text'],
    ['sep=;\na;b\n1;2\n', 'a:number b:number'],
    ['"a;x",b\n"1;2",3\n', 'a;x:text b:number'],
    ['value\n1\n2', 'value:number'],
    ['name,note\nx,"a, b, c"\ny,"d; e; f; g"', 'name:text note:text'],
  ])('%j has the delimiter that its lines have alike', (text, shape) => expect(shapeOf(csv(text))).toBe(shape))

  it.each([
    ['name,amount\nA,1', 'name:text amount:number', 1],
    ['A,1\nB,2', 'column_1:text column_2:number', 2],
    ['1,2\n3,4', 'column_1:number column_2:number', 2],
    ['region,2024,2025\nNorth,10,12', 'region:text 2024:number 2025:number', 1],
    ['region,2024-01-01,2024-02-01\nNorth,10,12', 'region:text 2024-01-01:number 2024-02-01:number', 1],
    ['Ann,2001\nBob,1999', 'column_1:text column_2:number', 2],
    ['a,,a,a_2,A\n1,2,3,4,5', 'a:number column_2:number a_3:number a_2:number A:number', 1],
    ['a,b', 'a:text b:text', 0],
  ])('%j has names where its first line is no values', (text, shape, rows) => {
    expect(shapeOf(csv(text))).toBe(shape)
    expect(csv(text).rows).toBe(rows)
  })

  it('fills short lines up, gives long ones columns of their own, and leaves empty ones out', () =>
    expect(csv('a,b\n1\n\n,,\n2,3,x\n')).toEqual({
      rows: 2,
      columns: [
        { name: 'a', type: 'number', cells: [1, 2] },
        { name: 'b', type: 'number', cells: [null, 3] },
        { name: 'column_3', type: 'text', cells: [null, 'x'] },
      ],
    }))

  it.each([
    [['1,234', '5'], 'number', [1234, 5]],
    [['1.234', '5'], 'number', [1.234, 5]],
    [['1.234,5', '5'], 'number', [1234.5, 5]],
    [['€ 1.00', '2'], 'number', [1, 2]],
    [['€ 1.00', '$2.00'], 'text', ['€ 1.00', '$2.00']],
    [['12%', '3 %'], 'number', [12, 3]],
    [['12%', '3'], 'text', ['12%', '3']],
    [['007', '8'], 'text', ['007', '8']],
    [['12345678901234567890'], 'text', ['12345678901234567890']],
    [['1', 'n/a', '-', 'NULL'], 'number', [1, null, null, null]],
    [['n/a', '-'], 'text', ['n/a', '-']],
    [['1', 'unknown'], 'text', ['1', 'unknown']],
    [['true', 'FALSE'], 'boolean', [true, false]],
    [['yes', 'true'], 'text', ['yes', 'true']],
    [['1/2/2026', '3/4/2026'], 'date', ['2026-01-02', '2026-03-04']],
    [['1/2/2026', '30/4/2026'], 'date', ['2026-02-01', '2026-04-30']],
    [['1.2.2026', '2026-01-01'], 'date', ['2026-02-01', '2026-01-01']],
    [['13/1/2026', '1/13/2026'], 'text', ['13/1/2026', '1/13/2026']],
  ] as const)('of %j is %s', (texts, type, cells) => {
    const { columns } = csv(`x\ty\n${texts.map((text) => `${text}\tz`).join('\n')}`)
    expect(columns[0]).toEqual({ name: 'x', type, cells })
  })

  it('takes a comma for what it is in the columns beside it, or where semicolons stand between', () => {
    expect(cellsOf(csv('a;b\n1,234;1,5'))).toEqual([[1.234], [1.5]])
    expect(cellsOf(csv('a;b\n1,234;1.5'))).toEqual([[1234], [1.5]])
    expect(cellsOf(csv('a;b\n1,234;x'))).toEqual([[1.234], ['x']])
    expect(cellsOf(csv('a;b\n1.234;x'))).toEqual([[1.234], ['x']])
    expect(cellsOf(csv('a,b\n"1,234",x'))).toEqual([[1234], ['x']])
  })

  it.each([
    [{ rows: 2 }, 'a\n1\n2\n3', 'at most 2 rows'],
    [{ columns: 2 }, 'a,b,c', 'at most 2 columns'],
    [{ cells: 4 }, 'a,b\n1,2\n3,4\n5,6', 'at most 4 cells'],
  ])('beyond %j is refused whole', (some, text, said) =>
    expect(() => readDelimited(text, { ...bounds, ...some })).toThrow(
      expect.objectContaining({ code: 'document_too_large', message: expect.stringContaining(said) as string }) as Error,
    ),
  )

  it('is as large as the bounds say', () => expect(readDelimited('a,b\n1,2\n3,4', { ...bounds, rows: 2, columns: 2, cells: 4 }).rows).toBe(2))
})

describe('a table in JSON', () => {
  it('is a list of objects, whose keys may be missing', () =>
    expect(readJson('[{"a":1,"b":"x"},{"b":"y","c":true},{}]', bounds)).toEqual({
      rows: 3,
      columns: [
        { name: 'a', type: 'number', cells: [1, null, null] },
        { name: 'b', type: 'text', cells: ['x', 'y', null] },
        { name: 'c', type: 'boolean', cells: [null, true, null] },
      ],
    }))

  it.each([
    ['[["a","b"],[1,"2026-01-01"]]', 'a:number b:date'],
    ['[[1,2],[3]]', 'column_1:number column_2:number'],
    ['{"sales":[{"n":"1,234.50"}]}', 'n:number'],
    ['[{"id":12345678901234567890,"n":{"x":[1]}}]', 'id:text n:text'],
    ['[{"a":1},{"a":"1"}]', 'a:text'],
  ])('%s', (text, shape) => expect(shapeOf(readJson(text, bounds)!)).toBe(shape))

  it('keeps what is nested, and ids of many digits, as they are written', () =>
    expect(cellsOf(readJson('[{"id":12345678901234567890,"n":{"x":[1]}}]', bounds)!)).toEqual([['12345678901234567890'], ['{"x":[1]}']]))

  it.each(['1', '"x"', '{}', '[]', '[1,2]', '{"a":1,"b":[{}]}', '[{"a":1},2]'])('is not %s', (text) => expect(readJson(text, bounds)).toBeNull())

  it('may come a line a row', () => expect(shapeOf(readJsonLines('{"a":1}\n\n{"a":2}\r\n', bounds)!)).toBe('a:number'))

  it('is not what no longer parses', () => expect(() => readJson('[{"a":1}', bounds)).toThrow(expect.objectContaining({ code: 'document_unreadable' }) as Error))

  it('holds no text that the database would refuse', () => expect(cellsOf(readJson('[{"a":"x\\u0000\\ud800"}]', bounds)!)).toEqual([['x\ufffd\ufffd']]))
})

// A table of numbers and texts, written in a manner of its own.
const manner = fc.record({
  delimiter: fc.constantFrom(',', ';', '\t', '|'),
  decimal: fc.constantFrom('.', ','),
  grouped: fc.boolean(),
  quoted: fc.boolean(),
  end: fc.constantFrom('\n', '\r\n'),
  currency: fc.constantFrom('', ' €', '$', '%'),
})
const word = fc.string({ unit: fc.constantFrom('x', 'ä', ' ', '"', ',', ';', "'"), maxLength: 6 }).map((text) => `w${text}w`)
const line = fc.record({ name: word, cents: fc.option(fc.integer({ min: -1e11, max: 1e11 }), { freq: 6 }), count: fc.integer({ min: 0, max: 10_000 }) })

describe('random tables', () => {
  it('are read as they were before they were written as lines', () => {
    fc.assert(
      fc.property(manner, fc.array(line, { minLength: 2, maxLength: 15 }), (how, lines) => {
        const number = (cents: number): string => {
          const [whole = '', fraction = ''] = (Math.abs(cents) / 100).toFixed(2).split('.')
          const groups = how.grouped ? whole.replace(/\B(?=(\d{3})+$)/g, how.decimal === '.' ? ',' : '.') : whole
          const text = `${groups}${how.decimal}${fraction}`
          return `${cents < 0 ? '-' : ''}${how.currency === '$' ? `$${text}` : `${text}${how.currency}`}`
        }
        const cell = (text: string): string => (how.quoted || text.includes(how.delimiter) || /["\s]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
        const rows = [['name', 'amount', 'count'], ...lines.map(({ name, cents, count }) => [name, cents === null ? '' : number(cents), String(count)])]
        // Two decimals say which mark is the decimal one; a first line without a delimiter outside of quotes says nothing.
        const table = csv(rows.map((row) => row.map(cell).join(how.delimiter)).join(how.end))
        expect(table.rows).toBe(lines.length)
        expect(cellsOf(table)).toEqual([lines.map(({ name }) => name), lines.map(({ cents }) => (cents === null ? null : cents / 100)), lines.map(({ count }) => count)])
      }),
      { numRuns: 300 },
    )
  })

  it('are read as they were before they were written as JSON', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ n: fc.double({ noNaN: true, noDefaultInfinity: true }), t: word }), { minLength: 1 }), (rows) => {
        const numbers = rows.map(({ n }) => JSON.parse(JSON.stringify(n)) as number)
        const expected = [numbers, rows.map(({ t }) => t)]
        expect(cellsOf(readJson(JSON.stringify(rows), bounds)!)).toEqual(expected)
        expect(cellsOf(readJsonLines(rows.map((row) => JSON.stringify(row)).join('\n'), bounds)!)).toEqual(expected)
      }),
    )
  })
})
