import type { Json, JsonObject, WaitingKind } from '@sluice/schema'
import { limits } from '@sluice/schema'
import type { PauseRequest } from '../nodes/contract.ts'
import { closePause, stop } from './ending.ts'
import { attendTo, giveUp, isHalted, isHandled, undoKey } from './frontier.ts'
import type { Happening, Waiting } from './happening.ts'
import { keepSignal, takeSignal } from './items.ts'
import { type Payload, payloadOf } from './payload.ts'
import { abandon, completeStep, failStep } from './settling.ts'
import { type PauseRow, type StepRow, bodyStepOf, isSettled, keyOf, takesReport, waitDueAt } from './state.ts'
import { type Turn, ceaseToListen, emit, emitStep, itemAround, moveStep, nodeOf, pauseData, setTimer, touch } from './turn.ts'
import { endUndoing, failUndoing } from './undoing.ts'

/** Steps that wait: how the wait opens, and what ends it. */

export function waitFor(turn: Turn, step: StepRow, waiting: Waiting): void {
  // A scope that came to its end meanwhile opens nothing; but a child that was started is waited for, to be cancelled.
  if (isHalted(turn.state, step.nodeId, step.iteration) && waiting.for !== 'child') return abandon(turn, step)
  const timeoutMs = nodeOf(turn, step).settings.timeoutMs ?? null
  switch (waiting.for) {
    case 'pause':
      return openPause(turn, step, waiting.pause, waiting.input, waiting.pause.expiresInMs ?? timeoutMs)
    case 'signal':
      return awaitSignal(turn, step, waiting.name, waiting.timeoutMs ?? timeoutMs)
    case 'report':
      return awaitReport(turn, step, waiting, timeoutMs)
    case 'timer':
      // No time-out: it knows its end.
      if (waiting.at <= turn.now) return completeStep(turn, step, payloadOf(waiting.output ?? { at: new Date(waiting.at).toISOString() }), ['default'])
      return park(turn, step, 'timer', waiting.at - turn.now, { output: waiting.output })
    case 'child':
      park(turn, step, 'child', timeoutMs, { runId: waiting.runId })
      if (isHalted(turn.state, step.nodeId, step.iteration)) turn.childrenToCancel.add(waiting.runId)
  }
}

/** A child that was started for a step which has ended meanwhile must end too. */
export function disownChild(turn: Turn, happening: Happening): void {
  if (happening.is !== 'waits' || happening.waiting.for !== 'child') return
  const step = turn.state.steps.get(keyOf(happening))
  if (!step || isSettled(step.state)) turn.childrenToCancel.add(happening.waiting.runId)
}

function park(
  turn: Turn,
  step: StepRow,
  kind: WaitingKind,
  afterMs: number | null,
  more: Pick<NonNullable<StepRow['waitingFor']>, 'signal' | 'runId' | 'pauseId' | 'output' | 'remindAt'> = {},
): void {
  const until = afterMs === null ? null : turn.now + afterMs
  step.waitingFor = { kind, step: nodeOf(turn, step).name, iteration: step.iteration, ...more, ...(until !== null && { until: new Date(until).toISOString() }) }
  moveStep(turn, step, 'waiting')
  const dueAt = waitDueAt(step)
  if (dueAt !== null) setTimer(turn, step, 'wait', dueAt)
  emitStep(turn, 'step.waiting', step, { kind })
  turn.state.run.deaths = 0
}

// ── pauses ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function openPause(turn: Turn, step: StepRow, request: PauseRequest, input: Json, afterMs: number | null): void {
  const { state, now } = turn
  if (state.pauses.size >= limits.openPauses) return defer(turn, step)
  const { kind, message, form, assignee, blocks, onExpiry } = request
  const pause: PauseRow = {
    id: turn.newId(),
    nodeId: step.nodeId,
    iteration: step.iteration,
    step: nodeOf(turn, step).name,
    kind,
    status: 'open',
    message,
    form,
    input,
    assignee,
    blocks,
    onExpiry,
    openedAt: now,
    dueAt: afterMs === null ? null : now + afterMs,
    decision: null,
    decisionKey: null,
  }
  state.pauses.set(pause.id, pause)
  turn.pauses.set(pause.id, pause)
  park(turn, step, 'pause', afterMs, { pauseId: pause.id })
  emit(turn, 'pause.opened', pauseData(turn, pause))
}

/** As many pauses are open as may be: the step tries again when one has closed. */
function defer(turn: Turn, step: StepRow): void {
  step.waitingFor = { kind: 'queue', step: nodeOf(turn, step).name, iteration: step.iteration }
  moveStep(turn, step, 'pending')
}

const decidedAs = { approve: 'approved', decline: 'declined', override: 'overridden' } as const

