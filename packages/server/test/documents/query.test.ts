import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bounds } from '../../src/documents/bounds.ts'
import type { Cell, Column, ColumnType, Table } from '../../src/documents/content.ts'
import { readDelimited } from '../../src/documents/delimited.ts'
import { readJson } from '../../src/documents/json-content.ts'
import { ask } from '../../src/documents/query.ts'
import type { TableQuery } from '../../src/documents/table-query.ts'

const column = (name: string, type: ColumnType, cells: Cell[]): Column => ({ name, type, cells })
const table = (...columns: Column[]): Table => ({ columns, rows: columns[0]?.cells.length ?? 0 })

const sales = {
  name: 'sales.csv',
  table: table(
    column('Region', 'text', ['North', 'South', 'North', null, 'East']),
    column('Amount', 'number', [0.1, 5, 0.2, 7, null]),
    column('Day', 'date', ['2026-01-01', '2026-01-02T10:00:00', '2026-02-01', null, '2025-12-31']),
    column('Paid', 'boolean', [true, false, true, null, false]),
  ),
}
const people = {
  name: 'people.json',
  table: table(column('region', 'text', ['North', 'South', 'South', null]), column('Name', 'text', ['Ann', 'Bob', 'Cy', 'Di']), column('Amount', 'number', [1, 2, 3, 4])),
}
const rows = (query: Omit<TableQuery, 'file'>, second: typeof people | null = null) => ask({ file: 'sales.csv', ...query }, sales, second, bounds)

