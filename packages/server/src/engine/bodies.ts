import { askKey, failureIn, giveUp, isBlocked, isBodyDue, isHalted, openScope } from './frontier.ts'
import type { Happening, StepRef } from './happening.ts'
import { dropUnread, newItems, takeSignal, takeUnread, undoingOf } from './items.ts'
import { closeHalted, closeItem, completeStep, failBody, iterationDone } from './settling.ts'
import { type StepRow, isChannel, iterationOf, keyAt, keyOf, scopeKey } from './state.ts'
import { type Turn, nodeOf, startStep, stepOf, touch } from './turn.ts'
import { beginUndoing } from './undoing.ts'
import { awaitItem } from './waits.ts'

/**
 * Maps, loops and producers: a step that runs, without an attempt of its own, for as long as the iterations of its body do.
 * The worker is asked what next (a loop and a producer, before each iteration) and what came out of it (at the end).
 */

export function fanned(turn: Turn, step: StepRow, plan: Extract<Happening, { is: 'fanned' }>): void {
  const { state } = turn
  state.flight.delete(step.key)
  state.run.deaths = 0
  step.waitingFor = null
  step.body = {
    total: plan.total,
    next: 0,
    live: 0,
    done: 0,
    failed: 0,
    concurrency: Math.max(1, plan.concurrency),
    collect: plan.collect,
    ...(plan.start !== undefined && { start: plan.start }),
    asked: false,
    error: null,
    ...(plan.from !== undefined && { items: { ...newItems(), state: plan.from } }),
  }
  touch(turn, step)
  if (isHalted(state, step.nodeId, step.iteration)) closeHalted(turn, step)
  else state.attention.add(step.key)
}

/** Opens what iterations may be open, and asks what is to be asked. Only for the holder of the claim. */
export function attend(turn: Turn): void {
  const { state } = turn
  for (const key of [...state.attention]) {
    state.attention.delete(key)
    const step = state.steps.get(key)!
    const body = step.body!
    while (body.total !== null && isBodyDue(state, step) && body.next < body.total) openIteration(turn, step)
    if (isUndone(step) && isBodyDue(state, step)) undoNext(turn, step)
    if (!isUndone(step) && step.state === 'running' && isBodyDue(state, step)) ask(turn, step)
    state.attention.delete(key)
  }
}

function openIteration(turn: Turn, step: StepRow): string {
  const body = step.body!
  const node = nodeOf(turn, step)
  const iteration = iterationOf(node, step.iteration, body.next)
  body.next++
  body.live++
  touch(turn, step)
  if (openScope(turn, node, iteration) === 0) iterationDone(turn, node, iteration)
  return iteration
}

function ask(turn: Turn, step: StepRow): void {
  step.body!.asked = true
  turn.state.flight.add(askKey(step.key))
  touch(turn, step)
  turn.tasks.push({ key: step.key, nodeId: step.nodeId, iteration: step.iteration, phase: 'ask', attempt: 0 })
}

/** The step of a body's question, if the question is still open and its answer still counts. */
function asked(turn: Turn, ref: StepRef): StepRow | null {
  const step = turn.state.steps.get(keyOf(ref))
  if (!step?.body?.asked || step.state !== 'running') return null
  return withdraw(turn, step) ? step : null
}

/** Takes a question back: it was answered, or nobody is there to answer it. Says whether the body goes on. */
export function withdraw(turn: Turn, step: StepRow): boolean {
  const { state } = turn
  state.flight.delete(askKey(step.key))
  step.body!.asked = false
  touch(turn, step)
  const goesOn = !isHalted(state, step.nodeId, step.iteration)
  if (goesOn) state.attention.add(step.key)
  else closeHalted(turn, step)
  return goesOn
}

export function answered(turn: Turn, answer: Extract<Happening, { is: 'asked' }>): void {
  const step = asked(turn, answer)
  if (!step) return
  turn.state.attention.delete(step.key)
  if (answer.more && step.body!.total === null) openIteration(turn, step)
  else completeStep(turn, step, answer.output, ['default'])
}

