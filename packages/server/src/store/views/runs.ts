import {
  type CurrentRun,
  Fault,
  type FindRun,
  type JsonObject,
  type ListRuns,
  type ListedRun,
  type Page,
  type Run,
  type RunEvent,
  type RunField,
  type RunInclude,
  type RunStep,
  type RunSummary,
  type Step,
  type Where,
  limits,
} from '@sluice/schema'
import { among, listPage } from '../conditions/list.ts'
import { decodeCursor, pageFrom } from '../cursor.ts'
import type { Tx } from '../database.ts'
import { laneOfWorkflow } from '../lanes.ts'
import { runByItself, runOfTransaction } from '../rows/runs.ts'
import { type Outline, type Pinned, outlineFor, outlinesFor, pinnedColumns } from './outline.ts'
import { createScale } from './listed.ts'
import { openPausesOf, weighOpenPauses } from './pause.ts'
import { pinnedTo } from './pinned.ts'
import { readRunRecords } from './run-record.ts'
import { type ToldStep, stepsOfRun, toldStep, toldStepColumns, weightOfSteps } from './run-steps.ts'
import { getRun, runsFrom } from './run.ts'
import { type SummaryRow, listedColumns, runList, summaryColumns, summaryFrom } from './run-summary.ts'
import { stepInputs } from './step-inputs.ts'
import { listed } from './told-outputs.ts'

export { getRun }

// ── lists ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface ListedRow extends SummaryRow {
  /** What its steps have to show, in bytes. */
  weight?: number
}

/**
 * Runs of a workspace, newest first unless asked otherwise; trials are listed nowhere. Throws a Fault `workflow_missing` for an
 * unknown workflow, and `limit_exceeded` when more was asked for than an answer holds. Whole runs are told as they stand a
 * moment after they were looked for.
 */
export async function listRuns(tx: Tx, workspaceId: string, asked: ListRuns): Promise<Page<ListedRun>> {
  const { workflow, workflows, transactionIds, q, version, status, tag, waitingOn: kinds, trigger, sessionId, createdAfter, createdBefore, paused, whole, include = [] } = asked
  const workflowId = workflow === undefined ? undefined : await resolveWorkflow(tx, workspaceId, workflow)
  const also: Where<RunField> = {
    ...(!paused && { workflowId }),
    version,
    status: among(status),
    tags: tag === undefined ? undefined : { has: tag },
    waitingOn: among(kinds),
    trigger,
    sessionId,
    created: { gte: createdAfter, lt: createdBefore },
    and: [
      ...(workflows ? [{ workflowId: { in: await workflowsNamed(tx, workspaceId, workflows) } }] : []),
      ...(transactionIds ? [{ or: [{ transactionId: { in: transactionIds } }, { transactionId: null, id: { in: transactionIds } }] }] : []),
      ...(q === undefined ? [] : [{ or: searched.map((field) => ({ [field]: { contains: q } })) }]),
    ],
  }
  const page = await listPage(
    tx,
    runList,
    { ...asked, also },
    {
      select: [summaryColumns, ...weightsOf(whole ?? false, include)].join(', '),
      ...(paused ? pausedRuns(workspaceId, workflowId) : { from: 'runs', scope: ofWorkspace, values: [workspaceId] }),
      item: (row: ListedRow) => row,
    },
  )
  const ids = page.items.map(({ id }) => id)
  if (include.includes('pauses')) await weighOpenPauses(tx, ids)
  const items = await inParts(page.items, (rows) => (whole ? wholeOf(tx, workspaceId, rows, include) : toldWith(tx, rows, include)))
  return { ...page, items }
}

const searched = ['transactionId', 'id', 'status', 'workflowId', 'workflow'] as const satisfies readonly RunField[]

const ofWorkspace = 'workspace_id = $1 and trial is null'

/**
 * Those that ask, of all workflows or of one, newest first by an index, and each run by its id: a page reads as many as it shows.
 * The planner takes a condition for one that few meet, and a subquery for one that is read to its end, and would then read all
 * of them first: so each is found by the first that it asks, and what is true of all of them stands where it does not count.
 * Who asks has neither ended nor been told to.
 */
function pausedRuns(workspaceId: string, workflowId: string | undefined): { from: string; scope: string; values: string[] } {
  const asking = `status = 'open'${workflowId === undefined ? '' : ' and workflow_id = $2'}`
  const isFirst = `(select min(first.id) = pauses.id from pauses as first where first.run_id = pauses.run_id and first.status = 'open')`
  return {
    from: `
      (select run_id as id from pauses where workspace_id = $1 and ${asking} and ${isFirst}) as paused,
      lateral (select ${listedColumns} from runs where runs.id = paused.id and ${ofWorkspace} offset 0) as run`,
    scope: 'true',
    values: workflowId === undefined ? [workspaceId] : [workspaceId, workflowId],
  }
}

