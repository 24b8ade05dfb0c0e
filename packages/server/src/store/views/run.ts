import { Fault, type NodeIteration, type Run, type RunInclude, type RunNode, type StepState, type WaitingOn } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { type Outline, outlinesFor } from './outline.ts'
import { pauseFrom } from './pause.ts'
import { pinnedTo } from './pinned.ts'
import { type IterationRow, type NodeSum, type RunRecord, type WaitRow, readRunRecord } from './run-record.ts'
import { toldStep, valuesOf } from './run-steps.ts'
import { summaryFrom } from './run-summary.ts'
import { type StepPlace, givenInRuns } from './step-inputs.ts'
import { type Given, type StepOutput, type Telling, asWhole, bySize, inputFrom } from './told-outputs.ts'

/**
 * What is included is of the moment that the rest is of; a version never changes. Throws a Fault `run_missing`, for a run of
 * another workspace too.
 */
export async function getRun(tx: Tx, workspaceId: string, id: string, include: readonly RunInclude[] = []): Promise<Run> {
  const row = await readRunRecord(tx, workspaceId, id, include)
  if (!row) throw new Fault('run_missing')
  const [run] = await runsFrom(tx, [row], include)
  return run!
}

/** Whole runs of their rows, with what else is read for all of them at once. */
export async function runsFrom(tx: Tx, rows: readonly RunRecord[], include: readonly RunInclude[]): Promise<Run[]> {
  const outlines = await outlinesFor(tx, rows)
  const latest = rows.map((row) => latestOf(row.sums ?? []))
  const places = latest.map(placesOf)
  const givenTo = await givenInRuns(
    tx,
    rows.map(({ id }, at) => ({ runId: id, outline: outlines[at]!, places: places[at]!, read: [...latest[at]!.values()] })),
  )
  const givens = places.map((all, at) => new Map(all.map((place) => [place.nodeId, givenTo[at]!(place)])))
  // With the steps what they gave stands with them, as a whole that once.
  const ofSteps = rows.map((row) => row.told_steps?.map((step) => ({ step, values: valuesOf(step) })))
  const tellings = include.includes('outputs') ? await Promise.all(rows.map(({ id }, at) => wholeOf(tx, id, ofSteps[at], latest[at]!, givens[at]!))) : null
  const pinned = include.includes('version') ? await pinnedTo(tx, rows) : null
  return rows.map((row, at) => {
    const telling = tellings?.[at] ?? bySize
    const withSteps = row.told_steps !== undefined
    const run = runFrom(row, outlines[at]!, latest[at]!, givens[at]!, withSteps ? bySize : telling)
    if (withSteps) run.steps = (ofSteps[at] ?? []).map(({ step, values }) => toldStep(step, outlines[at]!.names, telling.output, values))
    if (pinned) run.pinned = pinned(row)
    if (row.opened !== undefined) run.openPauses = (row.opened ?? []).map(pauseFrom)
    if (row.iterations !== undefined) run.nodes = withIterations(run.nodes, outlines[at]!, row.iterations ?? [])
    return run
  })
}

const wholeOf = (tx: Tx, runId: string, steps: readonly { values: StepOutput[] }[] | undefined, latest: Latest, givens: ReadonlyMap<string, Given>): Promise<Telling> =>
  steps
    ? asWhole(
        tx,
        runId,
        steps.flatMap(({ values }) => values),
        [],
      )
    : asWhole(tx, runId, [...latest.values()], [...givens.values()])

function runFrom(row: RunRecord, outline: Outline, latest: Latest, givens: ReadonlyMap<string, Given>, telling: Telling): Run {
  const byNode = Map.groupBy(row.sums ?? [], (sum) => sum.node_id)
  const folded = (row.sums ?? []).flatMap((sum) => (sum.folded ? [sum.folded] : []))
  return {
    ...summaryFrom(row),
    input: row.input,
    output: row.output,
    waitingOn: waitingOn(row, row.waits ?? [], outline.names),
    nodes: outline.nodes.map((node) => {
      const told = nodeFrom(node, byNode.get(node.nodeId) ?? [], latest.get(node.nodeId), givens.get(node.nodeId), telling)
      for (const counts of folded) if (Object.hasOwn(counts, node.nodeId)) addCounts(told.counts, counts[node.nodeId]!)
      return told
    }),
    pauses: row.pauses ?? [],
  }
}

