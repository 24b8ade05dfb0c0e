import { Fault, type Login, type Refresh, type Renew, type RenewedToken, type Role, type SwitchWorkspace, type TokenPair, type User } from '@sluice/schema'
import { sqlState } from '../store/database.ts'
import { firstMembership, memberOf } from '../store/entities/member.ts'
import { deletePasswordTokens } from '../store/entities/password-token.ts'
import {
  deleteExpiredRefreshTokens,
  deleteFamily,
  deleteRefreshTokens,
  familyLives,
  insertRefreshToken,
  useRefreshToken,
  type RefreshTokenRow,
} from '../store/entities/refresh-token.ts'
import { raiseEpoch, replacePassword, userByEmail, userById, type UserRow } from '../store/entities/user.ts'
import { findWorkspace } from '../store/entities/workspace.ts'
import type { EntityManager, Orm } from '../store/orm.ts'
import { digest, isRandomToken, randomToken } from './digest.ts'
import { checkNewPassword, normalEmail, type Passwords } from './passwords.ts'
import { atLeast, authorize } from './policy.ts'
import type { Principal } from './principal.ts'
import type { Standings } from './standings.ts'
import { type Tokens, tokenLifetimeMs } from './tokens.ts'

export interface Logins {
  /**
   * Throws `login_failed` for an unknown user and a wrong password alike, after as long a time, and for who has not at least this role;
   * `rate_limited` when too many come at once.
   */
  login(input: Login & { least?: Role }): Promise<TokenPair>
  /**
   * Each refresh token works once. One that comes again ends its whole family, tokens included: it was stolen, by the first or
   * by this one. But for a minute it may come again as long as its successor was not used: then the answer was lost, and the
   * successor is replaced. Should somebody hold that one after all, its use ends the family.
   */
  refresh(input: Refresh): Promise<TokenPair>
  /**
   * Another token of the same login for one that still holds, and no refresh token. Whoever has found a token cannot keep it
   * alive for ever by this: the last one dies a week after a password or a refresh token was shown.
   */
  renew(principal: Principal, input?: Renew): Promise<RenewedToken>
  /** Ends the login that the token descends from, with all its tokens, and no other of the user. */
  leave(principal: Principal): Promise<void>
  /** Ends every token of the user, everywhere. */
  logout(principal: Principal): Promise<void>
  /**
   * Tokens for another workspace, by id or handle, of the same user. They and all that descends from them, by refreshing as well,
   * die with the week of the login that they were got with: no password and no refresh token was shown for them.
   */
  switch(principal: Principal, input: SwitchWorkspace): Promise<TokenPair>
  /** Ends every token of the user and answers with new ones for who asked. */
  changePassword(principal: Principal, input: { current: string; next: string }): Promise<TokenPair>
}

export interface LoginParts {
  orm: Orm
  passwords: Passwords
  tokens: Tokens
  standings: Standings
  now: () => number
}

const foreignKeyViolation = '23503'

/** Renewed with every refresh: a client that comes once a month stays logged in. */
const refreshLifetimeMs = 30 * 24 * 3_600_000
/** Of a login, by its tokens alone. Shorter than that of its refresh token, which its tokens live by. */
const renewableMs = 7 * 24 * 3_600_000
/** A client waits half a minute for an answer before it asks again. */
const lostAnswerMs = 60_000

export const asUser = (row: UserRow): User => ({ id: row.id, email: row.email, name: row.name, created: row.createdAt.toISOString() })

