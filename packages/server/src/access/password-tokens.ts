import { Fault, type PasswordToken, type SetPassword, type User } from '@sluice/schema'
import { deletePasswordTokens, passwordTokenLives, putPasswordToken, takePasswordToken } from '../store/entities/password-token.ts'
import { deleteRefreshTokens } from '../store/entities/refresh-token.ts'
import { lockUser, raiseEpoch, updateUser, userByEmail, type UserRow } from '../store/entities/user.ts'
import type { EntityManager, Orm } from '../store/orm.ts'
import { digest, isRandomToken, randomToken } from './digest.ts'
import { asUser } from './logins.ts'
import { checkNewPassword, createPasswords, normalEmail, type Passwords } from './passwords.ts'
import type { Standings } from './standings.ts'

export interface PasswordTokens {
  /** Sets the password of the user the token is for, once, and ends all that the user was logged in with. Throws `credential_invalid`. */
  setPassword(input: SetPassword): Promise<User>
}

export const inviteLifetimeMs = 7 * 24 * 3_600_000
export const resetLifetimeMs = 3_600_000

/** A token for the user; those issued before are worth nothing now. */
export async function issuePasswordToken(em: EntityManager, userId: string, expiresAt: Date): Promise<PasswordToken> {
  const token = randomToken()
  await putPasswordToken(em, { hash: digest(token), userId, expiresAt })
  return { token, expiresAt: expiresAt.toISOString() }
}

export function createPasswordTokens(orm: Orm, passwords: Passwords, standings: Standings, now: () => number): PasswordTokens {
  return {
    async setPassword({ token, password }) {
      checkNewPassword(password, 'password')
      // Looked at first: whoever only guesses does not get a password hashed.
      if (!isRandomToken(token) || !(await orm.unit((em) => passwordTokenLives(em, digest(token), new Date(now()))))) throw new Fault('credential_invalid')
      const hash = await passwords.hash(password)
      const user = await orm.transaction(async (em) => {
        const userId = await takePasswordToken(em, digest(token), new Date(now()))
        const found = userId === undefined ? null : await lockUser(em, userId)
        if (!found) throw new Fault('credential_invalid')
        await replace(em, found, hash)
        return found
      })
      standings.forgetUser(user.id)
      return asUser(user)
    },
  }
}

/** For the operator at the machine: a new password, drawn at random, or null when nobody has this email. Servers that run know within two seconds. */
export async function drawPassword(orm: Orm, email: string): Promise<{ userId: string; password: string } | null> {
  const spelled = normalEmail(email)
  const password = randomToken().slice(0, 20)
  const hash = await createPasswords().hash(password)
  return orm.transaction(async (em) => {
    const found = spelled === null ? null : await userByEmail(em, spelled)
    if (!found) return null
    await replace(em, found, hash)
    return { userId: found.id, password }
  })
}

/** Whoever knew the old one, or held a token of it, is out. */
async function replace(em: EntityManager, { id }: UserRow, passwordHash: string): Promise<void> {
  await updateUser(em, id, { passwordHash })
  await raiseEpoch(em, id)
  await deleteRefreshTokens(em, id)
  await deletePasswordTokens(em, id)
}
