import type { Report } from '@sluice/schema'
import { type DialectRow, Other, route, type Said } from '../../dialect.ts'
import type { Problem } from '../../../rpc/faults.ts'
import {
  AdminCreateWorkflowsAsyncResponse,
  AdminCreateWorkflowsRun,
  type AdminWorkflowExecution,
  AdminWorkflowExecutionResponse,
  ApiError,
  ExecutionPath,
  ExecutionQuery,
  ExecutionsQuery,
  getworkflowsexecutions_body,
  postworkflowsexecutionsworkflow_idrun_body,
  postworkflowsexecutionsworkflow_idstepsfailure_body,
  postworkflowsexecutionsworkflow_idstepssuccess_body,
  TransactionPath,
  WorkflowPath,
} from '../contract.ts'
import { executionMissing, refused, stepFailed, transactionMissing, workflowMissing } from '../errors.ts'
import * as examples from '../examples.ts'
import { asked, listed, page, told } from '../mapping/executions.ts'
import { runId, transactionRef, workflowRef } from '../mapping/ids.ts'
import { statusOfRefused } from '../mapping/states.ts'
import { acknowledgementOf, failureOf, reportOf, startOf } from '../mapping/start.ts'

const tags = ['workflows executions']

const isMissing = ({ code }: Problem): boolean => code === 'run_missing' || code === 'workflow_missing'

type Of = Said<{ workflow_id: string }>
const workflowOf = ({ code }: Problem, { path }: Of): Other | undefined => (code === 'workflow_missing' ? workflowMissing(path.workflow_id) : undefined)

const reported = {
  method: 'POST',
  tags,
  params: WorkflowPath,
  body: AdminCreateWorkflowsAsyncResponse,
  faults: ['workflow_missing', 'run_missing', 'step_missing', 'step_ambiguous', 'step_not_waiting', 'report_conflict'],
} as const

type Reported = Said<{ workflow_id: string }, unknown, AdminCreateWorkflowsAsyncResponse>

const report =
  (outcome: Report['outcome']) =>
  ({ path, body }: Reported): Report =>
    reportOf(path.workflow_id, outcome, body)

const succeeded = (): { success: true } => ({ success: true })

const notTaken =
  (outcome: 'success' | 'failure') =>
  (problem: Problem, _setting: unknown, said: Reported): Other | undefined => {
    const { code, details } = problem
    if (code === 'run_missing') return transactionMissing(said.body.transaction_id)
    if (code !== 'step_not_waiting' && code !== 'report_conflict') return workflowOf(problem, said)
    return refused('not_allowed', `Cannot set step ${outcome} when status is ${statusOfRefused({ state: details['state'], compensation: details['compensation'] })}`)
  }

const selecting =
  '`fields` is a list with commas. With a name that has no sign it is all that is told; else `+a` adds to what is told anyway, `-a` takes away, `*a` or `a.*` is all of it. `a.b` is a part of `a`. The id is always told.'

const failures = {
  400: { description: 'What was sent does not fit, or the step failed with such an error', schema: ApiError },
  404: { description: 'There is no such workflow, or the step failed with such an error', schema: ApiError },
  409: { description: 'The transaction goes on with another input, or the step failed with such an error', schema: ApiError },
  422: { description: 'The step failed with such an error, or a limit was exceeded', schema: ApiError },
  500: { description: 'A step failed: what it said is the message', schema: ApiError },
} as const

