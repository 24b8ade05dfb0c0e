import { type Collection, Fault, type RecordField } from '@sluice/schema'
import { lockRecord, type Referring, referringTo } from '../store/rows/records.ts'
import { targetsOf } from './declared.ts'
import type { Room } from './room.ts'
import type { Asking, Writing } from './writer.ts'

/** So many records are taken along, or changed, with one. */
const most = 10_000

/**
 * Lets go what refers to a record that is deleted: what is to go with it goes, an optional relation is emptied. Throws a Fault
 * `record_in_use` where a required one is left, and `limit_exceeded` beyond 10,000 records. Their rules are not asked.
 */
export async function release(room: Room, within: Writing, asking: Asking, of: { collection: Collection; id: string }): Promise<void> {
  const left = { count: most }
  await cascade(room, within, asking, of, new Set([nameOf(of.collection, of.id)]), left)
}

const nameOf = (collection: Collection, id: string): string => `${collection.id}/${id}`

async function cascade(
  room: Room,
  within: Writing,
  asking: Asking,
  { collection, id }: { collection: Collection; id: string },
  going: Set<string>,
  left: { count: number },
): Promise<void> {
  const fields = referringFields(room, collection)
  if (fields.length === 0) return
  const find = async (some: readonly Field[]): Promise<Referring[]> => {
    if (some.length === 0) return []
    const found = await referringTo(
      within.tx,
      asking.principal.workspaceId,
      some.map(({ of, field }) => ({ collection: of.id, field: field.name })),
      [id],
      left.count + 1,
    )
    left.count -= found.length
    if (left.count < 0) throw new Fault('limit_exceeded', { message: `More than ${most.toLocaleString('en')} records go with it: delete some of them before` })
    return found
  }
  for (const each of await find(fields.filter(({ field }) => field.cascadeDelete))) {
    const other = room.collections.get(each.collection)
    if (going.has(nameOf(other, each.id))) continue
    going.add(nameOf(other, each.id))
    await cascade(room, within, asking, { collection: other, id: each.id }, going, left)
    await room.writerOf(other).delete(within, asking, other, each.id)
  }
  for (const each of await find(fields.filter(({ field }) => !field.cascadeDelete))) {
    const { of, field } = fields.find((one) => one.of.id === each.collection && one.field.name === each.field)!
    if (!going.has(nameOf(of, each.id))) await empty(room, within, asking, { of, field, id: each.id, target: id })
  }
}

interface Field {
  of: Collection
  field: RecordField
}

const referringFields = ({ collections }: Room, { name }: Collection): Field[] =>
  collections.all
    .filter(({ system }) => !system)
    .flatMap((of) => of.fields.filter((field) => field.type === 'relation' && field.collection === name).map((field) => ({ of, field })))

async function empty(room: Room, within: Writing, asking: Asking, { of, field, id, target }: Field & { id: string; target: string }): Promise<void> {
  const record = await lockRecord(within.tx, { workspaceId: asking.principal.workspaceId, collection: of.id, id })
  if (!record) return
  const value = record.data[field.name]
  const rest = targetsOf(field, value).filter((each) => each !== target)
  if (field.required && rest.length === 0) throw new Fault('record_in_use', { details: { collection: of.name, id, field: field.name } })
  await room.writerOf(of).update(within, asking, of, id, { [field.name]: Array.isArray(value) ? rest : '' })
}
