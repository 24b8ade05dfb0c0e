/** How a caller stands after a request was counted. */
export interface Count {
  limit: number
  remaining: number
  /** Until the count starts anew. */
  resetMs: number
  allowed: boolean
}

export interface Tally {
  /** Counts points under a key; fewer than none takes some back. */
  add(key: string, points: number): Promise<Count>
}

type Counted = { used: number; resetMs: number }
type Waiting = { points: number; settle: (count: Count) => void; fail: (error: unknown) => void }

/** Keys over their limit are remembered up to this many; beyond, they are counted again. */
const mostRemembered = 10_000

/**
 * Counts exactly, with one statement under way a key: requests that come meanwhile are counted together by the next one.
 * A key over its limit is refused here until its minute is over, without a statement.
 */
export function createTally(limit: number, count: (key: string, points: number) => Promise<Counted>, now: () => number = Date.now): Tally {
  const lines = new Map<string, Waiting[]>()
  const refused = new Map<string, number>()

  async function work(key: string, line: Waiting[]): Promise<void> {
    while (line.length > 0) {
      const group = line.splice(0)
      const points = group.reduce((sum, each) => sum + each.points, 0)
      try {
        const { used, resetMs } = await count(key, points)
        let upTo = used - points
        for (const each of group) {
          upTo += each.points
          each.settle({ limit, remaining: Math.max(0, limit - upTo), resetMs, allowed: upTo <= limit })
        }
        if (used > limit) remember(key, now() + resetMs)
      } catch (error) {
        for (const each of group) each.fail(error)
      }
    }
    lines.delete(key)
  }

  function remember(key: string, until: number): void {
    if (refused.size >= mostRemembered) for (const [other, end] of refused) if (end <= now()) refused.delete(other)
    if (refused.size < mostRemembered) refused.set(key, until)
  }

  return {
    add(key, points) {
      const until = refused.get(key)
      if (until !== undefined && until > now()) return Promise.resolve({ limit, remaining: 0, resetMs: until - now(), allowed: false })
      if (until !== undefined) refused.delete(key)
      return new Promise((settle, fail) => {
        const line = lines.get(key)
        if (line) return void line.push({ points, settle, fail })
        const started: Waiting[] = [{ points, settle, fail }]
        lines.set(key, started)
        void work(key, started)
      })
    },
  }
}
