import type { Json, JsonObject, Pause, Reason, RunStatus, SkipReason, StepError, StepState, TerminalStatus, WaitingKind, WaitingOn } from '@sluice/schema'
import type { ProducerState } from '../nodes/contract.ts'
import { type Graph, type GraphNode, owners } from '../workflows/graph.ts'
import type { Payload } from './payload.ts'

/**
 * A run as the engine holds it while it moves: the rows as stored, and what follows from them (`ready`, `flight`, `open`),
 * derived once on loading and kept up by the machine. Times are milliseconds since 1970.
 */

/** `held` is not among them: it is what is shown while `heldAt` is set. */
export type CoreStatus = Exclude<RunStatus, 'held'>

/** What an ending run is on its way to. */
export interface Ending {
  to: TerminalStatus
  reason: Reason
  /** Whether completed steps that declare it are undone first. */
  undo: boolean
}

/** What a trial runs beside its part of a draft; of what it starts in its turn, nothing. */
export interface RunTrial {
  /** The node that is tried; empty for what a trial starts. */
  nodeId: string
  /** What everything upstream gives, merged: given in place of predecessors. */
  data?: JsonObject
  /** Where its producers stand, by node id. In a trial each gives one item. */
  producers?: { [nodeId: string]: ProducerState }
}

export interface RunHead {
  id: string
  workspaceId: string
  workflowId: string
  version: number
  trial: RunTrial | null
  status: CoreStatus
  waitingKind: WaitingKind | null
  heldAt: number | null
  epoch: number
  revision: number
  deaths: number
  seq: number
  progress: number
  /** Attempts begun, over all steps: bounded by limits.stepsPerRun. */
  steps: number
  input: Payload
  /** Whether the input is an object of values by input node. */
  keyedInput: boolean
  output: Payload | null
  reason: Reason | null
  ending: Ending | null
  transactionId: string | null
  lane: string | null
  /** The session whose round it is. */
  sessionId: string | null
  parentRunId: string | null
  parentStep: string | null
  rootRunId: string | null
  depth: number
  trigger: string
  tags: string[]
  /** The trace context it was started in. */
  traceparent: string | null
  deadlineAt: number | null
  createdAt: number
  startedAt: number | null
  endedAt: number | null
}

export interface Compensation {
  state: 'pending' | 'running' | 'waiting' | 'retrying' | 'completed' | 'failed'
  attempts: number
  failures: number
  lastAttemptAt: number | null
  retryAt: number | null
  error: StepError | null
  output: Json
  reported: string | null
}

/** How far a map, a loop or a producer has come. */
export interface Body {
  /** Items of a map; null for a loop or a producer, which do not know. */
  total: number | null
  /** The next iteration to start. */
  next: number
  /** Iterations not yet settled. */
  live: number
  done: number
  failed: number
  concurrency: number
  collect: boolean
  /** What a loop began with, where it cannot be read again. */
  start?: Json
  /** The worker has been asked for the next decision or the results, and has not answered. */
  asked: boolean
  /** Set when the body fails as a whole: nothing new starts in it. */
  error: StepError | null
  /** Of a producer. */
  items?: Items
}

/** What a producer keeps beside its numbers. Its items come one after another: there is one at most under way. */
export interface Items {
  /** Between two items, what it goes on from. */
  state: Json
  /** The signal by which the next one comes, when it does not make it itself; what is delivered for this producer alone bears the key of its step behind the name. */
  awaits: string | null
  /** The iteration of a failed item whose steps are being undone. */
  undoing: string | null
  /** Numbers of those that failed last: their steps are kept. */
  failures: number[]
  /** Of items whose steps are not kept, how many steps of a node came to a state. */
  folded: { [nodeId: string]: { [state in StepState]?: number } }
  /** Attempts begun and events told in the item under way. */
  steps: number
  events: number
}

export interface StepRow {
  /** `stepKey` of the two, put together once. */
  readonly key: string
  nodeId: string
  iteration: string
  state: StepState
  attempts: number
  failures: number
  settled: number | null
  /** Null until completed; of a large one the text is fetched when needed, and `bytes` is all that is here. */
  output: Payload | null
  outputBytes: number
  route: string[] | null
  error: StepError | null
  /** With what it gives when its time has come, and when it is called again for want of a report, where that is said. */
  waitingFor: (WaitingOn & { output?: Json | undefined; remindAt?: string | undefined }) | null
  skipReason: SkipReason | null
  compensation: Compensation | null
  compensateInput: Json | undefined
  body: Body | null
  /** Fingerprint of the report that settled it. */
  reported: string | null
  startedAt: number | null
  lastAttemptAt: number | null
  retryAt: number | null
  timedOutAt: number | null
  endedAt: number | null
}

