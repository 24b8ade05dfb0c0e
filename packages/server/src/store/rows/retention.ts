import { limits } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { firstIdOf } from '../ids.ts'
import { endUses } from './files.ts'

/**
 * What goes when its time is over, a batch a statement. Rows that somebody else holds are passed over, so that a batch waits
 * for nobody, and nobody for longer than a batch takes. Each answers with how many rows it met: fewer than asked for, and
 * there are no more.
 */

type Count = { count: number }
const count = async (rows: Promise<Count[]>): Promise<number> => (await rows)[0]!.count
const ids = async (rows: Promise<{ id: string }[]>): Promise<string[]> => (await rows).map(({ id }) => id)

/** One batch at a time over all servers, until the transaction ends. False: it is another's turn. */
export async function takeTurn(tx: Tx): Promise<boolean> {
  const [turn] = await tx.query<{ taken: boolean }>({ name: 'retention-turn', text: `select pg_try_advisory_xact_lock(hashtextextended('retention', 7464)) as taken` })
  return turn!.taken
}

// ── runs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

// A run goes by its root: children go with it. One that is ended but has a child that is not, is still needed.
const root = 'parent_run_id is null and ended_at is not null'
const taken = 'and not exists (select from runs child where child.parent_run_id = runs.id and child.ended_at is null)'

/** Roots that ended before, and whose definition does not say how long they are kept. */
export const agedRuns = (tx: Tx, before: Date, limit: number): Promise<string[]> =>
  ids(
    tx.query(
      {
        name: 'retention-runs',
        text: `
          select id from runs where ${root} and trial is null and retain_seconds is null and ended_at < $1 ${taken}
          order by ended_at limit $2 for update skip locked`,
      },
      [before, limit],
    ),
  )

const expiry = `((ended_at at time zone 'UTC') + retain_seconds * interval '1 second')`

/** Roots whose own time is over. */
export const expiredRuns = (tx: Tx, now: Date, limit: number): Promise<string[]> =>
  ids(
    tx.query(
      {
        name: 'retention-runs-own',
        text: `
          select id from runs where ${root} and trial is null and retain_seconds is not null and ${expiry} < $1::timestamptz at time zone 'UTC' ${taken}
          order by ${expiry} limit $2 for update skip locked`,
      },
      [now, limit],
    ),
  )

export const agedTrials = (tx: Tx, before: Date, limit: number): Promise<string[]> =>
  ids(
    tx.query(
      {
        name: 'retention-trials',
        text: `select id from runs where ${root} and trial is not null and ended_at < $1 ${taken} order by ended_at limit $2 for update skip locked`,
      },
      [before, limit],
    ),
  )

/** Which of the roots have gone, and which are still needed by a descendant that is live; and all runs that went, descendants too. */
export interface DeletedRuns {
  gone: string[]
  needed: string[]
  all: string[]
}

/**
 * Deletes roots with all that descends from them: steps, pauses, signals and timers go along, the files they used are
 * released, and their events are left for `deleteLeftEvents`, because a run may have any number of them. Of a tree of more than
 * `limit` runs only so many go, leaves first: what is left of it is found again by its root.
 */
export async function deleteRuns(tx: Tx, roots: readonly string[], limit: number): Promise<DeletedRuns> {
  const tree = await tx.query<{ id: string; root: string; live: boolean }>(
    {
      name: 'retention-tree',
      text: `
        with recursive tree as (
          select id, id as root, ended_at, 0 as level from runs where id = any($1)
          union all
          select child.id, tree.root, child.ended_at, level + 1 from runs child join tree on child.parent_run_id = tree.id
        )
        select id, root, ended_at is null as live from tree order by level desc, id`,
    },
    [roots],
  )
  const needed = new Set(tree.flatMap((run) => (run.live ? [run.root] : [])))
  const going = tree.flatMap((run) => (needed.has(run.root) ? [] : [run.id])).slice(0, limit)
  if (going.length > 0) {
    await endUses(tx, { kind: 'run', ids: going }, null)
    await tx.query(
      {
        name: 'retention-runs-delete',
        text: 'with gone as (delete from runs where id = any($1) returning id) insert into runs_gone (run_id) select id from gone on conflict do nothing',
      },
      [going],
    )
    // After their runs, which nobody writes steps of any more.
    await tx.query({ name: 'retention-steps-delete', text: 'delete from steps where run_id = any($1)' }, [going])
  }
  const gone = new Set(going)
  return { gone: roots.filter((id) => gone.has(id)), needed: [...needed], all: going }
}

