import { Fault } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { insertTicket, takeTicket } from '../store/rows/identity.ts'
import { digest, isRandomToken, randomToken } from './digest.ts'
import { authorize } from './policy.ts'
import { Principal } from './principal.ts'

/** For sockets of browsers, which cannot send headers: what goes into a URL is worth nothing after its first use. */
export interface Tickets {
  /** Works once, on any server, for 30 seconds. */
  ticket(principal: Principal): Promise<{ ticket: string; expiresAt: string }>
  /** Throws `credential_invalid` for one that is used up, expired, or whose principal has ended since. */
  redeem(ticket: string): Promise<Principal>
}

const lifetimeMs = 30_000

export function createTickets(database: Database, stillValid: (principal: Principal) => Promise<boolean>, now: () => number): Tickets {
  return {
    async ticket(principal) {
      authorize(principal, 'account.read')
      const ticket = randomToken()
      const expiresAt = new Date(now() + lifetimeMs)
      await insertTicket(database, { hash: digest(ticket), principal: Principal.parse(principal), expiresAt, now: new Date(now()) })
      return { ticket, expiresAt: expiresAt.toISOString() }
    },
    async redeem(ticket) {
      const kept = isRandomToken(ticket) ? await takeTicket(database, digest(ticket), new Date(now())) : undefined
      if (kept === undefined) throw new Fault('credential_invalid')
      const principal = Principal.parse(kept)
      if (!(await stillValid(principal))) throw new Fault('credential_invalid')
      return principal
    },
  }
}
