import {
  type CompensationState,
  type Definition,
  Fault,
  type JsonObject,
  type ListRuns,
  type Page,
  type Run,
  type RunEvent,
  type RunField,
  type RunNode,
  type RunSummary,
  type Step,
  type StepState,
  type WaitingOn,
  type Where,
  limits,
  stepNames,
} from '@sluice/schema'
import { among, listPage } from '../conditions/list.ts'
import { decodeCursor, pageFrom } from '../cursor.ts'
import type { Tx } from '../database.ts'
import type { StepRecord } from '../rows/steps.ts'
import { type SummaryRow, runList, summaryColumns, summaryFrom } from './run-summary.ts'
import { type StepOutput, stepInputs } from './step-inputs.ts'

const time = (date: Date | null): string | null => date?.toISOString() ?? null

// ── one run ────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface RunRecord extends SummaryRow {
  held_at: Date | null
  input: Run['input']
  output: Run['output']
  missing: string[] | null
  definition: Definition
  sums: NodeSum[] | null
  waits: WaitRow[] | null
  pauses: string[] | null
  [more: string]: unknown
}

/** Throws a Fault `run_missing`, for a run of another workspace too. */
export async function getRun(tx: Tx, workspaceId: string, id: string): Promise<Run> {
  const [row] = await tx.query<RunRecord>(wholeRun, [workspaceId, id])
  if (!row) throw new Fault('run_missing')
  const names = stepNames(row.definition)
  const sums = row.sums ?? []
  const byNode = Map.groupBy(sums, (sum) => sum.node_id)
  const latest = new Map<string, NodeSum>()
  for (const sum of sums) {
    const known = latest.get(sum.node_id)
    if (!known || Date.parse(sum.at) > Date.parse(known.at)) latest.set(sum.node_id, sum)
  }
  const inputOf = await stepInputs(
    tx,
    id,
    row.definition,
    [...latest].map(([nodeId, { iteration }]) => ({ nodeId, iteration })),
    [...latest.values()],
  )
  const inputs = new Map([...latest].map(([nodeId, { iteration }]) => [nodeId, inputOf({ nodeId, iteration })]))
  return {
    ...summaryFrom(row),
    input: row.input,
    output: row.output,
    waitingOn: waitingOn(row, row.waits ?? [], names),
    nodes: row.definition.nodes.map((node) =>
      nodeFrom({ nodeId: node.id, step: names.get(node.id)!, type: node.type }, byNode.get(node.id) ?? [], latest.get(node.id), inputs.get(node.id)),
    ),
    pauses: row.pauses ?? [],
  }
}

/** A node in one state: how many steps, when, and the latest of them. From JSON: its times are texts. */
interface NodeSum extends StepOutput {
  state: StepState
  count: number
  started_at: string | null
  ended_at: string | null
  at: string
}

const nodeSums = `
  select distinct on (node_id, state) node_id, state,
    count(*) over by_state::int as count, min(started_at) over by_state as started_at, max(ended_at) over by_state as ended_at,
    iteration, case when output_bytes <= ${limits.listValueBytes} then output end as output, output_bytes, error, route,
    coalesce(ended_at, last_attempt_at, started_at, 'epoch') as at
  from steps where run_id = $2
  window by_state as (partition by node_id, state)
  order by node_id, state, coalesce(ended_at, last_attempt_at) desc nulls last, iteration desc`

/** Steps that wait, and those whose undoing does. */
const waitRows = `
  select node_id, iteration, state, waiting_for, retry_at, compensation from steps
  where run_id = $2 and (state in ('waiting', 'retrying') or compensation ->> 'state' in ('waiting', 'retrying'))
  order by last_attempt_at, node_id, iteration limit 200`

/** All of it in one look: what a moving run is said to wait for fits what is said of its steps. */
const wholeRun = {
  name: 'view-run',
  text: `
    select ${summaryColumns.replaceAll(/\b(version|created_at)\b/g, 'runs.$1').replaceAll(/\b(workflow_id),/g, 'runs.$1,')}, held_at, input, output, missing,
      coalesce(runs.trial -> 'definition', versions.definition) as definition,
      (select json_agg(sums) from (${nodeSums}) as sums) as sums,
      case when ended_at is null then (select json_agg(waits) from (${waitRows}) as waits) end as waits,
      case when ended_at is null then (select json_agg(id order by id) from pauses where run_id = $2 and status = 'open') end as pauses
    from runs left join versions on versions.workflow_id = runs.workflow_id and versions.number = runs.version
    where runs.id = $2 and runs.workspace_id = $1`,
}