export interface PauseRow {
  id: string
  nodeId: string
  iteration: string
  step: string
  kind: Pause['kind']
  status: Pause['status']
  message: string
  form: JsonObject | null
  input: Json
  assignee: string | null
  blocks: 'dependants' | 'run'
  onExpiry: { action: 'approve' | 'decline' | 'override'; inputs?: JsonObject } | null
  openedAt: number
  dueAt: number | null
  decision: Pause['decision']
  decisionKey: string | null
}

export interface KeptSignal {
  /** Null until it is read from its row: whoever kept it knows it by its name. */
  id: number | null
  name: string
  payload: Payload
}

export interface RunState {
  graph: Graph
  run: RunHead
  steps: Map<string, StepRow>
  /** Open pauses by id. */
  pauses: Map<string, PauseRow>
  signals: KeptSignal[]
  /** What was written into the channels of queue readers and not read yet, by the key of the reader's step. */
  unread: Map<string, KeptSignal[]>
  /** Steps that may start, in the order they became so. */
  ready: Set<string>
  /** Steps that would open a pause while as many as may be are open, in the order they came. */
  deferred: Set<string>
  /** Attempts under way: steps running, compensations running, questions to the worker. */
  flight: Set<string>
  /** Steps waiting or retrying. */
  waits: Set<string>
  /** Those of them that wait for a child. */
  children: Set<string>
  /** Of steps with several ways in, how many of these are known to have settled: who looks again goes on from there. */
  looked: Map<string, number>
  /** Unsettled nodes of the scopes that are live, by scope key: the top, and iterations that are not done. */
  open: Map<string, number>
  /** Live iterations in which nothing new starts, because a step in them failed for good or their body did. */
  halted: Set<string>
  /** Bodies that may start an iteration, or have a question to ask. */
  attention: Set<string>
  /** What is left to undo, the next one last; null until it is asked for. */
  undoing: string[] | null
  /** Nodes of the top scope that have settled. */
  settledTop: number
  /** Last number given to a step that completed. */
  settles: number
}

/** A run of which nothing is known but its head. */
export const stateOf = (graph: Graph, run: RunHead): RunState => ({
  graph,
  run,
  steps: new Map(),
  pauses: new Map(),
  signals: [],
  unread: new Map(),
  ready: new Set(),
  deferred: new Set(),
  flight: new Set(),
  waits: new Set(),
  children: new Set(),
  looked: new Map(),
  open: new Map(),
  halted: new Set(),
  attention: new Set(),
  undoing: null,
  settledTop: 0,
  settles: 0,
})

/** The key of a step inside its run. */
export const stepKey = (nodeId: string, iteration: string): string => `${nodeId}\n${iteration}`
/** Of whatever names a step but its row, which has it. */
export const keyOf = (step: { nodeId: string; iteration: string }): string => stepKey(step.nodeId, step.iteration)
export const keyAt = (node: GraphNode, iteration: string): string => (iteration === '' ? node.key : node.key + iteration)

/** The key of a scope: the top, or one iteration of a body. */
export const scopeKey = (parent: GraphNode | null, iteration: string): string => (parent ? keyAt(owners(parent)[0]!, iteration) : '')

/** The node whose iteration it is: of producers that share a body, each has every so-manieth. */
export function ownerOf(parent: GraphNode, iteration: string): GraphNode {
  const { shares } = parent
  return shares.length === 0 ? parent : shares[iterationIndex(iteration) % shares.length]!
}

/** The iteration in which a body's so-manieth is run. */
export function iterationOf({ shares, id }: GraphNode, iteration: string, number: number): string {
  if (shares.length === 0) return childIteration(iteration, number)
  return childIteration(iteration, number * shares.length + shares.findIndex((each) => each.id === id))
}

/** The number of an item or element among those of its node. */
export const numberOf = ({ shares }: GraphNode, iteration: string): number => Math.floor(iterationIndex(iteration) / Math.max(1, shares.length))

/** Where a node around it stands, of which this is an iteration inside. */
export const iterationAt = (node: GraphNode, iteration: string): string => (node.depth === 0 ? '' : iteration.split('.').slice(0, node.depth).join('.'))

