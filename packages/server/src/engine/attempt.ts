import type { Json, JsonObject, StepError } from '@sluice/schema'
import { limits } from '@sluice/schema'
import {
  type Abilities,
  type AnyNode,
  type Awaits,
  type ChildRequest,
  type MapPlan,
  type Produced,
  type ProducerState,
  type Source,
  StepFailure,
  type StepContext,
  type StepResult,
  type WaitRequest,
  passThrough,
} from '../nodes/contract.ts'
import { type GraphNode, drawnBy, nodeAt } from '../workflows/graph.ts'
import type { Manner } from '../workflows/config.ts'
import { checkValue } from '../workflows/json-schema.ts'
import type { ConfigReads, PreparedNode } from '../workflows/prepare.ts'
import { valuesAt } from '../workflows/readings.ts'
import { failureIn } from './frontier.ts'
import type { AttemptRef, Happening } from './happening.ts'
import { passOf } from './items.ts'
import { type Carried, type Surround, around, boundIteration, carriedTo, handedTo, startLoop } from './iterations.ts'
import { type Payload, nothing, payloadOf, payloadOfList, payloadOfObject } from './payload.ts'
import { bound, bytesOfScope, outputsOf, outputsOfScopes, surroundingsOf } from './scope.ts'
import { channelName, childIteration, idempotencyKey, isChannel, iterationOf, keyAt, sourceName, stepKey } from './state.ts'
import { type Listener, type Task, root } from './turn.ts'

/** Work in the world, to be begun once its start is durable. */
export interface Work {
  ref: AttemptRef
  node: GraphNode
  timeoutMs: number
  run(signal: AbortSignal, abilities: Abilities): Promise<Happening>
}

/** A child run to start; its start is repeatable under the step's key. */
export interface ChildStart {
  ref: AttemptRef
  request: ChildRequest
  /** The trace context of the step. */
  traceparent: string | null
}

export type Evaluated = { happened: Happening } | { work: Work } | { child: ChildStart }

/** Looks at a task: what is instant has happened; what is work is made ready to begin. */
export async function evaluate(run: Surround, task: Task, now: Date): Promise<Evaluated> {
  if (task.phase === 'ask') return { happened: await answer(run, task) }
  const ref: AttemptRef = { nodeId: task.nodeId, iteration: task.iteration, phase: task.phase, attempt: task.attempt }
  try {
    return await attempt(run, ref, now)
  } catch (error) {
    return { happened: failureOf(ref, error) }
  }
}

async function attempt(run: Surround, ref: AttemptRef, now: Date): Promise<Evaluated> {
  const node = nodeAt(run.state.graph, ref.nodeId, ref.iteration)!
  const prepared = run.plan.prepared.node(ref.nodeId)
  const undoing = ref.phase === 'compensate'
  const { declaration, reads, render } = (undoing ? prepared.compensate : prepared) ?? refuse('The step declares no undoing')
  const { behaviour } = declaration
  // A loop's config speaks of `last` and `count`: but for what it starts with, it is read when the loop is asked, before each iteration.
  if (behaviour.is === 'loop' && !undoing)
    return { happened: { is: 'fanned', ...ref, total: null, concurrency: 1, collect: false, ...(await startLoop(run, node, ref.iteration)) } }
  if (behaviour.is === 'producer' && !undoing) return { happened: { is: 'fanned', ...ref, total: null, concurrency: 1, collect: true, from: broughtTo(run, node.id).state } }
  if (node.head && !undoing) return { happened: await handOn(run, node.head, prepared, ref) }
  const look = { reads, input: declaration.takesInput ?? true, undoing }
  const looks = look.input || reads.names.size > 0
  const { scope, input, handed } = looks ? await surroundingsOf(around(run), node, ref.iteration, look) : { scope: {}, input: {}, handed: [] }
  const given = undoing ? await leftForUndoing(run, ref) : declaration.entry ? await givenTo(run, node, ref.iteration) : nothing
  const config = render(scope)
  if (behaviour.is === 'map' && !undoing) return { happened: fanOut(run, ref, behaviour.plan(config)) }
  const gives = undoing ? undefined : prepared.manner.gives
  const evaluated = perform(ref, node, declaration, config, contextOf(run, node, ref, input, given.value, now), [...handed, given], gives)
  if (run.state.run.trial && opensPause(evaluated)) throw new StepFailure('trial_refused', 'A trial opens no pause: give the output of the step', { retry: false })
  return evaluated
}

