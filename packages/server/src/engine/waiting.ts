import type { Wait } from '@sluice/schema'
import type { Doorbell } from '../events/doorbell.ts'
import type { Database } from '../store/database.ts'
import { movingBelow, type RunStanding, runStanding } from '../store/rows/runs.ts'
import { type RunState, isTerminal } from './state.ts'

export type Until = Wait['until']

/** Resolves when the run is as asked, or the time is up: woken by the run's events, never by polling alone. */
export type WaitFor = (runId: string, until: Until, ms: number, signal?: AbortSignal) => Promise<void>

const isThere = (standing: RunStanding, until: Until): boolean => standing.ended || (until === 'parked' && standing.parked) || (until === 'paused' && standing.paused)

export interface Waiting {
  waitFor: WaitFor
  /** Told by the worker of this process how a run of its own stands. */
  note(state: RunState): void
}

/** A ring may be lost with its connection: look again after this long all the same. */
const netMs = 2_000

/** `holds`: whether the worker of this process has the run. Then it tells, and nobody asks the database. */
export function createWaiting(parts: { database: Database; doorbell: Doorbell; holds(runId: string): boolean }): Waiting {
  const { database, doorbell, holds } = parts
  const waiters = new Map<string, Set<(standing: RunStanding) => void>>()

  function listen(runId: string, listener: (standing: RunStanding) => void): () => void {
    const all = waiters.get(runId) ?? new Set()
    waiters.set(runId, all)
    all.add(listener)
    return () => {
      all.delete(listener)
      if (all.size === 0) waiters.delete(runId)
    }
  }

  return {
    note(state) {
      const all = waiters.get(state.run.id)
      if (!all) return
      const standing = { ended: isTerminal(state.run.status), parked: isAtRest(state), paused: isPaused(state), childbound: isChildbound(state) }
      for (const tell of all) tell(standing)
    },
    async waitFor(runId, until, ms, signal) {
      if (until === 'accepted' || ms === 0) return
      // Not by the clock, which may be set back.
      const end = performance.now() + ms
      let noted: RunStanding | undefined
      let rung = true
      let wake = () => {}
      const offNote = listen(runId, (standing) => {
        noted = standing
        wake()
      })
      const offBell = doorbell.on(`run:${runId}`, () => {
        rung = true
        if (!holds(runId)) wake()
      })
      // One that waits for a child has come to rest when that has.
      const offChildren = new Map<string, () => void>()
      const ring = (): void => {
        rung = true
        wake()
      }
      const childMoves = async (): Promise<boolean> => {
        for (;;) {
          const moving = await movingBelow(database, runId)
          const unheard = moving.filter(({ id }) => !offChildren.has(id))
          for (const { id } of unheard) offChildren.set(id, doorbell.on(`run:${id}`, ring))
          // What one did before it was listened to was not heard: it is looked at once more.
          if (unheard.length === 0) return moving.length > 0
        }
      }
      try {
        for (;;) {
          // Of one that has come to rest with something under way still, its worker says nothing more until that is done.
          if (!noted && rung && (until !== 'finished' || !holds(runId))) {
            rung = false
            const standing = await runStanding(database, runId)
            if (!standing) return
            noted ??= standing
          }
          if (noted && isThere(noted, until) && !(until === 'parked' && noted.childbound && (await childMoves()))) return
          noted = undefined
          const left = end - performance.now()
          if (left <= 0 || signal?.aborted) return
          if (rung && !holds(runId)) continue
          await new Promise<void>((resolve) => {
            const timer = setTimeout(
              () => {
                rung = true
                resolve()
              },
              Math.min(left, netMs),
            )
            wake = () => {
              clearTimeout(timer)
              resolve()
            }
            signal?.addEventListener('abort', wake, { once: true })
          })
        }
      } finally {
        offNote()
        offBell()
        for (const off of offChildren.values()) off()
      }
    },
  }
}

const isAtRest = ({ run, waits, steps, flight }: RunState): boolean =>
  run.status === 'waiting' ||
  run.heldAt !== null ||
  (run.status === 'compensating' ? waits.size > 0 && flight.size === 0 : [...waits].some((key) => steps.get(key)?.state === 'retrying'))

const isChildbound = ({ run, waits, steps }: RunState): boolean =>
  run.status === 'waiting' && run.heldAt === null && [...waits].every((key) => steps.get(key)?.waitingFor?.kind === 'child')

/** A hold, or nothing but pauses: what is under way, and what comes by itself (a retry, a timer, a child, a report) is waited for. */
const isPaused = ({ run, waits, steps }: RunState): boolean =>
  run.heldAt !== null || (run.status === 'waiting' && run.waitingKind === 'pause' && [...waits].every((key) => steps.get(key)?.waitingFor?.kind === 'pause'))
