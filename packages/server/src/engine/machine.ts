import type { StepError, WaitingKind } from '@sluice/schema'
import { limits } from '@sluice/schema'
import { answered, attend, fanned, produced, unanswerable } from './bodies.ts'
import { cancel, hold, poisoned, recover, release, start, unserved } from './control.ts'
import { conclude, reasonOf, stop, tellChildren, terminate } from './ending.ts'
import { askKey, failureIn, isBlocked } from './frontier.ts'
import type { AttemptRef, Happening } from './happening.ts'
import type { Payload } from './payload.ts'
import { closeHalted, completeStep, failStep } from './settling.ts'
import { type Compensation, type RunState, type StepRow, isDeferred, isTerminal, keyOf, stepKey } from './state.ts'
import { due, retryNow } from './timers.ts'
import { type Turn, emit, emitStep, itemAround, moveRun, nodeOf, root, startStep, stepOf } from './turn.ts'
import { awaitUndoing, endUndoing, failUndoing } from './undoing.ts'
import { childEnded, decided, delivered, disownChild, reported, signalled, waitFor } from './waits.ts'

/**
 * The run's state machine: (run, happening, now) → change. PURE: no clock, no chance, no database but what the turn holds.
 *
 * M1. A terminal status never changes: of an ended run no happening changes anything.
 * M2. A step that has settled never moves again; its first recorded result stands.
 * M3. A result counts only for the attempt it names: a late worker changes nothing.
 * M4. Nothing new starts in a scope that is halted, under a hold, or, with `blocks: run`, while such a pause is open.
 * M5. Every change of state that the world sees emits its event in the same turn.
 * M6. What is kept beside the rows follows from the rows: a run read anew is the run that was in memory.
 */
export function happen(turn: Turn, happening: Happening): void {
  disownChild(turn, happening)
  if (isTerminal(turn.state.run.status)) return
  switch (happening.is) {
    case 'started':
      return start(turn)
    case 'claimed':
      return recover(turn, happening.mine ?? new Set())
    case 'completed':
    case 'failed':
    case 'waits':
    case 'fanned':
      return attempted(turn, happening)
    case 'asked':
      return answered(turn, happening)
    case 'produced':
      return produced(turn, happening)
    case 'unanswerable':
      return happening.nodeId === '' ? ungathered(turn, happening.error) : unanswerable(turn, happening)
    case 'gathered':
      return gathered(turn, happening.output)
    case 'decided':
      return decided(turn, happening)
    case 'reported':
      return reported(turn, happening)
    case 'signalled':
      return signalled(turn, happening)
    case 'delivered':
      return delivered(turn, happening)
    case 'due':
      return due(turn, happening)
    case 'childEnded':
      return childEnded(turn, happening)
    case 'cancelled':
      return cancel(turn, happening.undo)
    case 'held':
      return hold(turn)
    case 'released':
      return release(turn)
    case 'retryNow':
      return retryNow(turn, happening)
    case 'poisoned':
      return poisoned(turn)
    case 'unserved':
      return unserved(turn)
  }
}

// ── attempts and their outcomes ────────────────────────────────────────────────────────────────────────────────────────

type Outcome = Extract<Happening, { is: 'completed' | 'failed' | 'waits' | 'fanned' }>

function attempted(turn: Turn, outcome: Outcome): void {
  const step = current(turn, outcome)
  if (!step) return
  for (const line of outcome.logs ?? []) emitStep(turn, 'log', step, { level: line.level, message: line.message })
  if (outcome.phase === 'compensate') {
    undone(turn, step, outcome)
    return closeHalted(turn, step)
  }
  switch (outcome.is) {
    case 'completed':
      step.compensateInput = outcome.compensateInput
      completeStep(turn, step, outcome.output, outcome.route)
      return step.state === 'completed' ? leaveBehind(turn, outcome) : undefined
    case 'failed':
      if (outcome.timedOut) step.timedOutAt = turn.now
      if (outcome.compensateInput !== undefined) step.compensateInput = outcome.compensateInput
      return failStep(turn, step, outcome.error, outcome.retry, 'failed', outcome.retryAfterMs ?? 0)
    case 'waits':
      return waitFor(turn, step, outcome.waiting)
    case 'fanned':
      return fanned(turn, step, outcome)
  }
}

