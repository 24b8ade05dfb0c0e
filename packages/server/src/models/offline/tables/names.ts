import type { Read, Rule } from './parsing.ts'
import { stemOfFile } from './table.ts'
import type { Column, Table } from './table.ts'
import { stemsOf, tokensIn } from './tokens.ts'
import type { Token } from './tokens.ts'

/** Where a sentence names columns, values and files. PURE. */

export interface ColumnAt {
  table: Table
  column: Column
}

/** A column as a sentence names it: one in each of the tables that have it. */
export type ColumnNamed = readonly ColumnAt[]

/** A value as a sentence names it: with the columns that have it. */
export type ValueNamed = readonly (ColumnAt & { value: string })[]

export interface Names {
  column: Rule<ColumnNamed>
  value: Rule<ValueNamed>
  file: Rule<Table>
  /** `orders` of a file `orders.csv`: its rows. */
  rowsOf: Rule<Table>
}

/** What people call a column besides: a handful of words that mean the same in every table. */
const synonyms = new Map([
  ['qty', 'quantity'],
  ['amt', 'amount'],
  ['client', 'customer'],
  ['turnover', 'revenue'],
  ['wage', 'salary'],
  ['nation', 'country'],
  ['dept', 'department'],
  ['mail', 'email'],
  ['avg', 'average'],
])
const usual = (stem: string): string => synonyms.get(stem) ?? stem

interface Entry<T> {
  raw: string
  stems: readonly string[]
  named: T
  /** What it costs to be called so. */
  cost: number
}

type Index<T> = ReadonlyMap<string, readonly Entry<T>[]>

function indexOf<T>(entries: Iterable<Entry<T>>): Index<T> {
  const index = new Map<string, Entry<T>[]>()
  for (const entry of entries) {
    const first = entry.stems[0]
    if (first === undefined) continue
    const others = index.get(usual(first))
    if (others) others.push(entry)
    else index.set(usual(first), [entry])
  }
  return index
}

/** Costs of what a name differs in from what is written. */
const otherCase = 0.01
const otherEnding = 0.1
const unitLeftOut = 0.2
const synonym = 0.5
const fileByItsStem = 0.1

/** Of a name that is a word of the language, unless quotation marks say that it is a name. */
const wordOfLanguage = 0.02
const ofLanguage = new Set(stemsOf('sum total mean average avg count min max minimum maximum median number row rows top by per where in is the all over under of and'))

const longestName = 24

interface Indexes {
  columns: Index<ColumnAt>
  values: Index<ColumnAt & { value: string }>
  files: Index<Table>
  stems: Index<Table>
}

/** Made once for the tables of a prompt: they may have very many values. */
const made = new WeakMap<readonly Table[], Indexes>()

function indexesOf(tables: readonly Table[]): Indexes {
  const known = made.get(tables)
  if (known) return known
  const indexes = {
    columns: indexOf(tables.flatMap((table) => table.columns.flatMap((column) => columnEntries({ table, column })))),
    values: indexOf(valueEntries(tables)),
    files: indexOf(tables.flatMap((table) => fileEntries(table))),
    stems: indexOf(tables.map((table) => ({ raw: stemOfFile(table.name), stems: stemsOf(stemOfFile(table.name)), named: table, cost: 0 }))),
  }
  made.set(tables, indexes)
  return indexes
}

export function namesIn(tokens: readonly Token[], tables: readonly Table[]): Names {
  const { columns, values, files, stems } = indexesOf(tables)
  return {
    column: together(tokens, columns),
    value: together(tokens, values),
    file: (at) => found(tokens, files, at).map(({ entry, to, cost }) => ({ value: entry.named, to, cost })),
    rowsOf: (at) => (tokens[at]?.is === 'quoted' ? [] : found(tokens, stems, at).map(({ entry, to, cost }) => ({ value: entry.named, to, cost }))),
  }
}

