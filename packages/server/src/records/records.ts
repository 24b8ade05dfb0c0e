import type { BatchRecords, CreateRecord, GetRecord, ListRecords, OneRecord, Record, RecordPage, RecordsWritten, UpdateRecord } from '@sluice/schema'
import type { Principal } from '../access/principal.ts'
import { alone, type Rooms } from '../sessions/within.ts'
import { createBatch } from './batch.ts'
import { createRecordLogins, type RecordLoginParts, type RecordLogins } from './logins.ts'
import { isSuperuser, mayRead } from './permissions.ts'
import { getRecord, listRecords } from './read.ts'
import type { StockedRoom } from './room.ts'
import { createDeeds } from './write.ts'
import type { Asking } from './writer.ts'

/**
 * Records of any collection. Each method asks for the permission of the collection, and then holds the caller to its rules: admins
 * and owners are held by none. Of what they may not see it throws a Fault `record_missing`, as of what is not there.
 */
export interface Records extends RecordLogins {
  list(principal: Principal, input: ListRecords): Promise<RecordPage>
  get(principal: Principal, input: GetRecord): Promise<Record>
  create(principal: Principal, input: CreateRecord): Promise<Record>
  update(principal: Principal, input: UpdateRecord): Promise<Record>
  delete(principal: Principal, input: OneRecord): Promise<void>
  /** All, in their order and in one transaction, or none. */
  batch(principal: Principal, input: BatchRecords, signal?: AbortSignal): Promise<RecordsWritten>
}

export interface RecordsParts extends Rooms {
  room: StockedRoom
  access: RecordLoginParts['access']
  now: () => number
}

export function createRecords({ room, now, access, ...rooms }: RecordsParts): Records {
  const { database } = rooms
  const deeds = createDeeds(room)
  const batch = createBatch(rooms, room, deeds)
  const askedBy = (principal: Principal): Promise<Asking> => askingOf(room, principal, new Date(now()))

  const get = async (principal: Principal, input: GetRecord): Promise<Record> => getRecord(room, database, await askedBy(principal), input)

  return {
    list: async (principal, input) => listRecords(room, database, await askedBy(principal), input),
    get,
    ...createRecordLogins({ access, collections: room.collections, get }),
    async create(principal, input) {
      const asking = await askedBy(principal)
      return alone(rooms, (within) => deeds.create(within, asking, input))
    },
    async update(principal, input) {
      const asking = await askedBy(principal)
      return alone(rooms, (within) => deeds.update(within, asking, input))
    },
    async delete(principal, input) {
      const asking = await askedBy(principal)
      await alone(rooms, (within) => deeds.delete(within, asking, input))
    },
    batch: async (principal, input, signal) => batch(await askedBy(principal), input, signal),
  }
}

/** Rules may ask about the record of whoever asks; the anonymous principal has none but its id. */
export async function askingOf({ collections, stored, database }: StockedRoom, principal: Principal, now: Date): Promise<Asking> {
  const { userId, workspaceId } = principal
  const superuser = isSuperuser(principal)
  const [own] = superuser ? [] : await stored.read(database, { workspaceId, collection: collections.get('users'), ids: [userId], where: [] })
  return { principal, asker: { userId, superuser, auth: { ...own?.values, id: userId }, mayRead: (other) => mayRead(principal, other) }, now }
}
