import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eachRecord } from '../../src/documents/records.ts'

function records(text: string, delimiter = ',', most = 1000): string[][] {
  const found: string[][] = []
  eachRecord(
    text,
    delimiter,
    most,
    (record) => found.push(record),
    () => new Error('too many'),
  )
  return found
}

describe('the cells of lines', () => {
  it.each([
    [
      'a,b\n1,2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a,b\r\n1,2\n3,4\r5,6\n',
      [
        ['a', 'b'],
        ['1', '2'],
        ['3', '4'],
        ['5', '6'],
      ],
    ],
    ['"a,b",c', [['a,b', 'c']]],
    ['"a""b",""', [['a"b', '']]],
    [
      '"a\nb",c\r\nd,e',
      [
        ['a\nb', 'c'],
        ['d', 'e'],
      ],
    ],
    ['a, "b, c"', [['a', 'b, c']]],
    [',', [['', '']]],
    [
      'a,\nb,',
      [
        ['a', ''],
        ['b', ''],
      ],
    ],
    ['\n\na\n\n', [['a']]],
    ['', []],
    ['5" pipe,x', [['5" pipe', 'x']]],
    ['"a"b,c', [['ab', 'c']]],
    [
      'a,"b\nc,d',
      [
        ['a', '"b'],
        ['c', 'd'],
      ],
    ],
    ['"', [['"']]],
    [
      '"a,""\nb,""',
      [
        ['"a', ''],
        ['b', ''],
      ],
    ],
  ])('%j', (text, expected) => expect(records(text)).toEqual(expected))

  it('are those that another reader finds in whatever it takes for well-formed', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '1', '"', '"', '""', ',', ',', '\n', '\r\n', ';'), { maxLength: 40 }).map((parts) => parts.join(''))
    let compared = 0
    fc.assert(
      fc.property(text, (of) => {
        let theirs: string[][]
        try {
          theirs = parse(of, { record_delimiter: ['\r\n', '\n', '\r'], relax_column_count: true, skip_empty_lines: true })
        } catch {
          return
        }
        compared++
        expect(records(of)).toEqual(theirs)
      }),
      { numRuns: 2000 },
    )
    expect(compared).toBeGreaterThan(200)
  })

  it('are all there again, however they were quoted and whatever they hold', () => {
    const cell = fc
      .string({ unit: fc.constantFrom('a', 'é', '😀', '"', ',', ';', '\t', '|', '\n', '\r', '.', '1'), maxLength: 8 })
      .filter((text) => text.trim() === text && text !== '')
    const table = fc.tuple(fc.constantFrom(',', ';', '\t', '|'), fc.constantFrom('\n', '\r\n', '\r'), fc.array(fc.array(cell, { minLength: 1, maxLength: 5 }), { maxLength: 6 }))
    fc.assert(
      fc.property(table, fc.infiniteStream(fc.boolean()), ([delimiter, end, rows], coins) => {
        const quoted = (text: string): string => (/[",;\t|\n\r]/.test(text) || coins.next().value ? `"${text.replaceAll('"', '""')}"` : text)
        const text = rows.map((row) => row.map(quoted).join(delimiter)).join(end)
        expect(records(text, delimiter)).toEqual(rows)
      }),
      { numRuns: 500 },
    )
  })

  it('are found in time that grows with the text alone, whatever quotes it has', () => {
    for (const text of [`a,"${'b""'.repeat(2e6)}`, '"",'.repeat(2e6), `${'"a'.repeat(3e6)}`, `${',"'.repeat(1e6)}\n`]) {
      const before = performance.now()
      const lines: number[] = []
      eachRecord(
        text,
        ',',
        Infinity,
        (record) => lines.push(record.length),
        () => new Error('too many'),
      )
      expect(lines.length).toBeGreaterThan(0)
      expect(performance.now() - before).toBeLessThan(8_000)
    }
  })

  it('end at the line that has too many', () => {
    expect(() => records('a,b\n1,2,3,4', ',', 3)).toThrow('too many')
    expect(records('a,b\n1,2,3', ',', 3)).toHaveLength(2)
  })
})
