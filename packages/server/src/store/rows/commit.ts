import { type Column, type Table, composing, fewRows, manyRows, namesOf } from '../columns.ts'
import type { Tx } from '../database.ts'
import { hire } from './jobs.ts'
import { type PauseRecord, pauseColumns, writePauses } from './pauses.ts'
import { type TimerWrite, clearTimers, setTimers, timerColumns } from './timers.ts'
import type { NewRun } from './runs.ts'

/** What one run's turn changes in its row and its steps, and what it tells. Times are milliseconds since 1970. */
export interface RunWrite {
  id: string
  workspaceId: string
  workflowId: string
  /** The epoch and revision the change was computed on: it holds only if they still stand. */
  epoch: number
  revision: number
  status: string
  waitingKind: string | null
  heldAt: number | null
  deaths: number
  seq: number
  progress: number
  steps: number
  output: string | null
  reason: string | null
  ending: string | null
  deadlineAt: number | null
  startedAt: number | null
  endedAt: number | null
  /** The job of a worker that claims the run with this change: it holds only where the run has none, and raises the epoch. */
  takenBy: string | null
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
  startedAt: number | null
  lastAttemptAt: number | null
  retryAt: number | null
  timedOutAt: number | null
  endedAt: number | null
}

export interface EventWrite {
  runId: string
  workspaceId: string
  workflowId: string
  seq: number
  type: string
  data: string
  at: number
}

/** A job that pg-boss keeps, and which of its attempts is meant: one that has come to another worker meanwhile is left alone. */
export interface JobWrite {
  id: string
  runId: string
  attempt: number
}

const runColumns: readonly Column<RunWrite>[] = [
  ['id', 'text', (run) => run.id],
  ['epoch', 'int', (run) => run.epoch],
  ['revision', 'int', (run) => run.revision],
  ['status', 'text', (run) => run.status],
  ['waiting_kind', 'text', (run) => run.waitingKind],
  ['held_at', 'timestamptz', (run) => run.heldAt],
  ['deaths', 'int', (run) => run.deaths],
  ['seq', 'int', (run) => run.seq],
  ['progress', 'real', (run) => run.progress],
  ['steps', 'int', (run) => run.steps],
  ['output', 'json', (run) => run.output],
  ['reason', 'json', (run) => run.reason],
  ['ending', 'json', (run) => run.ending],
  ['deadline_at', 'timestamptz', (run) => run.deadlineAt],
  ['started_at', 'timestamptz', (run) => run.startedAt],
  ['ended_at', 'timestamptz', (run) => run.endedAt],
]

/** Of changes that claim their runs. */
const claimColumns: readonly Column<RunWrite>[] = [
  ['id', 'text', (run) => run.id],
  ['epoch', 'int', (run) => run.epoch],
  ['revision', 'int', (run) => run.revision],
  ['job', 'uuid', (run) => run.takenBy],
]

const stepColumns: readonly Column<StepWrite>[] = [
  ['run_id', 'text', (step) => step.runId],
  ['node_id', 'text', (step) => step.nodeId],
  ['iteration', 'text', (step) => step.iteration],
  ['state', 'text', (step) => step.state],
  ['attempts', 'int', (step) => step.attempts],
  ['failures', 'int', (step) => step.failures],
  ['settled', 'int', (step) => step.settled],
  ['output', 'json', (step) => step.output],
  ['output_bytes', 'int', (step) => step.outputBytes],
  ['route', 'json', (step) => step.route],
  ['error', 'json', (step) => step.error],
  ['waiting_for', 'json', (step) => step.waitingFor],
  ['skip_reason', 'text', (step) => step.skipReason],
  ['compensation', 'json', (step) => step.compensation],
  ['compensate_input', 'json', (step) => step.compensateInput],
  ['body', 'json', (step) => step.body],
  ['reported', 'text', (step) => step.reported],
  ['started_at', 'timestamptz', (step) => step.startedAt],
  ['last_attempt_at', 'timestamptz', (step) => step.lastAttemptAt],
  ['retry_at', 'timestamptz', (step) => step.retryAt],
  ['timed_out_at', 'timestamptz', (step) => step.timedOutAt],
  ['ended_at', 'timestamptz', (step) => step.endedAt],
]

const eventColumns: readonly Column<EventWrite>[] = [
  ['run_id', 'text', (event) => event.runId],
  ['workspace_id', 'text', (event) => event.workspaceId],
  ['workflow_id', 'text', (event) => event.workflowId],
  ['seq', 'int', (event) => event.seq],
  ['type', 'text', (event) => event.type],
  ['data', 'json', (event) => event.data],
  ['at', 'timestamptz', (event) => event.at],
]

const jobColumns: readonly Column<JobWrite>[] = [
  ['id', 'uuid', (job) => job.id],
  ['run_id', 'text', (job) => job.runId],
  ['attempt', 'int', (job) => job.attempt],
]

