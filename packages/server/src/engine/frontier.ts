import type { SkipReason, StepError } from '@sluice/schema'
import { type GraphNode, type GraphPath, nodeAt } from '../workflows/graph.ts'
import {
  type KeptSignal,
  type RunState,
  type StepRow,
  begunOf,
  bodyStepOf,
  isChannel,
  isDeferred,
  isSettled,
  iterationOf,
  keyAt,
  ownerOf,
  parentIteration,
  scopeKey,
} from './state.ts'
import { type Turn, emitStep, moveStep, nodeOf, stepOf } from './turn.ts'

/**
 * What may start now. A node runs once in its scope (the top, or one iteration of a body), when every incoming path is
 * settled: under `any` if one was taken, under `all` if none was skipped; else it is skipped, and so on down the graph.
 */

type Reach = 'open' | 'run' | SkipReason

/** Whether a path was taken, and if not, why. Two links from one source are one path that may be taken by either handle. */
function taken(step: StepRow, handles: readonly string[]): true | SkipReason {
  const { route } = step
  if (route && handles.some((handle) => route.includes(handle))) return true
  if (step.state === 'failed') return 'upstream_failed'
  if (step.state === 'skipped') return step.skipReason ?? 'route'
  return route?.includes('declined') ? 'declined' : 'route'
}

export function reach(state: RunState, node: GraphNode, iteration: string): Reach {
  if (node.entry) return 'run'
  if (isOpen(state, node, iteration)) return 'open'
  let reason: SkipReason = 'route'
  let ways = 0
  const paths = pathsTo(node, iteration)
  for (const { source, handles } of paths) {
    const way = taken(state.steps.get(keyAt(source, iteration))!, handles)
    if (way === true) ways++
    else if (way === 'upstream_failed' || reason === 'route') reason = way
  }
  return (node.join === 'all' ? ways === paths.length : ways > 0) ? 'run' : reason
}

/** The ways into a node: behind several producers, those by which the item of this iteration may come. */
const pathsTo = (node: GraphNode, iteration: string): readonly GraphPath[] => (node.pathsBy ? node.pathsBy.get(ownerOf(node.parent!, iteration))! : node.paths)

/**
 * Whether a way in has not settled. What has settled stays so, and is not looked at again: a node that 1,000 lead to
 * would look at them 500,000 times.
 */
function isOpen(state: RunState, node: GraphNode, iteration: string): boolean {
  const paths = pathsTo(node, iteration)
  const hasSettled = (at: number): boolean => {
    const source = state.steps.get(keyAt(paths[at]!.source, iteration))
    return source !== undefined && isSettled(source.state)
  }
  if (paths.length === 1) return !hasSettled(0)
  const key = keyAt(node, iteration)
  const known = state.looked.get(key) ?? 0
  let at = known
  while (at < paths.length && hasSettled(at)) at++
  if (at === paths.length) state.looked.delete(key)
  else if (at > known) state.looked.set(key, at)
  return at < paths.length
}

/** Whether the failure of a step is taken up by a link drawn for it. */
export const isHandled = (node: GraphNode, handle: string): boolean => node.outgoing.some((link) => link.handle === handle)

/** A failed step whose failure nothing takes up. */
export const isUnhandled = (step: StepRow): boolean => step.state === 'failed' && !(step.route && step.route.length > 0)

/** The keys of the scopes a step stands in, innermost first; the top is ''. */
export function* scopesOf(state: RunState, nodeId: string, iteration: string): Generator<string> {
  let parent = nodeAt(state.graph, nodeId, iteration)?.parent ?? null
  while (parent) {
    yield scopeKey(parent, iteration)
    iteration = parentIteration(iteration)
    parent = parent.parent
  }
  yield ''
}

export function isInside(state: RunState, key: string, scope: string): boolean {
  if (scope === '') return true
  const [nodeId, iteration] = key.split('\n') as [string, string]
  for (const each of scopesOf(state, nodeId, iteration)) if (each === scope) return true
  return false
}

