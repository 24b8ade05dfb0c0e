import type { Definition, Json, JsonObject } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { logOf } from './events.ts'
import { hire } from './jobs.ts'

/** A run as stored. Payloads stay JSON text: they are handed on as they came. */
export interface RunRow {
  id: string
  workspace_id: string
  workflow_id: string
  version: number
  trial: TrialRow | null
  status: string
  waiting_kind: string | null
  epoch: number
  revision: number
  deaths: number
  seq: number
  progress: number
  steps: number
  input: string | null
  keyed_input: boolean
  output: string | null
  reason: unknown
  ending: unknown
  transaction_id: string | null
  lane: string | null
  lane_live: string | null
  parent_run_id: string | null
  parent_step: string | null
  root_run_id: string | null
  depth: number
  trigger: string
  tags: string[]
  started_by: string | null
  session_id: string | null
  traceparent: string | null
  deadline_at: Date | null
  held_at: Date | null
  created_at: Date
  started_at: Date | null
  ended_at: Date | null
}

/** What a trial or a fork of one brings along: the part of the draft it runs. */
export interface TrialRow {
  definition: Definition
  nodeId: string
  data?: JsonObject
  producers?: { [nodeId: string]: { state: Json; count: number } }
}

const columns = `
  id, workspace_id, workflow_id, version, trial, status, waiting_kind, epoch, revision, deaths, seq, progress, steps,
  input::text as input, keyed_input, output::text as output, reason, ending, transaction_id, lane, lane_live, parent_run_id, parent_step,
  root_run_id, depth, trigger, tags, started_by, session_id, traceparent, deadline_at, held_at, created_at, started_at, ended_at`

/** Takes runs over for the worker that has their jobs: what an older epoch still wants to write is refused from now on. */
export const claimRuns = (tx: Tx, ids: readonly string[], deaths: readonly number[]): Promise<RunRow[]> =>
  tx.query(
    {
      name: 'runs-claim',
      text: `
        update runs set epoch = epoch + 1, deaths = runs.deaths + claimed.deaths
        from unnest($1::text[], $2::int[]) as claimed (run_id, deaths)
        where runs.id = claimed.run_id
        returning ${columns.replace('deaths,', 'runs.deaths,')}`,
    },
    [ids, deaths],
  )

/** How often the workers of runs died since these came any further. */
export async function deathsOf(tx: Tx, ids: readonly string[]): Promise<Map<string, number>> {
  const rows = await tx.query<{ id: string; deaths: number }>({ name: 'runs-deaths', text: 'select id, deaths from runs where id = any($1)' }, [ids])
  return new Map(rows.map((row) => [row.id, row.deaths]))
}

/** The run's row under its lock: for everything that happens to a run from outside its worker. */
export async function lockRun(tx: Tx, id: string): Promise<RunRow | undefined> {
  const rows = await tx.query<RunRow & Record<string, unknown>>({ name: 'runs-lock', text: `select ${columns} from runs where id = $1 for no key update` }, [id])
  return rows[0]
}

/** Where the runs a worker holds stand: one that moved on was touched from outside. */
export const runRevisions = (tx: Tx, ids: readonly string[]): Promise<{ id: string; epoch: number; revision: number }[]> =>
  tx.query({ name: 'runs-revisions', text: 'select id, epoch, revision from runs where id = any($1)' }, [ids])

export async function readRun(tx: Tx, id: string): Promise<RunRow | undefined> {
  const rows = await tx.query<RunRow & Record<string, unknown>>({ name: 'runs-read', text: `select ${columns} from runs where id = $1` }, [id])
  return rows[0]
}

/** The run that this pause is of. */
export async function runOfPause(tx: Tx, pauseId: string): Promise<RunRow | undefined> {
  const rows = await tx.query<RunRow & Record<string, unknown>>(
    { name: 'runs-of-pause', text: `select ${columns} from runs where id = (select run_id from pauses where id = $1)` },
    [pauseId],
  )
  return rows[0]
}

