import type * as Mikro from '@mikro-orm/postgresql'
import type { EntityManager } from '@mikro-orm/postgresql'

/** A key that acts as the user who owns it, within its scopes. The secret itself is kept nowhere. */
export class ApiKeyRow {
  declare id: string
  declare workspaceId: string
  declare userId: string
  declare name: string
  /** The first characters of the secret, to recognise it by. */
  declare prefix: string
  /** SHA-256 of the secret. */
  declare hash: Buffer
  declare scopes: string[] | null
  declare createdAt: Date
  declare lastUsedAt: Date | null
  declare revokedAt: Date | null
}

export const mapApiKey = ({ defineEntity, p }: typeof Mikro) =>
  defineEntity({
    class: ApiKeyRow,
    tableName: 'api_keys',
    properties: {
      id: p.string().primary(),
      workspaceId: p.string(),
      userId: p.string(),
      name: p.string(),
      prefix: p.string(),
      hash: p.blob().$type<Buffer>(),
      scopes: p.array().strictNullable(),
      createdAt: p.datetime(3),
      lastUsedAt: p.datetime(3).strictNullable(),
      revokedAt: p.datetime(3).strictNullable(),
    },
  })

/** Keys of a workspace; of one user only when given. */
export interface KeysOf {
  workspaceId: string
  userId?: string
}

const of = ({ workspaceId, userId }: KeysOf) => (userId === undefined ? { workspaceId } : { workspaceId, userId })

export async function insertKey(em: EntityManager, row: ApiKeyRow): Promise<void> {
  await em.insert(ApiKeyRow, row)
}

export const keyById = (em: EntityManager, workspaceId: string, id: string): Promise<ApiKeyRow | null> => em.findOne(ApiKeyRow, { id, workspaceId })

export const countLiveKeys = (em: EntityManager, keys: KeysOf): Promise<number> => em.count(ApiKeyRow, { ...of(keys), revokedAt: null })

/** The first revocation counts; a second one changes nothing. */
export async function revokeKey(em: EntityManager, id: string, at: Date): Promise<void> {
  await em.nativeUpdate(ApiKeyRow, { id, revokedAt: null }, { revokedAt: at })
}

/** All of a user's in a workspace, or everywhere. */
export async function revokeKeys(em: EntityManager, of: { userId: string; workspaceId?: string }, at: Date): Promise<void> {
  await em.nativeUpdate(ApiKeyRow, { ...of, revokedAt: null }, { revokedAt: at })
}
