import { type Comparison, Fault, type Order, type Page, type Scalar, type Where, whereLimits } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { checkOrder, checkWhere } from './check.ts'
import { decodePlace, encodePlace } from './cursors.ts'
import { type Checked, type Key, type ListFields, type StoredList, type Value, keyType } from './fields.ts'
import { byKeys, keysIn, predicate } from './memory.ts'
import { afterSql, binding, keySql, orderSql, whereSql } from './sql.ts'

/** What callers ask a list for. `limit` is up to 1,000: how much of that a face gives, its schema says. */
export interface ListAsked {
  where?: Where | undefined
  order?: Order | undefined
  cursor?: string | undefined
  offset?: number | undefined
  limit: number
  count?: boolean | undefined
}

interface CheckedList {
  where: Checked
  keys: readonly Key[]
  after: (Value | null)[] | null
  offset: number
}

/** `also` is what flat parameters ask for. Throws Faults `input_invalid` and `cursor_invalid`. */
function checkList<R>(list: ListFields<R>, asked: ListAsked, also: Where = {}): CheckedList {
  const { cursor, offset = 0, limit } = asked
  if (cursor !== undefined && asked.offset !== undefined) throw invalid('offset', 'a cursor and an offset exclude each other')
  if (!Number.isInteger(offset) || offset < 0 || offset > whereLimits.offset) throw invalid('offset', `expected 0 to ${whereLimits.offset}`)
  if (!Number.isInteger(limit) || limit < 1 || limit > whereLimits.dialectItems) throw invalid('limit', `expected 1 to ${whereLimits.dialectItems}`)
  const keys = checkOrder(asked.order, list)
  const where: Checked = { is: 'and', of: [checkWhere(asked.where ?? {}, list), checkWhere(also, list, [])] }
  return { where, keys, after: cursor === undefined ? null : decodePlace(cursor, keys), offset }
}

/** What a flat parameter that may be given more than once asks for. */
export const among = <T extends Scalar>(values: T | readonly T[] | undefined): Comparison | undefined =>
  values === undefined ? undefined : { in: isList(values) ? values : [values] }

const isList = <T>(value: T | readonly T[]): value is readonly T[] => Array.isArray(value)

const invalid = (field: string, message: string): Fault => new Fault('input_invalid', { issues: [{ path: [field], message }] })

export interface Stored<Row, T> {
  select: string
  from: string
  /** What every row has to be, whatever is asked for: `workspace_id = $1`. Its parameters are `values`. */
  scope: string
  values: readonly unknown[]
  item(row: Row): T
}

/** A page of a list, from PostgreSQL. */
export async function listPage<R, Row, T>(tx: Tx, list: StoredList<R>, asked: ListAsked & { also?: Where | undefined }, stored: Stored<Row, T>): Promise<Page<T>> {
  const checked = checkList(list, asked, asked.also)
  const { statement, values } = pageSql(list, checked, asked.limit, stored)
  const rows = await tx.query(statement, values)
  const page = pageOf(
    rows,
    asked.limit,
    (row) =>
      encodePlace(
        checked.keys,
        checked.keys.map((key, index) => keyFrom(key, row[`key_${index}`])),
      ),
    (row) => stored.item(row as Row),
  )
  if (!asked.count) return page
  const counted = countSql(list, checked, stored)
  const [row] = await tx.query<{ total: number }>(counted.statement, counted.values)
  return { ...page, total: row!.total }
}

/** The same page, of records in memory. */
export function pageIn<R>(records: readonly R[], list: ListFields<R>, asked: ListAsked & { also?: Where | undefined }): Page<R> {
  const { where, keys, after, offset } = checkList(list, asked, asked.also)
  const keyed = keysIn(keys, list)
  const compare = byKeys(keys)
  const matching = records.filter(predicate(where, list)).map((record) => ({ record, values: keyed(record) }))
  const ordered = matching.sort((one, other) => compare(one.values, other.values)).filter(({ values }) => after === null || compare(values, after) > 0)
  const page = pageOf(
    ordered.slice(offset, offset + asked.limit + 1),
    asked.limit,
    ({ values }) => encodePlace(keys, values),
    ({ record }) => record,
  )
  return asked.count ? { ...page, total: matching.length } : page
}

function pageOf<E, T>(found: readonly E[], limit: number, place: (entry: E) => string, item: (entry: E) => T): Page<T> {
  const shown = found.slice(0, limit)
  return { items: shown.map(item), nextCursor: found.length > limit ? place(shown.at(-1)!) : null }
}

interface Said {
  statement: string
  values: unknown[]
}

function pageSql<R>(list: StoredList<R>, { where, keys, after, offset }: CheckedList, limit: number, { select, from, scope, values: given }: Stored<never, unknown>): Said {
  const values = [...given]
  const bind = binding(values)
  const shown = keys.map((key, index) => `${keySql(key, list, bind)} as key_${index}`)
  const conditions = [scope, whereSql(where, list, bind), ...(after ? [afterSql(keys, after, list, bind)] : [])]
  const statement = `select ${[select, ...shown].join(', ')} from ${from} where ${conditions.join(' and ')} order by ${orderSql(keys, list, bind)} limit ${bind(limit + 1)}${offset > 0 ? ` offset ${bind(offset)}` : ''}`
  return { statement, values }
}

function countSql<R>(list: StoredList<R>, { where }: CheckedList, { from, scope, values: given }: Stored<never, unknown>): Said {
  const values = [...given]
  return { statement: `select count(*)::int as total from ${from} where ${scope} and ${whereSql(where, list, binding(values))}`, values }
}

/** As a cursor carries it. */
function keyFrom(key: Key, value: unknown): Value | null {
  if (value === null || value === undefined) return null
  return keyType(key) === 'time' ? new Date(value as Date | string).getTime() : (value as Value)
}
