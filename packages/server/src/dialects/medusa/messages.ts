import { Json, type JsonObject, type RunEvent, type RunStep } from '@sluice/schema'
import { z } from 'zod'
import type { Passage, SocketMessage, Told } from '../dialect.ts'
import { ExecutionError, ExecutionStep } from './contract.ts'
import { errorsOf } from './mapping/context.ts'
import { stepOf, transactionOf } from './mapping/execution.ts'
import { stepPart } from './mapping/ids.ts'
import { isCutOff, stateOf, timedOut } from './mapping/states.ts'
import { type Tree, type TreeStep, treeOf } from './mapping/tree.ts'

/**
 * What subscribers of Medusa's are told of a run, each message made of one event and of how the run stood around it. PURE and
 * total. Source: the route `subscribe` of its repository, and what its engine emits when.
 */

// ── what is said ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const eventTypes = [
  'onBegin',
  'onResume',
  'onStepBegin',
  'onStepAwaiting',
  'onStepSuccess',
  'onStepFailure',
  'onTimeout',
  'onCompensateBegin',
  'onCompensateStepSuccess',
  'onCompensateStepFailure',
  'onFinish',
] as const
export type EventType = (typeof eventTypes)[number]

export const WorkflowEvent = z.object({
  event_type: z.enum(eventTypes),
  workflow_id: z.string(),
  transaction_id: z.string(),
  step: ExecutionStep.optional(),
  response: Json.optional(),
  result: Json.optional(),
  errors: z.array(ExecutionError).optional(),
})
export type WorkflowEvent = z.output<typeof WorkflowEvent>

// ── of which event ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Of all steps, or of one, by its name or its id: then of the run only that it is over. */
export function messagesOf(item: Told, passage: Passage | null, stepId?: string): WorkflowEvent[] {
  if (passage === null) return []
  if (item.type === 'snapshot') return item.run?.endedAt ? [finishOf(passage.after)] : []
  if (!isOfRun(item)) return []
  if ('nodeType' in item) return ofStep(item, passage, stepId)
  const told = ofRun(item, passage)
  return stepId === undefined ? told : told.filter(({ event_type: type }) => type === 'onFinish')
}

const isOfRun = (item: Told): item is RunEvent => 'subject' in item && item.subject.kind === 'run'

type Account = Passage['after']

const base = <T extends EventType>(event_type: T, { run }: Account): Pick<WorkflowEvent, 'event_type' | 'workflow_id' | 'transaction_id'> => ({
  event_type,
  workflow_id: run.workflow,
  transaction_id: transactionOf(run),
})

/** An engine of Medusa's always goes back when a run has failed, whether or not there is anything to undo. */
function ofRun(event: RunEvent, { before, after }: Passage): WorkflowEvent[] {
  switch (event.type) {
    case 'run.started':
      return [base('onBegin', after)]
    case 'run.compensating':
      return backOf(after)
    case 'run.completed':
      return [finishOf(after)]
    case 'run.failed':
    case 'run.cancelled':
    case 'run.compensated':
      return [...(before.undoneAt === null ? backOf(after) : []), finishOf(after)]
    default:
      return []
  }
}

const backOf = (account: Account): WorkflowEvent[] => [...(timedOut(account.reason) ? lateIn(account) : []), base('onCompensateBegin', account)]

/** The time of a run takes it up, and fails what it cuts off. */
function lateIn(account: Account): WorkflowEvent[] {
  const steps = [...account.steps.values()].filter(isCutOff)
  const errors = errorsOf({ workflow: account.run.workflow, reason: account.reason, steps })
  const failures = steps.flatMap((step): WorkflowEvent[] => {
    const place = placeOf(account, step.nodeId)
    return place ? [{ ...base('onStepFailure', account), step: shown(place, step, account), errors: errors.filter(({ action }) => action === place.name) }] : []
  })
  return [base('onResume', account), ...failures, base('onTimeout', account)]
}

function finishOf(account: Account): WorkflowEvent {
  const errors = errorsOf({ workflow: account.run.workflow, reason: account.reason, steps: [...account.steps.values()] })
  return { ...base('onFinish', account), ...(account.status === 'completed' && { result: account.output }), errors }
}

// ── of a step ──────────────────────────────────────────────────────────────────────────────────────────────────────────

type StepEvent = Extract<RunEvent, { nodeType: string }>

function ofStep(event: StepEvent, { before, after }: Passage, stepId: string | undefined): WorkflowEvent[] {
  const place = placeOf(after, event.nodeId)
  const step = after.steps.get(event.nodeId)
  if (!place || !step || (stepId !== undefined && stepPart(stepId) !== place.name && stepId !== place.id)) return []
  const told = (type: EventType, more: Partial<WorkflowEvent> = {}): WorkflowEvent => ({ ...base(type, after), step: shown(place, step, after), ...more })
  const was = before.steps.get(event.nodeId)
  const resumed = stepId === undefined && isResumed(place, was) ? [base('onResume', after)] : []
  const errors = (of: RunStep) => ({ errors: errorsOf({ workflow: after.run.workflow, reason: null, steps: [of] }) })
  switch (event.type) {
    case 'step.started':
      return [...resumed, told('onStepBegin')]
    case 'step.waiting':
      return isAwaited(place, event.kind) ? [told('onStepAwaiting')] : []
    case 'step.completed':
      return [...resumed, told('onStepSuccess', { response: step.output })]
    case 'step.retrying':
      return [...resumed, told('onStepFailure', errors({ ...step, state: 'failed' }))]
    case 'step.failed':
      return [...resumed, told('onStepFailure', errors(step)), ...(step.timedOutAt !== null && stepId === undefined ? [base('onTimeout', after)] : [])]
    case 'step.compensating':
      return [...failedBefore(place, was, before), told('onStepBegin')]
    case 'step.compensated':
      return [told('onCompensateStepSuccess')]
    case 'step.compensation_failed':
      return [told('onCompensateStepFailure', errors({ ...step, state: 'completed' }))]
    default:
      return []
  }
}

