import { z } from 'zod'
import { type DialectRow, route } from '../../dialect.ts'
import { CanvasData, OrderQuery, PatchedWorkflowRequest, RawConfig, Workflow, WorkflowPath, WorkflowRequest } from '../contract.ts'
import * as examples from '../examples.ts'
import { workflowRef } from '../mapping/ids.ts'
import { canvasOf, rawConfigOf } from '../mapping/nodes.ts'
import { coreOrder, orderingOf, sorted } from '../mapping/ordering.ts'
import { changedWorkflowOf, newWorkflowOf, workflowOf } from '../mapping/workflow.ts'

const tags = ['workflows']

/** As many as a list has: it is answered as a whole. */
const whole = 1_000

const one = ({ path }: { path: { workflow_id: string } }) => ({ workflow: workflowRef(path.workflow_id) })
const withSamples = (said: { path: { workflow_id: string } }) => ({ ...one(said), include: ['samples' as const] })

/** What all rows about one workflow have in common. */
const ofOne = { tags, params: WorkflowPath, faults: ['workflow_missing'] } as const

/** Of the page "API Reference" what is about workflows as such. */
export const workflowRows: readonly DialectRow[] = [
  route('workflows.create', {
    name: 'createWorkflow',
    method: 'POST',
    path: '/api/workflow/',
    summary: 'Create a workflow',
    description: 'Answered as a whole. `last_run` and `runs_count` are taken and told of its runs.',
    tags,
    body: WorkflowRequest,
    reply: Workflow,
    status: 201,
    example: { body: examples.newWorkflow, reply: examples.workflow },
    ask: ({ body }) => newWorkflowOf(body),
    answer: workflowOf,
  }),

  route('workflows.list', {
    name: 'listWorkflows',
    method: 'GET',
    path: '/api/workflow/',
    summary: 'List workflows, newest first',
    description: `The newest ${whole}, or as \`ordering\` says: names of fields with commas, a \`-\` before one is downwards.`,
    tags,
    query: OrderQuery,
    reply: z.array(Workflow),
    example: { query: { ordering: '-updated_at,name' }, reply: [examples.workflow] },
    ask: ({ query }) => ({ limit: whole, order: coreOrder(orderingOf(query.ordering)) ?? '-created' }),
    answer: ({ items }, _setting, { query }) => sorted(items.map(workflowOf), orderingOf(query.ordering)),
  }),

  route('workflows.get', {
    ...ofOne,
    name: 'getWorkflow',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/',
    summary: 'Get a workflow',
    reply: Workflow,
    example: { path: examples.one, reply: examples.workflow },
    ask: one,
    answer: workflowOf,
  }),

  route('workflows.update', {
    ...ofOne,
    name: 'updateWorkflow',
    method: 'PUT',
    path: '/api/workflow/{workflow_id}/',
    summary: 'Change a workflow, its name at least',
    description: 'What is not said stays as it is. Its nodes and connections have addresses of their own.',
    body: WorkflowRequest,
    reply: Workflow,
    example: { path: examples.one, body: { name: 'Updated Workflow' }, reply: { ...examples.workflow, name: 'Updated Workflow' } },
    ask: ({ path, body }) => changedWorkflowOf(workflowRef(path.workflow_id), body),
    answer: workflowOf,
  }),

  route('workflows.update', {
    ...ofOne,
    name: 'patchWorkflow',
    method: 'PATCH',
    path: '/api/workflow/{workflow_id}/',
    summary: 'Change what is said of a workflow',
    body: PatchedWorkflowRequest,
    faults: ['workflow_missing', 'workflow_in_code'],
    reply: Workflow,
    example: { path: examples.one, body: { category: 'Reports' }, reply: { ...examples.workflow, category: 'Reports' } },
    ask: ({ path, body }) => changedWorkflowOf(workflowRef(path.workflow_id), body),
    answer: workflowOf,
  }),

  route('workflows.delete', {
    ...ofOne,
    name: 'deleteWorkflow',
    method: 'DELETE',
    path: '/api/workflow/{workflow_id}/',
    summary: 'Delete a workflow with its nodes, connections and files',
    description: 'What runs of it is stopped.',
    reply: z.void(),
    status: 204,
    example: { path: examples.one },
    ask: one,
    answer: () => undefined,
  }),

  route('workflows.duplicate', {
    ...ofOne,
    name: 'duplicateWorkflow',
    method: 'POST',
    path: '/api/workflow/{workflow_id}/duplicate/',
    summary: 'Create a workflow that is a copy of another',
    description: 'Called as the other one, with ` (Copy)` behind; if that is taken, with a number.',
    extension: true,
    reply: Workflow,
    status: 201,
    example: { path: examples.one, reply: { ...examples.workflow, id: '01k2v9m4w7qz8ba', name: `${examples.workflow.name} (Copy)` } },
    ask: (said) => ({ ...one(said), suffix: ' (Copy)' }),
    answer: workflowOf,
  }),

  ...(['active', 'inactive'] as const).map((status) =>
    route('workflows.update', {
      ...ofOne,
      name: `${status === 'active' ? '' : 'de'}activateWorkflow`,
      method: 'POST',
      path: `/api/workflow/{workflow_id}/${status === 'active' ? '' : 'de'}activate/`,
      summary: `Say of a workflow that it is ${status}`,
      description: 'That is what is told of it while nothing of it runs, and its last run has not failed. It starts and stops nothing.',
      extension: true,
      reply: Workflow,
      example: { path: examples.one, reply: { ...examples.workflow, status } },
      ask: ({ path }) => changedWorkflowOf(workflowRef(path.workflow_id), { status }),
      answer: workflowOf,
    }),
  ),

  route('workflows.get', {
    ...ofOne,
    name: 'getCanvasData',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/canvas_data/',
    summary: 'Get a workflow as a canvas draws it',
    description: 'Its nodes with their types and what was last tried on them, its connections as `edges`. Nodes that nobody has placed stand in columns.',
    reply: CanvasData,
    example: { path: examples.one, reply: examples.canvas },
    ask: withSamples,
    answer: canvasOf,
  }),

  route('workflows.get', {
    ...ofOne,
    name: 'getRawConfig',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/rawconfig/',
    summary: 'Get a workflow with its nodes and connections as they are kept',
    extension: true,
    reply: RawConfig,
    example: { path: examples.one, reply: examples.rawConfig },
    ask: withSamples,
    answer: rawConfigOf,
  }),
]
