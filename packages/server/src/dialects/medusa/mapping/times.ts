import { instants } from '@sluice/schema'

/** Times as Medusa's clients read and send them: of the resource in ISO 8601, of steps in milliseconds since 1970. PURE. */

export const milliseconds = (timestamp: string): number => Date.parse(timestamp)

const said = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s?(Z|[+-]\d\d:?\d\d)?)?$/i

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
