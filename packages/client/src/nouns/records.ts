import type { BatchRecords, CreateRecord, GetRecord, ListRecords, LoginRecord, OneRecord, Record, RecordLogin, RecordsWritten, RenewRecord, UpdateRecord } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** What collections hold: sessions, workflows, runs, pauses, messages, users, and what the server was told to keep beside them. */
export interface Records {
  /** By a filter as `status = "running" && user.name ~ "a"`. Throws `InvalidError` (`filter_invalid`) with what cannot be read. */
  list(filter: Input<typeof ListRecords>, options?: CallOptions): Listing<Record>
  /** Throws `NotFoundError` (`record_missing`), also for what its rule hides. */
  get(which: Input<typeof GetRecord>, options?: CallOptions): Promise<Record>
  /** Throws `InvalidError` (`record_invalid`) with an issue for each field that is wrong, and `ForbiddenError` (`record_refused`, `superusers_only`). */
  create(record: Input<typeof CreateRecord>, options?: CallOptions): Promise<Record>
  /** What is absent stays. `count+` adds to a number, `tags+` and `tags-` to several. */
  update(change: Input<typeof UpdateRecord>, options?: CallOptions): Promise<Record>
  /** Throws `ConflictError` (`record_in_use`) while another record needs it. */
  delete(which: Input<typeof OneRecord>, options?: CallOptions): Promise<void>
  /** As a record of a collection whose records log in: with a token, and the record. Throws `UnauthenticatedError` (`login_failed`). */
  login(who: Input<typeof LoginRecord>, options?: CallOptions): Promise<RecordLogin>
  /** Another token for the one that the client has. */
  renew(who: Input<typeof RenewRecord>, options?: CallOptions): Promise<RecordLogin>
  /** All or none, in their order. Throws `InvalidError` (`batch_failed`) that says which one was refused, and why. */
  batch(requests: Input<typeof BatchRecords>, options?: CallOptions): Promise<RecordsWritten>
}

export const recordsOf = ({ read, list, remove, repeat, write }: Calls): Records => ({
  list: (filter, options) => list('records.list', filter, options),
  get: (which, options) => read('records.get', which, options),
  create: (record, options) => write('records.create', record, options),
  // Not repeated by itself: what adds to a number would add twice.
  update: (change, options) => write('records.update', change, options),
  delete: (which, options) => remove('records.delete', which, options),
  login: (who, options) => write('records.login', who, options),
  renew: (who, options) => repeat('records.renew', who, options),
  batch: (requests, options) => write('records.batch', requests, options),
})
