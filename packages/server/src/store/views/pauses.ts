import { Fault, type ListPauses, type Page, type Pause, type PauseField, type Where } from '@sluice/schema'
import type { StoredList } from '../conditions/fields.ts'
import { among, listPage } from '../conditions/list.ts'
import type { Tx } from '../database.ts'
import { readPause } from '../rows/pauses.ts'
import { createScale } from './listed.ts'
import { listedPause, pauseFrom } from './pause.ts'
import { resolveWorkflow } from './runs.ts'

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

/** So many are read at once: what they carry, people have written, and machines. */
const readAtOnce = 100

/**
 * Pauses of a workspace, newest first unless asked otherwise. Throws Faults `workflow_missing` and `run_missing` for what they
 * are asked of, and `limit_exceeded` when more was asked for than an answer holds.
 */
export async function listPauses(tx: Tx, workspaceId: string, asked: ListPauses): Promise<Page<Pause>> {
  const { runId, workflow, status, assignee, limit } = asked
  const also: Where<PauseField> = {
    runId,
    ...(workflow !== undefined && { workflowId: await resolveWorkflow(tx, workspaceId, workflow) }),
    status: among(status),
    assignee,
  }
  const stored = { select: listedPause, from: 'pauses', scope: 'workspace_id = $1', values: [workspaceId], item: pauseFrom }
  const weigh = createScale()
  const page = await listPage(tx, pauseList, { ...asked, also, limit: Math.min(limit, readAtOnce) }, stored)
  weigh(page.items)
  while (page.items.length < limit && page.nextCursor !== null) {
    const more = await listPage(
      tx,
      pauseList,
      { ...asked, also, offset: undefined, cursor: page.nextCursor, limit: Math.min(limit - page.items.length, readAtOnce), count: false },
      stored,
    )
    weigh(more.items)
    page.items.push(...more.items)
    page.nextCursor = more.nextCursor
  }
  if (runId !== undefined && page.items.length === 0) await checkRun(tx, workspaceId, runId)
  return page
}

async function checkRun(tx: Tx, workspaceId: string, id: string): Promise<void> {
  const [run] = await tx.query({ name: 'view-is-run', text: 'select from runs where id = $1 and workspace_id = $2' }, [id, workspaceId])
  if (!run) throw new Fault('run_missing')
}
