import type { Cell, Column, ColumnType } from './content.ts'
import { readDate } from './dates.ts'
import type { DayOrder } from './dates.ts'
import { readNumber } from './numbers.ts'
import type { DecimalMark } from './numbers.ts'

/** A column of texts, as a file has them; empty cells are null. */
export interface WrittenColumn {
  name: string
  texts: (string | null)[]
}

/** What people write into a column of numbers or dates where there is none. */
const isNothing = (text: string): boolean => text.length <= 5 && /^\s*(?:n\/?a|nan|null|none|[-–—?])\s*$/i.test(text)

const truths = [
  ['true', 'false'],
  ['yes', 'no'],
  ['wahr', 'falsch'],
  ['ja', 'nein'],
] as const

/**
 * Finds what each column holds: a type is that of all its cells, or it is text. Whether a comma is a decimal mark a column often
 * leaves open (`1,234`); then its siblings say it, and where none does `usual`: what the file's delimiter suggests.
 */
export function readColumns(columns: readonly WrittenColumn[], usual: DecimalMark): Column[] {
  const marks = columns.map(({ texts }) => marksThatFit(texts))
  const settled = new Set(marks.flatMap((fitting) => (fitting.length === 1 ? fitting : [])))
  const [only] = settled.size === 1 ? settled : []
  const markOf = (fitting: readonly DecimalMark[], texts: readonly (string | null)[]): DecimalMark | undefined =>
    fitting.length === 2 ? (only ?? (usual === ',' && texts.some((text) => text?.includes(',')) ? ',' : '.')) : fitting[0]
  return columns.map(({ name, texts }, at) => ({ name, ...typed(texts, markOf(marks[at]!, texts)) }))
}

function typed(texts: readonly (string | null)[], mark: DecimalMark | undefined): { type: ColumnType; cells: Cell[] } {
  if (texts.every((text) => text === null)) return { type: 'text', cells: [...texts] }
  if (mark !== undefined) return { type: 'number', cells: texts.map((text) => (text === null ? null : (readNumber(text, mark)?.value ?? null))) }
  return truthsOf(texts) ?? datesOf(texts) ?? { type: 'text', cells: [...texts] }
}

/** The decimal marks with which all of a column are numbers. */
const marksThatFit = (texts: readonly (string | null)[]): DecimalMark[] => (['.', ','] as const).filter((mark) => areNumbers(texts, mark))

/** Sums of different units would be none: a column has one currency, which may be left out, or percents alone. */
function areNumbers(texts: readonly (string | null)[], mark: DecimalMark): boolean {
  const units = new Set<string | null>()
  for (const text of texts) {
    if (text === null) continue
    const read = readNumber(text, mark)
    if (read) units.add(read.unit)
    else if (!isNothing(text)) return false
    if (units.has('%') ? units.size > 1 : units.size > (units.has(null) ? 2 : 1)) return false
  }
  return units.size > 0
}

function truthsOf(texts: readonly (string | null)[]): { type: ColumnType; cells: Cell[] } | null {
  const first = texts
    .find((text) => text !== null)
    ?.trim()
    .toLowerCase()
  const pair = truths.find((words) => words.some((word) => word === first))
  if (!pair) return null
  const cells: Cell[] = []
  for (const text of texts) {
    const word = text?.trim().toLowerCase()
    if (word !== undefined && word !== pair[0] && word !== pair[1]) return null
    cells.push(word === undefined ? null : word === pair[0])
  }
  return { type: 'boolean', cells }
}

/** Days first where that is how all can be read and months first is not, and so the other way round; where both do, as is usual of the column's first date. */
function datesOf(texts: readonly (string | null)[]): { type: ColumnType; cells: Cell[] } | null {
  const first = texts.find((text) => text !== null && !isNothing(text))
  if (first === undefined || first === null) return null
  const orders: readonly DayOrder[] = first.includes('/') ? ['month', 'day'] : ['day', 'month']
  for (const order of orders) {
    const cells = datesIn(texts, order)
    if (cells) return { type: 'date', cells }
  }
  return null
}

function datesIn(texts: readonly (string | null)[], order: DayOrder): Cell[] | null {
  const cells: Cell[] = []
  for (const text of texts) {
    const date = text === null ? null : readDate(text, order)
    if (date === null && text !== null && !isNothing(text)) return null
    cells.push(date)
  }
  return cells
}
