import type { Json, JsonObject } from '@sluice/schema'
import { limits } from '@sluice/schema'
import { type Scope, StepFailure } from '../nodes/contract.ts'
import { type GraphNode, upstreamOf } from '../workflows/graph.ts'
import type { Payload } from './payload.ts'
import { type RunState, type StepRow, keyAt, parentIteration } from './state.ts'

/** Reads outputs that are too large to stay in memory, by step key. */
export type ReadOutputs = (steps: readonly StepRow[]) => Promise<Map<string, Payload>>

/** What a body hands to the iteration a step stands in. */
export type BodyValue = { item: Json; index: number } | { last: Json; count: number }

export interface Surroundings {
  state: RunState
  read: ReadOutputs
  session(): Promise<JsonObject | null>
  /** Of the innermost body around a step; null at the top. */
  bodyValue(parent: GraphNode, iteration: string): Promise<BodyValue>
}

/**
 * A step's input by step name of its predecessors, and the scope its expressions see. To the config that undoes it, what the
 * step itself gave stands there too.
 */
export async function surroundingsOf(
  around: Surroundings,
  node: GraphNode,
  iteration: string,
  names: ReadonlySet<string>,
  undoing = false,
): Promise<{ scope: Scope; input: JsonObject }> {
  const { state } = around
  const direct = predecessors(state, node, iteration)
  const whole = names.has('nodes') || names.has('data')
  const own = undoing ? state.steps.get(keyAt(node, iteration)) : undefined
  const itself: [string, StepRow][] = own?.state === 'completed' ? [[node.name, own]] : []
  const beside = new Map([...direct, ...itself])
  const all = whole ? new Map([...everythingUpstream(state, node, iteration), ...itself]) : beside
  const values = await outputs(around, new Map([...all, ...beside]))
  const body = node.parent ? await around.bodyValue(node.parent, iteration) : null
  const input = pick(direct, values)
  const session = names.has('session') ? await around.session() : null
  const scope = buildScope(state, pick(all, values), pick(beside, values), body, session)
  // Asked for here and not by the expression, which would take its failure for one of its own.
  if (names.has('data')) void scope.data
  return { scope, input: node.incoming.length === 0 && body ? { ...body } : input }
}

/** Predecessors whose path here was taken, by step name. */
function predecessors(state: RunState, node: GraphNode, iteration: string): Map<string, StepRow> {
  const found = new Map<string, StepRow>()
  const links = [...node.incoming].sort((a, b) => a.source.order - b.source.order)
  for (const link of links) {
    const step = state.steps.get(keyAt(link.source, iteration))
    if (step?.route?.includes(link.handle)) found.set(link.source.name, step)
  }
  return found
}

/** Everything that completed upstream, in this scope and in those around it, in topological order, outermost first. */
function everythingUpstream(state: RunState, node: GraphNode, iteration: string): Map<string, StepRow> {
  const layers: Map<string, StepRow>[] = []
  let at: GraphNode | null = node
  while (at) {
    const layer = new Map<string, StepRow>()
    for (const source of upstreamOf(at)) {
      const step = state.steps.get(keyAt(source, iteration))
      if (step?.state === 'completed') layer.set(source.name, step)
    }
    layers.unshift(layer)
    at = at.parent
    iteration = parentIteration(iteration)
  }
  return new Map(layers.flatMap((layer) => [...layer]))
}

async function outputs(around: Surroundings, steps: ReadonlyMap<string, StepRow>): Promise<Map<StepRow, Json>> {
  const large = [...steps.values()].filter((step) => step.state === 'completed' && step.output === null)
  const fetched = large.length > 0 ? await around.read(large) : new Map<string, Payload>()
  const values = new Map<StepRow, Json>()
  for (const step of steps.values()) {
    const payload = step.output ?? fetched.get(step.key)
    values.set(step, step.state === 'failed' ? { error: { ...step.error } as JsonObject } : (payload?.value ?? null))
  }
  return values
}

const pick = (steps: ReadonlyMap<string, StepRow>, values: ReadonlyMap<StepRow, Json>): JsonObject =>
  Object.fromEntries([...steps].map(([name, step]) => [name, values.get(step) ?? null]))

/** Names of the scope that no step name takes the place of. */
const reserved = new Set(['input', 'nodes', 'data', 'run', 'session', 'item', 'index', 'last', 'count', '__proto__'])

function buildScope(state: RunState, nodes: JsonObject, input: JsonObject, body: BodyValue | null, session: JsonObject | null): Scope {
  const { run } = state
  let merged: JsonObject | undefined
  const scope: Scope = {
    input: run.input.value,
    nodes,
    get data() {
      return (merged ??= mergeOutputs(nodes))
    },
    run: { id: run.id, workflowId: run.workflowId, version: run.version, transactionId: run.transactionId, trigger: run.trigger, tags: run.tags },
    session,
    ...body,
  }
  for (const [name, value] of Object.entries(input)) if (!reserved.has(name)) Object.defineProperty(scope, name, { value, enumerable: true })
  return scope
}

/** All outputs in one object, shallow: what finds its key taken by another value goes under `key_2`, `key_3` … */
export function mergeOutputs(nodes: JsonObject): JsonObject {
  const merged: JsonObject = {}
  for (const [name, output] of Object.entries(nodes)) {
    const entries = typeof output === 'object' && output !== null && !Array.isArray(output) ? Object.entries(output) : [[name, output] as const]
    for (const [key, value] of entries) place(merged, key, value)
  }
  const bytes = Buffer.byteLength(JSON.stringify(merged))
  if (bytes > limits.mergedDataBytes) throw new StepFailure('limit_exceeded', `data has ${bytes} bytes; ${limits.mergedDataBytes} are allowed`, { retry: false })
  return merged
}

function place(merged: JsonObject, key: string, value: Json): void {
  let free = key
  for (let number = 2; Object.hasOwn(merged, free); number++) {
    if (JSON.stringify(merged[free]) === JSON.stringify(value)) return
    free = `${key}_${number}`
  }
  Object.defineProperty(merged, free, { value, enumerable: true, writable: true, configurable: true })
}

/** The steps that give what a scope gives, by name: its output nodes, or, without any, its leaves. */
function giversOf(state: RunState, parent: GraphNode | null, iteration: string, returns: (type: string) => boolean): { declared: GraphNode[]; steps: Map<string, StepRow> } {
  const members = (parent ? parent.body : state.graph.top).filter((node) => node.reachable)
  const declared = members.filter((node) => returns(node.type))
  const giving = declared.length > 0 ? declared : members.filter((node) => node.outgoing.length === 0)
  const steps = new Map<string, StepRow>()
  for (const node of giving) {
    const step = state.steps.get(keyAt(node, iteration))
    if (step?.state === 'completed') steps.set(node.name, step)
  }
  return { declared, steps }
}

/** How large that is, at the least: asked before it is read. */
export function bytesOfScope(state: RunState, parent: GraphNode | null, iteration: string, returns: (type: string) => boolean): number {
  let bytes = 0
  for (const step of giversOf(state, parent, iteration, returns).steps.values()) bytes += step.outputBytes
  return bytes
}

/** What a scope gives: the output of its one output node, else an object by step name. */
export async function outputOfScope(around: Surroundings, parent: GraphNode | null, iteration: string, returns: (type: string) => boolean): Promise<Json> {
  const { declared, steps } = giversOf(around.state, parent, iteration, returns)
  const values = await outputs(around, steps)
  if (declared.length === 1) return values.get(steps.get(declared[0]!.name)!) ?? null
  return pick(steps, values)
}
