import { type Run, type RunInclude, type RunNode, type SkipReason, type StepState, type WaitingOn, type CompensationState, limits } from '@sluice/schema'
import type { Statement, Tx } from '../database.ts'
import { createGather } from '../gather.ts'
import { listedValue } from './listed.ts'
import { type Pinned, pinnedColumns } from './outline.ts'
import { type ShownPause, openPauses } from './pause.ts'
import { type ToldStep, stepsOfRun } from './run-steps.ts'
import { type SummaryRow, summaryColumns } from './run-summary.ts'
import type { StepOutput } from './told-outputs.ts'

/** A run with what is said of its steps, as one statement reads it. */
export interface RunRecord extends SummaryRow, Pinned {
  workspace_id: string
  held_at: Date | null
  input: Run['input']
  output: Run['output']
  missing: string[] | null
  sums: NodeSum[] | null
  waits: WaitRow[] | null
  pauses: string[] | null
  /** As far as they are included. */
  opened?: ShownPause[] | null
  iterations?: IterationRow[] | null
  told_steps?: ToldStep[] | null
  [more: string]: unknown
}

/** A part of a node in one state: how many steps, when, and the latest of them. From JSON: its times are texts. */
export interface NodeSum extends StepOutput {
  state: StepState
  count: number
  skip_reason: SkipReason | null
  started_at: string | null
  ended_at: string | null
  at: string
  /** `body` and `items`: the steps of a node that has a body, or gives items, as a whole. */
  part: 'step' | 'body' | 'items'
  /** Of a producer: steps that are kept as counts alone, by node and state. */
  folded: { [nodeId: string]: RunNode['counts'] } | null
  /** Of the latest of them. */
  began_at: string | null
  settled_at: string | null
}

/** A step that waits, or whose undoing does. */
export interface WaitRow {
  node_id: string
  iteration: string
  state: string
  waiting_for: WaitingOn | null
  retry_at: string | null
  compensation: { state: CompensationState; retryAt: number | null } | null
}

export type IterationRow = Pick<StepOutput, 'node_id' | 'iteration' | 'output' | 'output_bytes'> & { state: StepState; shown: boolean }

const mostAtOnce = 16

const readers = new WeakMap<Tx, (key: string) => Promise<RunRecord | undefined>>()

/** Runs that are asked for in one turn of the event loop, in one statement: those of 64 starts that wait end together. */
function readerOf(tx: Tx): (key: string) => Promise<RunRecord | undefined> {
  const known = readers.get(tx)
  if (known) return known
  const reader = createGather<RunRecord>(mostAtOnce, async (keys) => {
    const asked = keys.map((key) => key.split(' '))
    const rows = await tx.query<RunRecord>(plain, [asked.map(([workspaceId]) => workspaceId), asked.map(([, id]) => id)])
    return new Map(rows.map((row) => [keyOf(row.workspace_id, row.id), row]))
  })
  readers.set(tx, reader)
  return reader
}

const keyOf = (workspaceId: string, id: string): string => `${workspaceId} ${id}`

/** One run as it stands. What is included beside its version is of the same moment. */
export function readRunRecord(tx: Tx, workspaceId: string, id: string, include: readonly RunInclude[]): Promise<RunRecord | undefined> {
  const look = lookOf(include, false)
  if (!look.pauses && !look.iterations && !look.steps) return readerOf(tx)(keyOf(workspaceId, id))
  return tx.query<RunRecord>(wholeRuns(look), [[workspaceId], [id]]).then((rows) => rows[0])
}

/** Runs as lists tell them: a large value by its size. Those that have gone are missing. */
export const readRunRecords = (tx: Tx, workspaceId: string, ids: readonly string[], include: readonly RunInclude[]): Promise<RunRecord[]> =>
  tx.query<RunRecord>(wholeRuns(lookOf(include, true)), [ids.map(() => workspaceId), ids])