/** What runs below a step is part of it, unless the step says that it is waited for. */
const isAwaited = ({ definition }: TreeStep, kind: string): boolean => kind !== 'child' || definition.async === true

/** Somebody has answered, or the time of its next attempt has come: an engine of Medusa's takes up the run for that. */
function isResumed(place: TreeStep, before: RunStep | undefined): boolean {
  if (before?.state === 'waiting') return isAwaited(place, before.waitingFor?.kind ?? '')
  return before?.state === 'retrying' && (place.definition.retryInterval !== undefined || place.definition.autoRetry === false)
}

/** That an attempt at undoing has failed, the next one tells. */
function failedBefore(place: TreeStep, before: RunStep | undefined, account: Account): WorkflowEvent[] {
  if (before?.compensation?.state !== 'running') return []
  const failed: RunStep = { ...before, compensation: { ...before.compensation, state: 'retrying', failures: before.compensation.failures + 1 } }
  return [{ ...base('onCompensateStepFailure', account), step: shown(place, failed, account), errors: [] }]
}

function shown(place: TreeStep, step: RunStep, account: Account): ExecutionStep {
  const { status, reason, steps, pinned, endedAt, undoneAt } = account
  const state = stateOf({ status, reason, steps: [...steps.values()], pinned })
  return stepOf(place, step, { state, timedOutAt: timedOut(reason) ? (endedAt ?? undoneAt) : null, endedAt })
}

// ── where a step stands ────────────────────────────────────────────────────────────────────────────────────────────────

const places = new WeakMap<Account['pinned'], ReadonlyMap<string, TreeStep>>()

/** Undefined: it is no step of its own. The tree of a version is drawn once. */
function placeOf({ pinned }: Account, nodeId: string): TreeStep | undefined {
  let known = places.get(pinned)
  if (!known) {
    const { steps }: Tree = treeOf(pinned)
    places.set(pinned, (known = new Map(steps.map((step) => [step.nodeId, step]))))
  }
  return known.get(nodeId)
}

// ── as they are described ──────────────────────────────────────────────────────────────────────────────────────────────

const ids = { workflow_id: 'order', transaction_id: 'order-42' }

const step = {
  stepFailed: false,
  id: '_root.reserve.charge',
  uuid: '01KG8V3Z7M5T0QF6W2X9R4B1CD',
  depth: 2,
  definition: { action: 'charge', uuid: '01KG8V3Z7M5T0QF6W2X9R4B1CD', noCompensation: false, store: false },
  saveResponse: true,
  invoke: { state: 'invoking', status: 'waiting_response' },
  compensate: { state: 'dormant', status: 'idle' },
  attempts: 1,
  failures: 0,
  lastAttempt: 1_769_860_800_500,
  next: ['_root.reserve.charge.ship'],
  _v: 0,
  startedAt: 1_769_860_800_500,
} satisfies JsonObject

const done = { ...step, invoke: { state: 'done', status: 'ok' } }
const failed = { ...step, invoke: { state: 'failed', status: 'permanent_failure' }, failures: 1 }
const undone = { ...step, stepFailed: true, invoke: { state: 'done', status: 'ok' }, compensate: { state: 'reverted', status: 'ok' } }
const declined = { message: 'The card was declined', name: 'Error', stack: 'Error: The card was declined\n⮑ sat [order -> charge (invoke)]' }
const errors = [{ action: 'charge', handlerType: 'invoke', error: declined }]

const told = (summary: string, event_type: EventType, more: JsonObject = {}): SocketMessage => ({ summary, schema: WorkflowEvent, example: { event_type, ...ids, ...more } })

export const tells: Readonly<Record<EventType, SocketMessage>> = {
  onBegin: told('The execution has begun', 'onBegin'),
  onResume: told('It is taken up again: a step that was waited for has an outcome, or is to be tried again', 'onResume'),
  onStepBegin: told('An attempt of a step, or of its undoing, has begun', 'onStepBegin', { step }),
  onStepAwaiting: told('The outcome of a step is waited for', 'onStepAwaiting', { step }),
  onStepSuccess: told('A step has succeeded', 'onStepSuccess', { step: done, response: { payment: 'pay_7' } }),
  onStepFailure: told('An attempt of a step has failed', 'onStepFailure', { step: failed, errors }),
  onTimeout: told('The time of a step, or of the execution, was up', 'onTimeout'),
  onCompensateBegin: told('What was done is undone from here on', 'onCompensateBegin'),
  onCompensateStepSuccess: told('A step has been undone', 'onCompensateStepSuccess', { step: undone }),
  onCompensateStepFailure: told('A step could not be undone', 'onCompensateStepFailure', {
    step: { ...undone, compensate: { state: 'failed', status: 'permanent_failure' } },
    errors: [{ ...errors[0]!, handlerType: 'compensate' }],
  }),
  onFinish: told('The execution is over', 'onFinish', { result: { tracking: 'T-42' }, errors: [] }),
}
