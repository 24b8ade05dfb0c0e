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

/** What is known of a key until its count starts anew. */
interface Standing {
  /** Points that were given out, as far as it was told here. */
  used: number
  /** Points that are counted already and may still be given out here. */
  ahead: number
  isOver: boolean
  countedAt: number
  until: number
}

/** So many keys are remembered, those that were counted last. */
const mostRemembered = 10_000
/** A key that comes again within this time is busy: points are counted ahead for it. */
const busyMs = 5_000
/** Of the limit: what a server holds for itself is at most lost to the others. */
const aheadPart = 50

/**
 * Counts with one statement under way a key: requests that come meanwhile are counted together by the next one. For a busy key
 * a fiftieth of its limit is counted ahead, and given out here without a statement. A key over its limit is refused here until
 * its minute is over. Over all servers no more than the limit are let through.
 */
export function createTally(limit: number, count: (key: string, points: number) => Promise<Counted>, now: () => number = () => performance.now()): Tally {
  const lines = new Map<string, Waiting[]>()
  const standings = new Map<string, Standing>()
  const most = Math.floor(limit / aheadPart)

  async function work(key: string, line: Waiting[]): Promise<void> {
    while (line.length > 0) {
      const group = line.splice(0)
      const points = group.reduce((sum, each) => sum + each.points, 0)
      const before = standingOf(key)
      const extra = points > 0 && before && now() - before.countedAt < busyMs ? most : 0
      try {
        const { used: counted, resetMs } = await count(key, points + extra)
        const last = counted - extra
        const ahead = standingOf(key)?.ahead ?? 0
        // More than was counted before: that was in the last minute.
        const left = ahead > last - points ? 0 : ahead
        remember(key, { used: last - left, ahead: left + Math.max(0, Math.min(extra, limit - last)), isOver: last > limit, countedAt: now(), until: now() + resetMs })
        let upTo = last - points
        for (const each of group) {
          upTo += each.points
          each.settle({ limit, remaining: Math.max(0, limit - upTo + left), resetMs, allowed: upTo <= limit })
        }
      } catch (error) {
        for (const each of group) each.fail(error)
      }
    }
    lines.delete(key)
  }

  function standingOf(key: string): Standing | undefined {
    const standing = standings.get(key)
    return standing && standing.until > now() ? standing : undefined
  }

  function remember(key: string, standing: Standing): void {
    standings.delete(key)
    standings.set(key, standing)
    if (standings.size > mostRemembered) standings.delete(standings.keys().next().value!)
  }

  /** Null: it must be counted. */
  function fromStanding(key: string, points: number): Count | null {
    const standing = standingOf(key)
    // What is taken back counts for a key over its limit, too: it may be under it then.
    if (!standing || points <= 0) return null
    const resetMs = standing.until - now()
    if (standing.isOver) return { limit, remaining: 0, resetMs, allowed: false }
    if (standing.ahead < points) return null
    standing.ahead -= points
    standing.used += points
    return { limit, remaining: limit - standing.used, resetMs, allowed: true }
  }

  return {
    add(key, points) {
      const known = fromStanding(key, points)
      if (known) return Promise.resolve(known)
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