/** Whether nothing new may start where this step stands. */
export function isHalted(state: RunState, nodeId: string, iteration: string): boolean {
  if (state.run.ending) return true
  if (state.halted.size === 0) return false
  for (const scope of scopesOf(state, nodeId, iteration)) if (state.halted.has(scope)) return true
  return false
}

/** Whether attempts, questions or children are still under way inside a scope. */
export function isDrained(state: RunState, scope: string): boolean {
  for (const key of state.flight) if (isInside(state, key, scope)) return false
  for (const key of state.children) if (isInside(state, key, scope)) return false
  return true
}

/** Whether a body may start an iteration, or has a question to ask. */
export function isBodyDue(state: RunState, step: StepRow): boolean {
  const body = step.body!
  if (body.asked || body.error) return false
  if (body.items) return isProducerDue(state, step)
  if (body.total === null) return body.live === 0 && mayWrite(state, step)
  return body.next < body.total ? body.live < body.concurrency && mayWrite(state, step) : body.live === 0
}

const mostUnread = 100
/** In bytes: unread items are in memory. */
const heaviestUnread = 4 * 1024 * 1024

/** A producer is asked for its next item when the one before has settled, or what it waits for has come. */
function isProducerDue(state: RunState, step: StepRow): boolean {
  const { live, items } = step.body!
  const node = state.graph.nodes.get(step.nodeId)!
  if (items!.undoing !== null) return !isUndoing(state, node, items!.undoing)
  if (isChannel(items!.awaits)) return hasUnread(state, step) || isClosed(state, node, step.iteration)
  if (items!.awaits !== null) return state.signals.some(({ name }) => name === items!.awaits)
  return live === 0 && mayWrite(state, step)
}

/** Whether there is room in the channels that an iteration of a body writes into: what is unread is in memory. Who reads no more holds up nobody. */
function mayWrite(state: RunState, step: StepRow): boolean {
  if (!state.graph.produces) return true
  return state.graph.nodes.get(step.nodeId)!.feeds.every((reader) => {
    const key = keyAt(reader, step.iteration)
    const unread = state.unread.get(key)
    return unread === undefined || hasRoom(unread) || isSettled(state.steps.get(key)?.state ?? 'pending')
  })
}

export const hasUnread = (state: RunState, reader: StepRow): boolean => (state.unread.get(reader.key)?.length ?? 0) > 0

function hasRoom(unread: readonly KeptSignal[]): boolean {
  return unread.length < mostUnread && unread.reduce((bytes, { payload }) => bytes + payload.bytes, 0) < heaviestUnread
}

/** Whether nothing is written any more into the channel of a reader. */
export const isClosed = (state: RunState, reader: GraphNode, iteration: string): boolean =>
  reader.fedBy.every((feeder) => {
    const step = state.steps.get(keyAt(feeder, iteration))
    return !feeder.reachable || (step !== undefined && isSettled(step.state))
  })

function isUndoing(state: RunState, node: GraphNode, iteration: string): boolean {
  for (const { compensation } of stepsIn(state, node, iteration)) if (compensation && ['running', 'waiting', 'retrying'].includes(compensation.state)) return true
  return false
}

/** The steps of one iteration of a body, and of bodies in it. */
export function* stepsIn(state: RunState, node: GraphNode, iteration: string): Generator<StepRow> {
  for (const inner of node.body) {
    const step = state.steps.get(keyAt(inner, iteration))
    if (!step) continue
    yield step
    if (step.body) for (const each of iterationsOf(state, inner, step)) yield* stepsIn(state, inner, each)
  }
}

