import type { SkipReason, StepError } from '@sluice/schema'
import type { GraphNode } from '../workflows/graph.ts'
import { type RunState, type StepRow, childIteration, isSettled, keyOf, parentIteration, scopeKey, stepKey } from './state.ts'
import { type Turn, emitStep, moveStep, nodeOf, stepOf, touch } from './turn.ts'

/**
 * What may start now. A node runs once in its scope (the top, or one iteration of a body), when every incoming path is
 * settled: under `any` if one was taken, under `all` if none was skipped; else it is skipped, and so on down the graph.
 */

type Reach = 'open' | 'run' | SkipReason

/** Whether a path was taken, and if not, why. */
function taken(step: StepRow, handle: string): true | SkipReason {
  if (step.route?.includes(handle)) return true
  if (step.state === 'failed') return 'upstream_failed'
  if (step.state === 'skipped') return step.skipReason ?? 'route'
  return step.route?.includes('declined') ? 'declined' : 'route'
}

export function reach(state: RunState, node: GraphNode, iteration: string): Reach {
  if (node.entry) return 'run'
  let reason: SkipReason = 'route'
  // Two links from one source are one path that may be taken by either handle.
  const paths = new Map<GraphNode, boolean>()
  for (const link of node.incoming) {
    if (!link.source.reachable) continue
    const source = state.steps.get(stepKey(link.source.id, iteration))
    if (!source || !isSettled(source.state)) return 'open'
    const way = taken(source, link.handle)
    paths.set(link.source, paths.get(link.source) === true || way === true)
    if (way !== true && (way === 'upstream_failed' || reason === 'route')) reason = way
  }
  const ways = [...paths.values()]
  const runs = node.join === 'all' ? ways.every(Boolean) : ways.some(Boolean)
  return runs ? 'run' : reason
}

/** Whether the failure of a step is taken up by a link drawn for it. */
export const isHandled = (node: GraphNode, handle: string): boolean => node.outgoing.some((link) => link.handle === handle)

/** A failed step whose failure nothing takes up. */
export const isUnhandled = (step: StepRow): boolean => step.state === 'failed' && !(step.route && step.route.length > 0)

/** The keys of the scopes a step stands in, innermost first; the top is ''. */
export function* scopesOf(state: RunState, nodeId: string, iteration: string): Generator<string> {
  let parent = state.graph.nodes.get(nodeId)?.parent ?? null
  while (parent) {
    yield scopeKey(parent, iteration)
    iteration = parentIteration(iteration)
    parent = parent.parent
  }
  yield ''
}

export function isInside(state: RunState, key: string, scope: string): boolean {
  const [nodeId, iteration] = key.split('\n') as [string, string]
  for (const each of scopesOf(state, nodeId, iteration)) if (each === scope) return true
  return false
}

/** Whether nothing new may start where this step stands. */
export function isHalted(state: RunState, nodeId: string, iteration: string): boolean {
  if (state.run.ending) return true
  for (const scope of scopesOf(state, nodeId, iteration)) if (state.halted.has(scope)) return true
  return false
}

/** Opens a scope: its entries become ready. */
export function openScope(turn: Turn, parent: GraphNode | null, iteration: string): void {
  const { state } = turn
  const members = parent ? parent.body : state.graph.top
  let count = 0
  for (const node of members) {
    if (!node.reachable) continue
    count++
    if (node.entry) state.ready.add(stepKey(node.id, iteration))
  }
  state.open.set(scopeKey(parent, iteration), count)
}

/**
 * Takes note that a step has settled and walks on: what follows becomes ready or is skipped. Gives the scopes in which
 * nothing is left open.
 */
