import type { StepError } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { newId } from '../ids.ts'

/**
 * Queues and their items. Lock order: a run before a queue, a queue before its items, queues in the order of their names. What
 * takes an item says in what state it must be: of several who would take it one does.
 */

/** Of a workspace. */
export interface QueueKey {
  workspaceId: string
  name: string
}

export interface QueueRow {
  name: string
  workflow_id: string | null
  concurrency: number | null
  created_at: Date
  updated_at: Date
}

export const queueColumns = 'name, workflow_id, concurrency, created_at, updated_at'

/** An item to push; its payload is JSON text. */
export interface ItemWrite {
  workspaceId: string
  queue: string
  payload: string
}

/** Puts items behind all that are there, in this order; queues that are not there come to be. Gives their ids. */
export async function pushItems(tx: Tx, rows: readonly ItemWrite[]): Promise<string[]> {
  if (rows.length === 0) return []
  const ids = rows.map(() => newId())
  await tx.query(
    {
      name: 'queue-items-push',
      text: `
        with given as (
          select * from unnest($1::text[], $2::text[], $3::text[], $4::json[], $5::int[]) with ordinality as t (id, workspace_id, queue, payload, bytes, place)
        ), named as (
          insert into queues (workspace_id, name) select distinct workspace_id, queue from given order by 1, 2 on conflict do nothing
        )
        insert into queue_items (id, workspace_id, queue, payload, bytes) select id, workspace_id, queue, payload, bytes from given order by place`,
    },
    [ids, rows.map((row) => row.workspaceId), rows.map((row) => row.queue), rows.map((row) => row.payload), rows.map((row) => Buffer.byteLength(row.payload))],
  )
  return ids
}

/** The queue, under its lock until the transaction ends: who else pushes through here waits. Made unless it is there. */
export async function lockQueue(tx: Tx, { workspaceId, name }: QueueKey): Promise<{ isNew: boolean }> {
  const made = await tx.query({ name: 'queue-make', text: 'insert into queues (workspace_id, name) values ($1, $2) on conflict do nothing returning name' }, [workspaceId, name])
  await tx.query({ name: 'queue-lock', text: 'select from queues where workspace_id = $1 and name = $2 for no key update' }, [workspaceId, name])
  return { isNew: made.length > 0 }
}

/** Up to `most`. */
export async function countQueues(tx: Tx, workspaceId: string, most: number): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    { name: 'queues-count', text: 'select count(*)::int as count from (select from queues where workspace_id = $1 limit $2) as counted' },
    [workspaceId, most],
  )
  return row!.count
}

/** How many of its items nobody has taken; up to `most`. */
export async function countUnread(tx: Tx, { workspaceId, name }: QueueKey, most: number): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    {
      name: 'queue-items-unread',
      text: `
        select count(*)::int as count from (
          (select from queue_items where status = 'waiting' and workspace_id = $1 and queue = $2 limit $3)
          union all (select from queue_items where status = 'dead' and workspace_id = $1 and queue = $2 limit $3)
        ) as unread`,
    },
    [workspaceId, name, most],
  )
  return Math.min(row!.count, most)
}

/** Its workflow, or none. `updated_at` moves. */
export const bindQueue = (tx: Tx, { workspaceId, name }: QueueKey, trigger: { workflowId: string; concurrency: number; boundBy: string } | null): Promise<unknown> =>
  tx.query(
    {
      name: 'queue-bind',
      text: 'update queues set workflow_id = $3, concurrency = $4, bound_by = $5, updated_at = now() where workspace_id = $1 and name = $2',
    },
    [workspaceId, name, trigger?.workflowId ?? null, trigger?.concurrency ?? null, trigger?.boundBy ?? null],
  )

/** Queues that a workflow was bound to keep their items, for who reads them. */
export const unbindQueues = (tx: Tx, workflowId: string): Promise<unknown> =>
  tx.query({ name: 'queues-unbind', text: 'update queues set workflow_id = null, concurrency = null, bound_by = null, updated_at = now() where workflow_id = $1' }, [workflowId])

