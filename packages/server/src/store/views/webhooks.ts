import type { Delivery, DeliveryField, DeliveryStatus, Json, ListDeliveries, ListWebhooks, Page, StepError, Webhook, WebhookField } from '@sluice/schema'
import type { StoredList } from '../conditions/fields.ts'
import { listPage } from '../conditions/list.ts'
import type { Tx } from '../database.ts'
import { webhookColumns, type WebhookRow } from '../rows/webhooks.ts'
import { createScale, listedValue } from './listed.ts'

export const webhookFrom = (row: WebhookRow): Webhook => ({
  id: row.id,
  name: row.name,
  hasAddress: row.secret_hash !== null,
  signature: row.signature,
  idHeader: row.id_header,
  trigger: row.workflow_id === null ? null : { workflow: row.workflow_id },
  created: row.created_at.toISOString(),
  updated: row.updated_at.toISOString(),
})

const webhookList: StoredList<Webhook, WebhookField> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'id', of: (webhook) => webhook.id },
    name: { type: 'text', sql: 'name', of: (webhook) => webhook.name },
    hasAddress: { type: 'boolean', sql: '(secret_hash is not null)', of: (webhook) => webhook.hasAddress },
    created: { type: 'time', sql: 'created_at', of: (webhook) => webhook.created },
    updated: { type: 'time', sql: 'updated_at', of: (webhook) => webhook.updated },
  },
}

/** Newest first unless asked otherwise. */
export const listWebhooks = (tx: Tx, workspaceId: string, asked: ListWebhooks): Promise<Page<Webhook>> =>
  listPage(tx, webhookList, asked, { select: webhookColumns, from: 'webhooks', scope: 'workspace_id = $1', values: [workspaceId], item: webhookFrom })

interface DeliveryView {
  id: string
  webhook_id: string
  status: DeliveryStatus
  sender_id: string | null
  redelivers: string | null
  method: string
  headers: Record<string, string>
  query: Record<string, string | string[]>
  body: Json
  producers: number
  run_id: string | null
  attempts: number
  error: StepError | null
  due_at: Date | null
  received_at: Date
  settled_at: Date | null
}

const deliveryFrom = (row: DeliveryView): Delivery => ({
  id: row.id,
  webhookId: row.webhook_id,
  status: row.status,
  senderId: row.sender_id,
  redelivers: row.redelivers,
  method: row.method,
  headers: row.headers,
  query: row.query,
  body: row.body,
  producers: row.producers,
  runId: row.run_id,
  attempts: row.attempts,
  error: row.error,
  retryAt: row.due_at?.toISOString() ?? null,
  receivedAt: row.received_at.toISOString(),
  settledAt: row.settled_at?.toISOString() ?? null,
})

const deliveryList: StoredList<Delivery, DeliveryField> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'id', of: (delivery) => delivery.id },
    status: { type: 'text', sql: 'status', of: (delivery) => delivery.status },
    senderId: { type: 'text', nullable: true, sql: 'sender_id', of: (delivery) => delivery.senderId },
    redelivers: { type: 'id', nullable: true, sql: 'redelivers', of: (delivery) => delivery.redelivers },
    method: { type: 'text', sql: 'method', of: (delivery) => delivery.method },
    producers: { type: 'number', sql: 'producers', of: (delivery) => delivery.producers },
    runId: { type: 'id', nullable: true, sql: 'run_id', of: (delivery) => delivery.runId },
    attempts: { type: 'number', sql: 'attempts', of: (delivery) => delivery.attempts },
    retryAt: { type: 'time', nullable: true, sql: 'due_at', of: (delivery) => delivery.retryAt },
    receivedAt: { type: 'time', sql: 'received_at', of: (delivery) => delivery.receivedAt },
    settledAt: { type: 'time', nullable: true, sql: 'settled_at', of: (delivery) => delivery.settledAt },
  },
}

/** Of one webhook. Newest first unless asked otherwise. Throws a Fault `limit_exceeded` for a page of more than an answer holds. */
export async function listDeliveries(tx: Tx, webhookId: string, { webhook: _webhook, status, ...asked }: ListDeliveries): Promise<Page<Delivery>> {
  const page = await listPage(
    tx,
    deliveryList,
    { ...asked, also: status && { status } },
    {
      select: `id, webhook_id, status, sender_id, redelivers, method, headers, query, ${listedValue('body')}, producers, run_id, attempts, error, due_at, received_at, settled_at`,
      from: 'deliveries',
      scope: 'webhook_id = $1',
      values: [webhookId],
      item: deliveryFrom,
    },
  )
  createScale()(page.items)
  return page
}
