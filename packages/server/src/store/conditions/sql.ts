import type { Checked, Column, Comparing, Key, Place, StoredList, TextTest, Value } from './fields.ts'
import { keyType, orderedCharacters } from './fields.ts'
import { foldAscii } from './pattern.ts'

/** Puts a value into the statement and answers with what stands for it there: nothing a caller said is ever part of the text. */
export type Bind = (value: unknown) => string

export function binding(values: unknown[]): Bind {
  return (value) => `$${values.push(value)}`
}

/**
 * The conditions as an expression. Inside it may be unknown where a field is null, which under `and` and `or` is as good as
 * false; `not` asks whether it is true, so that nothing unknown is ever turned around (W1).
 */
export function whereSql<R>(checked: Checked, list: StoredList<R>, bind: Bind): string {
  if (checked.is === 'and' || checked.is === 'or') {
    if (checked.of.length === 0) return checked.is === 'and' ? 'true' : 'false'
    return `(${checked.of.map((each) => whereSql(each, list, bind)).join(` ${checked.is} `)})`
  }
  if (checked.is === 'not') return `(${whereSql(checked.of, list, bind)}) is not true`
  if (checked.is === 'in' && checked.values.length === 0) return 'false'
  const column = list.fields[checked.at.field]!
  const { elsewhere } = column
  return elsewhere ? elsewhere.where(testSql(checked, { ...column, sql: elsewhere.sql }, bind)) : testSql(checked, column, bind)
}

function testSql<R>(checked: Comparing, column: Column<R>, bind: Bind): string {
  if (checked.at.type === 'json') return inJson(checked, jsonAt(column, checked.at, bind), bind)
  if (checked.is === 'null') return `(${column.sql}) is null`
  if (checked.is === 'in') return within(column, checked.values, bind)
  if (checked.is === 'has') return narrowed(column, [checked.text], `(${column.sql}) @> array[${bind(checked.text)}]::text[]`)
  if (checked.is === 'like' || checked.is === 'ilike' || checked.is === 'contains') return textMatches(checked, `(${column.sql})`, bind)
  const { type } = column
  return `${ordered(column.sql, type)} ${signs[checked.is]} ${bind(literal(checked.value, type))}${casts[type]}`
}

const signs = { lt: '<', lte: '<=', gt: '>', gte: '>=' } as const

const casts = { id: '::text', text: '::text', number: '::float8', boolean: '::boolean', time: '::timestamptz', texts: '::text[]', json: '' } as const

const literal = (value: Value | null, type: keyof typeof casts): Value | null => (type === 'time' && value !== null ? new Date(Number(value)).toISOString() : value)

/** An expression whose order is ours, whatever the database's collation is. */
function ordered(sql: string, type: keyof typeof casts): string {
  if (type === 'text') return `(${sql}) collate "C"`
  return type === 'number' ? `(${sql})::float8` : `(${sql})`
}

function within<R>(column: Column<R>, values: readonly Value[], bind: Bind): string {
  const { type, sql } = column
  if (column.within) return `(${column.within(values)})`
  const cast = casts[type]
  const all = values.map((value) => literal(value, type))
  const left = type === 'number' ? ordered(sql, type) : `(${sql})`
  const found = all.length === 1 ? `${left} = ${bind(all[0])}${cast}` : `${left} = any(${bind(all)}${cast}[])`
  return narrowed(column, values, found)
}

function narrowed<R>(column: Column<R>, values: readonly Value[], found: string): string {
  const narrow = column.narrow?.(values) ?? null
  return narrow === null ? found : `(${found} and ${narrow})`
}

function textMatches({ is, text }: TextTest, sql: string, bind: Bind): string {
  if (is === 'like') return `${sql} collate "C" like ${bind(text)}::text`
  const folded = bind(foldAscii(text))
  return is === 'ilike' ? `lower(${sql} collate "C") like ${folded}::text` : `strpos(lower(${sql} collate "C"), ${folded}::text) > 0`
}

/** A place in JSON: its type's name, null for what is not there, and itself as each of the types it may be of. */
interface JsonAt {
  kind: string
  text: string
  number: string
  boolean: string
}

