import { type Collection, Fault, type JsonObject, limits } from '@sluice/schema'
import { type Bind, binding } from '../conditions/sql.ts'
import type { Database, Tx } from '../database.ts'
import type { Checked, Order } from './query.ts'
import { orderSql, type Row, sourceOf, type Statement, whereSql } from './sql.ts'
import { indexedSql, selection, tableOf, valuesOf, weightSql } from './tables.ts'

export { fits } from './memory.ts'
export type { Checked, Order } from './query.ts'

export interface RecordRow {
  id: string
  /** All of them, hidden ones too. */
  values: JsonObject
}

export interface Asked {
  workspaceId: string
  collection: Collection
  /** All of them hold. */
  where: readonly Checked[]
}

/** What callers ask for is answered within so long, or not at all: other work waits for the same connections. */
const mostMs = 5_000

/** Statements of a caller's making, in a transaction of their own: each that takes longer throws a Fault `limit_exceeded`. */
export function inTime<T>(database: Database, work: (tx: Tx) => Promise<T>, ms = mostMs): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.query(`set local statement_timeout = ${ms}`)
    return work(tx)
  })
}

/** The records that fit, in their order; `total` of all pages where it was asked for. */
export async function listRecords(
  tx: Tx,
  { order, offset, limit, count, ...asked }: Asked & { order: Order; offset: number; limit: number; count: boolean },
): Promise<{ rows: RecordRow[]; total?: number }> {
  const rows = await select(tx, { ...asked, anySize: limit <= fewRows }, (root, statement) => ({
    rest: `order by ${orderSql(order, root, statement)} offset ${statement.bind(offset)}::int limit ${statement.bind(limit)}::int`,
  }))
  return count ? { rows, total: await countRecords(tx, asked) } : { rows }
}

/** Those of them that fit. Throws a Fault `limit_exceeded` for more than an answer holds, unless they are wanted whatever their size. */
export async function readRecords(tx: Tx, { ids, anySize = false, ...asked }: Asked & { ids: readonly string[]; anySize?: boolean }): Promise<RecordRow[]> {
  if (ids.length === 0) return []
  return select(tx, { ...asked, anySize: anySize || ids.length <= fewRows }, (root, { bind }) => ({
    also: ` and ${root.name}.id = any(${bind(ids)}::text[])`,
    rest: `order by ${root.name}.id`,
  }))
}

/** Those whose relation refers to one of these. */
export async function referringRecords(tx: Tx, { field, targets, limit, ...asked }: Asked & { field: string; targets: readonly string[]; limit: number }): Promise<RecordRow[]> {
  if (targets.length === 0) return []
  return select(tx, asked, (root, statement) => ({
    also: ` and ${refersSql(asked.collection, field, targets, root, statement)}`,
    rest: `order by ${root.name}.id limit ${statement.bind(limit)}::int`,
  }))
}

function refersSql(collection: Collection, field: string, targets: readonly string[], root: Row, { bind, workspace }: Statement): string {
  const ids = `any(${bind(targets)}::text[])`
  if (collection.system) return `${indexedSql(tableOf(collection).fields.get(field)!, root.name, bind)} = ${ids}`
  return `${root.name}.id in (select l.id from record_links l where l.workspace_id = ${workspace} and l.collection = ${bind(collection.id)}::text and l.field = ${bind(field)}::text and l.target = ${ids})`
}

/** A record as it is handed in. */
export interface GivenRecord extends RecordRow {
  /** The transaction that has deleted it. */
  deletedBy?: string
}

/** Which of these records fit, by the values as they are given and by all else as it is stored: for a deleted one, with what went with it. */
export async function matchRecords(tx: Tx, { records, ...asked }: Asked & { records: readonly GivenRecord[] }): Promise<Set<string>> {
  if (records.length === 0) return new Set()
  const { collection } = asked
  const { values, root, ...begun } = begin(asked)
  const hasGone = records.some(({ deletedBy }) => deletedBy !== undefined)
  const statement: Statement = { ...begun.statement, ...(hasGone && { deletedBy: `${root.name}.deleted_by` }) }
  const given: Collection = { ...collection, system: false, fields: collection.fields.map((field) => (field.type === 'autodate' ? { ...field, type: 'date' } : field)) }
  const [sent, where] = [statement.bind(JSON.stringify(records)), asked.where.map((each) => whereSql(asGiven(each, given), { ...root, collection: given }, statement))]
  const found = await bounded(
    tx,
    `select ${root.name}.id from (select r.id, r."values" as data, ${statement.workspace} as workspace_id, r."deletedBy"::xid8 as deleted_by from jsonb_to_recordset(${sent}::jsonb) r (id text, "values" jsonb, "deletedBy" text)) ${root.name}${where.length === 0 ? '' : ` where ${where.join(' and ')}`}`,
    values,
  )
  return new Set(found.map((row) => String(row['id'])))
}

