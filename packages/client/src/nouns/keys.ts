import type { ApiKey, CreatedKey, CreateKey, ListKeys, OneKey } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** API keys: they act as the user who made them. */
export interface Keys {
  /** One's own, and for admins those of the workspace, revoked ones too; newest first. Never their secrets. */
  list(filter?: Input<typeof ListKeys>, options?: CallOptions): Listing<ApiKey>
  /**
   * Its `secret`, as `sk_…`, is shown this once. `scopes` are the actions that it may do, all of its user's unless given. Not
   * repeated when its answer is lost: then look for it in the list, and revoke it. Throws `ForbiddenError`.
   */
  create(key: Input<typeof CreateKey>, options?: CallOptions): Promise<CreatedKey>
  /** It dies within seconds, on every server and on open streams. Throws `NotFoundError` (`key_missing`). */
  revoke(which: Input<typeof OneKey>, options?: CallOptions): Promise<void>
}

export const keysOf = ({ list, write, remove }: Calls): Keys => ({
  list: (filter, options) => list('keys.list', filter, options),
  create: (key, options) => write('keys.create', key, options),
  revoke: (which, options) => remove('keys.revoke', which, options),
})