export interface NewRun {
  id: string
  workspaceId: string
  workflowId: string
  version: number
  trial: TrialRow | null
  input: string
  keyedInput: boolean
  /** Of a run that a transaction id names: told whether another request means the same. */
  inputHash: string | null
  transactionId: string | null
  lane: string | null
  parentRunId: string | null
  parentStep: string | null
  rootRunId: string | null
  depth: number
  trigger: string
  tags: string[]
  startedBy: string
  /** The session whose round it is. */
  sessionId: string | null
  /** The trace context it is started in. */
  traceparent: string | null
  deadlineAt: Date | null
  createdAt: Date
}

/** A run that is about to be stored, as it is read once it is there and claimed. */
export const rowOfNew = (run: NewRun): RunRow => ({
  id: run.id,
  workspace_id: run.workspaceId,
  workflow_id: run.workflowId,
  version: run.version,
  trial: run.trial,
  status: 'queued',
  waiting_kind: null,
  epoch: 1,
  revision: 0,
  deaths: 0,
  seq: 1,
  progress: 0,
  steps: 0,
  input: run.input,
  keyed_input: run.keyedInput,
  output: null,
  reason: null,
  ending: null,
  transaction_id: run.transactionId,
  lane: run.lane,
  lane_live: run.lane,
  parent_run_id: run.parentRunId,
  parent_step: run.parentStep,
  root_run_id: run.rootRunId,
  depth: run.depth,
  trigger: run.trigger,
  tags: run.tags,
  started_by: run.startedBy,
  session_id: run.sessionId,
  traceparent: run.traceparent,
  deadline_at: run.deadlineAt,
  held_at: null,
  created_at: run.createdAt,
  started_at: null,
  ended_at: null,
})

const insertText = (from: string): string => `
  insert into runs (id, workspace_id, workflow_id, version, trial, status, seq, input, input_hash, transaction_id, live_transaction,
    lane, parent_run_id, parent_step, root_run_id, depth, trigger, tags, started_by, deadline_at, created_at, keyed_input, traceparent, session_id, retain_seconds, updated_at)
  select $1, $2, $3, $4, $5::json, 'queued', 1, $6::json, $7, $8, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, (select retain_seconds from versions where workflow_id = $3 and number = $4), $18
  ${from}
  on conflict (parent_run_id, parent_step) where parent_run_id is not null do nothing
  returning id`

/** With its first event, and a job for whoever comes. */
const queuedText = (from: string): string => `
  with began as (${insertText(from)}),
  told as (
    insert into events (workspace_id, subject_kind, subject_id, seq, workflow_id, type, data, at)
    select $22, 'run', id, 1, $3, 'run.queued', $23::json, $18 from began
  ),
  hired as (${hire('(select gen_random_uuid(), id, false from began) as asked')})
  select id from began`

const insertPinned = { name: 'runs-insert', text: queuedText('from workflows where workflows.id = $3 and workflows.workspace_id = $2 for key share') }
/** A trial of a node that stands in no workflow: its own id is in that one's place, and names none. */
const insertAlone = { name: 'runs-insert-alone', text: queuedText('') }

/** Inserts a queued run, `told` of with its first event, and its job. Gives false where a run of this parent's step is there already, or its workflow has gone. */
export async function insertRun(tx: Tx, run: NewRun, told: string): Promise<boolean> {
  const rows = await tx.query(run.workflowId === run.id ? insertAlone : insertPinned, [
    run.id,
    run.workspaceId,
    run.workflowId,
    run.version,
    run.trial && JSON.stringify(run.trial),
    run.input,
    run.inputHash,
    run.transactionId,
    run.lane,
    run.parentRunId,
    run.parentStep,
    run.rootRunId,
    run.depth,
    run.trigger,
    run.tags,
    run.startedBy,
    run.deadlineAt,
    run.createdAt,
    run.keyedInput,
    run.traceparent,
    run.sessionId,
    logOf(run),
    told,
  ])
  return rows.length > 0
}