const refuse = (message: string): never => {
  throw new StepFailure('not_supported', message, { retry: false })
}

const opensPause = (evaluated: Evaluated): boolean => 'happened' in evaluated && evaluated.happened.is === 'waits' && evaluated.happened.waiting.for === 'pause'

function perform(
  ref: AttemptRef,
  node: GraphNode,
  declaration: AnyNode,
  config: unknown,
  context: StepContext,
  handed: readonly Payload[],
  gives: Manner['gives'] = (result) => result,
): Evaluated {
  const { behaviour } = declaration
  const made = (result: StepResult): StepResult => written(declaration, node, gives(fitting(declaration, config, result)))
  switch (behaviour.is) {
    case 'pure':
      return { happened: completion(ref, made(behaviour.run(config, context)), handed) }
    case 'wait':
      return { happened: { is: 'waits', ...ref, waiting: waitingOf(behaviour.wait(config, context), context) } }
    case 'child':
      return { child: { ref, request: asked(behaviour.child(config, context)), traceparent: context.traceparent } }
    case 'work':
      return {
        work: {
          ref,
          node,
          timeoutMs: node.settings.timeoutMs ?? limits.attemptMs,
          run: (signal, abilities) =>
            tryWork(ref, async () => {
              const came = await behaviour.run(config, { ...context, signal, abilities })
              return 'awaits' in came ? awaiting(ref, came) : completion(ref, made(came))
            }),
        },
      }
    case 'map':
    case 'loop':
    case 'producer':
      return refuse('A body cannot undo a step')
  }
}

const awaiting = (ref: AttemptRef, { remind }: Awaits): Happening => ({ is: 'waits', ...ref, waiting: { for: 'report', ...(remind && { remind }) } })

async function tryWork(ref: AttemptRef, work: () => Promise<Happening>): Promise<Happening> {
  try {
    return await work()
  } catch (error) {
    return failureOf(ref, error)
  }
}

/** The part of an output that the schemas of a config are about. */
function spokenOf(declaration: AnyNode, config: unknown, output: Json): Json | undefined {
  const key = declaration.schemaOf?.(config) ?? null
  if (key === null) return output
  return typeof output === 'object' && output !== null && !Array.isArray(output) ? output[key] : undefined
}

/** What a node gives fits the JSON Schema of its config, where it has one. What came from the world may fit another time. */
function fitting(declaration: AnyNode, config: unknown, result: StepResult): StepResult {
  if (!declaration.schemaFields) return result
  const issues = declaration.schemaFields
    .flatMap((field) => valuesAt(config as JsonObject, field))
    .flatMap(({ value }) => checkValue(value as JsonObject, spokenOf(declaration, config, result.output) ?? null))
  if (issues.length === 0) return result
  const said = issues.slice(0, 3).map(({ path = [], message }) => (path.length > 0 ? `${path.join('.')} ${message}` : message))
  throw new StepFailure('output_invalid', `The value does not fit its schema: ${said.join('; ')}`, {
    retry: declaration.behaviour.is === 'work',
    details: { issues: issues.slice(0, 20) as unknown as Json },
  })
}

/** What is written goes somewhere. */
function written({ writes }: AnyNode, { readers }: GraphNode, result: StepResult): StepResult {
  if (writes && readers.length === 0 && !result.push?.length)
    throw new StepFailure('queue_missing', 'Nothing reads what is written here: name a queue, or lead to a queue reader', { retry: false })
  return result
}

/** What a step free of effects handed on as it came is not serialised again. */
function completion(ref: AttemptRef, result: StepResult, handed: readonly Payload[] = []): Happening {
  const { context, usage, compensateInput } = result
  if (compensateInput !== undefined) bound(outputOf(compensateInput).bytes, limits.stepOutputBytes)
  const pushes = result.push?.map(({ queue, value }) => ({ queue, payload: outputOf(value) }))
  if (context) bound(outputOf(context).bytes, limits.contextPatchBytes)
  return {
    is: 'completed',
    ...ref,
    output: handed.find(({ value }) => value === result.output) ?? outputOf(result.output),
    route: result.route ?? ['default'],
    context,
    usage,
    pushes,
    compensateInput,
  }
}

