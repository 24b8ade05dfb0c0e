import { hostname } from 'node:os'
import { createClient } from '../client.ts'
import { UnauthenticatedError } from '../errors.ts'
import { type Account, accountFile, address, defaultUrl, forgetAccount, keepAccount, readAccount } from './account.ts'
import { ask } from './ask.ts'
import { Failure } from './failure.ts'

export interface LoginOptions {
  url?: string
  key?: string
  email?: string
  workspace?: string
}

/**
 * Keeps a key, not the password and no tokens: a refresh token works once, and two commands at a time would take it from each
 * other. A login by password makes a key of its own for this machine, which a logout revokes.
 */
export async function login({ url: given, key, email, workspace }: LoginOptions, at: (url: string) => void): Promise<string> {
  const before = await readAccount().catch(() => null)
  const url = address(given ?? process.env['SLUICE_URL'] ?? before?.url ?? defaultUrl)
  at(url)
  const account = key === undefined ? await byPassword(url, email, workspace) : withKey(url, key === '-' ? await ask('Key: ', { hidden: true }) : key, before)
  const isSame = before?.key === account.key
  const me = await createClient({ url, apiKey: account.key, retries: 1 })
    .auth.me()
    .catch((error: unknown) => {
      throw error instanceof UnauthenticatedError ? new Failure(`${url} does not know this key`) : error
    })
  await keepAccount(account).catch(async (error: Error) => {
    // Nobody would know of it any more.
    if (!isSame) await revoke(account).catch(() => {})
    throw new Failure(`The login cannot be kept in ${accountFile()}: ${error.message}`)
  })
  // It is not the credential of anything any more. Where that fails, it is in the list of keys.
  if (before && !isSame) await revoke(before).catch(() => {})
  return `Logged in at ${url} as ${me.user.email}, in the workspace ${me.workspace.name}. Kept in ${accountFile()}`
}

/** The key of the login before stays what it was: made for this machine, or not. */
const withKey = (url: string, key: string, before: Account | null): Account => ({ url, key, keyId: before?.key === key ? before.keyId : null })

async function byPassword(url: string, givenEmail: string | undefined, workspace: string | undefined): Promise<Account> {
  const email = givenEmail ?? (await ask('Email: '))
  const password = await ask('Password: ', { hidden: true })
  const signedIn = await createClient({ url, retries: 1 })
    .auth.login({ email, password, ...(workspace !== undefined && { workspace }) })
    .catch((error: unknown) => {
      throw error instanceof UnauthenticatedError ? new Failure(`${url} knows no user ${email} with this password`) : error
    })
  const { id, secret } = await signedIn.keys.create({ name: `sluice on ${hostname()}`.slice(0, 100) })
  return { url, key: secret, keyId: id }
}

const revoke = async ({ url, key, keyId }: Account): Promise<void> => {
  if (keyId !== null) await createClient({ url, apiKey: key, retries: 0, timeoutMs: 5_000 }).keys.revoke({ id: keyId })
}

export async function logout(at: (url: string) => void): Promise<string> {
  const account = await readAccount()
  if (!account) return 'You were not logged in'
  at(account.url)
  const failed = await revoke(account).then(
    () => false,
    (error: unknown) => !(error instanceof UnauthenticatedError),
  )
  await forgetAccount()
  return failed ? `Logged out of ${account.url}, which could not be reached: its key is still valid there, until it is revoked` : `Logged out of ${account.url}`
}
