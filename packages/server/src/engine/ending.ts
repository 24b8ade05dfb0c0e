import type { Reason, ReasonCode, StepError, TerminalStatus } from '@sluice/schema'
import { giveUp, isDrained, isHalted, isInside, undoKey } from './frontier.ts'
import type { Payload } from './payload.ts'
import { type Ending, type RunState, type StepRow, deadlineOf, isSettled } from './state.ts'
import { type Turn, emit, emitRunCompleted, moveRun, nodeOf, pauseData, setTimer, touch } from './turn.ts'
import { beginUndoing, endUndoing, planUndoing } from './undoing.ts'

/**
 * How a run comes to its end: nothing new starts, open waits are closed, attempts under way finish or are fenced, what
 * declared it is undone one at a time in reverse order of completion, and then one terminal status, for ever.
 */

/** Sets the end the run goes to. Callers see to it that the first one stands; only a cancel, or a lost worker, overrules it. */
export function stop(turn: Turn, ending: Ending, options: { fence: boolean }): void {
  closeDeadline(turn)
  turn.state.run.ending = ending
  halt(turn, '')
  if (options.fence) fence(turn)
}

function closeDeadline(turn: Turn): void {
  if (deadlineOf(turn.state.run) !== null) setTimer(turn, { nodeId: '', iteration: '' }, 'deadline', null)
}

/** Closes a scope to anything new: waits end, what was ready is given up, children are told to cancel. */
export function halt(turn: Turn, scope: string): void {
  const { state } = turn
  if (scope !== '') state.halted.add(scope)
  for (const key of state.waits) {
    const step = state.steps.get(key)
    if (step && isInside(state, key, scope)) closeWait(turn, step)
  }
  for (const set of [state.ready, state.deferred, state.attention])
    for (const key of set) {
      if (!isInside(state, key, scope)) continue
      set.delete(key)
      const step = state.steps.get(key)
      if (step?.state === 'pending') giveUp(turn, step)
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
}

/** Ends attempts and questions under way at once: they are told to abort, and whatever they still say is refused. */
function fence(turn: Turn): void {
  const { state } = turn
  for (const key of state.flight) {
    const step = state.steps.get(key)
    if (!step) continue
    turn.aborts.push(key)
    giveUp(turn, step)
  }
  for (const step of state.steps.values()) {
    if (!step.body?.asked) continue
    step.body.asked = false
    touch(turn, step)
  }
  state.flight.clear()
}

/** Children that are still to end: those of scopes that came to theirs, and those whose time was up. */
export function tellChildren(turn: Turn): void {
  const { state } = turn
  for (const key of state.children) {
    const step = state.steps.get(key)!
    if (isOverdue(step) || isHalted(state, step.nodeId, step.iteration)) turn.childrenToCancel.add(step.waitingFor!.runId!)
  }
}

/** A step that waits for a child whose time is up to have ended. */
export const isOverdue = (step: StepRow): boolean => step.state === 'waiting' && step.timedOutAt !== null

/** One step further towards the end of a run that is ending. Only the holder of the claim may `begin` an undoing. */
export function conclude(turn: Turn, { begin }: { begin: boolean }): void {
  const { state } = turn
  const { run } = state
  const ending = run.ending!
  if (run.status !== 'compensating') {
    if (!isDrained(state, '')) return
    closeBodies(turn)
    state.undoing = ending.undo ? planUndoing(turn) : []
    if (state.undoing.length === 0) return terminate(turn, ending.to, ending.reason)
    moveRun(turn, 'compensating')
    run.waitingKind = null
    emit(turn, 'run.compensating', { reason: ending.reason })
  }
  if (!begin || isUndoing(state)) return
  state.undoing ??= planUndoing(turn)
  const top = state.undoing.at(-1)
  if (top === undefined) return settleUndoing(turn, ending)
  if (!state.waits.has(undoKey(top))) beginUndoing(turn, state.steps.get(top)!)
}

/** Whether an undoing is under way: there is no other flight in a run that is compensating, but a last question. */
function isUndoing(state: RunState): boolean {
  for (const key of state.flight) if (key.endsWith(undoKey(''))) return true
  return false
}

/** Bodies whose iterations have all stopped. */
function closeBodies(turn: Turn): void {
  for (const step of turn.state.steps.values()) if (step.body && step.state === 'running') giveUp(turn, step)
  turn.state.attention.clear()
}

/** All that could be undone has been: the last word. */
function settleUndoing(turn: Turn, ending: Ending): void {
  let undone = false
  let broken: StepRow | undefined
  for (const step of turn.state.steps.values()) {
    // What an item undid that came to its end before is no part of this.
    if (step.settled === null) continue
    if (step.compensation?.state === 'completed') undone = true
    if (step.compensation?.state === 'failed' && (!broken || step.settled > broken.settled!)) broken = step
  }
  if (broken) {
    const name = nodeOf(turn, broken).name
    return terminate(turn, 'failed', { code: 'compensation_failed', message: `Undoing ${name} failed: ${broken.compensation!.error?.message ?? ''}`, step: name })
  }
  terminate(turn, ending.to === 'failed' && undone ? 'compensated' : ending.to, ending.reason)
}

/** The codes of a step's error that say why its run ended; a node's own codes are no more than `step_failed`. */
const reasonsOfSteps: readonly string[] = ['timed_out', 'pause_expired', 'limit_exceeded', 'worker_lost', 'child_failed', 'child_cancelled'] satisfies ReasonCode[]

/** The reason a run ends with when a step fails for good. */
export const reasonOf = (error: StepError, step?: string): Reason => ({
  code: reasonsOfSteps.includes(error.code) ? (error.code as ReasonCode) : 'step_failed',
  message: error.message,
  ...(step !== undefined && { step }),
})

export function terminate(turn: Turn, to: TerminalStatus, reason: Reason | null, output: Payload | null = null): void {
  const { state } = turn
  const { run } = state
  closeDeadline(turn)
  moveRun(turn, to)
  run.endedAt = turn.now
  run.waitingKind = null
  run.heldAt = null
  run.reason = reason
  run.ending = null
  run.output = output
  if (to === 'completed') run.progress = 100
  for (const step of state.steps.values()) if (!isSettled(step.state)) giveUp(turn, step)
  if (state.graph.produces) breakOff(turn)
  for (const set of [state.ready, state.deferred, state.flight, state.waits, state.children, state.attention]) set.clear()
  if (output) emitRunCompleted(turn, output)
  else emit(turn, `run.${to}` as 'run.failed', { reason })
}

/** Undoings of a failed item that the end of the run came before. */
function breakOff(turn: Turn): void {
  for (const step of turn.state.steps.values()) {
    const undo = step.compensation
    if (!undo || undo.state === 'completed' || undo.state === 'failed') continue
    if (undo.attempts > 0) endUndoing(turn, step, { error: { code: 'cancelled', message: 'The run came to its end' } })
    else step.compensation = null
    touch(turn, step)
  }
}