export function decided(turn: Turn, decision: Extract<Happening, { is: 'decided' }>): void {
  const { state } = turn
  const pause = state.pauses.get(decision.pauseId)
  const step = pause && state.steps.get(keyOf(pause))
  if (!pause || !step) return
  const { action, by, inputs, comments } = decision
  pause.status = decidedAs[action]
  pause.decision = { action, by, at: new Date(turn.now).toISOString(), inputs, comments }
  pause.decisionKey = decision.key
  turn.pauses.set(pause.id, pause)
  state.pauses.delete(pause.id)
  emit(turn, 'pause.decided', pauseData(turn, pause))
  settleDecision(turn, step, pause, action, inputs)
}

function settleDecision(turn: Turn, step: StepRow, pause: PauseRow, action: 'approve' | 'decline' | 'override', inputs: JsonObject | null): void {
  if (action === 'override') return completeStep(turn, step, payloadOf(inputs ?? {}), ['default'])
  if (action === 'approve') return completeStep(turn, step, payloadOf(passThrough(pause.input, inputs)), ['default'])
  if (isHandled(nodeOf(turn, step), 'declined')) return completeStep(turn, step, payloadOf(passThrough(pause.input, inputs)), ['declined'])
  const message = `${pause.step} was declined`
  if (itemAround(turn, step)) return failStep(turn, step, { code: 'pause_declined', message }, false, 'declined')
  giveUp(turn, step)
  stop(turn, { to: 'cancelled', reason: { code: 'pause_declined', message, step: pause.step }, undo: true }, { fence: false })
}

/** An object takes the decision's inputs in; another value stands beside them. */
function passThrough(input: Json, inputs: JsonObject | null): Json {
  if (!inputs || Object.keys(inputs).length === 0) return input
  return typeof input === 'object' && input !== null && !Array.isArray(input) ? { ...input, ...inputs } : { input, ...inputs }
}

/** Nobody decided in time: the link drawn for that, or the node's default, or the step has failed. */
function expirePause(turn: Turn, step: StepRow): void {
  const pause = turn.state.pauses.get(step.waitingFor?.pauseId ?? '')
  if (!pause) return
  closePause(turn, step, 'expired')
  if (isHandled(nodeOf(turn, step), 'expired')) return completeStep(turn, step, payloadOf(pause.input), ['expired'])
  if (pause.onExpiry) return settleDecision(turn, step, pause, pause.onExpiry.action, pause.onExpiry.inputs ?? null)
  step.timedOutAt = turn.now
  failStep(turn, step, { code: 'pause_expired', message: `Nobody decided ${pause.step} in time` }, false, 'expired')
}

// ── reports, signals, children ─────────────────────────────────────────────────────────────────────────────────────────

/** The time-out of one that is called again for want of its report counts on: else it would never come. A try after a failure has its own. */
function awaitReport(turn: Turn, step: StepRow, { remind }: Extract<Waiting, { for: 'report' }>, timeoutMs: number | null): void {
  if (!remind) return park(turn, step, 'report', timeoutMs)
  const { until } = step.waitingFor ?? {}
  const leftMs = until === undefined ? timeoutMs : Math.max(0, Date.parse(until) - turn.now)
  const reminded = step.attempts - step.failures - 1
  park(turn, step, 'report', leftMs, reminded < remind.times ? { remindAt: new Date(turn.now + remind.everyMs).toISOString() } : {})
}

export function reported(turn: Turn, report: Extract<Happening, { is: 'reported' }>): void {
  const step = turn.state.steps.get(keyOf(report))
  if (!step) return
  if (report.phase === 'compensate') return reportedUndoing(turn, step, report)
  if (!takesReport(step)) return
  if (step.state === 'running') turn.aborts.push(step.key)
  step.reported = report.fingerprint
  if ('failed' in report.outcome) return failStep(turn, step, report.outcome.failed, true)
  step.compensateInput = report.outcome.compensateInput
  completeStep(turn, step, report.outcome.completed, ['default'])
}

function reportedUndoing(turn: Turn, step: StepRow, report: Extract<Happening, { is: 'reported' }>): void {
  if (step.compensation?.state !== 'waiting') return
  step.compensation.reported = report.fingerprint
  turn.state.waits.delete(undoKey(step.key))
  if ('failed' in report.outcome) return failUndoing(turn, step, report.outcome.failed, true)
  endUndoing(turn, step, { output: report.outcome.completed })
}

/** Takes the oldest signal of the name that is kept, also one that came in this very turn; else waits for the next. */
function awaitSignal(turn: Turn, step: StepRow, name: string, afterMs: number | null): void {
  const payload = takeSignal(turn, turn.state.signals, name, step.key)
  if (!payload) return park(turn, step, 'signal', afterMs, { signal: name })
  completeStep(turn, step, payload, ['default'])
}

