import { nameOf } from './assemble.ts'
import type { Shape } from './assemble.ts'
import { tableQuestion } from './question.ts'
import type { Aggregate, Condition, Query, Table } from './table.ts'

/** A query in words: those that people are told, and those from which the same query is made again. PURE. */
export interface Phrased {
  /** `Sum of amount by region` */
  title: string
  /** `Compute the sum of amount by region in sales.csv.` */
  instructions: string
}

type Name = (name: string) => string

const bare: Name = (name) => name
const quoted: Name = (name) => (name.includes('"') ? `“${name}”` : `"${name}"`)

/** With names in quotation marks where they would be read as something else; null where that does not help either. */
export function phrased(query: Query, shape: Shape, tables: readonly Table[]): Phrased | null {
  const title = capital(sentence(query, shape, bare).replace(/^(?:compute|find|list|show) (?:the )?/i, ''))
  const meant = JSON.stringify([query, shape])
  for (const name of [bare, quoted]) {
    const instructions = `${sentence(query, shape, name)} in ${[query.file, ...(query.join ? [query.join.file] : [])].map(name).join(' and ')}.`
    const read = tableQuestion(instructions, tables)
    if ('query' in read && JSON.stringify([read.query, read.shape]) === meant) return { title: title.slice(0, 200), instructions }
  }
  return null
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

function sentence(query: Query, shape: Shape, name: Name): string {
  return [core(query, shape, name), wherePhrase(query.where, name), orderPhrase(query, shape, name)].filter((part) => part !== '').join(' ')
}

function core(query: Query, shape: Shape, name: Name): string {
  const by = (query.groupBy ?? []).map(name).join(' and ')
  if (shape.is === 'extreme') return extremePhrase(query, shape, name)
  if (shape.is === 'numbers') return `Compute ${aggregatesPhrase(query.aggregate ?? [], name)}${by === '' ? '' : ` grouped by ${by}`}`
  if (query.groupBy) return `List the different ${by}`
  if (query.select) return `List the ${query.select.map(name).join(' and ')}`
  return query.limit === undefined || query.where ? 'List the rows' : `Show the first ${query.limit} rows`
}

/** `the sum of amount and the mean of units` */
const aggregatesPhrase = (aggregates: readonly Aggregate[], name: Name = bare): string => {
  const all = aggregates.map((one) => aggregatePhrase(one, name))
  return all.length < 3 ? all.join(' and ') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)!}`
}

const words: Record<Aggregate['of'], string> = { sum: 'sum', mean: 'mean', min: 'minimum', max: 'maximum', median: 'median', count: 'number', distinct: 'number' }

export function aggregatePhrase({ of, column }: Aggregate, name: Name = bare): string {
  if (column === undefined) return 'the number of rows'
  return of === 'distinct' ? `the number of different ${name(column)}` : `the ${words[of]} of ${name(column)}`
}

function extremePhrase(query: Query, shape: Extract<Shape, { is: 'extreme' }>, name: Name): string {
  const [aggregate] = query.aggregate ?? []
  const of = shape.of === null ? 'row' : name(shape.of)
  const measure = aggregate ? aggregatePhrase(aggregate, name) : name(shape.by)
  if (shape.limit !== null) return `Find the ${shape.descending ? 'top' : 'bottom'} ${shape.limit} ${shape.of === null ? 'rows' : of} by ${measure}`
  if (aggregate?.of === 'count') return `Find the ${of} with the ${shape.descending ? 'most' : 'fewest'} rows`
  return `Find the ${of} with the ${shape.descending ? 'highest' : 'lowest'} ${measure.replace(/^the /, '')}`
}

export const wherePhrase = (where: readonly Condition[] = [], name: Name = bare): string =>
  where.length === 0 ? '' : `where ${where.map((one) => conditionPhrase(one, name)).join(' and ')}`

const comparisons: Record<Condition['is'], string> = { '=': 'is', '!=': 'is not', '<': 'is below', '<=': 'is at most', '>': 'is over', '>=': 'is at least', contains: 'contains' }

function conditionPhrase({ column, is, value }: Condition, name: Name): string {
  if (value === '') return `${name(column)} ${is === '=' ? 'is empty' : 'is not empty'}`
  return `${name(column)} ${comparisons[is]} ${typeof value === 'string' && !/^\d{4}-\d\d-\d\d$/.test(value) ? name(value) : String(value)}`
}

function orderPhrase({ orderBy, aggregate = [] }: Query, shape: Shape, name: Name): string {
  const [first] = orderBy ?? []
  if (!first || shape.is === 'extreme') return ''
  const measured = aggregate.find((one) => nameOf(one) === first.column)
  return `sorted by ${measured ? aggregatePhrase(measured, name) : name(first.column)} ${first.descending ? 'descending' : 'ascending'}`
}
