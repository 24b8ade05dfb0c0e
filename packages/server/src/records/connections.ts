import { createHash, randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault, type SubscribeConnection } from '@sluice/schema'
import { Principal } from '../access/principal.ts'
import type { Doorbell } from '../events/doorbell.ts'
import { cursorOf, endOf, type Moment, momentOf, type Place } from '../events/place.ts'
import { type Database, Outage } from '../store/database.ts'
import { createGather } from '../store/gather.ts'
import {
  addressOfConnection,
  changedConnections,
  type ConnectionRow,
  deleteConnections,
  insertConnections,
  readConnections,
  saveTellings,
  subscribeConnection,
  tellingsOf,
  touchConnections,
} from '../store/rows/connections.ts'
import type { Log } from '../telemetry.ts'

/**
 * Live connections over which a client is told of the topics that it subscribes to by requests of their own.
 *
 * N1. A connection is a row: the request may reach any server, and is answered when it is committed; who holds the connection takes
 *     it over from there, within milliseconds, or two seconds where the ring was lost.
 * N2. A topic is told whatever commits after its subscription has, however far the log was read by then, and nothing that had before.
 * N3. A connection is its first subscriber's, and can be subscribed over from the address alone that it was opened from.
 * N4. Of a topic that is kept it is known how far it was told: exactly when the connection was ended in good order, else at most some
 *     seconds less. Never more than the network took: of a line that is dead and was not given up, nobody can say.
 */
export interface Connections {
  /** `changed` is told what is subscribed from now on, and null when there is no such connection any more. */
  open(address: string, changed: (subscribed: Subscribed | null) => void): Promise<Connection>
  /** Throws the Faults `connection_missing`, `connection_mismatch`, and `input_invalid` for another address. */
  subscribe(by: { principal: Principal; address: string }, asked: SubscribeConnection): Promise<void>
  /** How far a topic of this user was told, over whichever connection. */
  toldSoFar(principal: Principal, topic: string): Promise<Place>
  /** Waits a moment for those that are ending, and writes down what is not yet. */
  close(): Promise<void>
}

export interface Connection {
  /** 40 characters that nobody guesses. */
  readonly id: string
  /** `told` says how far each kept topic was told, as far as that is sure, whenever it is asked, and once when the connection has ended. */
  keeps(told: (hasEnded: boolean) => readonly Told[]): void
  /** Forgets the connection, and keeps what it was told. */
  leave(): Promise<void>
}

/** What is told over a connection, and to whom. */
export interface Subscribed {
  principal: Principal
  topics: readonly SubscribedTopic[]
}

export interface SubscribedTopic {
  name: string
  /** What was there already when it was subscribed. Null: it goes on where it was left. */
  since: Moment | null
}

/** How far a topic was told. */
export interface Told {
  name: string
  place: Place
}

const netMs = 2_000
/** Signs of life: one in so many looks. */
const signs = 15
const rowsAtOnce = 500
/** For connections that are ending when the server leaves. */
const patienceMs = 1_000

interface Held {
  id: string
  revision: number
  principal: Principal | null
  changed(subscribed: Subscribed | null): void
  told(hasEnded: boolean): readonly Told[]
  /** How far each topic was told as it was last written down. */
  saved: Map<string, string>
  off(): void
}

/** As PocketBase makes them. */
const idLength = 40
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const newConnectionId = (): string => Array.from({ length: idLength }, () => alphabet[randomInt(alphabet.length)]).join('')

const keyOf = (topic: string): Buffer => createHash('sha256').update(topic).digest()

