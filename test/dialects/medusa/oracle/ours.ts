import type { Json, Run } from '@sluice/schema'
import { defineWorkflow, done, type Flow, permanentFailure } from '@sluice/server'
import type { OnFailure } from '../../../../packages/server/src/code/draft.ts'
import type { Retry, StepOptions } from '../../../../packages/server/src/code/steps.ts'
import type { WrittenWorkflow } from '../../../../packages/server/src/code/written.ts'
import type { WorkflowEvent } from '../../../../packages/server/src/dialects/medusa/messages.ts'
import { executions, type MedusaServer, ok } from '../server.ts'
import type { Watcher } from '../watch.ts'
import type { Reported } from './engine.ts'
import {
  type Account,
  type Attempted,
  called,
  callOf,
  type Case,
  type Comes,
  eventOf,
  inOrder,
  isUndoing,
  type Options,
  rest,
  type Side,
  stepIn,
  thrown,
  type Told,
  type Value,
} from './sides.ts'

/** The same flows as they are written here, run by a server, and driven and told by its face of Medusa. */

function ourOutcome(comes: Comes): unknown {
  if (comes === 'waits') return undefined
  if ('fails' in comes) return thrown(comes.fails)
  if ('failsForGood' in comes) return permanentFailure(comes.failsForGood, comes.leaves)
  return comes.leaves === undefined ? comes.gives : done(comes.gives, comes.leaves)
}

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
      await watcher.told(`a wait at ${step}`, () => watcher.messages.filter(isOne).length >= times)
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
