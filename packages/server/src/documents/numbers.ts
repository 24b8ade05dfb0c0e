export type DecimalMark = '.' | ','

/** A number as it was written, with what stood beside it. */
export interface WrittenNumber {
  value: number
  /** `%`, or a currency; null of a bare number. `12 %` is 12. */
  unit: string | null
}

/** Longer ones are not written by people, and cost time to look at. */
const longest = 60

const currency = String.raw`\p{Sc}|EUR|USD|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|CZK`
const dressed = new RegExp(String.raw`^([-+−]?)(${currency})?\s*([-+−]?)([\d.,'’\s]*\d[.,]?(?:[eE][-+]?\d{1,3})?)\s*(${currency}|%)?$`, 'u')
/** Most numbers, and the quick way to them. */
const plain: Record<DecimalMark, RegExp> = { '.': /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/, ',': /^-?(?:0|[1-9]\d{0,14})(?:,\d{1,15})?$/ }

// Groups of three, all with the same mark between them, or no groups.
const undressed: Record<DecimalMark, RegExp> = {
  '.': /^(?:\d{1,3}([,'’\s])\d{3}(?:\1\d{3})*|\d*)(?:\.\d*)?(?:[eE][-+]?\d{1,3})?$/,
  ',': /^(?:\d{1,3}([.'’\s])\d{3}(?:\1\d{3})*|\d*)(?:,\d*)?(?:[eE][-+]?\d{1,3})?$/,
}

/** Reads `1,234.50`, `1 234.5`, `(12)`, `-€ 12.00`, `12%`, `1e6`; with `,` as decimal mark `1.234,50`. Null of what is no number, or none to reckon with: `007`, or an id of twenty digits. */
export function readNumber(text: string, mark: DecimalMark): WrittenNumber | null {
  if (plain[mark].test(text)) return { value: withoutSignOfZero(Number(mark === ',' ? text.replace(',', '.') : text)), unit: null }
  if (text.length > longest) return null
  const trimmed = text.trim()
  const inner = /^\((.+)\)$/.exec(trimmed)?.[1]
  const parts = dressed.exec(inner ?? trimmed)
  if (!parts) return null
  const [, outerSign = '', before, innerSign = '', digits = '', after] = parts
  if ((outerSign && innerSign) || (inner !== undefined && (outerSign || innerSign)) || (before && after)) return null
  const value = valueOf(digits, mark)
  if (value === null) return null
  const negative = inner !== undefined || isMinus(outerSign) || isMinus(innerSign)
  return { value: withoutSignOfZero(negative ? -value : value), unit: before ?? after ?? null }
}

const withoutSignOfZero = (value: number): number => value + 0

const isMinus = (sign: string): boolean => sign === '-' || sign === '−'

function valueOf(digits: string, mark: DecimalMark): number | null {
  if (!undressed[mark].test(digits)) return null
  const bare = digits.replaceAll(mark === '.' ? /[,'’\s]/g : /[.'’\s]/g, '').replace(',', '.')
  if (/^0\d/.test(bare)) return null
  const value = Number(bare)
  if (!Number.isFinite(value)) return null
  return Number.isInteger(value) && !Number.isSafeInteger(value) && !/e/i.test(bare) ? null : value
}
