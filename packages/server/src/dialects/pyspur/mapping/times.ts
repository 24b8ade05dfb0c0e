import { instants } from '@sluice/schema'

/** Times as PySpur's clients read and write them. PURE. */

/** `2026-01-31T12:00:00.000Z` without saying that it is UTC: six digits of a second, none when they are zero. */
export function naive(timestamp: string): string {
  const [seconds, fraction = ''] = timestamp.replace(/Z$/, '').split('.')
  const digits = fraction.slice(0, 6).padEnd(6, '0')
  return digits === '000000' ? seconds! : `${seconds}.${digits}`
}

export const naiveOrNull = (timestamp: string | null): string | null => (timestamp === null ? null : naive(timestamp))

/** The same, saying it. */
export const zulu = (timestamp: string): string => `${naive(timestamp)}Z`

export const zuluOrNull = (timestamp: string | null): string | null => (timestamp === null ? null : zulu(timestamp))

/** `20260131_120000` */
export const compact = (timestamp: string): string => timestamp.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_')

const said = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?$/i

/** The instant that a client says as a date or as a time, UTC unless it names a zone; null where it says none. */
export function instantOf(text: string): string | null {
  const [, date, time = '00:00', zone = 'Z'] = said.exec(text.trim()) ?? []
  // JavaScript takes the 31st of February for the 3rd of March.
  if (date === undefined || !isDay(date)) return null
  const at = Date.parse(`${date}T${time}${zone.toUpperCase()}`)
  return at >= instants.first && at <= instants.last ? new Date(at).toISOString() : null
}

function isDay(date: string): boolean {
  const at = Date.parse(`${date}T00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(date)
}
