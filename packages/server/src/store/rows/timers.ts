import type { Tx } from '../database.ts'

export interface TimerRecord {
  run_id: string
  node_id: string
  iteration: string
  kind: string
  due_at: Date
}

export const setTimers = (tx: Tx, rows: readonly TimerRecord[]): Promise<unknown> =>
  tx.query(
    {
      name: 'timers-set',
      text: `
        insert into timers (run_id, node_id, iteration, kind, due_at)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
        on conflict (run_id, node_id, iteration, kind) do update set due_at = excluded.due_at`,
    },
    [rows.map((row) => row.run_id), rows.map((row) => row.node_id), rows.map((row) => row.iteration), rows.map((row) => row.kind), rows.map((row) => row.due_at)],
  )

export const clearTimers = (tx: Tx, rows: readonly Omit<TimerRecord, 'due_at'>[]): Promise<unknown> =>
  tx.query(
    {
      name: 'timers-clear',
      text: `
        delete from timers using unnest($1::text[], $2::text[], $3::text[], $4::text[]) as gone (run_id, node_id, iteration, kind)
        where timers.run_id = gone.run_id and timers.node_id = gone.node_id and timers.iteration = gone.iteration and timers.kind = gone.kind`,
    },
    [rows.map((row) => row.run_id), rows.map((row) => row.node_id), rows.map((row) => row.iteration), rows.map((row) => row.kind)],
  )

export const clearTimersOf = (tx: Tx, runIds: readonly string[]): Promise<unknown> =>
  tx.query({ name: 'timers-clear-of', text: 'delete from timers where run_id = any($1)' }, [runIds])

/**
 * Timers that are due, lent to one process for a few seconds: it takes them away by committing what they bring about; if it
 * dies before, they are due again.
 */
export const takeDueTimers = (tx: Tx, limit: number): Promise<TimerRecord[]> =>
  tx.query(
    {
      name: 'timers-take',
      text: `
        update timers set due_at = now() + interval '5 seconds'
        where (run_id, node_id, iteration, kind) in (
          select run_id, node_id, iteration, kind from timers where due_at <= now() order by due_at limit $1 for update skip locked)
        returning run_id, node_id, iteration, kind, due_at`,
    },
    [limit],
  )

/** Milliseconds until the next timer is due; null when there is none. */
export async function nextTimer(tx: Tx): Promise<number | null> {
  const [row] = await tx.query<{ ms: number | null }>({ name: 'timers-next', text: `select (extract(epoch from min(due_at) - now()) * 1000)::float8 as ms from timers` })
  return row?.ms ?? null
}
