/** The middle one; of an even number, the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The least value that so large a share of them does not exceed; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

/** Key by key the median of figures of one shape. */
export function medians<K extends string>(all: readonly Record<K, number>[]): Record<K, number> {
  const keys = Object.keys(all[0]!) as K[]
  return Object.fromEntries(keys.map((key) => [key, median(all.map((each) => each[key]))])) as Record<K, number>
}
