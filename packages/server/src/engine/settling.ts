import type { StepError } from '@sluice/schema'
import { limits } from '@sluice/schema'
import type { GraphNode } from '../workflows/graph.ts'
import { halt, reasonOf, stop } from './ending.ts'
import { attendTo, failureIn, follow, giveUp, isBodyDue, isDrained, isHalted, isHandled, membersOf } from './frontier.ts'
import { dropUnread, foldItems, undoingOf, write } from './items.ts'
import { type Payload, nothing } from './payload.ts'
import { retryDelay } from './retry.ts'
import { type StepRow, begunOf, bodyStepOf, isSettled, iterationIndex, keyAt, ownerOf, parentIteration, scopeKey } from './state.ts'
import { type Turn, boundedError, emitCompleted, emitStep, moveStep, nodeOf, setTimer, touch } from './turn.ts'

/**
 * How a step comes to its result, and what follows from it: the next ones, the iteration that this closes, the body that
 * the iteration belongs to, and so on outwards. One circle, therefore one file.
 */

export function completeStep(turn: Turn, step: StepRow, output: Payload, route: string[]): void {
  if (output.bytes > limits.stepOutputBytes)
    return failStep(turn, step, { code: 'limit_exceeded', message: `The output has ${output.bytes} bytes; ${limits.stepOutputBytes} are allowed` }, false)
  step.output = output
  step.outputBytes = output.bytes
  step.route = route.includes('default') ? [...route, ...nodeOf(turn, step).alsoDefault] : route
  step.error = null
  moveStep(turn, step, 'completed')
  emitCompleted(turn, step, output)
  turn.state.run.deaths = 0
  write(turn, step, output)
  settled(turn, step)
}

/** One failed attempt: the step tries again later, leaves by a link drawn for the failure, or has failed for good. */
export function failStep(turn: Turn, step: StepRow, error: StepError, retry: boolean, handle = 'failed', leastMs = 0): void {
  step.failures++
  const mayRetry = retry && !step.body && !isHalted(turn.state, step.nodeId, step.iteration)
  const delay = mayRetry ? retryDelay(nodeOf(turn, step).retry, step.failures, turn.random(), leastMs) : null
  if (delay === null) return settleFailure(turn, step, error, handle)
  moveStep(turn, step, 'retrying')
  step.waitingFor = null
  step.error = boundedError(error)
  const retryAt = delay === 'asked' ? null : turn.now + delay
  emitStep(turn, 'step.retrying', step, { error: step.error, attempt: step.attempts, retryAt: retryAt === null ? null : new Date(retryAt).toISOString() })
  // Nobody who waits until the run rests is to see one between two attempts.
  if (delay === 0) return moveStep(turn, step, 'pending')
  step.retryAt = retryAt
  if (retryAt !== null) setTimer(turn, step, 'retry', retryAt)
}

/** A failure for good. `handle` is the link that may take it up before `failed`: `expired`, for a wait that nobody answered. */
function settleFailure(turn: Turn, step: StepRow, error: StepError, handle: string): void {
  const { state } = turn
  const node = nodeOf(turn, step)
  step.error = boundedError(error)
  const handled = [handle, 'failed'].find((each) => isHandled(node, each))
  step.route = handled ? [handled] : []
  moveStep(turn, step, 'failed')
  emitStep(turn, 'step.failed', step, { error: step.error, attempt: step.attempts })
  state.run.deaths = 0
  if (!handled && state.graph.onFailure === 'stop' && !isHalted(state, step.nodeId, step.iteration)) {
    if (node.parent) halt(turn, scopeKey(node.parent, step.iteration))
    else stop(turn, { to: 'failed', reason: reasonOf(step.error, node.name), undo: true }, { fence: false })
  }
  settled(turn, step)
}

/** What comes after a step has settled. Where everything comes to its end, nothing. */
function settled(turn: Turn, step: StepRow): void {
  const { state } = turn
  const last = follow(turn, step)
  if (step.body?.items) dropUnread(turn, step)
  const { parent } = nodeOf(turn, step)
  if (isHalted(state, step.nodeId, step.iteration)) closeHalted(turn, step)
  else if (last && parent) iterationDone(turn, parent, step.iteration)
}

/** Ends a step that came to nothing because its scope was stopped, and the scope, if it was the last under way. */
export function abandon(turn: Turn, step: StepRow): void {
  giveUp(turn, step)
  closeHalted(turn, step)
}

