import {
  Fault,
  type Json,
  limits,
  type ListQueueItems,
  type ListQueues,
  type Page,
  type Queue,
  type QueueField,
  type QueueItem,
  type QueueItemField,
  type QueueItemStatus,
  type QueueState,
  type StepError,
  type Where,
} from '@sluice/schema'
import type { StoredList } from '../conditions/fields.ts'
import { listPage } from '../conditions/list.ts'
import type { Tx } from '../database.ts'
import { queueColumns, type QueueRow } from '../rows/queues.ts'
import { createScale, listedValue } from './listed.ts'

const queueFrom = (row: QueueRow): Queue => ({
  name: row.name,
  trigger: row.workflow_id === null ? null : { workflowId: row.workflow_id, concurrency: row.concurrency! },
  created: row.created_at.toISOString(),
  updated: row.updated_at.toISOString(),
})

const queueList: StoredList<Queue, QueueField> = {
  id: 'name',
  order: ['name'],
  fields: {
    name: { type: 'text', sql: 'name', of: (queue) => queue.name },
    workflowId: { type: 'id', nullable: true, sql: 'workflow_id', of: (queue) => queue.trigger?.workflowId ?? null },
    created: { type: 'time', sql: 'created_at', of: (queue) => queue.created },
    updated: { type: 'time', sql: 'updated_at', of: (queue) => queue.updated },
  },
}

/** In the order of their names unless asked otherwise. */
export const listQueues = (tx: Tx, workspaceId: string, asked: ListQueues): Promise<Page<Queue>> =>
  listPage(tx, queueList, asked, { select: queueColumns, from: 'queues', scope: 'workspace_id = $1', values: [workspaceId], item: queueFrom })

/** Throws a Fault `queue_missing`. */
export async function getQueue(tx: Tx, workspaceId: string, name: string): Promise<Queue> {
  const [row] = await tx.query<QueueRow & { [column: string]: unknown }>({ name: 'view-queue', text: `select ${queueColumns} from queues where workspace_id = $1 and name = $2` }, [
    workspaceId,
    name,
  ])
  if (!row) throw new Fault('queue_missing')
  return queueFrom(row)
}

/** With what is in it. Throws a Fault `queue_missing`. */
export async function getQueueState(tx: Tx, workspaceId: string, name: string): Promise<QueueState> {
  const queue = await getQueue(tx, workspaceId, name)
  const counted = (status: QueueItemStatus) =>
    `(select count(*)::int from (select from queue_items where status = '${status}' and workspace_id = $1 and queue = $2 limit ${limits.queueItems}) as counted) as ${status}`
  const [row] = await tx.query<Record<QueueItemStatus, number> & { oldest: Date | null }>(
    {
      name: 'view-queue-state',
      text: `
        select ${counted('waiting')}, ${counted('taken')}, ${counted('dead')}, (
          select pushed_at from queue_items where status = 'waiting' and workspace_id = $1 and queue = $2 order by due_at, position limit 1
        ) as oldest`,
    },
    [workspaceId, name],
  )
  const { waiting, taken, dead, oldest } = row!
  return { ...queue, waiting, taken, dead, oldest: oldest?.toISOString() ?? null }
}

interface ItemRow {
  id: string
  queue: string
  status: QueueItemStatus
  payload: Json
  tries: number
  error: StepError | null
  run_id: string | null
  pushed_at: Date
  due_at: Date
  taken_at: Date | null
}

const itemFrom = (row: ItemRow): QueueItem => ({
  id: row.id,
  queue: row.queue,
  status: row.status,
  payload: row.payload,
  tries: row.tries,
  error: row.error,
  runId: row.run_id,
  pushedAt: row.pushed_at.toISOString(),
  retryAt: row.status === 'waiting' && row.tries > 0 ? row.due_at.toISOString() : null,
  takenAt: row.taken_at?.toISOString() ?? null,
})

const itemColumns = (payload: string): string => `id, queue, status, ${payload}, tries, error, run_id, pushed_at, due_at, taken_at`

/** Throws a Fault `item_missing`. */
export async function getQueueItem(tx: Tx, workspaceId: string, queue: string, id: string): Promise<QueueItem> {
  const [row] = await tx.query<ItemRow & { [column: string]: unknown }>(
    { name: 'view-queue-item', text: `select ${itemColumns('payload')} from queue_items where id = $3 and workspace_id = $1 and queue = $2` },
    [workspaceId, queue, id],
  )
  if (!row) throw new Fault('item_missing')
  return itemFrom(row)
}

const itemList: StoredList<QueueItem, QueueItemField> = {
  id: 'id',
  order: ['id'],
  fields: {
    id: { type: 'id', sql: 'id', of: (item) => item.id },
    status: { type: 'text', sql: 'status', of: (item) => item.status },
    runId: { type: 'id', nullable: true, sql: 'run_id', of: (item) => item.runId },
    tries: { type: 'number', sql: 'tries', of: (item) => item.tries },
    pushedAt: { type: 'time', sql: 'pushed_at', of: (item) => item.pushedAt },
    takenAt: { type: 'time', nullable: true, sql: 'taken_at', of: (item) => item.takenAt },
  },
}

/** Those that came first first unless asked otherwise, large payloads by their size. Throws Faults `queue_missing`, and `limit_exceeded` when a page is more than an answer holds. */
export async function listQueueItems(tx: Tx, workspaceId: string, { queue, ...asked }: ListQueueItems): Promise<Page<QueueItem>> {
  await getQueue(tx, workspaceId, queue)
  const also: Where<QueueItemField> = { status: asked.status }
  const page = await listPage(
    tx,
    itemList,
    { ...asked, also },
    { select: itemColumns(listedValue('payload')), from: 'queue_items', scope: 'workspace_id = $1 and queue = $2', values: [workspaceId, queue], item: itemFrom },
  )
  createScale()(page.items)
  return page
}