/** The record itself is not read from its table. */
function asGiven(checked: Checked, given: Collection): Checked {
  if (checked.is !== 'compare') return { ...checked, of: checked.of.map((each) => asGiven(each, given)) }
  const operand = (each: typeof checked.left): typeof checked.left => {
    if (each.is === 'field') return each.at ? each : { ...each, collection: given }
    if (each.is === 'distance') return { ...each, of: each.of.map(operand) }
    return each.is === 'time' && !each.of.at ? { ...each, of: { ...each.of, collection: given } } : each
  }
  return { ...checked, left: operand(checked.left), right: operand(checked.right) }
}

async function countRecords(tx: Tx, asked: Asked): Promise<number> {
  const { values, statement, root } = begin(asked)
  const rows = await bounded(tx, `select count(*) as total from ${sourceOf(asked.collection, root.name, statement)} where ${scoped(asked, root, statement)}`, values)
  return Number(rows[0]!['total'])
}

async function select(
  tx: Tx,
  { anySize = false, ...asked }: Asked & { anySize?: boolean },
  more: (root: Row, statement: Statement) => { also?: string; rest: string },
): Promise<RecordRow[]> {
  const { values, statement, root } = begin(asked)
  const table = tableOf(asked.collection)
  const { also = '', rest } = more(root, statement)
  const from = `from ${sourceOf(asked.collection, root.name, statement)} where ${scoped(asked, root, statement)}${also} ${rest}`
  const selected = selection(asked.collection, table, root.name, statement.bind)
  const rows = await bounded(tx, withinReach(selected, from, root.name, anySize ? '' : weightSql(table, root.name)), values)
  return rows.map((row) => ({ id: String(row['id']), values: valuesOf({ parts: partsOf(row['parts']) }) }))
}

/** Of so many all may be as large as they can: a page of thirty, and one to know whether there are more. */
const fewRows = 31

/** What is stored is not what is told of it to the byte: what is told is counted where it is. */
const mostBytes = 2 * limits.answerBytes

/** Rows without parts come after as many bytes as nobody is answered with. The rows of a window without an order stay in theirs. */
function withinReach(selected: { id: string; parts: string }, from: string, t: string, weight: string): string {
  if (weight === '') return `select ${selected.id}, ${selected.parts} as parts ${from}`
  return `select ${selected.id}, case when ${t}.weight <= ${mostBytes} then ${selected.parts} end as parts from (select ${t}.*, sum(${weight}) over (rows between unbounded preceding and current row) as weight from (select ${t}.* ${from}) ${t}) ${t}`
}

function partsOf(parts: unknown): JsonObject[] {
  if (parts === null) throw new Fault('limit_exceeded', { message: `The answer would be larger than ${limits.answerBytes} bytes: ask for fewer records at a time` })
  return parts as JsonObject[]
}

function begin({ workspaceId, collection }: Asked): { values: unknown[]; statement: Statement; root: Row } {
  const values: unknown[] = []
  const bind: Bind = binding(values)
  let names = 0
  return { values, root: { name: 't', collection }, statement: { bind, workspace: `${bind(workspaceId)}::text`, name: () => `r${++names}` } }
}

const scoped = ({ where }: Asked, root: Row, statement: Statement): string =>
  [`${root.name}.workspace_id = ${statement.workspace}`, ...where.map((each) => whereSql(each, root, statement))].join(' and ')

/** A pattern or a path may ask for more than there is time for: that is the caller's to narrow, and no outage. */
async function bounded(tx: Tx, text: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> {
  try {
    return await tx.query(...used(text, values))
  } catch (error) {
    if (error instanceof Error && /statement timeout/.test(error.message))
      throw new Fault('limit_exceeded', { message: 'The filter takes too long: narrow it, or ask for no total' })
    throw error
  }
}

/** What was bound and then not needed is left out: PostgreSQL could not tell its type. */
function used(text: string, values: readonly unknown[]): [string, unknown[]] {
  const places = new Map<string, number>()
  const kept: unknown[] = []
  const numbered = text.replaceAll(/\$(\d+)/g, (_, number: string) => {
    if (!places.has(number)) places.set(number, kept.push(values[Number(number) - 1]))
    return `$${places.get(number)}`
  })
  return [numbered, kept]
}
