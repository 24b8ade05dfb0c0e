import { Fault, type ListSchedules, type Page, type Schedule, type ScheduleField } from '@sluice/schema'
import type { StoredList } from '../conditions/fields.ts'
import { listPage } from '../conditions/list.ts'
import type { Tx } from '../database.ts'
import { findSchedule, scheduleColumns, type ScheduleRow } from '../rows/schedules.ts'
import { findWorkflow } from '../rows/workflows.ts'

export const scheduleFrom = (row: ScheduleRow): Schedule => ({
  id: row.id,
  workflowId: row.workflow_id,
  name: row.name,
  cron: row.cron,
  everyMs: row.every_ms,
  timeZone: row.time_zone,
  ...row.given,
  missed: row.missed,
  overlap: row.overlap,
  times: row.times,
  startsAt: row.starts_at?.toISOString() ?? null,
  endsAt: row.ends_at?.toISOString() ?? null,
  enabled: row.enabled,
  nextAt: row.next_at?.toISOString() ?? null,
  lastAt: row.last_at?.toISOString() ?? null,
  lastRunId: row.last_run_id,
  count: row.count,
  skipped: row.skipped,
  lastError: row.last_error,
  retryAt: row.tries > 0 ? (row.due_at?.toISOString() ?? null) : null,
  origin: row.origin,
  created: row.created_at.toISOString(),
  updated: row.updated_at.toISOString(),
})

const scheduleList: StoredList<Schedule, ScheduleField> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'id', of: (schedule) => schedule.id },
    workflowId: { type: 'id', sql: 'workflow_id', of: (schedule) => schedule.workflowId },
    name: { type: 'text', sql: 'name', of: (schedule) => schedule.name },
    enabled: { type: 'boolean', sql: 'enabled', of: (schedule) => schedule.enabled },
    origin: { type: 'text', sql: 'origin', of: (schedule) => schedule.origin },
    nextAt: { type: 'time', nullable: true, sql: 'next_at', of: (schedule) => schedule.nextAt },
    lastAt: { type: 'time', nullable: true, sql: 'last_at', of: (schedule) => schedule.lastAt },
    count: { type: 'number', sql: 'count', of: (schedule) => schedule.count },
    created: { type: 'time', sql: 'created_at', of: (schedule) => schedule.created },
    updated: { type: 'time', sql: 'updated_at', of: (schedule) => schedule.updated },
  },
}

/** Newest first unless asked otherwise. Throws a Fault `workflow_missing`. */
export async function listSchedules(tx: Tx, workspaceId: string, { workflow, ...asked }: ListSchedules): Promise<Page<Schedule>> {
  const found = workflow === undefined ? null : await findWorkflow(tx, workspaceId, workflow)
  if (found === undefined) throw new Fault('workflow_missing', { details: { workflow: workflow! } })
  return listPage(
    tx,
    scheduleList,
    { ...asked, also: found === null ? {} : { workflowId: found.id } },
    { select: scheduleColumns, from: 'schedules', scope: 'workspace_id = $1', values: [workspaceId], item: scheduleFrom },
  )
}

/** Throws a Fault `schedule_missing`. */
export async function getSchedule(tx: Tx, workspaceId: string, id: string): Promise<Schedule> {
  const row = await findSchedule(tx, workspaceId, id)
  if (!row) throw new Fault('schedule_missing')
  return scheduleFrom(row)
}
