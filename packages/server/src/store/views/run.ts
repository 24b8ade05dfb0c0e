import { type CompensationState, Fault, type JsonObject, type Run, type RunNode, type StepState, type WaitingOn, limits } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { createGather } from '../gather.ts'
import { type Pinned, outlineFor, pinnedColumns } from './outline.ts'
import { type SummaryRow, summaryColumns, summaryFrom } from './run-summary.ts'
import { type StepOutput, stepInputs } from './step-inputs.ts'

interface RunRecord extends SummaryRow, Pinned {
  workspace_id: string
  held_at: Date | null
  input: Run['input']
  output: Run['output']
  missing: string[] | null
  sums: NodeSum[] | null
  waits: WaitRow[] | null
  pauses: string[] | null
  [more: string]: unknown
}

const mostAtOnce = 16

const readers = new WeakMap<Tx, (key: string) => Promise<RunRecord | undefined>>()

/** Runs that are asked for in one turn of the event loop, in one statement: those of 64 starts that wait end together. */
function readerOf(tx: Tx): (key: string) => Promise<RunRecord | undefined> {
  const known = readers.get(tx)
  if (known) return known
  const reader = createGather<RunRecord>(mostAtOnce, async (keys) => {
    const asked = keys.map((key) => key.split(' '))
    const rows = await tx.query<RunRecord>(wholeRuns, [asked.map(([workspaceId]) => workspaceId), asked.map(([, id]) => id)])
    return new Map(rows.map((row) => [keyOf(row.workspace_id, row.id), row]))
  })
  readers.set(tx, reader)
  return reader
}

const keyOf = (workspaceId: string, id: string): string => `${workspaceId} ${id}`

/** Throws a Fault `run_missing`, for a run of another workspace too. */
export async function getRun(tx: Tx, workspaceId: string, id: string): Promise<Run> {
  const row = await readerOf(tx)(keyOf(workspaceId, id))
  if (!row) throw new Fault('run_missing')
  const outline = await outlineFor(tx, row)
  const sums = row.sums ?? []
  const byNode = Map.groupBy(sums, (sum) => sum.node_id)
  const latest = new Map<string, NodeSum>()
  for (const sum of sums) {
    const known = latest.get(sum.node_id)
    if (!known || Date.parse(sum.at) > Date.parse(known.at)) latest.set(sum.node_id, sum)
  }
  const places = [...latest].map(([nodeId, { iteration }]) => ({ nodeId, iteration }))
  const inputOf = await stepInputs(tx, id, outline, places, [...latest.values()])
  return {
    ...summaryFrom(row),
    input: row.input,
    output: row.output,
    waitingOn: waitingOn(row, row.waits ?? [], outline.names),
    nodes: outline.nodes.map((node) => {
      const last = latest.get(node.nodeId)
      return nodeFrom(node, byNode.get(node.nodeId) ?? [], last, last && inputOf({ nodeId: node.nodeId, iteration: last.iteration }))
    }),
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
  from steps where run_id = runs.id
  window by_state as (partition by node_id, state)
  order by node_id, state, coalesce(ended_at, last_attempt_at) desc nulls last, iteration desc`

/** Steps that wait, and those whose undoing does. */
const waitRows = `
  select node_id, iteration, state, waiting_for, retry_at, compensation from steps
  where run_id = runs.id and (state in ('waiting', 'retrying') or compensation ->> 'state' in ('waiting', 'retrying'))
  order by last_attempt_at, node_id, iteration limit 200`

/**
 * All of it in one look: what a moving run is said to wait for fits what is said of its steps. The arrays come out of selects
 * because PostgreSQL would plan the statement anew for each that is short (0.3 ms); by `offset 0` each run is found by its id,
 * however few there were when it was planned.
 */
const wholeRuns = {
  name: 'view-runs',
  text: `
    select one.* from unnest((select $1::text[]), (select $2::text[])) as asked (workspace_id, id), lateral (
      select ${summaryColumns}, ${pinnedColumns.replace('workflow_id, version, ', '')}, workspace_id, held_at, input, output, missing,
        (select json_agg(sums) from (${nodeSums}) as sums) as sums,
        case when ended_at is null then (select json_agg(waits) from (${waitRows}) as waits) end as waits,
        case when ended_at is null then (select json_agg(id order by id) from pauses where run_id = runs.id and status = 'open') end as pauses
      from runs where runs.id = asked.id and runs.workspace_id = asked.workspace_id offset 0
    ) as one`,
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
