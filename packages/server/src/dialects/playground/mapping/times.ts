/**
 * Times as the playground's clients read and send them: seconds since 1970, of which a double keeps every microsecond until the
 * year 2106. PURE.
 */

const perSecond = 1_000_000

/** The microseconds of `2026-01-31T12:00:00.000001Z`; of less than six digits the rest are zero. */
function microsecondsOf(timestamp: string): number {
  const [seconds, fraction = ''] = timestamp.replace(/Z$/, '').split('.')
  return Date.parse(`${seconds}Z`) * 1_000 + Number(fraction.padEnd(6, '0').slice(0, 6))
}

export const secondsOf = (timestamp: string): number => microsecondsOf(timestamp) / perSecond

export const secondsOrNull = (timestamp: string | null): number | null => (timestamp === null ? null : secondsOf(timestamp))

/** Beyond it, in the year 2255, a double does not keep microseconds. */
const exact = Number.MAX_SAFE_INTEGER / perSecond
/** After all there is. */
const never = '9999-12-31T23:59:59.999999Z'

/**
 * The last instant that a client would read as no later than these seconds: what comes after it is what the client has not seen.
 * Undefined: all of it is later.
 */
export function instantAt(seconds: number): string | undefined {
  if (seconds <= 0) return undefined
  if (seconds >= exact) return never
  const nearest = Math.round(seconds * perSecond)
  // What is rounded up is later than was said.
  return textOf(nearest / perSecond > seconds ? nearest - 1 : nearest)
}

const textOf = (microseconds: number): string => `${new Date(Math.floor(microseconds / 1_000)).toISOString().slice(0, -1)}${String(microseconds % 1_000).padStart(3, '0')}Z`
