import type { StartRun } from '@sluice/schema'
import { z } from 'zod'
import { type DialectRow, route } from '../../dialect.ts'
import { ApiError, CeleryTask, Task, TaskQuery, WorkflowPath } from '../contract.ts'
import { refused } from '../errors.ts'
import * as examples from '../examples.ts'
import { idOr, workflowRef } from '../mapping/ids.ts'
import { celeryTaskOf, startedTask, stoppedTask, taskOf, unknownTask } from '../mapping/task.ts'

const tags = ['execution']

/** Of a workflow at most one run at a time is started here: who starts it again is answered with the one there is. */
const start = ({ path }: { path: { workflow_id: string } }): StartRun => ({
  workflow: workflowRef(path.workflow_id),
  lane: { key: 'canvas', of: 'workflow', whenBusy: 'join' },
  trigger: 'canvas',
  wait: { until: 'accepted', ms: 0 },
})

/** The current run of the workflow, or the one that is named. */
const current = ({ path, query }: { path: { workflow_id: string }; query: { task_id?: string | undefined } }) => ({
  workflow: workflowRef(path.workflow_id),
  ...(query.task_id !== undefined && { run: idOr('run_missing', query.task_id) }),
})

const starting = {
  tags,
  params: WorkflowPath,
  reply: Task,
  faults: ['workflow_missing', 'definition_invalid'],
  example: { path: examples.one, reply: examples.startedTask },
  ask: start,
  answer: startedTask,
} as const

const stopping = {
  tags,
  params: WorkflowPath,
  query: TaskQuery,
  reply: Task,
  faults: ['workflow_missing'],
  example: { path: examples.one, reply: examples.stoppedTask },
  ask: current,
  answer: stoppedTask,
} as const

const twinOf = (method: string): string => `The same as the ${method} at this address, for clients that mind what a GET is.`

const taskPath = z.object({ task_id: z.string() })

/** Of the page "API Reference" what runs workflows. */
export const executionRows: readonly DialectRow[] = [
  route('runs.start', {
    ...starting,
    name: 'startExecution',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/start_execution/',
    summary: 'Start a workflow',
    description:
      'Of its nodes and connections as they are now. While a run of it goes on, that one is answered, so that asking again starts nothing. A workflow that cannot run is a 422 that tells what is wrong with which field of which node.',
  }),
  route('runs.start', {
    ...starting,
    name: 'postStartExecution',
    method: 'POST',
    path: '/api/workflow/{workflow_id}/start_execution/',
    summary: 'Start a workflow',
    description: twinOf('GET'),
    extension: true,
  }),

  route('runs.stop', {
    ...stopping,
    name: 'stopExecution',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/stop_execution/',
    summary: 'Stop a workflow',
    description:
      'The run that goes on, or the one that `task_id` names. What it is doing is told to stop, and none of it counts. Where nothing runs, nothing is done: how the last run ended is answered.',
    onFault: ({ code }, _setting, { query }) => (code === 'run_missing' && query.task_id === undefined ? { task_id: null, status: 'REVOKED' as const } : undefined),
  }),
  route('runs.stop', {
    ...stopping,
    name: 'postStopExecution',
    method: 'POST',
    path: '/api/workflow/{workflow_id}/stop_execution/',
    summary: 'Stop a workflow',
    description: twinOf('GET'),
    extension: true,
    onFault: ({ code }, _setting, { query }) => (code === 'run_missing' && query.task_id === undefined ? { task_id: null, status: 'REVOKED' as const } : undefined),
  }),

  route('runs.current', {
    name: 'getTaskStatus',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/task_status/',
    summary: 'Get how the execution of a workflow goes on, or ended',
    description: 'Of the run that goes on, else of the last one; or of the one that `task_id` names.',
    tags,
    params: WorkflowPath,
    query: TaskQuery,
    reply: Task,
    faults: ['workflow_missing', 'run_missing'],
    others: { 400: { description: 'The workflow was never started', schema: ApiError } },
    example: { path: examples.one, reply: examples.endedTask },
    ask: current,
    answer: taskOf,
    onFault: ({ code }, _setting, { query }) => (code === 'run_missing' && query.task_id === undefined ? refused(400, 'No task associated with this workflow') : undefined),
  }),

  route('runs.get', {
    name: 'getCeleryTaskStatus',
    method: 'GET',
    path: '/api/celery/task/{task_id}/status/',
    summary: 'Get how a task goes on, or ended',
    description: 'An id that names none is that of a task which is pending, as Celery has it.',
    tags,
    extension: true,
    params: taskPath,
    reply: CeleryTask,
    example: { path: examples.oneTask, reply: examples.celeryTask },
    ask: ({ path }) => ({ id: idOr('run_missing', path.task_id) }),
    answer: celeryTaskOf,
    onFault: ({ code }, _setting, { path }) => (code === 'run_missing' ? unknownTask(path.task_id) : undefined),
  }),
]
