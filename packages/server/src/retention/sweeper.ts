import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, Outage } from '../store/database.ts'
import { takeTurn } from '../store/rows/retention.ts'
import type { Log } from '../telemetry.ts'
import { type Chore, chores } from './chores.ts'
import type { Periods } from './periods.ts'

/**
 * Takes away what was kept for as long as it is to be. Every server with workers has one; a batch is a short transaction
 * under one lock for all of them, so that they take turns and none is in another's way.
 */
export interface Sweeper {
  start(): void
  /** One round: every chore until nothing of it is due. */
  sweep(now?: Date): Promise<Round>
  /** Answers when the batch under way has ended. */
  stop(): Promise<void>
}

export interface Round {
  /** How many rows were met, by chore. */
  swept: Record<string, number>
  /** False: another server was at it, or this one leaves; what is left, the next round finds. */
  whole: boolean
}

const roundMs = 60_000
/** Between two batches: others want the disk, too. */
const restMs = 20

export function createSweeper({ database, periods, log }: { database: Database; periods: Periods; log: Log }): Sweeper {
  const stopping = new AbortController()
  let rounds: Promise<void> | null = null

  /** Null: another server is at it. */
  const batch = ({ batch: work }: Chore, before: Date, size: number): Promise<number | null> =>
    database.transaction(async (tx) => ((await takeTurn(tx)) ? work(tx, before, size) : null))

  /** False: another server is at it, or this one leaves. What is too much for the time that a statement has is done in smaller pieces. */
  async function finish(chore: Chore, before: Date, swept: Round['swept']): Promise<boolean> {
    let { size } = chore
    while (!stopping.signal.aborted) {
      const met = await batch(chore, before, size).catch((error: unknown) => {
        if (!(error instanceof Outage) || size === 1) throw error
        return 'too much' as const
      })
      if (met === 'too much') {
        size = Math.ceil(size / 8)
        continue
      }
      if (met === null) return false
      if (met > 0) swept[chore.name] = (swept[chore.name] ?? 0) + met
      if (met < size) return true
      await sleep(restMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
    return false
  }

  async function sweep(now = new Date()): Promise<Round> {
    const swept: Round['swept'] = {}
    let whole = true
    for (const chore of chores) {
      const keeps = chore.keeps(periods)
      if (keeps === null) continue
      try {
        whole = await finish(chore, new Date(now.getTime() - keeps), swept)
        if (!whole) break
      } catch (error) {
        // One that fails keeps none of the others from being done; it is tried again in the next round.
        if (error instanceof Outage) log.debug({ err: error, chore: chore.name }, 'retention met an outage')
        else log.error({ err: error, chore: chore.name }, 'retention stumbled')
      }
    }
    if (Object.keys(swept).length > 0) log.debug({ swept }, 'What had been kept for long enough is gone')
    return { swept, whole }
  }

  async function go(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sweep()
      // Servers that were started together do not look together for ever.
      await sleep(roundMs * (0.75 + Math.random() / 2), undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  return {
    start: () => void (rounds ??= go()),
    sweep,
    async stop() {
      stopping.abort()
      await rounds
    },
  }
}
