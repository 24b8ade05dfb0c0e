import type { Json, JsonObject } from '@sluice/schema'
import { limits } from '@sluice/schema'
import { type Scope, StepFailure } from '../nodes/contract.ts'
import type { Giving, GraphNode } from '../workflows/graph.ts'
import type { ConfigReads } from '../workflows/prepare.ts'
import { type Payload, nothing, payloadOfObject } from './payload.ts'
import { type RunState, type StepRow, keyAt, parentIteration } from './state.ts'

/** Reads outputs that are too large to stay in memory, by step key. */
export type ReadOutputs = (steps: readonly StepRow[]) => Promise<ReadonlyMap<string, Payload>>

/** What a body hands to the iteration a step stands in. */
export type BodyValue = { item: Json; index: number } | { last: Json; count: number }

export interface Surroundings {
  state: RunState
  read: ReadOutputs
  session(): Promise<JsonObject | null>
  /** Of the innermost body around a step. */
  bodyValue(parent: GraphNode, iteration: string): Promise<BodyValue>
}

/** What is looked at of what surrounds a step. The rest is neither fetched nor parsed. */
export interface Look {
  reads: ConfigReads
  /** Whether the step is given its input. */
  input: boolean
  /** To the config that undoes a step, what the step itself gave stands beside its predecessors. */
  undoing: boolean
}

export interface Seen {
  /** What the expressions name, and nothing else. */
  scope: Partial<Scope>
  /** The outputs of the predecessors by step name; to the first steps of a body, what it hands to their iteration. */
  input: JsonObject
  /** Those outputs, with their texts. */
  handed: readonly Payload[]
}

interface Named {
  name: string
  step: StepRow
}
type OutputOf = (step: StepRow) => Payload

export async function surroundingsOf(around: Surroundings, node: GraphNode, iteration: string, { reads, input, undoing }: Look): Promise<Seen> {
  const { state } = around
  const { names } = reads
  const before = predecessors(state, node, iteration)
  const itself = undoing ? completedOf(state, [node], iteration) : []
  const beside = undoing ? [...before, ...itself] : before
  const under = names.has('nodes') || names.has('data') ? [...completedOf(state, reads.upstream(), iteration, node), ...itself] : []
  const outputOf = await outputsOf(around, [...(input ? before : []), ...under, ...beside.filter(({ name }) => names.has(name))])
  const isFirst = input && node.incoming.length === 0
  const body = node.parent && (isFirst || ofBodies.some((name) => names.has(name))) ? await around.bodyValue(node.parent, iteration) : null
  const session = names.has('session') ? await around.session() : null
  return {
    scope: names.size === 0 ? {} : scopeOf(names, { state, beside, under, body, session, outputOf }),
    input: isFirst ? { ...(body ?? givenTo(state)) } : input ? valuesOf(before, outputOf) : {},
    handed: input ? before.map(({ step }) => outputOf(step)) : [],
  }
}

/** In a trial: what was given in place of predecessors, as if it came from one of them. */
function givenTo({ run }: RunState): JsonObject {
  const data = run.trial?.data
  return data === undefined ? {} : { data }
}

/** Predecessors whose path here was taken. */
function predecessors(state: RunState, { paths }: GraphNode, iteration: string): Named[] {
  const found: Named[] = []
  for (const { source, handles } of paths) {
    const step = state.steps.get(keyAt(source, iteration))
    if (step?.route && handles.some((handle) => step.route!.includes(handle))) found.push({ name: source.name, step })
  }
  return found
}

/** Those that completed of the nodes of a scope, and of those of scopes around it, of which `inner` stands in the first. */
function completedOf(state: RunState, nodes: readonly GraphNode[], iteration: string, inner: GraphNode | undefined = nodes[0]): Named[] {
  const found: Named[] = []
  for (const node of nodes) {
    const step = state.steps.get(keyAt(node, iterationAround(inner!, iteration, node.parent)))
    if (step?.state === 'completed') found.push({ name: node.name, step })
  }
  return found
}

/** The iteration of a scope around the one that a node stands in. */
function iterationAround(node: GraphNode, iteration: string, parent: GraphNode | null): string {
  for (let at = node; at.parent && at.parent !== parent; at = at.parent) iteration = parentIteration(iteration)
  return iteration
}

const isElsewhere = (step: StepRow): boolean => step.state === 'completed' && step.output === null

/** The outputs of steps; those that are not in memory are fetched together. */
export async function outputsOf(around: Pick<Surroundings, 'read'>, steps: readonly Pick<Named, 'step'>[]): Promise<OutputOf> {
  const missing = new Set(steps.flatMap(({ step }) => (isElsewhere(step) ? [step] : [])))
  const fetched = missing.size > 0 ? await around.read([...missing]) : null
  return (step) => step.output ?? fetched?.get(step.key) ?? nothing
}

const valueOf = (step: StepRow, outputOf: OutputOf): Json => (step.state === 'failed' ? { error: { ...step.error } as JsonObject } : outputOf(step).value)

const valuesOf = (steps: readonly Named[], outputOf: OutputOf): JsonObject => Object.fromEntries(steps.map(({ name, step }) => [name, valueOf(step, outputOf)]))

interface View {
  state: RunState
  beside: readonly Named[]
  under: readonly Named[]
  body: BodyValue | null
  session: JsonObject | null
  outputOf: OutputOf
}

