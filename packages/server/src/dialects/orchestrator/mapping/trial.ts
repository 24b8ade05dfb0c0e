import { type JsonObject, limits, type Trial, type TryNode, type TryNodeType } from '@sluice/schema'
import { identifierOf, typeFor } from '../nodes.ts'
import { metaNamed } from '../palette.ts'
import { formErrorsOf, textOf } from './unfit.ts'
import type { Problem } from '../../../rpc/faults.ts'
import type { ApiError, ExecuteNodeRequest, ExecuteNodeResponse, ExecuteNodeTypeRequest, ExecuteNodeTypeResponse, Output } from '../contract.ts'
import { formOf } from '../forms.ts'

/** One node by itself, as it is asked for and told. PURE and total. */

/** Seconds; none and 0 are as long as there may be. */
const msOf = (seconds: number | null): number => (seconds === null || seconds === 0 ? limits.trialMs : Math.min(Math.max(1, Math.ceil(seconds * 1000)), limits.trialMs))

/** How long there was, in seconds. */
export const secondsOf = (timeout: number | null): number => msOf(timeout) / 1000

/** An empty name is none. */
const sessionOf = (session: string | null): { session?: string } => (session === null || session === '' ? {} : { session })

/** What is handed in stands for what leads to it: no other node is run. */
export const trialOf = (at: { workflow: string; nodeId: string }, { form_values, input_data, session_id, timeout }: ExecuteNodeRequest): TryNode => ({
  ...at,
  data: input_data ?? {},
  ...(form_values && { config: form_values }),
  ...sessionOf(session_id),
  save: true,
  timeoutMs: msOf(timeout),
})

export const typeTrialOf = (type: string, { form_data, input_data, session_id, timeout }: ExecuteNodeTypeRequest): TryNodeType => ({
  type: typeFor(type),
  config: form_data ?? {},
  data: input_data ?? {},
  ...sessionOf(session_id),
  timeoutMs: msOf(timeout),
})

export const outputOf = ({ runId, output, ended, durationMs }: Trial): Output => ({
  id: runId,
  data: output ?? {},
  metadata: { ...(ended && { __execution_completed__: true as const }), duration_ms: durationMs },
})

export const hasTimedOut = ({ status, error }: Trial): boolean => status !== 'completed' && error?.code === 'timed_out'

export const whyFailed = ({ status, error }: Trial): string => error?.message ?? `The node was ${status}`

export function executedNode(trial: Trial, { session_id, input_data }: ExecuteNodeRequest): ExecuteNodeResponse {
  const { status, nodeId, type, config } = trial
  const failed = status !== 'completed'
  return {
    success: !failed,
    node_id: nodeId,
    node_type: identifierOf(type),
    input_data: input_data ?? {},
    form_values: config,
    output: failed ? null : outputOf(trial),
    error: failed ? whyFailed(trial) : null,
    error_type: failed ? 'ExecutionError' : null,
    message: failed ? null : 'Node executed successfully',
    form: null,
    session_id,
  }
}

export const executedType = (trial: Trial, { session_id, input_data, form_data }: ExecuteNodeTypeRequest): ExecuteNodeTypeResponse => ({
  success: true,
  node: { name: metaNamed(identifierOf(trial.type))?.name ?? trial.type, identifier: identifierOf(trial.type) },
  input: input_data ?? {},
  form_data: form_data ?? {},
  session_id,
  output: outputOf(trial),
})

/** What is wrong with the values of a form, and, where they were sent, the form with them filled in. */
export function unfitForm({ issues, details }: Problem, values: JsonObject | null): { error: string; more: Pick<ApiError, 'error_type' | 'errors' | 'form'> } {
  const errors = formErrorsOf(issues)
  const { type } = details
  const form = values && typeof type === 'string' ? formOf(identifierOf(type), values) : null
  return { error: `Form validation failed: ${textOf(errors)}`, more: { error_type: 'FormValidationError', errors, ...(form && { form }) } }
}
