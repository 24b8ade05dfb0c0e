import { Fault } from '@sluice/schema'
import type { Principal } from '../access/authenticate.ts'
import type { AccessPart } from '../rpc/context.ts'
import { Unavailable } from '../rpc/faults.ts'
import type { Log } from '../telemetry.ts'
import type { Metrics, StreamTransport } from '../telemetry/metrics.ts'

/** Why the server ends a stream. */
export type Ending = 'credential' | 'drain'

/** Every open stream and socket, so that each can be ended: when its credential dies, and when the server leaves. */
export interface OpenStreams {
  /** Answers with how to forget it. Throws `limit_exceeded` when a principal or an address, or the server, has too many. */
  add(of: Principal | Stranger, transport: StreamTransport, end: (why: Ending) => void): () => void
  /** Ends all, and refuses new ones with `unavailable`. */
  drain(): void
  readonly size: number
  close(): void
}

/** With standings that are at most two seconds old, a dead credential is noticed within four. */
const everyMs = 1_500
const most = 10_000
const mostOfOne = 1_000

/** Of whom nothing but the address is known yet. */
export interface Stranger {
  address: string
}

interface Group {
  of: Principal | Stranger
  ends: Set<(why: Ending) => void>
}

export function createOpenStreams(access: Pick<AccessPart, 'stillValid'>, log: Log, metrics: Pick<Metrics, 'streamOpened' | 'streamClosed'>): OpenStreams {
  const groups = new Map<string, Group>()
  let size = 0
  let draining = false
  let checking = false

  async function check(): Promise<void> {
    if (checking) return
    checking = true
    try {
      for (const group of groups.values()) if (!('address' in group.of) && !(await holds(group.of))) for (const end of group.ends) end('credential')
    } finally {
      checking = false
    }
  }

  async function holds(principal: Principal): Promise<boolean> {
    try {
      return await access.stillValid(principal)
    } catch (error) {
      // Nobody can say. Nothing new reaches the stream either while the database is away.
      log.debug({ err: error }, 'The credentials of open streams could not be checked')
      return true
    }
  }

  const timer = setInterval(() => void check(), everyMs).unref()

  return {
    add(of, transport, end) {
      if (draining) throw new Unavailable('The server is leaving')
      const key = 'address' in of ? `from ${of.address}` : keyOf(of)
      const group = groups.get(key) ?? { of, ends: new Set() }
      if (size >= most || group.ends.size >= mostOfOne) throw new Fault('limit_exceeded', { message: 'Too many streams are open' })
      groups.set(key, group)
      // Its own function each time: the same one might be added twice.
      const ending = (why: Ending) => end(why)
      group.ends.add(ending)
      size++
      metrics.streamOpened(transport)
      return () => {
        if (!group.ends.delete(ending)) return
        size--
        metrics.streamClosed(transport)
        if (group.ends.size === 0) groups.delete(key)
      }
    },
    drain() {
      draining = true
      for (const group of groups.values()) for (const end of group.ends) end('drain')
    },
    get size() {
      return size
    },
    close: () => clearInterval(timer),
  }
}

/** Two logins of one user end apart. */
const keyOf = ({ id, workspaceId, role, token }: Principal): string => [id, workspaceId, role, token?.family, token?.epoch, token?.expiresAt].join(' ')