/** A node's output as JSON. What cannot be said in JSON is the node's failure, not ours. */
export function outputOf(value: Json | undefined): Payload {
  if (value === undefined || value === null) return nothing
  try {
    return payloadOf(value)
  } catch (error) {
    throw new StepFailure('output_invalid', `The output is not JSON: ${(error as Error).message}`, { retry: false })
  }
}

export function failureOf(ref: AttemptRef, error: unknown): Happening {
  const retry = error instanceof StepFailure ? error.retry : true
  const { retryAfterMs = null, compensateInput } = error instanceof StepFailure ? error : {}
  return {
    is: 'failed',
    ...ref,
    error: errorOf(error),
    retry,
    retryAfterMs,
    timedOut: error instanceof StepFailure && error.code === 'timed_out',
    compensateInput: bounded(compensateInput),
  }
}

/** What cannot be kept is not left behind: that the step failed is. */
function bounded(left: Json | undefined): Json | undefined {
  return left === undefined || outputOf(left).bytes > limits.stepOutputBytes ? undefined : left
}

function errorOf(error: unknown): StepError {
  if (!(error instanceof StepFailure)) return { code: 'error', message: legible(error instanceof Error ? error.message : String(error)) }
  return { code: legible(error.code), message: legible(error.message), ...(error.details !== undefined && { details: legibleIn(error.details) }) }
}

/** The world's words are kept as text, and in JSON that PostgreSQL looks into: it takes neither NUL nor half of a surrogate pair there. */
const legible = (text: string): string => text.replaceAll('\0', '').toWellFormed()

function legibleIn(value: Json): Json {
  if (typeof value === 'string') return legible(value)
  if (typeof value !== 'object' || value === null) return value
  return Array.isArray(value) ? value.map(legibleIn) : Object.fromEntries(Object.entries(value).map(([key, each]) => [legible(key), legibleIn(each)]))
}

function contextOf(run: Surround, node: GraphNode, ref: AttemptRef, input: JsonObject, given: Json, now: Date): StepContext {
  const { run: head } = run.state
  return {
    workspaceId: head.workspaceId,
    runId: head.id,
    workflowId: head.workflowId,
    nodeId: node.id,
    iteration: ref.iteration,
    key: idempotencyKey(head.id, node.id, ref.iteration) + (ref.phase === 'compensate' ? '/undo' : ''),
    attempt: ref.attempt,
    // Whoever asks pays: it goes through the steps of the run.
    get pass() {
      return passOf(run.state, node.id, keyAt(node, ref.iteration))
    },
    input,
    given,
    now,
    traceparent: run.traceparent(ref),
  }
}

async function leftForUndoing({ state, read }: Surround, ref: AttemptRef): Promise<Payload> {
  const step = state.steps.get(stepKey(ref.nodeId, ref.iteration))!
  return step.compensateInput === undefined ? (await outputsOf({ read }, [{ step }]))(step) : payloadOf(step.compensateInput)
}

/** The value an input node was started with, or what the body around it hands to the iteration. */
async function givenTo(run: Surround, node: GraphNode, iteration: string): Promise<Payload> {
  if (node.parent) {
    const handed = await handedTo(run, node.parent, iteration)
    return payloadOf('item' in handed ? handed.item : handed.last)
  }
  const { input, keyedInput } = run.state.run
  if (!keyedInput) return input
  const values = input.value as JsonObject
  return payloadOf((Object.hasOwn(values, node.id) ? values[node.id] : Object.hasOwn(values, node.name) ? values[node.name] : null) ?? null)
}

function waitingOf(request: WaitRequest, context: StepContext): Extract<Happening, { is: 'waits' }>['waiting'] {
  if (request.for === 'pause') {
    const { message, assignee, passes } = request.pause
    return { for: 'pause', pause: { ...request.pause, message: legible(message), assignee: assignee && legible(assignee) }, input: passThrough(context, passes) }
  }
  if (request.for === 'timer') return { for: 'timer', at: request.at.getTime(), output: request.output }
  return request.for === 'signal' ? { ...request, name: legible(request.name) } : request
}

const asked = (request: ChildRequest): ChildRequest => ({ ...request, workflow: legible(request.workflow) })

// ── bodies ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function fanOut(run: Surround, ref: AttemptRef, plan: MapPlan): Happening {
  run.items.set(stepKey(ref.nodeId, ref.iteration), plan.items)
  return { is: 'fanned', ...ref, total: plan.items.length, concurrency: plan.concurrency, collect: plan.onItemFailure === 'collect' }
}

