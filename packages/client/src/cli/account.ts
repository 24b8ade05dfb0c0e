import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { Failure, name } from './failure.ts'

/** Who the person is at one server. A key of a login was made by it, and is revoked with it. */
export interface Account {
  url: string
  key: string
  /** The id of the key, where a login made it. */
  keyId: string | null
}

export const defaultUrl = 'http://127.0.0.1:7878'

type Environment = Readonly<Record<string, string | undefined>>

/** Where programs of this person keep such things, by the customs of the platform. */
export function accountFile(env: Environment = process.env, platform: NodeJS.Platform = process.platform, home = homedir()): string {
  const folder =
    env['XDG_CONFIG_HOME'] ||
    { win32: env['APPDATA'] || join(home, 'AppData', 'Roaming'), darwin: join(home, 'Library', 'Application Support') }[platform as string] ||
    join(home, '.config')
  return join(folder, 'sluice', 'account.json')
}

export async function readAccount(file = accountFile()): Promise<Account | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new Failure(`${file} cannot be read: ${error.message}`)
  })
  if (text === null) return null
  try {
    const { url, key, keyId } = JSON.parse(text) as Partial<Account>
    if (typeof url === 'string' && typeof key === 'string') return { url, key, keyId: keyId ?? null }
  } catch {
    // Said below.
  }
  throw new Failure(`${file} is damaged. Log in again: ${name()} login`)
}

/** Never half written, and never readable by others, not even for a moment. */
export async function keepAccount(account: Account, file = accountFile()): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const next = `${file}.${process.pid}`
  await rm(next, { force: true })
  await writeFile(next, `${JSON.stringify(account, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  await chmod(next, 0o600)
  await rename(next, file)
}

export const forgetAccount = (file = accountFile()): Promise<void> => rm(file, { force: true })

/** The environment wins. A key that was kept goes to the server it was kept for, and to no other. */
export async function whoAsks(env: Environment = process.env): Promise<{ url: string; key: string }> {
  const [url, key] = [env['SLUICE_URL'] || null, env['SLUICE_KEY'] || null]
  if (url !== null && key !== null) return { url: address(url), key }
  const kept = await readAccount()
  if (key !== null) return { url: kept?.url ?? defaultUrl, key }
  if (!kept) throw new Failure(`Not logged in. Run ${name()} login, or set SLUICE_URL and SLUICE_KEY`)
  if (url !== null && address(url) !== kept.url)
    throw new Failure(`Not logged in at ${address(url)}, but at ${kept.url}. Run ${name()} login --url ${address(url)}, or set SLUICE_KEY`)
  return { url: kept.url, key: kept.key }
}

/** As it is kept and compared. */
export function address(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol)) throw new Failure(`${text} is no address of a server: it looks like ${defaultUrl}`)
  if (url.username || url.password) throw new Failure('An address carries no user or password: log in, or set SLUICE_KEY')
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}
