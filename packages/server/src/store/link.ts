import pg from 'pg'
import { sqlState } from './sql-state.ts'

/** A connection that is in use for longer than this may be waiting for a server that says nothing any more. */
const patienceMs = 500
/** How long that server then has for a sign of life. */
const probeMs = 1_750
const lookMs = 250

export interface LinkWatch {
  stop(): void
}

/**
 * Tells a slow server from a silent one. A link that falls silent never says so, and what waits on it would wait for its
 * whole time-out, which has to allow for slow statements. So when a connection has been in use for half a second, the server is
 * asked for another one; if that is not answered either, all that wait are ended: within 2.5 s in all, as an outage.
 */
export function watchLink(pool: pg.Pool, config: pg.ClientConfig): LinkWatch {
  const busy = new Map<pg.PoolClient, number>()
  let probing = false
  let timer: NodeJS.Timeout | undefined
  let lastLook = 0
  let stalls = 0

  pool.on('acquire', (client) => {
    busy.set(client, performance.now())
    if (!timer) begin()
  })
  pool.on('release', (_error, client) => void busy.delete(client))
  pool.on('remove', (client) => void busy.delete(client))

  async function probe(): Promise<void> {
    probing = true
    try {
      const [asked, stallsBefore] = [performance.now(), stalls]
      // A process that was itself held up (frozen, or busy) knows nothing about the link.
      if ((await answers(config)) || stalls > stallsBefore) return
      for (const [client, since] of busy) {
        if (since > asked) continue
        busy.delete(client)
        client.end().catch(() => {})
      }
    } finally {
      probing = false
    }
  }

  function look(): void {
    const now = performance.now()
    if (now - lastLook > 3 * lookMs) stalls++
    lastLook = now
    if (probing) return
    if ([...busy.values()].some((since) => now - since > patienceMs)) void probe()
    else if (busy.size === 0) stop()
  }

  /** Looks as long as there is something to look at: a pool that nobody uses wakes nobody. */
  function begin(): void {
    lastLook = performance.now()
    timer = setInterval(look, lookMs).unref()
  }

  function stop(): void {
    clearInterval(timer)
    timer = undefined
  }

  return { stop }
}

/** Whether the server says anything at all; that it is full, or starting, is an answer too. */
async function answers(config: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client({ ...config, connectionTimeoutMillis: probeMs })
  client.on('error', () => {})
  try {
    await client.connect()
    return true
  } catch (error) {
    return sqlState(error) !== undefined
  } finally {
    client.end().catch(() => {})
  }
}
