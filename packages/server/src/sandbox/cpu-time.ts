import { readFileSync } from 'node:fs'

// Linux counts in hundredths of a second towards programs, whatever the kernel does inside.
const msPerTick = 10

/** The CPU time a process has used so far, in ms; null where the system does not tell (Linux does). */
export function cpuMsOf(pid: number | undefined): number | null {
  if (pid === undefined || process.platform !== 'linux') return null
  try {
    // The name in parentheses may hold anything; user and system time are the 12th and 13th field after the last one.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')
    const ticks = Number(fields[11]) + Number(fields[12])
    return Number.isFinite(ticks) ? ticks * msPerTick : null
  } catch {
    return null
  }
}
