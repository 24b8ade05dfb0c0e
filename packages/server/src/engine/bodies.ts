import { askKey, isBodyDue, isHalted, openScope } from './frontier.ts'
import type { Happening, StepRef } from './happening.ts'
import { closeHalted, completeStep, failBody, iterationDone } from './settling.ts'
import { type StepRow, childIteration, keyOf } from './state.ts'
import { type Turn, nodeOf, touch } from './turn.ts'

/**
 * Maps and loops: a step that runs, without an attempt of its own, for as long as the iterations of its body do. The
 * worker is asked what next (a loop, before each iteration) and what came out of it (both, at the end).
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
    while (body.total !== null && isBodyDue(body) && body.next < body.total) openIteration(turn, step)
    if (isBodyDue(body)) ask(turn, step)
    state.attention.delete(key)
  }
}

function openIteration(turn: Turn, step: StepRow): void {
  const body = step.body!
  const node = nodeOf(turn, step)
  const iteration = childIteration(step.iteration, body.next)
  body.next++
  body.live++
  touch(turn, step)
  if (openScope(turn, node, iteration) === 0) iterationDone(turn, node, iteration)
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
