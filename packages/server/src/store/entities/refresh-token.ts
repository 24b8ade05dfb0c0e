import { defineEntity, p, type EntityManager } from '@mikro-orm/postgresql'

/** One use of a login's right to new tokens. All that descend from one login are a family. */
export const RefreshToken = defineEntity({
  name: 'RefreshToken',
  tableName: 'refresh_tokens',
  properties: {
    hash: p.blob().$type<Buffer>().primary(),
    family: p.string(),
    userId: p.string(),
    workspaceId: p.string(),
    tokenEpoch: p.integer(),
    usedAt: p.datetime(3).strictNullable(),
    expiresAt: p.datetime(3),
  },
})

export interface RefreshTokenRow {
  /** SHA-256 of the token. */
  hash: Buffer
  family: string
  userId: string
  workspaceId: string
  /** The user's at the login: raised since, the token is dead. */
  tokenEpoch: number
  /** Kept after its use: whoever presents it again has stolen it, or was stolen from. */
  usedAt: Date | null
  expiresAt: Date
}

export async function insertRefreshToken(em: EntityManager, row: RefreshTokenRow): Promise<void> {
  await em.insert(RefreshToken, row)
}

/** Uses the token up. The row lock orders two at once: one gets `used`, the other `again`. */
export async function useRefreshToken(em: EntityManager, hash: Buffer, now: Date): Promise<{ is: 'used' | 'again'; row: RefreshTokenRow } | null> {
  const used = await em.nativeUpdate(RefreshToken, { hash, usedAt: null, expiresAt: { $gt: now } }, { usedAt: now })
  const row: RefreshTokenRow | null = await em.findOne(RefreshToken, { hash })
  if (used === 1 && row) return { is: 'used', row }
  return row?.usedAt ? { is: 'again', row } : null
}

export async function deleteFamily(em: EntityManager, family: string): Promise<void> {
  await em.nativeDelete(RefreshToken, { family })
}

export async function deleteRefreshTokens(em: EntityManager, userId: string): Promise<void> {
  await em.nativeDelete(RefreshToken, { userId })
}

export async function deleteExpiredRefreshTokens(em: EntityManager, userId: string, now: Date): Promise<void> {
  await em.nativeDelete(RefreshToken, { userId, expiresAt: { $lte: now } })
}