/** For the session and for queues, beside the output. */
function leaveBehind(turn: Turn, { context, usage, pushes }: Extract<Outcome, { is: 'completed' }>): void {
  if (pushes) turn.pushes.push(...pushes)
  if (context) turn.context = { ...turn.context, ...context }
  if (!usage) return
  turn.usage.promptTokens += usage.promptTokens
  turn.usage.completionTokens += usage.completionTokens
}

function undone(turn: Turn, step: StepRow, outcome: Outcome): void {
  switch (outcome.is) {
    case 'completed':
      return endUndoing(turn, step, { output: outcome.output })
    case 'failed':
      return failUndoing(turn, step, outcome.error, outcome.retry, outcome.retryAfterMs ?? 0)
    case 'waits':
      return awaitUndoing(turn, step, outcome.waiting)
    case 'fanned':
      return endUndoing(turn, step, { error: { code: 'not_supported', message: 'A body cannot undo a step' } })
  }
}

/** The step of a result, if the result is of the attempt under way. */
function current(turn: Turn, ref: AttemptRef): StepRow | null {
  const step = turn.state.steps.get(keyOf(ref))
  if (!step) return null
  if (ref.phase === 'invoke') return step.state === 'running' && !step.body && step.attempts === ref.attempt ? step : null
  return step.compensation?.state === 'running' && step.compensation.attempts === ref.attempt ? step : null
}

/** The run's output, put together from what its last steps gave. Under a hold it is asked for again later. */
function gathered(turn: Turn, output: Payload): void {
  const { run, flight } = turn.state
  if (flight.delete(askKey(root)) && !run.ending && run.heldAt === null) terminate(turn, 'completed', null, output)
}

function ungathered(turn: Turn, error: StepError): void {
  const { run, flight } = turn.state
  if (flight.delete(askKey(root)) && !run.ending) stop(turn, { to: 'failed', reason: reasonOf(error), undo: true }, { fence: false })
}

// ── starting ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Starts what may start, asks what is to be asked, and takes an ending run on. Only for the holder of the claim: what it
 * puts among the tasks is under way from the commit on.
 */
export function proceed(turn: Turn): void {
  const { state } = turn
  const { run } = state
  if (isTerminal(run.status) || run.status === 'queued') return
  tellChildren(turn)
  if (run.heldAt !== null) return
  if (run.ending) return conclude(turn, { begin: true })
  if (isBlocked(state)) return
  if (run.status === 'waiting' && waitingKind(turn) === null) resume(turn)
  attend(turn)
  admit(turn)
  for (const key of [...state.ready]) {
    // What one of them comes to may have stopped the scope of another.
    if (!state.ready.has(key)) continue
    if (!begin(turn, key)) return exceed(turn)
  }
  if (state.open.get('') === 0 && !state.flight.has(askKey(root))) finish(turn)
}

/** Lets in as many of those that would open a pause as there are places left, less those let in that have not opened theirs. */
function admit(turn: Turn): void {
  const { state } = turn
  if (state.deferred.size === 0) return
  let places = placesLeft(turn)
  for (const key of state.deferred) {
    if (places-- <= 0) return
    state.deferred.delete(key)
    state.ready.add(key)
  }
}

function placesLeft(turn: Turn): number {
  const { state } = turn
  let places = limits.openPauses - state.pauses.size
  for (const keys of [state.flight, state.ready])
    for (const key of keys) {
      const step = state.steps.get(key)
      if (step && isDeferred(step)) places--
    }
  return places
}

/** False when the run has had as many steps as it may; in an item of a producer it is the step that fails then. */
function begin(turn: Turn, key: string): boolean {
  const { state } = turn
  const [nodeId, iteration] = key.split('\n') as [string, string]
  const ref = { nodeId, iteration }
  const around = itemAround(turn, ref)
  const items = around?.body!.items
  const isSpent = items ? items.steps >= limits.stepsPerRun || items.events >= limits.eventsPerRun : state.run.steps >= limits.stepsPerRun || isToldOut(turn)
  if (isSpent && !items) return false
  const step = stepOf(turn, nodeOf(turn, ref), iteration)
  if (isSpent) failStep(turn, step, { code: 'limit_exceeded', message: `An item has at most ${limits.stepsPerRun} steps and ${limits.eventsPerRun} events` }, false)
  else {
    startStep(turn, step)
    turn.tasks.push({ key, nodeId, iteration, phase: 'invoke', attempt: step.attempts })
  }
  return true
}

