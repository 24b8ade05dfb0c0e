import type { Tx } from '../database.ts'

export interface SignalRecord {
  id: number
  run_id: string
  name: string
  payload: string
}

/** The signals of runs that no step has taken yet, first in first. */
export const keptSignalsOf = (tx: Tx, runIds: readonly string[]): Promise<SignalRecord[]> =>
  tx.query({ name: 'signals-of', text: 'select id, run_id, name, payload::text as payload from signals where run_id = any($1) order by id' }, [runIds])

export const insertSignals = (tx: Tx, rows: readonly { runId: string; name: string; payload: string }[]): Promise<unknown> =>
  tx.query({ name: 'signals-insert', text: 'insert into signals (run_id, name, payload) select * from unnest($1::text[], $2::text[], $3::json[])' }, [
    rows.map((row) => row.runId),
    rows.map((row) => row.name),
    rows.map((row) => row.payload),
  ])

/** Takes away what steps have taken. What is not known by its id is the oldest of its name. */
export async function deleteSignals(tx: Tx, rows: readonly { runId: string; id: number | null; name: string }[]): Promise<void> {
  const known = rows.flatMap(({ id }) => id ?? [])
  if (known.length > 0) await tx.query({ name: 'signals-delete', text: 'delete from signals where id = any($1::bigint[])' }, [known])
  const named = rows.filter(({ id }) => id === null)
  if (named.length === 0) return
  await tx.query(
    {
      name: 'signals-delete-named',
      text: `
        with taken as (
          select run_id, name, row_number() over (partition by run_id, name order by place) as number
          from unnest($1::text[], $2::text[]) with ordinality as t (run_id, name, place)
        ), kept as (
          select id, run_id, name, row_number() over (partition by run_id, name order by id) as number from signals where run_id = any($1) and name = any($2)
        )
        delete from signals using taken join kept using (run_id, name, number) where signals.id = kept.id`,
    },
    [named.map((row) => row.runId), named.map((row) => row.name)],
  )
}
