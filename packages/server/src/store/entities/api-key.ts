import { defineEntity, p, type EntityManager } from '@mikro-orm/postgresql'

/** A key that acts as the user who owns it, within its scopes. The secret itself is kept nowhere. */
export const ApiKey = defineEntity({
  name: 'ApiKey',
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

export interface ApiKeyRow {
  id: string
  workspaceId: string
  userId: string
  name: string
  /** The first characters of the secret, to recognise it by. */
  prefix: string
  /** SHA-256 of the secret. */
  hash: Buffer
  scopes: string[] | null
  createdAt: Date
  lastUsedAt: Date | null
  revokedAt: Date | null
}

/** Keys of a workspace; of one user only when given. */
export interface KeysOf {
  workspaceId: string
  userId?: string
}

const of = ({ workspaceId, userId }: KeysOf) => (userId === undefined ? { workspaceId } : { workspaceId, userId })

export async function insertKey(em: EntityManager, row: ApiKeyRow): Promise<void> {
  await em.insert(ApiKey, row)
}

export const keyById = (em: EntityManager, workspaceId: string, id: string): Promise<ApiKeyRow | null> => em.findOne(ApiKey, { id, workspaceId })

export const countLiveKeys = (em: EntityManager, keys: KeysOf): Promise<number> => em.count(ApiKey, { ...of(keys), revokedAt: null })

/** The first revocation counts; a second one changes nothing. */
export async function revokeKey(em: EntityManager, id: string, at: Date): Promise<void> {
  await em.nativeUpdate(ApiKey, { id, revokedAt: null }, { revokedAt: at })
}

/** All of a user's in a workspace, or everywhere. */
export async function revokeKeys(em: EntityManager, of: { userId: string; workspaceId?: string }, at: Date): Promise<void> {
  await em.nativeUpdate(ApiKey, { ...of, revokedAt: null }, { revokedAt: at })
}
