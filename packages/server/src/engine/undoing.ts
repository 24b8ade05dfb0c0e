import type { StepError } from '@sluice/schema'
import { attendUndoing, undoKey } from './frontier.ts'
import type { Waiting } from './happening.ts'
import type { Payload } from './payload.ts'
import { retryDelay } from './retry.ts'
import { type StepRow } from './state.ts'
import { type Turn, boundedError, countAttempt, emitStep, nodeOf, noteOutcome, setTimer, touch } from './turn.ts'

/** The undoing of one step: a course of its own beside the step's, whose result it never overwrites. */

/**
 * The steps to undo, the last to have settled last: those that declare how, and completed, failed, or were cut off: what one of
 * these had done by then, nobody knows.
 */
export function planUndoing(turn: Turn, among: Iterable<StepRow> = turn.state.steps.values()): string[] {
  const steps = [...among].filter(
    (step) =>
      step.settled !== null &&
      (step.state === 'completed' || step.state === 'failed' || step.state === 'cancelled') &&
      nodeOf(turn, step).settings.compensate !== undefined &&
      step.compensation?.state !== 'completed' &&
      step.compensation?.state !== 'failed',
  )
  for (const step of steps) {
    if (step.compensation) continue
    step.compensation = { state: 'pending', attempts: 0, failures: 0, lastAttemptAt: null, retryAt: null, error: null, output: null, reported: null }
    touch(turn, step)
  }
  return steps.sort((a, b) => a.settled! - b.settled!).map((step) => step.key)
}

export function beginUndoing(turn: Turn, step: StepRow): void {
  const undo = step.compensation!
  undo.state = 'running'
  undo.attempts++
  undo.lastAttemptAt = turn.now
  undo.retryAt = null
  undo.reported = null
  turn.state.flight.add(undoKey(step.key))
  countAttempt(turn, step)
  touch(turn, step)
  emitStep(turn, 'step.compensating', step, { attempt: undo.attempts })
  turn.tasks.push({ key: step.key, nodeId: step.nodeId, iteration: step.iteration, phase: 'compensate', attempt: undo.attempts })
}

/** Undoing that waits does so for a report, for as long as the node's time-out allows, counted from its attempt. */
export function awaitUndoing(turn: Turn, step: StepRow, waiting: Waiting): void {
  if (waiting.for !== 'report') return endUndoing(turn, step, { error: { code: 'not_supported', message: 'Undoing may only work, or wait for a report' } })
  leaveUndoing(turn, step, 'waiting')
  const until = undoingDueAt(turn, step)
  if (until !== null) setTimer(turn, step, 'undo', until)
}

/** When the timer of an undoing is to fire; null when it needs none. */
export function undoingDueAt(turn: Turn, step: StepRow): number | null {
  const undo = step.compensation
  if (undo?.state === 'retrying') return undo.retryAt
  const { timeoutMs } = nodeOf(turn, step).settings
  return undo?.state === 'waiting' && timeoutMs !== undefined ? undo.lastAttemptAt! + timeoutMs : null
}

export function failUndoing(turn: Turn, step: StepRow, error: StepError, retry: boolean, leastMs = 0): void {
  const undo = step.compensation!
  undo.failures++
  undo.error = boundedError(error)
  const delay = retry ? retryDelay(nodeOf(turn, step).retry, undo.failures, turn.random(), leastMs) : null
  if (delay === null) return endUndoing(turn, step, { error })
  closeUndoTimer(turn, step)
  noteOutcome(turn, step, 'compensate', 'retrying')
  if (delay === 0) return retryUndoing(turn, step)
  undo.retryAt = delay === 'asked' ? null : turn.now + delay
  leaveUndoing(turn, step, 'retrying')
  if (undo.retryAt !== null) setTimer(turn, step, 'undo', undo.retryAt)
}

/** A retry that is due, or asked for: the next attempt begins with the holder's next turn. */
export function retryUndoing(turn: Turn, step: StepRow): void {
  closeUndoTimer(turn, step)
  const undo = step.compensation!
  undo.state = 'pending'
  undo.retryAt = null
  turn.state.flight.delete(undoKey(step.key))
  turn.state.waits.delete(undoKey(step.key))
  attendUndoing(turn.state, step)
  touch(turn, step)
}

export function endUndoing(turn: Turn, step: StepRow, outcome: { error: StepError } | { output: Payload }): void {
  const { state } = turn
  const undo = step.compensation!
  const { key } = step
  closeUndoTimer(turn, step)
  state.flight.delete(undoKey(key))
  state.waits.delete(undoKey(key))
  if (state.undoing?.at(-1) === key) state.undoing.pop()
  state.run.deaths = 0
  if ('error' in outcome) {
    undo.state = 'failed'
    undo.error = boundedError(outcome.error)
    emitStep(turn, 'step.compensation_failed', step, { error: undo.error })
  } else {
    undo.state = 'completed'
    undo.error = null
    undo.output = outcome.output.value
    emitStep(turn, 'step.compensated', step)
  }
  attendUndoing(state, step)
  noteOutcome(turn, step, 'compensate', undo.state)
  touch(turn, step)
}

function leaveUndoing(turn: Turn, step: StepRow, to: 'waiting' | 'retrying'): void {
  step.compensation!.state = to
  turn.state.flight.delete(undoKey(step.key))
  turn.state.waits.add(undoKey(step.key))
  touch(turn, step)
}

function closeUndoTimer(turn: Turn, step: StepRow): void {
  if (undoingDueAt(turn, step) !== null) setTimer(turn, step, 'undo', null)
}
