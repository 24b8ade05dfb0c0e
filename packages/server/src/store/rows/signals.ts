import type { Tx } from '../database.ts'

export interface SignalRecord {
  id: number
  run_id: string
  name: string
  payload: string
}

/** The signals of runs that no step has taken yet, first in first. */
export const keptSignalsOf = (tx: Tx, runIds: readonly string[]): Promise<SignalRecord[]> =>
  tx.query({ name: 'signals-of', text: 'select id, run_id, name, payload::text as payload from signals where run_id = any($1) and consumed_by is null order by id' }, [runIds])

export const insertSignals = (tx: Tx, rows: readonly { runId: string; name: string; payload: string }[]): Promise<unknown> =>
  tx.query({ name: 'signals-insert', text: 'insert into signals (run_id, name, payload) select * from unnest($1::text[], $2::text[], $3::json[])' }, [
    rows.map((row) => row.runId),
    rows.map((row) => row.name),
    rows.map((row) => row.payload),
  ])

export const consumeSignals = (tx: Tx, rows: readonly { id: number; by: string }[]): Promise<unknown> =>
  tx.query(
    {
      name: 'signals-consume',
      text: 'update signals set consumed_by = taken.by from unnest($1::bigint[], $2::text[]) as taken (id, by) where signals.id = taken.id',
    },
    [rows.map((row) => row.id), rows.map((row) => row.by)],
  )
