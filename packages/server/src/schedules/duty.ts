import type { MissedMoments } from '@sluice/schema'
import type { Moments } from './moments.ts'

/** A schedule whose time has come, as far as what is to be done hangs on it. */
export interface Due {
  /** The first moment that is not served yet. */
  next: number
  missed: MissedMoments
  /** Starts for this moment that were refused. */
  tries: number
}

/** What is to be done for a schedule. PURE. */
export interface Duty {
  /** The moment that a run is started for; null: none. */
  moment: number | null
  /** How many missed moments the run stands for, told up to `mostCounted`; 0: none, it is on time. */
  stands: number
  /** How many moments start none, whatever becomes of the run. */
  passed: number
  /** The first moment after all of these; null: that was the last. */
  following: number | null
}

/** Counting moments takes time, and who was away for long does not ask how many. */
export const mostCounted = 100

/**
 * A moment is missed when nobody came to serve it within `graceMs`. Then everything up to now is gathered by what the schedule
 * says of missed moments: all in their turn, one for all, or none, but for a last one that is still within the time.
 */
export function dutyOf({ next, missed, tries }: Due, moments: Moments, now: number, graceMs: number): Duty {
  const following = moments.after(next)
  // What was refused is tried until the next moment comes.
  if (tries > 0 && following !== null && following <= now) return plus(dutyOf({ next: following, missed, tries: 0 }, moments, now, graceMs))
  if (tries > 0 || missed === 'all' || now - next <= graceMs) return { moment: next, stands: now - next > graceMs && tries === 0 ? 1 : 0, passed: 0, following }
  const last = moments.lastUpTo(next, now)
  const count = moments.count(next, last, mostCounted)
  const rest = { following: moments.after(last) }
  if (missed === 'once') return { ...rest, moment: last, stands: count, passed: 0 }
  return now - last <= graceMs ? { ...rest, moment: last, stands: 0, passed: count - 1 } : { ...rest, moment: null, stands: 0, passed: count }
}

const plus = (duty: Duty): Duty => ({ ...duty, passed: duty.passed + 1 })
