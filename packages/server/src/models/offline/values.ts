/** Values that stand in a text: numbers, dates, addresses. PURE; each takes time in proportion to the text. */

export interface FoundDate {
  /** `2026-01-31` */
  date: string
  /** `2026-01-31T12:00:00Z`, as far as it was given. */
  time: string | null
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const month = '(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\\.?'
const isoDate = /\b(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?(?!\d)/
const dayFirst = new RegExp(`\\b(\\d{1,2})(?:st|nd|rd|th)?\\.? ${month},? (\\d{4})\\b`)
const monthFirst = new RegExp(`\\b${month} (\\d{1,2})(?:st|nd|rd|th)?,? (\\d{4})\\b`)
const dotted = /\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b/
const slashed = /\b(\d{1,2})\/(\d{1,2})\/(\d{4})\b/
const anyDate = new RegExp([isoDate, dayFirst, monthFirst, dotted, slashed].map(({ source }) => source).join('|'), 'gi')

/** Dates in the order in which they stand; of `3/4/2026` nobody knows which it is, and it is none. */
export const datesIn = (text: string): FoundDate[] => [...text.matchAll(anyDate)].flatMap(([found]) => dateOf(found) ?? [])

function dateOf(found: string): FoundDate | null {
  const iso = isoDate.exec(found)
  if (iso) return real(iso[1]!, iso[2]!, iso[3]!, iso[4] ? `${iso[4].length === 5 ? `${iso[4]}:00` : iso[4]}${zoneOf(iso[5])}` : null)
  const text = found.toLowerCase()
  const named = dayFirst.exec(text)
  if (named) return real(named[3]!, String(months.indexOf(named[2]!) + 1), named[1]!)
  const other = monthFirst.exec(text)
  if (other) return real(other[3]!, String(months.indexOf(other[1]!) + 1), other[2]!)
  const [, first, second, year] = dotted.exec(text) ?? []
  if (first) return real(year!, second!, first)
  const [, one, two, of] = slashed.exec(text)!
  if (Number(one) <= 12 && Number(two) <= 12 && one !== two) return null
  return Number(one) > 12 ? real(of!, two!, one!) : real(of!, one!, two!)
}

const zoneOf = (zone = 'Z'): string => zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')

function real(year: string, monthNumber: string, day: string, time: string | null = null): FoundDate | null {
  const date = `${year}-${monthNumber.padStart(2, '0')}-${day.padStart(2, '0')}`
  const at = new Date(`${date}T00:00:00Z`)
  if (Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== date) return null
  return { date, time: time === null ? null : `${date}T${time}` }
}

const number = /(?<![\p{L}\p{N}_.,])[-+−]?\d(?:[\d.,'’]{0,30}\d)?(?![\p{L}\p{N}_])/gu

/** Numbers in the order in which they stand; what belongs to a date is none. `1,250.50`, `1.250,50`, `1'250` and `12,5` are read. */
export const numbersIn = (text: string): number[] => [...text.replace(anyDate, ' ').matchAll(number)].flatMap(([found]) => numberOf(found) ?? [])

export function numberOf(found: string): number | null {
  const plain = found.replace(/^\+/, '').replace('−', '-').replace(/['’]/g, '')
  const [dots, commas] = [plain.split('.').length - 1, plain.split(',').length - 1]
  const decimal = dots > 0 && commas > 0 ? (plain.lastIndexOf('.') > plain.lastIndexOf(',') ? '.' : ',') : commas === 1 && !/,\d{3}$/.test(plain) ? ',' : dots === 1 ? '.' : null
  const [whole = '', fraction] = decimal === null ? [plain] : [plain.slice(0, plain.lastIndexOf(decimal)), plain.slice(plain.lastIndexOf(decimal) + 1)]
  const text = whole.replace(/[.,]/g, '') + (fraction === undefined ? '' : `.${fraction}`)
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null
}

export const emailsIn = (text: string): string[] => text.match(/(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}/g) ?? []
export const urlsIn = (text: string): string[] => (text.match(/https?:\/\/[^\s<>"'`)\]}]{1,2000}/g) ?? []).map((url) => url.replace(/(?<![.,;:!?])[.,;:!?]+$/, ''))
export const uuidsIn = (text: string): string[] => text.match(/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi) ?? []
/** What stands in quotation marks. */
export const quotedIn = (text: string): string[] => [...text.matchAll(/"([^"\n]{1,500})"|“([^”\n]{1,500})”/g)].map(([, plain, curly]) => (plain ?? curly)!)

export function booleanOf(text: string): boolean | null {
  const [, yes, no] = /^\W{0,5}(?:(yes|true|on)|(no|not|false|off|none))\b/i.exec(text) ?? []
  return yes ? true : no ? false : null
}
