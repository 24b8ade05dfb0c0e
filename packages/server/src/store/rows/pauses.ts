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

export const upsertPauses = (tx: Tx, rows: readonly PauseRecord[]): Promise<unknown> =>
  tx.query(
    {
      name: 'pauses-upsert',
      text: `
        insert into pauses (id, workspace_id, workflow_id, run_id, node_id, iteration, step, kind, status, message, form, input,
          assignee, blocks, on_expiry, opened_at, due_at, decision, decision_key)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
          $10::text[], $11::json[], $12::json[], $13::text[], $14::text[], $15::json[], $16::timestamptz[], $17::timestamptz[], $18::json[], $19::text[])
        on conflict (id) do update set status = excluded.status, decision = excluded.decision, decision_key = excluded.decision_key`,
    },
    [
      rows.map((row) => row.id),
      rows.map((row) => row.workspace_id),
      rows.map((row) => row.workflow_id),
      rows.map((row) => row.run_id),
      rows.map((row) => row.node_id),
      rows.map((row) => row.iteration),
      rows.map((row) => row.step),
      rows.map((row) => row.kind),
      rows.map((row) => row.status),
      rows.map((row) => row.message),
      rows.map((row) => json(row.form)),
      rows.map((row) => JSON.stringify(row.input ?? null)),
      rows.map((row) => row.assignee),
      rows.map((row) => row.blocks),
      rows.map((row) => json(row.on_expiry)),
      rows.map((row) => row.opened_at),
      rows.map((row) => row.due_at),
      rows.map((row) => json(row.decision)),
      rows.map((row) => row.decision_key),
    ],
  )

const json = (value: unknown): string | null => (value === null || value === undefined ? null : JSON.stringify(value))