/**
 * Closes the stopped iteration around a step, the outermost of them, once nothing is under way in it any more. The bodies
 * of an ending run end with it.
 */
export function closeHalted(turn: Turn, step: StepRow): void {
  const { state } = turn
  if (state.run.ending) return
  let outermost: { node: GraphNode; iteration: string } | null = null
  let iteration = step.iteration
  for (let node = nodeOf(turn, step).parent; node; node = node.parent) {
    if (state.halted.has(scopeKey(node, iteration))) outermost = { node, iteration }
    iteration = parentIteration(iteration)
  }
  if (!outermost || !isDrained(state, scopeKey(outermost.node, outermost.iteration))) return
  closeScope(turn, outermost.node, outermost.iteration)
  iterationDone(turn, outermost.node, outermost.iteration)
}

/** Takes an iteration out of the count, with bodies inside it that were still open. */
function closeScope(turn: Turn, parent: GraphNode, iteration: string): void {
  const { state } = turn
  state.open.delete(scopeKey(parent, iteration))
  state.halted.delete(scopeKey(parent, iteration))
  for (const node of membersOf(state, parent, iteration)) {
    const step = state.steps.get(keyAt(node, iteration))
    if (!step || isSettled(step.state)) continue
    if (step.body) for (const each of begunOf(node, step)) closeScope(turn, node, each)
    giveUp(turn, step)
  }
}

/** An iteration has come to its end, well or not. */
export function iterationDone(turn: Turn, parent: GraphNode, iteration: string): void {
  const { state } = turn
  const step = bodyStepOf(state, parent, iteration)!
  const body = step.body!
  const failure = failureIn(state, parent, iteration)
  if (body.items) return itemDone(turn, ownerOf(parent, iteration), step, iteration, failure?.error ?? null)
  body.live--
  touch(turn, step)
  if (failure) recordFailure(turn, step, iteration, failure)
  else if (!body.error) body.done++
  if (body.error) return failBody(turn, step, body.error)
  if (isBodyDue(state, step)) state.attention.add(step.key)
}

/** An item that failed does not end the run: what it did is undone, and the next one comes. */
function itemDone(turn: Turn, owner: GraphNode, step: StepRow, iteration: string, failure: StepError | null): void {
  const { items, error } = step.body!
  items!.awaits = null
  touch(turn, step)
  if (failure && !error && undoingOf(turn, owner, iteration).length > 0) {
    items!.undoing = iteration
    return attendTo(turn.state, step.key)
  }
  closeItem(turn, owner, step, iteration, failure)
}

/** An item has come to its end, and whatever of it was to be undone has been. */
export function closeItem(turn: Turn, owner: GraphNode, step: StepRow, iteration: string, failure: StepError | null): void {
  const { state } = turn
  const body = step.body!
  const items = body.items!
  body.live--
  if (failure) body.failed++
  else if (!body.error) body.done++
  Object.assign(items, { undoing: null, steps: 0, events: 0 })
  touch(turn, step)
  const given = state.steps.get(keyAt(owner.item!, iteration))?.output
  foldItems(turn, owner, step, iteration, failure !== null)
  if (body.error) return failBody(turn, step, body.error)
  // One item is what a trial of a producer is of; what a trial starts runs as a whole.
  if (!state.run.trial?.nodeId) return attendTo(state, step.key)
  if (failure) failStep(turn, step, failure, false)
  else completeStep(turn, step, given ?? nothing, ['default'])
}

function recordFailure(turn: Turn, step: StepRow, iteration: string, failure: { step: StepRow; error: StepError }): void {
  const body = step.body!
  const index = iterationIndex(iteration)
  body.failed++
  if (!body.collect)
    body.error ??= { code: failure.error.code, message: `Iteration ${index}: ${failure.error.message}`, details: { iteration, step: nodeOf(turn, failure.step).name } }
}

/** A body that has failed as a whole: its iterations stop, and when the last has, its step fails. */
export function failBody(turn: Turn, step: StepRow, error: StepError): void {
  const { state } = turn
  const body = step.body!
  const node = nodeOf(turn, step)
  body.error = boundedError(error)
  state.attention.delete(step.key)
  touch(turn, step)
  for (const iteration of begunOf(node, step)) {
    const scope = scopeKey(node, iteration)
    if (!state.open.has(scope)) continue
    if (!state.halted.has(scope)) halt(turn, scope)
    if (!isDrained(state, scope)) continue
    closeScope(turn, node, iteration)
    body.live--
  }
  if (body.live === 0) failStep(turn, step, body.error, false)
}
