import { limits, type Pause } from '@sluice/schema'
import type { Tx } from '../database.ts'
import type { PauseRecord } from '../rows/pauses.ts'
import { listedValue, tooLarge } from './listed.ts'

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

/** Throws a Fault `limit_exceeded`, before they are read, when the open pauses of these runs are more than an answer holds. */
export async function weighOpenPauses(tx: Tx, runIds: readonly string[]): Promise<void> {
  const [row] = await tx.query<{ bytes: number }>(
    {
      name: 'view-open-pauses-weight',
      text: `
        select coalesce(sum(octet_length(message) + coalesce(octet_length(form::text), 0) + least(octet_length(input::text), ${limits.listValueBytes})), 0)::float8 as bytes
        from pauses where run_id = any($1) and status = 'open'`,
    },
    [runIds],
  )
  if (row!.bytes > limits.answerBytes) throw tooLarge()
}
