import type { Json } from '@sluice/schema'

const form = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)? ?(Z|UTC|[+-]\d\d:?\d\d)?$/i

/** ISO 8601 with milliseconds, of a date, a time with or without its zone (UTC), or seconds since 1970. Undefined: it is none of these, or no such day. */
export function instantOf(value: Json): string | undefined {
  if (typeof value === 'number') return isoOf(value * 1_000)
  const [, year, month, day, hours = '0', minutes = '0', seconds = '0', fraction = '', zone = 'Z'] = (typeof value === 'string' && form.exec(value.trim())) || []
  if (year === undefined) return undefined
  const parts = [Number(year), Number(month) - 1, Number(day), Number(hours), Number(minutes), Number(seconds), Number(fraction.padEnd(3, '0').slice(0, 3))] as const
  const ms = Date.UTC(...parts)
  const made = new Date(ms)
  const isThere = made.getUTCMonth() === parts[1] && made.getUTCDate() === parts[2] && made.getUTCHours() === parts[3] && made.getUTCMinutes() === parts[4]
  return isThere && parts[5] < 60 && parts[0] >= 100 ? isoOf(ms - offsetMs(zone)) : undefined
}

/** Of the years that have four digits, which their texts sort by. */
const isoOf = (ms: number): string | undefined => (Math.abs(ms) <= 8.64e15 && /^\d{4}-/.test(new Date(ms).toISOString()) ? new Date(ms).toISOString() : undefined)

function offsetMs(zone: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? []
  return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}