/** Which state stands for a node whose steps are in several: what still moves comes first. */
const stateOrder: StepState[] = ['running', 'waiting', 'retrying', 'pending', 'failed', 'completed', 'cancelled', 'skipped']

function nodeFrom(node: Pick<RunNode, 'nodeId' | 'step' | 'type'>, sums: readonly NodeSum[], latest: NodeSum | undefined, input: JsonObject | undefined): RunNode {
  const ordered = [...sums].sort((a, b) => stateOrder.indexOf(a.state) - stateOrder.indexOf(b.state))
  const starts = sums.flatMap((sum) => (sum.started_at ? [Date.parse(sum.started_at)] : []))
  const ends = sums.flatMap((sum) => (sum.ended_at ? [Date.parse(sum.ended_at)] : []))
  const moving = ordered.some((sum) => ['running', 'waiting', 'retrying', 'pending'].includes(sum.state))
  return {
    ...node,
    state: ordered[0]?.state ?? null,
    counts: Object.fromEntries(sums.map((sum) => [sum.state, sum.count])),
    route: latest?.route ?? null,
    startedAt: starts.length > 0 ? new Date(Math.min(...starts)).toISOString() : null,
    endedAt: !moving && ends.length > 0 ? new Date(Math.max(...ends)).toISOString() : null,
    input: input ?? null,
    output: latest ? (latest.output_bytes > limits.listValueBytes ? { truncated: latest.output_bytes } : latest.output) : null,
    error: (latest?.error ?? null) as RunNode['error'],
  }
}

interface WaitRow {
  node_id: string
  iteration: string
  state: string
  waiting_for: WaitingOn | null
  retry_at: string | null
  compensation: { state: CompensationState; retryAt: number | null } | null
}

function waitOf({ node_id, iteration, waiting_for, retry_at, compensation }: WaitRow, names: ReadonlyMap<string, string>): WaitingOn {
  const step = { step: names.get(node_id) ?? node_id, iteration }
  if (compensation?.state === 'waiting') return { kind: 'report', ...step }
  const until = compensation ? compensation.retryAt : retry_at && Date.parse(retry_at)
  return waiting_for ?? { kind: 'timer', ...step, ...(until !== null && { until: new Date(until).toISOString() }) }
}

/** Why the run is not moving. Nothing for one that has ended. */
function waitingOn(row: RunRecord, waits: readonly WaitRow[], names: ReadonlyMap<string, string>): WaitingOn[] {
  if (row.ended_at) return []
  const on: WaitingOn[] = []
  if (row.held_at) on.push({ kind: 'hold' })
  if (row.waiting_kind === 'version') on.push({ kind: 'version', missing: row.missing ?? [] })
  else if (!row.started_at) on.push({ kind: 'queue' })
  for (const wait of waits) on.push(waitOf(wait, names))
  return on
}

// ── lists ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Runs of a workspace, newest first unless asked otherwise; trials are listed nowhere. Throws a Fault `workflow_missing` for an unknown workflow. */
export async function listRuns(tx: Tx, workspaceId: string, asked: ListRuns): Promise<Page<RunSummary>> {
  const { workflow, version, status, tag, waitingOn: kinds, trigger, sessionId, createdAfter, createdBefore } = asked
  const also: Where<RunField> = {
    ...(workflow !== undefined && { workflowId: await resolveWorkflow(tx, workspaceId, workflow) }),
    version,
    status: among(status),
    tags: tag === undefined ? undefined : { has: tag },
    waitingOn: among(kinds),
    trigger,
    sessionId,
    created: { gte: createdAfter, lt: createdBefore },
  }
  return listPage(tx, runList, { ...asked, also }, { select: summaryColumns, from: 'runs', scope: 'workspace_id = $1 and trial is null', values: [workspaceId], item: summaryFrom })
}