const endedColumns: readonly Column<string>[] = [['run_id', 'text', (id) => id]]

/** Whether a row belongs to a run whose change held. Said so, it is looked up in a hash whatever the planner takes for small. */
const isIn = (id: string, runs: string): string => `(${id} in (select id from ${runs})) is true`

/** A text array that comes as JSON: arrays of arrays would have to be of one length. */
const texts = (column: string): string => `case when ${column} is not null then array(select json_array_elements_text(${column})) end`

const insertSteps = (from: string, runs: string): string => `
  insert into steps (${namesOf(stepColumns)})
  select ${namesOf(stepColumns).replace(' route,', ` ${texts('route')},`)} from ${from} where ${isIn('run_id', runs)}`

const insertEvents = (from: string, runs: string): string => `
  insert into events (${namesOf(eventColumns).replace('run_id', 'subject_id')}, subject_kind)
  select ${namesOf(eventColumns)}, 'run' from ${from} where ${isIn('run_id', runs)}`

/** The parts of a statement that have rows. */
const parts = (...all: readonly (readonly [name: string, from: string, text: string])[]): string =>
  all.map(([name, from, text]) => (from === '' ? '' : `, ${name} as (${text})`)).join('')

// ── turns ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The group commit: the turns of many runs in one statement, and so, where nothing else has to go along, in one round trip
 * and one fsync. Gives the ids of the runs whose change held; of the others (a newer epoch or revision) nothing is written.
 */
const commit = composing<{ runs: Table; steps: Table; events: Table; jobs: Table; ended: Table; pauses: Table; timers: Table; claims: Table }>('commit', 1, (from) => {
  const written = `${insertSteps(from.steps, 'moved')}
    on conflict (run_id, node_id, iteration) do update set
      ${stepColumns
        .slice(3)
        .map(([name]) => `${name} = ${name === 'output' ? 'coalesce(excluded.output, steps.output)' : `excluded.${name}`}`)
        .join(', ')}`
  // By their ids, whatever else their table has indexes for: joined, each would be held against each.
  const dismissed = `
    delete from sluice_jobs.job
    where name = 'runs' and state = 'active' and id = any(array(select id from ${from.jobs} where ${isIn('run_id', 'moved')}))
      and ((id, retry_count) in (select id, attempt from ${from.jobs})) is true`
  const cleared = `delete from timers using ${from.ended} where timers.run_id = e.run_id and ${isIn('e.run_id', 'moved')}`
  const paused = writePauses(from.pauses, isIn('run_id', 'moved'))
  const set = setTimers(from.timers, isIn('run_id', 'moved'))
  const unset = clearTimers(from.timers, 't', isIn('t.run_id', 'moved'))
  const taking = from.claims !== ''
  // Under the lock of a row that stands as it was seen, so that no job is left where the change does not hold.
  const hired = `
    ${hire(`(select c.job, runs.id, true from runs join ${from.claims} on runs.id = c.id and runs.epoch = c.epoch and runs.revision = c.revision order by runs.id for no key update of runs) as claimable`)}
    returning singleton_key as id`
  return `
    with ${taking ? `hired as (${hired}), ` : ''}moved as (
      update runs set
        ${taking ? `epoch = runs.epoch + case when ${isIn('runs.id', 'hired')} then 1 else 0 end, ` : ''}revision = runs.revision + 1, status = w.status, waiting_kind = w.waiting_kind, held_at = w.held_at, deaths = w.deaths,
        seq = w.seq, progress = w.progress, steps = w.steps, output = coalesce(w.output, runs.output), reason = w.reason, ending = w.ending,
        deadline_at = w.deadline_at, started_at = w.started_at, ended_at = w.ended_at, updated_at = case when runs.ended_at is null then $1 else runs.updated_at end,
        live_transaction = case when w.ended_at is null then runs.live_transaction end,
        lane_live = case when w.ended_at is null then runs.lane_live end
      from ${from.runs}
      where runs.id = w.id and runs.epoch = w.epoch and runs.revision = w.revision
        ${taking ? `and (${isIn('runs.id', 'hired')} or ((runs.id) in (select c.id from ${from.claims})) is not true)` : ''}
      returning runs.id
    )${parts(['written', from.steps, written], ['told', from.events, insertEvents(from.events, 'moved')], ['dismissed', from.jobs, dismissed], ['cleared', from.ended, cleared], ['paused', from.pauses, paused], ['set_timers', from.timers, set], ['unset_timers', from.timers, unset])}
    select id from moved`
})

export interface Writes {
  runs: readonly RunWrite[]
  steps: readonly StepWrite[]
  events: readonly EventWrite[]
  /** Jobs that end where their run's change holds. */
  jobs: readonly JobWrite[]
  /** Runs whose timers go. */
  ended: readonly string[]
  pauses: readonly PauseRecord[]
  /** Of runs that go on. */
  timers: readonly TimerWrite[]
}