/** The step of the body that an iteration belongs to. */
export const bodyStepOf = (state: RunState, parent: GraphNode, iteration: string): StepRow | undefined =>
  state.steps.get(keyAt(ownerOf(parent, iteration), parentIteration(iteration)))

/** Iterations of a body that may be under way. */
export function begunOf(node: GraphNode, step: StepRow): string[] {
  const { next, live, items } = step.body!
  if (items) return live > 0 ? [iterationOf(node, step.iteration, next - 1)] : []
  return Array.from({ length: next }, (_, index) => childIteration(step.iteration, index))
}

/** The queue to whose reader a writer's step writes. */
export const channelName = (reader: string, writer: string): string => `${channels}${reader}\n${writer}`
const channels = 'channel:'

/** Whether a signal is what was written into a channel. No name that a sender may give has a second line. */
export const isChannel = (name: string | null | undefined): name is string => name?.startsWith(channels) === true && name.includes('\n')

/** The key of the step that reads it. */
export function readerOf(channel: string): string {
  const [nodeId, iteration] = channel.slice(channels.length).split('\n') as [string, string]
  return stepKey(nodeId, iteration)
}

/** The signal by which a producer is brought what comes from outside the run. */
export const sourceName = (kind: 'queue' | 'webhook', name: string, producer: string): string => `${kind}:${name}\n${producer}`

/** The iteration path of the body step's own scope: `2.0` inside `2`. */
export const childIteration = (iteration: string, index: number): string => (iteration === '' ? String(index) : `${iteration}.${index}`)

/** The iteration a body's step stands in, one level up: of `2.0` it is `2`, of `2` it is the top. */
export function parentIteration(iteration: string): string {
  const dot = iteration.lastIndexOf('.')
  return dot === -1 ? '' : iteration.slice(0, dot)
}

/** The number of the innermost iteration of a path. */
export const iterationIndex = (iteration: string): number => Number(iteration.slice(iteration.lastIndexOf('.') + 1))

/** The idempotency key of a step: `runId/nodeId/iteration`, the same on every retry (guarantees C4). */
export const idempotencyKey = (runId: string, nodeId: string, iteration: string): string => `${runId}/${encodeURIComponent(nodeId)}/${iteration === '' ? '-' : iteration}`

export const isSettled = (state: StepState): boolean => state === 'completed' || state === 'failed' || state === 'skipped' || state === 'cancelled'
/** Whether a report of it counts: also of one that is called again meanwhile, for want of that report. */
export const takesReport = ({ state, waitingFor }: Pick<StepRow, 'state' | 'waitingFor'>): boolean => waitingFor?.kind === 'report' && !isSettled(state)

/** When the timer of a wait is to fire; null when it needs none. */
export function waitDueAt({ state, waitingFor }: Pick<StepRow, 'state' | 'waitingFor'>): number | null {
  const times = state === 'waiting' ? [waitingFor?.until, waitingFor?.remindAt].filter((time) => time !== undefined) : []
  return times.length === 0 ? null : Math.min(...times.map((time) => Date.parse(time)))
}

/** A step that waits for one of the places that open pauses have; it keeps the mark until its next attempt has an outcome. */
export const isDeferred = (step: StepRow): boolean => step.waitingFor?.kind === 'queue'
export const isTerminal = (status: CoreStatus): status is TerminalStatus => status === 'completed' || status === 'failed' || status === 'cancelled' || status === 'compensated'

/** When the run's time is up. It counts waiting, but neither queueing nor a hold; and an ending run has the time it needs. */
export const deadlineOf = (run: RunHead): number | null => (run.startedAt === null || run.heldAt !== null || run.ending || isTerminal(run.status) ? null : run.deadlineAt)

/** The status as the world sees it: with the hold laid over it. */
export const shownStatus = (run: { status: CoreStatus; heldAt: number | null }): RunStatus =>
  run.heldAt !== null && (run.status === 'queued' || run.status === 'running' || run.status === 'waiting') ? 'held' : run.status

export const newStep = (nodeId: string, iteration: string, key = stepKey(nodeId, iteration)): StepRow => ({
  key,
  nodeId,
  iteration,
  state: 'pending',
  attempts: 0,
  failures: 0,
  settled: null,
  output: null,
  outputBytes: 0,
  route: null,
  error: null,
  waitingFor: null,
  skipReason: null,
  compensation: null,
  compensateInput: undefined,
  body: null,
  reported: null,
  startedAt: null,
  lastAttemptAt: null,
  retryAt: null,
  timedOutAt: null,
  endedAt: null,
})