/** Whether a run has told as much as it may. One with producers goes on: of its events the last are kept. */
const isToldOut = ({ state: { run, graph }, events }: Turn): boolean => !graph.produces && run.seq + events.length >= limits.eventsPerRun

/** Everything has settled: the run has failed, or its output is asked for. */
function finish(turn: Turn): void {
  const failure = failureIn(turn.state, null, '')
  if (failure) {
    stop(turn, { to: 'failed', reason: reasonOf(failure.error, nodeOf(turn, failure.step).name), undo: true }, { fence: false })
    return conclude(turn, { begin: true })
  }
  turn.state.flight.add(askKey(root))
  turn.tasks.push({ key: root, nodeId: '', iteration: '', phase: 'ask', attempt: 0 })
}

function exceed(turn: Turn): void {
  const message = `A run has at most ${limits.stepsPerRun} steps and ${limits.eventsPerRun} events`
  stop(turn, { to: 'failed', reason: { code: 'limit_exceeded', message }, undo: true }, { fence: false })
  conclude(turn, { begin: true })
}

// ── rest ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const waitingOrder: WaitingKind[] = ['pause', 'report', 'signal', 'retry', 'child', 'timer']

/** The last word of every turn: whether the run moves or waits, and how far it has come. */
export function rest(turn: Turn): void {
  const { state } = turn
  const { run } = state
  if (isTerminal(run.status) || run.status === 'queued') return
  const { reached } = state.graph
  run.progress = Math.max(run.progress, reached === 0 ? 0 : Math.min(99, Math.floor((state.settledTop / reached) * 100)))
  if (run.status === 'cancelling' || run.status === 'compensating' || run.waitingKind === 'version') return
  const kind = waitingKind(turn)
  if (kind === run.waitingKind && (kind !== null) === (run.status === 'waiting')) return
  if (kind !== null) {
    if (run.status === 'running') moveRun(turn, 'waiting')
    emit(turn, 'run.waiting', { kind })
    run.waitingKind = kind
  } else resume(turn)
}

function resume(turn: Turn): void {
  const { run } = turn.state
  run.waitingKind = null
  if (run.status !== 'waiting') return
  moveRun(turn, 'running')
  emit(turn, 'run.resumed')
}

/** What the run waits for when no step can proceed; null while one can. */
function waitingKind(turn: Turn): WaitingKind | null {
  const { state } = turn
  const { run } = state
  if (state.flight.size > 0) return null
  if (run.ending) return state.waits.size > 0 ? 'child' : null
  if (!isBlocked(state) && mayProceed(turn)) return null
  const kinds = new Set<WaitingKind>()
  for (const key of state.waits) {
    const step = state.steps.get(key)
    if (step) kinds.add(step.state === 'retrying' ? retryKind(step) : step.waitingFor!.kind)
    else kinds.add(undoKind(undoingAt(state, key)))
  }
  return waitingOrder.find((kind) => kinds.has(kind)) ?? null
}

const retryKind = ({ retryAt }: Pick<StepRow, 'retryAt'>): WaitingKind => (retryAt === null ? 'retry' : 'timer')

const undoKind = (undo: Compensation | null): WaitingKind => (undo?.state === 'retrying' ? retryKind(undo) : 'report')

/** The undoing that waits under a key. */
function undoingAt({ steps }: RunState, key: string): Compensation | null {
  const [nodeId, iteration] = key.split('\n') as [string, string]
  return steps.get(stepKey(nodeId, iteration))?.compensation ?? null
}

function mayProceed(turn: Turn): boolean {
  const { state } = turn
  return state.ready.size > 0 || state.attention.size > 0 || state.open.get('') === 0 || (state.deferred.size > 0 && placesLeft(turn) > 0)
}

/** Whether the holder of the claim has nothing to do until something happens. */
export function isParked(turn: Turn): boolean {
  return turn.state.flight.size === 0
}
