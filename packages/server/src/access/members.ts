import { Fault, type InvitedMember, type InviteMember, type ListMembers, type Member, type OneMember, type Page, type Role, type SetRole } from '@sluice/schema'
import { revokeKeys } from '../store/entities/api-key.ts'
import { countMemberships, countOwners, deleteMember, insertMember, memberOf, membershipsOf, updateRole } from '../store/entities/member.ts'
import { anyUser, insertUser, lockUser, raiseEpoch, updateUser, userByEmail, type UserRow } from '../store/entities/user.ts'
import { insertWorkspace, lockFirstStart, lockWorkspace } from '../store/entities/workspace.ts'
import { newId } from '../store/ids.ts'
import { StatementRefused, type EntityManager, type Orm } from '../store/orm.ts'
import { hasUsers } from '../store/rows/identity.ts'
import type { Tx } from '../store/index.ts'
import { listMembers } from '../store/views/identity.ts'
import { randomToken } from './digest.ts'
import { inviteLifetimeMs, issuePasswordToken } from './password-tokens.ts'
import { checkEmail, checkNewPassword, type Passwords } from './passwords.ts'
import { atLeast, authorize } from './policy.ts'
import type { Principal } from './principal.ts'
import type { Standings } from './standings.ts'

export interface Members {
  /**
   * At the first start: the workspace `default` and its owner. Answers with what to print, once; null ever after, and to
   * all but one of those that start at the same time. `generated` is false when the password was given: it need not be shown.
   */
  bootstrap(input: { adminEmail?: string; adminPassword?: string }): Promise<{ email: string; password: string; generated: boolean } | null>
  list(principal: Principal, input?: Partial<ListMembers>): Promise<Page<Member>>
  /**
   * Takes a user into this workspace. Who has an account stays as they are; else one is made, with the password that is
   * given, or a token to set one with. Nobody gives a role above their own. Throws `member_exists`.
   */
  invite(principal: Principal, input: InviteMember): Promise<InvitedMember>
  /** Ends the user's tokens. Nobody gives or takes a role above their own; the last owner stays (`last_owner`). Throws `user_missing`. */
  setRole(principal: Principal, input: SetRole): Promise<void>
  /** Takes the user out of the workspace; their tokens and keys for it end. Throws as `setRole` does. */
  remove(principal: Principal, input: OneMember): Promise<void>
}

export function createMembers(orm: Orm, database: Tx, passwords: Passwords, standings: Standings, now: () => number): Members {
  async function userRow(email: string, password: string | undefined, defaultWorkspaceId: string, name = ''): Promise<UserRow> {
    const at = new Date(now())
    return { id: newId(), email, name, passwordHash: password === undefined ? '' : await passwords.hash(password), tokenEpoch: 1, defaultWorkspaceId, createdAt: at, updatedAt: at }
  }

  /** A change of a member, who is no mightier than who changes them, under the workspace's lock. */
  async function change(principal: Principal, userId: string, to: Role | null): Promise<void> {
    authorize(principal, 'members.manage')
    const { workspaceId } = principal
    await orm.transaction(async (em) => {
      await lockWorkspace(em, workspaceId)
      const member = await memberOf(em, workspaceId, userId)
      if (!member) throw new Fault('user_missing')
      if (!atLeast(principal.role, member.role)) throw tooHigh()
      if (to) checkRank(principal, to)
      if (member.role === 'owner' && to !== 'owner' && (await countOwners(em, workspaceId)) === 1) throw new Fault('last_owner')
      if (to === member.role) return
      await (to ? updateRole(em, workspaceId, userId, to) : leave(em, workspaceId, userId, new Date(now())))
      await raiseEpoch(em, userId)
    })
    standings.forgetMember(userId)
  }

  /** The user, made by this when `fresh`, becomes a member; and gets a token when there is no password and nobody else counts on them. */
  async function join(em: EntityManager, principal: Principal, user: UserRow, role: Role, fresh: boolean): Promise<InvitedMember> {
    const { workspaceId } = principal
    const createdAt = new Date(now())
    if (fresh) await insertUser(em, user)
    else if (user.defaultWorkspaceId === null) await updateUser(em, user.id, { defaultWorkspaceId: workspaceId })
    await insertMember(em, { workspaceId, userId: user.id, role, createdAt })
    const pending = user.passwordHash === ''
    const setPassword = pending && (await countMemberships(em, user.id)) === 1 ? await issuePasswordToken(em, user.id, new Date(now() + inviteLifetimeMs)) : null
    return { userId: user.id, email: user.email, name: user.name, role, pending, joined: createdAt.toISOString(), created: fresh, setPassword }
  }

  return {
    async bootstrap({ adminEmail, adminPassword }) {
      if (await hasUsers(database)) return null
      const email = checkEmail(adminEmail ?? 'admin@sluice.local', 'adminEmail')
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

    async list(principal, asked = {}) {
      authorize(principal, 'members.read')
      return listMembers(database, principal.workspaceId, { limit: 50, ...asked })
    },

    async invite(principal, { email, role, name, password }) {
      authorize(principal, 'members.manage')
      checkRank(principal, role)
      const spelled = checkEmail(email, 'email')
      if (password !== undefined) checkNewPassword(password, 'password')
      const enter = async (): Promise<InvitedMember> => {
        const known = await orm.unit((em) => userByEmail(em, spelled))
        const user = known ?? (await userRow(spelled, password, principal.workspaceId, name))
        return orm.transaction(async (em) => {
          const joining = known ? await lockUser(em, user.id) : user
          // Was deleted, or took another email, meanwhile.
          if (joining?.email !== spelled) throw new Fault('user_missing')
          return join(em, principal, joining, role, known === null)
        })
      }
      // Of two at once that make the same user one finds them made.
      return enter()
        .catch((error: unknown) => (refusedBy(error) === 'users_email_key' ? enter() : Promise.reject(error)))
        .catch(taken)
    },

    setRole: (principal, { userId, role }) => change(principal, userId, role),
    remove: (principal, { userId }) => change(principal, userId, null),
  }
}

const tooHigh = (): Fault => new Fault('permission_denied', { message: 'That role is above yours' })

function checkRank(principal: Principal, role: Role): void {
  if (!atLeast(principal.role, role)) throw tooHigh()
}

/** Keys do not come back with a later membership, and logins go where the user still belongs. */
async function leave(em: EntityManager, workspaceId: string, userId: string, at: Date): Promise<void> {
  await deleteMember(em, workspaceId, userId)
  await revokeKeys(em, { workspaceId, userId }, at)
  const user = await lockUser(em, userId)
  if (user?.defaultWorkspaceId === workspaceId) await updateUser(em, userId, { defaultWorkspaceId: (await membershipsOf(em, userId))[0]?.workspaceId ?? null })
}

/** The index, say, that a statement met. */
const refusedBy = (error: unknown): string | undefined => (error instanceof StatementRefused ? error.constraint : undefined)

function taken(error: unknown): never {
  if (refusedBy(error) === 'members_pkey') throw new Fault('member_exists')
  throw error
}