describe('a question to a table', () => {
  it('gives all columns and the first rows where it asks for nothing else', () =>
    expect(rows({ limit: 1 })).toEqual({ columns: ['Region', 'Amount', 'Day', 'Paid'], rows: [['North', 0.1, '2026-01-01', true]], total: 5 }))

  it('adds as people add, without the dust of binary fractions', () => {
    expect(rows({ aggregate: [{ of: 'sum', column: 'Amount' }], where: [{ column: 'Region', is: '=', value: 'North' }] }).rows).toEqual([[0.3]])
    const dusty = { name: 'd', table: table(column('x', 'number', [1e16, 0.1, -1e16, 0.2])) }
    expect(
      ask(
        {
          file: 'd',
          aggregate: [
            { of: 'sum', column: 'x' },
            { of: 'mean', column: 'x' },
            { of: 'median', column: 'x' },
          ],
        },
        dusty,
        null,
        bounds,
      ).rows,
    ).toEqual([[0.3, 0.075, 0.15]])
  })

  it('leaves empty cells out of aggregates, and has none of nothing', () => {
    const of = (column_: string) => (['count', 'min', 'max', 'distinct'] as const).map((each) => ({ of: each, column: column_ }))
    expect(rows({ aggregate: [{ of: 'count' }, ...of('Amount')] }).rows).toEqual([[5, 4, 0.1, 7, 4]])
    expect(rows({ aggregate: of('Day') }).rows).toEqual([[4, '2025-12-31', '2026-02-01', 4]])
    const nothing: TableQuery['where'] = [{ column: 'Region', is: '=', value: 'West' }]
    expect(rows({ where: nothing, aggregate: [{ of: 'count' }, { of: 'sum', column: 'Amount' }, { of: 'median', column: 'Amount' }] }).rows).toEqual([[0, null, null]])
    expect(rows({ where: nothing, groupBy: ['Region'], aggregate: [{ of: 'count' }] })).toEqual({ columns: ['Region', 'count'], rows: [], total: 0 })
  })

  it.each([
    [{ column: 'Amount', is: '>', value: 0.1 }, 3],
    [{ column: 'Amount', is: '>=', value: '0,1' }, 4],
    [{ column: 'Amount', is: '!=', value: 5 }, 4],
    [{ column: 'Amount', is: '=', value: '' }, 1],
    [{ column: 'Region', is: '!=', value: '' }, 4],
    [{ column: 'Region', is: 'contains', value: 'TH' }, 3],
    [{ column: 'Region', is: '<', value: 'North' }, 1],
    [{ column: 'Day', is: '=', value: '2026-01-02' }, 1],
    [{ column: 'Day', is: '<=', value: '02.01.2026' }, 3],
    [{ column: 'Day', is: '=', value: '2026-01' }, 2],
    [{ column: 'Day', is: '<', value: '2026' }, 1],
    [{ column: 'Paid', is: '=', value: true }, 2],
    [{ column: 'Paid', is: '=', value: 'no' }, 2],
  ] satisfies [NonNullable<TableQuery['where']>[number], number][])('keeps the rows where %j', (condition, total) => expect(rows({ where: [condition] }).total).toBe(total))

  it('orders with empty cells last, both ways, and leaves equals as they were', () => {
    const regions = (descending: boolean) => rows({ select: ['Region', 'Amount'], orderBy: [{ column: 'Region', descending }] }).rows
    expect(regions(false)).toEqual([
      ['East', null],
      ['North', 0.1],
      ['North', 0.2],
      ['South', 5],
      [null, 7],
    ])
    expect(regions(true)).toEqual([
      ['South', 5],
      ['North', 0.1],
      ['North', 0.2],
      ['East', null],
      [null, 7],
    ])
  })

  it('joins by a key that both have, and names a second column of a name by its file', () => {
    const joined = rows({ join: { file: 'people.json', on: 'Region' }, select: ['Region', 'Name', 'Amount', 'people.Amount'] }, people)
    expect(joined).toEqual({
      columns: ['Region', 'Name', 'Amount', 'people.Amount'],
      rows: [
        ['North', 'Ann', 0.1, 1],
        ['South', 'Bob', 5, 2],
        ['South', 'Cy', 5, 3],
        ['North', 'Ann', 0.2, 1],
      ],
      total: 4,
    })
    expect(rows({ join: { file: 'people.json', on: { left: 'Amount', right: 'Amount' } } }, people).total).toBe(0)
    expect(rows({ join: { file: 'people.json', on: 'Region' }, groupBy: ['people.region'], aggregate: [{ of: 'count' }] }, people).rows).toEqual([
      ['North', 2],
      ['South', 2],
    ])
  })

  it('joins keys of two types by what is written', () => {
    const texts = { name: 't', table: table(column('id', 'text', ['1', '2', 'x'])) }
    const numbers = { name: 'n', table: table(column('id', 'number', [2, 1, 3]), column('v', 'text', ['two', 'one', 'three'])) }
    expect(ask({ file: 't', join: { file: 'n', on: 'id' } }, texts, numbers, bounds).rows).toEqual([
      ['1', 'one'],
      ['2', 'two'],
    ])
  })

  it('finds names without regard to case, and by their file, where that is clear', () => {
    expect(rows({ select: ['REGION', 'sales.amount', 'sales.csv.Day'] }).columns).toEqual(['Region', 'Amount', 'Day'])
    const twins = { name: 't', table: table(column('a', 'number', [1]), column('A', 'number', [2])) }
    expect(ask({ file: 't', select: ['A'] }, twins, null, bounds).rows).toEqual([[2]])
  })

  it('orders by an aggregate as it is called, or as it is written', () => {
    const query: Omit<TableQuery, 'file'> = { groupBy: ['Region'], aggregate: [{ of: 'sum', column: 'Amount', as: 'total' }], where: [{ column: 'Amount', is: '>', value: 0 }] }
    for (const name of ['total', 'sum_Amount', 'sum(amount)'])
      expect(rows({ ...query, orderBy: [{ column: name, descending: true }] }).rows).toEqual([
        [null, 7],
        ['South', 5],
        ['North', 0.3],
      ])
  })

  it.each([
    [{ select: ['nope'] }, 'column_unknown', '"Region", "Amount", "Day", "Paid"'],
    [{ groupBy: ['Region'], orderBy: [{ column: 'Amount' }] }, 'column_unknown', '"Region"'],
    [{ aggregate: [{ of: 'sum' }] }, 'query_invalid', 'sum needs a column'],
    [{ aggregate: [{ of: 'sum', column: 'Region' }] }, 'query_invalid', 'numbers are in "Amount"'],
    [{ where: [{ column: 'Amount', is: '>', value: 'much' }] }, 'query_invalid', 'holds numbers'],
    [{ where: [{ column: 'Day', is: '>', value: 'soon' }] }, 'query_invalid', 'holds dates'],
    [{ where: [{ column: 'Paid', is: '=', value: 3 }] }, 'query_invalid', 'true or false'],
    [{ groupBy: ['Region'], aggregate: [{ of: 'count', as: 'Region' }] }, 'query_invalid', '"as"'],
  ] satisfies [Omit<TableQuery, 'file'>, string, string][])('%j is refused with what there is', (query, code, said) => {
    expect(() => rows(query)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(said) as string }) as Error)
  })

  it('ends where it would cost too much', () => {
    const same = { name: 's', table: table(column('k', 'text', Array<string>(2000).fill('x'))) }
    expect(() => ask({ file: 's', join: { file: 's', on: 'k' } }, same, same, bounds)).toThrow('more than 1000000 rows')
    const long = { name: 'l', table: table(column('k', 'text', Array<string>(200).fill('x'.repeat(10_000)))) }
    expect(() => ask({ file: 'l', limit: 200 }, long, null, bounds)).toThrow('select fewer columns')
  })
})

