import type { Json, JsonObject, ListedRun, RunStep, StepError } from '@sluice/schema'
import type { ExecutionError, HandlerType, WorkflowExecutionContext } from '../contract.ts'
import { stepPart } from './ids.ts'
import { isCutOff, timedOut } from './states.ts'
import type { Tree } from './tree.ts'

/** What a run was given, and what its steps gave, as Medusa's engine keeps it: the marks of its classes are part of that. PURE and total. */

const responseMark = { __type: 'Symbol(WorkflowStepResponse)' }
const dataMark = { __type: 'Symbol(WorkflowWorkflowData)' }

export function contextOf(run: ListedRun, tree: Tree): WorkflowExecutionContext {
  const { input = null, steps = [] } = run
  const known = new Set(tree.steps.map(({ nodeId }) => nodeId))
  const byName = (value: (step: RunStep) => Json | undefined): JsonObject =>
    Object.fromEntries(
      steps.flatMap((step): [string, Json][] => {
        const kept = known.has(step.nodeId) ? value(step) : undefined
        return kept === undefined ? [] : [[stepPart(step.step), kept]]
      }),
    )
  const compensate = byName(undone)
  return { data: { payload: input, invoke: byName(given), compensate }, compensate, errors: errorsOf(run) }
}

/** A step that failed for good may have left something for its undoing. Of a report that had nothing to say, nothing is kept. */
function given({ state, reported, output, compensateInput }: RunStep): Json | undefined {
  if (state === 'failed') return compensateInput === undefined ? undefined : response(compensateInput, compensateInput)
  if (state !== 'completed') return undefined
  if (!reported) return { ...dataMark, output: response(output, compensateInput ?? output) }
  return output === null && compensateInput === undefined ? undefined : response(output, compensateInput ?? output)
}

const response = (output: Json, compensateInput: Json): JsonObject => ({ ...responseMark, output, compensateInput })

function undone({ compensation }: RunStep): Json | undefined {
  if (compensation?.state !== 'completed') return undefined
  return compensation.output === null ? {} : { output: compensation.output }
}

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Of what failed for good, in the order in which it did, and of what the time of the run cut off. */
export function errorsOf({ workflow, steps = [], reason }: Pick<ListedRun, 'workflow' | 'steps' | 'reason'>): ExecutionError[] {
  const late = timedOut(reason) ? steps.filter(isCutOff) : []
  const notUndone = steps.filter(({ compensation }) => compensation?.state === 'failed' && compensation.error !== null)
  return [
    ...failedSteps(steps).map(({ step, error, timedOutAt }) => errorOf(workflow, step, 'invoke', error!, timedOutAt === null ? undefined : 'TransactionStepTimeoutError')),
    ...late.map(({ step }) => errorOf(workflow, step, 'invoke', { code: 'timed_out', message: reason!.message }, 'TransactionTimeoutError')),
    ...notUndone.map(({ step, compensation }) => errorOf(workflow, step, 'compensate', compensation!.error!)),
  ]
}

export const failedSteps = (steps: readonly RunStep[]): RunStep[] =>
  steps.filter(({ state, error }) => state === 'failed' && error !== null).toSorted((one, other) => endOf(one) - endOf(other))

const endOf = ({ endedAt }: RunStep): number => (endedAt === null ? Infinity : Date.parse(endedAt))

/** What a step threw has a name, and a type where it is an error of Medusa's; what a report said of it is with it. */
function errorOf(workflow: string, step: string, handlerType: HandlerType, { code, message, details }: StepError, timeout?: string): ExecutionError {
  const action = stepPart(step)
  const known = isObject(details) ? details : details === undefined ? {} : { details }
  const name = timeout ?? nameOf(known['name'])
  const stack = `${name}: ${message}\n⮑ sat [${workflow} -> ${action} (${handlerType})]`
  return { action, handlerType, error: { ...known, ...(code !== 'error' && { code }), message, name, stack } }
}

/** Of an error by which a step says that it is not to be tried again, as Medusa calls it. */
function nameOf(name: Json | undefined): string {
  if (name === 'PermanentFailure') return 'PermanentStepFailure'
  return typeof name === 'string' ? name : 'Error'
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
