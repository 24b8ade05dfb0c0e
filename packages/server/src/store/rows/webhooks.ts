import type { StepError, WebhookSignature } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { newId, timeOf } from '../ids.ts'

/**
 * Webhooks and what came to them. Lock order: a run before a webhook, a webhook before its deliveries. Ids of deliveries are
 * drawn under the lock of their webhook: in their order they are committed, so that no reader's cursor is overtaken.
 */

export interface WebhookRow {
  id: string
  workspace_id: string
  name: string
  secret_hash: Buffer | null
  signature: WebhookSignature | null
  signing_secret: Buffer | null
  id_header: string | null
  workflow_id: string | null
  bound_by: string | null
  created_at: Date
  updated_at: Date
}

export const webhookColumns = 'id, workspace_id, name, secret_hash, signature, signing_secret, id_header, workflow_id, bound_by, created_at, updated_at'

type Rows<R> = Promise<(R & Record<string, unknown>)[]>
const first = async <R>(rows: Rows<R>): Promise<R | undefined> => (await rows)[0]

/** By its id alone: of whoever knows its secret. */
export const webhookAt = (tx: Tx, id: string): Promise<WebhookRow | undefined> =>
  first(tx.query({ name: 'webhook-at', text: `select ${webhookColumns} from webhooks where id = $1` }, [id]))

/** By id or name; an id wins. */
export const findWebhook = (tx: Tx, workspaceId: string, ref: string): Promise<WebhookRow | undefined> =>
  first(
    tx.query({ name: 'webhook-find', text: `select ${webhookColumns} from webhooks where workspace_id = $1 and (id = $2 or name = $2) order by id = $2 desc limit 1` }, [
      workspaceId,
      ref,
    ]),
  )

export const webhookNamed = (tx: Tx, workspaceId: string, name: string): Promise<WebhookRow | undefined> =>
  first(tx.query({ name: 'webhook-named', text: `select ${webhookColumns} from webhooks where workspace_id = $1 and name = $2` }, [workspaceId, name]))

export interface WebhookWrite {
  id: string
  workspaceId: string
  name: string
  secretHash: Buffer | null
  signature: WebhookSignature | null
  signingSecret: Buffer | null
  idHeader: string | null
  workflowId: string | null
  boundBy: string | null
  at: Date
}

const written = (row: WebhookWrite): unknown[] => [
  row.id,
  row.workspaceId,
  row.name,
  row.secretHash,
  row.signature && JSON.stringify(row.signature),
  row.signingSecret,
  row.idHeader,
  row.workflowId,
  row.boundBy,
  row.at,
]

/** Webhooks of a workspace are counted, and named, by one transaction at a time. */
const lockNames = (tx: Tx, workspaceId: string): Promise<unknown> =>
  tx.query({ name: 'webhooks-lock', text: 'select pg_advisory_xact_lock(hashtextextended($1, 7466))' }, [workspaceId])

/** Undefined: there is one of this name. */
export async function insertWebhook(tx: Tx, row: WebhookWrite, most: number): Promise<WebhookRow | 'full' | undefined> {
  await lockNames(tx, row.workspaceId)
  const [count] = await tx.query<{ full: boolean }>({ name: 'webhooks-count', text: 'select count(*) >= $2 as full from webhooks where workspace_id = $1' }, [
    row.workspaceId,
    most,
  ])
  const text = `
    insert into webhooks (id, workspace_id, name, secret_hash, signature, signing_secret, id_header, workflow_id, bound_by, created_at, updated_at)
    select $1, $2, $3, $4::bytea, $5::json, $6::bytea, $7, $8, $9, $10::timestamptz, $10::timestamptz
    on conflict (workspace_id, name) do nothing returning ${webhookColumns}`
  if (count!.full) return 'full'
  return first(tx.query({ name: 'webhook-insert', text }, written(row)))
}

/** False: there is one of this name. */
export async function updateWebhook(tx: Tx, row: WebhookWrite): Promise<boolean> {
  await lockNames(tx, row.workspaceId)
  const taken = await tx.query({ name: 'webhook-name-taken', text: 'select from webhooks where workspace_id = $1 and name = $2 and id <> $3' }, [row.workspaceId, row.name, row.id])
  if (taken.length > 0) return false
  const text = `
    update webhooks set name = $3, secret_hash = $4, signature = $5::json, signing_secret = $6, id_header = $7, workflow_id = $8, bound_by = $9, updated_at = $10
    where id = $1 and workspace_id = $2`
  await tx.query({ name: 'webhook-update', text }, written(row))
  return true
}

