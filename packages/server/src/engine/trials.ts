import {
  type Definition,
  type ForgetTrials,
  type ForgottenTrials,
  Fault,
  type Json,
  type JsonObject,
  type Trial,
  type TryNode,
  type TryNodeType,
  limits,
  stepNames,
} from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'
import type { Database, Tx } from '../store/database.ts'
import { readRun, type RunRow } from '../store/rows/runs.ts'
import { outputsOf, stepsOf, type StepRecord } from '../store/rows/steps.ts'
import { deleteTrialStates, type TrialSession } from '../store/rows/trial-states.ts'
import type { Time } from '../store/time.ts'
import { type GraphNode, isProducer } from '../workflows/graph.ts'
import { inputNodesOf } from '../workflows/input-nodes.ts'
import type { Plans } from '../workflows/plans.ts'
import { validate } from '../workflows/validate.ts'
import type { TriedNode } from '../workflows/change.ts'
import type { Workflows } from '../workflows/workflows.ts'
import type { Actor } from './engine.ts'
import type { Operations } from './operate.ts'
import { payloadOf } from './payload.ts'
import { type Given, type Seeded, type Starter, givenInput } from './start.ts'
import { definitionOf, partOf, refusePauses, sourcesOf, type TrialPart } from './trial-part.ts'
import { giveBack, lastStepOf, SessionBusy, takeStates, trialOutcome } from './trial-states.ts'
import type { WaitFor } from './waiting.ts'

interface TrialParts {
  database: Database
  catalogue: Catalogue
  plans: Plans
  workflows: Workflows
  starter: Starter
  operations: Operations
  waitFor: WaitFor
  time: Time
}

/** How long the end of a trial is waited for beyond its time. */
const graceMs = 5_000

/** What is tried: a node of a definition, in the draft of a workflow or in none. */
interface Tried extends Omit<TryNode, 'workflow' | 'save'> {
  definition: Definition
  /** Null: it stands in none. */
  workflowId: string | null
}

/** Runs one node of a draft with what it needs, apart from all other runs, and answers when it has ended. */
export async function tryNode(parts: TrialParts, actor: Actor, { workflow, save, ...input }: TryNode): Promise<Trial> {
  const { id, draft } = await parts.workflows.get(actor, { workflow })
  const tried: Tried = { ...input, workflowId: id, definition: withConfig(draft, input) }
  if (!save) return attend(parts, actor, tried, await prepare(parts, actor, tried))
  const keep = (sample: TriedNode['sample'], config?: JsonObject): Promise<void> =>
    parts.database.transaction((tx) => parts.workflows.keepTrial(tx, actor, { workflow: id, nodeId: input.nodeId, ...(config && { config }), sample }))
  const prepared = await prepare(parts, actor, tried)
  // Before it runs: whatever becomes of it, what was to be tried is not lost.
  const given = input.data ?? input.input
  if (input.config !== undefined || given !== undefined) await keep(given === undefined ? {} : { input: given }, input.config)
  const trial = await attend(parts, actor, tried, prepared)
  // What it gave before stays, beside the error.
  await keep({ input: trial.input, error: trial.error, ...(trial.status === 'completed' && { output: trial.output }) })
  return trial
}

/** The same, of a node that stands in no workflow. */
export async function tryNodeType(parts: TrialParts, actor: Actor, { type, config = {}, ...input }: TryNodeType): Promise<Trial> {
  if (!parts.catalogue.get(type)) throw new Fault('node_type_missing')
  const definition: Definition = { kind: 'workflow', nodes: [{ id: type, type, config }], links: [] }
  const tried: Tried = { data: {}, ...input, nodeId: type, workflowId: null, definition }
  return attend(parts, actor, tried, await prepare(parts, actor, tried))
}

/** What producers of a type keep under a session is forgotten. A trial that is under way leaves nothing, either. */
export const forgetTrials = async ({ database }: TrialParts, { workspaceId }: Actor, { type, session }: ForgetTrials): Promise<ForgottenTrials> => ({
  cleared: await deleteTrialStates(database, workspaceId, session, type),
})

interface Prepared {
  target: GraphNode
  /** What leads to it. */
  sources: GraphNode[]
  part: TrialPart
  run: Omit<Seeded, 'deadlineAt'>
}

/** Finds out whether it can be tried. Nothing is stored yet. */
async function prepare({ database, catalogue, plans }: TrialParts, actor: Actor, tried: Tried): Promise<Prepared> {
  const { definition, workflowId, nodeId, data } = tried
  const { graph } = await plans.of(database, { workflow_id: workflowId ?? '', version: 0, trial: { definition } })
  const target = graph.nodes.get(nodeId)
  if (!target) throw new Fault('node_missing')
  const part = partOf(graph, catalogue, target, tried)
  refusePauses(catalogue, part.nodes, part.seeds)
  refuseIssues(definition, catalogue, part, target)
  const given = inputOf(catalogue, definition, part, tried)
  return {
    target,
    sources: sourcesOf(graph, target),
    part,
    run: {
      workspaceId: actor.workspaceId,
      workflowId,
      version: 0,
      trial: { definition: definitionOf(definition, catalogue, part), nodeId, ...(data !== undefined && { data }) },
      input: given.payload.text,
      keyedInput: given.keyedInput,
      transactionId: null,
      lane: null,
      parentRunId: null,
      parentStep: null,
      rootRunId: null,
      depth: 0,
      trigger: 'trial',
      tags: [],
      startedBy: actor.userId,
      traceparent: actor.traceparent ?? null,
    },
  }
}

