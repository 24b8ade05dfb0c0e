import { idMaker } from '../store/ids.ts'
import type { Time } from '../store/time.ts'

/** A length of time; what is given adds up. A number is milliseconds. */
export type Span = number | { days?: number; hours?: number; minutes?: number; seconds?: number; ms?: number }

export interface SkipOptions {
  /** Skips although steps are at work, so that their time-outs come. They are waited for unless set. */
  whileWorking?: boolean
}

const lengths = { days: 86_400_000, hours: 3_600_000, minutes: 60_000, seconds: 1_000, ms: 1 }

/** Throws RangeError for what is no length of time, or goes back. */
export function msOf(span: Span): number {
  const given = typeof span === 'number' ? { ms: span } : span
  const ms = Object.entries(given).reduce((sum, [unit, count]) => sum + (Object.hasOwn(lengths, unit) ? lengths[unit as keyof typeof lengths] : Number.NaN) * (count ?? 0), 0)
  if (!Number.isFinite(ms) || ms < 0) throw new RangeError(`Time is skipped by { days, hours, minutes, seconds, ms }, and only forwards: ${JSON.stringify(span)}`)
  return Math.ceil(ms)
}

/** A time that goes on by itself, and by leaps. */
export interface MovedTime extends Time {
  /** Milliseconds that it is ahead of the process. */
  readonly ahead: number
  /** When the next thing is to happen that was asked for by `after`; null when there is none. */
  next(): number | null
  /** What was asked for by `after` and has not happened. */
  readonly waiting: number
  /** Leaps; what is due then happens, in its order. */
  leap(ms: number): void
}

interface Alarm {
  dueAt: number
  ring(): void
}

/** A timer of Node's that is set for longer goes off at once. */
const longestMs = 2_147_483_647

export function movedTime(startsAt: number | null): MovedTime {
  let ahead = startsAt === null ? 0 : startsAt - Date.now()
  const alarms = new Set<Alarm>()
  const now = (): number => Date.now() + ahead
  return {
    now,
    newId: idMaker(now),
    after(ms, work) {
      const timer = setTimeout(() => alarm.ring(), Math.min(ms, longestMs))
      const callOff = (): void => {
        alarms.delete(alarm)
        clearTimeout(timer)
      }
      const alarm: Alarm = {
        dueAt: now() + ms,
        ring() {
          callOff()
          work()
        },
      }
      alarms.add(alarm)
      return callOff
    },
    get ahead() {
      return ahead
    },
    next: () => (alarms.size === 0 ? null : Math.min(...[...alarms].map(({ dueAt }) => dueAt))),
    get waiting() {
      return alarms.size
    },
    leap(ms) {
      ahead += ms
      const due = [...alarms].filter(({ dueAt }) => dueAt <= now())
      for (const alarm of due.sort((one, other) => one.dueAt - other.dueAt)) alarm.ring()
    },
  }
}
