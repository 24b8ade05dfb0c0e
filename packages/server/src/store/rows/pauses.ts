import { type Column, namesOf } from '../columns.ts'
import type { Tx } from '../database.ts'

export interface PauseRecord {
  id: string
  workspace_id: string
  workflow_id: string
  run_id: string
  node_id: string
  iteration: string
  step: string
  kind: string
  status: string
  message: string
  form: unknown
  input: unknown
  assignee: string | null
  blocks: string
  on_expiry: unknown
  opened_at: Date
  due_at: Date | null
  decision: unknown
  decision_key: string | null
}

export const openPausesOf = (tx: Tx, runIds: readonly string[]): Promise<PauseRecord[]> =>
  tx.query({ name: 'pauses-open-of', text: `select * from pauses where run_id = any($1) and status = 'open' order by id` }, [runIds])

export async function readPause(tx: Tx, workspaceId: string, id: string): Promise<PauseRecord | undefined> {
  const rows = await tx.query<PauseRecord & Record<string, unknown>>({ name: 'pauses-read', text: 'select * from pauses where id = $1 and workspace_id = $2' }, [id, workspaceId])
  return rows[0]
}

export async function lastPauseOf(tx: Tx, workspaceId: string, runId: string): Promise<PauseRecord | undefined> {
  const rows = await tx.query<PauseRecord & Record<string, unknown>>(
    { name: 'pauses-last-of', text: 'select * from pauses where run_id = $1 and workspace_id = $2 order by id desc limit 1' },
    [runId, workspaceId],
  )
  return rows[0]
}

const json = (value: unknown): string | null => (value === null || value === undefined ? null : JSON.stringify(value))

export const pauseColumns: readonly Column<PauseRecord>[] = [
  ['id', 'text', (pause) => pause.id],
  ['workspace_id', 'text', (pause) => pause.workspace_id],
  ['workflow_id', 'text', (pause) => pause.workflow_id],
  ['run_id', 'text', (pause) => pause.run_id],
  ['node_id', 'text', (pause) => pause.node_id],
  ['iteration', 'text', (pause) => pause.iteration],
  ['step', 'text', (pause) => pause.step],
  ['kind', 'text', (pause) => pause.kind],
  ['status', 'text', (pause) => pause.status],
  ['message', 'text', (pause) => pause.message],
  ['form', 'json', (pause) => json(pause.form)],
  ['input', 'json', (pause) => JSON.stringify(pause.input ?? null)],
  ['assignee', 'text', (pause) => pause.assignee],
  ['blocks', 'text', (pause) => pause.blocks],
  ['on_expiry', 'json', (pause) => json(pause.on_expiry)],
  ['opened_at', 'timestamptz', (pause) => pause.opened_at.getTime()],
  ['due_at', 'timestamptz', (pause) => pause.due_at?.getTime() ?? null],
  ['decision', 'json', (pause) => json(pause.decision)],
  ['decision_key', 'text', (pause) => pause.decision_key],
]

/** Opens pauses, and writes what became of open ones. */
export const writePauses = (from: string, where: string): string => `
  insert into pauses (${namesOf(pauseColumns)}) select * from ${from} where ${where}
  on conflict (id) do update set status = excluded.status, decision = excluded.decision, decision_key = excluded.decision_key`
