import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { StartRefused } from '../store/refused.ts'
import { urlOf } from './cluster.ts'
import { isHeld } from './lock.ts'

/**
 * The address of the PostgreSQL that a server runs in this data directory, for a second process of the same user beside
 * it; null when none is up: then `startEmbedded` starts it, or says who is in the way. Throws StartRefused where no
 * server ever was: a command that looks for something must not make a new database to look in.
 */
export function embeddedUrl(dataDir: string): string | null {
  const home = join(dataDir, 'postgres')
  if (!existsSync(home)) throw new StartRefused(`There is no database in ${dataDir}. Set SLUICE_DATA_DIR to the directory of the server, or SLUICE_DATABASE_URL.`)
  // Without a server of its own it is about to end.
  if (!isHeld(join(dataDir, 'lock'))) return null
  // PostgreSQL's own file: its process, directory, start, port, socket directory, address, memory, and whether it is ready.
  const [, , , port, sockets, , , state] = linesOf(join(home, 'data', 'postmaster.pid'))
  return state?.trim() === 'ready' ? urlOf(home, sockets?.trim() || null, Number(port)) : null
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return []
  }
}