/** The body's config failed, or what came out of it cannot be said. */
export function unanswerable(turn: Turn, answer: Extract<Happening, { is: 'unanswerable' }>): void {
  const step = asked(turn, answer)
  if (step) failBody(turn, step, answer.error)
}

// ── producers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A producer's answer to what comes next. */
export function produced(turn: Turn, answer: Extract<Happening, { is: 'produced' }>): void {
  const step = asked(turn, answer)
  if (!step) return
  const { state } = turn
  // Nothing new begins: it is asked again.
  if (state.run.heldAt !== null || isBlocked(state)) return
  const items = step.body!.items!
  // The item that it came for has come to its end meanwhile: it is the next one's.
  if (answer.took && items.awaits === null) return
  if (answer.took) take(turn, step, items.awaits)
  state.attention.delete(step.key)
  if ('awaits' in answer) {
    items.state = answer.state
    return awaitNext(turn, step, answer)
  }
  const waiting = items.awaits !== null && step.body!.live > 0 ? itemOf(turn, step) : null
  items.awaits = null
  if ('ended' in answer) {
    if (waiting) withdrawItem(turn, step, waiting)
    return completeStep(turn, step, answer.ended, ['default', 'done'])
  }
  items.state = answer.state
  completeStep(turn, waiting ?? beginItem(turn, step), answer.item, answer.route)
}

function take(turn: Turn, step: StepRow, name: string | null): void {
  if (isChannel(name)) takeUnread(turn, step)
  else if (name !== null) takeSignal(turn, turn.state.signals, name, step.key)
}

/** An item that comes from outside is seen to wait; one of a channel comes from the run itself. */
function awaitNext(turn: Turn, step: StepRow, { awaits, listens }: Extract<Happening, { is: 'produced'; awaits: string }>): void {
  const items = step.body!.items!
  const isWaiting = items.awaits !== null && step.body!.live > 0
  items.awaits = awaits
  touch(turn, step)
  if (!isChannel(awaits)) {
    dropUnread(turn, step)
    const item = isWaiting ? itemOf(turn, step) : beginItem(turn, step)
    if (!isWaiting) awaitItem(turn, item, awaits)
    if (listens && !isBodyDue(turn.state, step)) turn.listeners.set(item.key, { nodeId: item.nodeId, iteration: item.iteration, ...listens })
  }
  if (isBodyDue(turn.state, step)) turn.state.attention.add(step.key)
}

/** The step of the item under way. */
function itemOf(turn: Turn, step: StepRow): StepRow {
  const node = nodeOf(turn, step)
  return turn.state.steps.get(keyAt(node.item!, iterationOf(node, step.iteration, step.body!.next - 1)))!
}

function beginItem(turn: Turn, step: StepRow): StepRow {
  const node = nodeOf(turn, step)
  const item = stepOf(turn, node.item!, openIteration(turn, step))
  startStep(turn, item)
  return item
}

/** It waited for what will not come: there is no such item. */
function withdrawItem(turn: Turn, step: StepRow, item: StepRow): void {
  giveUp(turn, item)
  turn.state.open.delete(scopeKey(nodeOf(turn, step), item.iteration))
  step.body!.next--
  step.body!.live--
}

const isUndone = ({ body }: StepRow): boolean => (body!.items?.undoing ?? null) !== null

/** Undoes the next step of a failed item, one at a time; with the last of them the item has come to its end. */
function undoNext(turn: Turn, step: StepRow): void {
  const { state } = turn
  const node = nodeOf(turn, step)
  const { undoing } = step.body!.items!
  const next = undoingOf(turn, node, undoing!).at(-1)
  if (next !== undefined) return beginUndoing(turn, state.steps.get(next)!)
  closeItem(turn, node, step, undoing!, failureIn(state, node, undoing!)!.error)
}
