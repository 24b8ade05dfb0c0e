import type { Json, JsonObject, RunEventType, StepError, StepState } from '@sluice/schema'
import { limits } from '@sluice/schema'
import { type GraphNode, nodeAt } from '../workflows/graph.ts'
import type { Payload } from './payload.ts'
import {
  type CoreStatus,
  type KeptSignal,
  type PauseRow,
  type RunState,
  type StepRow,
  bodyStepOf,
  idempotencyKey,
  isDeferred,
  isSettled,
  keyAt,
  keyOf,
  newStep,
  parentIteration,
  stepKey,
  waitDueAt,
} from './state.ts'

/**
 * One turn of the machine: happenings go in, and what is to be committed gathers here. The state is moved in place; a turn
 * whose commit is refused is thrown away together with the state, which is loaded anew.
 */
export interface Turn {
  readonly state: RunState
  readonly now: number
  /** A number in [0, 1): the only chance in the machine, handed in so that a seed repeats it. */
  readonly random: () => number
  readonly newId: () => string
  steps: Map<string, StepRow>
  events: { type: RunEventType; data: string }[]
  pauses: Map<string, PauseRow>
  timers: Map<string, TimerChange>
  signals: { kept: KeptSignal[]; consumed: { id: number | null; name: string; by: string }[] }
  /** Steps that are kept no more: their rows go. */
  folded: Set<string>
  /** What items of producers wait for outside the run, by the key of their step; null: no more. */
  listeners: Map<string, Listener | null>
  /** Into durable queues. */
  pushes: { queue: string; payload: Payload }[]
  /** What attempts and steps came to, for those who watch over the server. */
  outcomes: Outcome[]
  /** What steps that completed set in the session's context, and the tokens they took. */
  context: JsonObject | null
  usage: Usage
  /** Whether the run had been cancelled before: of what follows its session hears nothing. */
  readonly wasCancelled: boolean
  /** What the holder of the claim is to do once this turn is committed. */
  tasks: Task[]
  /** Steps whose attempts are to be told to stop. */
  aborts: string[]
  /** Child runs to cancel. Said in every turn of the holder for as long as they go on, so that none is forgotten in a crash. */
  childrenToCancel: Set<string>
}

/** Where the next item of a producer comes from. */
export interface Listener {
  nodeId: string
  iteration: string
  kind: 'queue' | 'webhook'
  name: string
  /** The last that it took; null: those that came since its run was made. */
  after: string | null
}

/** Of language models. */
export interface Usage {
  promptTokens: number
  completionTokens: number
}

export interface Outcome {
  step: StepRow
  phase: 'invoke' | 'compensate'
  /** `retrying`: an attempt failed, and another one follows. `lost`: its worker was, and it is made again. */
  to: 'completed' | 'failed' | 'retrying' | 'lost' | 'skipped' | 'cancelled'
  /** 0: none was begun. */
  attempt: number
  /** When it began. */
  since: number | null
}

export type TimerKind = 'retry' | 'wait' | 'undo' | 'deadline'

export interface TimerChange {
  nodeId: string
  iteration: string
  kind: TimerKind
  /** Null takes the timer away. */
  dueAt: number | null
}

/**
 * `invoke` and `compensate` are attempts. `ask` puts a question about a body (what next, what came out), or, with no node,
 * about the run's output: answered from what is recorded, so that asking again is harmless.
 */
export interface Task {
  key: string
  nodeId: string
  iteration: string
  phase: 'invoke' | 'compensate' | 'ask'
  attempt: number
}

/** Names one flight and its attempt: what the holder of the claim has in hand. */
export const flightId = (flightKey: string, attempt: number): string => `${flightKey}#${attempt}`

/** The key of the question for the run's output. */
export const root = stepKey('', '')

const isCancelled = ({ run }: RunState): boolean => run.status === 'cancelling' || run.ending?.reason.code === 'cancelled'

export const beginTurn = (state: RunState, now: number, random: () => number, newId: () => string): Turn => ({
  state,
  now,
  random,
  newId,
  steps: new Map(),
  events: [],
  pauses: new Map(),
  timers: new Map(),
  signals: { kept: [], consumed: [] },
  folded: new Set(),
  listeners: new Map(),
  pushes: [],
  outcomes: [],
  context: null,
  usage: { promptTokens: 0, completionTokens: 0 },
  wasCancelled: isCancelled(state),
  tasks: [],
  aborts: [],
  childrenToCancel: new Set(),
})

/** From each status of a run to those it may move to. */
export const runMoves: Record<CoreStatus, readonly CoreStatus[]> = {
  queued: ['running', 'cancelled', 'failed'],
  running: ['waiting', 'cancelling', 'compensating', 'completed', 'failed', 'cancelled'],
  waiting: ['running', 'cancelling', 'compensating', 'failed', 'cancelled'],
  cancelling: ['compensating', 'cancelled', 'failed'],
  compensating: ['compensated', 'cancelled', 'failed'],
  completed: [],
  failed: [],
  cancelled: [],
  compensated: [],
}

