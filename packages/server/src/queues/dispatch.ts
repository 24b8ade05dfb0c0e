import { Fault, type Json, type StepError } from '@sluice/schema'
import type { Engine } from '../engine/engine.ts'
import { refusedStart } from '../engine/refused-start.ts'
import type { Doorbell } from '../events/doorbell.ts'
import { createLookout } from '../events/lookout.ts'
import { type Database, Outage } from '../store/index.ts'
import {
  type DueItem,
  type LentQueue,
  type Listener,
  type Place,
  type QueueKey,
  failItem,
  lendQueues,
  listenersOf,
  liveStarts,
  nextItem,
  returnQueue,
  takeItem,
} from '../store/rows/queues.ts'
import type { Log } from '../telemetry.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/**
 * Brings the items of queues to the steps that wait for them, and to the workflows they start. Any number of servers do so.
 *
 * Q1. An item is taken in the transaction that it does something in: a run goes on with it, or is started by it. Whatever
 *     is killed at whatever moment, both have happened or neither.
 * Q2. A queue is lent to one server at a time, for a few seconds: so its items go in their order. Nothing but the order hangs
 *     on it; a server that is frozen past its time takes nothing that another has taken.
 * Q3. Steps that wait come before the workflow; of them the one that has waited longest.
 * Q4. An item that cannot start its run waits, longer each time, and others go before it; at last it is dead, and is shown.
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
  metrics: Pick<Metrics, 'queueItem'>
  log: Log
  /** Milliseconds before the next try, after so many that failed; null: there is none. */
  backoff?(failed: number): number | null
  now?: () => number
}

const everyMs = 2_000
/** Of one look. */
const most = { names: 500, queues: 8, seconds: 10 }
/** Well within the time that it is lent for. */
const longestMs = 3_000
const mostListeners = 50
const mostTries = 10
const firstBackoffMs = 500
const longestBackoffMs = 60_000

/** Some two minutes in all. */
export const usualBackoff = (failed: number): number | null => (failed >= mostTries ? null : Math.min(firstBackoffMs * 2 ** (failed - 1), longestBackoffMs))

const first: Place = { workspaceId: '', name: '' }

export function createDispatcher({ database, doorbell, engine, metrics, log, backoff = usualBackoff, now = Date.now }: DispatcherParts): Dispatcher {
  let place = first
  /** Runs whose end makes room for others. */
  let awaited: (() => void)[] = []

  async function look(signal: AbortSignal): Promise<boolean> {
    if (place === first) forgetAwaited()
    const { lent, next } = await lendQueues(database, place, most)
    place = next ?? first
    const left = await Promise.all(lent.map((queue) => serve(queue, signal)))
    return next !== null || left.includes(true)
  }

  function forgetAwaited(): void {
    for (const off of awaited) off()
    awaited = []
  }

  /** Whether there is more that could be done. */
  async function serve(queue: LentQueue, signal: AbortSignal): Promise<boolean> {
    const key: QueueKey = { workspaceId: queue.workspace_id, name: queue.name }
    const end = performance.now() + longestMs
    const bring = carrier(queue, key)
    try {
      while (!signal.aborted) {
        if (performance.now() > end) return true
        const item = await nextItem(database, key)
        if (!item || !(await bring(item))) return false
      }
      return false
    } catch (error) {
      // Of one queue: others are served all the same.
      log[error instanceof Outage ? 'debug' : 'error']({ err: error, queue: queue.name }, 'a queue could not be served')
      return false
    } finally {
      await returnQueue(database, key).catch(() => {})
    }
  }

  /** Brings item by item to somebody, for as long as the queue is lent. False: there is nobody at this moment. */
  function carrier(queue: LentQueue, key: QueueKey): (item: DueItem) => Promise<boolean> {
    /** Who could not be served now is not asked again. */
    const passedOver = new Set<string>()
    let room = 0

    const nextListener = async (): Promise<Listener | undefined> =>
      (await listenersOf(database, key, mostListeners + passedOver.size)).find((listener) => !passedOver.has(nameOf(listener)))

    return async (item) => {
      const listener = await nextListener()
      if (listener) {
        if (!(await deliver(listener, item))) passedOver.add(nameOf(listener))
        return true
      }
      if (queue.workflow_id === null) return false
      if (room === 0) room = await roomIn(queue, key)
      if (room === 0) return false
      room--
      await startWith(queue, queue.workflow_id, item)
      return true
    }
  }

  async function deliver({ run_id: runId, node_id: nodeId, iteration }: Listener, item: DueItem): Promise<boolean> {
    try {
      const isTaken = await engine.deliver({ runId, nodeId, iteration }, JSON.parse(item.payload) as Json, (tx) => takeItem(tx, item.id, { runId, live: false }))
      if (isTaken) metrics.queueItem('delivered')
      return isTaken
    } catch (error) {
      if (error instanceof Outage) throw error
      log.error({ err: error, runId, item: item.id }, 'an item could not be brought to its reader')
      return false
    }
  }

  /** How many runs more may be live. Of none, their ends are waited for. */
  async function roomIn(queue: LentQueue, key: QueueKey): Promise<number> {
    const live = await liveStarts(database, key)
    const room = Math.max(0, (queue.concurrency ?? 1) - live.length)
    if (room === 0) for (const id of live) awaited.push(doorbell.on(`run:${id}`, lookout.wake))
    return room
  }

  async function startWith(queue: LentQueue, workflow: string, item: DueItem): Promise<void> {
    const actor = { workspaceId: queue.workspace_id, userId: queue.bound_by ?? '', principalId: 'queue' }
    try {
      const input = JSON.parse(item.payload) as Json
      const taken = await engine.startTaking(actor, { workflow, input, transactionId: item.id, trigger: 'queue' }, (tx, runId) => takeItem(tx, item.id, { runId, live: true }))
      if (taken !== null) metrics.queueItem('started')
    } catch (error) {
      // Nothing that is wrong with the item.
      if (error instanceof Outage || (error instanceof Fault && error.code === 'storage_full')) throw error
      if (!(error instanceof Fault)) log.error({ err: error, item: item.id }, 'an item could not start its run')
      await fail(item, refusedStart(error))
    }
  }

  async function fail(item: DueItem, error: StepError): Promise<void> {
    const afterMs = backoff(item.tries + 1)
    if (!(await failItem(database, item, error, afterMs === null ? null : new Date(now() + afterMs)))) return
    metrics.queueItem(afterMs === null ? 'dead' : 'failed')
    if (afterMs === null) log.warn({ item: item.id, code: error.code }, 'an item of a queue is dead: it could not start a run')
  }

  const lookout = createLookout({ name: 'queues', doorbell, topic: 'sources', everyMs, look, log })
  return {
    start: () => lookout.start(),
    lookNow: () => lookout.lookNow(),
    async stop() {
      await lookout.stop()
      forgetAwaited()
    },
  }
}

const nameOf = ({ run_id, node_id, iteration }: Listener): string => `${run_id}\n${node_id}\n${iteration}`
