import { Fault, type Role, type User } from '@sluice/schema'
import { countOwners, deleteMember, insertMember, memberOf, updateRole } from '../store/entities/member.ts'
import { anyUser, insertUser, raiseEpoch, userById, type UserRow } from '../store/entities/user.ts'
import { insertWorkspace, lockFirstStart, lockWorkspace } from '../store/entities/workspace.ts'
import { sqlState } from '../store/database.ts'
import { newId } from '../store/ids.ts'
import type { EntityManager, Orm } from '../store/orm.ts'
import { randomToken } from './digest.ts'
import { asUser } from './logins.ts'
import { checkNewPassword, normalEmail, type Passwords } from './passwords.ts'
import { atLeast, authorize } from './policy.ts'
import type { Principal } from './principal.ts'
import type { Standings } from './standings.ts'

export interface Members {
  /**
   * At the first start: the workspace `default` and its owner. Answers with what to print, once; null ever after, and to
   * all but one of those that start at the same time. `generated` is false when the password was given: it need not be shown.
   */
  bootstrap(input: { adminEmail?: string; adminPassword?: string }): Promise<{ email: string; password: string; generated: boolean } | null>
  /** Throws `user_missing`, for one outside the workspace as well. */
  getUser(principal: Principal, id: string): Promise<User & { role: Role }>
  /** A new user in this workspace. Throws `name_taken` when the email is in use. */
  add(principal: Principal, input: { email: string; password: string; name?: string; role: Role }): Promise<User & { role: Role }>
  /** Ends the user's tokens. Nobody gives or takes a role above their own; the last owner stays (`last_owner`). */
  setRole(principal: Principal, input: { userId: string; role: Role }): Promise<void>
  /** Takes the user out of the workspace; their tokens and keys for it end. */
  remove(principal: Principal, input: { userId: string }): Promise<void>
}

export function createMembers(orm: Orm, passwords: Passwords, standings: Standings, now: () => number): Members {
  async function userRow(spelled: string, password: string, workspaceId: string, name = ''): Promise<UserRow> {
    const at = new Date(now())
    return { id: newId(), email: spelled, name, passwordHash: await passwords.hash(password), tokenEpoch: 1, defaultWorkspaceId: workspaceId, createdAt: at, updatedAt: at }
  }

  /** A change of a member, who is no mightier than who changes them, under the workspace's lock. */
  async function change(principal: Principal, userId: string, to: Role | null): Promise<void> {
    authorize(principal, 'members.manage')
    const { workspaceId } = principal
    await orm.transaction(async (em) => {
      await lockWorkspace(em, workspaceId)
      const member = await memberOf(em, workspaceId, userId)
      if (!member) throw new Fault('user_missing')
      if (!atLeast(principal.role, member.role) || (to && !atLeast(principal.role, to))) throw new Fault('permission_denied', { message: 'That role is above yours' })
      if (member.role === 'owner' && to !== 'owner' && (await countOwners(em, workspaceId)) === 1) throw new Fault('last_owner')
      if (to === member.role) return
      await (to ? updateRole(em, workspaceId, userId, to) : deleteMember(em, workspaceId, userId))
      await raiseEpoch(em, userId)
    })
    standings.forgetUser(userId)
  }

  return {
    async bootstrap({ adminEmail, adminPassword }) {
      if (await orm.unit(anyUser)) return null
      const email = spell(adminEmail ?? 'admin@sluice.local', 'adminEmail')
      if (adminPassword !== undefined) checkNewPassword(adminPassword, 'adminPassword')
      const password = adminPassword ?? randomToken().slice(0, 20)
      const workspace = { id: newId(), handle: 'default', name: 'Default', createdAt: new Date(now()) }
      const user = await userRow(email, password, workspace.id, 'Admin')
      const first = await orm.transaction(async (em) => {
        await lockFirstStart(em)
        if (await anyUser(em)) return false
        await insertWorkspace(em, workspace)
        await insertUser(em, user)
        await insertMember(em, { workspaceId: workspace.id, userId: user.id, role: 'owner', createdAt: user.createdAt })
        return true
      })
      return first ? { email, password, generated: adminPassword === undefined } : null
    },

    async getUser(principal, id) {
      authorize(principal, 'users.read', { ownerId: id }, 'user_missing')
      return orm.unit(async (em) => {
        const [user, member] = [await userById(em, id), await memberOf(em, principal.workspaceId, id)]
        if (!user || !member) throw new Fault('user_missing')
        return { ...asUser(user), role: member.role }
      })
    },

    async add(principal, { email, password, name, role }) {
      authorize(principal, 'members.manage')
      if (!atLeast(principal.role, role)) throw new Fault('permission_denied', { message: 'That role is above yours' })
      const spelled = spell(email, 'email')
      checkNewPassword(password, 'password')
      const user = await userRow(spelled, password, principal.workspaceId, name)
      await orm.transaction((em) => join(em, user, role)).catch(taken)
      return { ...asUser(user), role }
    },

    setRole: (principal, { userId, role }) => change(principal, userId, role),
    remove: (principal, { userId }) => change(principal, userId, null),
  }
}

function spell(email: string, field: string): string {
  const spelled = normalEmail(email)
  if (spelled === null) throw new Fault('input_invalid', { issues: [{ path: [field], message: 'expected an email address' }] })
  return spelled
}

async function join(em: EntityManager, user: UserRow, role: Role): Promise<void> {
  await insertUser(em, user)
  await insertMember(em, { workspaceId: user.defaultWorkspaceId, userId: user.id, role, createdAt: user.createdAt })
}

/** Of two at once that take the same email one is refused by the index. */
function taken(error: unknown): never {
  if (sqlState(error) === '23505') throw new Fault('name_taken', { message: 'The email is in use' })
  throw error
}
