import type { Tx } from '../database.ts'

/** What one run's turn changes in its row and its steps, and what it tells. */
export interface RunWrite {
  id: string
  workspaceId: string
  workflowId: string
  /** The epoch and revision the change was computed on: it holds only if they still stand. */
  epoch: number
  revision: number
  status: string
  waitingKind: string | null
  heldAt: Date | null
  deaths: number
  seq: number
  progress: number
  steps: number
  output: string | null
  reason: string | null
  ending: string | null
  deadlineAt: Date | null
  startedAt: Date | null
  endedAt: Date | null
}

export interface StepWrite {
  runId: string
  nodeId: string
  iteration: string
  state: string
  attempts: number
  failures: number
  settled: number | null
  /** Null leaves what is stored: an output is written once. */
  output: string | null
  outputBytes: number
  route: string | null
  error: string | null
  waitingFor: string | null
  skipReason: string | null
  compensation: string | null
  compensateInput: string | null
  body: string | null
  reported: string | null
  startedAt: Date | null
  lastAttemptAt: Date | null
  retryAt: Date | null
  timedOutAt: Date | null
  endedAt: Date | null
}

export interface EventWrite {
  runId: string
  workspaceId: string
  workflowId: string
  seq: number
  type: string
  data: string
}

/**
 * The group commit: the turns of many runs in one statement, and so, where nothing else has to go along, in one round trip
 * and one fsync. Gives the ids of the runs whose change held; of the others (a newer epoch or revision) nothing is written.
 */
const commit = {
  name: 'commit',
  text: `
    with moved as (
      update runs set
        revision = runs.revision + 1, status = w.status, waiting_kind = w.waiting_kind, held_at = w.held_at, deaths = w.deaths,
        seq = w.seq, progress = w.progress, steps = w.steps, output = coalesce(w.output, runs.output), reason = w.reason, ending = w.ending,
        deadline_at = w.deadline_at, started_at = w.started_at, ended_at = w.ended_at, updated_at = case when runs.ended_at is null then $1 else runs.updated_at end,
        live_transaction = case when w.ended_at is null then runs.live_transaction end,
        lane_live = case when w.ended_at is null then runs.lane_live end
      from unnest($2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::timestamptz[], $8::int[], $9::int[], $10::real[], $11::int[],
        $12::json[], $13::json[], $14::json[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[])
        as w (id, epoch, revision, status, waiting_kind, held_at, deaths, seq, progress, steps, output, reason, ending, deadline_at, started_at, ended_at)
      where runs.id = w.id and runs.epoch = w.epoch and runs.revision = w.revision
      returning runs.id
    ), written as (
      insert into steps (run_id, node_id, iteration, state, attempts, failures, settled, output, output_bytes, route, error, waiting_for,
        skip_reason, compensation, compensate_input, body, reported, started_at, last_attempt_at, retry_at, timed_out_at, ended_at)
      select s.run_id, node_id, iteration, state, attempts, failures, settled, output, output_bytes,
        case when route is not null then array(select json_array_elements_text(route)) end, error, waiting_for,
        skip_reason, compensation, compensate_input, body, reported, started_at, last_attempt_at, retry_at, timed_out_at, ended_at
      from unnest($18::text[], $19::text[], $20::text[], $21::text[], $22::int[], $23::int[], $24::int[], $25::json[], $26::int[], $27::json[],
        $28::json[], $29::json[], $30::text[], $31::json[], $32::json[], $33::json[], $34::text[], $35::timestamptz[], $36::timestamptz[],
        $37::timestamptz[], $38::timestamptz[], $39::timestamptz[])
        as s (run_id, node_id, iteration, state, attempts, failures, settled, output, output_bytes, route, error, waiting_for,
          skip_reason, compensation, compensate_input, body, reported, started_at, last_attempt_at, retry_at, timed_out_at, ended_at)
      join moved on moved.id = s.run_id
      on conflict (run_id, node_id, iteration) do update set
        state = excluded.state, attempts = excluded.attempts, failures = excluded.failures, settled = excluded.settled,
        output = coalesce(excluded.output, steps.output), output_bytes = excluded.output_bytes, route = excluded.route, error = excluded.error,
        waiting_for = excluded.waiting_for, skip_reason = excluded.skip_reason, compensation = excluded.compensation,
        compensate_input = excluded.compensate_input, body = excluded.body, reported = excluded.reported, started_at = excluded.started_at,
        last_attempt_at = excluded.last_attempt_at, retry_at = excluded.retry_at, timed_out_at = excluded.timed_out_at, ended_at = excluded.ended_at
    ), told as (
      insert into events (workspace_id, subject_kind, subject_id, seq, workflow_id, type, data, at)
      select e.workspace_id, 'run', e.run_id, e.seq, e.workflow_id, e.type, e.data, $1
      from unnest($40::text[], $41::text[], $42::text[], $43::int[], $44::text[], $45::json[]) as e (run_id, workspace_id, workflow_id, seq, type, data)
      join moved on moved.id = e.run_id
      order by e.run_id, e.seq
    )
    select id from moved`,
}

export async function commitRuns(tx: Tx, at: Date, runs: readonly RunWrite[], steps: readonly StepWrite[], events: readonly EventWrite[]): Promise<Set<string>> {
  const rows = await tx.query<{ id: string }>(commit, [
    at,
    runs.map((run) => run.id),
    runs.map((run) => run.epoch),
    runs.map((run) => run.revision),
    runs.map((run) => run.status),
    runs.map((run) => run.waitingKind),
    runs.map((run) => run.heldAt),
    runs.map((run) => run.deaths),
    runs.map((run) => run.seq),
    runs.map((run) => run.progress),
    runs.map((run) => run.steps),
    runs.map((run) => run.output),
    runs.map((run) => run.reason),
    runs.map((run) => run.ending),
    runs.map((run) => run.deadlineAt),
    runs.map((run) => run.startedAt),
    runs.map((run) => run.endedAt),
    steps.map((step) => step.runId),
    steps.map((step) => step.nodeId),
    steps.map((step) => step.iteration),
    steps.map((step) => step.state),
    steps.map((step) => step.attempts),
    steps.map((step) => step.failures),
    steps.map((step) => step.settled),
    steps.map((step) => step.output),
    steps.map((step) => step.outputBytes),
    steps.map((step) => step.route),
    steps.map((step) => step.error),
    steps.map((step) => step.waitingFor),
    steps.map((step) => step.skipReason),
    steps.map((step) => step.compensation),
    steps.map((step) => step.compensateInput),
    steps.map((step) => step.body),
    steps.map((step) => step.reported),
    steps.map((step) => step.startedAt),
    steps.map((step) => step.lastAttemptAt),
    steps.map((step) => step.retryAt),
    steps.map((step) => step.timedOutAt),
    steps.map((step) => step.endedAt),
    events.map((event) => event.runId),
    events.map((event) => event.workspaceId),
    events.map((event) => event.workflowId),
    events.map((event) => event.seq),
    events.map((event) => event.type),
    events.map((event) => event.data),
  ])
  return new Set(rows.map((row) => row.id))
}
