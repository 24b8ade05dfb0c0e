import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from './queue.ts'

/** A run whose worker died again before it came any further. */
export interface Suspect {
  job: Job
  /** How often that happened already. */
  deaths: number
}

/** How many are tried at a time: after two deaths, three, and more. */
const widths = [32, 4, 1]
/** How long those tried may take to come further before the next ones join them; longer where one is tried alone. */
const windowMs = 3_000
const aloneMs = 10_000

/**
 * A run that kills its worker takes its neighbours along, and all of them come back together: who is at fault cannot be seen.
 * So they are tried in turn, the least suspect first and fewer at a time the more often they died. The innocent come further
 * and are cleared; the one at fault ends up dying alone. A run that waits here for its turn has no part in a death.
 */
export function createProbation(parts: { begin(jobs: readonly Job[]): Promise<void>; isCleared(job: Job): boolean }) {
  const waiting: Suspect[] = []
  let trying = false

  const nextOnes = (): Suspect[] => {
    const least = Math.min(...waiting.map((each) => each.deaths))
    const width = widths[Math.min(least, widths.length) - 1]!
    const next = waiting.filter((each) => each.deaths === least).slice(0, width)
    for (const each of next) waiting.splice(waiting.indexOf(each), 1)
    return next
  }

  async function tryInTurn(): Promise<void> {
    while (waiting.length > 0) {
      const next = nextOnes()
      const jobs = next.map((each) => each.job)
      // Jobs whose claim fails fall silent, and come back.
      await parts.begin(jobs).catch(() => {})
      const end = performance.now() + (next[0]!.deaths >= widths.length ? aloneMs : windowMs)
      while (performance.now() < end && !jobs.every((job) => parts.isCleared(job))) await sleep(25)
    }
  }

  return {
    add(suspects: readonly Suspect[]): void {
      waiting.push(...suspects)
      if (trying || waiting.length === 0) return
      trying = true
      void tryInTurn().finally(() => (trying = false))
    },
    /** Those that still wait for their turn: it does not come any more. */
    stop: (): Job[] => waiting.splice(0).map((each) => each.job),
  }
}