/** Of what most turns have none: in few shapes, for each is a statement that every connection plans. */
const seldom = <Row>(alias: string, columns: readonly Column<Row>[], rows: readonly Row[]): Table => (rows.length === 1 ? fewRows : manyRows)(alias, columns, rows)

export async function commitRuns(tx: Tx, at: Date, { runs, steps, events, jobs, ended, pauses, timers }: Writes): Promise<Set<string>> {
  const rowsOf = runs.length === 1 ? fewRows : manyRows
  const { statement, values } = commit(
    {
      // In the order of their ids, as everybody locks several runs: else two who do wait for each other.
      runs: rowsOf(
        'w',
        runColumns,
        runs.toSorted((one, other) => (one.id < other.id ? -1 : 1)),
      ),
      steps: rowsOf('s', stepColumns, steps),
      events: rowsOf('e', eventColumns, events),
      jobs: seldom('j', jobColumns, jobs),
      ended: seldom('e', endedColumns, ended),
      pauses: seldom('p', pauseColumns, pauses),
      timers: seldom('t', timerColumns, timers),
      claims: seldom(
        'c',
        claimColumns,
        runs.filter((run) => run.takenBy !== null),
      ),
    },
    [at],
  )
  const rows = await tx.query<{ id: string }>(statement, values)
  return new Set(rows.map((row) => row.id))
}

// ── starts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A run to be stored, queued or as its first turn leaves it. */
export interface StartWrite {
  run: NewRun
  /** As it stands after its first turn. */
  moved: Omit<RunWrite, 'id' | 'workspaceId' | 'workflowId' | 'heldAt' | 'deaths' | 'takenBy'>
  steps: readonly StepWrite[]
  events: readonly EventWrite[]
  pauses: readonly PauseRecord[]
  timers: readonly TimerWrite[]
  /** Null where there is nothing to do. Taken: by the worker that has the run already; else for whoever comes. */
  job: { id: string; taken: boolean } | null
  /** The workflow as it was known, under the name it was asked for. */
  pin: { ref: string; revision: number }
  key: { actor: string; key: string; fingerprint: string } | null
  /** Of its version. */
  retainSeconds: number | null
}

const startColumns: readonly Column<StartWrite>[] = [
  ['id', 'text', ({ run }) => run.id],
  ['workspace_id', 'text', ({ run }) => run.workspaceId],
  ['workflow_id', 'text', ({ run }) => run.workflowId],
  ['version', 'int', ({ run }) => run.version],
  ['input', 'json', ({ run }) => run.input],
  ['keyed_input', 'boolean', ({ run }) => run.keyedInput],
  ['input_hash', 'text', ({ run }) => run.inputHash],
  ['trigger', 'text', ({ run }) => run.trigger],
  ['tags', 'json', ({ run }) => (run.tags.length > 0 ? JSON.stringify(run.tags) : null)],
  ['started_by', 'text', ({ run }) => run.startedBy],
  ['traceparent', 'text', ({ run }) => run.traceparent],
  ['retain_seconds', 'int', ({ retainSeconds }) => retainSeconds],
  ['created_at', 'timestamptz', ({ run }) => run.createdAt.getTime()],
  ['epoch', 'int', ({ moved }) => moved.epoch],
  ['revision', 'int', ({ moved }) => moved.revision],
  ['status', 'text', ({ moved }) => moved.status],
  ['waiting_kind', 'text', ({ moved }) => moved.waitingKind],
  ['seq', 'int', ({ moved }) => moved.seq],
  ['progress', 'real', ({ moved }) => moved.progress],
  ['steps', 'int', ({ moved }) => moved.steps],
  ['output', 'json', ({ moved }) => moved.output],
  ['reason', 'json', ({ moved }) => moved.reason],
  ['ending', 'json', ({ moved }) => moved.ending],
  ['deadline_at', 'timestamptz', ({ moved }) => moved.deadlineAt],
  ['started_at', 'timestamptz', ({ moved }) => moved.startedAt],
  ['ended_at', 'timestamptz', ({ moved }) => moved.endedAt],
]

/** Of starts some of which have a lane: one that has begun holds it. */
const laneColumns: readonly Column<StartWrite>[] = [
  ['lane', 'text', ({ run }) => run.lane],
  ['lane_live', 'text', ({ run, moved }) => (moved.startedAt !== null && moved.endedAt === null ? run.lane : null)],
]

/** What a start depends on: its workflow as it was known, and its key. */
const conditionColumns: readonly Column<StartWrite>[] = [
  ['ref', 'text', ({ pin }) => pin.ref],
  ['draft_revision', 'int', ({ pin }) => pin.revision],
  ['actor', 'text', ({ key }) => key?.actor ?? null],
  ['key', 'text', ({ key }) => key?.key ?? null],
  ['fingerprint', 'text', ({ key }) => key?.fingerprint ?? null],
]

