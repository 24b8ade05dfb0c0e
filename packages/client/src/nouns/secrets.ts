import type { ListSecrets, OneSecret, Secret, SetSecret } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** Named credentials for nodes. Values go in and never come out. */
export interface Secrets {
  /** Their names and when they were set. */
  list(filter?: Input<typeof ListSecrets>, options?: CallOptions): Listing<Secret>
  /** Replaces one of the same name; at most 64 KiB. A node's config names it, as `auth.secret` of an `http-request`. Throws `ForbiddenError`. */
  set(secret: Input<typeof SetSecret>, options?: CallOptions): Promise<Secret>
  /** Throws `NotFoundError` (`secret_missing`). */
  delete(which: Input<typeof OneSecret>, options?: CallOptions): Promise<void>
}

export const secretsOf = ({ list, repeat, remove }: Calls): Secrets => ({
  list: (filter, options) => list('secrets.list', filter, options),
  set: (secret, options) => repeat('secrets.set', secret, options),
  delete: (which, options) => remove('secrets.delete', which, options),
})
