import type { Json, Run } from '@sluice/schema'
import { defineWorkflow, done, type Flow, permanentFailure } from '@sluice/server'
import type { WorkflowEvent } from '../../../../packages/server/src/dialects/medusa/messages.ts'
import type { OnFailure } from '../../../../packages/server/src/code/draft.ts'
import type { Retry, StepOptions } from '../../../../packages/server/src/code/steps.ts'
import type { WrittenWorkflow } from '../../../../packages/server/src/code/written.ts'
import { executions, type MedusaServer, ok } from '../server.ts'
import type { Watcher } from '../watch.ts'
import { type Engine, type Happened, type Reported, sdk } from './engine.ts'

/** A flow is composed on both sides, with the same steps and the same handlers, and driven by the same hand; what each side tells of it is an account. */

// ── what is said of a flow ─────────────────────────────────────────────────────────────────────────────────────────────

/** What a handler comes to. */
export type Comes = { gives: Json; leaves?: Json } | { fails: string } | { failsForGood: string; leaves?: Json } | 'waits'

/** In Medusa's words: of ours they are made below. */
export interface Options {
  async?: true
  compensateAsync?: true
  maxRetries?: number
  retryInterval?: number
  autoRetry?: false
  retryIntervalAwaiting?: number
  maxAwaitingRetries?: number
  timeout?: number
  continueOnPermanentFailure?: true
  skipOnPermanentFailure?: true | string
}

/** A step: what each attempt at it comes to, the last one for all after it. Without `compensates` nothing undoes it. */
export interface Act {
  invokes?: readonly Comes[]
  compensates?: readonly Comes[]
  options?: Options
  /** Milliseconds that an attempt takes. */
  takes?: number
}

/** Stands for what a step gives, and below it for what is in that. */
export interface Value {
  readonly [key: string]: Value
}
export type Steps = Readonly<Record<string, (input?: unknown) => Value>>

export interface FlowOptions {
  /** Seconds. */
  timeout?: number
  idempotent?: true
  retentionTime?: number
}

export interface Case {
  name: string
  /** The rules of the contract that it is about. */
  rules: string
  options?: FlowOptions
  acts: Record<string, Act>
  /** A nested workflow, a step of its parent by the name `<name>-as-step`. */
  nested?: Case
  /** Steps of which neither side says which comes first. */
  beside?: readonly string[]
  theirs(steps: Steps, input: Value, at: { hook(name: string, values: unknown): unknown }): unknown
  ours(steps: Steps, input: Value, w: Flow<unknown>): unknown
  /** The hook that somebody takes up. */
  hooked?: string
  /** Runs once with `{ n: 3 }` unless it says otherwise. */
  drive?(side: Side): Promise<void>
}

/** Both sides, as they are driven. */
export interface Side {
  run(input?: Json): Promise<void>
  succeed(step: string, response?: Json, more?: Pick<Reported, 'leaves' | 'action'>): Promise<void>
  fail(step: string, response?: Json): Promise<void>
  /** Once the step waits for a report, after so many calls. */
  awaited(step: string, times?: number): Promise<void>
  /** Once its undoing waits for one. */
  undoing(step: string): Promise<void>
  over(): Promise<void>
  /** As far as it goes by itself. */
  cancel(): Promise<void>
  /** Keeps what is told of it now. */
  look(as: string): Promise<void>
}

// oxlint-disable-next-line typescript/no-explicit-any -- as it is told
export type Told = any

export interface Account {
  /** What was answered, in turn. */
  answers: Json[]
  calls: string[]
  events: string[]
  [look: string]: Told
}

// ── handlers ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

type Phase = 'invoke' | 'compensate'

/** Writes the call down, and says what the attempt comes to. */
function called(calls: string[], name: string, { invokes = [{ gives: { by: name } }], compensates = [], takes = 0 }: Act) {
  return async (phase: Phase, attempt: number, given: unknown): Promise<Comes> => {
    calls.push(`${phase} ${name}#${attempt}${given === undefined ? '' : ` ${JSON.stringify(given)}`}`)
    const each = phase === 'invoke' ? invokes : compensates
    if (phase === 'invoke') await rest(takes)
    return each[attempt - 1] ?? each.at(-1)!
  }
}