/** With its deliveries. */
export async function deleteWebhook(tx: Tx, id: string): Promise<void> {
  await tx.query({ name: 'webhook-delete', text: 'delete from webhooks where id = $1' }, [id])
}

// ── coming in ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface LockedWebhook extends WebhookRow {
  last_delivery: string | null
}

/** Until the transaction ends nothing else comes in here. Undefined: it has gone. */
export const lockWebhook = (tx: Tx, id: string): Promise<LockedWebhook | undefined> =>
  first(tx.query({ name: 'webhook-lock', text: `select ${webhookColumns}, last_delivery from webhooks where id = $1 for no key update` }, [id]))

/** What a delivery is known by when it comes again. */
export interface DeliveryKeys {
  senderId: string | null
  signatureHash: Buffer | null
}

/** The one that came before. Under the webhook's lock. */
export async function sameDelivery(tx: Tx, webhookId: string, { senderId, signatureHash }: DeliveryKeys): Promise<string | null> {
  if (senderId === null && signatureHash === null) return null
  const [row] = await tx.query<{ id: string }>(
    {
      name: 'delivery-same',
      text: `
        select id from deliveries where webhook_id = $1 and sender_id = $2
        union all select id from deliveries where webhook_id = $1 and signature_hash = $3 limit 1`,
    },
    [webhookId, senderId, signatureHash],
  )
  return row?.id ?? null
}

/** What it says; the parts as JSON text. */
export interface StoredContent {
  method: string
  headers: string
  query: string
  body: string
}

/** Puts a delivery behind all that came, for the trigger as it is now. Under the webhook's lock. Gives its id. */
export async function insertDelivery(
  tx: Tx,
  webhook: LockedWebhook,
  delivery: StoredContent & DeliveryKeys & { redelivers: string | null; id: string; at: Date },
): Promise<string> {
  const { id: drawn } = delivery
  const last = webhook.last_delivery ?? ''
  // Clocks of several servers may differ.
  const id = drawn > last ? drawn : newId(timeOf(last) + 1)
  const { workflow_id: workflowId, bound_by: boundBy } = webhook
  await tx.query(
    {
      name: 'delivery-insert',
      text: `
        insert into deliveries (id, webhook_id, status, sender_id, signature_hash, redelivers, method, headers, query, body, workflow_id, bound_by, due_at, received_at, settled_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8::json, $9::json, $10::json, $11, $12, $13, $14, $15)`,
    },
    [
      id,
      webhook.id,
      workflowId === null ? 'unheard' : 'pending',
      delivery.senderId,
      delivery.signatureHash,
      delivery.redelivers,
      delivery.method,
      delivery.headers,
      delivery.query,
      delivery.body,
      workflowId,
      boundBy,
      workflowId === null ? null : delivery.at,
      delivery.at,
      workflowId === null ? delivery.at : null,
    ],
  )
  await tx.query({ name: 'webhook-received', text: 'update webhooks set last_delivery = $2, last_received_at = $3 where id = $1' }, [webhook.id, id, delivery.at])
  return id
}

/** The content of one, to deliver it again. */
export const contentOf = (tx: Tx, webhookId: string, id: string): Promise<StoredContent | undefined> =>
  first(
    tx.query(
      {
        name: 'delivery-content',
        text: 'select method, headers::text as headers, query::text as query, body::text as body from deliveries where webhook_id = $1 and id = $2',
      },
      [webhookId, id],
    ),
  )

/** Producers of live runs that wait for a delivery, or are busy with one. */
export async function countReaders(tx: Tx, webhook: Pick<WebhookRow, 'id' | 'workspace_id' | 'name'>): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    {
      name: 'webhook-readers',
      text: `
        select count(*)::int as count from (
          select run_id, node_id from listeners where kind = 'webhook' and workspace_id = $2 and name = $3
          union
          select run_id, node_id from webhook_readers join runs on runs.id = run_id and runs.ended_at is null where webhook_id = $1
        ) as readers`,
    },
    [webhook.id, webhook.workspace_id, webhook.name],
  )
  return row!.count
}

// ── dispatching ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface DeliveryRow {
  id: string
  webhook_id: string
  method: string
  headers: Record<string, string>
  query: Record<string, string | string[]>
  /** JSON text. */
  body: string
  received_at: Date
}

export interface DueDelivery extends DeliveryRow {
  workspace_id: string
  workflow_id: string
  bound_by: string | null
  attempts: number
}

const content = 'deliveries.id, webhook_id, method, headers, query, body::text as body, received_at'