const firstJobColumns: readonly Column<StartWrite>[] = [
  ['id', 'uuid', ({ job }) => job!.id],
  ['run_id', 'text', ({ run }) => run.id],
  ['taken', 'boolean', ({ job }) => job!.taken],
]

/**
 * Stores many runs in one statement, each with its first turn. Gives the ids of those that were: not those whose workflow
 * is no longer as it was known, or is just being deleted, not those whose key is taken, and not those in whose lane a run is live.
 *
 * The jobs are pg-boss's, written as its own `insert` and `fetch` leave them: a taken one comes back when its worker falls
 * silent.
 */
const beginning = ({ keyed, laned }: { keyed: boolean; laned: boolean }) =>
  composing<{ asked: Table; steps: Table; events: Table; jobs: Table; pauses: Table; timers: Table }>(`begin${keyed ? ' keyed' : ''}${laned ? ' laned' : ''}`, 1, (from) => {
    const columns = namesOf(laned ? [...startColumns, ...laneColumns] : startColumns)
    const alone = `where not exists (select from runs where runs.workspace_id = a.workspace_id and runs.lane = a.lane and runs.ended_at is null)`
    const key = `
      insert into idempotency (workspace_id, actor, key, fingerprint, reply)
      select workspace_id, actor, key, fingerprint, json_build_object('id', id) from asked
      where key is not null and ((workflow_id, ref, draft_revision) in (select id, ref, draft_revision from pinned)) is true
      order by workspace_id, actor, key
      on conflict (workspace_id, actor, key) do nothing
      returning reply ->> 'id' as id`
    const hired = hire(`${from.jobs} where ${isIn('run_id', 'began')}`)
    return `
      with asked as materialized (
        select * from ${from.asked} ${laned ? alone : ''}
      ), pinned as materialized (
        select workflows.id, p.ref, p.draft_revision from (select distinct workspace_id, workflow_id, ref, draft_revision from asked) p
        join workflows on workflows.id = p.workflow_id and workflows.workspace_id = p.workspace_id
        where p.ref in (workflows.id, workflows.handle) and workflows.revision = p.draft_revision and workflows.deleted_at is null
        for key share of workflows skip locked
      )${keyed ? `, keyed as (${key})` : ''}, began as (
        insert into runs (${columns}, updated_at)
        select ${columns.replace(' tags,', ` coalesce(${texts('tags')}, '{}'),`)}, $1 from asked
        where ((workflow_id, ref, draft_revision) in (select id, ref, draft_revision from pinned)) is true${keyed ? ` and (key is null or ${isIn('id', 'keyed')})` : ''}
        returning id
      )${parts(['written', from.steps, insertSteps(from.steps, 'began')], ['told', from.events, insertEvents(from.events, 'began')], ['hired', from.jobs, hired], ['paused', from.pauses, writePauses(from.pauses, isIn('run_id', 'began'))], ['set_timers', from.timers, setTimers(from.timers, isIn('run_id', 'began'))])}
      select id from began`
  })

const begin = beginning({ keyed: false, laned: false })
const beginKeyed = beginning({ keyed: true, laned: false })
const beginLaned = beginning({ keyed: false, laned: true })
const beginLanedKeyed = beginning({ keyed: true, laned: true })

/** Lanes are locked by then. */
export async function beginRuns(tx: Tx, at: Date, starts: readonly StartWrite[]): Promise<Set<string>> {
  const rowsOf = starts.length === 1 ? fewRows : manyRows
  const keyed = starts.some((start) => start.key !== null)
  const laned = starts.some(({ run }) => run.lane !== null)
  const { statement, values } = (laned ? (keyed ? beginLanedKeyed : beginLaned) : keyed ? beginKeyed : begin)(
    {
      asked: rowsOf('a', [...startColumns, ...(laned ? laneColumns : []), ...conditionColumns], starts),
      steps: rowsOf(
        's',
        stepColumns,
        starts.flatMap((start) => start.steps),
      ),
      events: rowsOf(
        'e',
        eventColumns,
        starts.flatMap((start) => start.events),
      ),
      jobs: rowsOf(
        'j',
        firstJobColumns,
        starts.filter((start) => start.job !== null),
      ),
      pauses: rowsOf(
        'p',
        pauseColumns,
        starts.flatMap((start) => start.pauses),
      ),
      timers: rowsOf(
        't',
        timerColumns,
        starts.flatMap((start) => start.timers),
      ),
    },
    [at],
  )
  const rows = await tx.query<{ id: string }>(statement, values)
  return new Set(rows.map((row) => row.id))
}