/** What is told of a run beside its summary, in bytes. Outputs that are told by their size weigh little. */
function weightsOf(whole: boolean, include: readonly RunInclude[]): string[] {
  const ofNodes = `
  (select sum(case when output_bytes <= ${limits.listValueBytes} then output_bytes else 0 end + coalesce(octet_length(error::text), 0)) from steps where run_id = id)`
  const weights = [...(whole ? [ofNodes] : []), ...(include.includes('steps') ? [weightOfSteps] : [])]
  return weights.length === 0 ? [] : [`(${weights.map((weight) => `coalesce(${weight}, 0)`).join(' + ')})::float8 as weight`]
}

/** Read together are as many as do not weigh more than an answer holds: nearly always all of them. */
async function inParts<T>(rows: readonly ListedRow[], read: (part: readonly ListedRow[]) => Promise<T[]>): Promise<T[]> {
  const weigh = createScale()
  const all: T[] = []
  for (let from = 0; from < rows.length;) {
    let [weight, to] = [0, from]
    do weight += rows[to++]!.weight ?? 0
    while (to < rows.length && weight + (rows[to]!.weight ?? 0) <= limits.answerBytes)
    const told = await read(rows.slice(from, to))
    weigh(told)
    all.push(...told)
    from = to
  }
  return all
}

async function wholeOf(tx: Tx, workspaceId: string, rows: readonly ListedRow[], include: readonly RunInclude[]): Promise<Run[]> {
  const ids = rows.map(({ id }) => id)
  const runs = new Map((await runsFrom(tx, await readRunRecords(tx, workspaceId, ids, include), include)).map((run) => [run.id, run]))
  // What has gone meanwhile is listed no more.
  return ids.flatMap((id) => runs.get(id) ?? [])
}

/** Summaries with what is included of them. */
async function toldWith(tx: Tx, rows: readonly ListedRow[], include: readonly RunInclude[]): Promise<ListedRun[]> {
  const pins = rows.map((row) => ({ ...row, drafted: null }))
  const pinned = include.includes('version') ? await pinnedTo(tx, pins) : null
  const opened = include.includes('pauses')
    ? await openPausesOf(
        tx,
        rows.map(({ id }) => id),
      )
    : null
  const steps = include.includes('steps') ? await stepsOf(tx, pins) : null
  return rows.map((row, at) => ({
    ...summaryFrom(row),
    ...(pinned && { pinned: pinned(pins[at]!) }),
    ...(opened && { openPauses: opened.get(row.id) ?? [] }),
    ...(steps && { steps: steps.get(row.id) ?? [] }),
  }))
}

/** The steps outside of bodies, by run. */
async function stepsOf(tx: Tx, rows: readonly (Pinned & { id: string })[]): Promise<Map<string, RunStep[]>> {
  const found = await tx.query<{ id: string; told: ToldStep[] | null }>(
    { name: 'view-listed-steps', text: `select id, (select json_agg(told) from (${stepsOfRun}) as told) as told from runs where id = any($1)` },
    [rows.map(({ id }) => id)],
  )
  const outlines = await outlinesFor(tx, rows)
  const names = new Map(rows.map(({ id }, at) => [id, outlines[at]!.names]))
  return new Map(found.map(({ id, told }) => [id, (told ?? []).map((step) => toldStep(step, names.get(id)!, listed))]))
}

/** Those of these names that there are. */
async function workflowsNamed(tx: Tx, workspaceId: string, refs: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ id: string | null }>(
    {
      name: 'view-workflow-ids',
      text: `
        select coalesce((select id from workflows where id = ref and workspace_id = $1 and deleted_at is null),
          (select id from workflows where workspace_id = $1 and handle = ref and deleted_at is null)) as id
        from unnest((select $2::text[])) as asked (ref)`,
    },
    [workspaceId, refs],
  )
  return [...new Set(rows.flatMap(({ id }) => id ?? []))]
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

/** The live run of a transaction id, else its newest. A run without one goes by its own id. */
export async function findRun(tx: Tx, workspaceId: string, { include, ...asked }: FindRun): Promise<Run> {
  const workflow = await resolveWorkflow(tx, workspaceId, asked.workflow)
  const row = (await runOfTransaction(tx, workflow, asked.transactionId)) ?? (await runByItself(tx, workflow, asked.transactionId))
  if (!row) throw new Fault('run_missing')
  return getRun(tx, workspaceId, row.id, include)
}