function columnEntries(at: ColumnAt): Entry<ColumnAt>[] {
  const { name } = at.column
  const bare = name.replace(/\s*[([][^()[\]]*[)\]]\s*$/, '')
  return [{ raw: name, stems: stemsOf(name), named: at, cost: 0 }, ...(bare === name || bare === '' ? [] : [{ raw: bare, stems: stemsOf(bare), named: at, cost: unitLeftOut }])]
}

function* valueEntries(tables: readonly Table[]): Generator<Entry<ColumnAt & { value: string }>> {
  for (const table of tables)
    for (const column of table.columns) for (const value of column.values ?? []) yield { raw: value, stems: stemsOf(value), named: { table, column, value }, cost: 0 }
}

const fileEntries = (table: Table): Entry<Table>[] => [
  { raw: table.name, stems: stemsOf(table.name), named: table, cost: 0 },
  { raw: stemOfFile(table.name), stems: stemsOf(stemOfFile(table.name)), named: table, cost: fileByItsStem },
]

interface Found<T> {
  entry: Entry<T>
  to: number
  cost: number
}

/** The names that stand at a place. */
function found<T>(tokens: readonly Token[], index: Index<T>, at: number): Found<T>[] {
  const token = tokens[at]
  if (!token) return []
  if (token.is === 'quoted') return among(tokensIn(token.raw), index, 0, true, token.raw).map((one) => ({ ...one, to: at + 1 }))
  return among(tokens, index, at, false, null)
}

function among<T>(tokens: readonly Token[], index: Index<T>, at: number, whole: boolean, raw: string | null): Found<T>[] {
  const first = tokens[at]
  return ((first && index.get(usual(first.stem))) ?? []).flatMap((entry) => {
    const { stems } = entry
    const to = at + stems.length
    if (stems.length > longestName || to > tokens.length || (whole && to !== tokens.length)) return []
    let strange = 0
    for (const [place, stem] of stems.entries()) {
      const written = tokens[at + place]!
      if (written.is === 'quoted' || usual(written.stem) !== usual(stem)) return []
      if (written.stem !== stem) strange = synonym
    }
    const written = raw ?? tokens.slice(at, to).map((token) => token.raw)
    const meant = raw === null && stems.length === 1 && ofLanguage.has(stems[0]!) ? wordOfLanguage : 0
    return [{ entry, to, cost: entry.cost + strange + meant + difference(written, entry.raw) }]
  })
}

/** Of what is written, as it stands or in pieces, from a name. */
function difference(written: string | readonly string[], name: string): number {
  if (written === name) return 0
  const bare = (text: string): string => text.replace(/[^\p{L}\p{M}\p{N}]/gu, '')
  const [one, other] = [bare(typeof written === 'string' ? written : written.join('')), bare(name)]
  if (one === other) return typeof written === 'string' ? otherCase / 2 : 0
  return one.toLowerCase() === other.toLowerCase() ? otherCase : otherEnding
}

/** What is called the same is one mention; in one table the best of them. */
function together<T extends ColumnAt>(tokens: readonly Token[], index: Index<T>): Rule<readonly T[]> {
  return (at) => {
    const byEnd = new Map<number, Found<T>[]>()
    for (const one of found(tokens, index, at)) byEnd.set(one.to, [...(byEnd.get(one.to) ?? []), one])
    return [...byEnd].map(([to, all]): Read<readonly T[]> => {
      const cost = Math.min(...all.map((one) => one.cost))
      return { value: best(all), to, cost }
    })
  }
}

function best<T extends ColumnAt>(all: readonly Found<T>[]): T[] {
  const least = new Map<Table, number>()
  for (const { entry, cost } of all) least.set(entry.named.table, Math.min(cost, least.get(entry.named.table) ?? Infinity))
  return all.filter(({ entry, cost }) => cost === least.get(entry.named.table)).map(({ entry }) => entry.named)
}