// The same questions answered once more, plainly, over rows in whole numbers of thousandths.
interface Sale {
  group: string | null
  thousandths: number | null
}
const sale: fc.Arbitrary<Sale> = fc.record({ group: fc.constantFrom('a', 'b', 'c', null), thousandths: fc.option(fc.integer({ min: -1_000_000_000, max: 1_000_000_000 })) })
const asTable = (list: readonly Sale[]) => ({
  name: 'x.csv',
  table: table(
    column(
      'group',
      'text',
      list.map(({ group }) => group),
    ),
    column(
      'n',
      'number',
      list.map(({ thousandths }) => (thousandths === null ? null : thousandths / 1000)),
    ),
  ),
})
const inGroups = (list: readonly Sale[]): Map<string | null, number[]> => {
  const groups = new Map<string | null, number[]>()
  for (const { group, thousandths } of list) groups.set(group, [...(groups.get(group) ?? []), ...(thousandths === null ? [] : [thousandths])])
  return groups
}

describe('random questions to random tables', () => {
  it('are answered as a plain computation in whole numbers answers them', () => {
    fc.assert(
      fc.property(fc.array(sale, { maxLength: 40 }), (list) => {
        const found = ask(
          { file: 'x.csv', groupBy: ['group'], aggregate: (['sum', 'mean', 'min', 'max', 'count', 'median', 'distinct'] as const).map((of) => ({ of, column: 'n' })), limit: 200 },
          asTable(list),
          null,
          bounds,
        )
        const expected = [...inGroups(list)].map(([group, numbers]) => {
          const sorted = [...numbers].sort((a, b) => a - b)
          const sum = numbers.reduce((a, b) => a + b, 0)
          const half = Math.floor(sorted.length / 2)
          const median = sorted.length % 2 === 1 ? sorted[half]! / 1000 : (sorted[half - 1]! + sorted[half]!) / 2000
          const some = <T>(value: T): T | null => (numbers.length === 0 ? null : value)
          return [
            group,
            some(sum / 1000),
            some(Number((BigInt(sum) * 10n ** 30n) / BigInt(numbers.length || 1)) / 1e33),
            some(sorted[0]! / 1000),
            some(sorted.at(-1)! / 1000),
            numbers.length,
            some(median),
            new Set(numbers).size,
          ]
        })
        expect(found.rows.map((row) => row.map((cell, at) => (at === 2 ? null : cell)))).toEqual(expected.map((row) => row.map((cell, at) => (at === 2 ? null : cell))))
        // The mean of the test is rounded more than once.
        for (const [at, row] of found.rows.entries()) {
          const [mean, wanted] = [row[2], expected[at]![2]]
          if (typeof mean === 'number' && typeof wanted === 'number') expect(Math.abs(mean - wanted)).toBeLessThanOrEqual(Math.abs(wanted) * 1e-14)
          else expect(mean).toBe(wanted)
        }
      }),
    )
  })

  it('find the largest, the rows that hold a condition, and the pairs of a join', () => {
    fc.assert(
      fc.property(fc.array(sale, { maxLength: 30 }), fc.array(sale, { maxLength: 30 }), fc.integer({ min: -10, max: 10 }), (one, other, border) => {
        const largest = ask({ file: 'x.csv', select: ['n'], orderBy: [{ column: 'n', descending: true }], limit: 3 }, asTable(one), null, bounds).rows.map(([n]) => n)
        const numbers = one.flatMap(({ thousandths }) => (thousandths === null ? [] : [thousandths])).sort((a, b) => b - a)
        expect(largest).toEqual([...numbers.map((n) => n / 1000), ...one.filter(({ thousandths }) => thousandths === null).map(() => null)].slice(0, 3))

        const above = ask({ file: 'x.csv', where: [{ column: 'n', is: '>', value: border }] }, asTable(one), null, bounds)
        expect(above.total).toBe(numbers.filter((n) => n > border * 1000).length)

        const pairs = one.flatMap((left) =>
          other.filter((right) => left.group !== null && left.group === right.group).map((right) => [left.group, left.thousandths, right.thousandths]),
        )
        const joined = ask({ file: 'x.csv', join: { file: 'y.csv', on: 'group' }, limit: 200 }, asTable(one), { ...asTable(other), name: 'y.csv' }, bounds)
        expect(joined.columns).toEqual(['group', 'n', 'y.n'])
        expect(joined.total).toBe(pairs.length)
        expect(joined.rows).toEqual(pairs.slice(0, 200).map(([group, ...ns]) => [group, ...ns.map((n) => (typeof n === 'number' ? n / 1000 : null))]))
      }),
    )
  })

  it('add any doubles in any order to the same sum', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e200, max: 1e200 }), { maxLength: 20 }), (numbers) => {
        const sum = (list: number[]) => ask({ file: 'x', aggregate: [{ of: 'sum', column: 'n' }] }, { name: 'x', table: table(column('n', 'number', list)) }, null, bounds).rows
        expect(sum([...numbers].reverse())).toEqual(sum(numbers))
        expect(sum([...numbers, ...numbers.map((n) => -n)])).toEqual(numbers.length === 0 ? [[null]] : [[0]])
      }),
    )
  })

  it('have one answer, whether the table was written as lines or as JSON', () => {
    const few = fc.array(sale, { minLength: 1, maxLength: 20 }).filter((list) => list.some(({ thousandths }) => thousandths !== null) && list.some(({ group }) => group !== null))
    fc.assert(
      fc.property(few, fc.constantFrom(',', ';', '\t'), fc.constantFrom('.', ','), (list, delimiter, mark) => {
        const cents = list.map(({ group, thousandths }) => ({ group, n: thousandths === null ? null : Math.trunc(thousandths / 10) / 100 }))
        const lines = cents.map(({ group, n }, at) => [group ?? '', n === null ? '' : `"${n.toFixed(2).replace('.', mark)}"`, at].join(delimiter))
        const tables = [
          readDelimited([['group', 'n', 'at'].join(delimiter), ...lines].join('\n'), bounds),
          readJson(JSON.stringify(cents.map((row, at) => ({ ...row, at }))), bounds)!,
        ]
        const question: TableQuery = {
          file: 'x',
          where: [{ column: 'at', is: '<', value: 15 }],
          groupBy: ['group'],
          aggregate: [{ of: 'sum', column: 'n', as: 'total' }, { of: 'count' }],
          orderBy: [{ column: 'total', descending: true }, { column: 'group' }],
        }
        const wanted = [...Map.groupBy(cents.slice(0, 15), ({ group }) => group)]
          .map(([group, rows_]) => {
            const numbers = rows_.flatMap(({ n }) => (n === null ? [] : [Math.round(n * 100)]))
            return [group, numbers.length === 0 ? null : numbers.reduce((a, b) => a + b, 0) / 100, rows_.length] as const
          })
          .sort(([a, x], [b, y]) => (x === y ? (a === b ? 0 : a === null ? 1 : b === null || a < b ? -1 : 1) : x === null ? 1 : y === null ? -1 : y - x))
        for (const each of tables) expect(ask(question, { name: 'x', table: each }, null, bounds).rows).toEqual(wanted)
      }),
      { numRuns: 300 },
    )
  })
})
