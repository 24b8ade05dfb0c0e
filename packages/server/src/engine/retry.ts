import type { RetrySettings } from '@sluice/schema'

/** A day: no backoff grows beyond it. */
const longest = 86_400_000

/**
 * How long a step waits before its next attempt, in milliseconds; null when it has had its last.
 * Attempts whose worker died are not failures: only `failures` uses them up. `draw` is a number in [0, 1).
 */
export function retryDelay(retry: Required<RetrySettings>, failures: number, draw: number): number | null {
  if (failures >= retry.maxAttempts) return null
  if (retry.backoffMs === 0) return 0
  const delay = Math.min(retry.backoffMs * retry.factor ** (failures - 1), longest)
  return Math.min(Math.round(delay * (1 - retry.jitter + 2 * retry.jitter * draw)), longest)
}
