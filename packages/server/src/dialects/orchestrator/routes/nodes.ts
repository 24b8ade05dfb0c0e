import { z } from 'zod'
import type { Problem } from '../../../rpc/faults.ts'
import { type CoreOutput, type DialectRow, type Other, route, type Setting } from '../../dialect.ts'
import {
  AddNodeRequest,
  ApiError,
  ExecuteNodeRequest,
  ExecuteNodeResponse,
  Message,
  Node,
  NodeInput,
  NodeOutput,
  NodePath,
  NodeRequest,
  PatchedNodeRequest,
  PlacedNode,
  PositionRequest,
  WorkflowPath,
} from '../contract.ts'
import { executionTimeout, nodeMissing, refused, sayNode } from '../errors.ts'
import * as examples from '../examples.ts'
import { nodeRef, workflowRef } from '../mapping/ids.ts'
import { addedNode, changedNode, newNode, nodeNamed, nodesOf, plainNode } from '../mapping/nodes.ts'
import { executedNode, hasTimedOut, secondsOf, trialOf, unfitForm } from '../mapping/trial.ts'
import { inputOf } from '../mapping/upstream.ts'

const tags = ['nodes']

type Path = z.output<typeof NodePath>
type Edited = CoreOutput<'workflows.edit'>

const samples = { include: ['samples' as const] }
const ofWorkflow = { tags, params: WorkflowPath, faults: ['workflow_missing'] } as const
const ofNode = { tags, params: NodePath, faults: ['workflow_missing', 'node_missing'] } as const

/** The workflow with what was tried on its nodes. */
const whole = ({ path }: { path: { workflow_id: string } }) => ({ workflow: workflowRef(path.workflow_id), ...samples })
const wholeFor = ({ path }: { path: Path }) => ({ workflow: nodeRef(path).workflow, ...samples })

/** The node that was made, under the id that was drawn for it. */
const made = (edited: Edited): PlacedNode => nodeNamed(edited, edited.drawn[0]!.id)!

/** The node that was changed. */
const changed = (edited: Edited, { node_id }: Path): PlacedNode => nodeNamed(edited, node_id)!

const onFault = (problem: Problem, _setting: Setting, { path }: { path: Path }): Other | undefined => sayNode(problem, path)

const change = ({ path, body }: { path: Path; body: PatchedNodeRequest }) => {
  const { workflow: of, nodeId } = nodeRef(path)
  return { workflow: of, operations: changedNode(nodeId, body), ...samples }
}

const changing = {
  ...ofNode,
  path: '/api/workflow/{workflow_id}/nodes/{node_id}/',
  extension: true,
  reply: Node,
  ask: change,
  answer: (edited: Edited, _setting: Setting, { path }: { path: Path }) => plainNode(changed(edited, path)),
  onFault,
} as const

const removing = {
  ...ofNode,
  method: 'DELETE',
  ask: ({ path }: { path: Path }) => {
    const { workflow: of, nodeId } = nodeRef(path)
    return { workflow: of, operations: [{ op: 'removeNode' as const, nodeId }] }
  },
  onFault,
} as const

