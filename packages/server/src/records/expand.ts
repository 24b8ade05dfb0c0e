import { type Collection, Fault, type Json, type Record, recordLimits, type RecordField } from '@sluice/schema'
import type { Expansion } from '../collections/filter/tree.ts'
import type { Tx } from '../store/index.ts'
import { mayRead } from './permissions.ts'
import type { RecordRow, StockedRoom } from './room.ts'
import { recordOf } from './seen.ts'
import { isSeveral } from './values.ts'
import type { Asking } from './writer.ts'

export interface Expanding {
  room: StockedRoom
  tx: Tx
  asking: Asking
  /** Throws when it is too much. */
  weigh(records: readonly Record[]): void
}

/** So many are read of one relation, for all records of a page. */
const mostRelated = 20_000

/**
 * Adds what records refer to, level by level, each relation in one statement. What the view rule of its collection hides is left
 * out, and so are names that are no relation; `expand` is there where one name was.
 */
export async function expand(expanding: Expanding, collection: Collection, records: readonly Record[], expansion: Expansion, level = 1): Promise<void> {
  if (records.length === 0 || level > recordLimits.paths) return
  for (const [name, inner] of Object.entries(expansion)) {
    const relation = relationOf(expanding.room, collection, name)
    if (!relation) continue
    for (const record of records) record.expand ??= {}
    const related = await relatedBy(expanding, relation, records)
    const found = [...related.values()].flat()
    const each = [...new Map(found.map((record) => [record.id, record])).values()]
    await expand(expanding, relation.to, each, inner, level + 1)
    for (const record of records) place(record, name, relation, related.get(record.id) ?? [])
    expanding.weigh(found)
  }
}

interface Relation {
  to: Collection
  /** Of the record itself, or of what refers to it. */
  field: RecordField
  isBack: boolean
  isSeveral: boolean
}

function relationOf({ collections }: StockedRoom, collection: Collection, name: string): Relation | null {
  const field = collection.fields.find((each) => each.name === name && each.type === 'relation')
  const to = field?.collection === undefined ? undefined : collections.of(field.collection)
  if (field && to) return { to, field, isBack: false, isSeveral: isSeveral(field) }
  const [, from = '', by = ''] = /^(\w+?)_via_(\w+)$/.exec(name) ?? []
  const other = collections.of(from)
  const back = other?.fields.find((each) => each.name === by && each.type === 'relation' && each.collection === collection.name)
  return other && back ? { to: other, field: back, isBack: true, isSeveral: back.unique !== true } : null
}

/** By the id of each record what it refers to, or is referred to by, in order. */
async function relatedBy({ room, tx, asking }: Expanding, relation: Relation, records: readonly Record[]): Promise<Map<string, Record[]>> {
  const { principal, asker, now } = asking
  const { to, field, isBack } = relation
  const rule = mayRead(principal, to) ? room.language.rule(to, 'view', asker, now) : null
  if (rule === null) return new Map()
  const asked = { workspaceId: principal.workspaceId, collection: to, where: [rule] }
  if (isBack) {
    const rows = await room.stored.referring(tx, { ...asked, field: field.name, targets: records.map(({ id }) => id), limit: mostRelated + 1 })
    if (rows.length > mostRelated) throw new Fault('limit_exceeded', { message: `More than ${mostRelated.toLocaleString('en')} records refer to these: ask for fewer at a time` })
    return byTarget(rows, field, (row) => recordOf(to, row, asking))
  }
  const ids = new Set(records.flatMap((record) => idsIn(record.values[field.name])))
  const rows = ids.size === 0 ? [] : await room.stored.read(tx, { ...asked, ids: [...ids] })
  const byId = new Map(rows.map((row) => [row.id, recordOf(to, row, asking)]))
  return new Map(records.map((record) => [record.id, idsIn(record.values[field.name]).flatMap((id) => byId.get(id) ?? [])]))
}

const idsIn = (value: Json | undefined): string[] => (Array.isArray(value) ? value : [value]).filter((id): id is string => typeof id === 'string' && id !== '')

function byTarget(rows: readonly RecordRow[], field: RecordField, made: (row: RecordRow) => Record): Map<string, Record[]> {
  const found = new Map<string, Record[]>()
  for (const row of rows) {
    const record = made(row)
    for (const id of idsIn(row.values[field.name])) {
      const known = found.get(id) ?? []
      if (known.length < recordLimits.expanded) known.push(record)
      found.set(id, known)
    }
  }
  return found
}

function place(record: Record, name: string, relation: Relation, related: readonly Record[]): void {
  if (related.length === 0) return
  record.expand![name] = relation.isSeveral ? [...related] : related[0]!
}