// How far the log was trimmed, per workspace: whoever resumes before that is told to start anew.
const raise = `
  last as (select distinct on (workspace_id) workspace_id, xid, position from gone order by workspace_id, xid desc, position desc),
  raised as (
    update workspaces set trimmed_xid = last.xid, trimmed_position = last.position from last
    where workspaces.id = last.workspace_id and (last.xid, last.position) > (trimmed_xid, trimmed_position)
  )
  select count(*) as count from gone`

/** Events of runs that have gone: of these, or of all. Run by run: whatever the statistics say, the log is never read through. */
export async function deleteLeftEvents(tx: Tx, runs: readonly string[] | null, limit: number): Promise<number> {
  const deleted = await count(
    tx.query(
      {
        name: 'retention-events-left',
        text: `
          with old as (
            select theirs.subject_id, theirs.seq from runs_gone
            cross join lateral (
              select subject_id, seq from events where subject_id = runs_gone.run_id and subject_kind = 'run' limit $2 for update skip locked
            ) theirs
            where $1::text[] is null or runs_gone.run_id = any($1)
            limit $2
          ),
          gone as (
            delete from events using old where events.subject_kind = 'run' and events.subject_id = old.subject_id and events.seq = old.seq
            returning workspace_id, xid, position
          ), ${raise}`,
      },
      [runs, limit],
    ),
  )
  if (deleted < limit)
    await tx.query(
      {
        name: 'retention-events-done',
        text: `
          delete from runs_gone where ($1::text[] is null or run_id = any($1))
            and not exists (select from events where subject_id = run_id and subject_kind = 'run')`,
      },
      [runs],
    )
  return deleted
}

/** What a run is that is to be deleted, under its lock: nothing begins below it meanwhile. */
export async function lockRunToDelete(tx: Tx, id: string): Promise<{ workspace_id: string; parent_run_id: string | null; ended: boolean } | undefined> {
  const rows = await tx.query<{ workspace_id: string; parent_run_id: string | null; ended: boolean }>(
    { name: 'retention-run-lock', text: 'select workspace_id, parent_run_id, ended_at is not null as ended from runs where id = $1 for update' },
    [id],
  )
  return rows[0]
}

// Trials are in an index of their own.
const noRuns = `not exists (select from runs where workflow_id = workflows.id and trial is null)
  and not exists (select from runs where workflow_id = workflows.id and trial is not null)`

/** Deleted workflows with their versions, once no run is left that was pinned to one. */
export async function deleteAgedWorkflows(tx: Tx, before: Date, limit: number): Promise<number> {
  const old = await ids(
    tx.query(
      {
        name: 'retention-workflows',
        text: `
          select id from workflows where deleted_at < $1 and ${noRuns}
          order by deleted_at limit $2 for update skip locked`,
      },
      [before, limit],
    ),
  )
  if (old.length === 0) return 0
  // Asked once more under their locks: a run that was being started then is seen now.
  const deleted = {
    name: 'retention-workflows-delete',
    text: `delete from workflows where id = any($1) and ${noRuns} returning id`,
  }
  return (await tx.query(deleted, [old])).length
}

// ── the log ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Events of sessions, workflows, users and records. */
export const deleteAgedEvents = (tx: Tx, before: Date, limit: number): Promise<number> =>
  count(
    tx.query(
      {
        name: 'retention-events',
        text: `
          with old as (select ctid from events where subject_kind <> 'run' and at < $1 order by at limit $2 for update skip locked),
          gone as (delete from events using old where events.ctid = old.ctid returning workspace_id, xid, position), ${raise}`,
      },
      [before, limit],
    ),
  )