/** Of the page "API Reference" what is about nodes, and of the source what reads and writes them one by one. */
export const nodeRows: readonly DialectRow[] = [
  route('workflows.get', {
    ...ofWorkflow,
    name: 'listNodes',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/nodes/',
    summary: 'List the nodes of a workflow, newest first',
    extension: true,
    reply: z.array(Node),
    example: { path: examples.one, reply: [examples.node] },
    ask: whole,
    answer: (value) => nodesOf(value).map(plainNode).toReversed(),
  }),

  route('workflows.edit', {
    ...ofWorkflow,
    name: 'createNode',
    method: 'POST',
    path: '/api/workflow/{workflow_id}/nodes/',
    summary: 'Create a node',
    description: 'Without `form_values` it begins as its form does.',
    extension: true,
    body: NodeRequest,
    reply: Node,
    status: 201,
    example: { path: examples.one, body: { node_type: 'http-request', x: 100, y: 200 }, reply: examples.newNode },
    ask: ({ path, body }) => ({ workflow: workflowRef(path.workflow_id), operations: [newNode(body)], ...samples }),
    answer: (edited) => plainNode(made(edited)),
  }),

  route('workflows.edit', {
    ...ofWorkflow,
    name: 'addNode',
    method: 'POST',
    path: '/api/workflow/{workflow_id}/nodes/add/',
    summary: 'Add a node to the canvas',
    description:
      'Without `form_values` it begins as its form does; those that are given are kept as they came. A type that nobody knows is taken, and refused when the workflow is started.',
    body: AddNodeRequest,
    reply: PlacedNode,
    status: 201,
    example: { path: examples.one, body: examples.addedNode, reply: examples.placedNode },
    ask: ({ path, body }) => ({ workflow: workflowRef(path.workflow_id), operations: [addedNode(body)] }),
    answer: made,
  }),

  route('workflows.get', {
    ...ofNode,
    name: 'getNode',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/',
    summary: 'Get a node',
    extension: true,
    reply: Node,
    example: { path: examples.oneNode, reply: examples.node },
    ask: wholeFor,
    answer(value, _setting, { path }) {
      const node = nodeNamed(value, path.node_id)
      return node ? plainNode(node) : nodeMissing(path)
    },
    onFault,
  }),
  route('workflows.edit', {
    ...changing,
    name: 'updateNode',
    method: 'PUT',
    summary: 'Change a node, its type at least',
    body: NodeRequest,
    example: { path: examples.oneNode, body: { node_type: 'http-request', x: 100, y: 200 }, reply: examples.node },
  }),
  route('workflows.edit', {
    ...changing,
    name: 'patchNode',
    method: 'PATCH',
    summary: 'Change what is said of a node',
    description: 'Each value that is said is replaced as a whole.',
    body: PatchedNodeRequest,
    example: { path: examples.oneNode, body: { form_values: examples.node.form_values }, reply: examples.node },
  }),

  route('workflows.edit', {
    ...removing,
    name: 'deleteNode',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/',
    summary: 'Delete a node with its connections and files',
    extension: true,
    reply: z.void(),
    status: 204,
    example: { path: examples.oneNode },
    answer: () => undefined,
  }),
  route('workflows.edit', {
    ...removing,
    name: 'removeNode',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/remove/',
    summary: 'Remove a node with its connections and files',
    reply: Message,
    example: { path: examples.oneNode, reply: { message: 'Node removed successfully' } },
    answer: () => ({ message: 'Node removed successfully' }),
  }),

  route('workflows.edit', {
    ...ofNode,
    name: 'updateNodePosition',
    method: 'PATCH',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/position/',
    summary: 'Move a node on the canvas',
    description: 'Of `x` and `y`, what is not said stays.',
    body: PositionRequest,
    reply: PlacedNode,
    example: { path: examples.oneNode, body: { position: { x: 150, y: 250 } }, reply: { ...examples.placedNode, x: 150, y: 250, position: { x: 150, y: 250 } } },
    ask: ({ path, body }) => {
      const { workflow: of, nodeId } = nodeRef(path)
      return { workflow: of, operations: [{ op: 'moveNode', nodeId, position: body.position }], ...samples }
    },
    answer: (edited, _setting, { path }) => changed(edited, path),
    onFault,
  }),

  route('workflows.get', {
    ...ofNode,
    name: 'getNodeInput',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/input/',
    summary: 'Get what the nodes before a node gave when they were tried last',
    description: 'Merged, as it would be handed to the node; another value under a name that is taken stands under `name_2`.',
    reply: NodeInput,
    example: { path: examples.oneNode, reply: { input_data: examples.inputData } },
    ask: wholeFor,
    answer: (value, _setting, { path }) => (nodeNamed(value, path.node_id) ? { input_data: inputOf(value.draft, value.samples ?? {}, path.node_id) } : nodeMissing(path)),
    onFault,
  }),

  route('workflows.node', {
    ...ofNode,
    name: 'getNodeOutput',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/output/',
    summary: 'Get what a node gave when it was tried last',
    reply: NodeOutput,
    example: { path: examples.oneNode, reply: { output_data: examples.outputData } },
    ask: ({ path }) => nodeRef(path),
    answer: ({ sample }) => ({ output_data: sample?.output ?? {} }),
    onFault,
  }),

  route('workflows.try', {
    tags,
    params: WorkflowPath,
    name: 'executeAndSaveNode',
    method: 'POST',
    path: '/api/workflow/{workflow_id}/execute_and_save_node/',
    summary: 'Execute one node, and keep what it was given and gave',
    description: [
      'With `input_data` in place of what leads to it: no other node is executed. `form_values` and `input_data` are kept before it is executed, what it gave afterwards. Unless `form_values` are given, it has those it was kept with.',
      'A producer gives one item. Under a `session_id` the next call goes on from there, for half an hour. One that has no more says `__execution_completed__` in `output.metadata`.',
      'A node that fails is answered with `success: false`. `timeout` is in seconds; 0 and null are as long as there may be, five minutes.',
    ].join('\n\n'),
    body: ExecuteNodeRequest,
    reply: ExecuteNodeResponse,
    faults: ['workflow_missing', 'node_missing'],
    others: {
      400: { description: 'The values of its form do not fit, or the node cannot be executed by itself', schema: ApiError },
      408: { description: 'It took longer than `timeout`', schema: ApiError },
    },
    example: { path: examples.one, body: examples.executed, reply: examples.executedNode },
    ask: ({ path, body }) => trialOf(nodeRef({ ...path, node_id: body.node_id }), body),
    answer: (trial, _setting, { body }) => (hasTimedOut(trial) ? executionTimeout(secondsOf(body.timeout)) : executedNode(trial, body)),
    onFault(problem, _setting, { path, body }) {
      if (problem.code !== 'definition_invalid') return sayNode(problem, { ...path, node_id: body.node_id })
      const { error, more } = unfitForm(problem, body.form_values ?? null)
      return refused(400, error, { ...more, details: { [body.node_id]: more.errors ?? {} } })
    },
  }),
]
