import type * as Mikro from '@mikro-orm/postgresql'
import type { EntityManager } from '@mikro-orm/postgresql'

/** One use of a login's right to new tokens. All that descend from one login are a family. */
export class RefreshTokenRow {
  /** SHA-256 of the token. */
  declare hash: Buffer
  declare family: string
  /** The hash of the token that it was given for; null of a login's first. */
  declare replaces: Buffer | null
  declare userId: string
  declare workspaceId: string
  /** The user's at the login: raised since, the token is dead. */
  declare tokenEpoch: number
  /** Of what was got with a token alone: when a password or a refresh token was last shown for that one. Null: whoever shows this one proves it anew. */
  declare provenAt: Date | null
  /** Kept after its use: whoever presents it again has stolen it, or was stolen from. */
  declare usedAt: Date | null
  declare expiresAt: Date
}

export const mapRefreshToken = ({ defineEntity, p }: typeof Mikro) =>
  defineEntity({
    class: RefreshTokenRow,
    tableName: 'refresh_tokens',
    properties: {
      hash: p.blob().$type<Buffer>().primary(),
      family: p.string(),
      replaces: p.blob().$type<Buffer>().strictNullable(),
      userId: p.string(),
      workspaceId: p.string(),
      tokenEpoch: p.integer(),
      provenAt: p.datetime(3).strictNullable(),
      usedAt: p.datetime(3).strictNullable(),
      expiresAt: p.datetime(3),
    },
  })

export async function insertRefreshToken(em: EntityManager, row: RefreshTokenRow): Promise<void> {
  await em.insert(RefreshTokenRow, row)
}

export type RefreshUse = { is: 'used' | 'again'; row: RefreshTokenRow } | null

/**
 * Uses the token up. Of a family at most one is unused at any time, and uses of one family come one after the other. However
 * often it was renewed, two of its rows are read: a client that refreshes without end costs no more than any other.
 *
 * A used one that comes again so soon, before what replaced it was used, is most likely that of a client whose answer was
 * lost: it is `used` once more, and what replaced it is used up unseen. Should that have reached anybody after all, it will
 * come, and is then `again`: whoever holds a copy is still found out, by the next use of either.
 */
export async function useRefreshToken(em: EntityManager, hash: Buffer, { now, graceMs }: { now: Date; graceMs: number }): Promise<RefreshUse> {
  const known = await em.findOne(RefreshTokenRow, { hash }, { disableIdentityMap: true })
  if (!known) return null
  const { family } = known
  await lockFamily(em, family)
  // Read once more: what was written by whoever held the lock.
  const row = await em.findOne(RefreshTokenRow, { hash }, { disableIdentityMap: true })
  const unused = await em.findOne(RefreshTokenRow, { family, usedAt: null }, { disableIdentityMap: true })
  const isUnused = unused?.hash.equals(hash) === true
  if (!row || (isUnused && row.expiresAt <= now)) return null
  const lost = row.usedAt !== null && now.getTime() - row.usedAt.getTime() <= graceMs && unused?.replaces?.equals(hash) === true
  if (!unused || (!isUnused && !lost)) return { is: 'again', row }
  await em.nativeUpdate(RefreshTokenRow, { hash: unused.hash }, { usedAt: now })
  return { is: 'used', row }
}

/** Until the transaction ends. What is renewed while its family is being deleted would outlive it. */
async function lockFamily(em: EntityManager, family: string): Promise<void> {
  await em.execute('select pg_advisory_xact_lock(hashtextextended(?, 7465))', [family])
}

/** Whether the login has not been ended. */
export const familyLives = async (em: EntityManager, family: string): Promise<boolean> =>
  (await em.findOne(RefreshTokenRow, { family }, { disableIdentityMap: true, fields: ['family'] })) !== null

export async function deleteFamily(em: EntityManager, family: string): Promise<void> {
  await lockFamily(em, family)
  await em.nativeDelete(RefreshTokenRow, { family })
}

export async function deleteRefreshTokens(em: EntityManager, userId: string): Promise<void> {
  await em.nativeDelete(RefreshTokenRow, { userId })
}

export async function deleteExpiredRefreshTokens(em: EntityManager, userId: string, now: Date): Promise<void> {
  await em.nativeDelete(RefreshTokenRow, { userId, expiresAt: { $lte: now } })
}
