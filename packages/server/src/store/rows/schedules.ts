import type { Json, JsonObject, MissedMoments, OverlappingRuns, StepError } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** Schedules. Lock order: a workflow before its schedules, a schedule after the lane and the transaction id of its run. */

export type GivenInput = { input: Json } | { inputs: JsonObject }

/** What is said of a schedule. */
export interface ScheduleSaid {
  name: string
  cron: string | null
  every_ms: number | null
  time_zone: string
  anchor_at: Date
  given: GivenInput | null
  missed: MissedMoments
  overlap: OverlappingRuns
  times: number | null
  starts_at: Date | null
  ends_at: Date | null
  enabled: boolean
  origin: 'api' | 'code'
  said_by: string | null
}

export interface ScheduleRow extends ScheduleSaid {
  id: string
  workspace_id: string
  workflow_id: string
  next_at: Date | null
  due_at: Date | null
  last_at: Date | null
  last_run_id: string | null
  count: number
  skipped: number
  tries: number
  last_error: StepError | null
  revision: number
  created_at: Date
  updated_at: Date
}

export const scheduleColumns =
  'id, workspace_id, workflow_id, name, cron, every_ms, time_zone, anchor_at, given, missed, overlap, times, starts_at, ends_at, enabled, next_at, due_at, last_at, last_run_id, count, skipped, tries, last_error, origin, said_by, revision, created_at, updated_at'

type Rows<R> = Promise<(R & Record<string, unknown>)[]>
const first = async <R>(rows: Rows<R>): Promise<R | undefined> => (await rows)[0]

export const findSchedule = (tx: Tx, workspaceId: string, id: string): Promise<ScheduleRow | undefined> =>
  first(tx.query({ name: 'schedule-find', text: `select ${scheduleColumns} from schedules where workspace_id = $1 and id = $2` }, [workspaceId, id]))

export const lockSchedule = (tx: Tx, workspaceId: string, id: string): Promise<ScheduleRow | undefined> =>
  first(tx.query({ name: 'schedule-lock', text: `select ${scheduleColumns} from schedules where workspace_id = $1 and id = $2 for update` }, [workspaceId, id]))

/** Schedules of a workspace are counted, named, and made equal to code, by one transaction at a time. */
export const lockNames = (tx: Tx, workspaceId: string): Promise<unknown> =>
  tx.query({ name: 'schedules-lock', text: 'select pg_advisory_xact_lock(hashtextextended($1, 7467))' }, [workspaceId])

/** Of a workflow, each under its lock. */
export const lockSchedulesOf = (tx: Tx, workflowId: string): Promise<ScheduleRow[]> =>
  tx.query<ScheduleRow & Record<string, unknown>>({ name: 'schedules-lock-of', text: `select ${scheduleColumns} from schedules where workflow_id = $1 order by id for update` }, [
    workflowId,
  ])

export async function areFull(tx: Tx, workspaceId: string, most: number): Promise<boolean> {
  const [count] = await tx.query<{ full: boolean }>({ name: 'schedules-count', text: 'select count(*) >= $2 as full from schedules where workspace_id = $1' }, [workspaceId, most])
  return count!.full
}

export const scheduleNamed = (tx: Tx, workflowId: string, name: string): Promise<{ id: string } | undefined> =>
  first(tx.query({ name: 'schedule-named', text: 'select id from schedules where workflow_id = $1 and name = $2' }, [workflowId, name]))

const said = (row: ScheduleSaid): unknown[] => [
  row.name,
  row.cron,
  row.every_ms,
  row.time_zone,
  row.anchor_at,
  row.given && JSON.stringify(row.given),
  row.missed,
  row.overlap,
  row.times,
  row.starts_at,
  row.ends_at,
  row.enabled,
  row.origin,
  row.said_by,
]

/** Its name is free: looked at under `lockNames`. */
export async function insertSchedule(tx: Tx, row: ScheduleSaid & Pick<ScheduleRow, 'id' | 'workspace_id' | 'workflow_id' | 'next_at'> & { at: Date }): Promise<void> {
  const text = `
    insert into schedules (name, cron, every_ms, time_zone, anchor_at, given, missed, overlap, times, starts_at, ends_at, enabled, origin, said_by,
      id, workspace_id, workflow_id, next_at, due_at, created_at, updated_at)
    values ($1, $2, $3, $4, $5, $6::json, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18::timestamptz, $18::timestamptz, $19::timestamptz, $19::timestamptz)`
  await tx.query({ name: 'schedule-insert', text }, [...said(row), row.id, row.workspace_id, row.workflow_id, row.next_at, row.at])
}

