import type { Json, JsonObject } from '@sluice/schema'
import { limits } from '@sluice/schema'
import { StepFailure } from '../nodes/contract.ts'
import type { GraphNode } from '../workflows/graph.ts'
import type { Plan } from '../workflows/plans.ts'
import type { PreparedLoop } from '../workflows/prepare.ts'
import type { AttemptRef } from './happening.ts'
import { type Payload, nothing, payloadOf } from './payload.ts'
import { type BodyValue, type ReadOutputs, type Surroundings, bytesOfScope, outputsOf, outputsOfScopes, resultsOfScopes, surroundingsOf } from './scope.ts'
import { type RunState, childIteration, iterationIndex, keyAt, numberOf, ownerOf, parentIteration } from './state.ts'

/**
 * What bodies hand to their iterations: a map its items, a loop what it carries from one to the next. All of it follows from
 * the rows and the config, so that whoever takes a run over hands on the same; what is kept here spares making it again.
 */

/** What one try of one step needs beside the run itself. */
export interface Surround {
  state: RunState
  plan: Plan
  read: ReadOutputs
  /** Items of the run's maps, kept while the run is held in memory: they come out of the config each time the same. */
  items: Map<string, Json[]>
  /** Configs of the run's producers as they were read, kept while the run is held in memory. */
  configs: Map<string, unknown>
  /** How far the run's loops have come, kept with the state that it was made of. */
  carried: Map<string, Carried>
  /** The session whose round the run is, as it stands now, to expressions that name it. */
  session(): Promise<JsonObject | null>
  /** The trace context of an attempt's span. */
  traceparent(ref: AttemptRef): string | null
  now: () => number
}

export function around(run: Surround): Surroundings {
  return { state: run.state, read: run.read, session: run.session, bodyValue: (parent, iteration) => handedTo(run, parent, iteration) }
}

/** What a body hands to an iteration. */
export async function handedTo(run: Surround, parent: GraphNode, iteration: string): Promise<BodyValue> {
  const index = iterationIndex(iteration)
  const outside = parentIteration(iteration)
  const { is } = run.plan.prepared.node(parent.id).declaration.behaviour
  if (is === 'producer') return itemOf(run, ownerOf(parent, iteration), iteration)
  if (is === 'loop') return { count: index, last: (await carriedTo(run, parent, outside, index)).handed.value }
  return { index, item: (await itemsOf(run, parent, outside))[index] ?? null }
}

/** In the order of its producer, however many others share its body. */
async function itemOf(run: Surround, owner: GraphNode, iteration: string): Promise<BodyValue> {
  const step = run.state.steps.get(keyAt(owner.item!, iteration))!
  return { item: (await outputsOf(run, [{ step }]))(step).value, index: numberOf(owner, iteration) }
}

async function itemsOf(run: Surround, node: GraphNode, iteration: string): Promise<Json[]> {
  const key = keyAt(node, iteration)
  const known = run.items.get(key)
  if (known) return known
  const prepared = run.plan.prepared.node(node.id)
  const { behaviour } = prepared.declaration
  if (behaviour.is !== 'map') throw new Error(`${node.id} is no map`)
  const { scope } = await surroundingsOf(around(run), node, iteration, { reads: prepared.reads, input: false, undoing: false })
  const { items } = behaviour.plan(prepared.render(scope))
  run.items.set(key, items)
  return items
}

// ── loops ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a loop has carried through so many iterations. It is never changed: the next one is made of it. */
export interface Carried {
  readonly count: number
  readonly last: Payload
  /** What the iteration before gave by itself; before the first one what the loop starts with. */
  readonly given: Payload
  /** Under the loop's `historyAs`: outputs so far by node id. */
  readonly history: History | null
  /** What the next iteration is handed. */
  readonly handed: Pick<Payload, 'value' | 'bytes'>
}

interface History {
  readonly lists: ReadonlyMap<string, readonly Json[]>
  readonly bytes: number
}

/** Loops whose way is kept: of more that are under way at once, the ones that were longest at rest go all of theirs again. */
const mostCarried = 100

/** Whether of all iterations the last one alone counts. */
const isShort = ({ lay, historyAs }: PreparedLoop): boolean => lay === null && historyAs === null

/** In bytes: it is written with each iteration. */
const mostKeptOfClock = 4 * 1024

/**
 * What a loop begins with. It is read once: what was read of a session is kept in the step's row, for a session moves on; and
 * whatever is small, for a template may ask what time it is, and a server that takes the run over would read another.
 */
export async function startLoop(run: Surround, node: GraphNode, iteration: string): Promise<{ start?: Json }> {
  const { start } = run.plan.prepared.node(node.id).loop()
  const carried = await beforeFirst(run, node, iteration)
  keep(run, keyAt(node, iteration), carried)
  if (!start.reads.names.has('session')) return start.dynamic && carried.last.bytes <= mostKeptOfClock ? { start: carried.last.value } : {}
  boundHanded(carried.last.bytes, limits.contextPatchBytes, 'What a loop starts with out of a session')
  return { start: carried.last.value }
}

async function beforeFirst(run: Surround, node: GraphNode, iteration: string): Promise<Carried> {
  const loop = run.plan.prepared.node(node.id).loop()
  const start = await startOf(run, node, iteration, loop)
  return carriedOf(loop, { count: 0, last: start, given: start }, noHistory)
}

