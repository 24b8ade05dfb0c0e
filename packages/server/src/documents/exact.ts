/** A decimal number: `digits` × 10^-`scale`. */
interface Decimal {
  digits: bigint
  scale: number
}

/**
 * Sums of numbers as they are written. A double stands for the shortest decimal text that reads back as it: those texts are added
 * exactly, as whole numbers of the smallest place, and only the result is a double again. So 0.1 + 0.2 is 0.3, in any order.
 */
export function exactSum(values: readonly number[]): number {
  return wholeSum(values) ?? toNumber(total(values), 1n)
}

/** Null of no values. */
export function exactMean(values: readonly number[]): number | null {
  return values.length === 0 ? null : toNumber(total(values), BigInt(values.length))
}

/** The value in the middle, or the mean of both; null of no values. */
export function exactMedian(values: readonly number[]): number | null {
  const sorted = Float64Array.from(values).sort()
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : exactMean([...sorted.subarray(half - 1, half + 1)])
}

/** The quick way, for most: whole numbers that never leave the range in which doubles are exact. */
function wholeSum(values: readonly number[]): number | null {
  let sum = 0
  for (const value of values) {
    sum += value
    if (!Number.isInteger(value) || !Number.isSafeInteger(sum)) return null
  }
  return sum
}

function total(values: readonly number[]): Decimal {
  // By scale, so that few numbers are multiplied.
  const sums = new Map<number, bigint>()
  for (const value of values) {
    const { digits, scale } = decimalOf(value)
    sums.set(scale, (sums.get(scale) ?? 0n) + digits)
  }
  const scale = Math.max(0, ...sums.keys())
  let digits = 0n
  for (const [of, sum] of sums) digits += sum * 10n ** BigInt(scale - of)
  return { digits, scale }
}

/** Of the shortest text: `1.25`, `-3e-7`. */
function decimalOf(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = String(value).split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const scale = fraction.length - Number(exponent)
  const digits = BigInt(whole + fraction)
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 }
}

/** More places than a double has, so that the nearest one is found. */
const guardDigits = 40

function toNumber({ digits, scale }: Decimal, by: bigint): number {
  if (by === 1n) return Number(`${digits}e-${scale}`)
  return Number(`${(digits * 10n ** BigInt(guardDigits)) / by}e-${scale + guardDigits}`)
}
