import { type Collection, type CreateRecord, Fault, type Issue, type JsonObject, type OneRecord, type Record, type UpdateRecord } from '@sluice/schema'
import type { AskerRequest } from '../collections/asker.ts'
import { keepRecords } from '../store/rows/records.ts'
import type { Deeds } from './batch.ts'
import { targetsOf } from './declared.ts'
import { authorizeWriting } from './permissions.ts'
import { ruled, shown } from './read.ts'
import { release } from './release.ts'
import type { StockedRoom } from './room.ts'
import { readValues } from './values.ts'
import type { Asking, Writing } from './writer.ts'

/**
 * What is done to single records, in the transaction of whoever calls. In this order: the permission, whether the rule lets anybody
 * but superusers, what is wrong with the values, the write, and of a new record whether the rule lets this one.
 */
export function createDeeds(room: StockedRoom): Deeds {
  return {
    create: (within, asking, input) => create(room, within, asking, input),
    update: (within, asking, input) => update(room, within, asking, input),
    delete: (within, asking, input) => remove(room, within, asking, input),
    async has({ tx }, { principal }, collection, id) {
      return (await room.stored.read(tx, { workspaceId: principal.workspaceId, collection, ids: [id], where: [] })).length > 0
    },
  }
}

async function create(room: StockedRoom, within: Writing, before: Asking, { values: given, expand, ...input }: CreateRecord): Promise<Record> {
  const asking = sending(before, 'POST', given)
  const { principal, asker, now } = asking
  const collection = writable(room, asking, input.collection)
  const rule = room.language.rule(collection, 'create', asker, now)
  if (rule === null) throw new Fault('superusers_only')
  const writer = room.writerOf(collection)
  const values = await validated(room, within, asking, collection, given, null)
  const id = await writer.create(within, asking, collection, values)
  const read = { workspaceId: principal.workspaceId, collection, ids: [id] }
  const [row] = await room.stored.read(within.tx, { ...read, where: [rule] })
  if (!row) throw new Fault('record_refused')
  const [record] = await shown(room, within.tx, asking, collection, [row], expand)
  return record!
}

async function update(room: StockedRoom, within: Writing, before: Asking, { id, values: given, expand, ...input }: UpdateRecord): Promise<Record> {
  const asking = sending(before, 'PATCH', given)
  const collection = writable(room, asking, input.collection)
  const writer = room.writerOf(collection)
  await writer.hold(within, asking, collection, id)
  const stored = await ruled(room, within.tx, asking, collection, 'update', id)
  const values = await validated(room, within, asking, collection, given, { ...stored.values, id })
  await writer.update(within, asking, collection, id, values)
  const [row] = await room.stored.read(within.tx, { workspaceId: asking.principal.workspaceId, collection, ids: [id], where: [] })
  if (!row) throw new Fault('record_missing')
  const [record] = await shown(room, within.tx, asking, collection, [row], expand)
  return record!
}

async function remove(room: StockedRoom, within: Writing, before: Asking, { id, ...input }: OneRecord): Promise<void> {
  const asking = sending(before, 'DELETE', {})
  const collection = writable(room, asking, input.collection)
  const writer = room.writerOf(collection)
  await writer.hold(within, asking, collection, id)
  await ruled(room, within.tx, asking, collection, 'delete', id)
  await release(room, within, asking, { collection, id })
  await writer.delete(within, asking, collection, id)
}

function writable(room: StockedRoom, { principal }: Asking, ref: string): Collection {
  const collection = room.collections.get(ref)
  authorizeWriting(principal, collection)
  return collection
}

/** Rules may ask about what is sent. */
function sending(asking: Asking, method: string, body: JsonObject): Asking {
  const none: AskerRequest = { method, context: 'default', query: {}, headers: {}, body }
  return { ...asking, asker: { ...asking.asker, request: { ...none, ...asking.asker.request, method, body } } }
}

async function validated(room: StockedRoom, within: Writing, asking: Asking, collection: Collection, given: JsonObject, stored: JsonObject | null): Promise<JsonObject> {
  const held = room.writerOf(collection).as?.(collection, { ...stored, ...given }) ?? collection
  const { values, issues } = readValues(held, given, { stored, superuser: asking.asker.superuser })
  const missing = await missingOf(room, within, asking, collection, values)
  const all = [...issues, ...missing]
  if (all.length > 0) throw new Fault('record_invalid', { issues: all })
  return values
}

/** Relations that lead nowhere in this workspace. What is declared stays there until the end of the transaction. */
async function missingOf(room: StockedRoom, { tx }: Writing, { principal }: Asking, { fields }: Collection, values: JsonObject): Promise<Issue[]> {
  const { workspaceId } = principal
  const issues: Issue[] = []
  for (const field of fields) {
    const ids = field.type === 'relation' ? targetsOf(field, values[field.name]) : []
    if (ids.length === 0) continue
    const to = room.collections.get(field.collection!)
    const there = to.system
      ? new Set((await room.stored.read(tx, { workspaceId, collection: to, ids, where: [], anySize: true })).map(({ id }) => id))
      : await keepRecords(tx, workspaceId, to.id, ids)
    // Who asks is there, also the anonymous principal, which has no row.
    if (to.name === 'users') there.add(principal.userId)
    if (!ids.every((id) => there.has(id))) issues.push({ path: [field.name], code: 'missing_records', message: 'Failed to find all relation records with the provided ids.' })
  }
  return issues
}