/** The item of a producer waits for what it is to be; what comes is kept until its producer has looked at it. */
export function awaitItem(turn: Turn, item: StepRow, awaits: string): void {
  park(turn, item, 'signal', nodeOf(turn, item).settings.timeoutMs ?? null, { signal: awaits.split('\n')[0]! })
}

/** Has come for the item of a producer out of a queue, or a webhook. */
export function delivered(turn: Turn, { nodeId, iteration, payload }: Extract<Happening, { is: 'delivered' }>): void {
  const item = turn.state.steps.get(keyOf({ nodeId, iteration }))
  if (item?.state !== 'waiting' || item.waitingFor?.kind !== 'signal') return
  comeFor(turn, item, payload)
}

function comeFor(turn: Turn, item: StepRow, payload: Payload): void {
  const { state } = turn
  const producer = bodyStepOf(state, nodeOf(turn, item).parent!, item.iteration)!
  // One at a time: more may come when its producer has looked at this.
  ceaseToListen(turn, item)
  keepSignal(turn, state.signals, producer.body!.items!.awaits!, payload)
  attendTo(state, producer.key)
}

/** A signal goes to the first step that waits for its name; else it is kept, first in, first out. */
export function signalled(turn: Turn, signal: Extract<Happening, { is: 'signalled' }>): void {
  const { name, payload } = signal
  let first: StepRow | undefined
  for (const key of turn.state.waits) {
    const step = turn.state.steps.get(key)
    if (step?.state === 'waiting' && step.waitingFor?.kind === 'signal' && step.waitingFor.signal === name && (!first || isBefore(step, first))) first = step
  }
  if (!first) return keepSignal(turn, turn.state.signals, name, payload)
  if (nodeOf(turn, first).head) return comeFor(turn, first, payload)
  completeStep(turn, first, payload, ['default'])
}

/** By the time they came to wait; the key decides between equals, so that every process picks the same. */
const isBefore = (a: StepRow, b: StepRow): boolean => (a.lastAttemptAt !== b.lastAttemptAt ? a.lastAttemptAt! < b.lastAttemptAt! : a.key < b.key)

export function childEnded(turn: Turn, happening: Extract<Happening, { is: 'childEnded' }>): void {
  const step = turn.state.steps.get(keyOf(happening))
  if (!step || !isChildOf(step, happening)) return
  const late = step.timedOutAt !== null
  // What a child completed stands, also when its step came to its end meanwhile, so that it can be undone.
  if ('completed' in happening.outcome) {
    step.timedOutAt = null
    return completeStep(turn, step, happening.outcome.completed, ['default'])
  }
  if (!late && isHalted(turn.state, step.nodeId, step.iteration)) return abandon(turn, step)
  failStep(turn, step, late ? lateness : happening.outcome.failed, true, late ? 'expired' : 'failed')
}

/** Whether a child is the one that a step waits for, or is about to: it may end before its step has come to wait. */
function isChildOf(step: StepRow, { runId, failures }: Extract<Happening, { is: 'childEnded' }>): boolean {
  if (step.state === 'waiting') return step.waitingFor?.runId === runId
  return (step.state === 'running' || step.state === 'pending') && step.attempts > 0 && !step.body && step.failures === failures
}

// ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const lateness = { code: 'timed_out', message: 'Nothing came within the time allowed' }

/** The time of a wait is up, or no report has come for so long that it is asked for again. */
export function expireWait(turn: Turn, step: StepRow): void {
  const waiting = step.waitingFor!
  if (waiting.remindAt !== undefined && (waiting.until === undefined || Date.parse(waiting.remindAt) < Date.parse(waiting.until))) return callAgain(turn, step)
  if (waiting.kind === 'timer') return completeStep(turn, step, payloadOf(waiting.output ?? { at: waiting.until ?? null }), ['default'])
  if (waiting.kind === 'pause') return expirePause(turn, step)
  if (waiting.kind === 'child') return cancelChild(turn, step)
  step.timedOutAt = turn.now
  // A report that stays out is a failed attempt; a signal is waited for once.
  if (waiting.kind === 'report') return failStep(turn, step, lateness, true, 'expired')
  if (isHandled(nodeOf(turn, step), 'expired')) return completeStep(turn, step, payloadOf(null), ['expired'])
  failStep(turn, step, lateness, false, 'expired')
}

/** The report may come in the meantime: what was called before is still at it. */
function callAgain(turn: Turn, step: StepRow): void {
  const { remindAt: _, ...waiting } = step.waitingFor!
  moveStep(turn, step, 'pending')
  step.waitingFor = waiting
}

/** The step goes on waiting until its child has ended: what comes next must not run beside it. */
function cancelChild(turn: Turn, step: StepRow): void {
  const { until: _, ...waiting } = step.waitingFor!
  step.waitingFor = waiting
  step.timedOutAt = turn.now
  turn.childrenToCancel.add(waiting.runId!)
  touch(turn, step)
}
