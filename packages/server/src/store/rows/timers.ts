import { type Column, namesOf } from '../columns.ts'
import type { Tx } from '../database.ts'

export interface TimerRecord {
  run_id: string
  node_id: string
  iteration: string
  kind: string
  due_at: Date
}

/** A timer that is set, or, without a time, taken away. */
export interface TimerWrite {
  runId: string
  nodeId: string
  iteration: string
  kind: string
  dueAt: number | null
}

export const timerColumns: readonly Column<TimerWrite>[] = [
  ['run_id', 'text', (timer) => timer.runId],
  ['node_id', 'text', (timer) => timer.nodeId],
  ['iteration', 'text', (timer) => timer.iteration],
  ['kind', 'text', (timer) => timer.kind],
  ['due_at', 'timestamptz', (timer) => timer.dueAt],
]

export const setTimers = (from: string, where: string): string => `
  insert into timers (${namesOf(timerColumns)}) select * from ${from} where due_at is not null and ${where}
  on conflict (run_id, node_id, iteration, kind) do update set due_at = excluded.due_at`

export const clearTimers = (from: string, alias: string, where: string): string => `
  delete from timers using ${from}
  where timers.run_id = ${alias}.run_id and timers.node_id = ${alias}.node_id and timers.iteration = ${alias}.iteration and timers.kind = ${alias}.kind
    and ${alias}.due_at is null and ${where}`

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

/** What PostgreSQL's time is, and how many milliseconds are left until the next timer is due: null when there is none. */
export async function nextTimer(tx: Tx): Promise<{ now: number; ms: number | null }> {
  const [row] = await tx.query<{ now: number; ms: number | null }>({
    name: 'timers-next',
    text: 'select (extract(epoch from now()) * 1000)::float8 as now, (extract(epoch from min(due_at) - now()) * 1000)::float8 as ms from timers',
  })
  return row!
}
