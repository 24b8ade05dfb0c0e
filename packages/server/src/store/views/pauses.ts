import { Fault, type Page, type Pause } from '@sluice/schema'
import { decodeCursor, idForm, pageFrom } from '../cursor.ts'
import type { Tx } from '../database.ts'
import { type PauseRecord, readPause } from '../rows/pauses.ts'

const pauseFrom = (row: PauseRecord): Pause => ({
  id: row.id,
  runId: row.run_id,
  workflowId: row.workflow_id,
  nodeId: row.node_id,
  step: row.step,
  iteration: row.iteration,
  kind: row.kind as Pause['kind'],
  status: row.status as Pause['status'],
  message: row.message,
  form: row.form as Pause['form'],
  input: row.input as Pause['input'],
  assignee: row.assignee,
  openedAt: row.opened_at.toISOString(),
  dueAt: row.due_at?.toISOString() ?? null,
  decision: row.decision as Pause['decision'],
})

/** Throws a Fault `pause_missing`. */
export async function getPause(tx: Tx, workspaceId: string, id: string): Promise<Pause> {
  const row = await readPause(tx, workspaceId, id)
  if (!row) throw new Fault('pause_missing')
  return pauseFrom(row)
}

export interface PausesAsked {
  runId?: string | undefined
  status?: string | undefined
  assignee?: string | undefined
  cursor?: string | undefined
  limit: number
  count?: boolean | undefined
}

/** Pauses of a workspace, newest first. */
export async function listPauses(tx: Tx, workspaceId: string, asked: PausesAsked): Promise<Page<Pause>> {
  const { runId = null, status = null, assignee = null, limit } = asked
  const before = asked.cursor === undefined ? null : decodeCursor(asked.cursor, idForm)
  const matches = `workspace_id = $1 and ($2::text is null or run_id = $2) and ($3::text is null or status = $3) and ($4::text is null or assignee = $4)`
  const rows = await tx.query<PauseRecord & Record<string, unknown>>(`select * from pauses where ${matches} and ($5::text is null or id < $5) order by id desc limit $6`, [
    workspaceId,
    runId,
    status,
    assignee,
    before,
    limit + 1,
  ])
  const page = pageFrom(rows, limit, (row) => row.id, pauseFrom)
  if (!asked.count) return page
  const [counted] = await tx.query<{ total: number }>(`select count(*)::int as total from pauses where ${matches}`, [workspaceId, runId, status, assignee])
  return { ...page, total: counted!.total }
}
