import { Fault, type Account, type ListUsers, type OneUser, type Page, type PasswordToken, type UpdateUser } from '@sluice/schema'
import { revokeKeys } from '../store/entities/api-key.ts'
import { countOwners, deleteMember, listPeople, memberOf, membershipsOf, type Person } from '../store/entities/member.ts'
import { deletePasswordTokens } from '../store/entities/password-token.ts'
import { deleteRefreshTokens } from '../store/entities/refresh-token.ts'
import { hasSessions, lockUser, raiseEpoch, updateUser } from '../store/entities/user.ts'
import { findWorkspace, lockWorkspace } from '../store/entities/workspace.ts'
import { sqlState } from '../store/database.ts'
import type { EntityManager, Orm } from '../store/orm.ts'
import type { Tx } from '../store/index.ts'
import { listUsers } from '../store/views/identity.ts'
import { issuePasswordToken, resetLifetimeMs } from './password-tokens.ts'
import { checkEmail } from './passwords.ts'
import { authorize, reachesOthers } from './policy.ts'
import type { Principal } from './principal.ts'
import type { Standings } from './standings.ts'

/**
 * The people of a workspace. Everybody sees and changes themselves; admins see all of the workspace, and owners change
 * those who belong to no other one: an account that several workspaces know is its user's alone. Who is outside the
 * workspace is `user_missing`.
 */
export interface Users {
  list(principal: Principal, input?: Partial<ListUsers>): Promise<Page<Account>>
  get(principal: Principal, input: OneUser): Promise<Account>
  /** Throws `name_taken` when the email is in use, `workspace_missing` for a default that is not one of theirs. */
  update(principal: Principal, input: UpdateUser): Promise<Account>
  /** Leaves a nameless user, whom runs and decisions still refer to. Throws `last_owner` when a workspace would have none, `user_in_use` while sessions are theirs. */
  delete(principal: Principal, input: OneUser): Promise<void>
  /** A token that sets the password of another user, for who asks to hand on; an hour, once. Their old password holds until then. */
  resetPassword(principal: Principal, input: OneUser): Promise<PasswordToken>
}

export function createUsers(orm: Orm, database: Tx, standings: Standings, now: () => number): Users {
  /** As far as this principal may change the user: themselves with a login of their own, others as an owner. */
  function mayManage(principal: Principal, id: string): void {
    authorize(principal, 'users.manage', { ownerId: id }, 'user_missing')
    authorize(principal, 'account.manage')
  }

  return {
    async list(principal, asked = {}) {
      authorize(principal, 'users.read')
      const { workspaceId, userId } = principal
      const ofAll = reachesOthers(principal, 'users.read')
      return listUsers(database, { workspaceId, userId: ofAll ? null : userId }, { limit: 50, ...asked })
    },

    async get(principal, { id }) {
      authorize(principal, 'users.read', { ownerId: id }, 'user_missing')
      return orm.unit((em) => account(em, principal.workspaceId, id))
    },

    async update(principal, { id, email, name, defaultWorkspace }) {
      mayManage(principal, id)
      const spelled = email === undefined ? undefined : checkEmail(email, 'email')
      if (defaultWorkspace !== undefined && id !== principal.userId) throw new Fault('permission_denied', { message: 'Where a user goes is their own choice' })
      const updated = orm.transaction(async (em) => {
        await reach(em, principal, id)
        const defaultWorkspaceId = defaultWorkspace === undefined ? undefined : await belonging(em, id, defaultWorkspace)
        await updateUser(em, id, {
          ...(spelled !== undefined && { email: spelled }),
          ...(name !== undefined && { name }),
          ...(defaultWorkspaceId !== undefined && { defaultWorkspaceId }),
        })
        return account(em, principal.workspaceId, id)
      })
      const answer = await updated.catch(taken)
      standings.forgetMember(id)
      return answer
    },

    async delete(principal, { id }) {
      mayManage(principal, id)
      await orm.transaction(async (em) => {
        // In one order for all, so that two deletions do not wait for each other.
        for (const { workspaceId } of await membershipsOf(em, id)) await lockWorkspace(em, workspaceId)
        await reach(em, principal, id)
        await anonymise(em, id, new Date(now()))
      })
      standings.forgetMember(id)
    },

    async resetPassword(principal, { id }) {
      mayManage(principal, id)
      // Whoever holds a stolen login must not get the account with it.
      if (id === principal.userId) throw new Fault('permission_denied', { message: 'Change your own password with the current one' })
      return orm.transaction(async (em) => {
        await reach(em, principal, id)
        return issuePasswordToken(em, id, new Date(now() + resetLifetimeMs))
      })
    },
  }
}

/** Locks the user. Whoever belongs to another workspace too is changed by nobody but themselves: else an owner here could enter there. */
async function reach(em: EntityManager, { workspaceId, userId }: Principal, id: string): Promise<void> {
  if (!(await lockUser(em, id)) || !(await memberOf(em, workspaceId, id))) throw new Fault('user_missing')
  if (id !== userId && (await membershipsOf(em, id)).length > 1) throw new Fault('permission_denied', { message: 'Only the user may do that' })
}

async function account(em: EntityManager, workspaceId: string, userId: string): Promise<Account> {
  const [person] = await listPeople(em, { workspaceId, userId }, 1)
  if (!person) throw new Fault('user_missing')
  return asAccount(person)
}

async function belonging(em: EntityManager, userId: string, ref: string): Promise<string> {
  const workspace = await findWorkspace(em, ref)
  if (!workspace || !(await memberOf(em, workspace.id, userId))) throw new Fault('workspace_missing')
  return workspace.id
}

async function anonymise(em: EntityManager, id: string, at: Date): Promise<void> {
  for (const { workspaceId, role } of await membershipsOf(em, id)) {
    if (role === 'owner' && (await countOwners(em, workspaceId)) === 1) throw new Fault('last_owner')
    await deleteMember(em, workspaceId, id)
  }
  // Now that they are no member anywhere, no session of theirs is made any more.
  if (await hasSessions(em, id)) throw new Fault('user_in_use')
  await revokeKeys(em, { userId: id }, at)
  await deleteRefreshTokens(em, id)
  await deletePasswordTokens(em, id)
  await raiseEpoch(em, id)
  // No login finds it: it is not of the form of an email.
  await updateUser(em, id, { email: `deleted:${id}`, name: '', passwordHash: '', defaultWorkspaceId: null })
}

const asAccount = ({ userId, email, name, role, userCreatedAt }: Person): Account => ({ id: userId, email, name, role, created: userCreatedAt.toISOString() })

/** Of two at once that take the same email one is refused by the index. */
function taken(error: unknown): never {
  if (sqlState(error) === '23505') throw new Fault('name_taken', { message: 'The email is in use' })
  throw error
}
