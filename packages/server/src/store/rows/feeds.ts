import type { Tx } from '../database.ts'

export interface LoggedEvent {
  subject_kind: string
  subject_id: string
  seq: number
  /** Of the transaction that wrote it; with `position` its place in the workspace's log. */
  xid: string
  position: number
  workflow_id: string | null
  /** Whom alone, beside admins, it may be told to. */
  owner: string | null
  type: string
  /** JSON text of what the type adds. */
  data: string
  at: Date
  /** How many there were to be read together with it; it came with fewer when they were too large together. */
  found: number
  [more: string]: unknown
}

/** The most of a page: rows, and bytes of data, of which the last row may go beyond. */
export interface Most {
  rows: number
  bytes: number
}

const columns = 'subject_kind, subject_id, seq, xid::text as xid, position, workflow_id, owner, type, data::text as data, at'

/** The first events by an order, at most $1, and of those as many as come to $2 bytes. `found` tells how many there were. */
const firstOf = (where: string, order: string): string => `
  select ${columns}, found from (
    select *, (count(*) over ())::int as found, sum(octet_length(data::text)) over (order by ${order}) - octet_length(data::text) as before
    from (select * from events where ${where} order by ${order} limit $1) first
  ) page where before <= $2 order by ${order.replaceAll(/\w+/g, 'page.$&')}`

const runText = firstOf("subject_id = $3 and subject_kind = 'run' and seq > $4", 'seq')
const sessionText = firstOf("subject_id = $3 and subject_kind = 'session' and seq > $4", 'seq')
const workspaceText = firstOf('workspace_id = $3 and (xid, position) > ($4::xid8, $5::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())', 'xid, position')

/** A run's events after a `seq`. Its numbers are given under its row lock: what is read has no gap that fills later. */
export const runEventsAfter = (tx: Tx, runId: string, seq: number, { rows, bytes }: Most): Promise<LoggedEvent[]> =>
  tx.query({ name: 'feed-run', text: runText }, [rows, bytes, runId, seq])

/** A session's events after a `seq`; the same holds. What is older than a day is trimmed: then the first is not the next. */
export const sessionEventsAfter = (tx: Tx, sessionId: string, seq: number, { rows, bytes }: Most): Promise<LoggedEvent[]> =>
  tx.query({ name: 'feed-session', text: sessionText }, [rows, bytes, sessionId, seq])

/**
 * A workspace's events after a place, up to the oldest transaction still open: a transaction that commits late comes after
 * all that has been read, so nothing is ever skipped.
 */
export const workspaceEventsAfter = (tx: Tx, workspaceId: string, xid: string, position: number, { rows, bytes }: Most): Promise<LoggedEvent[]> =>
  tx.query({ name: 'feed-workspace', text: workspaceText }, [rows, bytes, workspaceId, xid, position])

/** Whose session it is; of one that was deleted, for as long as its last event is there. */
export async function feedSession(tx: Tx, sessionId: string): Promise<{ workspace_id: string; owner: string; seq: number; gone: boolean } | undefined> {
  const rows = await tx.query<{ workspace_id: string; owner: string; seq: number; gone: boolean }>(
    {
      name: 'feed-session-of',
      text: `
        select workspace_id, user_id as owner, seq, false as gone from sessions where id = $1
        union all select workspace_id, owner, seq, true from events where subject_id = $1 and subject_kind = 'session' and type = 'deleted'
        limit 1`,
    },
    [sessionId],
  )
  return rows[0]
}

/** The end of the log as a reader may see it: nothing that commits from now on stands before it. */
export async function logEnd(tx: Tx): Promise<string> {
  const [row] = await tx.query<{ xid: string }>({ name: 'feed-end', text: 'select pg_snapshot_xmin(pg_current_snapshot())::text as xid' })
  return row!.xid
}

/** What this transaction sees of all others, as `xmin:xmax:xip,…`. */
export async function seenBy(tx: Tx): Promise<string> {
  const [row] = await tx.query<{ seen: string }>({ name: 'feed-seen', text: 'select pg_current_snapshot()::text as seen' })
  return row!.seen
}

/** How far the workspace's log was trimmed. */
export async function trimmedTo(tx: Tx, workspaceId: string): Promise<{ xid: string; position: number } | undefined> {
  const rows = await tx.query<{ xid: string; position: number }>(
    { name: 'feed-trimmed', text: 'select trimmed_xid::text as xid, trimmed_position as position from workspaces where id = $1' },
    [workspaceId],
  )
  return rows[0]
}

/** All that the transaction reads from here on, it reads as of one moment. */
export const freeze = (tx: Tx): Promise<unknown> => tx.query('set transaction isolation level repeatable read, read only')

/** Whose run it is, and whether it has ended. */
export async function feedRun(tx: Tx, runId: string): Promise<{ workspace_id: string; workflow_id: string; ended: boolean; seq: number } | undefined> {
  const rows = await tx.query<{ workspace_id: string; workflow_id: string; ended: boolean; seq: number }>(
    { name: 'feed-run-of', text: 'select workspace_id, workflow_id, ended_at is not null as ended, seq from runs where id = $1' },
    [runId],
  )
  return rows[0]
}

/** A run by its transaction id; without one it goes by its own id. Trials go by none. */
export interface Named {
  workflowId: string
  transactionId: string
}

/** The live one, else the newest. */
export async function namedRun(tx: Tx, { workflowId, transactionId }: Named): Promise<string | null> {
  const [row] = await tx.query<{ id: string }>(
    {
      name: 'feed-named-run',
      text: `
        (select id, 1 as rank from runs where workflow_id = $1 and transaction_id = $2 and trial is null order by live_transaction nulls last, id desc limit 1)
        union all (select id, 2 from runs where id = $2 and workflow_id = $1 and transaction_id is null and trial is null)
        order by rank limit 1`,
    },
    [workflowId, transactionId],
  )
  return row?.id ?? null
}

/** Whether a run, be it not the newest any more, goes by this name. */
export async function isNamed(tx: Tx, runId: string, { workflowId, transactionId }: Named): Promise<boolean> {
  const rows = await tx.query({ name: 'feed-is-named', text: `select 1 from runs where id = $1 and workflow_id = $2 and coalesce(transaction_id, id) = $3 and trial is null` }, [
    runId,
    workflowId,
    transactionId,
  ])
  return rows.length > 0
}

export interface CurrentRow {
  id: string
  is_live: boolean
  /** Whether it is in the lane. */
  is_first: boolean
  /** Whether no other run of the workflow is live. */
  is_alone: boolean
  [more: string]: unknown
}

/** The live run of this lane, where the first to have begun comes first, else the newest live one, else the newest; trials are none. */
export async function currentOf(tx: Tx, workspaceId: string, workflowId: string, lane: string): Promise<CurrentRow | undefined> {
  const rows = await tx.query<CurrentRow>(
    {
      name: 'feed-current',
      text: `
        select id, ended_at is null as is_live, lane is not distinct from $3 as is_first,
          not exists (select from runs as other where other.workflow_id = $2 and other.ended_at is null and other.trial is null and other.id <> found.id) as is_alone
        from (
          (select 1 as rank, id, lane, ended_at from runs where workspace_id = $1 and lane = $3 and ended_at is null order by lane_live nulls last, id limit 1)
          union all (select 2, id, lane, ended_at from runs where workflow_id = $2 and ended_at is null and trial is null order by id desc limit 1)
          union all (select 3, id, lane, ended_at from runs where workflow_id = $2 and trial is null order by id desc limit 1)
        ) as found order by rank limit 1`,
    },
    [workspaceId, workflowId, lane],
  )
  return rows[0]
}
