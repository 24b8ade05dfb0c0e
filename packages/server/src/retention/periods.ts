const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const units: Readonly<Record<string, number>> = { s: 1_000, m: minute, h: hour, d: day }

/** How long things are kept, in milliseconds. Null: for ever. */
export interface Periods {
  /** Runs after their end, unless their definition says (`retainForSeconds`); deleted workflows after their deletion. */
  runs: number | null
  /** Events that are not of runs: those stay with their run. */
  events: number | null
  /** Idempotency keys. */
  keys: number | null
  /** Files that nothing uses. */
  files: number | null
  /** The audit log. */
  audit: number | null
}

export const defaultPeriods: Periods = { runs: 30 * day, events: day, keys: day, files: day, audit: 365 * day }

/** What to write, for who wrote something else. */
export const periodsWanted = 'off, or periods such as runs=30d,events=24h,keys=24h,files=24h,audit=365d (a number with s, m, h or d, or forever)'

/** Reads `runs=30d,keys=forever`; what is not named keeps its default. `off`: everything is kept for ever. Undefined: it cannot be read. */
export function periodsOf(text: string): Periods | undefined {
  if (text === 'off' || text === 'forever') return { runs: null, events: null, keys: null, files: null, audit: null }
  const periods = { ...defaultPeriods }
  const named = new Set<string>()
  for (const part of text.split(',').map((each) => each.trim())) {
    if (part === '') continue
    const [, name = '', value = ''] = /^([a-z]+)\s*=\s*(\w+)$/.exec(part) ?? []
    const period = periodOf(value)
    if (!Object.hasOwn(periods, name) || named.has(name) || period === undefined) return undefined
    named.add(name)
    periods[name as keyof Periods] = period
  }
  return named.size > 0 ? periods : undefined
}

function periodOf(text: string): number | null | undefined {
  if (text === 'off' || text === 'forever') return null
  const [, count = '', unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? []
  return count === '' ? undefined : Number(count) * units[unit]!
}