export async function childOf(tx: Tx, parentRunId: string, parentStep: string): Promise<string | undefined> {
  const rows = await tx.query<{ id: string }>({ name: 'runs-child', text: 'select id from runs where parent_run_id = $1 and parent_step = $2' }, [parentRunId, parentStep])
  return rows[0]?.id
}

/** Whether a hold lies on the run, and none comes to lie on it before the transaction ends. */
export async function shareHeld(tx: Tx, id: string): Promise<boolean> {
  const rows = await tx.query<{ held: boolean }>({ name: 'runs-share-held', text: 'select held_at is not null as held from runs where id = $1 for share' }, [id])
  return rows[0]?.held ?? false
}

/** The live descendants of a run, nearest first. */
export const liveDescendants = (tx: Tx, id: string): Promise<{ id: string; workspace_id: string }[]> =>
  tx.query(
    {
      name: 'runs-descendants',
      text: `
        with recursive tree as (
          select id, workspace_id, ended_at, 1 as level from runs where parent_run_id = $1
          union all
          select child.id, child.workspace_id, child.ended_at, level + 1 from runs child join tree on child.parent_run_id = tree.id
        )
        select id, workspace_id from tree where ended_at is null order by level, id`,
    },
    [id],
  )

/**
 * With the rounds of the sessions that are bound to it, which may be of what those were bound to before. Under their row locks:
 * what the end of one has written must not be waited for while the next is.
 */
export const liveRunsOf = (tx: Tx, workflowId: string): Promise<{ id: string }[]> =>
  tx.query(
    {
      name: 'runs-live-of',
      text: `
        select id from runs where ended_at is null and id = any(array(
          select id from runs where workflow_id = $1 and ended_at is null
          union select runs.id from sessions join runs on session_id = sessions.id and ended_at is null where sessions.workflow_id = $1
        )) order by id for no key update`,
    },
    [workflowId],
  )

// ── rounds ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The live rounds of a session under their row locks, oldest first. */
export const lockRounds = (tx: Tx, sessionId: string): Promise<{ id: string; status: string }[]> =>
  tx.query({ name: 'rounds-lock', text: 'select id, status from runs where session_id = $1 and ended_at is null order by id for no key update' }, [sessionId])

/** The round of a session that has begun, and the oldest question that it asks. */
export async function askingRound(tx: Tx, sessionId: string): Promise<{ id: string; pause_id: string } | undefined> {
  const rows = await tx.query<{ id: string; pause_id: string }>(
    {
      name: 'rounds-asking',
      text: `
        select runs.id, pauses.id as pause_id from runs join pauses on pauses.run_id = runs.id and pauses.status = 'open' and pauses.kind = 'question'
        where runs.session_id = $1 and runs.ended_at is null and runs.started_at is not null
        order by pauses.id limit 1`,
    },
    [sessionId],
  )
  return rows[0]
}

/** Of these sessions those with a live round. */
export async function sessionsWithRounds(tx: Tx, sessionIds: readonly string[]): Promise<Set<string>> {
  const rows = await tx.query<{ session_id: string }>({ name: 'rounds-live', text: 'select distinct session_id from runs where session_id = any($1) and ended_at is null' }, [
    sessionIds,
  ])
  return new Set(rows.map((row) => row.session_id))
}

/** Takes the ended rounds of a session, their children, and all that was kept of them. */
export async function deleteRounds(tx: Tx, sessionId: string): Promise<void> {
  const gone = await tx.query<{ id: string }>(
    {
      name: 'rounds-delete',
      text: `
        with recursive tree as (
          select id from runs where session_id = $1 and ended_at is not null
          union all
          select child.id from runs child join tree on child.parent_run_id = tree.id where child.ended_at is not null
        )
        delete from runs using tree where runs.id = tree.id returning runs.id`,
    },
    [sessionId],
  )
  await tx.query(
    {
      name: 'rounds-delete-rest',
      text: `
        with steps_gone as (delete from steps where run_id = any($1))
        delete from events where subject_kind = 'run' and subject_id = any($1)`,
    },
    [gone.map(({ id }) => id)],
  )
}

