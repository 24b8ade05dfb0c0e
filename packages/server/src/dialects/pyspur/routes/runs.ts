import type { ListedRun, StartRun } from '@sluice/schema'
import { z } from 'zod'
import { type DialectRow, Other, route, type Said, type Setting } from '../../dialect.ts'
import {
  AllRunsQuery,
  HTTPError,
  NodeOutputs,
  offsetOf,
  PartialRunRequestSchema,
  RunPath,
  RunResponseSchema,
  RunTypeQuery,
  StartRunRequestSchema,
  TaskResponseSchema,
  WorkflowPath,
  WorkflowRunsQuery,
} from '../contract.ts'
import * as examples from '../examples.ts'
import { idOr, workflowRef } from '../mapping/ids.ts'
import { included, listedWith, outputsOf, runOf, statusOf, tasksOfRun } from '../mapping/run.ts'
import { runsListed, runsOfWorkflow } from '../mapping/runs.ts'
import { startOf, triedOutputs, trialOf } from '../mapping/start.ts'

const tags = ['runs']

/** As long as a caller may wait for a run; what goes on then is asked for by the run's id. */
const waiting = { until: 'paused', ms: 300_000 } as const

const started = {
  method: 'POST',
  tags,
  params: WorkflowPath,
  query: RunTypeQuery,
  body: StartRunRequestSchema,
  faults: ['workflow_missing', 'definition_invalid', 'session_missing'],
} as const
type Started = Said<z.output<typeof WorkflowPath>, z.output<typeof RunTypeQuery>, StartRunRequestSchema>

const start =
  (wait: StartRun['wait']) =>
  ({ path, query, body }: Started): StartRun => ({ ...startOf(workflowRef(path.workflow_id), body, query.run_type), wait })

/** What a client is told that waited; why a run failed, the run itself says. */
const messages: Partial<Record<RunResponseSchema['status'], { message: string }>> = {
  COMPLETED: { message: 'Workflow execution completed successfully.' },
  PAUSED: { message: 'Workflow execution is paused: it waits for a decision.' },
  RUNNING: { message: 'Workflow execution goes on: ask for its status.' },
}

const canceled = 'Workflow has been canceled successfully.'
const failed = (detail: string): Other => new Other(400, { detail })

const run = ({ path }: { path: { run_id: string } }) => ({ id: idOr('run_missing', path.run_id) })
const wholeRun = (said: { path: { run_id: string } }) => ({ ...run(said), ...included })

const told = (value: ListedRun, { now }: Setting): RunResponseSchema => runOf(value, { now })
const listed = ({ items }: { items: ListedRun[] }, { now }: Setting): RunResponseSchema[] => items.map((item) => runOf(item, { now }))

/** However it is asked for: nothing is changed by that. */
const asked = {
  method: 'GET',
  tags,
  params: RunPath,
  reply: RunResponseSchema,
  faults: ['run_missing'],
  example: { path: examples.oneRun, reply: examples.run },
  ask: wholeRun,
  answer: told,
} as const

