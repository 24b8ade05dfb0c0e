import { setTimeout as sleep } from 'node:timers/promises'
import type { Doorbell } from '../events/doorbell.ts'
import { type Database, Outage } from '../store/database.ts'
import { jobless, unservedRuns } from '../store/rows/runs.ts'
import { type TimerRecord, clearTimersOf, nextTimer, takeDueTimers } from '../store/rows/timers.ts'
import type { Refereed, Time } from '../store/time.ts'
import type { Log } from '../telemetry.ts'
import type { Door } from './door.ts'
import type { Happening } from './happening.ts'
import type { Queue } from './queue.ts'
import { isTerminal } from './state.ts'
import type { TimerKind } from './turn.ts'

export interface Clock {
  start(): void
  /** Told of a timer set here, that it is not found late: looks again when it is due, if that is before the next look. */
  expect(dueAt: number): void
  /** Looks now; answers when nothing is due any more, and what was has happened to its runs. */
  look(): Promise<void>
  stop(): Promise<void>
}

const mostTimers = 200
const longestLookMs = 500
const netMs = 15_000
/** Between two casts that were rung for. */
const firstNetMs = 250

/** Turns due timers into happenings; and, now and then, casts the nets for what nobody looks after. */
export function createClock(parts: {
  database: Database
  door: Door
  queue: Queue
  doorbell: Doorbell
  time: Time
  heard: Refereed['heard']
  log: Log
  serves(name: string): boolean
}): Clock {
  const { database, door, queue, doorbell, time, heard, log, serves } = parts
  const stopping = new AbortController()
  const loops: Promise<void>[] = []
  /** The earliest timer told of since the last look. */
  let expected = Infinity
  let wake = (): void => {}
  /** Who waits for a look that finds nothing due. */
  const asking: (() => void)[] = []

  async function strike(): Promise<number> {
    expected = Infinity
    const asked = Date.now()
    const { now, ms: next } = await nextTimer(database)
    heard(now, asked)
    if (next === null || next > 0) return Math.min(Math.max(next ?? longestLookMs, 1), longestLookMs)
    const due = await takeDueTimers(database, mostTimers)
    const byRun = Map.groupBy(due, (timer) => timer.run_id)
    // A few at a time: each takes a connection.
    const runs = [...byRun]
    for (let next = 0; next < runs.length; next += 8) await Promise.all(runs.slice(next, next + 8).map(([id, timers]) => pass(id, timers)))
    // Those that another process has taken are due in a moment still.
    return due.length > 0 ? 0 : longestLookMs
  }

  async function pass(id: string, timers: readonly TimerRecord[]): Promise<void> {
    const happenings = timers.map((timer): Happening => ({ is: 'due', nodeId: timer.node_id, iteration: timer.iteration, timer: timer.kind as TimerKind }))
    try {
      const { state } = await door.pass(id, null, () => happenings)
      // To a run that has ended nothing happens any more: not even that its timers go.
      if (isTerminal(state.run.status)) await clearTimersOf(database, [id])
    } catch (error) {
      if (!(error instanceof Outage)) log.error({ err: error, runId: id }, 'a timer could not be served')
    }
  }

  async function cast(): Promise<number> {
    // What another server lacked is for one that has it: those that lack it too leave it alone.
    const lost = [...(await unservedRuns(database, serves, 500)), ...(await jobless(database, 500))].map((row) => row.id)
    if (lost.length > 0) {
      await database.transaction((tx) => queue.insert(tx, lost))
      doorbell.ring({ jobs: true })
    }
    return netMs
  }

  async function guarded(what: () => Promise<number>, otherwiseMs: number): Promise<number> {
    return what().catch((error: unknown) => {
      if (!(error instanceof Outage)) log.error({ err: error }, 'the clock stumbled')
      return otherwiseMs
    })
  }

  async function strikes(): Promise<void> {
    while (!stopping.signal.aborted) {
      const answered = asking.splice(0)
      const restMs = await guarded(strike, longestLookMs)
      const next = time.now() + restMs
      if (restMs > 0) for (const answer of answered) answer()
      else asking.unshift(...answered)
      // Waits until the next look is due: a timer told of meanwhile may bring it forward.
      for (let left = 1; left > 0 && asking.length === 0 && !stopping.signal.aborted;) {
        left = Math.min(next, expected) - time.now()
        // More than it was to begin with: the clock was set back, and does not tell how long this has rested.
        if (left > restMs + 1) break
        if (left > 0) await rest(left)
      }
    }
    for (const answer of asking.splice(0)) answer()
  }

  function rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Where a server had to leave a run to others, these look at once; again and again only at longer and longer intervals, since it may be the one that takes it again. */
  async function casts(): Promise<void> {
    let soonestMs = firstNetMs
    while (!stopping.signal.aborted) {
      const rung = new AbortController()
      const off = doorbell.on('unserved', () => rung.abort())
      const restMs = await guarded(cast, netMs)
      const signal = AbortSignal.any([stopping.signal, rung.signal])
      await sleep(soonestMs, undefined, { signal: stopping.signal }).catch(() => {})
      await sleep(restMs - soonestMs, undefined, { signal }).catch(() => {})
      off()
      soonestMs = rung.signal.aborted ? Math.min(soonestMs * 2, netMs) : firstNetMs
    }
  }

  return {
    start() {
      loops.push(strikes(), casts())
    },
    expect(dueAt) {
      if (dueAt >= expected) return
      expected = dueAt
      wake()
    },
    look() {
      if (stopping.signal.aborted || loops.length === 0) return Promise.resolve()
      return new Promise((resolve) => {
        asking.push(resolve)
        wake()
      })
    },
    async stop() {
      stopping.abort()
      wake()
      await Promise.all(loops)
    },
  }
}