/** Iterations of a body whose steps are kept. */
function* iterationsOf(state: RunState, node: GraphNode, step: StepRow): Generator<string> {
  const { next, items } = step.body!
  const from = items ? Math.max(0, next - keptItems - 1) : 0
  for (const number of items?.failures ?? []) if (number < from) yield iterationOf(node, step.iteration, number)
  // Behind the last item may be one that was withdrawn.
  for (let number = from; number < (items ? next + 1 : next); number++) yield iterationOf(node, step.iteration, number)
}

/** So many items of a producer, and as many that failed, keep their steps. */
export const keptItems = 100

/** Lets those at the other ends of its channels look again that a settled step may have kept from going on. */
function wakeEnds(state: RunState, { feeds, fedBy }: GraphNode, iteration: string): void {
  for (const end of [...feeds, ...fedBy]) attendTo(state, keyAt(end, iteration))
}

/** An undoing of a step has come further: that of the item it is of may go on. */
export function attendUndoing(state: RunState, step: StepRow): void {
  if (!state.graph.produces) return
  let { iteration } = step
  for (let parent = nodeAt(state.graph, step.nodeId, iteration)!.parent; parent; parent = parent.parent) {
    const body = bodyStepOf(state, parent, iteration)
    if (body?.body?.items && body.body.items.undoing !== null) attendTo(state, body.key)
    iteration = parentIteration(iteration)
  }
}

/** Whether a pause holds up all that has not started. */
export function isBlocked(state: RunState): boolean {
  for (const pause of state.pauses.values()) if (pause.blocks === 'run') return true
  return false
}

/** A body may have something to do now. */
export function attendTo(state: RunState, key: string): void {
  const step = state.steps.get(key)
  if (step?.body && step.state === 'running' && isBodyDue(state, step) && !isHalted(state, step.nodeId, step.iteration)) state.attention.add(key)
}

/** Opens a scope: its entries become ready. Gives how many nodes it has; one without any is done at once. */
export function openScope(turn: Turn, parent: GraphNode | null, iteration: string): number {
  const { state } = turn
  const members = membersOf(state, parent, iteration)
  let count = 0
  for (const node of members) {
    if (!node.reachable) continue
    count++
    if (node.entry) state.ready.add(keyAt(node, iteration))
  }
  if (count > 0 || !parent) state.open.set(scopeKey(parent, iteration), count)
  return count
}

/** The nodes that may run in a scope. */
export const membersOf = (state: RunState, parent: GraphNode | null, iteration: string): readonly GraphNode[] => (parent ? ownerOf(parent, iteration).body : state.graph.top)

/**
 * Takes note that a step has settled and walks on: what follows becomes ready or is skipped. Says whether this was the
 * last of its scope.
 */
export function follow(turn: Turn, settled: StepRow): boolean {
  const { state } = turn
  const { parent } = nodeOf(turn, settled)
  const scope = scopeKey(parent, settled.iteration)
  const queue = [settled]
  for (let next = 0; next < queue.length; next++) {
    const step = queue[next]!
    const node = nodeOf(turn, step)
    if (step.state === 'completed' || step.state === 'failed') step.settled = ++state.settles
    if (!parent) state.settledTop++
    if (node.feeds.length > 0 || node.fedBy.length > 0) wakeEnds(state, node, step.iteration)
    if (isHalted(state, step.nodeId, step.iteration)) continue
    for (const link of node.outgoing) {
      const target = link.target
      const key = keyAt(target, step.iteration)
      if (!target.reachable || state.ready.has(key) || state.steps.has(key)) continue
      const reached = reach(state, target, step.iteration)
      if (reached === 'run') state.ready.add(key)
      else if (reached !== 'open') queue.push(skip(turn, target, step.iteration, reached))
    }
  }
  const left = (state.open.get(scope) ?? 0) - queue.length
  if (left > 0 || !parent) state.open.set(scope, left)
  else state.open.delete(scope)
  return left === 0
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
  for (const node of membersOf(state, parent, iteration)) {
    const step = state.steps.get(keyAt(node, iteration))
    if (step && isUnhandled(step) && (!first || step.settled! < first.settled!)) first = step
  }
  return first ? { step: first, error: first.error ?? { code: 'failed', message: 'The step failed' } } : null
}

