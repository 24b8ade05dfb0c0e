import type { Tx } from '../database.ts'

/** Items of producers that wait for what comes from outside their run. Written with the turn in which they begin, or cease, to wait. */
export interface ListenerWrite {
  runId: string
  workspaceId: string
  nodeId: string
  iteration: string
  kind: 'queue' | 'webhook'
  name: string
  /** When the run was made. */
  since: Date
  /** The last delivery that the producer took; null: those that came since the run was made. */
  after: string | null
}

export interface ListenerKey {
  runId: string
  nodeId: string
  iteration: string
}

export const insertListeners = (tx: Tx, rows: readonly ListenerWrite[]): Promise<unknown> =>
  tx.query(
    {
      name: 'listeners-insert',
      text: `
        insert into listeners (run_id, workspace_id, node_id, iteration, kind, name, since, after)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[])
        on conflict (run_id, node_id, iteration) do update set kind = excluded.kind, name = excluded.name, after = excluded.after, waiting_since = now()`,
    },
    [
      rows.map((row) => row.runId),
      rows.map((row) => row.workspaceId),
      rows.map((row) => row.nodeId),
      rows.map((row) => row.iteration),
      rows.map((row) => row.kind),
      rows.map((row) => row.name),
      rows.map((row) => row.since),
      rows.map((row) => row.after),
    ],
  )

export const deleteListeners = (tx: Tx, keys: readonly ListenerKey[]): Promise<unknown> =>
  tx.query(
    {
      name: 'listeners-delete',
      text: 'delete from listeners where (run_id, node_id, iteration) in (select * from unnest($1::text[], $2::text[], $3::text[]))',
    },
    [keys.map((key) => key.runId), keys.map((key) => key.nodeId), keys.map((key) => key.iteration)],
  )
