import type { Reason, StepError, TerminalStatus } from '@sluice/schema'
import { reasonCodes } from '@sluice/schema'
import { giveUp, isInside, undoKey } from './frontier.ts'
import type { Payload } from './payload.ts'
import { type Ending, type StepRow, isSettled, keyOf } from './state.ts'
import { type Turn, emit, emitOutput, emitStep, moveRun, nodeOf, pauseData, setTimer, touch } from './turn.ts'

/**
 * How a run comes to its end: nothing new starts, open waits are closed, attempts under way finish or are fenced, what
 * declared it is undone one at a time in reverse order of completion, and then one terminal status, for ever.
 */

/** Sets the end the run goes to. The first one stands; only a cancel overrules it, as long as nothing is being undone. */
export function stop(turn: Turn, ending: Ending, options: { fence: boolean }): void {
  const { run } = turn.state
  run.ending = ending
  halt(turn, '')
  if (options.fence) fence(turn)
}

/** Closes a scope to anything new: waits end, what was ready is given up, children are told to cancel. */
export function halt(turn: Turn, scope: string): void {
  const { state } = turn
  if (scope !== '') state.halted.add(scope)
  for (const key of state.waits) {
    const step = state.steps.get(key)
    if (step && isInside(state, key, scope)) closeWait(turn, step)
  }
  for (const set of [state.ready, state.deferred])
    for (const key of set) {
      if (!isInside(state, key, scope)) continue
      set.delete(key)
      const step = state.steps.get(key)
      if (step) giveUp(turn, step)
    }
}

function closeWait(turn: Turn, step: StepRow): void {
  const waiting = step.waitingFor
  if (step.state === 'waiting' && waiting?.kind === 'child') {
    // The step stays until its child has ended: a run does not end while a part of it still moves.
    turn.childrenToCancel.add(waiting.runId!)
    return
  }
  closePause(turn, step, 'cancelled')
  setTimer(turn, step, step.state === 'retrying' ? 'retry' : 'wait', null)
  giveUp(turn, step)
}

/** Closes the pause a step holds open, if it does. */
export function closePause(turn: Turn, step: StepRow, status: 'cancelled' | 'expired'): void {
  const pause = step.waitingFor?.pauseId ? turn.state.pauses.get(step.waitingFor.pauseId) : undefined
  if (!pause) return
  pause.status = status
  turn.pauses.set(pause.id, pause)
  turn.state.pauses.delete(pause.id)
  emit(turn, status === 'expired' ? 'pause.expired' : 'pause.cancelled', pauseData(turn, pause))
  freeDeferred(turn)
}

/** A pause has closed: those that waited for a place may try again. */
export function freeDeferred(turn: Turn): void {
  for (const key of turn.state.deferred) turn.state.ready.add(key)
  turn.state.deferred.clear()
}

/** Ends attempts under way at once: they are told to abort, and whatever they still report is refused. */
function fence(turn: Turn): void {
  const { state } = turn
  for (const key of state.flight) {
    const step = state.steps.get(key)
    if (!step) state.flight.delete(key)
    else {
      turn.aborts.push(key)
      giveUp(turn, step)
    }
  }
}

/** Whether attempts or children are still under way inside a scope. */
export function isDrained(turn: Turn, scope: string): boolean {
  const { state } = turn
  for (const key of state.flight) if (isInside(state, key, scope)) return false
  for (const key of state.waits) if (state.steps.get(key)?.waitingFor?.kind === 'child' && isInside(state, key, scope)) return false
  return true
}

/** One step further towards the end of a run that is ending. Only the holder of the claim may `begin` an undoing. */
export function conclude(turn: Turn, { begin }: { begin: boolean }): void {
  const { state } = turn
  const { run } = state
  const ending = run.ending!
  for (const key of state.waits) {
    const waiting = state.steps.get(key)?.waitingFor
    if (waiting?.kind === 'child') turn.childrenToCancel.add(waiting.runId!)
  }
  if (run.status !== 'compensating') {
    if (!isDrained(turn, '')) return
    closeBodies(turn)
    state.undoing = ending.undo ? planUndoing(turn) : []
    if (state.undoing.length === 0) return terminate(turn, ending.to, ending.reason)
    moveRun(turn, 'compensating')
    run.waitingKind = null
    emit(turn, 'run.compensating', { reason: ending.reason })
  }
  if (!begin) return
  state.undoing ??= planUndoing(turn)
  for (const key of state.flight) if (key.endsWith('\nundo')) return
  const top = state.undoing.at(-1)
  if (top === undefined) return settleUndoing(turn, ending)
  if (state.waits.has(undoKey(top))) return
  beginUndoing(turn, state.steps.get(top)!)
}

