import type { Collection, OneCollection } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** What there is of records, their fields and their rules: for admins. */
export interface Collections {
  list(filter?: Record<string, never>, options?: CallOptions): Listing<Collection>
  /** By name or id. Throws `NotFoundError` (`collection_missing`). */
  get(which: Input<typeof OneCollection>, options?: CallOptions): Promise<Collection>
}

export const collectionsOf = ({ read, list }: Calls): Collections => ({
  list: (filter, options) => list('collections.list', filter, options),
  get: (which, options) => read('collections.get', which, options),
})