export function createConnections({ database, doorbell, log }: { database: Database; doorbell: Doorbell; log: Log }): Connections {
  const held = new Map<string, Held>()
  const rowOf = createGather(rowsAtOnce, async (ids) => new Map((await readConnections(database, ids)).map((row) => [row.id, row])))
  const gone = createGather(rowsAtOnce, async (ids) => {
    await deleteConnections(database, ids)
    return new Map<string, void>()
  })
  // After a restart all clients of a server come back at once.
  const opened = createGather(rowsAtOnce, async (keys) => {
    await insertConnections(
      database,
      keys.map((key) => ({ id: key.slice(0, idLength), address: key.slice(idLength) })),
    )
    return new Map<string, void>()
  })
  const told = createGather(rowsAtOnce, async (keys) => {
    const rows = await tellingsOf(
      database,
      keys.map((key) => {
        const [workspaceId = '', userId = '', topic = ''] = key.split(' ')
        return { workspaceId, userId, topic: Buffer.from(topic, 'hex') }
      }),
    )
    return new Map(rows.map((row) => [keys[row.at - 1]!, row]))
  })
  const leaving = new Set<Promise<void>>()
  let looks = 0
  let looking = false

  /** What is subscribed over it now is taken over. An outage is no change. */
  async function take(one: Held): Promise<void> {
    try {
      const row = await rowOf(one.id)
      if (!held.has(one.id)) return
      if (!row) return one.changed(null)
      if (row.revision <= one.revision) return
      const subscribed = subscribedIn(row)
      one.revision = row.revision
      one.principal = subscribed.principal
      one.changed(subscribed)
    } catch (error) {
      tellOf(error, 'What is subscribed over a connection could not be read')
    }
  }

  async function look(): Promise<void> {
    if (looking || held.size === 0) return
    looking = true
    try {
      const known = [...held.values()]
      if (++looks % signs === 0)
        await touchConnections(
          database,
          known.map(({ id }) => id),
        )
      for (const id of await changedConnections(database, known)) {
        const one = held.get(id)
        if (one) void take(one)
      }
      await save(known)
    } catch (error) {
      tellOf(error, 'Connections could not be looked after')
    } finally {
      looking = false
    }
  }

  /** One statement for all of them. */
  async function save(connections: readonly Held[], haveEnded = false): Promise<void> {
    const rows = connections.flatMap(({ principal, told, saved }) =>
      principal === null
        ? []
        : told(haveEnded).flatMap(({ name, place }) => {
            const { userId, workspaceId } = principal
            return saved.get(name) === cursorOf(place)
              ? []
              : [{ name, saved, cursor: cursorOf(place), userId, workspaceId, topic: keyOf(name), xid: String(place.xid), position: place.position }]
          }),
    )
    if (rows.length === 0) return
    await saveTellings(database, furthest(rows))
    for (const { name, saved, cursor } of rows) saved.set(name, cursor)
  }

  async function putAway(one: Held): Promise<void> {
    one.off()
    try {
      await save([one], true)
      await gone(one.id)
    } catch (error) {
      tellOf(error, 'A connection that has ended could not be put away')
    }
  }

  function tellOf(error: unknown, message: string): void {
    if (error instanceof Outage) log.debug({ err: error }, message)
    else log.error({ err: error }, message)
  }

  const timer = setInterval(() => void look(), netMs).unref()

  return {
    async open(address, changed) {
      const id = newConnectionId()
      await opened(id + address)
      const one: Held = { id, revision: 0, principal: null, changed, told: () => [], saved: new Map(), off: doorbell.on(`connection:${id}`, () => void take(one)) }
      held.set(id, one)
      return {
        id,
        keeps(told) {
          one.told = told
        },
        async leave() {
          if (!held.delete(id)) return
          const left = putAway(one).finally(() => leaving.delete(left))
          leaving.add(left)
          await left
        },
      }
    },
    async subscribe({ principal, address }, { connection: id, topics, kept = [] }) {
      const names = [...new Set(topics)]
      const keeps = new Set(kept)
      const taken = await subscribeConnection(database, {
        id,
        address,
        workspaceId: principal.workspaceId,
        principalId: principal.id,
        userId: principal.userId,
        principal: JSON.stringify(principal),
        topics: names,
        keys: names.map((name) => (keeps.has(name) ? keyOf(name) : null)),
      })
      if (!taken) throw refused(await addressOfConnection(database, { id, workspaceId: principal.workspaceId }), address)
      doorbell.ring({ connections: [id] })
    },
    async toldSoFar({ userId, workspaceId }, topic) {
      const row = await told(`${workspaceId} ${userId} ${keyOf(topic).toString('hex')}`)
      // It was kept for as long as that is done, and is not any more: older than all that the log keeps.
      return row ? { xid: BigInt(row.xid), position: row.position } : endOf(0n)
    },
    async close() {
      clearInterval(timer)
      for (let waited = 0; (held.size > 0 || leaving.size > 0) && waited < patienceMs; waited += 10) await sleep(10)
      await Promise.all(leaving)
      await save([...held.values()]).catch((error: unknown) => tellOf(error, 'How far subscribers were told could not be written down'))
    },
  }
}

/** Of two connections of one user with the same topic what both were told may be written by either, and by one statement once. */
function furthest<T extends { userId: string; workspaceId: string; name: string; xid: string; position: number }>(rows: readonly T[]): T[] {
  const byTopic = new Map<string, T>()
  for (const row of rows) {
    const key = `${row.workspaceId} ${row.userId} ${row.name}`
    const known = byTopic.get(key)
    if (!known || BigInt(known.xid) < BigInt(row.xid) || (known.xid === row.xid && known.position < row.position)) byTopic.set(key, row)
  }
  return [...byTopic.values()]
}

function subscribedIn({ principal, topics, since }: ConnectionRow): Subscribed {
  return { principal: Principal.parse(principal), topics: topics.map((name, at) => ({ name, since: since[at] === 'kept' ? null : momentOf(since[at]!) })) }
}

function refused(opened: string | undefined, address: string): Fault {
  if (opened === undefined) return new Fault('connection_missing')
  if (opened === address) return new Fault('connection_mismatch')
  return new Fault('input_invalid', { issues: [{ path: ['connection'], message: 'it was opened from another address' }] })
}
