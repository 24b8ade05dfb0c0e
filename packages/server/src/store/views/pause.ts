import type { Pause } from '@sluice/schema'
import type { Tx } from '../database.ts'
import type { PauseRecord } from '../rows/pauses.ts'
import { listedValue } from './listed.ts'

/** A row, or the JSON of one: then its times are texts. */
export type ShownPause = Pick<
  PauseRecord,
  'id' | 'run_id' | 'workflow_id' | 'node_id' | 'step' | 'iteration' | 'kind' | 'status' | 'message' | 'form' | 'input' | 'assignee' | 'decision'
> & { opened_at: Date | string; due_at: Date | string | null }

/** As lists tell it. */
export const listedPause = `id, run_id, workflow_id, node_id, step, iteration, kind, status, message, form, ${listedValue('input')}, assignee, decision, opened_at, due_at`

/** Of the run that the statement around it reads, oldest first. */
export const openPauses = `select ${listedPause} from pauses where run_id = runs.id and status = 'open' order by id`

const iso = (instant: Date | string): string => new Date(instant).toISOString()

export const pauseFrom = (row: ShownPause): Pause => ({
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
  openedAt: iso(row.opened_at),
  dueAt: row.due_at && iso(row.due_at),
  decision: row.decision as Pause['decision'],
})

/** The open pauses of runs, by run, oldest first. */
export async function openPausesOf(tx: Tx, runIds: readonly string[]): Promise<Map<string, Pause[]>> {
  const rows = await tx.query<ShownPause & Record<string, unknown>>(
    { name: 'view-open-pauses', text: `select ${listedPause} from pauses where run_id = any($1) and status = 'open' order by id` },
    [runIds],
  )
  return Map.groupBy(rows.map(pauseFrom), (pause) => pause.runId)
}
