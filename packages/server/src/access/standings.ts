import type { Database } from '../store/database.ts'
import { liveKeyByHash, liveKeyById, standingOf, type LiveKey, type Standing } from '../store/rows/identity.ts'
import { createFresh } from './fresh.ts'

/** How users and keys stand now, at most two seconds old; at once on the server where it changed. */
export interface Standings {
  ofUser(of: { userId: string; workspaceId: string; family: string }): Promise<Standing | undefined>
  ofKeyHash(hash: Buffer): Promise<LiveKey | undefined>
  ofKey(id: string): Promise<LiveKey | undefined>
  /** After a change of the user: logout, password. */
  forgetUser(userId: string): void
  /** After a change of the role or the membership: their keys stand with it. */
  forgetMember(userId: string): void
  forgetKey(key: { id: string; hash: Buffer }): void
}

export function createStandings(database: Database, now: () => number): Standings {
  const bounds = { ttl: 2_000, size: 10_000, now }
  const users = createFresh<Standing | undefined>(bounds)
  const keysByHash = createFresh<LiveKey | undefined>(bounds)
  const keysById = createFresh<LiveKey | undefined>(bounds)
  const forgetUser = (userId: string) => users.forgetPrefix(`${userId} `)
  return {
    ofUser: (of) => users.get(`${of.userId} ${of.workspaceId} ${of.family}`, () => standingOf(database, of)),
    ofKeyHash: (hash) => keysByHash.get(hash.toString('base64url'), () => liveKeyByHash(database, hash)),
    ofKey: (id) => keysById.get(id, () => liveKeyById(database, id)),
    forgetUser,
    forgetMember(userId) {
      forgetUser(userId)
      // Whose a key is, is known with it alone; this is rare enough to read all of them again.
      keysById.forgetPrefix('')
      keysByHash.forgetPrefix('')
    },
    forgetKey(key) {
      keysById.forget(key.id)
      keysByHash.forget(key.hash.toString('base64url'))
    },
  }
}
