import { spawnSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { searchPath } from './binaries.ts'

/**
 * What tells a living process from a later one that got the same number: the boot and the moment it started. Null when
 * there is no such process, or only a zombie that nobody has buried yet.
 */
export function processMark(pid: number): string | null {
  if (!Number.isInteger(pid) || pid <= 0) return null
  if (process.platform !== 'linux') return markFromPs(pid)
  const stat = contentOf(`/proc/${pid}/stat`)
  // The second field is the name in brackets and may hold spaces and brackets itself: count from the last one.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (!fields || isZombie(fields[0])) return null
  return `${contentOf('/proc/sys/kernel/random/boot_id')?.trim() ?? ''}:${fields[19]}`
}

function markFromPs(pid: number): string | null {
  const line = ps(pid, 'stat=,lstart=')
  const [state, ...started] = line.split(/\s+/)
  return !state || isZombie(state) ? null : started.join(' ')
}

const isZombie = (state: string | undefined): boolean => state === undefined || /^[ZX]/.test(state)

const ps = (pid: number, columns: string): string =>
  spawnSync('ps', ['-o', columns, '-p', String(pid)], { encoding: 'utf8', env: { PATH: searchPath, LC_ALL: 'C' } }).stdout?.trim() ?? ''

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** Whether the process works on this directory of PostgreSQL: its server enters the directory and names it on its command line. */
export function worksOn(pid: number, directory: string): boolean {
  if (process.platform !== 'linux') return ps(pid, 'command=').includes(directory)
  try {
    if (readlinkSync(`/proc/${pid}/cwd`) === directory) return true
  } catch {
    // Not ours to look into: its command line is.
  }
  return contentOf(`/proc/${pid}/cmdline`)?.split('\0').includes(directory) ?? false
}

/** Sends the signal; false when there is nobody to get it. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false
  }
}

/** Waits until `done`, looking every `everyMs`; false when the time is up first. */
export async function until(done: () => boolean, withinMs: number, everyMs = 10): Promise<boolean> {
  const end = performance.now() + withinMs
  while (!done()) {
    if (performance.now() >= end) return false
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  return true
}
