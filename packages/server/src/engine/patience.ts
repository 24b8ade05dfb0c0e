import { setTimeout as sleep } from 'node:timers/promises'
import { Outage } from '../store/database.ts'

const longestMs = 1_000

/**
 * Does it again while PostgreSQL is away, for as long as `goOn` says; then fails with the outage. For what is safe to repeat
 * when its answer was lost, as every write of the engine is.
 */
export async function patiently<T>(work: () => Promise<T>, goOn: () => boolean): Promise<T> {
  for (let wait = 50; ; wait = Math.min(wait * 2, longestMs)) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Outage) || !goOn()) throw error
      // Spread, so that all who wait do not come back at the same moment.
      await sleep(wait * (0.5 + Math.random()))
    }
  }
}