async function startOf(run: Surround, node: GraphNode, iteration: string, { start }: PreparedLoop): Promise<Payload> {
  const kept = run.state.steps.get(keyAt(node, iteration))?.body?.start
  if (kept !== undefined) return payloadOf(kept)
  const { scope } = await surroundingsOf(around(run), node, iteration, { reads: start.reads, input: false, undoing: false })
  const value = start.read(scope)
  return value === null ? nothing : payloadOf(value)
}

/** What a loop has carried through its first iterations, all of which are done. */
export async function carriedTo(run: Surround, node: GraphNode, iteration: string, count: number): Promise<Carried> {
  const loop = run.plan.prepared.node(node.id).loop()
  const key = keyAt(node, iteration)
  const known = run.carried.get(key)
  if (known?.count === count) return known
  if (isShort(loop) && count > 0) {
    const given = await givenLast(run, node, childIteration(iteration, count - 1))
    return carriedOf(loop, { count, last: given, given }, noHistory)
  }
  let carried = known && known.count < count ? known : await beforeFirst(run, node, iteration)
  while (carried.count < count) carried = await carryOn(run, node, iteration, carried, count)
  keep(run, key, carried)
  return carried
}

function keep({ state, carried }: Surround, key: string, made: Carried): void {
  const known = carried.get(key)
  // What undoes steps of an iteration long past looks back.
  if ((known && known.count > made.count) || state.steps.get(key)?.state !== 'running') return
  carried.delete(key)
  carried.set(key, made)
  const [oldest] = carried.keys()
  if (carried.size > mostCarried) carried.delete(oldest!)
}

async function givenLast(run: Surround, node: GraphNode, iteration: string): Promise<Payload> {
  const [last] = await outputsOfScopes(run, run.plan.prepared.giving(node), [iteration], limits.stepOutputBytes)
  return last!
}

/** Goes on through as many iterations as are looked at together. */
async function carryOn(run: Surround, node: GraphNode, iteration: string, from: Carried, to: number): Promise<Carried> {
  const loop = run.plan.prepared.node(node.id).loop()
  const { lay, historyAs } = loop
  const giving = run.plan.prepared.giving(node)
  const told = historyAs === null ? [] : node.body
  const iterations = nextOf(run.state, historyAs === null ? giving.nodes : told, iteration, from.count, to)
  let last = from.given
  let value = lay && from.last.value
  const lists = new Map([...(from.history?.lists ?? [])].map(([id, list]) => [id, [...list]]))
  let bytes = from.history?.bytes ?? 0
  for (const { given, outputs } of await resultsOfScopes(run, giving, told, iterations)) {
    last = without(given, historyAs)
    if (lay) value = lay(value, last.value)
    for (const [id, output] of outputs) {
      const entry = without(output, historyAs)
      const list = lists.get(id)
      if (list) list.push(entry.value)
      else lists.set(id, [entry.value])
      bytes += entry.bytes + (list ? 1 : Buffer.byteLength(id) + 6)
    }
  }
  return carriedOf(loop, { count: from.count + iterations.length, last: lay ? payloadOf(value) : last, given: last }, { lists, bytes })
}

/** The next iterations whose outputs are not too much to be in memory at once; at least one. */
function nextOf(state: RunState, nodes: readonly GraphNode[], iteration: string, from: number, to: number): string[] {
  const iterations: string[] = []
  for (let bytes = 0; from < to && bytes < limits.stepOutputBytes; from++) {
    iterations.push(childIteration(iteration, from))
    bytes += bytesOfScope(state, nodes, iterations.at(-1)!)
  }
  return iterations
}

const noHistory: History = { lists: new Map(), bytes: 0 }

function carriedOf({ historyAs }: PreparedLoop, come: Pick<Carried, 'count' | 'last' | 'given'>, history: History): Carried {
  const { last } = come
  if (historyAs === null) return { ...come, history: null, handed: last }
  const { value } = last
  const object = isObject(value) ? value : { value }
  const bytes = last.bytes + history.bytes + Buffer.byteLength(historyAs) + 6
  return { ...come, history, handed: { value: { ...object, [historyAs]: Object.fromEntries(history.lists) as JsonObject }, bytes } }
}

/** What an iteration was handed of those before it, and passes on, is no output of its own: lists of lists would double each time. */
function without(given: Payload, key: string | null): Payload {
  if (key === null || !isObject(given.value) || !Object.hasOwn(given.value, key)) return given
  const { [key]: _, ...rest } = given.value
  return payloadOf(rest)
}

const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Refuses to hand more to an iteration than a step may give. Where the last iteration alone counts, that is not read for it. */
export async function boundIteration(run: Surround, node: GraphNode, iteration: string, count: number): Promise<void> {
  const isRead = count === 0 || !isShort(run.plan.prepared.node(node.id).loop())
  const bytes = isRead
    ? (await carriedTo(run, node, iteration, count)).handed.bytes
    : bytesOfScope(run.state, run.plan.prepared.giving(node).nodes, childIteration(iteration, count - 1))
  boundHanded(bytes, limits.stepOutputBytes, 'What the loop hands to its next iteration')
}

function boundHanded(bytes: number, most: number, what: string): void {
  if (bytes > most) throw new StepFailure('limit_exceeded', `${what} has ${bytes} bytes; ${most} are allowed`, { retry: false })
}