function refuseIssues(definition: Definition, catalogue: Catalogue, { nodes }: TrialPart, { type }: GraphNode): void {
  const ids = new Set(nodes.map(({ id }) => id))
  // Against the whole draft: what stands before the part may be named in it, and reads as missing.
  const issues = validate(definition, catalogue).filter((issue) => issue.nodeId !== null && ids.has(issue.nodeId))
  if (issues.length > 0)
    throw new Fault('definition_invalid', {
      issues: issues.map((issue) => ({ nodeId: issue.nodeId ?? '', field: issue.field ?? '', message: issue.message })),
      details: { type },
    })
}

/** What the input nodes are given that are run, by their ids; values of other input nodes are passed over. */
function inputOf(catalogue: Catalogue, definition: Definition, { nodes }: TrialPart, { input, inputs, otherInputs }: Tried): Given {
  if (inputs === undefined) return { payload: payloadOf(input ?? null), keyedInput: false }
  const names = stepNames(definition)
  const named = (of: Definition) => inputNodesOf(of, catalogue).flatMap(({ id }) => [[names.get(id)!, id] as const, [id, id] as const])
  const part = definitionOf(definition, catalogue, { nodes, seeds: [] })
  const run = new Map(named(part))
  const known = new Map(named(definition))
  const own = Object.entries(inputs).flatMap(([key, value]) => (run.has(key) || !known.has(key) ? [[run.get(key) ?? key, value]] : []))
  return givenInput(part, catalogue, { workflow: '', inputs: Object.fromEntries(own) as JsonObject, otherInputs })
}

function withConfig(definition: Definition, { nodeId, config }: Pick<TryNode, 'nodeId' | 'config'>): Definition {
  if (config === undefined) return definition
  return { ...definition, nodes: definition.nodes.map((node) => (node.id === nodeId ? { ...node, config } : node)) }
}

// ── the run ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Starts it, waits for its end, and writes down where its producers stand then. */
async function attend(parts: TrialParts, actor: Actor, tried: Tried, prepared: Prepared): Promise<Trial> {
  const { database, waitFor } = parts
  const { workspaceId } = actor
  const { timeoutMs = limits.trialMs, session: name } = tried
  const producers = prepared.part.nodes.filter(({ type }) => isProducer(parts.catalogue.get(type)))
  const session: TrialSession | null = name === undefined || producers.length === 0 ? null : { workspaceId, session: name, workflowId: tried.workflowId ?? '' }
  const take = session && ((tx: Tx, runId: string) => takeStates(tx, session, producers, runId))
  const { runId, startedAt } = await begin(parts, prepared, take, timeoutMs)
  await waitFor(runId, 'finished', timeoutMs + graceMs)
  let run = (await readRun(database, runId)) ?? gone()
  const isLate = run.ended_at === null
  if (isLate) {
    await parts.operations.stop(actor, runId, false)
    await waitFor(runId, 'finished', graceMs)
    run = (await readRun(database, runId)) ?? gone()
  }
  if (session && run.ended_at !== null) await database.transaction((tx) => giveBack(tx, session, producers, runId))
  const trial = await told(database, run, prepared, tried)
  const durationMs = parts.time.now() - startedAt
  return isLate ? { ...trial, durationMs, status: 'failed', error: { code: 'timed_out', message: `The trial took longer than ${timeoutMs} ms` } } : { ...trial, durationMs }
}

const gone = (): never => {
  throw new Fault('run_missing', { message: 'The trial was deleted' })
}

/** Trials of one session come one after the other. */
async function begin({ starter, waitFor, time }: TrialParts, { run, part }: Prepared, take: Parameters<Starter['startSeeded']>[2] | null, timeoutMs: number) {
  const until = time.now() + timeoutMs
  for (;;) {
    const startedAt = time.now()
    try {
      return { runId: await starter.startSeeded({ ...run, deadlineAt: new Date(startedAt + timeoutMs) }, part.seeds, take ?? undefined), startedAt }
    } catch (error) {
      if (!(error instanceof SessionBusy)) throw error
      if (startedAt >= until) throw new Fault('lane_busy', { message: 'Another trial of this session is under way', details: { runId: error.runId } })
      await waitFor(error.runId, 'finished', until - startedAt)
    }
  }
}

async function told(database: Database, run: RunRow, { target, sources }: Prepared, { definition, data, input }: Tried): Promise<Omit<Trial, 'durationMs'>> {
  const steps = await stepsOf(database, [run.id])
  const { status, error, ended } = trialOutcome(run, steps)
  const outputs = await outputsIn(database, run, steps)
  const outputOf = ({ id }: GraphNode): Json => (Object.hasOwn(outputs, id) ? outputs[id]! : null)
  const given = data ?? (input && Object.keys(input).length > 0 ? input : undefined)
  return {
    runId: run.id,
    status,
    nodeId: target.id,
    type: target.type,
    config: definition.nodes.find(({ id }) => id === target.id)?.config ?? {},
    input: given ?? Object.fromEntries(sources.map((source) => [source.name, outputOf(source)])),
    output: ended ? null : outputOf(target),
    ended,
    error,
    outputs,
  }
}

/** By node id; of nodes that name a body's as their parent, that one's alone. */
async function outputsIn(database: Database, run: RunRow, steps: readonly StepRecord[]): Promise<JsonObject> {
  const ids = run.trial!.definition.nodes.flatMap(({ id, parentId }) => (parentId ? [] : [id]))
  const last = ids.flatMap((id) => lastStepOf(steps, id) ?? [])
  const rows = await outputsOf(
    database,
    run.id,
    last.map((step) => step.node_id),
    last.map((step) => step.iteration),
  )
  return Object.fromEntries(rows.map((row) => [row.node_id, JSON.parse(row.output) as Json]))
}
