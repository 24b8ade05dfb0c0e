/** How often it is looked whether claims have lapsed. */
const lookMs = 1_000
/** And how often where nothing is claimed: what is over is taken away then, too. */
const longestMs = 30_000
/** Living workers show themselves every two seconds: once the database is back, they get this long before one counts as dead. */
const graceMs = 5_000

/**
 * Looks again and again, but only while the database has answered for `graceMs` without a gap. An outage silences all workers
 * at once, and so does a machine that sleeps: whoever looked first afterwards would take claims from the living.
 */
export function supervise(parts: { anyClaims(): Promise<boolean>; look(): Promise<unknown>; onError(error: Error): void }): { stop(): Promise<void> } {
  let steadySince = performance.now()
  let lastLook = steadySince
  let lastWhole = -Infinity
  let looking: Promise<void> | undefined

  async function look(): Promise<void> {
    const now = performance.now()
    if (now - lastLook > 3 * lookMs) steadySince = now
    lastLook = now
    try {
      const claims = await parts.anyClaims()
      if (performance.now() - steadySince < graceMs) return
      // A server at rest asks one small question a second and writes nothing: looking itself writes, claims or none.
      if (!claims && now - lastWhole < longestMs) return
      await parts.look()
      lastWhole = now
    } catch (error) {
      steadySince = performance.now()
      parts.onError(error as Error)
    } finally {
      lastLook = performance.now()
    }
  }

  const timer = setInterval(() => {
    looking ??= look().finally(() => (looking = undefined))
  }, lookMs)
  return {
    async stop() {
      clearInterval(timer)
      await looking
    },
  }
}
