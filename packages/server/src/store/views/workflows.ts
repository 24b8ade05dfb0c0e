import {
  type Activity,
  type Definition,
  type ListedWorkflow,
  type ListWorkflows,
  type Page,
  type Sample,
  type Version,
  type Workflow,
  type WorkflowField,
  type WorkflowSummary,
  limits,
} from '@sluice/schema'
import type { StoredList } from '../conditions/fields.ts'
import { listPage } from '../conditions/list.ts'
import type { Tx } from '../database.ts'
import { workflowLanes } from '../lanes.ts'
import type { VersionRow, WorkflowRow } from '../rows/workflows.ts'
import { tooLarge } from './listed.ts'
import { type SummaryRow, summaryColumns, summaryFrom } from './run-summary.ts'

/** Workflows as callers see them, with what their runs amount to. Trials are never counted. */

type Listed = Omit<WorkflowRow, 'fresh' | 'seq' | 'workspace_id'> & { runs: number; active: number; current: SummaryRow | null; last: SummaryRow | null }

/** What a workflow is told with. */
export interface ViewedWith {
  /** Samples of these nodes, or of all. */
  samplesOf?: readonly string[] | 'all'
}

/**
 * The live run that stands for the workflow: of its lane `canvas`, where the first to have started comes first, else the newest.
 * Each is found by an index over live runs.
 */
const liveRun = `
  select * from (
    (select 0 as rank, ${summaryColumns} from runs r
    where r.workspace_id = w.workspace_id and r.lane = '${workflowLanes}' || w.id || ':canvas' and r.ended_at is null order by lane_live nulls last, r.id limit 1)
    union all
    (select 1, ${summaryColumns} from runs r where r.workflow_id = w.id and r.trial is null and r.ended_at is null order by r.id desc limit 1)
  ) as candidates order by rank limit 1`

const sampleValue = (column: 'input' | 'output'): string =>
  `case when ${column}_bytes > ${limits.sampleValueBytes} or all_bytes > ${limits.samplesBytes} then json_build_object('truncated', ${column}_bytes) else ${column} end as ${column}`

const columns = `
  w.id, w.handle, w.name, w.description, w.origin, w.revision, w.version, w.hash, w.extra, w.created_at, w.updated_at,
  (select count(*) from (select from runs r where r.workflow_id = w.id and r.trial is null limit ${limits.countedRuns}) counted) as runs,
  (select count(*) from (select from runs r where r.workflow_id = w.id and r.trial is null and r.ended_at is null limit ${limits.countedRuns}) counted) as active,
  (select row_to_json(live) from (${liveRun}) as live) as current,
  (select row_to_json(newest) from (
    select ${summaryColumns}
    from runs r where r.workflow_id = w.id and r.trial is null order by r.id desc limit 1
  ) as newest) as last`

/** By node id: a value that is too large by its size, and so the largest of all that are too much together. */
const samples = `
  (select coalesce(json_object_agg(node_id, json_build_object('input', input, 'output', output, 'error', error, 'updated', updated_at)), '{}')
  from (
    select node_id, updated_at, error, ${sampleValue('input')}, ${sampleValue('output')}
    from (
      select *, sum(input_bytes) over smaller + sum(output_bytes) over smaller as all_bytes
      from (
        select *, octet_length(input::text) as input_bytes, octet_length(output::text) as output_bytes
        from samples where workflow_id = w.id and ($2::text[] is null or node_id = any($2))
      ) as measured
      window smaller as (order by input_bytes + output_bytes, node_id)
    ) as weighed
  ) as told)`

/** With its draft. */
export async function workflowView(tx: Tx, id: string, { samplesOf }: ViewedWith = {}): Promise<Workflow> {
  const [row] =
    samplesOf === undefined
      ? await tx.query<ViewRow>({ name: 'workflows-view', text: `select ${columns}, w.draft from workflows w where w.id = $1` }, [id])
      : await tx.query<ViewRow>({ name: 'workflows-view-samples', text: `select ${columns}, w.draft, ${samples} as samples from workflows w where w.id = $1` }, [
          id,
          samplesOf === 'all' ? null : samplesOf,
        ])
  return { ...summaryOf(row!), draft: row!.draft, ...(row!.samples && { samples: mapValues(row!.samples, sampleFrom) }) }
}

interface ViewRow extends Listed {
  draft: Definition
  samples?: Record<string, Sample>
  [more: string]: unknown
}

const mapValues = <T, U>(of: Record<string, T>, make: (value: T) => U): Record<string, U> => Object.fromEntries(Object.entries(of).map(([key, value]) => [key, make(value)]))

/** PostgreSQL's JSON writes instants with an offset. */
const sampleFrom = ({ updated, ...sample }: Sample): Sample => ({ ...sample, updated: new Date(updated).toISOString() })