export function follow(turn: Turn, settled: StepRow): { parent: GraphNode | null; iteration: string }[] {
  const { state } = turn
  const finished: { parent: GraphNode | null; iteration: string }[] = []
  const queue = [settled]
  for (let next = 0; next < queue.length; next++) {
    const step = queue[next]!
    const node = nodeOf(turn, step)
    const scope = scopeKey(node.parent, step.iteration)
    const left = (state.open.get(scope) ?? 1) - 1
    state.open.set(scope, left)
    if (step.state === 'completed' || step.state === 'failed') step.settled = ++state.settles
    if (!node.parent) state.settledTop++
    if (!isHalted(state, step.nodeId, step.iteration))
      for (const link of node.outgoing) {
        const target = link.target
        const key = stepKey(target.id, step.iteration)
        if (!target.reachable || state.ready.has(key) || state.steps.has(key)) continue
        const reached = reach(state, target, step.iteration)
        if (reached === 'run') state.ready.add(key)
        else if (reached !== 'open') queue.push(skip(turn, target, step.iteration, reached))
      }
    if (left === 0) finished.push({ parent: node.parent, iteration: step.iteration })
  }
  return finished
}

function skip(turn: Turn, node: GraphNode, iteration: string, reason: SkipReason): StepRow {
  const step = stepOf(turn, node, iteration)
  step.skipReason = reason
  moveStep(turn, step, 'skipped')
  emitStep(turn, 'step.skipped', step, { reason })
  return step
}

/** The first failure that nothing took up, in a scope that has settled or stopped. */
export function failureIn(state: RunState, parent: GraphNode | null, iteration: string): { step: StepRow; error: StepError } | null {
  let first: StepRow | null = null
  for (const node of parent ? parent.body : state.graph.top) {
    const step = state.steps.get(stepKey(node.id, iteration))
    if (step && isUnhandled(step) && (!first || step.settled! < first.settled!)) first = step
  }
  return first ? { step: first, error: first.error ?? { code: 'failed', message: 'The step failed' } } : null
}

/** Derives from the rows what the machine keeps beside them. Called once when a run is loaded. */
export function derive(state: RunState): void {
  const { graph, steps } = state
  for (const step of steps.values()) {
    state.settles = Math.max(state.settles, step.settled ?? 0)
    const key = keyOf(step)
    if (step.state === 'running' && (!step.body || step.body.asked)) state.flight.add(step.body ? askKey(key) : key)
    if (step.state === 'waiting' || step.state === 'retrying') state.waits.add(key)
    if (step.compensation?.state === 'running') state.flight.add(undoKey(key))
    if (step.compensation && ['waiting', 'retrying'].includes(step.compensation.state)) state.waits.add(undoKey(key))
  }
  if (state.run.startedAt === null) return
  deriveScope(state, null, '')
  for (const node of graph.top) if (node.reachable && isSettled(steps.get(stepKey(node.id, ''))?.state ?? 'pending')) state.settledTop++
}

function deriveScope(state: RunState, parent: GraphNode | null, iteration: string): void {
  const members = (parent ? parent.body : state.graph.top).filter((node) => node.reachable)
  const scope = scopeKey(parent, iteration)
  let open = 0
  for (const node of members) {
    const step = state.steps.get(stepKey(node.id, iteration))
    if (!step || !isSettled(step.state)) open++
    if (step && parent && state.graph.onFailure === 'stop' && isUnhandled(step)) state.halted.add(scope)
  }
  state.open.set(scope, open)
  if (parent && state.steps.get(stepKey(parent.id, parentIteration(iteration)))?.body?.error) state.halted.add(scope)
  const halted = state.run.ending !== null || state.halted.has(scope)
  for (const node of members) {
    const key = stepKey(node.id, iteration)
    const step = state.steps.get(key)
    if (!halted && (!step ? reach(state, node, iteration) === 'run' : step.state === 'pending')) state.ready.add(key)
    if (!step?.body || step.state !== 'running') continue
    state.attention.add(key)
    for (let index = 0; index < step.body.next; index++) deriveScope(state, node, childIteration(iteration, index))
  }
}

/** The keys under which a question about a body and an undoing are in flight, apart from the step itself. */
export const askKey = (key: string): string => `${key}\nask`
export const undoKey = (key: string): string => `${key}\nundo`

/** Counts a step of a body that has been given up, so that its scope closes. */
export function giveUp(turn: Turn, step: StepRow): void {
  moveStep(turn, step, 'cancelled')
  emitStep(turn, 'step.cancelled', step)
  touch(turn, step)
}
