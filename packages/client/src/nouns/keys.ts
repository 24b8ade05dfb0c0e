import type { ApiKey, CreatedKey, CreateKey, ListKeys, OneKey } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** API keys: they act as the user who made them. */
export interface Keys {
  list(filter?: Input<typeof ListKeys>, options?: CallOptions): Listing<ApiKey>
  /** Its secret is shown this once. Not repeated when its answer is lost. */
  create(key: Input<typeof CreateKey>, options?: CallOptions): Promise<CreatedKey>
  /** Throws `NotFoundError` (`key_missing`). */
  revoke(which: Input<typeof OneKey>, options?: CallOptions): Promise<void>
}

export const keysOf = ({ list, write, remove }: Calls): Keys => ({
  list: (filter, options) => list('keys.list', filter, options),
  create: (key, options) => write('keys.create', key, options),
  revoke: (which, options) => remove('keys.revoke', which, options),
})