/**
 * From each state of a step to those it may move to. Back to `pending`: a new attempt is due, also of one that waits for a
 * report, or its worker was lost; what the child of a lost attempt comes to still counts.
 */
export const stepMoves: Record<StepState, readonly StepState[]> = {
  pending: ['running', 'skipped', 'cancelled', 'completed', 'failed', 'retrying'],
  running: ['pending', 'waiting', 'retrying', 'completed', 'failed', 'cancelled'],
  waiting: ['pending', 'completed', 'failed', 'retrying', 'cancelled'],
  retrying: ['pending', 'cancelled'],
  completed: [],
  failed: [],
  skipped: [],
  cancelled: [],
}

/** A move that the tables do not have is a bug of ours: it must not reach the database. */
export class IllegalMove extends Error {
  override readonly name = 'IllegalMove'
}

export function moveRun(turn: Turn, to: CoreStatus): void {
  const { run } = turn.state
  if (!runMoves[run.status].includes(to)) throw new IllegalMove(`run ${run.id}: ${run.status} → ${to}`)
  run.status = to
}

export function moveStep(turn: Turn, step: StepRow, to: StepState): void {
  if (!stepMoves[step.state].includes(to)) throw new IllegalMove(`step ${turn.state.run.id}/${step.nodeId}/${step.iteration}: ${step.state} → ${to}`)
  const { flight, waits, ready, deferred, attention } = turn.state
  const { key } = step
  leave(turn, step)
  step.state = to
  flight.delete(key)
  waits.delete(key)
  ready.delete(key)
  deferred.delete(key)
  if (isSettled(to)) {
    attention.delete(key)
    step.waitingFor = null
    step.endedAt = turn.now
  }
  if (to === 'completed' || to === 'failed' || to === 'retrying' || to === 'skipped' || to === 'cancelled') noteOutcome(turn, step, 'invoke', to)
  // A body's step runs without an attempt of its own: the flights are its children's, and its questions.
  if (to === 'running' && !step.body) flight.add(key)
  if (to === 'waiting' || to === 'retrying') waits.add(key)
  if (to === 'waiting' && step.waitingFor?.kind === 'child') turn.state.children.add(key)
  if (to === 'pending') (isDeferred(step) ? deferred : ready).add(key)
  touch(turn, step)
}

/** Before anything else happens to the step: the next attempt may begin in the same turn. */
export function noteOutcome(turn: Turn, step: StepRow, phase: Outcome['phase'], to: Outcome['to']): void {
  const { attempts: attempt, lastAttemptAt: since } = phase === 'invoke' ? step : step.compensation!
  turn.outcomes.push({ step, phase, to, attempt, since })
}

/** What a wait leaves behind goes with it. */
function leave(turn: Turn, step: StepRow): void {
  if (step.state === 'waiting') {
    if (waitDueAt(step) !== null) setTimer(turn, step, 'wait', null)
    if (step.waitingFor?.kind === 'signal') ceaseToListen(turn, step)
    turn.state.children.delete(step.key)
    step.waitingFor = null
  }
  if (step.state === 'retrying') {
    if (step.retryAt !== null) setTimer(turn, step, 'retry', null)
    step.retryAt = null
  }
}

/** Only items of producers listen beyond their run. */
export function ceaseToListen(turn: Turn, step: StepRow): void {
  if (turn.state.graph.produces && nodeOf(turn, step).head) turn.listeners.set(step.key, null)
}

export function touch(turn: Turn, step: StepRow): void {
  turn.steps.set(step.key, step)
}

/** The row of a step, made when it is first touched. */
export function stepOf(turn: Turn, node: GraphNode, iteration: string): StepRow {
  const key = keyAt(node, iteration)
  let step = turn.state.steps.get(key)
  if (!step) {
    step = newStep(node.id, iteration, key)
    turn.state.steps.set(key, step)
  }
  return step
}

/** A new attempt begins. */
export function startStep(turn: Turn, step: StepRow): void {
  step.attempts++
  step.startedAt ??= turn.now
  step.lastAttemptAt = turn.now
  step.retryAt = null
  step.timedOutAt = null
  step.reported = null
  countAttempt(turn, step)
  moveStep(turn, step, 'running')
  emitStep(turn, 'step.started', step, { attempt: step.attempts })
}

export const nodeOf = (turn: Turn, step: { nodeId: string; iteration: string }): GraphNode => {
  const node = nodeAt(turn.state.graph, step.nodeId, step.iteration)
  if (!node) throw new Error(`run ${turn.state.run.id}: no node ${step.nodeId} in its version`)
  return node
}

