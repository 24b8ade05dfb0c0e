import type { ListedRun, Report, StartRun, StepError } from '@sluice/schema'
import type { AdminCreateWorkflowsAsyncResponse, AdminCreateWorkflowsRun, WorkflowExecutionAcknowledgement } from '../contract.ts'
import { parentOf, transactionOf } from './execution.ts'
import { stepRef, transactionRef, workflowRef } from './ids.ts'
import { hasFailed, hasFinished, stateOf } from './states.ts'
import { failedSteps } from './context.ts'

/** What starts and moves executions. PURE; throws what is missing where a name can be that of nothing. */

/** As long as a caller may wait; what goes on then is looked up. */
const waiting = { until: 'parked', ms: 300_000 } as const

/** Answered when it waits for somebody else, for a time, or has ended. */
export const startOf = (workflow: string, { input, transaction_id = '' }: AdminCreateWorkflowsRun): StartRun => ({
  workflow: workflowRef(workflow),
  ...(input !== undefined && { input }),
  ...(transaction_id !== '' && { transactionId: transaction_id }),
  wait: waiting,
  include: ['steps'],
})

export function acknowledgementOf(run: ListedRun): WorkflowExecutionAcknowledgement {
  const state = stateOf(run)
  return { transactionId: transactionOf(run), workflowId: run.workflow, ...parentOf(run), hasFinished: hasFinished(state), hasFailed: hasFailed(state) }
}

/**
 * What kept a run from its end: what its first step failed with, or, of what no step was the cause of, why it ended. Null: it did
 * not fail, or was cancelled.
 */
export function failureOf(run: ListedRun): StepError | null {
  if (!hasFailed(stateOf(run))) return null
  const { steps = [], reason } = run
  const [first] = failedSteps(steps)
  if (first) return first.error
  return reason === null || run.status === 'cancelled' ? null : { code: 'error', message: reason.message }
}

/** The run goes on before the answer, as far as it goes by itself; how, is another matter. */
export function reportOf(workflow: string, outcome: Report['outcome'], said: AdminCreateWorkflowsAsyncResponse): Report {
  const { transaction_id, step_id, response, compensate_input, action = 'invoke' } = said
  return {
    run: { workflow: workflowRef(workflow), transactionId: transactionRef(transaction_id) },
    step: stepRef(step_id),
    phase: action,
    outcome,
    ...(response !== undefined && (outcome === 'completed' ? { output: response } : { error: errorOf(response) })),
    ...(compensate_input !== undefined && { compensateInput: compensate_input }),
    wait: waiting,
  }
}

/** Its message where it has one, else what was said as JSON; all of it is kept. */
function errorOf(response: NonNullable<AdminCreateWorkflowsAsyncResponse['response']> | null): NonNullable<Report['error']> {
  const message =
    typeof response === 'object' && response !== null && 'message' in response && typeof response['message'] === 'string' ? response['message'] : JSON.stringify(response)
  return { code: 'reported_failure', message, details: response }
}