/** Runs, as PySpur's page "Run management" and its public source have them. */
export const runRows: readonly DialectRow[] = [
  route('runs.start', {
    ...started,
    name: 'runWorkflow',
    path: '/wf/{workflow_id}/run/',
    summary: 'Run a workflow and wait for it',
    description:
      'Answers with what each node gave, by node id, when the run has ended, when nothing but a person can make it go on, or after five minutes. That a node failed is no error: what the others gave is there.',
    reply: NodeOutputs,
    example: { path: examples.one, body: examples.started, reply: examples.outputs },
    ask: start(waiting),
    answer: outputsOf,
  }),

  route('runs.start', {
    ...started,
    name: 'runWorkflowV2',
    path: '/wf/{workflow_id}/runv2/',
    summary: 'Run a workflow, wait for it, and get the run',
    reply: RunResponseSchema,
    example: { path: examples.one, body: examples.started, reply: { ...examples.pausedRun, ...messages.PAUSED } },
    ask: start(waiting),
    answer: (value, { now }) => runOf(value, { now, ...messages[statusOf(value)] }),
  }),

  route('runs.start', {
    ...started,
    name: 'startRun',
    path: '/wf/{workflow_id}/start_run/',
    summary: 'Start a run',
    description: 'Answers as soon as the run is kept. Ask for its status to see how it goes on.',
    reply: RunResponseSchema,
    example: { path: examples.one, body: examples.started, reply: examples.pendingRun },
    ask: start({ until: 'accepted', ms: 0 }),
    answer: told,
  }),

  route('workflows.try', {
    name: 'runPartialWorkflow',
    method: 'POST',
    path: '/wf/{workflow_id}/run_partial/',
    summary: 'Run one node, with those before it that have no output yet',
    description: 'Of the definition as it is now. It makes no run and no version; of `partial_outputs`, lists and those of input nodes are not used.',
    tags,
    params: WorkflowPath,
    body: PartialRunRequestSchema,
    reply: NodeOutputs,
    faults: ['workflow_missing'],
    others: { 400: { description: 'What kept the node from being run, or made it fail', schema: HTTPError } },
    example: { path: examples.one, body: { node_id: 'input_node', initial_inputs: examples.started.initial_inputs }, reply: { input_node: examples.outputs.input_node } },
    ask: ({ path, body }) => trialOf(workflowRef(path.workflow_id), body),
    answer: ({ status: ended, outputs, error }) => (ended === 'completed' ? triedOutputs(outputs) : failed(error?.message ?? `The node was ${ended}`)),
    onFault: ({ code, message, issues }) =>
      code === 'definition_invalid' || code === 'input_invalid' ? failed([message, ...issues.map((issue) => issue.message)].join('\n')) : undefined,
  }),

  route('runs.list', {
    name: 'getWorkflowRuns',
    method: 'GET',
    path: '/wf/{workflow_id}/runs/',
    summary: 'List the runs of a workflow, newest first',
    description: 'Those begun from `start_date` to `end_date`, both included. A workflow that is not there has none.',
    tags,
    params: WorkflowPath,
    query: WorkflowRunsQuery,
    reply: z.array(RunResponseSchema),
    example: { path: examples.one, query: { page: 1, page_size: 10, status: 'COMPLETED' }, reply: [examples.run] },
    ask: ({ path, query }) => ({ ...runsOfWorkflow(workflowRef(path.workflow_id), query), offset: offsetOf(query), limit: query.page_size }),
    answer: listed,
    onFault: ({ code }) => (code === 'workflow_missing' ? [] : undefined),
  }),

  route('runs.cancel', {
    name: 'cancelWorkflow',
    method: 'POST',
    path: '/wf/cancel_workflow/{run_id}/',
    summary: 'Cancel a run',
    description: 'What it is doing is told to stop, and none of it counts. A run that waits to begin is canceled too; a canceled one is answered as it is.',
    tags,
    params: RunPath,
    reply: RunResponseSchema,
    faults: ['run_missing'],
    others: { 400: { description: 'The run has ended, or is being undone', schema: HTTPError } },
    example: { path: examples.oneRun, reply: { ...examples.canceledRun, message: canceled } },
    ask: wholeRun,
    answer(value, { now }) {
      const ended = statusOf(value)
      if (ended === 'COMPLETED' || ended === 'FAILED') return failed(`Run is in state RunStatus.${ended} and cannot be canceled.Only PAUSED or RUNNING runs can be canceled.`)
      return runOf(value, { now, message: canceled })
    },
  }),

  route('runs.list', {
    name: 'listRuns',
    method: 'GET',
    path: '/run/',
    summary: 'List runs, newest first',
    tags,
    query: AllRunsQuery,
    reply: z.array(RunResponseSchema),
    example: { query: { page: 1, page_size: 10, run_type: 'interactive' }, reply: [examples.run] },
    ask: ({ query }) => ({ ...runsListed(query), offset: offsetOf(query), limit: query.page_size }),
    answer: listed,
  }),

  route('runs.get', { ...asked, name: 'getRun', path: '/run/{run_id}/', summary: 'Get a run' }),
  route('runs.get', { ...asked, name: 'getRunStatus', path: '/run/{run_id}/status/', summary: 'Get a run, to see how it goes on', description: 'Changes nothing.' }),
  route('runs.get', {
    ...asked,
    name: 'getRunStatusOfDeployment',
    path: '/runs/{run_id}/status/',
    summary: 'The same, at the address that the Deploy dialog shows',
    extension: true,
  }),

  route('runs.get', {
    name: 'getRunTasks',
    method: 'GET',
    path: '/run/{run_id}/tasks/',
    summary: 'List the tasks of a run',
    tags,
    params: RunPath,
    reply: z.array(TaskResponseSchema),
    faults: ['run_missing'],
    example: { path: examples.oneRun, reply: examples.run.tasks },
    ask: wholeRun,
    answer: tasksOfRun,
  }),

  route('runs.list', {
    name: 'getRunChildren',
    method: 'GET',
    path: '/run/{run_id}/children/',
    summary: 'List the runs that a run started, newest first',
    description: 'The newest hundred. A run that is not there has none.',
    tags,
    params: RunPath,
    reply: z.array(RunResponseSchema),
    example: { path: examples.oneRun, reply: [{ ...examples.run, parent_run_id: examples.run.id, run_type: 'parent' }] },
    ask: (said) => ({ where: { parentRunId: run(said).id }, whole: true, limit: 100, ...listedWith }),
    answer: listed,
    onFault: ({ code }) => (code === 'run_missing' ? [] : undefined),
  }),

  route('runs.delete', {
    name: 'deleteRun',
    method: 'DELETE',
    path: '/run/{run_id}/',
    summary: 'Delete a run that has ended, with those it started',
    tags,
    params: RunPath,
    reply: z.void(),
    status: 204,
    faults: ['run_missing', 'run_live', 'run_is_child'],
    example: { path: examples.oneRun },
    ask: run,
    answer: () => undefined,
  }),
]