async function answer(run: Surround, task: Task): Promise<Happening> {
  const ref = { nodeId: task.nodeId, iteration: task.iteration }
  try {
    if (task.key === root) return { is: 'gathered', output: await outputOfRun(run) }
    const node = run.state.graph.nodes.get(task.nodeId)!
    const step = run.state.steps.get(task.key)!
    if (step.body!.items) return await nextOfProducer(run, node, task.iteration)
    return step.body!.total === null ? await nextOfLoop(run, node, task.iteration) : { is: 'asked', ...ref, more: false, output: await resultsOf(run, node, task.iteration) }
  } catch (error) {
    return { is: 'unanswerable', ...ref, error: errorOf(error) }
  }
}

async function outputOfRun(run: Surround): Promise<Payload> {
  const [output] = await outputsOfScopes(run, run.plan.prepared.giving(null), [''], limits.runOutputBytes)
  return output!
}

async function resultsOf(run: Surround, node: GraphNode, iteration: string): Promise<Payload> {
  const results = await collected(run, node, iteration)
  const { gives } = run.plan.prepared.node(node.id).manner
  return gives ? outputOf(gives({ output: results.value }).output) : results
}

async function collected(run: Surround, node: GraphNode, iteration: string): Promise<Payload> {
  const { state, plan } = run
  const body = state.steps.get(keyAt(node, iteration))!.body!
  const iterations = Array.from({ length: body.total! }, (_, index) => childIteration(iteration, index))
  const failures = iterations.map((each) => (body.failed > 0 ? failureIn(state, node, each)?.error : undefined))
  const good = iterations.filter((_, index) => !failures[index])
  const outputs = (await outputsOfScopes(run, plan.prepared.giving(node), good, limits.stepOutputBytes)).values()
  run.items.delete(keyAt(node, iteration))
  const results = payloadOfList(failures.map((failed) => (failed ? nothing : outputs.next().value!)))
  if (!body.collect) return payloadOfObject([['results', results]])
  const failed = failures.flatMap((error, index) => (error ? [{ index, error }] : []))
  return payloadOfObject([
    ['results', results],
    ['failures', payloadOf(failed)],
  ])
}

async function nextOfLoop(run: Surround, node: GraphNode, iteration: string): Promise<Happening> {
  const { declaration, reads, render } = run.plan.prepared.node(node.id)
  const { behaviour } = declaration
  if (behaviour.is !== 'loop') throw new Error(`${node.id} is no loop`)
  const key = keyAt(node, iteration)
  const count = run.state.steps.get(key)!.body!.next
  const carried = (): Promise<Carried> => carriedTo(run, node, iteration, count)
  const { scope } = await surroundingsOf(around(run), node, iteration, { reads, input: false, undoing: false })
  const config = render({ ...scope, count, ...(reads.names.has('last') && { last: (await carried()).handed.value }) })
  const more = behaviour.again(config, count)
  const max = behaviour.max(config)
  if (more && count >= max) throw new StepFailure('limit_exceeded', `The loop wants more than its ${max} iterations`, { retry: false })
  if (more) {
    await boundIteration(run, node, iteration, count)
    return { is: 'asked', nodeId: node.id, iteration, more, output: nothing }
  }
  const { last, given } = await carried()
  run.carried.delete(key)
  const output = behaviour.gives(config, { last: last.value, given: given.value, count })
  const known = [last, given].find(({ value }) => value === output)
  return { is: 'asked', nodeId: node.id, iteration, more, output: known ?? outputOf(output) }
}

/** The first step of an iteration of a drawn body. */
async function handOn(run: Surround, head: GraphNode, { declaration, manner }: PreparedNode, ref: AttemptRef): Promise<Happening> {
  const value = await handedTo(run, head, ref.iteration)
  const route = [drawnBy(declaration) ?? 'default']
  if (!('item' in value)) return completion(ref, { output: value.last, route })
  return completion(ref, { output: manner.hands ? manner.hands(value) : value.item, route })
}

// ── producers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const beginning = { state: null, count: 0 }

/** Where a producer goes on from: in a trial from where the one before in its session came to. */
function broughtTo({ state }: Surround, nodeId: string): ProducerState {
  const producers = state.run.trial?.producers ?? {}
  return Object.hasOwn(producers, nodeId) ? producers[nodeId]! : beginning
}

