import type { Tx } from '../database.ts'

/** A step as stored; times as dates, JSON columns parsed but for the output and what is left for its undoing, which stay text. */
export interface StepRecord {
  run_id: string
  node_id: string
  iteration: string
  state: string
  attempts: number
  failures: number
  settled: number | null
  /** Null too where it is large: then it is fetched when it is needed. */
  output: string | null
  output_bytes: number
  route: string[] | null
  error: unknown
  waiting_for: unknown
  skip_reason: string | null
  compensation: unknown
  /** Null is that nothing was said of it; `null` as text, that it left nothing. */
  compensate_input: string | null
  body: unknown
  reported: string | null
  started_at: Date | null
  last_attempt_at: Date | null
  retry_at: Date | null
  timed_out_at: Date | null
  ended_at: Date | null
}

/** Outputs up to this size come along when a run is loaded. */
export const inlineOutputBytes = 16_384

/** The steps of runs, in the order in which they began: who waits longest stands first. */
export const stepsOf = (tx: Tx, runIds: readonly string[]): Promise<StepRecord[]> =>
  tx.query(
    {
      name: 'steps-of',
      text: `
        select run_id, node_id, iteration, state, attempts, failures, settled,
          case when output_bytes <= ${inlineOutputBytes} then output::text end as output, output_bytes,
          route, error, waiting_for, skip_reason, compensation, compensate_input::text as compensate_input, body, reported,
          started_at, last_attempt_at, retry_at, timed_out_at, ended_at
        from steps where run_id = any($1) order by last_attempt_at, node_id, iteration`,
    },
    [runIds],
  )

export const outputsOf = (tx: Tx, runId: string, nodeIds: readonly string[], iterations: readonly string[]): Promise<{ node_id: string; iteration: string; output: string }[]> =>
  tx.query(
    {
      name: 'steps-outputs',
      text: `
        select node_id, iteration, output::text as output from steps
        where run_id = $1 and (node_id, iteration) in (select * from unnest($2::text[], $3::text[])) and output is not null`,
    },
    [runId, nodeIds, iterations],
  )

/** Steps of items that are folded into counts, and what tells that they have written. */
export const deleteSteps = (tx: Tx, rows: readonly { runId: string; nodeId: string; iteration: string }[]): Promise<unknown> =>
  tx.query(
    {
      name: 'steps-delete',
      text: `
        with folded as (
          select * from unnest($1::text[], $2::text[], $3::text[]) as t (run_id, node_id, iteration)
        ), marks as (
          delete from file_writes using folded, lateral (values (node_id || '/' || iteration), (node_id || '/' || iteration || '/undo')) as mark (step)
          where file_writes.run_id = folded.run_id and file_writes.step = mark.step
        )
        delete from steps where (run_id, node_id, iteration) in (select * from folded)`,
    },
    [rows.map((row) => row.runId), rows.map((row) => row.nodeId), rows.map((row) => row.iteration)],
  )

/** Steps that a fork or a trial brings along as results. */
export const seedSteps = (
  tx: Tx,
  runId: string,
  seeds: readonly { nodeId: string; state: string; output: string | null; bytes: number; route: string[]; skipReason: string | null }[],
): Promise<unknown> =>
  tx.query(
    {
      name: 'steps-seed',
      text: `
        insert into steps (run_id, node_id, state, output, output_bytes, route, skip_reason, ended_at)
        select $1, s.node_id, s.state, s.output::json, s.bytes, array(select json_array_elements_text(s.route::json)), s.skip_reason, now()
        from unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[]) as s (node_id, state, output, bytes, route, skip_reason)`,
    },
    [
      runId,
      seeds.map((seed) => seed.nodeId),
      seeds.map((seed) => seed.state),
      seeds.map((seed) => seed.output),
      seeds.map((seed) => seed.bytes),
      seeds.map((seed) => JSON.stringify(seed.route)),
      seeds.map((seed) => seed.skipReason),
    ],
  )
