import { readFileSync, readdirSync } from 'node:fs'

/** Milliseconds of a tick in /proc: 100 a second on every Linux that Node runs on. */
const tickMs = 10

/** CPU milliseconds of a process and of its children, those that have ended too. */
export function cpuOfFamily(pid: number): number {
  const own = timesOf(pid)
  const living = childrenOf(pid).map(timesOf)
  return tickMs * (own.self + own.ended + living.reduce((sum, { self }) => sum + self, 0))
}

/** CPU milliseconds of a process alone. */
export const cpuOfProcess = (pid: number): number => tickMs * timesOf(pid).self

/** CPU milliseconds of our own threads by name: `main`, and `V8Worker`, `libuv-worker` and so on. */
export function cpuOfThreads(): Map<string, number> {
  const threads = new Map<string, number>()
  for (const id of readdirSync('/proc/self/task')) {
    const name = Number(id) === process.pid ? 'main' : contentOf(`/proc/self/task/${id}/comm`).trim()
    threads.set(name, (threads.get(name) ?? 0) + tickMs * timesOf(`self/task/${id}`).self)
  }
  return threads
}

/** Bytes of a process alone that are in memory (RSS). */
export const memoryOfProcess = (pid: number): number => 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(contentOf(`/proc/${pid}/status`))?.[1] ?? 0)

/** Bytes of a process and its children; what they have in common is counted once. */
export const memoryOfFamily = (pid: number): number => [pid, ...childrenOf(pid)].reduce((sum, each) => sum + proportional(each), 0)

/** In ticks. One that has ended meanwhile is among what its parent counts. */
function timesOf(pid: number | string): { self: number; ended: number } {
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fieldsOf(pid).slice(11, 15).map(Number)
  return { self: user + system, ended: endedUser + endedSystem }
}

/** State, parent and so on: the name before them stands in brackets and may hold spaces. */
function fieldsOf(pid: number | string): string[] {
  const stat = contentOf(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

export function childrenOf(pid: number): number[] {
  const processes = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return processes.filter((each) => Number(fieldsOf(each)[1]) === pid)
}

const proportional = (pid: number): number => 1024 * Number(/^Pss:\s+(\d+)/m.exec(contentOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0)

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
