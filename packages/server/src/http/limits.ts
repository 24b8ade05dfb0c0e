import { createHash } from 'node:crypto'
import { Fault } from '@sluice/schema'
import { RateLimiterMemory, RateLimiterPostgres, type RateLimiterRes } from 'rate-limiter-flexible'
import type { Parts } from '../rpc/context.ts'
import type { RateClass } from '../dialects/dialect.ts'
import { createTally, type Count, type Tally } from './tally.ts'

export interface LimitOptions {
  /** Requests a minute and principal: of all, and of a class of them where it has a limit. Null: no limits at all. */
  rateLimit: Readonly<{ api: number } & Partial<Record<RateClass, number>>> | null
  /** Where servers count together; without one, each counts for itself. */
  database: Parts['database'] | null
}

export interface Limits {
  /** Counts requests of a principal, or of an address where there is none. Null when there are no limits. */
  api(key: string, points: number): Promise<Count | null>
  /** Counts one request of a class, in the same manner. It counts among all beside this. */
  of(name: RateClass, key: string): Promise<Count | null>
  /** Counts one login of this name from this address. Answers with how to take it back. Throws `rate_limited`. */
  login(ip: string, name: string): Promise<() => void>
}

const duration = 60
const loginsPerMinute = 10
/** A count is waited for this long; then the server counts for itself: requests must not wait for a database that is away. */
const patience = 250

export function createLimits({ rateLimit, database }: LimitOptions): Limits {
  if (!rateLimit) return { api: async () => null, of: async () => null, login: async () => () => {} }
  const tally = (keyPrefix: string, limit: number): Tally => {
    const alone = new RateLimiterMemory({ keyPrefix, points: limit, duration })
    const together = database && new RateLimiterPostgres({ ...table, keyPrefix, points: limit, duration, storeClient: clientOf(database) })
    return createTally(limit, async (key, points) => {
      const counted = together ? await Promise.race([together.penalty(key, points), late()]).catch(() => null) : null
      return fromRes(counted ?? (await alone.penalty(key, points)))
    })
  }
  const { api: most, ...narrower } = rateLimit
  const classes = new Map(Object.entries(narrower).map(([name, limit]) => [name, tally(name, limit)]))
  const api = tally('api', most)
  const logins = tally('login', loginsPerMinute)
  return {
    api: (key, points) => api.add(key, points),
    of: async (name, key) => (await classes.get(name)?.add(key, 1)) ?? null,
    async login(ip, name) {
      const key = createHash('sha256').update(`${ip} ${name}`).digest('base64url')
      const count = await logins.add(key, 1)
      if (!count.allowed) throw limited(count)
      return () => void logins.add(key, -1).catch(() => {})
    },
  }
}

export const limited = ({ limit, resetMs }: Count): Fault => new Fault('rate_limited', { details: { limit }, retryAfter: Math.max(1, Math.ceil(resetMs / 1000)) })

/** The headers that go with every counted reply. The reset is a moment, in seconds since 1970 (Orchestrator, "Rate Limiting"). */
export const limitHeaders = ({ limit, remaining, resetMs }: Count, now = Date.now()): Record<string, string> => ({
  'x-ratelimit-limit': String(limit),
  'x-ratelimit-remaining': String(remaining),
  'x-ratelimit-reset': String(Math.ceil((now + resetMs) / 1000)),
})

/** The table is made by a migration: unlogged, because a count that is lost in a crash hurts nobody. */
const table = { tableName: 'rate_limits', tableCreated: true, storeType: 'client' }

const clientOf = (database: Parts['database']) => ({
  async query({ text, values, name }: { text: string; values: unknown[]; name: string }) {
    const rows = await database.query({ name, text }, values)
    return { rows, rowCount: rows.length }
  },
})

const fromRes = ({ consumedPoints, msBeforeNext }: RateLimiterRes) => ({ used: consumedPoints, resetMs: msBeforeNext })

const late = () => new Promise<null>((resolve) => setTimeout(resolve, patience, null).unref())