/** Under its lock. With `moved` it begins anew at `next_at`: what was refused before is not tried again; without, it is tried at once. */
export async function sayOfSchedule(tx: Tx, row: ScheduleSaid & { id: string }, moved: { next_at: Date | null } | null, at: Date): Promise<void> {
  const text = `
    update schedules set name = $1, cron = $2, every_ms = $3, time_zone = $4, anchor_at = $5, given = $6::json, missed = $7, overlap = $8, times = $9,
      starts_at = $10, ends_at = $11, enabled = $12, origin = $13, said_by = $14, revision = revision + 1, updated_at = $16,
      next_at = case when $17 then $18::timestamptz else next_at end, due_at = case when $17 then $18::timestamptz else next_at end, tries = case when $17 then 0 else tries end
    where id = $15`
  await tx.query({ name: 'schedule-say', text }, [...said(row), row.id, at, moved !== null, moved?.next_at ?? null])
}

export async function deleteSchedule(tx: Tx, workspaceId: string, id: string): Promise<boolean> {
  return (await tx.query({ name: 'schedule-delete', text: 'delete from schedules where workspace_id = $1 and id = $2 returning id' }, [workspaceId, id])).length > 0
}

// ── being due ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** When the first is to be looked at. */
export async function nextDue(tx: Tx): Promise<Date | null> {
  const [row] = await tx.query<{ due_at: Date }>({ name: 'schedules-next', text: 'select due_at from schedules where due_at is not null order by due_at limit 1' })
  return row?.due_at ?? null
}

export interface DueSchedule extends ScheduleRow {
  next_at: Date
}

/** Those that are due, the longest first, lent to this server until an instant: who dies meanwhile has others look then. */
export async function lendSchedules(tx: Tx, { now, until, limit }: { now: Date; until: Date; limit: number }): Promise<DueSchedule[]> {
  const text = `
    with due as (select id from schedules where due_at <= $1 order by due_at limit $3 for no key update skip locked)
    update schedules set due_at = $2 from due where schedules.id = due.id returning ${scheduleColumns
      .split(', ')
      .map((column) => `schedules.${column}`)
      .join(', ')}`
  return tx.query<DueSchedule & Record<string, unknown>>({ name: 'schedules-lend', text }, [now, until, limit])
}

/** What becomes of it, if it is as it was: nobody has served this moment meanwhile, and nobody has said anything else of it. */
type Seen = Pick<DueSchedule, 'id' | 'next_at' | 'revision' | 'tries'>

const asSeen = 'id = $1 and next_at = $2 and revision = $3 and tries = $4'
const seen = (row: Seen): unknown[] => [row.id, row.next_at, row.revision, row.tries]

/** Where it goes on. */
export interface Onward {
  next: Date | null
  due: Date | null
  /** Moments that start no run. */
  passed: number
}

/** A run serves the moment. */
export async function serveMoment(tx: Tx, row: Seen, by: { runId: string; moment: Date }, { next, due, passed }: Onward): Promise<boolean> {
  const text = `
    update schedules set next_at = $5, due_at = $6, skipped = skipped + $7, count = count + 1, tries = 0, last_error = null, last_run_id = $8, last_at = $9
    where ${asSeen} returning id`
  return (await tx.query({ name: 'schedule-serve', text }, [...seen(row), next, due, passed, by.runId, by.moment])).length > 0
}

/** No run serves it, and none will. An error that is told is why; without one what was told stays. */
export async function passMoment(tx: Tx, row: Seen, { next, due, passed }: Onward, error: StepError | null): Promise<boolean> {
  const text = `
    update schedules set next_at = $5, due_at = $6, skipped = skipped + $7, tries = 0, last_error = coalesce($8::json, last_error)
    where ${asSeen} returning id`
  return (await tx.query({ name: 'schedule-pass', text }, [...seen(row), next, due, passed, error && JSON.stringify(error)])).length > 0
}

/** A start was refused: it is tried again. What came before this moment has passed. */
export async function refuseMoment(tx: Tx, row: Seen, { moment, retryAt, passed, error }: { moment: Date; retryAt: Date; passed: number; error: StepError }): Promise<boolean> {
  const text = `
    update schedules set next_at = $5, due_at = $6, skipped = skipped + $7, tries = case when next_at = $5 then tries else 0 end + 1, last_error = $8::json
    where ${asSeen} returning id`
  return (await tx.query({ name: 'schedule-refuse', text }, [...seen(row), moment, retryAt, passed, JSON.stringify(error)])).length > 0
}

/** Its workflow has gone. */
export const endSchedule = async (tx: Tx, row: Seen): Promise<boolean> =>
  (await tx.query({ name: 'schedule-end', text: `delete from schedules where ${asSeen} returning id` }, seen(row))).length > 0
