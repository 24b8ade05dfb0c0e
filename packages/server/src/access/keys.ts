import { Fault, type ApiKey, type CreateKey, type ListKeys, type OneKey, type Page } from '@sluice/schema'
import { countLiveKeys, insertKey, keyById, revokeKey, type ApiKeyRow } from '../store/entities/api-key.ts'
import { newId } from '../store/ids.ts'
import type { Orm } from '../store/orm.ts'
import type { Tx } from '../store/index.ts'
import { listKeys } from '../store/views/identity.ts'
import { digest, randomToken } from './digest.ts'
import { authorize, covers, reachesOthers, scopes as knownScopes } from './policy.ts'
import type { Principal } from './principal.ts'
import type { Standings } from './standings.ts'

/** API keys: everybody's own; for admins all of the workspace. */
export interface Keys {
  /** The secret is in this answer and nowhere else, ever. */
  create(principal: Principal, input: CreateKey): Promise<ApiKey & { secret: string }>
  /** Newest first, revoked ones too; of one user only when given. Who is no admin gets their own. */
  list(principal: Principal, input?: Partial<ListKeys>): Promise<Page<ApiKey>>
  /** Holds everywhere within two seconds. A second one changes nothing. Throws `key_missing`. */
  revoke(principal: Principal, input: OneKey): Promise<void>
}

/** Live ones a user has in a workspace. */
const most = 100

export const isApiKey = (text: string): boolean => /^sk_[A-Za-z0-9_-]{43}$/.test(text)

const iso = (date: Date | null): string | null => date && date.toISOString()

const asApiKey = (row: ApiKeyRow): ApiKey => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  scopes: row.scopes,
  userId: row.userId,
  created: row.createdAt.toISOString(),
  lastUsedAt: iso(row.lastUsedAt),
  revokedAt: iso(row.revokedAt),
})

export function createKeys(orm: Orm, database: Tx, standings: Standings, now: () => number): Keys {
  return {
    async create(principal, { name, scopes: wanted }) {
      authorize(principal, 'keys.manage')
      const scopes = wanted ?? null
      checkScopes(principal, scopes)
      const { userId, workspaceId } = principal
      const secret = `sk_${randomToken()}`
      const row: ApiKeyRow = {
        id: newId(),
        workspaceId,
        userId,
        name,
        prefix: secret.slice(0, 10),
        hash: digest(secret),
        scopes,
        createdAt: new Date(now()),
        lastUsedAt: null,
        revokedAt: null,
      }
      await orm.unit(async (em) => {
        if ((await countLiveKeys(em, { workspaceId, userId })) >= most) throw new Fault('limit_exceeded', { message: `A user has at most ${most} API keys; revoke one first` })
        await insertKey(em, row)
      })
      return { ...asApiKey(row), secret }
    },

    async list(principal, { userId, ...asked } = {}) {
      authorize(principal, 'keys.manage')
      if (userId !== undefined) authorize(principal, 'keys.manage', { ownerId: userId }, 'user_missing')
      const ofAll = reachesOthers(principal, 'keys.manage')
      return listKeys(database, { workspaceId: principal.workspaceId, userId: ofAll ? (userId ?? null) : principal.userId }, { limit: 100, ...asked })
    },

    async revoke(principal, { id }) {
      const row = await orm.unit(async (em) => {
        const found = await keyById(em, principal.workspaceId, id)
        if (!found) throw new Fault('key_missing')
        authorize(principal, 'keys.manage', { workspaceId: found.workspaceId, ownerId: found.userId }, 'key_missing')
        await revokeKey(em, id, new Date(now()))
        return found
      })
      standings.forgetKey(row)
    },
  }
}

/** Known ones only, and for a key that makes a key none that it does not hold itself. */
function checkScopes({ scopes: held }: Principal, wanted: string[] | null): void {
  const unknown = wanted?.filter((scope) => !knownScopes.includes(scope)) ?? []
  if (unknown.length > 0 || wanted?.length === 0)
    throw new Fault('input_invalid', {
      issues: [{ path: ['scopes'], message: unknown.length > 0 ? `no such scope: ${unknown.slice(0, 5).join(', ')}` : 'name at least one scope, or leave them out' }],
    })
  const wider = held !== null && (wanted === null || wanted.some((scope) => !covers(held, scope)))
  if (wider) throw new Fault('permission_denied', { message: 'A key makes no key that may do more than itself' })
}
