import type { Bounds } from './bounds.ts'
import { readColumns } from './columns.ts'
import type { Cell, Column, Table } from './content.ts'
import { uniqueNames } from './delimited.ts'
import { DocumentError } from './document-error.ts'
import { storable } from './encoding.ts'

/** What a JSON text holds: rows, where it is a list of objects or of lists, or an object that holds one such list alone. Null of any other JSON. */
export function readJson(text: string, bounds: Bounds): Table | null {
  return tableIn(parsed(text), bounds)
}

/** One JSON value a line. */
export function readJsonLines(text: string, bounds: Bounds): Table | null {
  const values: unknown[] = []
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    if (values.length === bounds.rows) throw tooMany('rows', bounds.rows)
    values.push(parsed(line))
  }
  return tableIn(values, bounds)
}

/** Ids of more digits than a double holds are kept as texts, as they are written. */
const hasLongNumbers = /\d{16}/

function longAsText(_key: string, value: unknown, { source }: { source?: string } = {}): unknown {
  return typeof value === 'number' && source !== undefined && /^-?\d+$/.test(source) && String(value) !== source ? source : value
}

function parsed(text: string): unknown {
  try {
    return hasLongNumbers.test(text) ? JSON.parse(text, longAsText) : JSON.parse(text)
  } catch (error) {
    throw new DocumentError('document_unreadable', `This is no JSON: ${error instanceof Error ? error.message.slice(0, 200) : ''}`, { cause: error })
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const tooMany = (what: 'rows' | 'columns' | 'cells', most: number): DocumentError =>
  new DocumentError('document_too_large', `A table has at most ${most} ${what}; this one has more`)

function tableIn(value: unknown, bounds: Bounds): Table | null {
  try {
    return rowsIn(value, bounds)
  } catch (error) {
    // Nested so deeply that it cannot be written as a cell: JSON, but no table.
    if (error instanceof RangeError) return null
    throw error
  }
}

function rowsIn(value: unknown, bounds: Bounds): Table | null {
  const rows = isRecord(value) && Object.keys(value).length === 1 ? Object.values(value)[0] : value
  if (!Array.isArray(rows) || rows.length === 0) return null
  if (rows.every((row) => isRecord(row))) return ofObjects(rows, bounds)
  return rows.every((row): row is unknown[] => Array.isArray(row)) ? ofLists(rows, bounds) : null
}

function ofObjects(rows: readonly Record<string, unknown>[], bounds: Bounds): Table {
  if (rows.length > bounds.rows) throw tooMany('rows', bounds.rows)
  const keys = new Set<string>()
  for (const row of rows) {
    for (const key in row) keys.add(key)
    if (keys.size > bounds.columns) throw tooMany('columns', bounds.columns)
  }
  if (keys.size * rows.length > bounds.cells) throw tooMany('cells', bounds.cells)
  const names = uniqueNames([...keys].map(storable))
  return { columns: columnsOf([...keys].map((key, at) => ({ name: names[at]!, values: rows.map((row) => (Object.hasOwn(row, key) ? row[key] : null)) }))), rows: rows.length }
}

/** The first list names the columns where it has nothing but texts. */
function ofLists(lists: readonly (readonly unknown[])[], bounds: Bounds): Table {
  const width = lists.reduce((widest, { length }) => Math.max(widest, length), 0)
  if (width > bounds.columns) throw tooMany('columns', bounds.columns)
  const named = lists.length > 1 && lists[0]!.length > 0 && lists[0]!.every((cell) => typeof cell === 'string')
  const rows = named ? lists.slice(1) : lists
  if (rows.length > bounds.rows) throw tooMany('rows', bounds.rows)
  if (width * rows.length > bounds.cells) throw tooMany('cells', bounds.cells)
  const names = uniqueNames(Array.from({ length: width }, (_, at) => (named ? (textOf(lists[0]![at]) ?? '') : '')))
  return { columns: columnsOf(names.map((name, at) => ({ name, values: rows.map((row) => row[at] ?? null) }))), rows: rows.length }
}

/** Texts of JSON are read as those of other tables are, since many write numbers and all write dates that way. */
function columnsOf(columns: readonly { name: string; values: unknown[] }[]): Column[] {
  return columns.map(({ name, values }) => {
    const present = values.filter((value) => value !== null && value !== undefined)
    if (present.length > 0 && present.every((value) => typeof value === 'number'))
      return { name, type: 'number', cells: values.map((value) => (typeof value === 'number' && Number.isFinite(value) ? value : null)) }
    if (present.length > 0 && present.every((value) => typeof value === 'boolean'))
      return { name, type: 'boolean', cells: values.map((value) => (typeof value === 'boolean' ? value : null)) }
    const texts = values.map(textOf)
    return present.every((value) => typeof value === 'string') ? readColumns([{ name, texts }], '.')[0]! : { name, type: 'text', cells: texts satisfies Cell[] }
  })
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.trim() === '' ? null : storable(text)
}