/** Derives from the rows what the machine keeps beside them. Called once when a run is loaded. */
export function derive(state: RunState): void {
  const { graph, steps } = state
  for (const step of steps.values()) {
    state.settles = Math.max(state.settles, step.settled ?? 0)
    const { key } = step
    if (step.state === 'running' && (!step.body || step.body.asked)) state.flight.add(step.body ? askKey(key) : key)
    if (step.state === 'waiting' || step.state === 'retrying') state.waits.add(key)
    if (step.state === 'waiting' && step.waitingFor?.kind === 'child') state.children.add(key)
    if (step.compensation?.state === 'running') state.flight.add(undoKey(key))
    if (step.compensation && ['waiting', 'retrying'].includes(step.compensation.state)) state.waits.add(undoKey(key))
  }
  if (state.run.startedAt === null) return
  deriveScope(state, null, '')
  for (const node of graph.top) {
    const step = steps.get(node.key)
    if (node.reachable && step && isSettled(step.state) && step.state !== 'cancelled') state.settledTop++
  }
}

function deriveScope(state: RunState, parent: GraphNode | null, iteration: string): void {
  const members = membersOf(state, parent, iteration).filter((node) => node.reachable)
  const scope = scopeKey(parent, iteration)
  if (!deriveOpen(state, parent, iteration, members)) return
  for (const node of members) {
    const key = keyAt(node, iteration)
    const step = state.steps.get(key)
    if (!isHalted(state, node.id, iteration)) {
      if (!step ? reach(state, node, iteration) === 'run' : step.state === 'pending') (step && isDeferred(step) ? state.deferred : state.ready).add(key)
      if (step?.body && step.state === 'running' && isBodyDue(state, step)) state.attention.add(key)
    }
    // An item that is undone has come to its end.
    if (step?.body && step.state === 'running') for (const each of begunOf(node, step)) if (each !== step.body.items?.undoing) deriveScope(state, node, each)
  }
  if (parent === null) return
  // An iteration that was stopped is closed in the turn that leaves nothing under way in it.
  if (state.halted.has(scope) && !state.run.ending && isDrained(state, scope)) {
    state.halted.delete(scope)
    state.open.delete(scope)
  }
}

/** Counts what is open in a scope and whether it is halted; says whether there is anything in it still to look at. */
function deriveOpen(state: RunState, parent: GraphNode | null, iteration: string, members: readonly GraphNode[]): boolean {
  const scope = scopeKey(parent, iteration)
  let open = 0
  let failed = false
  for (const node of members) {
    const step = state.steps.get(keyAt(node, iteration))
    if (!step || !isSettled(step.state)) open++
    if (step && state.graph.onFailure === 'stop' && isUnhandled(step)) failed = true
  }
  if (!parent) {
    state.open.set(scope, open)
    return true
  }
  if (open === 0) return false
  state.open.set(scope, open)
  if (failed || bodyStepOf(state, parent, iteration)?.body?.error) state.halted.add(scope)
  return true
}

/** The keys under which a question about a body and an undoing are in flight, apart from the step itself. */
export const askKey = (key: string): string => `${key}\nask`
export const undoKey = (key: string): string => `${key}\nundo`

/** Ends a step that has no result. One that was begun takes its place among those that are undone. */
export function giveUp(turn: Turn, step: StepRow): void {
  if (step.attempts > 0 && nodeOf(turn, step).settings.compensate && !isIdle(step)) step.settled = ++turn.state.settles
  moveStep(turn, step, 'cancelled')
  emitStep(turn, 'step.cancelled', step)
}

/** Waits for what comes by itself or from people: it has begun nothing in the world. */
const isIdle = ({ state, waitingFor }: StepRow): boolean => state === 'waiting' && waitingFor?.kind !== 'report' && waitingFor?.kind !== 'child'
