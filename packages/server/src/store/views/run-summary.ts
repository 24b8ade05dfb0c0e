import type { RunSummary } from '@sluice/schema'

/** The status as the world sees it: a hold lies over those that it can lie on. */
export const shownStatus = `case when held_at is not null and status in ('queued', 'running', 'waiting') then 'held' else status end`

export const summaryColumns = `id, workflow_id, version, ${shownStatus} as status, waiting_kind, progress, reason, transaction_id, lane, parent_run_id, trigger, tags,
  created_at, started_at, ended_at, updated_at`

/** A row of `summaryColumns`, or the JSON of one. */
export interface SummaryRow {
  id: string
  workflow_id: string
  version: number
  status: RunSummary['status']
  waiting_kind: RunSummary['waitingKind']
  progress: number
  reason: RunSummary['reason']
  transaction_id: string | null
  lane: string | null
  parent_run_id: string | null
  trigger: string
  tags: string[]
  created_at: Date | string
  started_at: Date | string | null
  ended_at: Date | string | null
  updated_at: Date | string
}

/** PostgreSQL's JSON writes instants with an offset; we always write them in UTC. */
const iso = (instant: Date | string): string => new Date(instant).toISOString()

export const summaryFrom = (row: SummaryRow): RunSummary => ({
  id: row.id,
  workflowId: row.workflow_id,
  version: row.version,
  status: row.status,
  waitingKind: row.waiting_kind,
  progress: row.progress,
  reason: row.reason,
  transactionId: row.transaction_id,
  lane: row.lane,
  parentRunId: row.parent_run_id,
  trigger: row.trigger,
  tags: row.tags,
  created: iso(row.created_at),
  startedAt: row.started_at && iso(row.started_at),
  endedAt: row.ended_at && iso(row.ended_at),
  updated: iso(row.updated_at),
})
