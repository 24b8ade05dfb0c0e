import { z } from 'zod'
import { listInput } from './conditions.ts'
import { Id, Timestamp, WorkflowRef } from './ids.ts'
import { Json } from './json.ts'
import { StepError } from './step-error.ts'

/** Names a queue of a workspace. */
export const QueueName = z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'expected 1 to 100 characters of A-Z a-z 0-9 . _ -')

/** Each item starts a run of the workflow, with the item as its input; at most so many of these runs are live at a time. */
export const QueueTrigger = z.object({ workflowId: Id, concurrency: z.int() })
export type QueueTrigger = z.infer<typeof QueueTrigger>

/** A durable list of JSON values: first in, first out, and each is taken once. */
export const Queue = z.object({
  name: z.string(),
  trigger: QueueTrigger.nullable(),
  created: Timestamp,
  updated: Timestamp,
})
export type Queue = z.infer<typeof Queue>

/** With what is in it. Of more than 100,000 taken items so many are told. */
export const QueueState = Queue.extend({
  waiting: z.int(),
  taken: z.int(),
  dead: z.int(),
  oldest: Timestamp.nullable().meta({ description: 'When the first of the waiting items was pushed' }),
})
export type QueueState = z.infer<typeof QueueState>

/** A dead one could not start a run, for as often as that is tried. Taken ones are kept for 24 hours. */
export const QueueItemStatus = z.enum(['waiting', 'taken', 'dead'])
export type QueueItemStatus = z.infer<typeof QueueItemStatus>

export const QueueItem = z.object({
  id: Id,
  queue: z.string(),
  status: QueueItemStatus,
  payload: Json,
  tries: z.int(),
  error: StepError.nullable(),
  runId: Id.nullable(),
  pushedAt: Timestamp,
  retryAt: Timestamp.nullable(),
  takenAt: Timestamp.nullable(),
})
export type QueueItem = z.infer<typeof QueueItem>

/** What lists of queues and of their items are filtered and sorted by. */
export const queueFields = ['name', 'workflowId', 'created', 'updated'] as const
export type QueueField = (typeof queueFields)[number]
export const queueItemFields = ['id', 'status', 'runId', 'tries', 'pushedAt', 'takenAt'] as const
export type QueueItemField = (typeof queueItemFields)[number]

export const OneQueue = z.strictObject({ queue: QueueName })
export type OneQueue = z.infer<typeof OneQueue>

export const ListQueues = z.strictObject({ ...listInput(queueFields) })
export type ListQueues = z.infer<typeof ListQueues>

/** Makes the queue unless it is there. What is absent stays as it is. */
export const PutQueue = z.strictObject({
  queue: QueueName,
  trigger: z
    .strictObject({
      workflow: WorkflowRef,
      concurrency: z.int().min(1).max(100).default(10).meta({ description: 'Runs of this queue that are live at a time' }),
    })
    .nullable()
    .optional()
    .meta({ description: 'The workflow that each item starts a run of; null: none' }),
})
export type PutQueue = z.infer<typeof PutQueue>

/** All of them, in this order, or none. */
export const PushItems = z.strictObject({
  queue: QueueName,
  items: z.array(Json).min(1).max(100),
  idempotencyKey: z.string().min(1).max(200).optional(),
})
export type PushItems = z.infer<typeof PushItems>

export const PushedItems = z.object({ ids: z.array(Id) })
export type PushedItems = z.infer<typeof PushedItems>

export const ListQueueItems = z.strictObject({
  queue: QueueName,
  status: QueueItemStatus.optional().meta({ description: 'Only those that stand so' }),
  ...listInput(queueItemFields),
})
export type ListQueueItems = z.infer<typeof ListQueueItems>

export const OneQueueItem = z.strictObject({ queue: QueueName, id: Id })
export type OneQueueItem = z.infer<typeof OneQueueItem>

/** Dead items wait again, in the place they had. */
export const RetryItems = z.strictObject({
  queue: QueueName,
  ids: z.array(Id).min(1).max(100).optional().meta({ description: 'These; all dead items of the queue unless given' }),
})
export type RetryItems = z.infer<typeof RetryItems>

export const RetriedItems = z.object({ count: z.int() })
export type RetriedItems = z.infer<typeof RetriedItems>
