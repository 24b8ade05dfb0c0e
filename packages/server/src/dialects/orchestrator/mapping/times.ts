import { Id, instants } from '@sluice/schema'

/** Times as the Orchestrator's clients read and write them. PURE. */

/** `2026-01-31T12:00:00.120Z` with six digits of a second, and none when they are zero. */
export const zulu = (timestamp: string): string => `${digits(timestamp)}Z`

export const zuluOrNull = (timestamp: string | null): string | null => timestamp && zulu(timestamp)

/** The same with the zone in digits. */
export const offset = (timestamp: string): string => `${digits(timestamp)}+00:00`

function digits(timestamp: string): string {
  const [seconds, fraction = ''] = timestamp.replace(/Z$/, '').split('.')
  const six = fraction.slice(0, 6).padEnd(6, '0')
  return six === '000000' ? seconds! : `${seconds}.${six}`
}

const said = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?$/i

/** The instant that a client says, UTC unless it names a zone; null where it says none. */
export function instantOf(text: string): string | null {
  const [, date, time, zone = 'Z'] = said.exec(text.trim()) ?? []
  // JavaScript takes the 31st of February for the 3rd of March.
  if (date === undefined || !isDay(date)) return null
  const at = Date.parse(`${date}T${time}${zone.toUpperCase()}`)
  return at >= instants.first && at <= instants.last ? new Date(at).toISOString() : null
}

function isDay(date: string): boolean {
  const at = Date.parse(`${date}T00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(date)
}

/** Ids are drawn a little after the time that a change is said to be of. */
const slackMs = 60_000

/**
 * When what has this id was made: ids of ours begin with the milliseconds of it. One that somebody made up, or that is older than
 * what it is part of, as in a copy, tells nothing: it was made with that.
 */
export function madeAt(id: string, { from, to }: { from: string; to: string }): string {
  const at = Id.safeParse(id).success ? Number.parseInt(id.slice(0, 9), 36) : Number.NaN
  return at >= Date.parse(from) && at <= Date.parse(to) + slackMs ? new Date(at).toISOString() : from
}
