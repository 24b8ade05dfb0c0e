import { Fault, type Issue } from '@sluice/schema'
import { Cron } from 'croner'

/**
 * When a schedule is due. All times are milliseconds since 1970; one rhythm has one set of moments, whatever it is asked from.
 *
 * T1. A cron is read in its time zone, to the second. Of an expression that names its times of day (no `*` and no step in hour,
 *     minute and second) each time that clocks pass over, when they are put forward, is due at the first moment after the gap, and
 *     each that they show twice, when they are put back, is due the first time alone: once a day stays once a day.
 * T2. Of any other expression, as of one for every quarter of an hour, what clocks pass over is not due, and what they show twice is due twice: its moments
 *     stay as far from each other as they always are.
 * T3. An interval is counted from its anchor on, whatever clocks show.
 */
export interface Rhythm {
  cron: string | null
  everyMs: number | null
  /** Of the cron. */
  timeZone: string
  /** Of an interval. */
  anchor: number
  /** The first and the last instant that may be a moment. */
  startsAt: number | null
  endsAt: number | null
}

export interface Moments {
  /** The first after an instant; null: there is none. */
  after(at: number): number | null
  /** Of `first`, which is a moment, and those that follow it the last that is not after an instant. */
  lastUpTo(first: number, at: number): number
  /** Of the moments from one to another, both among them, how many there are; `most` when there are more. */
  count(first: number, last: number, most: number): number
}

/** Throws for what `rhythmIssues` finds. */
export function momentsOf(rhythm: Rhythm): Moments {
  const { startsAt, endsAt } = rhythm
  const follow = rhythm.cron === null ? interval(rhythm.anchor, rhythm.everyMs!) : cronology(rhythm.cron, rhythm.timeZone)

  function after(at: number): number | null {
    const next = follow(startsAt === null ? at : Math.max(at, startsAt - 1))
    return next === null || (endsAt !== null && next > endsAt) ? null : next
  }

  function lastUpTo(first: number, at: number): number {
    // Looks back further and further, so that what it walks through is little, however long ago the first was.
    for (let span = 60_000; at - span > first; span *= 8) {
      const found = after(at - span)
      if (found !== null && found <= at) return walk(found, at)
    }
    return walk(first, at)
  }

  function walk(from: number, at: number): number {
    let last = from
    for (let next = after(last); next !== null && next <= at; next = after(last)) last = next
    return last
  }

  return {
    after,
    lastUpTo,
    count(first, last, most) {
      let count = 1
      for (let next = after(first); next !== null && next <= last && count < most; next = after(next)) count++
      return count
    },
  }
}

const interval =
  (anchor: number, everyMs: number) =>
  (at: number): number =>
    anchor + Math.max(0, Math.floor((at - anchor) / everyMs) + 1) * everyMs

function cronology(text: string, timeZone: string): (at: number) => number | null {
  const cron = parsed(text, timeZone)
  // Zones have no rules before: what is asked from there begins with 1970.
  return (at) => cron.nextRun(new Date(Math.max(at, 0)))?.getTime() ?? null
}

const parsed = (text: string, timeZone: string): Cron => new Cron(text.trim(), { timezone: timeZone, paused: true, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' })

const names = /^@(?:yearly|annually|monthly|weekly|daily|hourly)$/i

/** What is wrong with what a caller says of a rhythm. */
export function rhythmIssues({ cron, everyMs, timeZone }: Pick<Rhythm, 'cron' | 'everyMs' | 'timeZone'>): Issue[] {
  if (cron === null && everyMs === null) return [{ path: ['cron'], message: 'Say when: give `cron` or `everyMs`' }]
  if (cron !== null && everyMs !== null) return [{ path: ['everyMs'], message: 'Give `cron` or `everyMs`, not both' }]
  if (!isZone(timeZone)) return [{ path: ['timeZone'], message: 'There is no such time zone: expected a name of the IANA, as Europe/Berlin' }]
  if (cron === null) return []
  const problem = cronProblem(cron, timeZone)
  return problem === null ? [] : [{ path: ['cron'], message: problem }]
}

/** A name, and no offset: it would know nothing of summer. */
function isZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

function cronProblem(text: string, timeZone: string): string | null {
  const fields = text.trim().split(/\s+/).length
  // It would take a date for an expression, too.
  if (fields !== 5 && fields !== 6 && !names.test(text.trim())) return `expected five fields, or six with seconds before them, and not ${fields}`
  try {
    return parsed(text, timeZone).nextRun(new Date(0)) === null ? 'It never comes: there is no such day' : null
  } catch (error) {
    return error instanceof TypeError || error instanceof RangeError ? error.message.replace(/^CronPattern: /, '') : 'It is no cron expression'
  }
}

/** The rhythm that is meant, or a Fault that says what is wrong with it. */
export function checked(rhythm: Rhythm): Moments {
  const issues = rhythmIssues(rhythm)
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
  const moments = momentsOf(rhythm)
  if (rhythm.endsAt !== null && moments.after(rhythm.startsAt === null ? 0 : rhythm.startsAt - 1) === null)
    throw new Fault('input_invalid', { issues: [{ path: ['endsAt'], message: 'It ends before its first moment' }] })
  return moments
}