export function setTimer(turn: Turn, step: { nodeId: string; iteration: string }, kind: TimerKind, dueAt: number | null): void {
  turn.timers.set(`${keyOf(step)}\n${kind}`, { nodeId: step.nodeId, iteration: step.iteration, kind, dueAt })
}

export function emit(turn: Turn, type: RunEventType, data?: { [key: string]: unknown }): void {
  turn.events.push({ type, data: data ? JSON.stringify(data) : '{}' })
}

/** The producer's step whose item a step is of, the outermost. What happens in items is bounded for each of them, and not for the run. */
export function itemAround(turn: Turn, step: { nodeId: string; iteration: string }): StepRow | null {
  if (!turn.state.graph.produces) return null
  let found: StepRow | null = null
  let { iteration } = step
  for (let { parent } = nodeOf(turn, step); parent; parent = parent.parent) {
    const around = bodyStepOf(turn.state, parent, iteration)
    if (around?.body?.items) found = around
    iteration = parentIteration(iteration)
  }
  return found
}

/** An attempt, of a step or of its undoing: the item's that it is of, or the run's. */
export function countAttempt(turn: Turn, step: { nodeId: string; iteration: string }): void {
  const around = itemAround(turn, step)
  if (!around || isSettled(around.state)) {
    turn.state.run.steps++
    return
  }
  around.body!.items!.steps++
  touch(turn, around)
}

function countEvent(turn: Turn, step: { nodeId: string; iteration: string }): void {
  const around = itemAround(turn, step)
  if (!around || isSettled(around.state)) return
  around.body!.items!.events++
  touch(turn, around)
}

/** What the node's events begin with is text already, and an iteration is digits and dots. */
const toldOf = (turn: Turn, step: { nodeId: string; iteration: string }): string => `${nodeOf(turn, step).told},"iteration":"${step.iteration}"`

export function emitStep(turn: Turn, type: RunEventType, step: { nodeId: string; iteration: string }, data?: { [key: string]: unknown }): void {
  countEvent(turn, step)
  turn.events.push({ type, data: `${toldOf(turn, step)}${data ? `,${JSON.stringify(data).slice(1)}` : '}'}` })
}

/** The output of a step. */
export function emitCompleted(turn: Turn, step: StepRow, output: Payload): void {
  countEvent(turn, step)
  const key = (): string => idempotencyKey(turn.state.run.id, step.nodeId, step.iteration)
  turn.events.push({ type: 'step.completed', data: `${toldOf(turn, step)},"route":${JSON.stringify(step.route)},${lasted(turn, step)},${outputText(turn, output, key)}}` })
}

/** That of the run. */
export function emitRunCompleted(turn: Turn, output: Payload): void {
  turn.events.push({ type: 'run.completed', data: `{${lasted(turn, turn.state.run)},${outputText(turn, output, () => turn.state.run.id)}}` })
}

const lasted = ({ now }: Turn, { startedAt }: { startedAt: number | null }): string => `"durationMs":${now - (startedAt ?? now)}`

/** The text of an output goes into its event as it stands, or, when it is large, a reference to it. */
function outputText(turn: Turn, output: Payload, key: () => string): string {
  if (output.bytes <= limits.eventOutputBytes) return `"output":${output.text}`
  return `"outputRef":${JSON.stringify({ runId: turn.state.run.id, key: key(), bytes: output.bytes })}`
}

/** What a pause looks like in an event: large values by their size alone, so that the frame stays within its limit. */
export function pauseData(turn: Turn, pause: PauseRow): { pause: Json } {
  const { run } = turn.state
  const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
  const { id, nodeId, step, iteration, kind, status, message, form, input, assignee, decision } = pause
  return {
    pause: {
      id,
      runId: run.id,
      workflowId: run.workflowId,
      nodeId,
      step,
      iteration,
      kind,
      status,
      message: cut(message),
      form: bounded(form),
      input: bounded(input),
      assignee,
      openedAt: time(pause.openedAt)!,
      dueAt: time(pause.dueAt),
      decision: decision && { ...decision, inputs: bounded(decision.inputs) },
    },
  }
}

const longestMessage = 4_000

const cut = (text: string): string => (text.length > longestMessage ? text.slice(0, longestMessage).toWellFormed() : text)

function bounded(value: Json): Json {
  if (value === null) return null
  const bytes = Buffer.byteLength(JSON.stringify(value))
  return bytes > limits.listValueBytes ? { truncated: bytes } : value
}

/** An error as it is recorded and told: its details by their size alone when they are large. */
export const boundedError = (error: StepError): StepError => ({
  ...error,
  message: cut(error.message),
  ...(error.details !== undefined && { details: bounded(error.details) }),
})
