import { Fault, type Role } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { workspaceByHandle } from '../store/entities/workspace.ts'
import type { Orm } from '../store/orm.ts'
import { touchKey } from '../store/rows/identity.ts'
import { digest } from './digest.ts'
import { createFresh } from './fresh.ts'
import { isApiKey } from './keys.ts'
import { anonymousId, type Principal } from './principal.ts'
import type { Standings } from './standings.ts'
import type { Tokens } from './tokens.ts'

/**
 * A credential as it came. `bearer`: a token or an API key; `bare`, `cookie`: a token; `apiKey`: a key; `basic`: what
 * follows the word Basic (base64 of `<api key>:`), or its user name already decoded. Tickets go to `redeem`.
 */
export interface Credential {
  kind: 'bearer' | 'bare' | 'basic' | 'cookie' | 'apiKey'
  value: string
}

export interface Credentials {
  /** Throws `credential_invalid`. Without a credential the anonymous principal where there is one, else null. */
  authenticate(credential: Credential | null): Promise<Principal | null>
  /** Whether what a stream was opened with still holds, at most two seconds old. Throws `Outage` when nobody can say. */
  stillValid(principal: Principal): Promise<boolean>
}

export interface CredentialParts {
  orm: Orm
  database: Database
  tokens: Tokens
  standings: Standings
  anonymousRole: Role | undefined
  now: () => number
}

export function createCredentials({ orm, database, tokens, standings, anonymousRole, now }: CredentialParts): Credentials {
  const touched = createFresh<true>({ ttl: 60_000, size: 10_000, now })
  let defaultWorkspaceId: string | undefined

  async function writeUse(id: string): Promise<true> {
    await touchKey(database, id, new Date(now()))
    return true
  }

  /** In the background and once a minute: nobody waits for it, and when it fails the key's next request tries again. */
  function touch(id: string): void {
    touched.get(id, () => writeUse(id)).catch(() => {})
  }

  async function byKey(secret: string): Promise<Principal> {
    const key = isApiKey(secret) ? await standings.ofKeyHash(digest(secret)) : undefined
    if (!key) throw new Fault('credential_invalid')
    touch(key.id)
    const { id, userId, workspaceId, role, scopes, email, name } = key
    return { id, userId, workspaceId, role, scopes, credential: 'key', keyId: id, email, name }
  }

  async function byToken(token: string, credential: 'token' | 'cookie'): Promise<Principal> {
    const { userId, workspaceId, epoch, family, provenAt, expiresAt } = await tokens.verify(token)
    const standing = await standings.ofUser({ userId, workspaceId, family })
    if (!standing || standing.tokenEpoch !== epoch || !standing.familyLives) throw new Fault('credential_invalid')
    const { role, email, name } = standing
    return { id: userId, userId, workspaceId, role, scopes: null, credential, email, name, token: { epoch, family, provenAt, expiresAt } }
  }

  async function anonymous(role: Role): Promise<Principal | null> {
    defaultWorkspaceId ??= (await orm.unit((em) => workspaceByHandle(em, 'default')))?.id
    if (defaultWorkspaceId === undefined) return null
    return { id: anonymousId, userId: anonymousId, workspaceId: defaultWorkspaceId, role, scopes: null, credential: 'anonymous', email: '', name: 'anonymous' }
  }

  return {
    async authenticate(credential) {
      if (!credential) return anonymousRole ? anonymous(anonymousRole) : null
      const { kind, value } = credential
      if (kind === 'basic') return byKey(userNameOf(value))
      if (kind === 'apiKey' || (kind === 'bearer' && value.startsWith('sk_'))) return byKey(value)
      return byToken(value, kind === 'cookie' ? 'cookie' : 'token')
    },

    async stillValid({ credential, id, userId, workspaceId, role, token }) {
      if (credential === 'anonymous') return role === anonymousRole
      if (credential === 'key') return (await standings.ofKey(id))?.role === role
      if (!token || token.expiresAt <= now()) return false
      const standing = await standings.ofUser({ userId, workspaceId, family: token.family })
      return standing !== undefined && standing.role === role && standing.tokenEpoch === token.epoch && standing.familyLives
    },
  }
}

/** `sk_` is no base64 (it has no underscore), so the two spellings cannot be mistaken for each other. */
function userNameOf(basic: string): string {
  const pair = basic.startsWith('sk_') ? basic : Buffer.from(basic.slice(0, 1_024), 'base64').toString('utf8')
  return pair.split(':', 1)[0]!
}