function jsonAt<R>({ sql }: Column<R>, { path }: Place, bind: Bind): JsonAt {
  const at = bind(path)
  const kind = `json_typeof((${sql})::json #> ${at}::text[])`
  const whole = `((${sql})::json #>> ${at}::text[])`
  // A cast is tried on what is of its type alone.
  const only = (type: string, value: string) => `(case when ${kind} = '${type}' then ${value} end)`
  return { kind, text: only('string', whole), number: only('number', `${whole}::float8`), boolean: only('boolean', `${whole}::boolean`) }
}

function inJson(checked: Comparing, at: JsonAt, bind: Bind): string {
  if (checked.is === 'null') return `coalesce(${at.kind}, 'null') = 'null'`
  if (checked.is === 'in') {
    const types = [
      ['string', at.text, '::text[]'],
      ['number', at.number, '::float8[]'],
      ['boolean', at.boolean, '::boolean[]'],
    ] as const
    const found = types.flatMap(([type, sql, cast]) => {
      const values = checked.values.filter((value) => typeof value === type)
      return values.length > 0 ? [`${sql} = any(${bind(values)}${cast})`] : []
    })
    return `(${found.join(' or ')})`
  }
  // Of texts alone: a list in JSON is not one of them.
  if (checked.is === 'has') return 'false'
  if (checked.is === 'like' || checked.is === 'ilike' || checked.is === 'contains') return textMatches(checked, at.text, bind)
  const [sql, cast] = typeof checked.value === 'number' ? [at.number, '::float8'] : [`${at.text} collate "C"`, '::text']
  return `${sql} ${signs[checked.is]} ${bind(checked.value)}${cast}`
}

/** The expression of a key, of which an index on a column that is ordered as it stands can make use. */
export function keySql<R>({ at, part }: Key, list: StoredList<R>, bind: Bind): string {
  const column = list.fields[at.field]!
  const { keyed: sql = column.sql } = column
  if (part === 'whole') return at.type === 'text' ? `left(${sql}, ${orderedCharacters}) collate "C"` : at.type === 'number' ? `(${sql})::float8` : `(${sql})`
  const { kind, text, number, boolean } = jsonAt(column, at, bind)
  if (part === 'rank') return `(case ${kind} when 'boolean' then 1 when 'number' then 2 when 'string' then 3 end)`
  return part === 'number' ? `coalesce(${number}, ${boolean}::int)` : `left(${text}, ${orderedCharacters}) collate "C"`
}

/** As PostgreSQL itself has it: null last, and first when descending. */
export const orderSql = <R>(keys: readonly Key[], list: StoredList<R>, bind: Bind): string =>
  keys.map((key) => `${keySql(key, list, bind)}${key.descending ? ' desc' : ''}`).join(', ')

/** What comes after the record with these values of the keys. */
export function afterSql<R>(keys: readonly Key[], values: readonly (Value | null)[], list: StoredList<R>, bind: Bind): string {
  const parts = keys.map((key, index) => {
    const sql = keySql(key, list, bind)
    const value = values[index] ?? null
    const type = keyType(key)
    const place = value === null ? 'null' : bind(literal(value, type)) + casts[type]
    const same = value === null ? `${sql} is null` : `${sql} = ${place}`
    const nullable = isNullable(key)
    // Follows from the rest, which no index can begin with; with it one can.
    const bound = nullable ? undefined : `${sql} ${key.descending ? '<=' : '>='} ${place}`
    return { same, bound, past: past(sql, place, { isNull: value === null, nullable, descending: key.descending }) }
  })
  const either = parts.map(({ past: beyond }, index) => `(${[...parts.slice(0, index).map(({ same }) => same), beyond].join(' and ')})`)
  const bounds = parts.slice(0, 1).flatMap(({ bound: first }) => first ?? [])
  return [...(parts.length > 1 ? bounds : []), `(${either.join(' or ')})`].join(' and ')
}

const isNullable = ({ at, part }: Key): boolean => part !== 'whole' || at.nullable

function past(sql: string, place: string, { isNull, nullable, descending }: { isNull: boolean; nullable: boolean; descending: boolean }): string {
  if (isNull) return descending ? `${sql} is not null` : 'false'
  if (descending) return `${sql} < ${place}`
  return nullable ? `(${sql} > ${place} or ${sql} is null)` : `${sql} > ${place}`
}
