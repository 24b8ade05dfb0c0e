import { type RunField, RunStatus, type RunSummary, type Scalar, terminalStatuses } from '@sluice/schema'
import type { StoredList } from '../conditions/fields.ts'
import { timeOf } from '../ids.ts'

/** The status as the world sees it: a hold lies over those that it can lie on. */
export const shownStatus = `case when held_at is not null and status in ('queued', 'running', 'waiting') then 'held' else status end`

/** What stands of a workflow that is deleted, too. */
const handle = `(select handle from workflows where workflows.id = workflow_id)`

export const summaryColumns = `id, workflow_id, ${handle} as workflow_handle, version, ${shownStatus} as status, waiting_kind, progress, reason, transaction_id, lane, parent_run_id, session_id, trigger, tags,
  started_at, ended_at, updated_at`

/** All that a list of runs looks at, but for the id. */
export const listedColumns = `workflow_id, version, status, held_at, waiting_kind, progress, reason, transaction_id, lane, parent_run_id, session_id, trigger, tags,
  created_at, started_at, ended_at, updated_at`

/** A row of `summaryColumns`, or the JSON of one. */
export interface SummaryRow {
  id: string
  workflow_id: string
  /** Null: a trial of a node that stands in no workflow. */
  workflow_handle: string | null
  version: number
  status: RunSummary['status']
  waiting_kind: RunSummary['waitingKind']
  progress: number
  reason: RunSummary['reason']
  transaction_id: string | null
  lane: string | null
  parent_run_id: string | null
  session_id: string | null
  trigger: string
  tags: string[]
  started_at: Date | string | null
  ended_at: Date | string | null
  updated_at: Date | string
}

/** PostgreSQL's JSON writes instants with an offset; we always write them in UTC. */
const iso = (instant: Date | string): string => new Date(instant).toISOString()

export const summaryFrom = (row: SummaryRow): RunSummary => ({
  id: row.id,
  workflowId: row.workflow_id,
  workflow: row.workflow_handle ?? row.workflow_id,
  version: row.version,
  status: row.status,
  waitingKind: row.waiting_kind,
  progress: row.progress,
  reason: row.reason,
  transactionId: row.transaction_id,
  lane: row.lane,
  parentRunId: row.parent_run_id,
  sessionId: row.session_id,
  trigger: row.trigger,
  tags: row.tags,
  created: new Date(timeOf(row.id)).toISOString(),
  startedAt: row.started_at && iso(row.started_at),
  endedAt: row.ended_at && iso(row.ended_at),
  updated: iso(row.updated_at),
})

const all = (values: readonly Scalar[], known: readonly string[]): boolean => values.every((value) => known.includes(String(value)))

const ended: readonly string[] = terminalStatuses
/** As stored. */
const live: readonly string[] = RunStatus.options.filter((status) => !ended.includes(status) && status !== 'held')
/** Every end but one has a reason, and nothing that goes on has. */
const endedBadly: readonly string[] = terminalStatuses.filter((status) => status !== 'completed')
const holdable = ['queued', 'running', 'waiting']
const moving = live.filter((status) => status !== 'waiting')

const isLive = 'ended_at is null'
/** Also where its version keeps it, whatever its status is. */
const isMoving = `${isLive} and (waiting_kind is null or waiting_kind = 'version')`
const isHeld = `${isLive} and held_at is not null`
const isHeldOf = (statuses: readonly string[]): string => `(held_at is not null and ${isOf(statuses)})`

const isOf = (statuses: readonly string[]): string => `status = any('{${statuses.join()}}')`
/**
 * All but the others of its kind, not these. For the status that most of what an index is over have: the planner, which takes
 * conditions for independent of each other, would think that few are left.
 */
const isNoneOf = (statuses: readonly string[]): string => `status <> all('{${statuses.join()}}')`