/** Some of its items; fewer than `limit`: there are no more. */
export async function deleteItems(tx: Tx, { workspaceId, name }: QueueKey, limit: number): Promise<number> {
  const gone = await tx.query(
    {
      name: 'queue-items-delete',
      text: 'delete from queue_items where id in (select id from queue_items where workspace_id = $1 and queue = $2 limit $3) returning id',
    },
    [workspaceId, name, limit],
  )
  return gone.length
}

/** With what is left in it. */
export async function deleteQueue(tx: Tx, { workspaceId, name }: QueueKey): Promise<boolean> {
  const gone = await tx.query({ name: 'queue-delete', text: 'delete from queues where workspace_id = $1 and name = $2 returning name' }, [workspaceId, name])
  return gone.length > 0
}

/** Dead items wait again, where they stood: these, or all of the queue. Gives how many. */
export async function reviveItems(tx: Tx, { workspaceId, name }: QueueKey, ids: readonly string[] | null): Promise<number> {
  const revived = await tx.query(
    {
      name: 'queue-items-revive',
      text: `
        update queue_items set status = 'waiting', tries = 0, error = null, due_at = pushed_at
        where status = 'dead' and workspace_id = $1 and queue = $2 and ($3::text[] is null or id = any($3)) returning id`,
    },
    [workspaceId, name, ids],
  )
  return revived.length
}

// ── dispatching ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A queue with something due, lent to this server. */
export interface LentQueue {
  workspace_id: string
  name: string
  workflow_id: string | null
  concurrency: number | null
  bound_by: string | null
}

/** The queue that a look has come to: of those of all workspaces, in order. */
export interface Place {
  workspaceId: string
  name: string
}

/**
 * Queues from `after` on that have an item that is due, and somebody to take it. The names are hopped through by the index:
 * what it costs is the queues with items, not the items. `next` is where to go on; null: that was all.
 */
export async function lendQueues(tx: Tx, after: Place, limits: { names: number; queues: number; seconds: number }): Promise<{ lent: LentQueue[]; next: Place | null }> {
  const names = await tx.query<{ workspace_id: string; queue: string }>(
    {
      name: 'queues-with-items',
      text: `
        with recursive names as (
          (select workspace_id, queue, 1 as number from queue_items
            where status = 'waiting' and (workspace_id, queue) > ($1, $2) order by workspace_id, queue limit 1)
          union all
          select following.workspace_id, following.queue, number + 1 from names cross join lateral (
            select workspace_id, queue from queue_items
            where status = 'waiting' and (workspace_id, queue) > (names.workspace_id, names.queue) order by workspace_id, queue limit 1
          ) as following
          where number < $3
        )
        select workspace_id, queue from names order by number`,
    },
    [after.workspaceId, after.name, limits.names],
  )
  if (names.length === 0) return { lent: [], next: null }
  const lent = await tx.query<LentQueue & { [column: string]: unknown }>(
    {
      name: 'queues-lend',
      text: `
        update queues set lent_until = now() + $4 * interval '1 second'
        where (workspace_id, name) in (
          select workspace_id, name from queues
          where (workspace_id, name) in (select * from unnest($1::text[], $2::text[]))
            and (lent_until is null or lent_until < now())
            and (workflow_id is not null or exists (
              select from listeners where listeners.kind = 'queue' and listeners.workspace_id = queues.workspace_id and listeners.name = queues.name))
            and exists (
              select from queue_items where status = 'waiting' and queue_items.workspace_id = queues.workspace_id and queue = queues.name and due_at <= now())
          order by workspace_id, name limit $3 for update skip locked
        )
        returning workspace_id, name, workflow_id, concurrency, bound_by`,
    },
    [names.map((row) => row.workspace_id), names.map((row) => row.queue), limits.queues, limits.seconds],
  )
  const last = lent.length === limits.queues ? lent.reduce((one, other) => (isBefore(one, other) ? other : one)) : null
  if (last) return { lent, next: { workspaceId: last.workspace_id, name: last.name } }
  const end = names.at(-1)!
  return { lent, next: names.length === limits.names ? { workspaceId: end.workspace_id, name: end.queue } : null }
}

