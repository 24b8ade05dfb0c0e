import {
  ListQueueItems,
  ListQueues,
  OneQueue,
  OneQueueItem,
  pageOf,
  PushedItems,
  PushItems,
  PutQueue,
  Queue,
  QueueItem,
  QueueState,
  RetriedItems,
  RetryItems,
} from '@sluice/schema'
import { z } from 'zod'
import { can, router } from './trpc.ts'

const tags = ['queues']

export const queues = router({
  list: can('queues.read', { method: 'GET', path: '/v1/queues', summary: 'List queues', tags }, ListQueues)
    .output(pageOf(Queue))
    .query(({ ctx, input }) => ctx.parts.views.listQueues(ctx.parts.database, ctx.actor.workspaceId, input)),

  get: can('queues.read', { method: 'GET', path: '/v1/queues/{queue}', summary: 'Get a queue, and how many items are in it', tags }, OneQueue)
    .output(QueueState)
    .query(({ ctx, input }) => ctx.parts.views.getQueueState(ctx.parts.database, ctx.actor.workspaceId, input.queue)),

  put: can(
    'queues.manage',
    {
      method: 'PUT',
      path: '/v1/queues/{queue}',
      summary: 'Make a queue, or change which workflow its items start',
      description:
        'With a `trigger` each item starts a run of the workflow: the item is its input, the id of the item its transaction id. At most `concurrency` of these runs are live at a time. A start that fails is tried again, longer and longer after; after ten of them the item is dead. Steps that wait for an item of the queue come before the workflow. When the workflow is deleted the items stay, for who reads them.',
      tags,
    },
    PutQueue,
  )
    .output(Queue)
    .mutation(({ ctx, input }) => ctx.parts.queues.put(ctx.actor, input)),

  delete: can(
    'queues.manage',
    {
      method: 'DELETE',
      path: '/v1/queues/{queue}',
      summary: 'Delete a queue with its items',
      description: 'Whatever its items are. Runs that they started go on, and who reads the queue waits for what is next pushed under its name.',
      tags,
      status: 204,
    },
    OneQueue,
  )
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.queues.delete(ctx.actor, input)),

  push: can(
    'queues.push',
    {
      method: 'POST',
      path: '/v1/queues/{queue}/items',
      summary: 'Push items into a queue',
      description:
        'All of them, in this order, or none; a queue that is not there comes to be. Items go first in, first out, and each is taken once: by a step that waits for it, or by the run that it starts.',
      tags,
      status: 201,
    },
    PushItems,
  )
    .output(PushedItems)
    .mutation(({ ctx, input }) => ctx.parts.queues.push(ctx.actor, input)),

  items: can(
    'queues.read',
    {
      method: 'GET',
      path: '/v1/queues/{queue}/items',
      summary: 'List the items of a queue, in the order they came in',
      description: 'Large payloads by their size. Items that were taken are kept for 24 hours.',
      tags,
    },
    ListQueueItems,
  )
    .output(pageOf(QueueItem))
    .query(({ ctx, input }) => ctx.parts.views.listQueueItems(ctx.parts.database, ctx.actor.workspaceId, input)),

  item: can('queues.read', { method: 'GET', path: '/v1/queues/{queue}/items/{id}', summary: 'Get an item of a queue', tags }, OneQueueItem)
    .output(QueueItem)
    .query(({ ctx, input }) => ctx.parts.views.getQueueItem(ctx.parts.database, ctx.actor.workspaceId, input.queue, input.id)),

  retry: can(
    'queues.push',
    {
      method: 'POST',
      path: '/v1/queues/{queue}/retry',
      summary: 'Let dead items wait again',
      description: 'In the place they had, and as if they had never been tried. Gives how many there were.',
      tags,
    },
    RetryItems,
  )
    .output(RetriedItems)
    .mutation(({ ctx, input }) => ctx.parts.queues.retry(ctx.actor, input)),
})
