import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { StartRefused } from '../store/refused.ts'
import { processMark } from './processes.ts'

/** Who works on a data directory, as the lock names it. */
interface Holder {
  pid: number
  /** See `processMark`: a later process with the same number is not the holder. */
  mark: string | null
  /** Where its server listens. */
  address: string
}

/**
 * One server a data directory. A lock whose holder is dead is taken over. Throws StartRefused naming a living holder.
 * Between two servers that take over at the same moment the renaming decides; PostgreSQL's own lock stands behind this one.
 */
export function takeLock(path: string, directory: string, address: string): { release(): void } {
  const mine: Holder = { pid: process.pid, mark: processMark(process.pid), address }
  const text = JSON.stringify(mine)
  for (let tries = 0; !claim(path, text); tries++) {
    const found = contentOf(path)
    const holder = found === null ? null : holderIn(found)
    if (found !== null && holder && isAlive(holder)) throw inUse(directory, holder)
    if (tries === 10) throw new StartRefused(`The lock ${path} cannot be taken. Remove the file when no Sluice runs on ${directory}.`)
    if (found !== null) setAside(path, found)
  }
  return {
    release() {
      if (contentOf(path) === text) rmSync(path, { force: true })
    },
  }
}

/** Whether a living process holds the lock. */
export function isHeld(path: string): boolean {
  const holder = holderIn(contentOf(path) ?? '')
  return holder !== null && isAlive(holder)
}

const inUse = (directory: string, holder: Holder): StartRefused =>
  new StartRefused(`The data directory ${directory} is in use by process ${holder.pid} (${holder.address}). Stop that process, or set SLUICE_DATA_DIR to another directory.`)

/** Written whole under another name and linked into place: nobody ever reads half a lock. */
function claim(path: string, text: string): boolean {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600 })
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Takes a dead holder's lock away. If another process was faster and this is its new lock, it goes back. */
function setAside(path: string, dead: string): void {
  const aside = `${path}.${process.pid}.old`
  try {
    renameSync(path, aside)
    if (contentOf(aside) !== dead) linkSync(aside, path)
  } catch {
    // Gone, or put back by its owner: the next try tells.
  } finally {
    rmSync(aside, { force: true })
  }
}

const isAlive = ({ pid, mark }: Holder): boolean => {
  const now = processMark(pid)
  return now !== null && (mark === null || mark === now)
}

function holderIn(text: string): Holder | null {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null
    return typeof value?.pid === 'number' ? { pid: value.pid, mark: value.mark ?? null, address: value.address ?? 'address unknown' } : null
  } catch {
    return null
  }
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