/** The live run of the workflow's lane `canvas`, else its newest live one, else its newest; trials are never current. Or this run of it. */
export async function currentRun(tx: Tx, workspaceId: string, { include, ...asked }: CurrentRun): Promise<Run> {
  return getRun(tx, workspaceId, await currentRunId(tx, workspaceId, asked), include)
}

export async function currentRunId(tx: Tx, workspaceId: string, asked: Pick<CurrentRun, 'workflow' | 'run'>): Promise<string> {
  const workflow = await resolveWorkflow(tx, workspaceId, asked.workflow)
  const found =
    asked.run === undefined
      ? await tx.query<{ id: string }>(
          {
            name: 'view-current-run',
            text: `
              select id from (
                (select id, 1 as rank from runs where workspace_id = $2 and lane = $3 and ended_at is null order by lane_live nulls last, id limit 1)
                union all (select id, 2 from runs where workflow_id = $1 and ended_at is null and trial is null order by id desc limit 1)
                union all (select id, 3 from runs where workflow_id = $1 and trial is null order by id desc limit 1)
              ) as candidates order by rank limit 1`,
          },
          [workflow, workspaceId, laneOfWorkflow(workflow, 'canvas')],
        )
      : await tx.query<{ id: string }>({ name: 'view-run-of-workflow', text: 'select id from runs where id = $1 and workflow_id = $2 and trial is null' }, [asked.run, workflow])
  if (!found[0]) throw new Fault('run_missing')
  return found[0].id
}

// ── steps and events ───────────────────────────────────────────────────────────────────────────────────────────────────

interface StepView extends ToldStep {
  [more: string]: unknown
}

const stepFrom = (row: StepView, names: ReadonlyMap<string, string>, input: JsonObject): Step => ({ ...toldStep(row, names, listed), input })

async function outlineOfRun(tx: Tx, workspaceId: string, runId: string): Promise<Outline> {
  const [row] = await tx.query<Pinned & Record<string, unknown>>({ name: 'view-run-pinned', text: `select ${pinnedColumns} from runs where id = $1 and workspace_id = $2` }, [
    runId,
    workspaceId,
  ])
  if (!row) throw new Fault('run_missing')
  return outlineFor(tx, row)
}

/** One step, with its output whole. */
export async function getStep(tx: Tx, workspaceId: string, of: { runId: string; nodeId: string; iteration: string }): Promise<Step> {
  const outline = await outlineOfRun(tx, workspaceId, of.runId)
  const [row] = await tx.query<StepView>(`select ${toldStepColumns}, output as whole from steps where run_id = $1 and node_id = $2 and iteration = $3`, [
    of.runId,
    of.nodeId,
    of.iteration,
  ])
  if (!row) throw new Fault('step_missing')
  const inputOf = await stepInputs(tx, of.runId, outline, [of])
  return { ...stepFrom(row, outline.names, inputOf(of)), output: row.whole as Step['output'] }
}

/** The steps of a run in the order in which they began. A large output is given by its size alone. */
export async function listSteps(
  tx: Tx,
  workspaceId: string,
  runId: string,
  asked: { nodeId?: string | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<Step>> {
  const outline = await outlineOfRun(tx, workspaceId, runId)
  const offset = asked.cursor === undefined ? 0 : Number(decodeCursor(asked.cursor, /^\d{1,6}$/))
  const rows = await tx.query<StepView>(
    `select ${toldStepColumns} from steps where run_id = $1 and ($2::text is null or node_id = $2)
     order by steps.started_at nulls last, node_id, string_to_array(iteration, '.')::int[] offset $3 limit $4`,
    [runId, asked.nodeId ?? null, offset, asked.limit + 1],
  )
  const places = rows.map((row) => ({ nodeId: row.node_id, iteration: row.iteration }))
  const inputOf = await stepInputs(tx, runId, outline, places)
  return pageFrom(
    rows,
    asked.limit,
    () => offset + asked.limit,
    (row) => stepFrom(row, outline.names, inputOf({ nodeId: row.node_id, iteration: row.iteration })),
  )
}

interface EventRow {
  subject_kind: string
  subject_id: string
  workflow_id: string
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
      text: `select subject_kind, subject_id, workflow_id, seq, type, data, at from events where subject_id = $1 and subject_kind = 'run' and seq > $2 order by seq limit $3`,
    },
    [runId, after, asked.limit + 1],
  )
  return pageFrom(
    rows,
    asked.limit,
    (row) => row.seq,
    ({ subject_kind: kind, subject_id: id, workflow_id: workflowId, seq, at, type, data }) =>
      ({ subject: { kind, id }, workflowId, seq, cursor: String(seq), at: at.toISOString(), type, ...data }) as RunEvent,
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
