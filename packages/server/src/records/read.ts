import { type Collection, Fault, type GetRecord, limits, type ListRecords, type Record, recordLimits, type RecordPage } from '@sluice/schema'
import { parseExpansion } from '../collections/expansion.ts'
import { decodeCursor, encodeCursor } from '../store/cursor.ts'
import type { Tx } from '../store/index.ts'
import { inTime } from '../store/records/index.ts'
import { expand } from './expand.ts'
import { authorizeReading } from './permissions.ts'
import type { RecordRow, StockedRoom } from './room.ts'
import { recordOf } from './seen.ts'
import type { Asking } from './writer.ts'

const superusersOnly = (): Fault => new Fault('superusers_only')

/** Of the records that the list rule of the collection lets the asker see. */
export async function listRecords(room: StockedRoom, tx: Tx, asking: Asking, input: ListRecords): Promise<RecordPage> {
  const { principal, asker, now } = asking
  const collection = room.collections.get(input.collection)
  authorizeReading(principal, collection)
  const rule = room.language.rule(collection, 'list', asker, now)
  if (rule === null) throw superusersOnly()
  const { filter, sort, limit, count = false } = input
  const { where, order } = room.language.query({ collection, filter, sort, asker, now })
  const offset = offsetOf(input)
  const asked = { workspaceId: principal.workspaceId, collection, where: [rule, where], order, offset, limit: limit + 1, count }
  const list = (within: Tx) => room.stored.list(within, asked)
  // What is asked for as it comes is read from the beginning of an index, which needs no bound of its own.
  const { rows, total } = await (filter || sort || count || offset > 0 ? inTime(room.database, list) : list(tx))
  const items = await shown(room, tx, asking, collection, rows.slice(0, limit), input.expand)
  const next = offset + limit
  return { items, nextCursor: rows.length > limit && next <= recordLimits.offset ? encodeCursor(next) : null, ...(total !== undefined && { total }) }
}

function offsetOf({ offset = 0, cursor }: ListRecords): number {
  if (cursor === undefined) return offset
  const place = Number(decodeCursor(cursor, /^\d{1,7}$/))
  if (place > recordLimits.offset) throw new Fault('cursor_invalid')
  return place
}

/** Throws a Fault `record_missing` also for what the view rule hides. */
export async function getRecord(room: StockedRoom, tx: Tx, asking: Asking, input: GetRecord): Promise<Record> {
  const collection = room.collections.get(input.collection)
  authorizeReading(asking.principal, collection)
  const row = await ruled(room, tx, asking, collection, 'view', input.id)
  const [record] = await shown(room, tx, asking, collection, [row], input.expand)
  return record!
}

/** The record, if the rule lets the asker. */
export async function ruled(
  room: StockedRoom,
  tx: Tx,
  { principal, asker, now }: Asking,
  collection: Collection,
  which: 'view' | 'update' | 'delete',
  id: string,
): Promise<RecordRow> {
  const rule = room.language.rule(collection, which, asker, now)
  if (rule === null) throw superusersOnly()
  const [row] = await room.stored.read(tx, { workspaceId: principal.workspaceId, collection, ids: [id], where: [rule] })
  if (!row) throw new Fault('record_missing')
  return row
}

/** As the asker may see them, with what they are to be expanded by. Throws a Fault `limit_exceeded` for more than an answer holds. */
export async function shown(room: StockedRoom, tx: Tx, asking: Asking, collection: Collection, rows: readonly RecordRow[], expansion = ''): Promise<Record[]> {
  const records = rows.map((row) => recordOf(collection, row, asking))
  const weight = createWeight()
  weight.add(records)
  if (expansion !== '') await expand({ room, tx, asking, weigh: weight.add }, collection, records, parseExpansion(expansion))
  return records
}

/** Counts what an answer comes to. */
function createWeight(): { add(records: readonly Record[]): void } {
  let bytes = 0
  return {
    add(records) {
      for (const record of records) bytes += Buffer.byteLength(JSON.stringify(record))
      if (bytes > limits.answerBytes)
        throw new Fault('limit_exceeded', { message: `The answer would be larger than ${limits.answerBytes} bytes: ask for fewer records at a time, or expand less` })
    },
  }
}
