import { Fault, type ListPauses, type Page, type Pause, type PauseField, type Where } from '@sluice/schema'
import type { StoredList } from '../conditions/fields.ts'
import { among, listPage } from '../conditions/list.ts'
import type { Tx } from '../database.ts'
import { type PauseRecord, readPause } from '../rows/pauses.ts'
import { resolveWorkflow } from './runs.ts'

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

const pauseList: StoredList<Pause, PauseField> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'id', of: (pause) => pause.id },
    runId: { type: 'id', sql: 'run_id', of: (pause) => pause.runId },
    workflowId: { type: 'id', sql: 'workflow_id', of: (pause) => pause.workflowId },
    nodeId: { type: 'text', sql: 'node_id', of: (pause) => pause.nodeId },
    step: { type: 'text', sql: 'step', of: (pause) => pause.step },
    iteration: { type: 'text', sql: 'iteration', of: (pause) => pause.iteration },
    kind: { type: 'text', sql: 'kind', of: (pause) => pause.kind },
    status: { type: 'text', sql: 'status', of: (pause) => pause.status, narrow: (values) => (values.every((value) => value === 'open') ? `status = 'open'` : null) },
    message: { type: 'text', sql: 'message', of: (pause) => pause.message },
    assignee: { type: 'text', nullable: true, sql: 'assignee', of: (pause) => pause.assignee },
    openedAt: { type: 'time', sql: 'opened_at', of: (pause) => pause.openedAt },
    dueAt: { type: 'time', nullable: true, sql: 'due_at', of: (pause) => pause.dueAt },
  },
}

/** Pauses of a workspace, newest first unless asked otherwise. Throws a Fault `workflow_missing` for an unknown workflow. */
export async function listPauses(tx: Tx, workspaceId: string, asked: ListPauses): Promise<Page<Pause>> {
  const { runId, workflow, status, assignee } = asked
  const also: Where<PauseField> = {
    runId,
    ...(workflow !== undefined && { workflowId: await resolveWorkflow(tx, workspaceId, workflow) }),
    status: among(status),
    assignee,
  }
  return listPage(tx, pauseList, { ...asked, also }, { select: '*', from: 'pauses', scope: 'workspace_id = $1', values: [workspaceId], item: pauseFrom })
}
