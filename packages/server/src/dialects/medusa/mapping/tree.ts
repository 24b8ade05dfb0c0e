import { createHash } from 'node:crypto'
import { type Definition, type Json, type JsonObject, type Node, stepNames, type Version } from '@sluice/schema'
import type { FlowDefinition, StepDefinition } from '../contract.ts'
import { stepPart } from './ids.ts'

/**
 * The steps of a version, as a tree with dotted ids. PURE and total, and a function of the version alone: whatever a run of it
 * does, its steps are called the same. A node hangs below the last of those that lead to it. What only leads on (where the input
 * comes in, a condition, what is returned) is no step: what it leads to hangs below what leads to it. Nodes in the body of
 * another are told with that one.
 */

export interface TreeStep {
  nodeId: string
  /** Without dots. */
  name: string
  id: string
  /** 1 for the first. */
  depth: number
  definition: StepDefinition
  /** The ids of the steps that hang below it. */
  next: readonly string[]
}

export interface Tree {
  /** Each behind those that lead to it. */
  steps: readonly TreeStep[]
  /** The ids of the steps that nothing leads to. */
  next: readonly string[]
  definition: FlowDefinition
}

export function treeOf({ definition, hash, created }: Pick<Version, 'definition' | 'hash' | 'created'>): Tree {
  const flow = flowOf(definition)
  const names = new Map([...stepNames(definition)].map(([nodeId, name]) => [nodeId, stepPart(name)]))
  const above = hanging(flow)
  const ids = idsOf(flow.steps, names, above)
  const below = Map.groupBy(flow.steps, ({ id }) => above.get(id) ?? null)
  const depths = new Map<string, number>()
  const steps = flow.steps.map((node): TreeStep => {
    const over = above.get(node.id) ?? null
    const depth = (over === null ? 0 : depths.get(over)!) + 1
    depths.set(node.id, depth)
    return {
      nodeId: node.id,
      name: names.get(node.id)!,
      id: ids.of(node.id),
      depth,
      definition: stepDefinition(flow, node, names, uuidOf(created, hash, node.id)),
      next: (below.get(node.id) ?? []).map(({ id }) => ids.of(id)),
    }
  })
  const byNode = new Map(steps.map((step) => [step.nodeId, step]))
  const roots = below.get(null) ?? []
  return {
    steps,
    next: roots.map(({ id }) => ids.of(id)),
    definition: ids.areFlat ? nested(steps.map(({ definition: declared }) => flowDefinition(declared, []))) : nested(flowsBelow(null, below, byNode)),
  }
}

// ── what leads where ───────────────────────────────────────────────────────────────────────────────────────────────────

/** What only leads on; `InputNode` is the name of an input in workflows that were made with PySpur. */
const structural = new Set(['input', 'InputNode', 'function-choice', 'function-result'])

/** The nodes at the top, in an order in which each comes behind what leads to it, and the links between them. */
interface Flow {
  steps: readonly Node[]
  place: ReadonlyMap<string, number>
  /** By its target. */
  incoming: ReadonlyMap<string, readonly Ends[]>
  /** By its source. */
  outgoing: ReadonlyMap<string, readonly Ends[]>
  isStep(nodeId: string): boolean
}

interface Ends {
  source: string
  target: string
  failed: boolean
}

function flowOf({ nodes, links }: Definition): Flow {
  const top = new Map(nodes.filter(({ parentId = null }) => parentId === null).map((node) => [node.id, node]))
  const ends = links
    .filter(({ source, target }) => top.has(source) && top.has(target))
    .map(({ source, target, sourceHandle }): Ends => ({ source, target, failed: sourceHandle === 'failed' }))
  const incoming = Map.groupBy(ends, ({ target }) => target)
  const outgoing = Map.groupBy(ends, ({ source }) => source)
  const order = ordered([...top.keys()], incoming, outgoing)
  const isStep = (nodeId: string): boolean => !structural.has(top.get(nodeId)!.type)
  return { steps: order.filter(isStep).map((nodeId) => top.get(nodeId)!), place: new Map(order.map((nodeId, place) => [nodeId, place])), incoming, outgoing, isStep }
}

/** As they stand in the definition, as far as what leads to a node comes before it; those on a cycle, which no version has, at the end. */
function ordered(ids: readonly string[], incoming: Flow['incoming'], outgoing: Flow['outgoing']): string[] {
  const left = new Map(ids.map((id) => [id, incoming.get(id)?.length ?? 0]))
  const order: string[] = []
  const place = (id: string): void => {
    order.push(id)
    left.delete(id)
    for (const { target } of outgoing.get(id) ?? []) if (left.has(target)) left.set(target, left.get(target)! - 1)
  }
  for (let found = true; found;) {
    found = false
    for (const id of ids)
      if (left.get(id) === 0) {
        place(id)
        found = true
      }
  }
  return [...order, ...left.keys()]
}

/** What each step hangs below, by node id; what nothing leads to is not in it. */
function hanging({ steps, place, incoming, isStep }: Flow): Map<string, string> {
  const known = new Map<string, readonly string[]>()
  const leading = (nodeId: string): readonly string[] => {
    const found = known.get(nodeId)
    if (found) return found
    known.set(nodeId, [])
    const all = (incoming.get(nodeId) ?? []).flatMap(({ source }) => (isStep(source) ? [source] : leading(source)))
    const each = [...new Set(all)].filter((source) => place.get(source)! < place.get(nodeId)!)
    known.set(nodeId, each)
    return each
  }
  return new Map(
    steps.flatMap(({ id }): [string, string][] => {
      const last = leading(id).reduce<string | null>((one, other) => (one !== null && place.get(one)! > place.get(other)! ? one : other), null)
      return last === null ? [] : [[id, last]]
    }),
  )
}

