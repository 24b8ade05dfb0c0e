import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../store/database.ts'
import { countJobs, countTurns, moveTime, nextMoment } from '../store/throwaway.ts'
import { StillAtWorkError } from './errors.ts'
import { type MovedTime, type SkipOptions, type Span, msOf } from './time.ts'
import type { AtWork } from './stubs.ts'

export interface QuietParts {
  app: { catchUp(): Promise<void>; underWay(): number | null }
  database: Database
  time: MovedTime
  patienceMs: number
  atWork(): readonly AtWork[]
}

/**
 * Moves the time of a test. Nothing is skipped while something goes on, and what falls due in between is done one after the other, each at
 * its moment: what a step sees of the time is what it would have seen.
 */
export interface Quiet {
  /** Answers when nothing goes on any more: all runs wait, or have ended. Throws StillAtWorkError. */
  settle(options?: SkipOptions): Promise<void>
  skip(span: Span, options?: SkipOptions): Promise<void>
  /** To the next moment at which something is due; false when nothing is. */
  step(): Promise<boolean>
  /** What `look` finds, as soon as it does; null where it finds nothing, and nothing goes on any more, or will in a moment. */
  awaited<T>(look: () => Promise<T | null>): Promise<T | null>
}

const longestLookMs = 20
/** What comes by itself within this time is waited for. */
const soonMs = 1_000

export function createQuiet({ app, database, time, patienceMs, atWork }: QuietParts): Quiet {
  /** Whether nothing goes on, but attempts that may. */
  async function isQuiet({ whileWorking = false }: SkipOptions): Promise<boolean> {
    await app.catchUp()
    const due = await nextMoment(database)
    if (due !== null && due <= time.now()) return false
    const { open, taken } = await countJobs(database)
    const underWay = app.underWay()
    if (open > 0 || underWay === null) return false
    // Of an attempt that is at work its time-out is waited for; of one that is only on its way there, or back, it is not.
    return whileWorking ? underWay === time.waiting && (taken === 0) === (underWay === 0) : underWay + taken === 0
  }

  async function settle(options: SkipOptions = {}): Promise<void> {
    const end = performance.now() + patienceMs
    for (let ms = 1; !(await isQuiet(options)); ms = Math.min(ms * 2, longestLookMs)) {
      if (performance.now() > end) throw new StillAtWorkError(atWork(), patienceMs)
      await sleep(ms)
    }
  }

  async function leapTo(at: number): Promise<void> {
    const by = Math.ceil(at - time.now())
    if (by <= 0) return
    time.leap(by)
    await moveTime(database, time.ahead)
  }

  const next = async ({ whileWorking = false }: SkipOptions = {}): Promise<number | null> => {
    const moments = [await nextMoment(database), whileWorking ? time.next() : null].filter((moment) => moment !== null)
    return moments.length === 0 ? null : Math.min(...moments)
  }

  return {
    settle,
    async skip(span, options = {}) {
      const ms = msOf(span)
      // What has just begun to wait for as long as is skipped has waited for it then.
      await settle(options)
      const until = time.now() + ms
      for (;;) {
        const moment = await next(options)
        if (moment === null || moment > until) break
        await leapTo(moment)
        await settle(options)
      }
      await leapTo(until)
      await settle(options)
    },
    async awaited(look) {
      for (;;) {
        const early = await look()
        if (early !== null) return early
        await settle()
        const turns = await countTurns(database)
        const moment = await next()
        const found = await look()
        if (found !== null) return found
        if (moment !== null && moment - time.now() <= soonMs) await sleep(Math.max(0, moment - time.now()))
        else {
          await settle()
          // What came by itself while we looked may have brought it.
          if ((await countTurns(database)) === turns) return null
        }
      }
    },
    async step() {
      await settle()
      const moment = await next()
      if (moment === null) return false
      await leapTo(moment)
      await settle()
      return true
    },
  }
}