/** Names of the scope that no step name takes the place of. */
const ofRun: { [name: string]: (view: View) => unknown } = {
  input: ({ state }) => state.run.input.value,
  nodes: ({ under, outputOf }) => valuesOf(under, outputOf),
  data: ({ state, under, outputOf }) => mergeOutputs(valuesOf(under, outputOf), state.run.trial?.data),
  run: ({ state: { run } }) => ({ id: run.id, workflowId: run.workflowId, version: run.version, transactionId: run.transactionId, trigger: run.trigger, tags: run.tags }),
  session: ({ session }) => session,
}
const ofBodies = ['item', 'index', 'last', 'count'] as const
const reserved = new Set<string>([...Object.keys(ofRun), ...ofBodies, '__proto__'])

function scopeOf(names: ReadonlySet<string>, view: View): Partial<Scope> {
  const scope: { [name: string]: unknown } = { ...view.body }
  for (const name of names) if (Object.hasOwn(ofRun, name)) scope[name] = ofRun[name]!(view)
  for (const { name, step } of view.beside) if (names.has(name) && !reserved.has(name)) scope[name] = valueOf(step, view.outputOf)
  return scope
}

/** All outputs in one object, shallow, after what is given before them: what finds its key taken by another value goes under `key_2`, `key_3` … */
export function mergeOutputs(nodes: JsonObject, given: JsonObject = {}): JsonObject {
  const merged: JsonObject = {}
  const shelves = new Map<string, Shelf>()
  for (const [key, value] of Object.entries(given)) put(merged, key, value)
  for (const [name, output] of Object.entries(nodes)) {
    const entries = typeof output === 'object' && output !== null && !Array.isArray(output) ? Object.entries(output) : [[name, output] as const]
    for (const [key, value] of entries) place(merged, shelves, key, value)
  }
  const bytes = Buffer.byteLength(JSON.stringify(merged))
  if (bytes > limits.mergedDataBytes) throw new StepFailure('limit_exceeded', `data has ${bytes} bytes; ${limits.mergedDataBytes} are allowed`, { retry: false })
  return merged
}

/** The values of a key that came more than once, as far as they were looked at: 1,000 outputs of one key are each looked at once. */
interface Shelf {
  texts: Set<string>
  /** Where the next one goes, if nothing else stands there. */
  free: string
  number: number
}

function place(merged: JsonObject, shelves: Map<string, Shelf>, key: string, value: Json): void {
  if (!Object.hasOwn(merged, key)) return put(merged, key, value)
  const shelf = shelves.get(key) ?? { texts: new Set(), free: key, number: 1 }
  shelves.set(key, shelf)
  for (; Object.hasOwn(merged, shelf.free); shelf.free = `${key}_${++shelf.number}`) shelf.texts.add(JSON.stringify(merged[shelf.free]))
  if (!shelf.texts.has(JSON.stringify(value))) put(merged, shelf.free, value)
}

/** Assigning __proto__ would set the prototype. */
const put = (merged: JsonObject, key: string, value: Json): void => void Object.defineProperty(merged, key, { value, enumerable: true, writable: true, configurable: true })

/**
 * What scopes give, all of one body, or the top: the output of the one output node, else an object by step name. What is
 * larger than it may be is not even read.
 */
export async function outputsOfScopes(
  { state, read }: Pick<Surroundings, 'state' | 'read'>,
  { nodes, isOne }: Giving,
  iterations: readonly string[],
  most: number,
): Promise<Payload[]> {
  const scopes = iterations.map((iteration) => completedOf(state, nodes, iteration))
  const steps = scopes.flat()
  bound(
    steps.reduce((bytes, { step }) => bytes + step.outputBytes, 0),
    most,
  )
  const outputOf = await outputsOf({ read }, steps)
  return scopes.map((scope) => givenBy(scope, isOne, outputOf))
}

function givenBy(giving: readonly Named[], isOne: boolean, outputOf: OutputOf): Payload {
  if (!isOne) return payloadOfObject(giving.map(({ name, step }) => [name, outputOf(step)]))
  const [only] = giving
  return only ? outputOf(only.step) : nothing
}

/** What scopes give, and of these nodes of theirs, those that completed, what they gave, by node id. */
export async function resultsOfScopes(
  { state, read }: Pick<Surroundings, 'state' | 'read'>,
  { nodes, isOne }: Giving,
  told: readonly GraphNode[],
  iterations: readonly string[],
): Promise<{ given: Payload; outputs: [nodeId: string, output: Payload][] }[]> {
  const scopes = iterations.map((iteration) => ({ giving: completedOf(state, nodes, iteration), steps: completedOf(state, told, iteration) }))
  const outputOf = await outputsOf(
    { read },
    scopes.flatMap(({ giving, steps }) => [...giving, ...steps]),
  )
  return scopes.map(({ giving, steps }) => ({ given: givenBy(giving, isOne, outputOf), outputs: steps.map(({ step }) => [step.nodeId, outputOf(step)]) }))
}

/** What nodes of a scope gave amounts to, whether or not it is in memory. */
export const bytesOfScope = (state: RunState, nodes: readonly GraphNode[], iteration: string): number =>
  completedOf(state, nodes, iteration).reduce((bytes, { step }) => bytes + step.outputBytes, 0)

export function bound(bytes: number, most: number): void {
  if (bytes > most) throw new StepFailure('limit_exceeded', `The output has at least ${bytes} bytes; ${most} are allowed`, { retry: false })
}
