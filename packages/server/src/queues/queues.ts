import { Fault, type Json, limits, type OneQueue, type PushedItems, type PushItems, type PutQueue, type Queue, type RetriedItems, type RetryItems } from '@sluice/schema'
import type { Actor } from '../engine/engine.ts'
import type { Doorbell } from '../events/doorbell.ts'
import { fingerprintOf } from '../store/fingerprint.ts'
import type { Database, Tx } from '../store/index.ts'
import { redirectKey, takeKey } from '../store/rows/idempotency.ts'
import { type QueueKey, bindQueue, countQueues, countUnread, deleteItems, deleteQueue, lockQueue, pushItems, reviveItems } from '../store/rows/queues.ts'
import { pinWorkflow } from '../store/rows/workflows.ts'
import { getQueue } from '../store/views/queues.ts'

/** Durable queues of a workspace. A queue comes to be when something is first put into it. */
export interface Queues {
  /**
   * Makes the queue unless it is there, and says which workflow its items start, if any. Throws `workflow_missing`, and
   * `limit_exceeded` when the workspace has as many queues as it may.
   */
  put(actor: Actor, input: PutQueue): Promise<Queue>
  /**
   * All of the items, in this order, or none; they survive whatever happens next. Gives their ids. Throws `queue_full`,
   * `idempotency_conflict`, and `limit_exceeded` as `put` does.
   */
  push(actor: Actor, input: PushItems): Promise<PushedItems>
  /** Dead items wait again, in the place they had. Throws `queue_missing`. */
  retry(actor: Actor, input: RetryItems): Promise<RetriedItems>
  /** With its items, whatever they are. Runs that they started go on; who reads the queue waits for the next of its name. Throws `queue_missing`. */
  delete(actor: Actor, input: OneQueue): Promise<void>
}

/** Of a deletion, in one transaction. */
const batch = 1_000

export function createQueues({ database, doorbell }: { database: Database; doorbell: Doorbell }): Queues {
  const keyOf = (actor: Actor, name: string): QueueKey => ({ workspaceId: actor.workspaceId, name })
  const ring = (): void => doorbell.ring({ sources: true })

  return {
    async put(actor, { queue, trigger }) {
      const key = keyOf(actor, queue)
      await database.transaction(async (tx) => {
        // Before the queue, as the deletion of a workflow does.
        const bound = trigger ? { workflowId: await pinned(tx, actor, trigger.workflow), concurrency: trigger.concurrency, boundBy: actor.userId } : trigger
        await enter(tx, key)
        if (bound !== undefined) await bindQueue(tx, key, bound)
      })
      ring()
      return getQueue(database, actor.workspaceId, queue)
    },
    async push(actor, input) {
      const ids = await database.transaction((tx) => pushOnce(tx, actor, input))
      ring()
      return { ids }
    },
    async retry(actor, { queue, ids }) {
      await getQueue(database, actor.workspaceId, queue)
      const count = await reviveItems(database, keyOf(actor, queue), ids ?? null)
      if (count > 0) ring()
      return { count }
    },
    async delete(actor, { queue }) {
      const key = keyOf(actor, queue)
      // Most of them before their queue: one transaction for a hundred thousand would hold up who pushes meanwhile.
      while ((await deleteItems(database, key, batch)) === batch);
      if (!(await deleteQueue(database, key))) throw new Fault('queue_missing')
    },
  }
}

async function pinned(tx: Tx, actor: Actor, workflow: string): Promise<string> {
  const found = await pinWorkflow(tx, actor.workspaceId, workflow)
  if (!found) throw new Fault('workflow_missing', { details: { workflow } })
  return found.id
}

/** The queue, under its lock, made unless it is there. */
async function enter(tx: Tx, key: QueueKey): Promise<void> {
  const { isNew } = await lockQueue(tx, key)
  if (isNew && (await countQueues(tx, key.workspaceId, limits.queues + 1)) > limits.queues)
    throw new Fault('limit_exceeded', { message: `A workspace has at most ${limits.queues} queues` })
}

async function pushOnce(tx: Tx, actor: Actor, { idempotencyKey, ...request }: PushItems): Promise<string[]> {
  const { workspaceId, principalId } = actor
  const kept = { workspaceId, actor: principalId, key: `push:${idempotencyKey}` }
  if (idempotencyKey !== undefined) {
    const fingerprint = fingerprintOf(request)
    const known = await takeKey(tx, { ...kept, fingerprint, reply: 'null' })
    if (known && known.fingerprint !== fingerprint) throw new Fault('idempotency_conflict')
    if (known) return (known.reply as { ids: string[] }).ids
  }
  const ids = await pushIn(tx, { workspaceId, name: request.queue }, request.items)
  if (idempotencyKey !== undefined) await redirectKey(tx, { ...kept, reply: JSON.stringify({ ids }) })
  return ids
}

async function pushIn(tx: Tx, key: QueueKey, items: readonly Json[]): Promise<string[]> {
  await enter(tx, key)
  const unread = await countUnread(tx, key, limits.queueItems)
  if (unread + items.length > limits.queueItems)
    throw new Fault('queue_full', { message: `The queue keeps ${limits.queueItems} items that nobody has taken`, details: { unread, most: limits.queueItems } })
  return pushItems(
    tx,
    items.map((item) => ({ workspaceId: key.workspaceId, queue: key.name, payload: JSON.stringify(item) })),
  )
}
