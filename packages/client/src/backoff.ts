export interface Backoff {
  /** Before the first repeat, in milliseconds; doubles with each further one. */
  firstMs: number
  mostMs: number
}

/**
 * How long to wait after so many failures in a row (1, 2, …): half of it certain, half drawn, so that clients that lost one
 * server do not come back as one. Never less than the server asked for.
 */
export function delayAfter(failures: number, { firstMs, mostMs }: Backoff, retryAfter = 0, random = Math.random): number {
  const grown = Math.min(mostMs, firstMs * 2 ** (failures - 1))
  const drawn = grown * (0.5 + random() / 2)
  return Math.max(drawn, retryAfter * 1000 + (retryAfter > 0 ? drawn : 0))
}
