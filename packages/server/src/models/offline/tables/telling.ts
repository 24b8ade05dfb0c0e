import type { Json } from '@sluice/schema'
import { isObject } from '../fitting.ts'
import type { Shape } from './assemble.ts'
import { aggregatePhrase, capital, wherePhrase } from './phrase.ts'
import type { Query } from './table.ts'

/** What a query came to, in words with its numbers. PURE. */
export interface Result {
  columns: string[]
  rows: Json[][]
  /** Before the limit. */
  total: number
}

/** A result as the tool gives it; null: it is something else. */
export function resultOf(value: Json | undefined): Result | null {
  if (!isObject(value)) return null
  const { columns, rows, total } = value
  if (!Array.isArray(columns) || !Array.isArray(rows) || typeof total !== 'number') return null
  return { columns: columns.map(String), rows: rows.filter((row) => Array.isArray(row)), total }
}

/** More are counted, not told. */
const mostTold = 50

export function told(query: Query, shape: Shape, result: Result): string {
  if (shape.is === 'extreme') return extreme(query, shape, result)
  if (shape.is === 'list') return list(query, result)
  return query.groupBy ? grouped(query, query.groupBy, result) : numbers(query, result)
}

/** Without the dust of binary fractions. */
export const cell = (value: Json | undefined): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(15))) : typeof value === 'string' ? value : value === null || value === undefined ? '(empty)' : JSON.stringify(value)

const where = (query: Query): string => {
  const phrase = wherePhrase(query.where)
  return phrase === '' ? '' : ` ${phrase}`
}

function numbers(query: Query, { rows }: Result): string {
  const aggregates = query.aggregate ?? []
  const parts = aggregates.map((one, at) => {
    const value = rows[0]?.[at]
    return `${aggregatePhrase(one)} is ${value === null || value === undefined ? 'none, as no row has a value' : cell(value)}`
  })
  const phrase = wherePhrase(query.where)
  return `${capital(phrase === '' ? parts.join(', ') : `${phrase}, ${parts.join(', ')}`)}${joined(query)}.`
}

const joined = ({ join }: Query): string => (join ? ` (joined with ${join.file} by ${typeof join.on === 'string' ? join.on : `${join.on.left} = ${join.on.right}`})` : '')

function grouped(query: Query, groupBy: readonly string[], { rows, total }: Result): string {
  const aggregates = query.aggregate ?? []
  const lines = rows.slice(0, mostTold).map((row) => {
    const key = row.slice(0, groupBy.length).map(cell).join(' / ')
    const values = row.slice(groupBy.length)
    if (aggregates.length === 1) return `${key} ${cell(values[0])}`
    return `${key}: ${aggregates.map((one, at) => `${aggregatePhrase(one).replace(/^the /, '')} ${cell(values[at])}`).join(', ')}`
  })
  const measured = aggregates.map((one, at) => (at === 0 ? aggregatePhrase(one) : aggregatePhrase(one))).join(' and ')
  const left = total > lines.length ? `, and ${total - lines.length} more` : ''
  return `${capital(measured)} by ${groupBy.join(' and ')}${where(query)}${joined(query)}: ${lines.join(aggregates.length === 1 ? ', ' : '; ')}${left} (${total} ${total === 1 ? 'row' : 'rows'}).`
}

function extreme(query: Query, shape: Extract<Shape, { is: 'extreme' }>, result: Result): string {
  const { columns, rows } = result
  const at = columns.indexOf(shape.by)
  const measured = rows.filter((row) => row[at] !== null && row[at] !== undefined)
  const [first] = measured
  const measure = query.aggregate?.[0] ? aggregatePhrase(query.aggregate[0]).replace(/^the /, '') : shape.by
  const rank = shape.descending ? 'highest' : 'lowest'
  const noun = shape.of ?? 'row'
  if (!first) return `No ${noun}${where(query)} has a ${measure}.`
  const others = (row: Json[]): string => columns.flatMap((column, place) => (place === at ? [] : [`${column} ${cell(row[place])}`])).join(', ')
  if (shape.limit !== null) {
    const lines = measured.map((row) => (shape.of === null ? `${shape.by} ${cell(row[at])} (${others(row)})` : `${cell(row[columns.indexOf(shape.of)])} ${cell(row[at])}`))
    return `The ${lines.length} ${shape.of === null ? 'rows' : shape.of} with the ${rank} ${measure}${where(query)}${joined(query)}: ${lines.join('; ')}.`
  }
  const best = measured.filter((row) => row[at] === first[at])
  const many = best.length === measured.length && result.total > rows.length ? ' at least' : ''
  if (shape.of === null) {
    const lines = best.map(others).join('; ')
    return best.length === 1
      ? `The row with the ${rank} ${measure}${where(query)}${joined(query)} has ${cell(first[at])}: ${lines}.`
      : `${capital(`${many} ${best.length}`.trim())} rows have the ${rank} ${measure}${where(query)}${joined(query)}, ${cell(first[at])}: ${lines}.`
  }
  const names = [...new Set(best.map((row) => `"${cell(row[columns.indexOf(shape.of!)])}"`))]
  const inRow = query.aggregate || best.length > 1 ? '' : ' (in one row)'
  return names.length === 1
    ? `The ${noun} with the ${rank} ${measure}${where(query)}${joined(query)} is ${names[0]!}: ${cell(first[at])}${inRow}.`
    : `The ${rank} ${measure}${where(query)}${joined(query)}, ${cell(first[at])}, is shared by${many} ${names.length} ${noun}: ${names.join(', ')}.`
}

function list(query: Query, { columns, rows, total }: Result): string {
  if (total === 0) return `No row of ${query.file}${where(query)}.`
  const one = columns.length === 1
  const lines = rows.slice(0, mostTold).map((row) => (one ? cell(row[0]) : columns.map((column, at) => `${column} ${cell(row[at])}`).join(', ')))
  const left = total > lines.length ? `; ${total - lines.length} more are not told` : ''
  return `${one ? capital(columns[0]!) : `Rows of ${query.file}`}${where(query)}${joined(query)}: ${lines.join(one ? ', ' : '; ')}${left} (${total} ${total === 1 ? 'row' : 'rows'}).`
}