// ── transaction ids and lanes ──────────────────────────────────────────────────────────────────────────────────────────

/** The newest run of a transaction id, live ones first. */
export async function runOfTransaction(tx: Tx, workflowId: string, transactionId: string): Promise<{ id: string; live: boolean; input_hash: string | null } | undefined> {
  const rows = await tx.query<{ id: string; live: boolean; input_hash: string | null }>(
    {
      name: 'runs-transaction',
      text: `
        select id, live_transaction is not null as live, input_hash from runs
        where workflow_id = $1 and transaction_id = $2 and trial is null
        order by live_transaction nulls last, id desc limit 1`,
    },
    [workflowId, transactionId],
  )
  return rows[0]
}

/** Without a transaction id a run goes by its own. */
export async function runByItself(tx: Tx, workflowId: string, id: string): Promise<{ id: string } | undefined> {
  const rows = await tx.query<{ id: string }>(
    { name: 'runs-by-itself', text: 'select id from runs where id = $2 and workflow_id = $1 and transaction_id is null and trial is null' },
    [workflowId, id],
  )
  return rows[0]
}

/** The same, for who means to start it again. */
export async function runToJoin(tx: Tx, workflowId: string, id: string): Promise<{ id: string; live: boolean; input: Json } | undefined> {
  const rows = await tx.query<{ id: string; live: boolean; input: Json }>(
    {
      name: 'runs-to-join',
      text: 'select id, ended_at is null as live, input from runs where id = $2 and workflow_id = $1 and transaction_id is null and trial is null',
    },
    [workflowId, id],
  )
  return rows[0]
}

/** Serialises the starts under one transaction id until the transaction ends. */
export const lockTransaction = (tx: Tx, workflowId: string, transactionId: string): Promise<unknown> =>
  tx.query({ name: 'transaction-lock', text: 'select pg_advisory_xact_lock(hashtextextended($1, 7462))' }, [`${workflowId}/${transactionId}`])

/** By which it is locked. */
export const nameOfLane = (workspaceId: string, lane: string): string => `${workspaceId}/${lane}`

/** Serialises everything about one lane until the transaction ends. */
export const lockLane = (tx: Tx, workspaceId: string, lane: string): Promise<unknown> =>
  tx.query({ name: 'lane-lock', text: 'select pg_advisory_xact_lock(hashtextextended($1, 7461))' }, [nameOfLane(workspaceId, lane)])

/** The same of many lanes by name, in whatever order, for nobody is waited for: gives those that nobody else has at the moment. */
export async function tryLanes(tx: Tx, names: readonly string[]): Promise<Set<string>> {
  const rows = await tx.query<{ name: string }>(
    { name: 'lanes-try', text: 'select name from unnest($1::text[]) as name where pg_try_advisory_xact_lock(hashtextextended(name, 7461))' },
    [names],
  )
  return new Set(rows.map((row) => row.name))
}

/** The live runs of a lane in their order; the first to have started holds it. */
export const lanePeers = (tx: Tx, workspaceId: string, lane: string): Promise<{ id: string; holds: boolean; held: boolean }[]> =>
  tx.query(
    {
      name: 'lane-peers',
      text: `
        select id, lane_live is not null as holds, held_at is not null as held from runs
        where workspace_id = $1 and lane = $2 and ended_at is null order by lane_live nulls last, id limit 50`,
    },
    [workspaceId, lane],
  )

export const enterLane = (tx: Tx, id: string, epoch: number): Promise<{ id: string }[]> =>
  tx.query({ name: 'lane-enter', text: 'update runs set lane_live = lane where id = $1 and epoch = $2 and ended_at is null returning id' }, [id, epoch])

// ── nets ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Runs whose version no worker could serve so far, and one that has what `serves` says can, oldest first: those that lack what is
 * nowhere may be many, and keep none of the others waiting.
 */
