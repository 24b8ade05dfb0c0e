import type { SubscribeConnection } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { CallOptions } from '../options.ts'

/** Live connections of clients of other APIs, as the PocketBase SDK opens them. */
export interface Connections {
  /**
   * Says all that is to be told over a connection from now on, as that API spells it. It has begun when this resolves. Throws
   * `NotFoundError` (`connection_missing`), `ForbiddenError` (`connection_mismatch`), `InvalidError` from another address.
   */
  subscribe(what: Input<typeof SubscribeConnection>, options?: CallOptions): Promise<void>
}

export const connectionsOf = ({ repeat }: Calls): Connections => ({
  subscribe: (what, options) => repeat('connections.subscribe', what, options),
})