/** Workflow executions, as Medusa's page on them has them. */
export const executionRows: readonly DialectRow[] = [
  route('runs.list', {
    name: 'GetWorkflowsExecutions',
    method: 'GET',
    path: '/admin/workflows-executions',
    summary: 'List workflow executions',
    description: [
      'Newest first, unless it is asked otherwise: `order` is a field, downwards with a `-` before it. Filters hold together; a list is any of its values.',
      selecting,
    ].join('\n\n'),
    tags,
    query: ExecutionsQuery,
    reply: getworkflowsexecutions_body,
    faults: ['limit_exceeded'],
    example: { query: { limit: 20, order: '-created_at' }, reply: { workflow_executions: [examples.execution], count: 1, offset: 0, limit: 20 } },
    ask: ({ query }) => listed(query),
    answer: ({ items, total = 0 }, _setting, { query }) => ({
      workflow_executions: page(items, query) as AdminWorkflowExecution[],
      count: total,
      offset: query.offset,
      limit: query.limit,
    }),
  }),

  route('runs.get', {
    name: 'GetWorkflowsExecutionsId',
    method: 'GET',
    path: '/admin/workflows-executions/{id}',
    summary: 'Get a workflow execution',
    description: selecting,
    tags,
    params: ExecutionPath,
    query: ExecutionQuery,
    reply: AdminWorkflowExecutionResponse,
    faults: ['run_missing'],
    example: { path: { id: examples.execution.id }, reply: { workflow_execution: examples.execution } },
    ask: ({ path, query }) => ({ id: runId(path.id), ...asked(query.fields) }),
    answer: (run, _setting, { query }) => ({ workflow_execution: told(run, query.fields) as AdminWorkflowExecution }),
    onFault: (problem, _setting, { path }) => (isMissing(problem) ? executionMissing({ id: path.id }) : undefined),
  }),

  route('runs.find', {
    name: 'GetWorkflowsExecutionsWorkflow_idTransaction_id',
    method: 'GET',
    path: '/admin/workflows-executions/{workflow_id}/{transaction_id}',
    summary: 'Get the execution of a transaction',
    description: `Of several the one that goes on, else the newest.\n\n${selecting}`,
    tags,
    params: TransactionPath,
    query: ExecutionQuery,
    reply: AdminWorkflowExecutionResponse,
    faults: ['workflow_missing', 'run_missing'],
    example: { path: examples.transaction, reply: { workflow_execution: examples.execution } },
    ask: ({ path, query }) => ({ workflow: workflowRef(path.workflow_id), transactionId: transactionRef(path.transaction_id), ...asked(query.fields) }),
    answer: (run, _setting, { query }) => ({ workflow_execution: told(run, query.fields) as AdminWorkflowExecution }),
    onFault: (problem, _setting, { path }) => (isMissing(problem) ? executionMissing(path) : undefined),
  }),

  route('runs.start', {
    name: 'PostWorkflowsExecutionsWorkflow_idRun',
    method: 'POST',
    path: '/admin/workflows-executions/{workflow_id}/run',
    summary: 'Execute a workflow',
    description: [
      'Answers when it has ended, when it waits for somebody else or for a time, or after five minutes. What it returns is in no answer; what its steps gave is in the context of the execution.',
      'Where it has failed, the answer is the error of the step that failed first: of a type of Medusa’s under its status, any other under 500.',
      'A transaction that goes on is not started again: the answer is how far it is. One that has ended is run anew, unless the workflow is idempotent: then the answer is how it ended.',
    ].join('\n\n'),
    tags,
    params: WorkflowPath,
    body: AdminCreateWorkflowsRun.prefault({}),
    reply: postworkflowsexecutionsworkflow_idrun_body,
    faults: ['workflow_missing', 'definition_invalid', 'transaction_conflict'],
    others: failures,
    example: {
      path: { workflow_id: examples.transaction.workflow_id },
      body: { input: examples.input, transaction_id: examples.transaction.transaction_id },
      reply: { acknowledgement: examples.acknowledgement },
    },
    ask: ({ path, body }) => startOf(path.workflow_id, body),
    answer(run) {
      const error = failureOf(run)
      return error === null ? { acknowledgement: acknowledgementOf(run) } : stepFailed(error)
    },
    onFault: (problem, _setting, said) => workflowOf(problem, said),
  }),

  route('steps.report', {
    ...reported,
    name: 'PostWorkflowsExecutionsWorkflow_idStepsSuccess',
    path: '/admin/workflows-executions/{workflow_id}/steps/success',
    summary: 'Succeed a step of an execution',
    description:
      'Of a step that waits for it, by the name of the step. The same again is answered alike, another outcome is refused. The execution goes on before the answer, as far as it goes by itself; that a later step fails is no error of this.',
    reply: postworkflowsexecutionsworkflow_idstepssuccess_body,
    example: { path: { workflow_id: examples.transaction.workflow_id }, body: examples.success, reply: { success: true } },
    ask: report('completed'),
    answer: succeeded,
    onFault: notTaken('success'),
  }),

  route('steps.report', {
    ...reported,
    name: 'PostWorkflowsExecutionsWorkflow_idStepsFailure',
    path: '/admin/workflows-executions/{workflow_id}/steps/failure',
    summary: 'Fail a step of an execution',
    description:
      'It counts as one failure: with attempts left the step is tried again, else the execution is undone. What was sent as `response` is kept as the error, its `message` as the message.',
    reply: postworkflowsexecutionsworkflow_idstepsfailure_body,
    example: { path: { workflow_id: examples.transaction.workflow_id }, body: examples.failure, reply: { success: true } },
    ask: report('failed'),
    answer: succeeded,
    onFault: notTaken('failure'),
  }),
]
