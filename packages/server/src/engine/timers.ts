import { stop } from './ending.ts'
import type { StepRef } from './happening.ts'
import { deadlineOf, keyOf, waitDueAt } from './state.ts'
import { type TimerKind, type Turn, moveStep, setTimer } from './turn.ts'
import { failUndoing, retryUndoing, undoingDueAt } from './undoing.ts'
import { expireWait } from './waits.ts'

/** Time that is up: timers are rows of ours, and may fire late, twice, or after what they were set for is over. */

/** The clocks of our servers and of the database differ by a little: a timer this early is on time. */
const skewMs = 1_000

export function due(turn: Turn, happening: StepRef & { timer: TimerKind }): void {
  const at = dueAt(turn, happening)
  // What it was set for is over, and it was set again meanwhile.
  if (at !== null && at > turn.now + skewMs) return setTimer(turn, happening, happening.timer, at)
  setTimer(turn, happening, happening.timer, null)
  if (at === null) return
  if (happening.timer === 'deadline') return expireRun(turn)
  const step = turn.state.steps.get(keyOf(happening))!
  if (happening.timer === 'wait') return expireWait(turn, step)
  if (happening.timer === 'undo' && step.compensation?.state === 'waiting')
    return failUndoing(turn, step, { code: 'timed_out', message: 'Nothing came within the time allowed' }, true)
  retryNow(turn, happening)
}

/** When a timer is to fire by what is recorded now; null when nothing waits for it. */
function dueAt(turn: Turn, { nodeId, iteration, timer }: StepRef & { timer: TimerKind }): number | null {
  if (timer === 'deadline') return deadlineOf(turn.state.run)
  const step = turn.state.steps.get(keyOf({ nodeId, iteration }))
  if (!step) return null
  if (timer === 'undo') return undoingDueAt(turn, step)
  if (timer === 'retry') return step.state === 'retrying' ? step.retryAt : null
  return waitDueAt(step)
}

function expireRun(turn: Turn): void {
  stop(turn, { to: 'failed', reason: { code: 'timed_out', message: 'The run took longer than its definition allows' }, undo: true }, { fence: true })
}

/** Ends the wait for a retry, of a step or of its undoing. */
export function retryNow(turn: Turn, ref: StepRef): void {
  const step = turn.state.steps.get(keyOf(ref))
  if (step?.state === 'retrying') moveStep(turn, step, 'pending')
  else if (step?.compensation?.state === 'retrying') retryUndoing(turn, step)
}
