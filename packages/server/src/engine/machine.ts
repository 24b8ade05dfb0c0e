import type { Json, JsonObject, StepError, WaitingKind } from '@sluice/schema'
import { limits } from '@sluice/schema'
import { closePause, conclude, endUndoing, freeDeferred, halt, isDrained, reasonOf, stop, terminate } from './ending.ts'
import { askKey, failureIn, follow, giveUp, isHalted, isHandled, openScope, scopesOf, undoKey } from './frontier.ts'
import type { AttemptRef, Happening, StepRef, Waiting } from './happening.ts'
import { type Payload, payloadOf } from './payload.ts'
import { retryDelay } from './retry.ts'
import { type PauseRow, type StepRow, childIteration, isSettled, isTerminal, iterationIndex, keyOf, parentIteration, scopeKey, stepKey } from './state.ts'
import { type Turn, emit, emitOutput, emitStep, moveRun, moveStep, nodeOf, outputKey, pauseData, root, setTimer, stepOf, touch } from './turn.ts'

/**
 * The run's state machine: (run, happening, now) → change. PURE: no clock, no chance, no database but what the turn holds.
 *
 * M1. A terminal status never changes: of an ended run no happening changes anything.
 * M2. A step that has settled never moves again; its first recorded result stands.
 * M3. A result counts only for the attempt it names: a late worker changes nothing.
 * M4. Nothing new starts in a scope that is halted, under a hold, or, with `blocks: run`, while such a pause is open.
 * M5. Every change of state emits its event in the same turn.
 */