/** An id wins over a handle. */
export async function resolveWorkflow(tx: Tx, workspaceId: string, ref: string): Promise<string> {
  const [row] = await tx.query<{ id: string }>(
    { name: 'view-workflow-id', text: `select id from workflows where workspace_id = $1 and (id = $2 or handle = $2) and deleted_at is null order by id = $2 desc limit 1` },
    [workspaceId, ref],
  )
  if (!row) throw new Fault('workflow_missing')
  return row.id
}

/** The newest run of a transaction id; a live one wins. */
export async function findRun(tx: Tx, workspaceId: string, asked: { workflow: string; transactionId: string }): Promise<Run> {
  const workflow = await resolveWorkflow(tx, workspaceId, asked.workflow)
  const [row] = await tx.query<{ id: string }>(
    {
      name: 'view-find-run',
      text: `select id from runs where workflow_id = $1 and transaction_id = $2 and trial is null order by live_transaction nulls last, id desc limit 1`,
    },
    [workflow, asked.transactionId],
  )
  if (!row) throw new Fault('run_missing')
  return getRun(tx, workspaceId, row.id)
}

/** The run in the workflow's canvas lane, else its newest live one, else its newest; trials are never current. */
export async function currentRun(tx: Tx, workspaceId: string, ref: string): Promise<Run> {
  const workflow = await resolveWorkflow(tx, workspaceId, ref)
  const [row] = await tx.query<{ id: string }>(
    {
      name: 'view-current-run',
      text: `
        select id from (
          (select id, 1 as rank from runs where workspace_id = $2 and lane_live = 'canvas:' || $1)
          union all (select id, 2 from runs where workflow_id = $1 and ended_at is null and trial is null order by id desc limit 1)
          union all (select id, 3 from runs where workflow_id = $1 and trial is null order by id desc limit 1)
        ) as candidates order by rank limit 1`,
    },
    [workflow, workspaceId],
  )
  if (!row) throw new Fault('run_missing')
  return getRun(tx, workspaceId, row.id)
}

// ── steps and events ───────────────────────────────────────────────────────────────────────────────────────────────────

interface StepView extends Omit<StepRecord, 'output'> {
  output: Step['output']
  definition: Definition
  [more: string]: unknown
}

const stepColumns = `steps.run_id, node_id, iteration, state, attempts, failures, case when output_bytes <= ${limits.listValueBytes} then output end as output, output_bytes,
  route, steps.error, waiting_for, skip_reason, compensation, steps.started_at, last_attempt_at, retry_at, timed_out_at, steps.ended_at`

function stepFrom(row: StepView, names: ReadonlyMap<string, string>, input: JsonObject): Step {
  const { compensation } = row as { compensation: Step['compensation'] }
  return {
    key: `${row.run_id}/${encodeURIComponent(row.node_id)}/${row.iteration === '' ? '-' : row.iteration}`,
    runId: row.run_id,
    nodeId: row.node_id,
    step: names.get(row.node_id) ?? row.node_id,
    iteration: row.iteration,
    state: row.state as Step['state'],
    attempts: row.attempts,
    failures: row.failures,
    input,
    output: row.output_bytes > limits.listValueBytes ? { truncated: row.output_bytes } : row.output,
    route: row.route,
    error: row.error as Step['error'],
    waitingFor: row.waiting_for as Step['waitingFor'],
    skipReason: row.skip_reason as Step['skipReason'],
    compensation: compensation && {
      state: compensation.state,
      attempts: compensation.attempts,
      failures: compensation.failures,
      lastAttemptAt: compensation.lastAttemptAt === null ? null : new Date(compensation.lastAttemptAt).toISOString(),
      error: compensation.error,
      output: compensation.output,
    },
    startedAt: time(row.started_at),
    lastAttemptAt: time(row.last_attempt_at),
    retryAt: time(row.retry_at),
    timedOutAt: time(row.timed_out_at),
    endedAt: time(row.ended_at),
  }
}

