import { rowsGiven } from './bounds.ts'
import type { Bounds } from './bounds.ts'
import type { Cell, ColumnType, Table } from './content.ts'
import { readDate, usualOrder } from './dates.ts'
import { DocumentError } from './document-error.ts'
import { exactMean, exactMedian, exactSum } from './exact.ts'
import { readNumber } from './numbers.ts'
import type { TableQuery, TableResult } from './table-query.ts'

/** A table with the name of its file. */
export interface NamedTable {
  name: string
  table: Table
}

/** A column of what is asked, wherever its cells are kept. */
interface Field {
  name: string
  /** What it may be called besides. */
  aliases: readonly string[]
  type: ColumnType
  at(row: number): Cell
}

interface Rows {
  fields: readonly Field[]
  count: number
}

type Where = NonNullable<TableQuery['where']>[number]
type Aggregate = NonNullable<TableQuery['aggregate']>[number]

/**
 * Answers a question to one table, or to two that are joined: join, where, group and aggregate, order, limit, select, in this
 * order. PURE. An empty cell joins nothing, is left out of every aggregate, and comes last in any order.
 */
export function ask(query: TableQuery, left: NamedTable, right: NamedTable | null, bounds: Pick<Bounds, 'joined' | 'answerCharacters'>): TableResult {
  const all = query.join && right ? joined(left, right, query.join.on, bounds.joined) : rowsOf(left)
  const filtered = restricted(all, query.where ?? [])
  const asked = query.groupBy || query.aggregate ? grouped(filtered, query.groupBy ?? [], query.aggregate ?? []) : filtered
  const fields = query.select ? query.select.map((name) => fieldOf(asked, name)) : asked.fields
  const order = ordered(asked, query.orderBy ?? []).slice(0, query.limit ?? rowsGiven)
  return { columns: fields.map(({ name }) => name), rows: answered(fields, order, bounds.answerCharacters), total: asked.count }
}

function answered(fields: readonly Field[], order: readonly number[], most: number): Cell[][] {
  let characters = 0
  return order.map((row) =>
    fields.map((field) => {
      const cell = field.at(row)
      characters += typeof cell === 'string' ? cell.length + 3 : 8
      if (characters > most) throw new DocumentError('document_too_large', `The answer has more than ${most} characters: select fewer columns, or limit it to fewer rows`)
      return cell
    }),
  )
}

const stemOf = (name: string): string => name.replace(/(?<=.)\.[^.]*$/, '')

function rowsOf({ name, table }: NamedTable): Rows {
  return {
    count: table.rows,
    fields: table.columns.map((column) => ({ name: column.name, aliases: qualified(name, column.name), type: column.type, at: (row) => column.cells[row] ?? null })),
  }
}

const qualified = (file: string, column: string): string[] => [`${stemOf(file)}.${column}`, `${file}.${column}`]

/** The column of that name: exactly, else without regard to case, else by the name of its file and its own. */
function fieldOf({ fields }: Rows, name: string): Field {
  const alike = (one: string): boolean => one.toLowerCase() === name.toLowerCase()
  const found =
    fields.find((field) => field.name === name) ??
    onlyOne(fields.filter((field) => alike(field.name))) ??
    onlyOne(fields.filter((field) => field.aliases.includes(name))) ??
    onlyOne(fields.filter((field) => field.aliases.some(alike)))
  if (found) return found
  throw new DocumentError('column_unknown', `There is no column ${JSON.stringify(name)}; there are ${listed(fields.map((field) => field.name))}`)
}

const onlyOne = <T>(found: readonly T[]): T | undefined => (found.length === 1 ? found[0] : undefined)

/** Names as a message tells them. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 100).map((name) => JSON.stringify(name.slice(0, 100)))
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ')
}

// Join

type On = NonNullable<TableQuery['join']>['on']

/** Each row of the left beside each of the right whose key is the same. The key of the right is left out; its other columns get the name of their file in front where theirs is taken. */
function joined(left: NamedTable, right: NamedTable, on: On, most: number): Rows {
  const [one, other] = [rowsOf(left), rowsOf(right)]
  const [leftKey, rightKey] = [fieldOf(one, typeof on === 'string' ? on : on.left), fieldOf(other, typeof on === 'string' ? on : on.right)]
  const [ofLeft, ofRight] = matches(one.count, keyed(leftKey, rightKey.type), other.count, keyed(rightKey, leftKey.type), most)
  const names = new Set(one.fields.map(({ name }) => name))
  const renamed = (field: Field): string => {
    if (!names.has(field.name)) return field.name
    return [...field.aliases, ...Array.from({ length: names.size + 1 }, (_, at) => `${field.aliases[0]}_${at + 2}`)].find((name) => !names.has(name))!
  }
  const beside = other.fields
    .filter((field) => field !== rightKey)
    .map((field) => {
      const name = renamed(field)
      names.add(name)
      return { ...field, name, at: (row: number) => field.at(ofRight[row]!) }
    })
  const front = one.fields.map((field) => ({
    ...field,
    at: (row: number) => field.at(ofLeft[row]!),
    aliases: field === leftKey ? [...field.aliases, ...rightKey.aliases] : field.aliases,
  }))
  return { count: ofLeft.length, fields: [...front, ...beside] }
}

