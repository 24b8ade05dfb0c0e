import type { Collection, JsonObject } from '@sluice/schema'
import type { Principal } from '../access/principal.ts'
import type { Asker } from '../collections/asker.ts'
import type { Within } from '../sessions/within.ts'

/** Who writes, as policies know them and as rules do. */
export interface Asking {
  principal: Principal
  asker: Asker
  now: Date
}

/** A transaction in which records are written, and what is to be told once it is committed. */
export type Writing = Within

/**
 * How the records of a collection are written. Values are read and held against their fields already; whether the asker may is
 * said by who calls: the writer minds what the rules cannot say. Every method throws Faults.
 */
export interface Writer {
  /** It writes in transactions of its own: such records are in no batch, and what it has done stays done. */
  readonly apart?: true
  /** The collection as a record of it is held against, where what others need is not its client's to write. `values` are those stored, with those sent. */
  readonly as?: (collection: Collection, values: JsonObject) => Collection
  /** Keeps others from changing the record until the end of the transaction. One that is not there is no fault. */
  hold(within: Writing, asking: Asking, collection: Collection, id: string): Promise<void>
  /** `values` has each field that clients write, and `id` where the client gave one. Resolves to the id. */
  create(within: Writing, asking: Asking, collection: Collection, values: JsonObject): Promise<string>
  /** `values` has the fields that were sent, and no others. */
  update(within: Writing, asking: Asking, collection: Collection, id: string, values: JsonObject): Promise<void>
  delete(within: Writing, asking: Asking, collection: Collection, id: string): Promise<void>
}