async function definitionOf(tx: Tx, workspaceId: string, runId: string): Promise<Definition> {
  const [row] = await tx.query<{ definition: Definition }>(
    {
      name: 'view-run-definition',
      text: `
        select coalesce(runs.trial -> 'definition', versions.definition) as definition
        from runs left join versions on versions.workflow_id = runs.workflow_id and versions.number = runs.version
        where runs.id = $1 and runs.workspace_id = $2`,
    },
    [runId, workspaceId],
  )
  if (!row) throw new Fault('run_missing')
  return row.definition
}

/** One step, with its output whole. */
export async function getStep(tx: Tx, workspaceId: string, of: { runId: string; nodeId: string; iteration: string }): Promise<Step> {
  const definition = await definitionOf(tx, workspaceId, of.runId)
  const [row] = await tx.query<StepView>(`select ${stepColumns}, output as whole from steps where run_id = $1 and node_id = $2 and iteration = $3`, [
    of.runId,
    of.nodeId,
    of.iteration,
  ])
  if (!row) throw new Fault('step_missing')
  const inputOf = await stepInputs(tx, of.runId, definition, [of])
  return { ...stepFrom(row, stepNames(definition), inputOf(of)), output: row.whole as Step['output'] }
}

/** The steps of a run in the order in which they began. A large output is given by its size alone. */
export async function listSteps(
  tx: Tx,
  workspaceId: string,
  runId: string,
  asked: { nodeId?: string | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<Step>> {
  const definition = await definitionOf(tx, workspaceId, runId)
  const names = stepNames(definition)
  const offset = asked.cursor === undefined ? 0 : Number(decodeCursor(asked.cursor, /^\d{1,6}$/))
  const rows = await tx.query<StepView>(
    `select ${stepColumns} from steps where run_id = $1 and ($2::text is null or node_id = $2)
     order by steps.started_at nulls last, node_id, string_to_array(iteration, '.')::int[] offset $3 limit $4`,
    [runId, asked.nodeId ?? null, offset, asked.limit + 1],
  )
  const places = rows.map((row) => ({ nodeId: row.node_id, iteration: row.iteration }))
  const inputOf = await stepInputs(tx, runId, definition, places)
  return pageFrom(
    rows,
    asked.limit,
    () => offset + asked.limit,
    (row) => stepFrom(row, names, inputOf({ nodeId: row.node_id, iteration: row.iteration })),
  )
}

interface EventRow {
  subject_kind: string
  subject_id: string
  seq: number
  type: string
  data: object
  at: Date
  [more: string]: unknown
}

/** The events of a run after a page, or else after a `seq`, oldest first. */
export async function listEvents(
  tx: Tx,
  workspaceId: string,
  runId: string,
  asked: { after?: number | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<RunEvent>> {
  const after = asked.cursor === undefined ? (asked.after ?? 0) : Number(decodeCursor(asked.cursor, /^\d{1,9}$/))
  const [run] = await tx.query(`select 1 from runs where id = $1 and workspace_id = $2`, [runId, workspaceId])
  if (!run) throw new Fault('run_missing')
  const rows = await tx.query<EventRow>(
    {
      name: 'view-run-events',
      text: `select subject_kind, subject_id, seq, type, data, at from events where subject_id = $1 and subject_kind = 'run' and seq > $2 order by seq limit $3`,
    },
    [runId, after, asked.limit + 1],
  )
  return pageFrom(
    rows,
    asked.limit,
    (row) => row.seq,
    (row) =>
      ({ subject: { kind: row.subject_kind, id: row.subject_id }, seq: row.seq, cursor: String(row.seq), at: row.at.toISOString(), type: row.type, ...row.data }) as RunEvent,
  )
}

/** The live runs of a workspace, or of one of its workflows, newest first. */
export async function liveRuns(tx: Tx, workspaceId: string, workflow: string | null): Promise<RunSummary[]> {
  const rows = await tx.query<SummaryRow & Record<string, unknown>>(
    {
      name: 'view-live-runs',
      text: `select ${summaryColumns} from runs where workspace_id = $1 and ($2::text is null or workflow_id = $2) and ended_at is null and trial is null order by id desc limit 100`,
    },
    [workspaceId, workflow],
  )
  return rows.map(summaryFrom)
}
