import type { ListQueueItems, ListQueues, OneQueue, OneQueueItem, PushedItems, PushItems, PutQueue, Queue, QueueItem, QueueState, RetriedItems, RetryItems } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import { keyed } from '../idempotency.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** Durable lists of JSON values. Items go first in, first out, and each is taken once: by a step that waits for it, or by the run that it starts. */
export interface Queues {
  /** In the order of their names. */
  list(filter?: Input<typeof ListQueues>, options?: CallOptions): Listing<Queue>
  /** With how many items are in it. Throws `NotFoundError` (`queue_missing`). */
  get(which: Input<typeof OneQueue>, options?: CallOptions): Promise<QueueState>
  /** Makes the queue unless it is there. With a `trigger` each item starts a run of its workflow; null takes that away. Throws `NotFoundError` (`workflow_missing`). */
  put(queue: Input<typeof PutQueue>, options?: CallOptions): Promise<Queue>
  /** With its items, whatever they are. Runs that they started go on. Throws `NotFoundError` (`queue_missing`). */
  delete(which: Input<typeof OneQueue>, options?: CallOptions): Promise<void>
  /** All items, in this order, or none: up to 100. Makes the queue unless it is there. The same request under one `idempotencyKey` pushes once, and answers with the same ids. Throws `LimitExceededError` (`queue_full`). */
  push(items: Input<typeof PushItems>, options?: CallOptions): Promise<PushedItems>
  /** In the order they came in. Large payloads are told by their size: `item` gives them. Throws `NotFoundError` (`queue_missing`). */
  items(filter: Input<typeof ListQueueItems>, options?: CallOptions): Listing<QueueItem>
  /** Throws `NotFoundError` (`item_missing`). */
  item(which: Input<typeof OneQueueItem>, options?: CallOptions): Promise<QueueItem>
  /** Dead items wait again, in the place they had: these, or all. Gives how many. Throws `NotFoundError` (`queue_missing`). */
  retry(which: Input<typeof RetryItems>, options?: CallOptions): Promise<RetriedItems>
}

export const queuesOf = ({ list, read, repeat, remove }: Calls): Queues => ({
  list: (filter, options) => list('queues.list', filter, options),
  get: (which, options) => read('queues.get', which, options),
  put: (queue, options) => repeat('queues.put', queue, options),
  delete: (which, options) => remove('queues.delete', which, options),
  push: (items, options) => repeat('queues.push', keyed(items), options),
  items: (filter, options) => list('queues.items', filter, options),
  item: (which, options) => read('queues.item', which, options),
  retry: (which, options) => repeat('queues.retry', which, options),
})
