import { Fault, type Me, type Role } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { userById } from '../store/entities/user.ts'
import { workspaceById } from '../store/entities/workspace.ts'
import type { Orm } from '../store/orm.ts'
import { createCredentials, type Credentials } from './credentials.ts'
import { createDeciders, type Deciders } from './deciders.ts'
import { createKeys, type Keys } from './keys.ts'
import { deriveKeys } from './keyring.ts'
import { asUser, createLogins, type Logins } from './logins.ts'
import { createMembers, type Members } from './members.ts'
import { createModelChoices, type ModelChoices } from './model-settings.ts'
import { createPasswordTokens, type PasswordTokens } from './password-tokens.ts'
import { createPasswords } from './passwords.ts'
import { authorize } from './policy.ts'
import type { Principal } from './principal.ts'
import { createSecrets, createVault, type Secrets, type Vault } from './secrets.ts'
import { createStandings } from './standings.ts'
import { createTickets, type Tickets } from './tickets.ts'
import { createTokens, type MoreClaims } from './tokens.ts'
import { createUsers, type Users } from './users.ts'
import { createWorkspaces, type Workspaces } from './workspaces.ts'

export type { Credential } from './credentials.ts'
export type { Principal } from './principal.ts'

/**
 * Who somebody is, on every face of the server. Whatever ends a principal (logout, a new password, another role, deletion,
 * revocation) holds at once on the server where it happened and within two seconds on the others.
 */
export interface Access extends Credentials, Deciders, Logins, PasswordTokens, Tickets {
  me(principal: Principal): Promise<Me>
  keys: Keys
  secrets: Secrets
  vault: Vault
  model: ModelChoices
  members: Members
  users: Users
  workspaces: Workspaces
}

export interface AccessOptions {
  orm: Orm
  database: Database
  /** At least 16 characters. Tokens and secrets die with it. */
  secret: string
  /** What a request without a credential may do. Unset: nothing. */
  anonymousRole?: Role
  /** What tokens say beside what we read of them. */
  claims?: MoreClaims
  /** The language model of who operates the server, where workspaces have none. Unset: there is none. */
  operatorsModel?: string | null
  /** Milliseconds since 1970; the clock of the machine unless set. */
  now?: () => number
}

export function createAccess({ orm, database, secret, anonymousRole, claims, operatorsModel = null, now = Date.now }: AccessOptions): Access {
  if (anonymousRole === 'owner' || anonymousRole === 'admin') throw new Error('The anonymous role is editor, operator or viewer')
  const ring = deriveKeys(secret)
  const passwords = createPasswords()
  const tokens = createTokens(ring.tokens, now, claims)
  const standings = createStandings(database, now)
  const vault = createVault(ring.secrets)
  const credentials = createCredentials({ orm, database, tokens, standings, anonymousRole, now })
  return {
    ...credentials,
    ...createDeciders(database),
    ...createLogins({ orm, passwords, tokens, standings, now }),
    ...createPasswordTokens(orm, passwords, standings, now),
    ...createTickets(database, credentials.stillValid, now),
    me: (principal) => me(orm, principal),
    keys: createKeys(orm, database, standings, now),
    secrets: createSecrets(orm, database, ring.secrets, now),
    vault,
    model: createModelChoices({ database, vault, operators: operatorsModel, now }),
    members: createMembers(orm, database, passwords, standings, now),
    users: createUsers(orm, database, standings, now),
    workspaces: createWorkspaces(orm, database, standings, now),
  }
}

async function me(orm: Orm, principal: Principal): Promise<Me> {
  authorize(principal, 'account.read')
  const { userId, workspaceId, role, credential, scopes, email, name } = principal
  const [user, workspace] = await orm.unit(async (em) => [await userById(em, userId), await workspaceById(em, workspaceId)] as const)
  if (!workspace || (!user && credential !== 'anonymous')) throw new Fault('credential_invalid')
  return {
    user: user ? asUser(user) : { id: userId, email, name, created: workspace.createdAt.toISOString() },
    workspace: { id: workspace.id, handle: workspace.handle, name: workspace.name },
    role,
    credential,
    scopes,
  }
}