/** Of columns of the same type their values are compared, of others what is written. */
const keyed =
  (field: Field, otherType: ColumnType) =>
  (row: number): Cell => {
    const cell = field.at(row)
    return cell === null || field.type === otherType ? cell : String(cell)
  }

function matches(leftCount: number, leftKey: (row: number) => Cell, rightCount: number, rightKey: (row: number) => Cell, most: number): [number[], number[]] {
  const byKey = new Map<Cell, number[]>()
  for (let row = 0; row < rightCount; row++) {
    const key = rightKey(row)
    if (key === null) continue
    const rows = byKey.get(key)
    if (rows) rows.push(row)
    else byKey.set(key, [row])
  }
  const [ofLeft, ofRight]: [number[], number[]] = [[], []]
  for (let row = 0; row < leftCount; row++) {
    const key = leftKey(row)
    for (const match of (key === null ? undefined : byKey.get(key)) ?? []) {
      ofLeft.push(row)
      ofRight.push(match)
    }
    if (ofLeft.length > most) throw new DocumentError('document_too_large', `The join gives more than ${most} rows: its keys repeat on both sides`)
  }
  return [ofLeft, ofRight]
}

// Where

function restricted(rows: Rows, where: readonly Where[]): Rows {
  if (where.length === 0) return rows
  const tests = where.map((condition) => testOf(fieldOf(rows, condition.column), condition))
  const kept: number[] = []
  for (let row = 0; row < rows.count; row++) if (tests.every((test) => test(row))) kept.push(row)
  return { count: kept.length, fields: rows.fields.map((field) => ({ ...field, at: (row) => field.at(kept[row]!) })) }
}

/** An empty cell is equal to `''` alone, and neither less nor more than anything. */
function testOf(field: Field, { is, value }: Where): (row: number) => boolean {
  if (is === 'contains') {
    const part = String(value).toLowerCase()
    return (row) =>
      String(field.at(row) ?? '')
        .toLowerCase()
        .includes(part)
  }
  if (value === '' && (is === '=' || is === '!=')) return (row) => (field.at(row) === null) === (is === '=')
  const wanted = valueFor(field, value)
  // A day is all of its hours, a month all of its days.
  const seen = field.type === 'date' && typeof wanted === 'string' && wanted.length <= 10 ? (cell: Cell) => String(cell).slice(0, wanted.length) : (cell: Cell) => cell
  const holds = comparisons[is]
  return (row) => {
    const cell = field.at(row)
    return cell === null ? is === '!=' : holds(compared(seen(cell), wanted))
  }
}

