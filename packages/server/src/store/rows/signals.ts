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

/** What is not known by its id is the oldest of its name that is kept. */
export async function consumeSignals(tx: Tx, rows: readonly { runId: string; id: number | null; name: string; by: string }[]): Promise<void> {
  const known = rows.filter(({ id }) => id !== null)
  if (known.length > 0)
    await tx.query(
      {
        name: 'signals-consume',
        text: 'update signals set consumed_by = taken.by from unnest($1::bigint[], $2::text[]) as taken (id, by) where signals.id = taken.id',
      },
      [known.map((row) => row.id), known.map((row) => row.by)],
    )
  const named = rows.filter(({ id }) => id === null)
  if (named.length === 0) return
  await tx.query(
    {
      name: 'signals-consume-named',
      text: `
        with taken as (
          select run_id, name, by, row_number() over (partition by run_id, name order by place) as number
          from unnest($1::text[], $2::text[], $3::text[]) with ordinality as t (run_id, name, by, place)
        ), kept as (
          select id, run_id, name, row_number() over (partition by run_id, name order by id) as number
          from signals where run_id = any($1) and name = any($2) and consumed_by is null
        )
        update signals set consumed_by = taken.by from taken join kept using (run_id, name, number) where signals.id = kept.id`,
    },
    [named.map((row) => row.runId), named.map((row) => row.name), named.map((row) => row.by)],
  )
}
