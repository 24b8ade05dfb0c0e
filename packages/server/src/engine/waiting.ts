import type { Doorbell } from '../events/doorbell.ts'
import type { Database } from '../store/database.ts'
import { runStanding } from '../store/rows/runs.ts'

export type Until = 'accepted' | 'parked' | 'finished'

/** Resolves when the run is as asked, or the time is up: woken by the run's events, never by polling alone. */
export type WaitFor = (runId: string, until: Until, ms: number, signal?: AbortSignal) => Promise<void>

/** A ring may be lost with its connection: look again after this long all the same. */
const netMs = 2_000

export function createWaitFor(database: Database, doorbell: Doorbell): WaitFor {
  return async (runId, until, ms, signal) => {
    if (until === 'accepted' || ms === 0) return
    const end = Date.now() + ms
    let rung = false
    let wake = () => {}
    const off = doorbell.on(`run:${runId}`, () => {
      rung = true
      wake()
    })
    try {
      for (;;) {
        rung = false
        const standing = await runStanding(database, runId)
        if (!standing || standing.ended || (until === 'parked' && standing.parked)) return
        const left = end - Date.now()
        if (left <= 0 || signal?.aborted) return
        if (rung) continue
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(left, netMs))
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
          signal?.addEventListener('abort', wake, { once: true })
        })
      }
    } finally {
      off()
    }
  }
}