export async function workflowSummary(tx: Tx, id: string): Promise<WorkflowSummary> {
  const rows = await tx.query<Listed & Record<string, unknown>>({ name: 'workflows-summary', text: `select ${columns} from workflows w where w.id = $1` }, [id])
  return summaryOf(rows[0]!)
}

const listedWorkflows: StoredList<WorkflowSummary, WorkflowField> = {
  id: 'id',
  fields: {
    id: { type: 'id', sql: 'w.id', of: (workflow) => workflow.id },
    handle: { type: 'text', sql: 'w.handle', of: (workflow) => workflow.handle },
    name: { type: 'text', sql: 'w.name', of: (workflow) => workflow.name },
    description: { type: 'text', sql: 'w.description', of: (workflow) => workflow.description },
    origin: { type: 'text', sql: 'w.origin', of: (workflow) => workflow.origin },
    revision: { type: 'number', sql: 'w.revision', of: (workflow) => workflow.revision },
    version: { type: 'number', nullable: true, sql: 'w.version', of: (workflow) => workflow.version },
    hash: { type: 'text', nullable: true, sql: 'w.hash', of: (workflow) => workflow.hash },
    created: { type: 'time', sql: 'w.created_at', ofId: true, of: (workflow) => workflow.created },
    updated: { type: 'time', sql: 'w.updated_at', of: (workflow) => workflow.updated },
  },
}

/**
 * Newest first unless asked otherwise. Which they are is found first: what a page leaves out, of those before it too, costs
 * no more than its place in an index (all but 100 of 100,000 left out: 35 ms, by their rows 400; every tenth: 0.1). Throws a
 * Fault `limit_exceeded` for drafts that are more than one answer holds.
 */
export async function workflowList(tx: Tx, workspaceId: string, asked: ListWorkflows): Promise<Page<ListedWorkflow>> {
  const { name, drafts = false, sayableIn } = asked
  const sayable = sayableIn === undefined ? { sql: '', values: [] } : { sql: ' and not w.unfit @> array[$2::text]', values: [sayableIn] }
  const page = await listPage(
    tx,
    listedWorkflows,
    { ...asked, also: { name } },
    {
      select: 'w.id',
      from: 'workflows w',
      scope: `w.workspace_id = $1 and w.deleted_at is null${sayable.sql}`,
      values: [workspaceId, ...sayable.values],
      item: ({ id }: { id: string }) => id,
    },
  )
  return { ...page, items: drafts ? await withDrafts(tx, page.items) : await summariesOf(tx, page.items) }
}

/** In the order of their ids as given. Those that were deleted meanwhile are left out. */
const these = 'from unnest($1::text[]) with ordinality as asked (id, place) join workflows w using (id) where w.deleted_at is null'

async function summariesOf(tx: Tx, ids: readonly string[]): Promise<WorkflowSummary[]> {
  const rows = await tx.query<Listed & Record<string, unknown>>({ name: 'workflows-summaries', text: `select ${columns} ${these} order by asked.place` }, [ids])
  return rows.map(summaryOf)
}

/** What is too much is not handed over: each draft may have a megabyte and more, and a page a hundred of them. */
async function withDrafts(tx: Tx, ids: readonly string[]): Promise<ListedWorkflow[]> {
  const statement = {
    name: 'workflows-with-drafts',
    text: `
      with measured as (
        select w.*, asked.place, sum(octet_length(w.draft::text) + octet_length(w.extra::text) + octet_length(w.description)) over ()::float8 as bytes
        ${these}
      )
      select ${columns}, case when w.bytes <= ${limits.answerBytes} then w.draft end as draft, w.bytes from measured w order by w.place`,
  }
  const rows = await tx.query<Listed & { draft: Definition | null; bytes: number } & Record<string, unknown>>(statement, [ids])
  return rows.map((row) => {
    if (!row.draft) throw tooLarge(row.bytes)
    return { ...summaryOf(row), draft: row.draft }
  })
}

function summaryOf(row: Listed): WorkflowSummary {
  const { id, handle, name, description, origin, revision, version, hash, extra } = row
  const activity: Activity = { runs: row.runs, active: row.active, current: row.current && summaryFrom(row.current), lastRun: row.last && summaryFrom(row.last) }
  return { id, handle, name, description, origin, revision, version, hash, extra, activity, created: row.created_at.toISOString(), updated: row.updated_at.toISOString() }
}

export const versionView = (row: VersionRow): Version => ({
  workflowId: row.workflow_id,
  number: row.number,
  hash: row.hash,
  name: row.name,
  description: row.description,
  definition: row.definition,
  created: row.created_at.toISOString(),
})