interface Look {
  pauses: boolean
  iterations: boolean
  steps: boolean
  /** Large values by their size alone. */
  listed: boolean
}

const lookOf = (include: readonly RunInclude[], listed: boolean): Look => ({
  pauses: include.includes('pauses'),
  iterations: include.includes('iterations'),
  steps: include.includes('steps'),
  listed,
})

const nodeSums = `
  select distinct on (node_id, state, part) node_id, state, part, steps.started_at as began_at, steps.ended_at as settled_at,
    count(*) over by_state::int as count, min(started_at) over by_state as started_at, max(ended_at) over by_state as ended_at,
    iteration, case when output_bytes <= ${limits.listValueBytes} then output end as output, output_bytes, error, skip_reason, route,
    coalesce(ended_at, last_attempt_at, started_at, 'epoch') as at, case when part = 'items' then body #> '{items,folded}' end as folded
  from steps, lateral (select case when body is null then 'step' when body -> 'items' is null then 'body' else 'items' end as part) as parts
  where run_id = runs.id
  window by_state as (partition by node_id, state, part)
  order by node_id, state, part, coalesce(ended_at, last_attempt_at) desc nulls last, iteration desc`

const waitRows = `
  select node_id, iteration, state, waiting_for, retry_at, compensation from steps
  where run_id = runs.id and (state in ('waiting', 'retrying') or compensation ->> 'state' in ('waiting', 'retrying'))
  order by last_attempt_at, node_id, iteration limit 200`

/** Each node's last, of all nodes the last first: from where they are too much together, outputs are told by their size. */
const iterationRows = `
  select node_id, iteration, state, output_bytes, shown, case when shown then output end as output from (
    select *, output_bytes <= ${limits.listValueBytes} and sum(least(output_bytes, ${limits.listValueBytes})) over (order by place, node_id) <= ${limits.iterationsBytes} as shown
    from (
      select node_id, iteration, state, output, output_bytes,
        row_number() over (partition by node_id order by string_to_array(iteration, '.')::int[] desc) as place
      from steps where run_id = runs.id and iteration <> ''
    ) as placed where place <= ${limits.nodeIterations}
  ) as measured order by place desc`

/**
 * All of it in one look: what a moving run is said to wait for fits what is said of its steps. The arrays come out of selects
 * because PostgreSQL would plan the statement anew for each that is short (0.3 ms); by `offset 0` each run is found by its id,
 * however few there were when it was planned.
 */
function wholeRuns({ pauses, iterations, steps, listed }: Look): Statement {
  const value = (column: string): string => (listed ? listedValue(column) : column)
  return {
    name: `view-runs${listed ? '-listed' : ''}${pauses ? '-pauses' : ''}${iterations ? '-iterations' : ''}${steps ? '-steps' : ''}`,
    text: `
    select one.* from unnest((select $1::text[]), (select $2::text[])) as asked (workspace_id, id), lateral (
      select ${summaryColumns}, ${pinnedColumns.replace('workflow_id, version, ', '')}, workspace_id, held_at, ${value('input')}, ${value('output')}, missing,
        (select json_agg(sums) from (${nodeSums}) as sums) as sums,
        case when ended_at is null then (select json_agg(waits) from (${waitRows}) as waits) end as waits,
        case when ended_at is null then (select json_agg(id order by id) from pauses where run_id = runs.id and status = 'open') end as pauses${
          pauses ? `,\n        case when ended_at is null then (select json_agg(opened) from (${openPauses}) as opened) end as opened` : ''
        }${iterations ? `,\n        (select json_agg(iterations) from (${iterationRows}) as iterations) as iterations` : ''}${
          steps ? `,\n        (select json_agg(told) from (${stepsOfRun}) as told) as told_steps` : ''
        }
      from runs where runs.id = asked.id and runs.workspace_id = asked.workspace_id offset 0
    ) as one`,
  }
}

const plain = wholeRuns({ pauses: false, iterations: false, steps: false, listed: false })