const isBefore = (one: LentQueue, other: LentQueue): boolean => (one.workspace_id === other.workspace_id ? one.name < other.name : one.workspace_id < other.workspace_id)

export const returnQueue = (tx: Tx, { workspaceId, name }: QueueKey): Promise<unknown> =>
  tx.query({ name: 'queue-return', text: 'update queues set lent_until = null where workspace_id = $1 and name = $2' }, [workspaceId, name])

export interface DueItem {
  id: string
  /** JSON text. */
  payload: string
  tries: number
}

/** The first that is due. */
export async function nextItem(tx: Tx, { workspaceId, name }: QueueKey): Promise<DueItem | null> {
  const [row] = await tx.query<DueItem & { [column: string]: unknown }>(
    {
      name: 'queue-item-next',
      text: `
        select id, payload::text as payload, tries from queue_items
        where status = 'waiting' and workspace_id = $1 and queue = $2 and due_at <= now() order by due_at, position limit 1`,
    },
    [workspaceId, name],
  )
  return row ?? null
}

/** False: somebody else has, or it has gone. `live` when the run is one that it starts. */
export async function takeItem(tx: Tx, id: string, by: { runId: string; live: boolean }): Promise<boolean> {
  const taken = await tx.query(
    {
      name: 'queue-item-take',
      text: `update queue_items set status = 'taken', run_id = $2, live = $3, error = null, taken_at = now() where id = $1 and status = 'waiting' returning id`,
    },
    [id, by.runId, by.live],
  )
  return taken.length > 0
}

/** Counts a start that failed: it waits until `dueAt`, or, without a time, it is dead. Not counted when another has counted or taken it meanwhile. */
export async function failItem(tx: Tx, { id, tries }: Pick<DueItem, 'id' | 'tries'>, error: StepError, dueAt: Date | null): Promise<boolean> {
  const counted = await tx.query(
    {
      name: 'queue-item-fail',
      text: `
        update queue_items set tries = tries + 1, error = $3::json, status = case when $4::timestamptz is null then 'dead' else 'waiting' end, due_at = coalesce($4, due_at)
        where id = $1 and status = 'waiting' and tries = $2 returning id`,
    },
    [id, tries, JSON.stringify(error), dueAt],
  )
  return counted.length > 0
}

/** The live runs that items of the queue started; what has ended is forgotten. */
export async function liveStarts(tx: Tx, { workspaceId, name }: QueueKey): Promise<string[]> {
  const rows = await tx.query<{ id: string; run_id: string; live: boolean }>(
    {
      name: 'queue-live',
      text: `
        select queue_items.id, run_id, (runs.id is not null) as live from queue_items
        left join runs on runs.id = run_id and runs.ended_at is null
        where queue_items.workspace_id = $1 and queue = $2 and queue_items.live`,
    },
    [workspaceId, name],
  )
  const ended = rows.filter((row) => !row.live).map((row) => row.id)
  if (ended.length > 0) await tx.query({ name: 'queue-live-end', text: 'update queue_items set live = false where id = any($1)' }, [ended])
  return rows.flatMap((row) => (row.live ? [row.run_id] : []))
}

/** A step that waits for an item. */
export interface Listener {
  run_id: string
  node_id: string
  iteration: string
}

/** Those that wait for items of the queue, the longest first. */
export const listenersOf = (tx: Tx, { workspaceId, name }: QueueKey, limit: number): Promise<Listener[]> =>
  tx.query<Listener & { [column: string]: unknown }>(
    {
      name: 'queue-listeners',
      text: `
        select run_id, node_id, iteration from listeners
        where kind = 'queue' and workspace_id = $1 and name = $2 order by waiting_since, run_id, node_id, iteration limit $3`,
    },
    [workspaceId, name, limit],
  )
