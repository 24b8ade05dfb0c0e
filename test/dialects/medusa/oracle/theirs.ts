import type { Json } from '@sluice/schema'
import { type Engine, type Reported, sdk } from './engine.ts'
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
  type Phase,
  rest,
  type Side,
  stepIn,
  thrown,
  type Told,
  type Value,
} from './sides.ts'

/** Flows as they are composed with Medusa's own packages, and run by its engine. */

function theirOutcome(comes: Comes, phase: Phase): unknown {
  if (comes === 'waits') return undefined
  if ('fails' in comes) return thrown(comes.fails)
  if ('failsForGood' in comes) return sdk.StepResponse.permanentFailure(comes.failsForGood, comes.leaves)
  // What undoing gives is a plain value there.
  return phase === 'compensate' ? comes.gives : new sdk.StepResponse(comes.gives, comes.leaves)
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
      until(`wait at ${step}`, () => engine.happened(name, transaction).filter((event) => event.type === 'onStepAwaiting' && event.step === step).length >= times),
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
