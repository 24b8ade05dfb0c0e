/** Which comes first in `03/04/2026`. */
export type DayOrder = 'day' | 'month'

const time = String.raw`(?:,?[T\s]\s?(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?([AaPp][Mm])?\s?(Z|[-+]\d{2}:?\d{2})?)?`
const yearFirst = new RegExp(String.raw`^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})${time}$`)
const yearLast = new RegExp(String.raw`^(\d{1,2})([-/.])(\d{1,2})\2(\d{4})${time}$`)
const dayName = new RegExp(String.raw`^(\d{1,2})\.?[\s-]([A-Za-z]{3,9})\.?,?[\s-](\d{4})${time}$`)
const nameDay = new RegExp(String.raw`^([A-Za-z]{3,9})\.?\s(\d{1,2}),?\s(\d{4})${time}$`)

const months = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december']
const monthOf = (name: string): number => 1 + months.findIndex((month) => month === name.toLowerCase() || month.slice(0, 3) === name.toLowerCase())

/** Longer ones are no dates. */
const longest = 40

/** The date as `YYYY-MM-DD`, with a time `YYYY-MM-DDTHH:MM:SS[.fff]`, with a zone that as UTC with `Z`; null of what is none. Years have four digits. */
export function readDate(text: string, order: DayOrder): string | null {
  if (text.length > longest || text.length < 8) return null
  const trimmed = text.trim()
  const first = yearFirst.exec(trimmed)
  if (first) return isoOf(Number(first[1]), Number(first[3]), Number(first[4]), first.slice(5))
  const last = yearLast.exec(trimmed)
  if (last) {
    const [one, other] = [Number(last[1]), Number(last[3])]
    const [day, month] = order === 'day' ? [one, other] : [other, one]
    return isoOf(Number(last[4]), month, day, last.slice(5))
  }
  const named = dayName.exec(trimmed)
  if (named) return isoOf(Number(named[3]), monthOf(named[2]!), Number(named[1]), named.slice(4))
  const american = nameDay.exec(trimmed)
  return american ? isoOf(Number(american[3]), monthOf(american[1]!), Number(american[2]), american.slice(4)) : null
}

/** Which order a text is likely in where both would do: days come first before points and hyphens, months before slashes. */
export const usualOrder = (text: string): DayOrder => (text.includes('/') ? 'month' : 'day')

function isoOf(year: number, month: number, day: number, clock: readonly (string | undefined)[]): string | null {
  const [hours, minutes, seconds = '0', fraction = '', half, zone] = clock
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (year < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  if (hours === undefined) return date.toISOString().slice(0, 10)
  const hour = hourOf(Number(hours), half)
  if (hour === null || Number(minutes) > 59 || Number(seconds) > 59) return null
  date.setUTCHours(hour, Number(minutes), Number(seconds), Number(fraction.slice(0, 3).padEnd(3, '0')))
  if (zone !== undefined) return inUtc(date, zone)
  return shortened(date)
}

/** Of a clock of twelve hours, or of twenty-four. */
function hourOf(hours: number, half: string | undefined): number | null {
  if (half === undefined) return hours <= 23 ? hours : null
  if (hours < 1 || hours > 12) return null
  return (hours % 12) + (half.toLowerCase() === 'pm' ? 12 : 0)
}

function inUtc(date: Date, zone: string): string | null {
  const minutes = zone === 'Z' ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  const utc = new Date(date.getTime() - (zone.startsWith('-') ? -minutes : minutes) * 60_000)
  const year = utc.getUTCFullYear()
  return minutes > 14 * 60 || year < 1 || year > 9999 ? null : `${shortened(utc)}Z`
}

const shortened = (date: Date): string => date.toISOString().slice(0, -1).replace('.000', '')