/** Bodies whose iterations have all stopped. */
function closeBodies(turn: Turn): void {
  for (const step of turn.state.steps.values()) if (step.body && step.state === 'running') giveUp(turn, step)
  turn.state.attention.clear()
}

/** The steps to undo, last completed last: those that completed, or failed, and declare how. */
function planUndoing(turn: Turn): string[] {
  const steps = [...turn.state.steps.values()].filter(
    (step) =>
      step.settled !== null &&
      (step.state === 'completed' || step.state === 'failed') &&
      nodeOf(turn, step).settings.compensate !== undefined &&
      step.compensation?.state !== 'completed' &&
      step.compensation?.state !== 'failed',
  )
  for (const step of steps) {
    if (step.compensation) continue
    step.compensation = { state: 'pending', attempts: 0, failures: 0, lastAttemptAt: null, retryAt: null, error: null, output: null, reported: null }
    touch(turn, step)
  }
  return steps.sort((a, b) => a.settled! - b.settled!).map(keyOf)
}

function beginUndoing(turn: Turn, step: StepRow): void {
  const undo = step.compensation!
  undo.state = 'running'
  undo.attempts++
  undo.lastAttemptAt = turn.now
  undo.retryAt = null
  turn.state.flight.add(undoKey(keyOf(step)))
  turn.state.run.steps++
  touch(turn, step)
  emitStep(turn, 'step.compensating', step, { attempt: undo.attempts })
  turn.tasks.push({ key: keyOf(step), nodeId: step.nodeId, iteration: step.iteration, phase: 'compensate', attempt: undo.attempts })
}

/** All that could be undone has been: the last word. */
function settleUndoing(turn: Turn, ending: Ending): void {
  let undone = false
  let broken: StepRow | undefined
  for (const step of turn.state.steps.values()) {
    if (step.compensation?.state === 'completed') undone = true
    if (step.compensation?.state === 'failed') broken ??= step
  }
  if (broken) {
    const name = nodeOf(turn, broken).name
    return terminate(turn, 'failed', { code: 'compensation_failed', message: `Undoing ${name} failed: ${broken.compensation!.error?.message ?? ''}`, step: name })
  }
  terminate(turn, ending.to === 'failed' && undone ? 'compensated' : ending.to, ending.reason)
}

export function endUndoing(turn: Turn, step: StepRow, outcome: { error: StepError } | { output: Payload }): void {
  const undo = step.compensation!
  const key = keyOf(step)
  turn.state.flight.delete(undoKey(key))
  turn.state.waits.delete(undoKey(key))
  if (turn.state.undoing?.at(-1) === key) turn.state.undoing.pop()
  if ('error' in outcome) {
    undo.state = 'failed'
    undo.error = outcome.error
    emitStep(turn, 'step.compensation_failed', step, { error: outcome.error })
  } else {
    undo.state = 'completed'
    undo.output = outcome.output.value
    emitStep(turn, 'step.compensated', step)
  }
  touch(turn, step)
}

/** The reason a run ends with when a step fails for good. */
export const reasonOf = (error: StepError, step: string): Reason => ({
  code: (reasonCodes as readonly string[]).includes(error.code) ? (error.code as Reason['code']) : 'step_failed',
  message: error.message,
  step,
})

export function terminate(turn: Turn, to: TerminalStatus, reason: Reason | null, output: Payload | null = null): void {
  const { state } = turn
  const { run } = state
  moveRun(turn, to)
  run.endedAt = turn.now
  run.waitingKind = null
  run.reason = reason
  run.ending = null
  run.output = output
  if (to === 'completed') run.progress = 100
  for (const step of state.steps.values()) if (!isSettled(step.state)) giveUp(turn, step)
  state.ready.clear()
  state.flight.clear()
  state.waits.clear()
  if (output) emitOutput(turn, 'run.completed', {}, output, run.id)
  else emit(turn, `run.${to}` as 'run.failed', { reason })
}
