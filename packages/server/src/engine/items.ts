import type { StepState } from '@sluice/schema'
import type { GraphNode } from '../workflows/graph.ts'
import { attendTo, keptItems, stepsIn } from './frontier.ts'
import type { Payload } from './payload.ts'
import { type Items, type KeptSignal, type RunState, type StepRow, channelName, isChannel, isSettled, iterationAt, iterationOf, keyAt, numberOf } from './state.ts'
import { type Turn, nodeOf, touch } from './turn.ts'
import { planUndoing } from './undoing.ts'

/**
 * What becomes of the items of a producer: those that failed are undone, and of all but the last the steps are folded into
 * counts, so that a run may have any number of them. And the channels by which items go from one producer's to another.
 */

export const newItems = (): Items => ({ state: null, awaits: null, undoing: null, failures: [], folded: {}, steps: 0, events: 0 })

// ── signals and channels ───────────────────────────────────────────────────────────────────────────────────────────────

/** Keeps a signal until a step takes it. What is taken in the turn that kept it is never stored. */
export function keepSignal(turn: Turn, signals: KeptSignal[], name: string, payload: Payload): void {
  const kept: KeptSignal = { id: null, name, payload }
  signals.push(kept)
  turn.signals.kept.push(kept)
}

/** Takes the oldest signal of the name. */
export function takeSignal(turn: Turn, signals: KeptSignal[], name: string, by: string): Payload | undefined {
  const at = signals.findIndex((signal) => signal.name === name)
  return at === -1 ? undefined : taken(turn, signals.splice(at, 1)[0]!, by)
}

function taken(turn: Turn, signal: KeptSignal, by: string): Payload {
  const fresh = turn.signals.kept.indexOf(signal)
  if (fresh === -1) turn.signals.consumed.push({ id: signal.id, name: signal.name, by })
  else turn.signals.kept.splice(fresh, 1)
  return signal.payload
}

/** What a writer gave goes into the channels of the readers that it leads to, but of those that have ended, or read elsewhere. */
export function write(turn: Turn, writer: StepRow, output: Payload): void {
  for (const reader of nodeOf(turn, writer).readers) {
    const key = keyAt(reader, iterationAt(reader, writer.iteration))
    const step = turn.state.steps.get(key)
    if (!reader.reachable || (step && !mayRead(step))) continue
    const unread = turn.state.unread.get(key) ?? []
    turn.state.unread.set(key, unread)
    keepSignal(turn, unread, channelName(key, writer.key), output)
    attendTo(turn.state, key)
  }
}

function mayRead({ state, body }: StepRow): boolean {
  if (isSettled(state)) return false
  return !body?.items?.awaits || isChannel(body.items.awaits)
}

/** The reader takes the oldest of what is written to it; its writers may have been waiting for the room. */
export function takeUnread(turn: Turn, reader: StepRow): Payload | undefined {
  const { state } = turn
  const signal = state.unread.get(reader.key)?.shift()
  if (!signal) return undefined
  for (const feeder of nodeOf(turn, reader).fedBy) attendTo(state, keyAt(feeder, reader.iteration))
  return taken(turn, signal, reader.key)
}

/** What nobody reads any more: the reader has ended, or reads elsewhere. */
export function dropUnread(turn: Turn, reader: StepRow): void {
  while (takeUnread(turn, reader));
  turn.state.unread.delete(reader.key)
}

// ── undoing ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Steps of a failed item that are to be undone, the next one last. */
export function undoingOf(turn: Turn, owner: GraphNode, iteration: string): string[] {
  return planUndoing(turn, stepsIn(turn.state, owner, iteration))
}

// ── folding ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** An item has settled: what came of it stands, and what is older than the last of them is kept as counts alone. */
export function foldItems(turn: Turn, owner: GraphNode, step: StepRow, iteration: string, failed: boolean): void {
  const items = step.body!.items!
  const number = numberOf(owner, iteration)
  // What an item came to is nobody's to undo when the run ends later.
  for (const each of stepsIn(turn.state, owner, iteration)) {
    if (each.settled === null || nodeOf(turn, each).settings.compensate === undefined) continue
    each.settled = null
    touch(turn, each)
  }
  // Of joins that a stopped item never came to.
  if (failed) for (const node of owner.body) turn.state.looked.delete(keyAt(node, iteration))
  const aged = number - keptItems
  if (aged >= 0 && !items.failures.includes(aged)) fold(turn, owner, step, aged)
  if (!failed) return
  items.failures.push(number)
  if (items.failures.length <= keptItems) return
  const first = items.failures.shift()!
  if (first <= aged) fold(turn, owner, step, first)
}

function fold(turn: Turn, owner: GraphNode, step: StepRow, number: number): void {
  const { folded } = step.body!.items!
  for (const each of [...stepsIn(turn.state, owner, iterationOf(owner, step.iteration, number))]) {
    count(folded, each.nodeId, each.state, 1)
    for (const [nodeId, states] of Object.entries(each.body?.items?.folded ?? {}))
      for (const [state, times] of Object.entries(states)) count(folded, nodeId, state as StepState, times)
    turn.state.steps.delete(each.key)
    turn.steps.delete(each.key)
    turn.folded.add(each.key)
  }
}

function count(folded: Items['folded'], nodeId: string, state: StepState, times: number): void {
  const states = Object.hasOwn(folded, nodeId) ? folded[nodeId]! : {}
  // Assigning __proto__ would set the prototype.
  Object.defineProperty(folded, nodeId, { value: states, enumerable: true, writable: true, configurable: true })
  states[state] = (states[state] ?? 0) + times
}

/** How many steps of a node were begun in a run so far, before the one that is asked about. */
export function passOf(state: RunState, nodeId: string, except: string): number {
  let passes = 0
  for (const step of state.steps.values()) {
    if (step.nodeId === nodeId && step.key !== except && step.attempts > 0) passes++
    const states = step.body?.items?.folded[nodeId]
    if (states) passes += (states.completed ?? 0) + (states.failed ?? 0) + (states.cancelled ?? 0)
  }
  return passes
}