/** Of live runs that have more events than a run without producers may have: those before the last so many. Who resumes there begins anew. */
export const deleteEndlessEvents = (tx: Tx, before: Date, limit: number): Promise<number> =>
  count(
    tx.query(
      {
        name: 'retention-events-endless',
        text: `
          with old as (
            select first.subject_id, first.seq from (select id, seq from runs where ended_at is null and seq > $3) as endless, lateral (
              select subject_id, seq from events
              where subject_id = endless.id and subject_kind = 'run' and events.seq <= endless.seq - $3 and at < $1 order by events.seq limit $2
            ) as first limit $2
          ), gone as (
            delete from events using old where events.subject_kind = 'run' and events.subject_id = old.subject_id and events.seq = old.seq
            returning workspace_id, xid, position
          ), ${raise}`,
      },
      [before, limit, limits.eventsPerRun],
    ),
  )

// ── what is alike ──────────────────────────────────────────────────────────────────────────────────────────────────────

const aged =
  (name: string, table: string, where: string, order: string) =>
  (tx: Tx, before: Date | number | string, limit: number): Promise<number> =>
    count(
      tx.query(
        {
          name: `retention-${name}`,
          text: `
            with old as (select ctid from ${table} where ${where} order by ${order} limit $2 for update skip locked),
            gone as (delete from ${table} using old where ${table}.ctid = old.ctid returning 1)
            select count(*) as count from gone`,
        },
        [before, limit],
      ),
    )

/** Not while the run that one started is live: it counts as one of its queue's. */
export const deleteTakenItems = aged(
  'queue-items',
  'queue_items',
  `status = 'taken' and taken_at < $1 and not (live and exists (select from runs where runs.id = run_id and ended_at is null))`,
  'taken_at',
)
export const deleteAgedKeys = aged('keys', 'idempotency', 'created_at < $1', 'created_at')
export const deleteExpiredPasswordTokens = aged('password-tokens', 'password_tokens', 'expires_at < $1', 'expires_at')
export const deleteExpiredRefreshTokens = aged('refresh-tokens', 'refresh_tokens', 'expires_at < $1', 'expires_at')
/** Their server is gone: it would have said so. */
export const deleteLeftConnections = aged('connections', 'connections', 'seen_at < $1', 'seen_at')
export const deleteAgedTellings = aged('tellings', 'tellings', 'updated_at < $1', 'updated_at')
export const deleteExpiredTickets = aged('tickets', 'tickets', 'expires_at < $1', 'expires_at')
export const deleteExpiredTrialStates = aged('trial-states', 'trial_states', 'expires_at < $1', 'expires_at')
export const deleteUnusedFiles = aged('files', 'files', 'unused_at < $1', 'unused_at')
/** Files whose upload was broken off, with the server that took it. */
export const deleteStrandedFiles = aged('files-coming', 'files', 'stored_at is null and created_at < $1', 'created_at')

// What a producer of a live run has yet to come to stays for it.
const unread = `exists (
  select from webhook_readers join runs on runs.id = run_id and runs.ended_at is null where webhook_readers.webhook_id = deliveries.webhook_id and after < deliveries.id)`
export const deleteDoneDeliveries = aged('deliveries', 'deliveries', `settled_at < $1 and status <> 'dead' and not ${unread}`, 'settled_at')
export const deleteOldDeliveries = aged('deliveries-old', 'deliveries', 'settled_at < $1', 'settled_at')

const auditBelow = aged('audit', 'audit', 'id < $1', 'id')
/** By their ids, which are in the order of their times: an index for times would say the same again. */
export const deleteAgedAudit = (tx: Tx, before: Date, limit: number): Promise<number> => auditBelow(tx, firstIdOf(before.getTime()), limit)

const countsBelow = aged('rate-limits', 'rate_limits', 'expire < $1::bigint', 'expire')
/** Without an index: their expiry is written with each request, and there is one row a principal. */
export const deleteOldCounts = (tx: Tx, before: Date, limit: number): Promise<number> => countsBelow(tx, before.getTime(), limit)
