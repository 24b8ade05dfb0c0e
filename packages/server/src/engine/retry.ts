import type { RetrySettings } from '@sluice/schema'

/** A day: no backoff grows beyond it. */
const longest = 86_400_000

/**
 * How long a step waits before its next attempt, in milliseconds, or that it waits until somebody asks for it; null when it has had its last.
 * Attempts whose worker died are not failures: only `failures` uses them up. `draw` is a number in [0, 1). `leastMs` is
 * what a service asked for that was called too often.
 */
export function retryDelay(retry: Required<RetrySettings>, failures: number, draw: number, leastMs = 0): number | 'asked' | null {
  if (failures >= retry.maxAttempts) return null
  if (retry.manual) return 'asked'
  const least = Math.min(leastMs, longest)
  if (retry.backoffMs === 0) return least
  const delay = Math.min(retry.backoffMs * retry.factor ** (failures - 1), longest)
  return Math.max(least, Math.min(Math.round(delay * (1 - retry.jitter + 2 * retry.jitter * draw)), longest))
}
