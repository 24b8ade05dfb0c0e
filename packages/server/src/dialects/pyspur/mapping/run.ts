import type { Definition, Json, JsonObject, ListedRun, ListedRunInclude, Node, Pause, RunInclude, RunNode, RunStatus as CoreRunStatus, StepState } from '@sluice/schema'
import type { RunResponseSchema, RunStatus, TaskResponseSchema, TaskStatus } from '../contract.ts'
import { pyspurNodes } from '../nodes.ts'
import { versionOf, wireDefinition } from './definition.ts'
import { dictOf, isCut, isDict, own } from './dicts.ts'
import { naive, naiveOrNull } from './times.ts'

/**
 * Runs as PySpur tells them. PURE and total: any run of the core, whatever face it was started at, is a run of PySpur's. Its
 * tasks are the nodes at the top of its definition; those in a body are told with the node whose body it is.
 */

/** What the runs of a list are asked for with. */
export const listedWith: { include: ListedRunInclude[] } = { include: ['version', 'pauses', 'iterations'] }

/** What a single run is asked for with: large values come as a whole. */
export const included: { include: RunInclude[] } = { include: [...listedWith.include, 'outputs'] }

const runStatuses = {
  queued: 'PENDING',
  running: 'RUNNING',
  waiting: 'RUNNING',
  held: 'RUNNING',
  cancelling: 'RUNNING',
  compensating: 'RUNNING',
  completed: 'COMPLETED',
  failed: 'FAILED',
  cancelled: 'CANCELED',
  compensated: 'FAILED',
} as const satisfies Record<CoreRunStatus, RunStatus>

/** Paused is what stands still for a decision, whatever else it waits for: a time that comes meanwhile makes it go on. */
export const statusOf = ({ status, waitingKind }: Pick<ListedRun, 'status' | 'waitingKind'>): RunStatus =>
  status === 'waiting' && waitingKind === 'pause' ? 'PAUSED' : runStatuses[status]

const taskStatuses = {
  pending: 'PENDING',
  running: 'RUNNING',
  waiting: 'RUNNING',
  retrying: 'RUNNING',
  completed: 'COMPLETED',
  failed: 'FAILED',
  skipped: 'CANCELED',
  cancelled: 'CANCELED',
} as const satisfies Record<StepState, TaskStatus>

export interface Telling {
  now: Date
  /** In place of why it ended as it did. */
  message?: string
}

export function runOf(run: ListedRun, { now, message }: Telling): RunResponseSchema {
  const { pinned = null, endedAt } = run
  const steps = stepsOf(run)
  const tasks = tasksOf(run, steps)
  const completed = tasks.filter(({ status }) => status === 'COMPLETED')
  return {
    id: run.id,
    workflow_id: run.workflowId,
    workflow_version_id: pinned && `SV_${pinned.workflowId}_${pinned.number}`,
    workflow_version: pinned && versionOf(pinned),
    status: statusOf(run),
    // Of its making: by that lists are ordered, and asked for.
    start_time: naive(run.created),
    end_time: naiveOrNull(endedAt),
    initial_inputs: initialInputs(run, steps),
    outputs: byKey(steps, ({ node }) => node.step),
    tasks,
    parent_run_id: run.parentRunId,
    run_type: run.trigger,
    output_file_id: null,
    input_dataset_id: null,
    message: message ?? run.reason?.message ?? null,
    duration: Math.max(0, (endedAt === null ? now.getTime() : Date.parse(endedAt)) - Date.parse(run.created)) / 1000,
    percentage_complete: tasks.length === 0 ? 0 : (completed.length / tasks.length) * 100,
  }
}

/** What each node has given, by its id; of one that is paused, what it lets through. */
export const outputsOf = (run: ListedRun): Record<string, JsonObject> => byKey(stepsOf(run), ({ node }) => node.nodeId) ?? {}

export const tasksOfRun = (run: ListedRun): TaskResponseSchema[] => tasksOf(run, stepsOf(run))

// ── what the run says of its nodes ─────────────────────────────────────────────────────────────────────────────────────

/** A node at the top, with those in its body, at whatever depth. */
interface Step {
  node: RunNode
  body: RunNode[]
  /** The newest that is open there. */
  pause: Pause | undefined
  output: JsonObject | null
}

function stepsOf(run: ListedRun): Step[] {
  const { nodes = [], openPauses = [], pinned } = run
  const parents = new Map((pinned?.definition.nodes ?? []).map(({ id, parentId = null }) => [id, parentId]))
  const top = nodes.filter(({ nodeId }) => (parents.get(nodeId) ?? null) === null)
  const inside = Map.groupBy(nodes, ({ nodeId }) => topOf(parents, nodeId))
  return top.map((node) => {
    const body = (inside.get(node.nodeId) ?? []).filter(({ nodeId }) => nodeId !== node.nodeId)
    const there = new Set([node, ...body].map(({ nodeId }) => nodeId))
    const pause = openPauses.findLast(({ nodeId }) => there.has(nodeId))
    return { node, body, pause, output: dictOf(pause?.nodeId === node.nodeId ? letThrough(pause, node) : node.output) }
  })
}