/** The steps that links lead to, over what is none. */
function led({ outgoing, isStep, place }: Flow, nodeId: string, fits: (ends: Ends) => boolean): Set<string> {
  const found = new Set<string>()
  const passed = new Set<string>()
  const follow = (from: readonly Ends[]): void => {
    for (const { target } of from) {
      if (isStep(target)) found.add(target)
      else if (!passed.has(target)) {
        passed.add(target)
        follow(outgoing.get(target) ?? [])
      }
    }
  }
  follow((outgoing.get(nodeId) ?? []).filter(fits))
  return new Set([...found].toSorted((one, other) => place.get(one)! - place.get(other)!))
}

// ── ids ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What the ids of a version's steps may amount to: each holds those of all above it. */
const mostCharacters = 256 * 1024

function idsOf(steps: readonly Node[], names: ReadonlyMap<string, string>, above: ReadonlyMap<string, string>): { of(nodeId: string): string; areFlat: boolean } {
  const lengths = new Map<string, number>()
  let total = 0
  for (const { id } of steps) {
    const length = (lengths.get(above.get(id) ?? '') ?? 5) + 1 + names.get(id)!.length
    lengths.set(id, length)
    total += length
  }
  const areFlat = total > mostCharacters
  const ids = new Map<string, string>()
  for (const { id } of steps) ids.set(id, `${(areFlat ? undefined : ids.get(above.get(id) ?? '')) ?? '_root'}.${names.get(id)!}`)
  return { of: (nodeId) => ids.get(nodeId)!, areFlat }
}

const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A ULID: of when the version was made, and of what it says. */
function uuidOf(created: string, hash: string, nodeId: string): string {
  const at = Math.max(0, Date.parse(created))
  const time = Array.from({ length: 10 }, (_each, place) => digits[Math.floor(at / 32 ** (9 - place)) % 32]).join('')
  const bytes = createHash('sha256').update(`${hash}\n${nodeId}`).digest()
  return time + Array.from(bytes.subarray(0, 16), (byte) => digits[byte % 32]).join('')
}

// ── how they were declared ─────────────────────────────────────────────────────────────────────────────────────────────

/** What waits for somebody else; `HumanInterventionNode` is `human` in workflows that were made with PySpur. */
const waiting = new Set(['external', 'human', 'signal', 'delay', 'webhook', 'queue-reader', 'HumanInterventionNode'])
const nesting = new Set(['subworkflow', 'function-child'])

function stepDefinition(flow: Flow, node: Node, names: ReadonlyMap<string, string>, uuid: string): StepDefinition {
  const { type, config = {}, settings = {} } = node
  const { compensate } = settings
  const isAsync = waiting.has(type) || config['async'] === true
  const undoneAsync = compensate !== undefined && (waiting.has(compensate.type) || compensate.config?.['async'] === true)
  const options = {
    ...(isAsync && { async: true as const }),
    ...(undoneAsync && { compensateAsync: true as const }),
    ...(nesting.has(type) && { nested: true as const }),
    ...retries(settings.retry),
    ...reminders(config['remind']),
    ...(settings.timeoutMs !== undefined && { timeout: settings.timeoutMs / 1000 }),
    ...tolerance(flow, node, names),
  }
  const action = names.get(node.id)!
  const isStored = isAsync || ['retryInterval', 'retryIntervalAwaiting', 'timeout'].some((key) => key in options)
  return { action, ...(Object.keys(options).length > 0 && { name: action }), ...options, uuid, noCompensation: compensate === undefined, store: isStored }
}

type Options = Partial<StepDefinition>

function retries({ maxAttempts = 1, backoffMs = 1000, manual = false }: NonNullable<NonNullable<Node['settings']>['retry']> = {}): Options {
  if (maxAttempts === 1) return {}
  return { maxRetries: maxAttempts - 1, ...(manual ? { autoRetry: false } : backoffMs > 0 && { retryInterval: backoffMs / 1000 }) }
}

function reminders(remind: Json | undefined): Options {
  const { everyMs, times } = isObject(remind) ? remind : {}
  if (typeof everyMs !== 'number') return {}
  // Medusa's engine counts the first call too.
  return { retryIntervalAwaiting: everyMs / 1000, ...(typeof times === 'number' && { maxAwaitingRetries: times + 1 }) }
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A way on from `failed`: to what would have come next, or past it. */
function tolerance(flow: Flow, { id }: Node, names: ReadonlyMap<string, string>): Options {
  if (!flow.outgoing.get(id)?.some(({ failed }) => failed)) return {}
  const after = led(flow, id, ({ failed }) => failed)
  if ([...led(flow, id, ({ failed }) => !failed)].every((target) => after.has(target))) return { continueOnPermanentFailure: true }
  const [first] = after
  return { skipOnPermanentFailure: first === undefined ? true : names.get(first)! }
}

function flowsBelow(nodeId: string | null, below: ReadonlyMap<string | null, readonly Node[]>, steps: ReadonlyMap<string, TreeStep>): FlowDefinition[] {
  return (below.get(nodeId) ?? []).map(({ id }) => flowDefinition(steps.get(id)!.definition, flowsBelow(id, below, steps)))
}

const flowDefinition = ({ store: _store, ...declared }: StepDefinition, after: readonly FlowDefinition[]): FlowDefinition => ({ ...declared, ...nextOf(after) })

/** The first step itself, where there is one. */
const nested = (first: readonly FlowDefinition[]): FlowDefinition => (first.length === 1 ? first[0]! : nextOf(first))

const nextOf = (after: readonly FlowDefinition[]): FlowDefinition => (after.length === 0 ? {} : { next: after.length === 1 ? after[0]! : [...after] })