function thrown(message: string): never {
  throw new Error(message)
}

function theirOutcome(comes: Comes, phase: Phase): unknown {
  if (comes === 'waits') return undefined
  if ('fails' in comes) return thrown(comes.fails)
  if ('failsForGood' in comes) return sdk.StepResponse.permanentFailure(comes.failsForGood, comes.leaves)
  // What undoing gives is a plain value there.
  return phase === 'compensate' ? comes.gives : new sdk.StepResponse(comes.gives, comes.leaves)
}

function ourOutcome(comes: Comes): unknown {
  if (comes === 'waits') return undefined
  if ('fails' in comes) return thrown(comes.fails)
  if ('failsForGood' in comes) return permanentFailure(comes.failsForGood, comes.leaves)
  return comes.leaves === undefined ? comes.gives : done(comes.gives, comes.leaves)
}

// ── theirs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Attempted {
  attempt: number
}

function composeTheirs(flow: Case, calls: string[]): { runAsStep(given: { input: unknown }): Value } {
  const nested = flow.nested && composeTheirs(flow.nested, calls)
  const steps: Record<string, (input?: unknown) => Value> = Object.fromEntries(
    Object.entries(flow.acts).map(([name, act]) => {
      const call = called(calls, name, act)
      const invoke = async (input: unknown, { attempt }: Attempted) => theirOutcome(await call('invoke', attempt, input), 'invoke')
      const compensate = async (left: unknown, { attempt }: Attempted) => theirOutcome(await call('compensate', attempt, left), 'compensate')
      return [name, sdk.createStep(act.options ? { name, ...act.options } : name, invoke, act.compensates && compensate)]
    }),
  )
  if (flow.nested) steps[`${flow.nested.name}-as-step`] = (input) => nested!.runAsStep({ input })
  const workflow = sdk.createWorkflow({ name: flow.name, store: true, ...flow.options }, (input: Value) => {
    const hooks: unknown[] = []
    const came = flow.theirs(steps, input, { hook: (name, values) => hooks.push(sdk.createHook(name, values)) })
    return new sdk.WorkflowResponse(came, { hooks })
  })
  const { hooked } = flow
  if (hooked !== undefined) {
    const call = called(calls, hooked, {})
    workflow.hooks[hooked](async (values: unknown, { attempt }: Attempted) => theirOutcome(await call('invoke', attempt, values), 'invoke'))
  }
  return workflow
}

export function createTheirs(engine: Engine, flow: Case): { side: Side; account(): Account } {
  const calls: string[] = []
  composeTheirs(flow, calls)
  const { name } = flow
  const transaction = 'order-42'
  const answers: Json[] = []
  const looks: Record<string, Told> = {}
  const told = () => {
    const { flow: execution, context, errors } = engine.told(name, transaction)!
    return { state: execution.state, execution, context: { data: context, errors } }
  }
  const until = async (what: string, fits: () => boolean) => {
    for (const end = Date.now() + 15_000; !fits(); await rest(3)) if (Date.now() > end) throw new Error(`their ${name} never came to ${what}: ${JSON.stringify(told())}`)
  }
  const report = async (outcome: 'success' | 'failure', said: Reported) => {
    try {
      await engine.report(outcome, name, transaction, said)
      answers.push('success')
    } catch (error) {
      answers.push((error as Error).message)
    }
  }
  const side: Side = {
    async run(input = { n: 3 }) {
      const { error, ...acknowledged } = await engine.run(name, transaction, input)
      answers.push(error ? { error: error.message } : acknowledged)
    },
    succeed: (step, response, more) => report('success', { step, response, ...more }),
    fail: (step, response) => report('failure', { step, response }),
    awaited: (step, times = 1) =>
      until(`wait at ${step}`, () => engine.happened(name, transaction).filter((event) => event.type === 'onStepAwaiting' && event.step === step).length === times),
    undoing: (step) => until(`undo ${step}`, () => isUndoing(told().execution, step)),
    over: () => until('its end', () => engine.happened(name, transaction).some(({ type }) => type === 'onFinish')),
    cancel: () => engine.cancel(name, transaction),
    async look(as) {
      looks[as] = told()
    },
  }
  return {
    side,
    account: () => ({ answers, calls: inOrder(calls, flow, callOf), events: inOrder(engine.happened(name, transaction), flow, stepIn).map(eventOf), ...looks, end: told() }),
  }
}