/** The latest step of each node. */
type Latest = ReadonlyMap<string, NodeSum>

function latestOf(sums: readonly NodeSum[]): Latest {
  const latest = new Map<string, NodeSum>()
  for (const sum of sums) {
    const known = latest.get(sum.node_id)
    if (!known || Date.parse(sum.at) > Date.parse(known.at)) latest.set(sum.node_id, sum)
  }
  return latest
}

const placesOf = (latest: Latest): StepPlace[] => [...latest].map(([nodeId, { iteration }]) => ({ nodeId, iteration }))

function withIterations(nodes: readonly RunNode[], { inBodies }: Outline, rows: readonly IterationRow[]): RunNode[] {
  const byNode = Map.groupBy(rows, (row) => row.node_id)
  return nodes.map((node) => (inBodies.has(node.nodeId) ? { ...node, iterations: (byNode.get(node.nodeId) ?? []).map(iterationFrom) } : node))
}

const iterationFrom = ({ iteration, state, output, output_bytes, shown }: IterationRow): NodeIteration => ({
  iteration,
  state,
  output: shown ? output : { truncated: output_bytes },
})

/** Which state stands for a node whose steps are in several: what still moves comes first. */
const stateOrder: StepState[] = ['running', 'waiting', 'retrying', 'pending', 'failed', 'completed', 'cancelled', 'skipped']

function nodeFrom(node: Pick<RunNode, 'nodeId' | 'step' | 'type'>, sums: readonly NodeSum[], latest: NodeSum | undefined, given: Given | undefined, telling: Telling): RunNode {
  const ordered = [...sums].sort((a, b) => stateOrder.indexOf(a.state) - stateOrder.indexOf(b.state))
  const starts = sums.flatMap((sum) => (sum.started_at ? [Date.parse(sum.started_at)] : []))
  const ends = sums.flatMap((sum) => (sum.ended_at ? [Date.parse(sum.ended_at)] : []))
  const moving = ordered.some((sum) => ['running', 'waiting', 'retrying', 'pending'].includes(sum.state))
  return {
    ...node,
    state: ordered[0]?.state ?? null,
    counts: countsOf(sums),
    route: latest?.route ?? null,
    startedAt: starts.length > 0 ? new Date(Math.min(...starts)).toISOString() : null,
    endedAt: !moving && ends.length > 0 ? new Date(Math.max(...ends)).toISOString() : null,
    input: given ? inputFrom(given, telling.input) : null,
    output: latest ? telling.output(latest) : null,
    error: (latest?.error ?? null) as RunNode['error'],
    skipReason: latest?.skip_reason ?? null,
    latest: Object.fromEntries(toldSums(sums).map((sum) => [sum.state, settledStep(sum)])),
  }
}

/** Of a producer its items count, and not the step that gives them. */
function countsOf(sums: readonly NodeSum[]): RunNode['counts'] {
  const counts: RunNode['counts'] = {}
  for (const { state, count, part } of sums) if (part !== 'items') counts[state] = (counts[state] ?? 0) + count
  return counts
}

function addCounts(counts: RunNode['counts'], more: RunNode['counts']): void {
  for (const state of stateOrder) if (more[state]) counts[state] = (counts[state] ?? 0) + more[state]
}

/** What the node does is told by its items, where it gives any, and else by what it is as a whole. */
function toldSums(sums: readonly NodeSum[]): NodeSum[] {
  const part = sums.some((sum) => sum.part === 'items') || sums.every((sum) => sum.part === 'step') ? 'step' : 'body'
  return sums.filter((sum) => sum.part === part)
}

const settledStep = ({ iteration, began_at, settled_at, route }: NodeSum): RunNode['latest'][StepState] & object => ({
  iteration,
  startedAt: began_at && new Date(began_at).toISOString(),
  endedAt: settled_at && new Date(settled_at).toISOString(),
  route,
})

function waitOf({ node_id, iteration, waiting_for, retry_at, compensation }: WaitRow, names: ReadonlyMap<string, string>): WaitingOn {
  const step = { step: names.get(node_id) ?? node_id, iteration }
  if (compensation?.state === 'waiting') return { kind: 'report', ...step }
  const until = compensation ? compensation.retryAt : retry_at && Date.parse(retry_at)
  return waiting_for ?? { kind: until === null ? 'retry' : 'timer', ...step, ...(until !== null && { until: new Date(until).toISOString() }) }
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