export function createLogins({ orm, passwords, tokens, standings, now }: LoginParts): Logins {
  /** Of a user row that has been read with its epoch: raised in between, what is issued is dead from the start. */
  async function issue(
    em: EntityManager,
    user: UserRow,
    workspaceId: string,
    { family = randomToken(), hash: replaces = null, provenAt = null }: Partial<Pick<RefreshTokenRow, 'family' | 'provenAt'>> & { hash?: Buffer | null } = {},
  ): Promise<TokenPair> {
    const refreshToken = randomToken()
    const end = provenAt === null ? Infinity : provenAt.getTime() + renewableMs
    const expiresAt = new Date(Math.min(now() + refreshLifetimeMs, end))
    await insertRefreshToken(em, {
      hash: digest(refreshToken),
      family,
      replaces,
      userId: user.id,
      workspaceId,
      tokenEpoch: user.tokenEpoch,
      provenAt,
      usedAt: null,
      expiresAt,
    }).catch((error: unknown) => {
      // The workspace, or the user, was deleted since it was read: there is nothing to log in to.
      if (sqlState(error) === foreignKeyViolation) throw new Fault('credential_invalid', { cause: error })
      throw error
    })
    const token = await tokens.sign({
      userId: user.id,
      workspaceId,
      epoch: user.tokenEpoch,
      family,
      provenAt: provenAt?.getTime() ?? now(),
      expiresAt: Math.min(now() + tokenLifetimeMs, end),
    })
    return { token, refreshToken, user: asUser(user) }
  }

  async function descend(em: EntityManager, row: RefreshTokenRow): Promise<TokenPair | null> {
    const user = await userById(em, row.userId)
    if (!user || user.tokenEpoch !== row.tokenEpoch || !(await memberOf(em, row.workspaceId, user.id))) return null
    return issue(em, user, row.workspaceId, row)
  }

  return {
    async login({ email, password, workspace, least }) {
      const spelled = normalEmail(email)
      const user = spelled === null ? null : await orm.unit((em) => userByEmail(em, spelled))
      const right = await passwords.verify(user?.passwordHash ?? null, password)
      if (!user || !right) throw new Fault('login_failed')
      return orm.transaction(async (em) => {
        await deleteExpiredRefreshTokens(em, user.id, new Date(now()))
        const workspaceId = await workspaceFor(em, user, workspace)
        if (least !== undefined && !atLeast((await memberOf(em, workspaceId, user.id))!.role, least)) throw new Fault('login_failed')
        return issue(em, user, workspaceId)
      })
    },

    async refresh({ refreshToken }) {
      if (!isRandomToken(refreshToken)) throw new Fault('credential_invalid')
      // The end of a family must be committed, so the fault is thrown outside.
      const { pair, ended } = await orm.transaction(async (em) => {
        const use = await useRefreshToken(em, digest(refreshToken), { now: new Date(now()), graceMs: lostAnswerMs })
        if (use?.is === 'again') await deleteFamily(em, use.row.family)
        return { pair: use?.is === 'used' ? await descend(em, use.row) : null, ended: use?.is === 'again' ? use.row.userId : null }
      })
      if (ended) standings.forgetUser(ended)
      if (!pair) throw new Fault('credential_invalid')
      return pair
    },

    async renew(principal, { forSeconds } = {}) {
      const { userId, workspaceId, epoch, family, provenAt } = loginOf(principal)
      const lifetimeMs = forSeconds === undefined ? tokenLifetimeMs : forSeconds * 1_000
      // In whole seconds, as tokens say it.
      const expiresAt = Math.floor(Math.min(now() + lifetimeMs, provenAt + renewableMs) / 1_000) * 1_000
      const user = await orm.unit(async (em) => {
        const found = await userById(em, userId)
        return found?.tokenEpoch === epoch && (await familyLives(em, family)) && (await memberOf(em, workspaceId, userId)) ? found : null
      })
      if (!user) throw new Fault('credential_invalid')
      const token = await tokens.sign({ userId, workspaceId, epoch, family, provenAt, expiresAt })
      return { token, expiresAt: new Date(expiresAt).toISOString(), user: asUser(user) }
    },

    async leave(principal) {
      const { userId, family } = loginOf(principal)
      await orm.transaction((em) => deleteFamily(em, family))
      standings.forgetUser(userId)
    },

    async logout(principal) {
      authorize(principal, 'account.manage')
      await orm.transaction(async (em) => {
        await raiseEpoch(em, principal.userId)
        await deleteRefreshTokens(em, principal.userId)
      })
      standings.forgetUser(principal.userId)
    },

    async switch(principal, { workspace }) {
      const { userId, epoch, family, provenAt } = loginOf(principal)
      return orm.transaction(async (em) => {
        const user = await userById(em, userId)
        if (user?.tokenEpoch !== epoch || !(await familyLives(em, family))) throw new Fault('credential_invalid')
        return issue(em, user, await workspaceFor(em, user, workspace), { provenAt: new Date(provenAt) })
      })
    },

    async changePassword(principal, { current, next }) {
      authorize(principal, 'account.manage')
      checkNewPassword(next, 'next')
      const before = await orm.unit((em) => userById(em, principal.userId))
      if (!before) throw new Fault('credential_invalid')
      if (!(await passwords.verify(before.passwordHash, current)))
        throw new Fault('input_invalid', { issues: [{ path: ['current'], message: 'This is not the current password' }] })
      const hashed = await passwords.hash(next)
      const pair = await orm.transaction(async (em) => {
        if (!(await replacePassword(em, before.id, before.passwordHash, hashed))) throw new Fault('credential_invalid')
        await raiseEpoch(em, before.id)
        await deleteRefreshTokens(em, before.id)
        await deletePasswordTokens(em, before.id)
        const user = await userById(em, before.id)
        if (!user) throw new Fault('credential_invalid')
        return issue(em, user, principal.workspaceId)
      })
      standings.forgetUser(before.id)
      return pair
    },
  }
}

/** The login behind a token. Keys and anonymous have none. */
function loginOf(principal: Principal): { userId: string; workspaceId: string } & NonNullable<Principal['token']> {
  authorize(principal, 'account.manage')
  const { userId, workspaceId, token } = principal
  if (!token) throw new Fault('credential_invalid')
  return { userId, workspaceId, ...token }
}

/** The workspace asked for, else the user's default one, else the first they joined. A workspace of others is a missing one. */
async function workspaceFor(em: EntityManager, user: UserRow, asked: string | undefined): Promise<string> {
  if (asked !== undefined) {
    const workspace = await findWorkspace(em, asked)
    if (!workspace || !(await memberOf(em, workspace.id, user.id))) throw new Fault('workspace_missing')
    return workspace.id
  }
  const member = (user.defaultWorkspaceId && (await memberOf(em, user.defaultWorkspaceId, user.id))) || (await firstMembership(em, user.id))
  if (!member) throw new Fault('permission_denied', { message: 'This user belongs to no workspace' })
  return member.workspaceId
}