const isUndoing = ({ steps }: Told, name: string): boolean =>
  Object.values<Told>(steps).some(({ definition, compensate }) => definition?.action === name && compensate.status === 'waiting_response')

const eventOf = ({ type, step }: Happened): string => (step === undefined ? type : `${type} ${step}`)
const callOf = (call: string): string => call.split(/[ #]/)[1]!

const resume = 'onResume'
const stepIn = ({ type, step }: Happened): string => step ?? (type === resume ? resume : '')

/** What is beside each other, by its name: which of them came first, and was taken up first, says nothing. */
function inOrder<T>(list: readonly T[], { beside }: Case, stepOf: (item: T) => string): T[] {
  const isBeside = (item: T) => beside !== undefined && [resume, ...beside].includes(stepOf(item))
  const ordered: T[] = []
  for (let at = 0; at < list.length;) {
    let end = at + 1
    while (isBeside(list[at]!) && end < list.length && isBeside(list[end]!)) end++
    ordered.push(...list.slice(at, end).toSorted((one, other) => stepOf(one).localeCompare(stepOf(other))))
    at = end
  }
  return ordered
}

// ── ours ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

type OurOptions = StepOptions<unknown, unknown, unknown, boolean, OnFailure>

const milliseconds = (seconds: number): number => Math.round(seconds * 1000)

function retryOf({ maxRetries, retryInterval = 0, autoRetry }: Options): { retry?: Retry } {
  if (maxRetries === undefined) return {}
  return { retry: { attempts: maxRetries + 1, everyMs: milliseconds(retryInterval), ...(autoRetry === false && { manual: true }) } }
}

function onFailureOf({ continueOnPermanentFailure, skipOnPermanentFailure: skip }: Options): { onFailure?: OnFailure } {
  if (continueOnPermanentFailure) return { onFailure: 'continue' }
  return skip === undefined ? {} : { onFailure: skip === true ? 'skip' : { skipTo: skip } }
}

function remindOf({ retryIntervalAwaiting, maxAwaitingRetries }: Options): Pick<OurOptions, 'remind'> {
  if (retryIntervalAwaiting === undefined) return {}
  return { remind: { everyMs: milliseconds(retryIntervalAwaiting), ...(maxAwaitingRetries !== undefined && { times: maxAwaitingRetries - 1 }) } }
}

/** What is called `maxRetries` there is `retry` here, and so on: a workflow of Medusa's is brought over by this. */
function ourOptions(options: Options): Omit<OurOptions, 'invoke'> {
  return {
    ...(options.async && { async: true }),
    ...(options.compensateAsync && { compensateAsync: true }),
    ...retryOf(options),
    ...remindOf(options),
    ...onFailureOf(options),
    ...(options.timeout !== undefined && { timeoutMs: milliseconds(options.timeout) }),
  }
}

/** With those that are nested in it, first. */
export function composeOurs(flow: Case, calls: string[]): WrittenWorkflow[] {
  const nested = flow.nested ? composeOurs(flow.nested, calls) : []
  const { timeout, idempotent, retentionTime } = flow.options ?? {}
  const settings = {
    ...(timeout !== undefined && { timeoutMs: milliseconds(timeout) }),
    ...(idempotent && { idempotent }),
    ...(retentionTime !== undefined && { retainForSeconds: retentionTime }),
  }
  const written = defineWorkflow(flow.name, settings, (w: Flow<unknown>) => {
    const steps: Record<string, (input?: unknown) => Value> = Object.fromEntries(
      Object.entries(flow.acts).map(([name, act]) => {
        const call = called(calls, name, act)
        const options: OurOptions = {
          ...ourOptions(act.options ?? {}),
          invoke: async (input, { attempt }) => ourOutcome(await call('invoke', attempt, input)),
          ...(act.compensates && { compensate: async (left: unknown, { attempt }: Attempted) => ourOutcome(await call('compensate', attempt, left)) }),
        }
        return [name, (input: unknown) => w.step(name, { ...options, input }) as unknown as Value]
      }),
    )
    const child = nested.at(-1)
    if (child) steps[`${child.name}-as-step`] = (input) => w.run(child, input) as unknown as Value
    return flow.ours(steps, w.input as unknown as Value, w)
  })
  const { hooked } = flow
  if (hooked !== undefined) {
    const call = called(calls, hooked, {})
    const hooks = written.hooks as Readonly<Record<string, (handler: (values: unknown, at: Attempted) => unknown) => void>>
    hooks[hooked]!(async (values, { attempt }) => ourOutcome(await call('invoke', attempt, values)))
  }
  return [...nested, written]
}

export function createOurs(medusa: MedusaServer, watcher: Watcher, flow: Case, calls: string[]): { side: Side; account(): Promise<Account> } {
  const { name } = flow
  const transaction_id = 'order-42'
  const answers: Json[] = []
  const looks: Record<string, Told> = {}
  const post = (path: string, body: object) => medusa.call('POST', `${executions}/${name}/${path}`, body)
  const told = async () => (await ok(medusa.call('GET', `${executions}/${name}/${transaction_id}`))).workflow_execution
  const runOf = async () => (await told()).id.replace('wf_exec_', '')
  const report = async (outcome: 'success' | 'failure', { step, response, leaves, action }: Reported) => {
    const said = { transaction_id, step_id: step, response, compensate_input: leaves, action }
    const { status, body } = await post(`steps/${outcome}`, said)
    answers.push(status === 200 ? 'success' : body.message)
  }
  const stepOf = ({ step }: WorkflowEvent) => step?.definition.action
  const side: Side = {
    async run(input = { n: 3 }) {
      const { status, body } = await post('run', { input, transaction_id })
      const { hasFinished, hasFailed } = body.acknowledgement ?? {}
      answers.push(status === 200 ? { hasFinished, hasFailed } : { error: body.message })
    },
    succeed: (step, response, more) => report('success', { step, response, ...more }),
    fail: (step, response) => report('failure', { step, response }),
    async awaited(step, times = 1) {
      const isOne = (message: WorkflowEvent) => message.event_type === 'onStepAwaiting' && stepOf(message) === step
      await watcher.told(`a wait at ${step}`, (message) => isOne(message) && watcher.messages.filter(isOne).length === times)
    },
    async undoing(step) {
      for (const end = Date.now() + 15_000; !isUndoing((await told()).execution, step); await rest(20))
        if (Date.now() > end) throw new Error(`our ${name} never came to undo ${step}`)
    },
    over: async () => void (await medusa.server.wait(await runOf())),
    async cancel() {
      await medusa.server.call<Run>('POST', `/v1/runs/${await runOf()}/cancel`, { compensate: true })
      await side.over()
    },
    async look(as) {
      looks[as] = await told()
    },
  }
  return {
    side,
    async account() {
      const end = await told()
      return {
        answers,
        calls: inOrder(calls, flow, callOf),
        events: inOrder(
          watcher.messages.map((message) => ({ type: message.event_type, step: stepOf(message) })),
          flow,
          stepIn,
        ).map(eventOf),
        ...looks,
        end,
      }
    },
  }
}