const comparisons: Record<Exclude<Where['is'], 'contains'>, (order: number) => boolean> = {
  '=': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

/** A value as the column would hold it. */
function valueFor({ name, type }: Field, value: string | number | boolean): string | number | boolean {
  const read = readers[type](value)
  if (read !== null) return read
  throw new DocumentError('query_invalid', `The column ${JSON.stringify(name)} holds ${nouns[type]}; ${JSON.stringify(value).slice(0, 100)} is none`)
}

const nouns: Record<ColumnType, string> = { number: 'numbers', text: 'texts', date: 'dates', boolean: 'true or false' }

const readers: Record<ColumnType, (value: string | number | boolean) => string | number | boolean | null> = {
  number: (value) => (typeof value === 'number' ? value : typeof value === 'string' ? (readNumber(value, '.')?.value ?? readNumber(value, ',')?.value ?? null) : null),
  text: (value) => String(value),
  date: (value) => (/^\d{4}(?:-(?:0[1-9]|1[0-2]))?$/.test(String(value)) ? String(value) : dateIn(String(value))),
  boolean: (value) => (typeof value === 'boolean' ? value : (({ true: true, yes: true, false: false, no: false } as Record<string, boolean>)[String(value).toLowerCase()] ?? null)),
}

/** Read as the column's were, as far as a single one tells. */
const dateIn = (text: string): string | null => readDate(text, usualOrder(text)) ?? readDate(text, 'day') ?? readDate(text, 'month')

/** Texts by their characters' numbers, as dates in ISO 8601 need it; false before true. */
function compared(one: Cell, other: Cell): number {
  if (one === other) return 0
  if (one === null) return 1
  if (other === null) return -1
  return one < other ? -1 : 1
}

// Group and aggregate

function grouped(rows: Rows, groupBy: readonly string[], aggregates: readonly Aggregate[]): Rows {
  const keys = groupBy.map((name) => fieldOf(rows, name))
  const groups = keys.length === 0 ? [Array.from({ length: rows.count }, (_, row) => row)] : [...groupsBy(rows.count, keys).values()]
  const fields: Field[] = [
    ...keys.map((key) => ({ ...key, at: (group: number) => key.at(groups[group]![0]!) })),
    ...aggregates.map((aggregate) => aggregated(rows, groups, aggregate)),
  ]
  const twice = fields.find(({ name }, at) => fields.findIndex((field) => field.name === name) !== at)
  if (twice) throw new DocumentError('query_invalid', `Two columns of the answer are called ${JSON.stringify(twice.name)}: give one another name by "as"`)
  return { count: groups.length, fields }
}

/** In the order in which their first rows come. */
function groupsBy(count: number, keys: readonly Field[]): Map<Cell, number[]> {
  const groups = new Map<Cell, number[]>()
  const [only] = keys
  const keyOf = keys.length === 1 ? (row: number) => only!.at(row) : (row: number) => JSON.stringify(keys.map((key) => key.at(row)))
  for (let row = 0; row < count; row++) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group) group.push(row)
    else groups.set(key, [row])
  }
  return groups
}

function aggregated(rows: Rows, groups: readonly number[][], { of, column, as }: Aggregate): Field {
  if (column === undefined) {
    if (of !== 'count') throw new DocumentError('query_invalid', `${of} needs a column; there are ${listed(rows.fields.map(({ name }) => name))}`)
    const counts = groups.map((group) => group.length)
    return { name: as ?? of, aliases: ['count(*)'], type: 'number', at: (group) => counts[group]! }
  }
  const field = fieldOf(rows, column)
  if (of === 'sum' || of === 'mean' || of === 'median') requireNumbers(of, rows, field)
  const cells = groups.map((group) =>
    over(
      of,
      group.map((row) => field.at(row)).filter((cell) => cell !== null),
    ),
  )
  return {
    name: as ?? `${of}_${field.name}`,
    aliases: [`${of}(${field.name})`, `${of}_${field.name}`],
    type: of === 'min' || of === 'max' ? field.type : 'number',
    at: (group) => cells[group]!,
  }
}

function requireNumbers(of: string, { fields }: Rows, { name, type }: Field): void {
  if (type === 'number') return
  const numbers = fields.filter((field) => field.type === 'number').map((field) => field.name)
  const instead = numbers.length === 0 ? 'no column holds numbers' : `numbers are in ${listed(numbers)}`
  throw new DocumentError('query_invalid', `The ${of} of ${JSON.stringify(name)} cannot be had: it holds ${nouns[type]}; ${instead}`)
}

/** Of nothing there is no sum either: it is empty, and the count is 0. */
function over(of: Aggregate['of'], cells: readonly NonNullable<Cell>[]): Cell {
  if (of === 'count') return cells.length
  if (of === 'distinct') return new Set(cells).size
  if (cells.length === 0) return null
  if (of === 'min' || of === 'max') return cells.reduce((best, cell) => (compared(cell, best) < 0 === (of === 'min') ? cell : best))
  const numbers = cells.filter((cell) => typeof cell === 'number')
  const result = of === 'sum' ? exactSum(numbers) : of === 'mean' ? exactMean(numbers) : exactMedian(numbers)
  return Number.isFinite(result) ? result : null
}

// Order

/** Rows that are equal stay as they were. */
function ordered(rows: Rows, orderBy: NonNullable<TableQuery['orderBy']>): number[] {
  const order = Array.from({ length: rows.count }, (_, row) => row)
  const keys = orderBy.map(({ column, descending = false }) => ({ field: fieldOf(rows, column), descending }))
  if (keys.length === 0) return order
  return order.sort((one, other) => {
    for (const { field, descending } of keys) {
      const [a, b] = [field.at(one), field.at(other)]
      const by = compared(a, b)
      if (by !== 0) return descending && a !== null && b !== null ? -by : by
    }
    return 0
  })
}
