import type { Bounds } from './bounds.ts'
import { readColumns } from './columns.ts'
import type { Table } from './content.ts'
import { readDate, usualOrder } from './dates.ts'
import { DocumentError } from './document-error.ts'
import { readNumber } from './numbers.ts'
import { eachRecord } from './records.ts'

/** In this order where a file would fit several. */
const delimiters = ['\t', ';', '|', ','] as const
type Delimiter = (typeof delimiters)[number]

/** Reads a table of lines: comma, semicolon, tab or bar between the cells, with or without a line of names. */
export function readDelimited(text: string, bounds: Bounds): Table {
  const { body, delimiter } = delimiterOf(text)
  return tableOf(cellsOf(body, delimiter, bounds), delimiter, bounds)
}

/** The first line may say it, as spreadsheets write it; else the one that the first lines have most alike. */
function delimiterOf(text: string): { body: string; delimiter: Delimiter } {
  const said = /^sep=([,;|\t])\r?\n/i.exec(text)
  if (said) return { body: text.slice(said[0].length), delimiter: said[1] as Delimiter }
  const counts = countsOf(text)
  const likeness = delimiters.map((delimiter, at) => ({ delimiter, at, ...alike(counts.map((record) => record[delimiter])) }))
  likeness.sort((one, other) => other.share - one.share || one.at - other.at)
  return { body: text, delimiter: likeness[0]!.share > 0 ? likeness[0]!.delimiter : ',' }
}

/** How much of the start of a file is looked at. */
const sampled = { characters: 64 * 1024, records: 50 }

/** How often each delimiter stands outside of quotes, by record. */
function countsOf(text: string): Record<Delimiter, number>[] {
  const none = (): Record<Delimiter, number> => ({ '\t': 0, ';': 0, '|': 0, ',': 0 })
  const records: Record<Delimiter, number>[] = []
  let [record, quoted, filled] = [none(), false, false]
  const end = (): void => {
    if (filled) records.push(record)
    ;[record, filled] = [none(), false]
  }
  for (const character of text.slice(0, sampled.characters)) {
    if (character === '"') quoted = !quoted
    else if (!quoted && (character === '\n' || character === '\r')) end()
    else if (!quoted && isDelimiter(character)) record[character]++
    if (character !== '\n' && character !== '\r') filled = true
    if (records.length === sampled.records) return records
  }
  // A last one that the sample cuts off says less than the others, unless it is all there is.
  if (records.length === 0 || text.length <= sampled.characters) end()
  return records
}

const isDelimiter = (character: string): character is Delimiter => (delimiters as readonly string[]).includes(character)

/** The share of the records that have as many as most have; none where most have none. */
function alike(counts: readonly number[]): { share: number } {
  const times = new Map<number, number>()
  for (const count of counts) times.set(count, (times.get(count) ?? 0) + 1)
  const most = Math.max(0, ...[...times].filter(([count]) => count > 0).map(([, often]) => often))
  return { share: most / Math.max(1, counts.length) }
}

/** Cells by column, an empty one null, and how many there are in each. */
interface Cells {
  columns: (string | null)[][]
  rows: number
}

const tooMany = (what: 'rows' | 'columns' | 'cells', most: number): DocumentError =>
  new DocumentError('document_too_large', `A table has at most ${most} ${what}; this one has more`)

/** Lines of empty cells are no rows; short lines are filled up with empty cells. */
function cellsOf(text: string, delimiter: Delimiter, bounds: Bounds): Cells {
  const columns: (string | null)[][] = []
  let rows = 0
  const take = (record: readonly string[]): void => {
    if (record.every((cell) => cell.trim() === '')) return
    while (columns.length < record.length) columns.push(Array<null>(rows).fill(null))
    rows++
    // The line of names is no row.
    if (rows > bounds.rows + 1) throw tooMany('rows', bounds.rows)
    if (rows * columns.length > bounds.cells + columns.length) throw tooMany('cells', bounds.cells)
    for (const [at, column] of columns.entries()) column.push(filled(record[at]))
  }
  eachRecord(text, delimiter, bounds.columns, take, () => tooMany('columns', bounds.columns))
  return { columns, rows }
}

function tableOf({ columns, rows: lines }: Cells, delimiter: Delimiter, bounds: Bounds): Table {
  const first = columns.map((column) => column[0] ?? null)
  const named = lines > 0 && hasNames(first, columns)
  const rows = lines - (named ? 1 : 0)
  if (rows > bounds.rows) throw tooMany('rows', bounds.rows)
  const names = uniqueNames(first.map((name) => (named ? (name ?? '') : '')))
  return {
    columns: readColumns(
      columns.map((texts, at) => ({ name: names[at]!, texts: named ? texts.slice(1) : texts })),
      delimiter === ';' ? ',' : '.',
    ),
    rows,
  }
}

const filled = (text: string | undefined): string | null => text?.trim() || null

/** How many rows are looked at to tell names from values. */
const looked = 200

/**
 * The first line names the columns unless one of its cells is a number or date. It does all the same where those are years or
 * dates (`region, 2024, 2025`) over numbers that are none.
 */
function hasNames(first: readonly (string | null)[], columns: readonly (readonly (string | null)[])[]): boolean {
  const values = first.flatMap((text, at) => (text !== null && (isNumber(text) || isDate(text)) ? [at] : []))
  if (values.length === 0) return true
  if (values.length === first.length || !values.every((at) => isYear(first[at]!) || isDate(first[at]!))) return false
  return values.some((at) => columns[at]!.slice(1, looked).some((text) => text !== null && isNumber(text) && !isYear(text)))
}

const isNumber = (text: string): boolean => readNumber(text, '.') !== null || readNumber(text, ',') !== null
const isDate = (text: string): boolean => readDate(text, usualOrder(text)) !== null
const isYear = (text: string): boolean => /^\s*(?:19|20)\d\d\s*$/.test(text)

/** Longer names are cut: a file without a line of names may have anything in its place. */
const longestName = 200

/** Names that are missing are made of the column's place, from 1; those that come again get a number. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names.map((name) => name.trim().slice(0, longestName)))
  const given = new Set<string>()
  return names.map((raw, at) => {
    const wanted = raw.trim().slice(0, longestName)
    if (wanted !== '' && !given.has(wanted)) {
      given.add(wanted)
      return wanted
    }
    const base = wanted === '' ? `column_${at + 1}` : wanted
    let name = wanted === '' && !taken.has(base) ? base : `${base}_2`
    for (let number = 3; given.has(name) || taken.has(name); number++) name = `${base}_${number}`
    given.add(name)
    return name
  })
}