export function happen(turn: Turn, happening: Happening): void {
  const { run } = turn.state
  if (isTerminal(run.status)) return
  switch (happening.is) {
    case 'started':
      return start(turn)
    case 'claimed':
      return recover(turn)
    case 'completed':
      return completed(turn, happening)
    case 'failed':
      return failed(turn, happening)
    case 'waits':
      return waits(turn, happening, happening.waiting)
    case 'fanned':
      return fanned(turn, happening)
    case 'asked':
      return answered(turn, happening)
    case 'unanswerable': {
      const step = asked(turn, happening)
      return step ? failBody(turn, step, happening.error) : undefined
    }
    case 'gathered':
      return gathered(turn, happening.output)
    case 'decided':
      return decided(turn, happening)
    case 'reported':
      return reported(turn, happening)
    case 'signalled':
      return signalled(turn, happening.name, happening.payload)
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

// ── the run ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function start(turn: Turn): void {
  const { state, now } = turn
  const { run, graph } = state
  if (run.status !== 'queued' || run.heldAt !== null) return
  moveRun(turn, 'running')
  run.startedAt = now
  emit(turn, 'run.started')
  setDeadline(turn, run.deadlineAt !== null ? run.deadlineAt : graph.timeoutMs === null ? null : now + graph.timeoutMs)
  openScope(turn, null, '')
  // A fork or a trial brings results along: they count as settled from the start, and are nobody's to undo.
  for (const node of graph.top) {
    const given = state.steps.get(stepKey(node.id, ''))
    if (!given || !isSettled(given.state)) continue
    state.ready.delete(keyOf(given))
    if (node.reachable) follow(turn, given)
    given.settled = null
  }
}

function setDeadline(turn: Turn, at: number | null): void {
  turn.state.run.deadlineAt = at
  if (at !== null) setTimer(turn, { nodeId: '', iteration: '' }, 'deadline', at)
}

/** After a claim: attempts of the worker before are lost. They are made again, but where everything comes to an end. */
function recover(turn: Turn): void {
  const { state } = turn
  for (const key of [...state.flight]) {
    const [nodeId, iteration, question] = key.split('\n') as [string, string, string?]
    const step = state.steps.get(stepKey(nodeId, iteration))
    if (question === 'undo') {
      state.flight.delete(key)
      step!.compensation!.state = 'pending'
      touch(turn, step!)
    } else if (question === 'ask' || !step) {
      state.flight.delete(key)
      if (step?.body) askAgain(turn, step)
    } else if (isHalted(state, nodeId, iteration)) failStep(turn, step, { code: 'worker_lost', message: 'The worker of this step was lost' }, false)
    else moveStep(turn, step, 'pending')
  }
}

function askAgain(turn: Turn, step: StepRow): void {
  step.body!.asked = false
  turn.state.attention.add(keyOf(step))
  touch(turn, step)
}

function cancel(turn: Turn, undo: boolean): void {
  const { run } = turn.state
  if (run.status === 'cancelling' || run.status === 'compensating') return
  run.heldAt = null
  const reason = { code: 'cancelled' as const, message: 'The run was cancelled' }
  if (run.status === 'queued') {
    emit(turn, 'run.cancelling')
    return terminate(turn, 'cancelled', reason)
  }
  moveRun(turn, 'cancelling')
  run.waitingKind = null
  emit(turn, 'run.cancelling')
  stop(turn, { to: 'cancelled', reason, undo }, { fence: true })
  // With nothing to undo and no child to wait for this is the end, whoever holds the claim.
  conclude(turn, { begin: false })
}

function hold(turn: Turn): void {
  const { run } = turn.state
  if (run.heldAt !== null || !['queued', 'running', 'waiting'].includes(run.status)) return
  run.heldAt = turn.now
  // The run's time-out does not count a hold: the timer is set again on release.
  if (run.deadlineAt !== null) setTimer(turn, { nodeId: '', iteration: '' }, 'deadline', null)
  emit(turn, 'run.held')
}

function release(turn: Turn): void {
  const { run } = turn.state
  if (run.heldAt === null) return
  if (run.deadlineAt !== null) setDeadline(turn, run.deadlineAt + (turn.now - run.heldAt))
  run.heldAt = null
  emit(turn, 'run.released')
}

function unserved(turn: Turn): void {
  const { run } = turn.state
  if (run.waitingKind === 'version') return
  run.waitingKind = 'version'
  if (run.status === 'running') moveRun(turn, 'waiting')
  if (run.status === 'waiting') emit(turn, 'run.waiting', { kind: 'version' })
}

/** The run's output, put together from what its last steps gave. Under a hold it is asked for again later. */
function gathered(turn: Turn, output: Payload): void {
  const { run, flight } = turn.state
  if (flight.delete(askKey(root)) && !run.ending && run.heldAt === null) terminate(turn, 'completed', null, output)
}

function poisoned(turn: Turn): void {
  const { run } = turn.state
  const reason = { code: 'worker_lost' as const, message: `The run ended its worker ${limits.workerDeaths} times without progress` }
  if (run.status === 'compensating' || run.status === 'queued') return terminate(turn, 'failed', reason)
  stop(turn, { to: 'failed', reason, undo: true }, { fence: true })
  run.deaths = 0
}

// ── attempts and their outcomes ────────────────────────────────────────────────────────────────────────────────────────

/** The step of a result, if the result is of the attempt under way. */
function current(turn: Turn, ref: AttemptRef): StepRow | null {
  const step = turn.state.steps.get(keyOf(ref))
  if (!step) return null
  const live = ref.phase === 'invoke' ? step.state === 'running' && !step.body && step.attempts === ref.attempt : step.compensation?.state === 'running' && step.compensation.attempts === ref.attempt
  if (!live) return null
  for (const line of ref.logs ?? []) emitStep(turn, 'log', step, { level: line.level, message: line.message })
  return step
}

function completed(turn: Turn, happening: AttemptRef & { output: Payload; route: string[] }): void {
  const step = current(turn, happening)
  if (!step) return
  if (happening.phase === 'compensate') return endUndoing(turn, step, { output: happening.output })
  completeStep(turn, step, happening.output, happening.route)
}

function failed(turn: Turn, happening: AttemptRef & { error: StepError; retry: boolean; timedOut: boolean }): void {
  const step = current(turn, happening)
  if (!step) return
  if (happening.phase === 'compensate') return failUndoing(turn, step, happening.error, happening.retry)
  if (happening.timedOut) step.timedOutAt = turn.now
  failStep(turn, step, happening.error, happening.retry)
}

function completeStep(turn: Turn, step: StepRow, output: Payload, route: string[]): void {
  if (output.bytes > limits.stepOutputBytes)
    return failStep(turn, step, { code: 'limit_exceeded', message: `The output has ${output.bytes} bytes; ${limits.stepOutputBytes} are allowed` }, false)
  closeTimers(turn, step)
  step.output = output
  step.outputBytes = output.bytes
  step.route = route
  step.error = null
  step.waitingFor = null
  moveStep(turn, step, 'completed')
  const node = nodeOf(turn, step)
  emitOutput(turn, 'step.completed', { nodeId: node.id, step: node.name, iteration: step.iteration, route }, output, outputKey(turn, step))
  turn.state.run.deaths = 0
  settled(turn, step)
}

function closeTimers(turn: Turn, step: StepRow): void {
  if (step.state === 'waiting' && (step.waitingFor?.until || step.waitingFor?.kind === 'timer')) setTimer(turn, step, 'wait', null)
  if (step.state === 'retrying') setTimer(turn, step, 'retry', null)
}

/** One failed attempt: the step tries again later, leaves by a link drawn for the failure, or has failed for good. */
function failStep(turn: Turn, step: StepRow, error: StepError, retry: boolean): void {
  const node = nodeOf(turn, step)
  closeTimers(turn, step)
  step.failures++
  step.error = error
  step.waitingFor = null
  const delay = retry && !step.body && !isHalted(turn.state, step.nodeId, step.iteration) ? retryDelay(node.retry, step.failures, turn.random()) : null
  if (delay !== null) {
    step.retryAt = turn.now + delay
    moveStep(turn, step, 'retrying')
    setTimer(turn, step, 'retry', step.retryAt)
    emitStep(turn, 'step.retrying', step, { error, attempt: step.attempts, retryAt: new Date(step.retryAt).toISOString() })
    return
  }
  settleFailure(turn, step, error, 'failed')
}

/** A failure for good. `handle` is the link that may take it up: `failed`, or `expired` for a wait that nobody answered. */
function settleFailure(turn: Turn, step: StepRow, error: StepError, handle: string): void {
  const { state } = turn
  const node = nodeOf(turn, step)
  step.error = error
  step.waitingFor = null
  const handled = [handle, 'failed'].find((each) => isHandled(node, each))
  step.route = handled ? [handled] : []
  moveStep(turn, step, 'failed')
  emitStep(turn, 'step.failed', step, { error, attempt: step.attempts })
  state.run.deaths = 0
  if (!handled && state.graph.onFailure === 'stop' && !isHalted(state, step.nodeId, step.iteration)) {
    if (node.parent) halt(turn, scopeKey(node.parent, step.iteration))
    else stop(turn, { to: 'failed', reason: reasonOf(error, node.name), undo: true }, { fence: false })
  }
  settled(turn, step)
}

/** What comes after a step has settled: its followers, and the scopes that this closes. */
function settled(turn: Turn, step: StepRow): void {
  const { state } = turn
  for (const scope of follow(turn, step)) if (scope.parent && !state.halted.has(scopeKey(scope.parent, scope.iteration))) iterationDone(turn, scope.parent.id, scope.iteration)
  if (!state.run.ending) drainAround(turn, step)
}

/** Closes halted iterations around a step in which nothing is under way any more. */
function drainAround(turn: Turn, step: StepRow): void {
  const { state } = turn
  let node = nodeOf(turn, step).parent
  let iteration = step.iteration
  for (const scope of [...scopesOf(state, step.nodeId, step.iteration)]) {
    if (!node) return
    if (state.halted.has(scope) && isDrained(turn, scope)) {
      for (const each of node.body) {
        const inside = state.steps.get(stepKey(each.id, iteration))
        if (inside && !isSettled(inside.state)) giveUp(turn, inside)
      }
      state.halted.delete(scope)
      state.open.set(scope, 0)
      return iterationDone(turn, node.id, iteration)
    }
    iteration = parentIteration(iteration)
    node = node.parent
  }
}

function failUndoing(turn: Turn, step: StepRow, error: StepError, retry: boolean): void {
  const undo = step.compensation!
  undo.failures++
  undo.error = error
  const delay = retry ? retryDelay(nodeOf(turn, step).retry, undo.failures, turn.random()) : null
  if (delay === null) return endUndoing(turn, step, { error })
  undo.state = 'retrying'
  undo.retryAt = turn.now + delay
  turn.state.flight.delete(undoKey(keyOf(step)))
  turn.state.waits.add(undoKey(keyOf(step)))
  setTimer(turn, step, 'undo', undo.retryAt)
  touch(turn, step)
}

// ── waits ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

function waits(turn: Turn, ref: AttemptRef, waiting: Waiting): void {
  const step = current(turn, ref)
  if (!step) return
  if (ref.phase === 'compensate') return awaitUndoing(turn, step, waiting)
  // A scope that came to its end meanwhile opens nothing; but a child that was started is waited for, to be cancelled.
  if (isHalted(turn.state, step.nodeId, step.iteration) && waiting.for !== 'child') {
    giveUp(turn, step)
    return turn.state.run.ending ? undefined : drainAround(turn, step)
  }
  const timeoutMs = nodeOf(turn, step).settings.timeoutMs ?? null
  switch (waiting.for) {
    case 'pause':
      return openPause(turn, step, waiting.pause, waiting.input, waiting.pause.expiresInMs ?? timeoutMs)
    case 'signal': {
      const kept = turn.state.signals.findIndex((signal) => signal.name === waiting.name)
      if (kept === -1) return park(turn, step, 'signal', waiting.timeoutMs ?? timeoutMs, { signal: waiting.name })
      const [signal] = turn.state.signals.splice(kept, 1)
      turn.signals.consumed.push({ id: signal!.id, by: keyOf(step) })
      return completeStep(turn, step, signal!.payload, ['default'])
    }
    case 'report':
      return park(turn, step, 'report', timeoutMs)
    case 'timer':
      if (waiting.at <= turn.now) return completeStep(turn, step, payloadOf({ at: new Date(waiting.at).toISOString() }), ['default'])
      return park(turn, step, 'timer', waiting.at - turn.now)
    case 'child':
      park(turn, step, 'child', timeoutMs, { runId: waiting.runId })
      if (isHalted(turn.state, step.nodeId, step.iteration)) turn.childrenToCancel.add(waiting.runId)
  }
}

function park(turn: Turn, step: StepRow, kind: WaitingKind, afterMs: number | null, more: { signal?: string; runId?: string; pauseId?: string } = {}): void {
  const until = afterMs === null ? null : turn.now + afterMs
  step.waitingFor = { kind, step: nodeOf(turn, step).name, iteration: step.iteration, ...more, ...(until !== null && { until: new Date(until).toISOString() }) }
  moveStep(turn, step, 'waiting')
  if (until !== null) setTimer(turn, step, 'wait', until)
  emitStep(turn, 'step.waiting', step, { kind })
}

function awaitUndoing(turn: Turn, step: StepRow, waiting: Waiting): void {
  if (waiting.for !== 'report') return endUndoing(turn, step, { error: { code: 'not_supported', message: 'Undoing may only work, or wait for a report' } })
  step.compensation!.state = 'waiting'
  turn.state.flight.delete(undoKey(keyOf(step)))
  turn.state.waits.add(undoKey(keyOf(step)))
  touch(turn, step)
}

function openPause(turn: Turn, step: StepRow, request: Extract<Waiting, { for: 'pause' }>['pause'], input: Json, afterMs: number | null): void {
  const { state, now } = turn
  if (state.pauses.size >= limits.openPauses) {
    moveStep(turn, step, 'pending')
    state.ready.delete(keyOf(step))
    state.deferred.add(keyOf(step))
    return
  }
  const pause: PauseRow = {
    id: turn.newId(),
    nodeId: step.nodeId,
    iteration: step.iteration,
    step: nodeOf(turn, step).name,
    kind: request.kind,
    status: 'open',
    message: request.message,
    form: request.form,
    input,
    assignee: request.assignee,
    blocks: request.blocks,
    onExpiry: request.onExpiry,
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

const decidedAs = { approve: 'approved', decline: 'declined', override: 'overridden' } as const

function decided(turn: Turn, decision: Extract<Happening, { is: 'decided' }>): void {
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
  freeDeferred(turn)
  settleDecision(turn, step, pause, action, inputs)
}

function settleDecision(turn: Turn, step: StepRow, pause: PauseRow, action: 'approve' | 'decline' | 'override', inputs: JsonObject | null): void {
  if (action === 'override') return completeStep(turn, step, payloadOf(inputs ?? {}), ['default'])
  if (action === 'approve') return completeStep(turn, step, payloadOf(passThrough(pause.input, inputs)), ['default'])
  if (isHandled(nodeOf(turn, step), 'declined')) return completeStep(turn, step, payloadOf(passThrough(pause.input, inputs)), ['declined'])
  closeTimers(turn, step)
  step.waitingFor = null
  giveUp(turn, step)
  stop(turn, { to: 'cancelled', reason: { code: 'pause_declined', message: `${pause.step} was declined`, step: pause.step }, undo: true }, { fence: false })
}

/** An object takes the decision's inputs in; another value stands beside them. */
function passThrough(input: Json, inputs: JsonObject | null): Json {
  if (!inputs || Object.keys(inputs).length === 0) return input
  return typeof input === 'object' && input !== null && !Array.isArray(input) ? { ...input, ...inputs } : { input, ...inputs }
}

function reported(turn: Turn, report: Extract<Happening, { is: 'reported' }>): void {
  const step = turn.state.steps.get(keyOf(report))
  if (!step) return
  if (report.phase === 'compensate') {
    if (step.compensation?.state !== 'waiting') return
    step.compensation.reported = report.fingerprint
    turn.state.waits.delete(undoKey(keyOf(step)))
    if ('failed' in report.outcome) return failUndoing(turn, step, report.outcome.failed, true)
    return endUndoing(turn, step, { output: report.outcome.completed })
  }
  if (step.state !== 'waiting' || step.waitingFor?.kind !== 'report') return
  step.reported = report.fingerprint
  if ('failed' in report.outcome) return failStep(turn, step, report.outcome.failed, true)
  step.compensateInput = report.outcome.compensateInput
  completeStep(turn, step, report.outcome.completed, ['default'])
}

/** A signal goes to the first step that waits for its name; else it is kept, first in, first out. */
function signalled(turn: Turn, name: string, payload: Payload): void {
  for (const key of turn.state.waits) {
    const step = turn.state.steps.get(key)
    if (step?.state === 'waiting' && step.waitingFor?.kind === 'signal' && step.waitingFor.signal === name) return completeStep(turn, step, payload, ['default'])
  }
  turn.signals.kept.push({ name, payload })
}

function childEnded(turn: Turn, happening: Extract<Happening, { is: 'childEnded' }>): void {
  const step = turn.state.steps.get(keyOf(happening))
  if (step?.state !== 'waiting' || step.waitingFor?.runId !== happening.runId) return
  if (isHalted(turn.state, step.nodeId, step.iteration)) {
    step.waitingFor = null
    // What the child completed stands, so that it can be undone; else the step ends with its scope.
    if ('completed' in happening.outcome) return completeStep(turn, step, happening.outcome.completed, ['default'])
    giveUp(turn, step)
    return turn.state.run.ending ? undefined : drainAround(turn, step)
  }
  if ('completed' in happening.outcome) return completeStep(turn, step, happening.outcome.completed, ['default'])
  failStep(turn, step, happening.outcome.failed, true)
}

// ── timers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function due(turn: Turn, happening: StepRef & { timer: 'retry' | 'wait' | 'undo' | 'deadline' }): void {
  setTimer(turn, happening, happening.timer, null)
  if (happening.timer === 'deadline') return expireRun(turn)
  const step = turn.state.steps.get(keyOf(happening))
  if (!step) return
  if (happening.timer === 'retry' || happening.timer === 'undo') return retryNow(turn, happening)
  if (step.state === 'waiting') expireWait(turn, step)
}

function expireRun(turn: Turn): void {
  const { run } = turn.state
  if (run.heldAt !== null || run.ending) return
  stop(turn, { to: 'failed', reason: { code: 'timed_out', message: 'The run took longer than its definition allows' }, undo: true }, { fence: true })
}

function expireWait(turn: Turn, step: StepRow): void {
  const waiting = step.waitingFor!
  const late = { code: 'timed_out', message: `Nothing came within the time allowed` }
  if (waiting.kind === 'timer') return completeStep(turn, step, payloadOf({ at: waiting.until ?? null }), ['default'])
  if (waiting.kind === 'pause') return expirePause(turn, step)
  step.timedOutAt = turn.now
  if (waiting.kind === 'child') turn.childrenToCancel.add(waiting.runId!)
  if (waiting.kind === 'signal') {
    step.failures++
    return isHandled(nodeOf(turn, step), 'expired') ? completeStep(turn, step, payloadOf(null), ['expired']) : settleFailure(turn, step, late, 'expired')
  }
  failStep(turn, step, late, true)
}

function expirePause(turn: Turn, step: StepRow): void {
  const pause = turn.state.pauses.get(step.waitingFor?.pauseId ?? '')
  if (!pause) return
  closePause(turn, step, 'expired')
  if (pause.onExpiry) return settleDecision(turn, step, pause, pause.onExpiry.action, pause.onExpiry.inputs ?? null)
  if (isHandled(nodeOf(turn, step), 'expired')) return completeStep(turn, step, payloadOf(pause.input), ['expired'])
  step.failures++
  settleFailure(turn, step, { code: 'pause_expired', message: `Nobody decided ${pause.step} in time` }, 'expired')
}

function retryNow(turn: Turn, ref: StepRef): void {
  const step = turn.state.steps.get(keyOf(ref))
  if (step?.state === 'retrying') {
    setTimer(turn, step, 'retry', null)
    step.retryAt = null
    moveStep(turn, step, 'pending')
  } else if (step?.compensation?.state === 'retrying') {
    setTimer(turn, step, 'undo', null)
    step.compensation.state = 'pending'
    step.compensation.retryAt = null
    turn.state.waits.delete(undoKey(keyOf(step)))
    touch(turn, step)
  }
}

// ── bodies ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function fanned(turn: Turn, happening: AttemptRef & { total: number | null; concurrency: number; collect: boolean }): void {
  const step = current(turn, happening)
  if (!step) return
  const { total, concurrency, collect } = happening
  turn.state.flight.delete(keyOf(step))
  step.body = { total, next: 0, live: 0, done: 0, failed: 0, failures: [], concurrency, collect, asked: false, error: null }
  turn.state.attention.add(keyOf(step))
  touch(turn, step)
}

/** The step of a body's question, if the question is still open. */
function asked(turn: Turn, ref: StepRef): StepRow | null {
  const step = turn.state.steps.get(keyOf(ref))
  if (!step?.body?.asked || step.state !== 'running') return null
  turn.state.flight.delete(askKey(keyOf(step)))
  step.body.asked = false
  touch(turn, step)
  return step
}

function answered(turn: Turn, happening: StepRef & { more: boolean; output: Payload }): void {
  const step = asked(turn, happening)
  if (!step) return
  if (isHalted(turn.state, step.nodeId, step.iteration)) return turn.state.run.ending ? undefined : drainAround(turn, step)
  if (happening.more) openIteration(turn, step)
  else completeStep(turn, step, happening.output, ['default'])
}

function openIteration(turn: Turn, step: StepRow): void {
  const body = step.body!
  const iteration = childIteration(step.iteration, body.next)
  body.next++
  body.live++
  openScope(turn, nodeOf(turn, step), iteration)
  touch(turn, step)
}

function iterationDone(turn: Turn, bodyId: string, iteration: string): void {
  const { state } = turn
  const node = state.graph.nodes.get(bodyId)!
  const step = stepOf(turn, node, parentIteration(iteration))
  const body = step.body
  if (!body || step.state !== 'running') return
  const failure = failureIn(state, node, iteration)
  body.live--
  if (failure) {
    body.failed++
    if (body.collect) body.failures.push({ index: iterationIndex(iteration), error: failure.error })
    else body.error ??= { code: failure.error.code, message: `Iteration ${iterationIndex(iteration)}: ${failure.error.message}`, details: { iteration, step: nodeOf(turn, failure.step).name } }
  } else if (!body.error) body.done++
  state.attention.add(keyOf(step))
  touch(turn, step)
  if (body.error) failBody(turn, step, body.error)
}

/** A body that has failed as a whole: its iterations stop, and when the last has, its step fails. */
function failBody(turn: Turn, step: StepRow, error: StepError): void {
  const { state } = turn
  const body = step.body!
  body.error = error
  touch(turn, step)
  for (let index = 0; index < body.next; index++) {
    const scope = stepKey(step.nodeId, childIteration(step.iteration, index))
    if ((state.open.get(scope) ?? 0) === 0 || state.halted.has(scope)) continue
    halt(turn, scope)
    if (!isDrained(turn, scope)) continue
    state.halted.delete(scope)
    state.open.set(scope, 0)
    body.live--
  }
  if (body.live > 0 || step.state !== 'running') return
  state.attention.delete(keyOf(step))
  failStep(turn, step, error, false)
}

// ── starting ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Starts what may start, asks what is to be asked, and takes an ending run on. Only for the holder of the claim: what it
 * puts among the tasks is under way from the commit on.
 */
export function proceed(turn: Turn): void {
  const { state } = turn
  const { run } = state
  if (isTerminal(run.status) || run.heldAt !== null || run.status === 'queued') return
  if (run.ending) return conclude(turn, { begin: true })
  for (const pause of state.pauses.values()) if (pause.blocks === 'run') return
  attend(turn)
  for (const key of [...state.ready]) {
    if (run.steps >= limits.stepsPerRun || run.seq + turn.events.length >= limits.eventsPerRun) return exceed(turn)
    begin(turn, key)
  }
  if (state.open.get('') === 0 && !state.flight.has(askKey(root))) finish(turn)
}

function begin(turn: Turn, key: string): void {
  const [nodeId, iteration] = key.split('\n') as [string, string]
  const step = stepOf(turn, nodeOf(turn, { nodeId }), iteration)
  step.attempts++
  step.startedAt ??= turn.now
  step.lastAttemptAt = turn.now
  step.retryAt = null
  turn.state.run.steps++
  moveStep(turn, step, 'running')
  emitStep(turn, 'step.started', step, { attempt: step.attempts })
  turn.tasks.push({ key, nodeId, iteration, phase: 'invoke', attempt: step.attempts })
}

function attend(turn: Turn): void {
  const { state } = turn
  for (const key of [...state.attention]) {
    const step = state.steps.get(key)
    const body = step?.body
    state.attention.delete(key)
    if (!step || !body || step.state !== 'running' || body.asked || body.error || isHalted(state, step.nodeId, step.iteration)) continue
    if (body.total === null) {
      if (body.live === 0) ask(turn, step)
      continue
    }
    while (body.live < body.concurrency && body.next < body.total) openIteration(turn, step)
    if (body.live === 0 && body.next === body.total) ask(turn, step)
  }
}

function ask(turn: Turn, step: StepRow): void {
  step.body!.asked = true
  turn.state.flight.add(askKey(keyOf(step)))
  touch(turn, step)
  turn.tasks.push({ key: keyOf(step), nodeId: step.nodeId, iteration: step.iteration, phase: 'ask', attempt: 0 })
}

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

const waitingOrder: WaitingKind[] = ['pause', 'report', 'signal', 'child', 'timer']

/** The last word of every turn: whether the run moves or waits, and how far it has come. */
export function rest(turn: Turn): void {
  const { state } = turn
  const { run } = state
  if (isTerminal(run.status) || run.status === 'queued') return
  const top = state.graph.top.reduce((count, node) => count + (node.reachable ? 1 : 0), 0)
  run.progress = Math.max(run.progress, top === 0 ? 0 : Math.min(99, Math.floor((state.settledTop / top) * 100)))
  if (run.status === 'cancelling' || run.status === 'compensating') return
  const kind = waitingKind(turn)
  if (kind === run.waitingKind && (kind !== null) === (run.status === 'waiting')) return
  if (kind !== null) {
    if (run.status === 'running') moveRun(turn, 'waiting')
    emit(turn, 'run.waiting', { kind })
  } else if (run.status === 'waiting') {
    moveRun(turn, 'running')
    emit(turn, 'run.resumed')
  }
  run.waitingKind = kind
}

/** What the run waits for when no step can proceed; null while one can. */
function waitingKind(turn: Turn): WaitingKind | null {
  const { state } = turn
  const { run } = state
  if (state.flight.size > 0) return null
  if (run.ending) return state.waits.size > 0 ? 'child' : null
  const blocked = [...state.pauses.values()].some((pause) => pause.blocks === 'run')
  if (!blocked && (state.ready.size > 0 || state.attention.size > 0 || state.open.get('') === 0)) return null
  const kinds = new Set<WaitingKind>()
  for (const key of state.waits) {
    const step = state.steps.get(key)
    if (step) kinds.add(step.state === 'retrying' ? 'timer' : step.waitingFor!.kind)
  }
  return waitingOrder.find((kind) => kinds.has(kind)) ?? null
}

/** Whether the holder of the claim has nothing to do until something happens. */
export function isParked(turn: Turn): boolean {
  return turn.state.flight.size === 0
}