/** The node at the top that this one is in the body of. */
function topOf(parents: ReadonlyMap<string, string | null>, nodeId: string): string {
  const seen = new Set<string>()
  let at = nodeId
  for (let parent = parents.get(at) ?? null; parent !== null && !seen.has(at); parent = parents.get(at) ?? null) {
    seen.add(at)
    at = parent
  }
  return at
}

const namesOf = (type: string): Set<string> => new Set([type, ...pyspurNodes.flatMap((alias) => (alias.of === type ? [alias.type] : []))])
const inputTypes = namesOf('input')

/** A pause tells a large value by its size alone; PySpur's lets through what the node was given, by step. */
const letThrough = ({ input }: Pause, node: RunNode): Json => (node.type === 'HumanInterventionNode' && isCut(input) ? node.input : input)

function byKey(steps: readonly Step[], keyOf: (step: Step) => string): Record<string, JsonObject> | null {
  const entries = steps.flatMap((step) => (step.output === null ? [] : [[keyOf(step), step.output] as const]))
  return entries.length === 0 ? null : Object.fromEntries(entries)
}

/** What its input nodes were given, or, until they have run, are to be given: one value for all of them, or values by id or title. */
function initialInputs({ input = null }: ListedRun, steps: readonly Step[]): Record<string, JsonObject> | null {
  const nodes = steps.flatMap(({ node }) => (inputTypes.has(node.type) ? [node] : []))
  if (nodes.length === 0) return null
  const isKeyed = nodes.length > 1 && isDict(input) && nodes.some(({ nodeId, step }) => Object.hasOwn(input, nodeId) || Object.hasOwn(input, step))
  const givenTo = ({ nodeId, step, state, output }: RunNode): Json => {
    if (state === 'completed' && !isCut(output)) return output
    return isKeyed ? (own(input, nodeId) ?? own(input, step) ?? null) : input
  }
  return Object.fromEntries(nodes.map((node) => [node.nodeId, dictOf(givenTo(node)) ?? {}]))
}

// ── tasks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

function tasksOf(run: ListedRun, steps: readonly Step[]): TaskResponseSchema[] {
  const definition = run.pinned?.definition
  return steps.flatMap((step): TaskResponseSchema[] => {
    const status = taskStatus(run, step)
    if (status === null) return []
    const { node, body, output } = step
    return [
      {
        id: `T_${run.id}_${node.nodeId}`,
        run_id: run.id,
        node_id: node.nodeId,
        parent_task_id: null,
        status,
        inputs: node.input,
        outputs: output,
        error: errorOf(node),
        start_time: naiveOrNull(node.startedAt),
        end_time: naiveOrNull(node.endedAt),
        subworkflow: body.length > 0 && definition ? wireDefinition(bodyOf(definition, step)) : null,
        subworkflow_output: body.length > 0 ? Object.fromEntries(body.map((inner) => [inner.nodeId, iterationsOf(inner)])) : null,
      },
    ]
  })
}

/**
 * Null: there is no task. What a run that goes on has not come to is pending, because clients stop asking when nothing is; of one
 * that ended early it is canceled, and of one that completed it was not part.
 */
function taskStatus({ startedAt, endedAt, status }: ListedRun, { node, body, pause }: Step): TaskStatus | null {
  if (node.state === null) {
    if (startedAt === null || status === 'completed') return null
    return endedAt === null ? 'PENDING' : 'CANCELED'
  }
  const isPaused = pause && (pause.nodeId === node.nodeId || !body.some(({ state }) => state === 'running' || state === 'retrying'))
  return isPaused && taskStatuses[node.state] === 'RUNNING' ? 'PAUSED' : taskStatuses[node.state]
}

const errorOf = ({ error, skipReason }: RunNode): string | null => error?.message ?? (skipReason === 'upstream_failed' ? 'Upstream failure' : null)

function bodyOf({ nodes, links }: Definition, { node, body }: Step): Definition {
  const ids = new Set(body.map(({ nodeId }) => nodeId))
  const lifted = (inner: Node): Node => (inner.parentId === node.nodeId ? { ...inner, parentId: null } : inner)
  return {
    kind: 'workflow',
    nodes: nodes.filter(({ id }) => ids.has(id)).map(lifted),
    links: links.filter(({ source, target }) => ids.has(source) && ids.has(target)),
  }
}

const iterationsOf = ({ iterations = [] }: RunNode): JsonObject[] => iterations.flatMap(({ state, output }) => (state === 'completed' ? [dictOf(output) ?? {}] : []))