export async function unservedRuns(tx: Tx, serves: (name: string) => boolean, limit: number): Promise<{ id: string }[]> {
  const wanted = await tx.query<{ name: string }>({
    name: 'runs-wanted',
    text: `select distinct unnest(missing) as name from runs where ended_at is null and waiting_kind = 'version'`,
  })
  const lacking = wanted.flatMap(({ name }) => (serves(name) ? [] : [name]))
  return tx.query(
    {
      name: 'runs-unserved',
      text: `
        select id from runs
        where ended_at is null and waiting_kind = 'version' and not coalesce(missing, '{}') && $1
        order by id limit $2`,
    },
    [lacking, limit],
  )
}

export const setMissing = (tx: Tx, id: string, missing: readonly string[]): Promise<unknown> =>
  tx.query({ name: 'runs-missing', text: 'update runs set missing = $2 where id = $1' }, [id, missing])

/**
 * Runs that should move and have no job, as none should be: a net under the rest, cast seldom. The jobs are pg-boss's
 * table; that it is asked here, and nowhere else, keeps its layout out of the engine.
 */
export const jobless = (tx: Tx, limit: number): Promise<{ id: string }[]> =>
  tx.query(
    {
      name: 'runs-jobless',
      text: `
        select id from runs
        where ended_at is null and waiting_kind is null
          and held_at is null and status in ('queued', 'running', 'cancelling', 'compensating')
          and updated_at < now() - interval '15 seconds'
          and not exists (select from sluice_jobs.job where job.name = 'runs' and job.singleton_key = runs.id and job.state < 'completed')
        order by id limit $1`,
    },
    [limit],
  )

/** How a run stands for those who wait for it. */
export interface RunStanding {
  ended: boolean
  /** Whether it has come to rest: waiting, held, or with a retry to come. */
  parked: boolean
  /** Whether only a person can make it go on. */
  paused: boolean
  /** Whether it waits for nothing but children. */
  childbound: boolean
}

export async function runStanding(tx: Tx, id: string): Promise<RunStanding | undefined> {
  const rows = await tx.query<RunStanding>(
    {
      name: 'runs-standing',
      text: `
        select ended_at is not null as ended,
          status = 'waiting' or held_at is not null or case when status = 'compensating'
            then exists (select from steps where run_id = runs.id and compensation ->> 'state' in ('waiting', 'retrying'))
            else exists (select from steps where run_id = runs.id and state = 'retrying') end as parked,
          held_at is not null or case when status = 'waiting' and waiting_kind = 'pause'
            then not exists (select from steps where run_id = runs.id and (state = 'retrying' or (state = 'waiting' and waiting_for ->> 'kind' <> 'pause')))
            else false end as paused,
          status = 'waiting' and held_at is null and waiting_kind = 'child'
            and not exists (select from steps where run_id = runs.id and (state = 'retrying' or (state = 'waiting' and waiting_for ->> 'kind' <> 'child'))) as childbound
        from runs where id = $1`,
    },
    [id],
  )
  return rows[0]
}

/** Of one run and those below it: what has not come to rest below, and what has not heard yet that a child it waits for has ended. */
export const movingBelow = (tx: Tx, id: string): Promise<{ id: string }[]> =>
  tx.query(
    {
      name: 'runs-moving-below',
      text: `
        with recursive tree as (
          select id, status, held_at, waiting_kind from runs where id = $1
          union all
          select child.id, child.status, child.held_at, child.waiting_kind from runs child join tree on child.parent_run_id = tree.id where child.ended_at is null
        )
        select id from tree
        where held_at is null and case when status = 'waiting'
          then exists (
            select from steps join runs child on child.id = waiting_for ->> 'runId'
            where run_id = tree.id and steps.state = 'waiting' and waiting_for ->> 'kind' = 'child' and child.ended_at is not null)
          else id <> $1 and waiting_kind is distinct from 'version' and not exists (select from steps where run_id = tree.id and state = 'retrying') end
        limit 100`,
    },
    [id],
  )
