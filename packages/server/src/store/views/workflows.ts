import type { Activity, Definition, Version, Workflow, WorkflowSummary } from '@sluice/schema'
import type { Tx } from '../database.ts'
import type { VersionRow, WorkflowRow } from '../rows/workflows.ts'
import { type SummaryRow, summaryColumns, summaryFrom } from './run-summary.ts'

/** Workflows as callers see them, with what their runs amount to. Trials are never counted. */

type Listed = Omit<WorkflowRow, 'fresh' | 'seq' | 'workspace_id'> & { runs: number; active: number; last: SummaryRow | null }

const columns = `
  w.id, w.handle, w.name, w.description, w.revision, w.version, w.hash, w.extra, w.created_at, w.updated_at,
  (select count(*) from runs r where r.workflow_id = w.id and r.trial is null) as runs,
  (select count(*) from runs r where r.workflow_id = w.id and r.trial is null and r.ended_at is null) as active,
  (select row_to_json(newest) from (
    select ${summaryColumns}
    from runs r where r.workflow_id = w.id and r.trial is null order by r.id desc limit 1
  ) as newest) as last`

export async function workflowView(tx: Tx, id: string): Promise<Workflow> {
  const rows = await tx.query<Listed & { draft: Definition } & Record<string, unknown>>(
    { name: 'workflows-view', text: `select ${columns}, w.draft from workflows w where w.id = $1` },
    [id],
  )
  const row = rows[0]!
  return { ...summaryOf(row), draft: row.draft }
}

export async function workflowSummary(tx: Tx, id: string): Promise<WorkflowSummary> {
  const rows = await tx.query<Listed & Record<string, unknown>>({ name: 'workflows-summary', text: `select ${columns} from workflows w where w.id = $1` }, [id])
  return summaryOf(rows[0]!)
}

/** Newest first, below an id. */
export async function workflowList(tx: Tx, workspaceId: string, { below, limit, name }: { below: string | null; limit: number; name: string | null }): Promise<WorkflowSummary[]> {
  const statement = {
    name: 'workflows-list',
    text: `
      select ${columns} from workflows w
      where w.workspace_id = $1 and w.deleted_at is null and ($2::text is null or w.id < $2) and ($3::text is null or w.name = $3)
      order by w.id desc limit $4`,
  }
  return (await tx.query<Listed & Record<string, unknown>>(statement, [workspaceId, below, name, limit])).map(summaryOf)
}

export async function workflowCount(tx: Tx, workspaceId: string, name: string | null): Promise<number> {
  const text = 'select count(*) as count from workflows where workspace_id = $1 and deleted_at is null and ($2::text is null or name = $2)'
  const [row] = await tx.query<{ count: number }>({ name: 'workflows-count', text }, [workspaceId, name])
  return row!.count
}

function summaryOf(row: Listed): WorkflowSummary {
  const { id, handle, name, description, revision, version, hash, extra } = row
  const activity: Activity = { runs: row.runs, active: row.active, lastRun: row.last && summaryFrom(row.last) }
  return { id, handle, name, description, revision, version, hash, extra, activity, created: row.created_at.toISOString(), updated: row.updated_at.toISOString() }
}

export const versionView = (row: VersionRow): Version => ({
  workflowId: row.workflow_id,
  number: row.number,
  hash: row.hash,
  name: row.name,
  description: row.description,
  definition: row.definition,
  created: row.created_at.toISOString(),
})