/** Deliveries whose trigger is due, lent to this server for so many seconds; in the order of their times. */
export async function lendDue(tx: Tx, limits: { deliveries: number; seconds: number }): Promise<DueDelivery[]> {
  const lent = await tx.query<DueDelivery & Record<string, unknown>>(
    {
      name: 'deliveries-lend',
      text: `
        with due as (select id from deliveries where due_at <= now() order by due_at, id limit $1 for no key update skip locked)
        update deliveries set due_at = now() + $2 * interval '1 second' from due, webhooks
        where deliveries.id = due.id and webhooks.id = webhook_id
        returning ${content}, deliveries.workflow_id, deliveries.bound_by, attempts, workspace_id`,
    },
    [limits.deliveries, limits.seconds],
  )
  return lent.sort((one, other) => (one.id < other.id ? -1 : 1))
}

/** Its trigger starts a run. False: it has done so already, or the delivery has gone. */
export async function settleDelivery(tx: Tx, id: string, runId: string): Promise<boolean> {
  const settled = await tx.query(
    {
      name: 'delivery-settle',
      text: `
        update deliveries set status = 'done', run_id = $2, attempts = attempts + 1, error = null, due_at = null, settled_at = now()
        where id = $1 and status = 'pending' returning id`,
    },
    [id, runId],
  )
  return settled.length > 0
}

/** Counts an attempt that failed: the next is at `dueAt`, or there is none. Not counted when another has been counted meanwhile. */
export async function failDelivery(tx: Tx, { id, attempts }: Pick<DueDelivery, 'id' | 'attempts'>, error: StepError, dueAt: Date | null): Promise<boolean> {
  const counted = await tx.query(
    {
      name: 'delivery-fail',
      text: `
        update deliveries set attempts = attempts + 1, error = $3::json, due_at = $4::timestamptz,
          status = case when $4::timestamptz is null then 'dead' else 'pending' end, settled_at = case when $4::timestamptz is null then now() end
        where id = $1 and status = 'pending' and attempts = $2 returning id`,
    },
    [id, attempts, JSON.stringify(error), dueAt],
  )
  return counted.length > 0
}

/** A step that waits for a delivery. */
export interface WaitingReader {
  run_id: string
  node_id: string
  iteration: string
  webhook_id: string
  /** The last that its producer has taken; null: none. */
  after: string | null
  /** What came before is not for it. */
  since: Date
}

/** Where a look goes on. */
export type ReaderPlace = Pick<WaitingReader, 'run_id' | 'node_id' | 'iteration'>

/** Those to whose webhook something has come since, after a place in their order: told by the webhooks alone, however much has come to them. */
export const readersWithNews = (tx: Tx, { run_id, node_id, iteration }: ReaderPlace, limit: number): Promise<WaitingReader[]> =>
  tx.query<WaitingReader & Record<string, unknown>>(
    {
      name: 'webhook-readers-news',
      text: `
        select run_id, node_id, iteration, webhooks.id as webhook_id, after, since
        from listeners join webhooks on webhooks.workspace_id = listeners.workspace_id and webhooks.name = listeners.name
        where kind = 'webhook' and (run_id, node_id, iteration) > ($1, $2, $3)
          and case when after is null then last_received_at >= since else last_delivery > after end
        order by run_id, node_id, iteration limit $4`,
    },
    [run_id, node_id, iteration, limit],
  )

/** The first with a later id that came at `since` or later. */
export const nextDelivery = (tx: Tx, webhookId: string, after: string, since: Date): Promise<DeliveryRow | undefined> =>
  first(
    tx.query(
      {
        name: 'delivery-next',
        text: `select ${content} from deliveries where webhook_id = $1 and id > $2 and received_at >= $3 order by id limit 1`,
      },
      [webhookId, after, since],
    ),
  )

/** A producer takes it. False: it has gone. */
export async function hearDelivery(tx: Tx, delivery: Pick<DeliveryRow, 'id' | 'webhook_id'>, reader: { runId: string; nodeId: string }): Promise<boolean> {
  // Before the delivery, as who deletes them both.
  await tx.query({ name: 'webhook-share', text: 'select from webhooks where id = $1 for key share' }, [delivery.webhook_id])
  const heard = await tx.query(
    {
      name: 'delivery-hear',
      text: `
        with heard as (
          update deliveries set producers = producers + 1, status = case status when 'unheard' then 'done' else status end where id = $1 returning id, webhook_id
        )
        insert into webhook_readers (run_id, node_id, webhook_id, after) select $2, $3, webhook_id, id from heard
        on conflict (run_id, node_id, webhook_id) do update set after = excluded.after returning after`,
    },
    [delivery.id, reader.runId, reader.nodeId],
  )
  return heard.length > 0
}