/** In words that have indexes. */
function shownWithin(values: readonly Scalar[]): string {
  const shown = RunStatus.options.filter((status) => values.includes(status))
  const stored = shown.filter((status) => status !== 'held')
  if (shown.length === 0) return 'false'
  if (all(shown, endedBadly)) return `reason is not null and ${shown.includes('failed') ? isNoneOf(endedBadly.filter((status) => !all([status], shown))) : isOf(shown)}`
  if (stored.length === 0) return `${isHeld} and ${isOf(holdable)}`
  const free = all(stored, holdable) ? 'held_at is null' : `not ${isHeldOf(holdable)}`
  const others = live.filter((status) => !all([status], stored))
  if (all(shown, moving)) return `${isMoving} and ${isOf(stored)} and ${free}`
  if (all(shown, live)) return `${isLive} and ${isNoneOf(others)} and ${free}`
  if (all(stored, live)) return `${isLive} and (${isNoneOf(others)} or ${isHeldOf(holdable)})`
  if (all(stored, ended) && shown.length === stored.length) return isOf(stored)
  return `(${isOf(stored)} and ${free})${shown.length === stored.length ? '' : ` or ${isHeldOf(holdable)}`}`
}

function narrowWait(kinds: readonly Scalar[]): string {
  if (all(kinds, ['hold'])) return isHeld
  return all(kinds, ['queue']) ? isMoving : isLive
}

/** What keeps a run from moving, before all others a hold. */
const shownWait = `case when ended_at is not null then null when held_at is not null and status in ('queued', 'running', 'waiting') then 'hold'
  when waiting_kind is not null then waiting_kind when started_at is null then 'queue' end`

function waitOf({ status, endedAt, waitingKind, startedAt }: RunSummary): RunSummary['waitingKind'] {
  if (endedAt !== null) return null
  if (status === 'held') return 'hold'
  return waitingKind ?? (startedAt === null ? 'queue' : null)
}

/** What could not be undone is looked for among all that failed, of which it is little. */
const narrowReason = (codes: readonly Scalar[]): string => (all(codes, ['compensation_failed']) ? `reason ->> 'code' = 'compensation_failed'` : 'reason is not null')

const uncommonTrigger = `trigger <> all('{manual,parent}')`

/** Trials are in no list: whoever reads one leaves them out. */
export const runList: StoredList<RunSummary, RunField> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'id', of: (run) => run.id },
    workflowId: { type: 'id', sql: 'workflow_id', of: (run) => run.workflowId },
    // Whoever lists runs gives their workspace first.
    workflow: {
      type: 'text',
      sql: handle,
      // 300,000 runs of 50 workflows: 0.3 s; with a look for each of them 2.4 s.
      keyed: `((select jsonb_object_agg(workflows.id, workflows.handle) from workflows where workspace_id = $1) ->> workflow_id)`,
      elsewhere: { sql: 'handle', where: (test) => `workflow_id in (select workflows.id from workflows where workspace_id = $1 and ${test})` },
      of: (run) => run.workflow,
    },
    version: { type: 'number', sql: 'version', of: (run) => run.version },
    status: { type: 'text', sql: shownStatus, of: (run) => run.status, within: shownWithin },
    waitingOn: { type: 'text', nullable: true, sql: shownWait, of: waitOf, narrow: narrowWait },
    reason: { type: 'text', nullable: true, sql: `reason ->> 'code'`, of: (run) => run.reason?.code ?? null, narrow: narrowReason },
    transactionId: { type: 'text', nullable: true, sql: 'transaction_id', of: (run) => run.transactionId },
    lane: { type: 'text', nullable: true, sql: 'lane', of: (run) => run.lane },
    parentRunId: { type: 'id', nullable: true, sql: 'parent_run_id', of: (run) => run.parentRunId },
    sessionId: { type: 'id', nullable: true, sql: 'session_id', of: (run) => run.sessionId },
    trigger: { type: 'text', sql: 'trigger', of: (run) => run.trigger, narrow: (values) => (values.includes('manual') || values.includes('parent') ? null : uncommonTrigger) },
    // The index is over runs that have any.
    tags: { type: 'texts', sql: 'tags', of: (run) => run.tags, narrow: () => `tags <> '{}'` },
    created: { type: 'time', sql: 'created_at', ofId: true, of: (run) => run.created },
    startedAt: { type: 'time', nullable: true, sql: 'started_at', of: (run) => run.startedAt },
    endedAt: { type: 'time', nullable: true, sql: 'ended_at', of: (run) => run.endedAt },
    updated: { type: 'time', sql: 'updated_at', of: (run) => run.updated },
  },
}
