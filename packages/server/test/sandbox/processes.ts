import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** The live children of a process (Linux). */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const stat = statOf(pid)
      return stat !== null && stat.parent === parent && stat.state !== 'Z'
    })
}

export const isAlive = (pid: number) => {
  const stat = statOf(pid)
  return stat !== null && stat.state !== 'Z'
}

/** Polls, for things that no one tells us of. */
export async function until(isSo: () => boolean, ms = 20_000): Promise<void> {
  const end = performance.now() + ms
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`not so after ${ms} ms: ${isSo.toString()}`)
    await sleep(25)
  }
}

function statOf(pid: number): { state: string; parent: number } | null {
  try {
    // The name in parentheses may hold anything; what follows the last one is fixed.
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return { state: state!, parent: Number(parent) }
  } catch {
    return null
  }
}