const readNothing: ConfigReads = { names: new Set(), upstream: () => [] }

async function nextOfProducer(run: Surround, node: GraphNode, iteration: string): Promise<Happening> {
  const prepared = run.plan.prepared.node(node.id)
  const { declaration, reads, render, manner } = prepared
  const { behaviour } = declaration
  if (behaviour.is !== 'producer') throw new Error(`${node.id} is no producer`)
  const ref = { nodeId: node.id, iteration }
  const { state } = run
  const key = keyAt(node, iteration)
  const body = state.steps.get(key)!.body!
  const items = body.items!
  const { scope, input } = await surroundingsOf(around(run), node, iteration, {
    reads: run.configs.has(key) ? readNothing : reads,
    input: declaration.takesInput ?? true,
    undoing: false,
  })
  const config = run.configs.get(key) ?? render(scope)
  // A session moves on; what came before the producer does not.
  if (!reads.names.has('session')) run.configs.set(key, config)
  const at: ProducerState = { state: items.state, count: broughtTo(run, node.id).count + body.next - body.live }
  const receive = (payload: Json): Produced => behaviour.receive?.(config, payload, at) ?? { item: payload, state: at.state }
  const cameBy = (name: string): Payload | undefined => (isChannel(name) ? state.unread.get(key)?.[0] : state.signals.find((signal) => signal.name === name))?.payload
  const came = items.awaits === null ? undefined : cameBy(items.awaits)
  const isOver = isChannel(items.awaits) && !came
  const produced = isOver
    ? ({ ended: true } as const)
    : came
      ? receive(came.value)
      : behaviour.next(config, contextOf(run, node, { ...ref, phase: 'invoke', attempt: 0 }, input, null, new Date(run.now())), at)
  const took = came !== undefined
  if ('ended' in produced) run.configs.delete(key)
  if ('ended' in produced) return { is: 'produced', ...ref, took, ended: await endOf(run, node, iteration) }
  if ('awaits' in produced) {
    const awaits = signalOf(produced.awaits, key)
    if (isChannel(awaits) && node.fedBy.length === 0)
      throw new StepFailure('queue_missing', 'Nothing writes what is read here: name a queue, or let a writer lead here', { retry: false })
    return { is: 'produced', ...ref, took, awaits, listens: listened(produced.awaits, at.state), state: at.state }
  }
  bound(outputOf(produced.state).bytes, limits.contextPatchBytes)
  const result = manner.gives?.({ output: produced.item }) ?? { output: produced.item }
  return { is: 'produced', ...ref, took, item: outputOf(result.output), route: result.route ?? ['default'], state: produced.state }
}

function signalOf(source: Source, reader: string): string {
  if ('signal' in source) return legible(source.signal)
  if ('channel' in source) return channelName(reader, '')
  return 'queue' in source ? sourceName('queue', legible(source.queue), reader) : sourceName('webhook', legible(source.webhook), reader)
}

function listened(source: Source, state: Json): Pick<Listener, 'kind' | 'name' | 'after'> | null {
  if ('queue' in source) return { kind: 'queue', name: legible(source.queue), after: null }
  if (!('webhook' in source)) return null
  const after = typeof state === 'object' && state !== null && !Array.isArray(state) ? state['after'] : null
  return { kind: 'webhook', name: legible(source.webhook), after: typeof after === 'string' ? after : null }
}

/** What a producer gives when it has no more items: how many there were, and what the last of them came to. */
async function endOf(run: Surround, node: GraphNode, iteration: string): Promise<Payload> {
  const { done, failed, next, live } = run.state.steps.get(keyAt(node, iteration))!.body!
  const number = next - live - 1
  const last = number < 0 ? nothing : await lastOf(run, node, iterationOf(node, iteration, number))
  return payloadOfObject([
    ['items', payloadOf(done + failed)],
    ['failed', payloadOf(failed)],
    ['last', last],
  ])
}

async function lastOf(run: Surround, node: GraphNode, iteration: string): Promise<Payload> {
  if (failureIn(run.state, node, iteration)) return nothing
  const giving = run.plan.prepared.giving(node)
  const bytes = bytesOfScope(run.state, giving.nodes, iteration)
  if (bytes > limits.stepOutputBytes - 1_000) return payloadOf({ truncated: bytes })
  const [last] = await outputsOfScopes(run, giving, [iteration], limits.stepOutputBytes)
  return last!
}
