import type * as Mikro from '@mikro-orm/postgresql'
import type { EntityManager } from '@mikro-orm/postgresql'

/** The right to set one user's password, once. */
export class PasswordTokenRow {
  /** SHA-256 of the token. */
  declare hash: Buffer
  declare userId: string
  declare expiresAt: Date
}

export const mapPasswordToken = ({ defineEntity, p }: typeof Mikro) =>
  defineEntity({
    class: PasswordTokenRow,
    tableName: 'password_tokens',
    properties: {
      hash: p.blob().$type<Buffer>().primary(),
      userId: p.string(),
      expiresAt: p.datetime(3),
    },
  })

/** In place of the user's earlier ones. */
export async function putPasswordToken(em: EntityManager, row: PasswordTokenRow): Promise<void> {
  await deletePasswordTokens(em, row.userId)
  await em.insert(PasswordTokenRow, row)
}

export const passwordTokenLives = async (em: EntityManager, hash: Buffer, now: Date): Promise<boolean> =>
  (await em.count(PasswordTokenRow, { hash, expiresAt: { $gt: now } })) === 1

/** The user it was for. The delete is what makes it one use: of two at once one gets the row. */
export async function takePasswordToken(em: EntityManager, hash: Buffer, now: Date): Promise<string | undefined> {
  const [row] = await em.execute<{ user_id: string; alive: boolean }[]>('delete from password_tokens where hash = ? returning user_id, expires_at > ? as alive', [hash, now])
  return row?.alive ? row.user_id : undefined
}

export async function deletePasswordTokens(em: EntityManager, userId: string): Promise<void> {
  await em.nativeDelete(PasswordTokenRow, { userId })
}
