import { Fault, type Json } from '@sluice/schema'
import type { Engine } from '../engine/engine.ts'
import { refusedStart } from '../engine/refused-start.ts'
import type { Doorbell } from '../events/doorbell.ts'
import { createLookout } from '../events/lookout.ts'
import { type Database, Outage } from '../store/index.ts'
import { firstIdOf } from '../store/ids.ts'
import {
  type DeliveryRow,
  type DueDelivery,
  failDelivery,
  hearDelivery,
  lendDue,
  nextDelivery,
  readersWithNews,
  type ReaderPlace,
  settleDelivery,
  type WaitingReader,
} from '../store/rows/webhooks.ts'
import type { Log } from '../telemetry.ts'
import { contentFrom } from './kept.ts'

/**
 * Brings what came to webhooks to the producers that wait for it, and to the workflows it starts. Any number of servers do so.
 *
 * H1. Every producer gets every delivery that came since its run was made, once, in the order they were committed in.
 * H2. A delivery starts one run of the workflow that was its trigger when it came: both are committed together, or neither is.
 * H3. One that cannot start its run is tried again, later each time, and others go before it; at last it is dead, and is shown.
 */
export interface Dispatcher {
  start(): void
  /** Looks now; answers when what could be brought has been. */
  lookNow(): Promise<void>
  /** Answers when what is under way has ended; the rest stays for others. */
  stop(): Promise<void>
}

export interface DispatcherParts {
  database: Database
  doorbell: Doorbell
  engine: Pick<Engine, 'deliver' | 'startTaking'>
  log: Log
  /** Milliseconds before the next try, after so many that failed; null: there is none. */
  backoff?(failed: number): number | null
  now?: () => number
}

const everyMs = 2_000
/** Of one look; lent for long enough to start runs with them, and for no longer than a dead server may be waited for. */
const most = { deliveries: 16, readers: 200, seconds: 10 }
/** Each takes a connection. */
const atOnce = 4
const mostTries = 12
const firstBackoffMs = 5_000
const longestBackoffMs = 3_600_000

/** Some four hours in all. */
export const usualBackoff = (failed: number): number | null => (failed >= mostTries ? null : Math.min(firstBackoffMs * 2 ** (failed - 1), longestBackoffMs))

const firstPlace: ReaderPlace = { run_id: '', node_id: '', iteration: '' }

export function createDispatcher({ database, doorbell, engine, log, backoff = usualBackoff, now = Date.now }: DispatcherParts): Dispatcher {
  let place = firstPlace

  async function look(signal: AbortSignal): Promise<boolean> {
    const [isMoreToStart, isMoreToHear] = await Promise.all([startDue(signal), bringNews(signal)])
    return isMoreToStart || isMoreToHear
  }

  async function startDue(signal: AbortSignal): Promise<boolean> {
    const due = await lendDue(database, most)
    await each(due, signal, startWith)
    return due.length === most.deliveries
  }

  async function bringNews(signal: AbortSignal): Promise<boolean> {
    const readers = await readersWithNews(database, place, most.readers)
    place = readers.length === most.readers ? readers.at(-1)! : firstPlace
    await each(readers, signal, bring)
    return place !== firstPlace
  }

  async function bring(reader: WaitingReader): Promise<void> {
    const { run_id: runId, node_id: nodeId, iteration } = reader
    const delivery = await nextDelivery(database, reader.webhook_id, reader.after ?? firstIdOf(reader.since.getTime()), reader.since)
    if (!delivery) return
    try {
      await engine.deliver({ runId, nodeId, iteration }, payloadOf(delivery), (tx) => hearDelivery(tx, delivery, { runId, nodeId }))
    } catch (error) {
      if (error instanceof Outage) throw error
      // Of one reader: others get it all the same.
      log.error({ err: error, runId, delivery: delivery.id }, 'a delivery could not be brought to its reader')
    }
  }

  async function startWith(delivery: DueDelivery): Promise<void> {
    const { id, workflow_id: workflow, workspace_id: workspaceId } = delivery
    const actor = { workspaceId, userId: delivery.bound_by ?? '', principalId: 'webhook' }
    try {
      await engine.startTaking(actor, { workflow, input: payloadOf(delivery), transactionId: id, trigger: 'webhook' }, (tx, runId) => settleDelivery(tx, id, runId))
    } catch (error) {
      // Nothing that is wrong with the delivery: it is lent again.
      if (error instanceof Outage || (error instanceof Fault && error.code === 'storage_full')) throw error
      if (!(error instanceof Fault)) log.error({ err: error, delivery: id }, 'a delivery could not start its run')
      await fail(delivery, error)
    }
  }

  async function fail(delivery: DueDelivery, error: unknown): Promise<void> {
    // What is deleted does not come back.
    const afterMs = error instanceof Fault && error.kind === 'not_found' ? null : backoff(delivery.attempts + 1)
    const told = refusedStart(error)
    const isCounted = await failDelivery(database, delivery, told, afterMs === null ? null : new Date(now() + afterMs))
    if (isCounted && afterMs === null) log.warn({ delivery: delivery.id, code: told.code }, 'a delivery is dead: it could not start a run')
  }

  return createLookout({ name: 'webhooks', doorbell, topic: 'sources', everyMs, look, log })
}

/** A few at a time, until told to stop. Throws the first error when all under way have ended. */
async function each<T>(items: readonly T[], signal: AbortSignal, work: (item: T) => Promise<void>): Promise<void> {
  for (let next = 0; next < items.length && !signal.aborted; next += atOnce) {
    const ended = await Promise.allSettled(items.slice(next, next + atOnce).map(work))
    for (const result of ended) if (result.status === 'rejected') throw result.reason
  }
}

const payloadOf = (delivery: DeliveryRow): Json => ({ ...contentFrom(delivery) })
