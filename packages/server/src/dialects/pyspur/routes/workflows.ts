import { z } from 'zod'
import { type CoreOutput, type DialectRow, FormFile, Other, route } from '../../dialect.ts'
import { HTTPError, offsetOf, OutputVariable, PageQuery, WorkflowCreateRequestSchema, WorkflowPath, WorkflowResponseSchema, WorkflowVersionResponseSchema } from '../contract.ts'
import * as examples from '../examples.ts'
import { changedDefinitionOf, definitionOf, firstDraft, firstDrafts, saysTestInputs, versionOf, workflowOf } from '../mapping/definition.ts'
import { fileNamed, pathOfFile } from '../mapping/files.ts'
import { workflowRef } from '../mapping/ids.ts'

const tags = ['workflows']
const files = ['files']

const nameOr = (name: string): string => (name.trim() === '' ? 'Untitled Workflow' : name)

const refuses = (description: string) => ({ description, schema: HTTPError })

const Upload = z.object({
  workflow_id: z.string().meta({ description: 'The workflow that they belong to' }),
  node_id: z.string().meta({ description: 'Under which their paths are answered' }),
  files: z.array(FormFile).min(1).meta({ description: 'One or more, each in a field of this name' }),
})
const FilePath = z.object({ workflow_id: z.string(), name: z.string() })

const definitionRequired = 'Workflow definition is required to update a workflow'
const unsayable = 'The workflow has test inputs that are not objects, which this API cannot say'

/** PySpur's page "Workflow management", but for its pauses. */
export const workflowRows: readonly DialectRow[] = [
  route('workflows.create', {
    name: 'createWorkflow',
    method: 'POST',
    path: '/wf/',
    summary: 'Create a workflow',
    description:
      'Without a definition, or with one that has no nodes, it begins with an input node; a chatbot begins with the fields of a chat. A name that is taken gets a number.',
    tags,
    body: WorkflowCreateRequestSchema,
    reply: WorkflowResponseSchema,
    example: { body: examples.newWorkflow, reply: examples.workflow },
    ask: ({ body: { name, description, definition } }) => ({
      name: nameOr(name),
      description,
      definition: definition && definition.nodes.length > 0 ? definitionOf(definition) : firstDraft(definition?.spur_type ?? 'workflow'),
      ifNameTaken: 'suffix',
    }),
    answer: workflowOf,
  }),

  route('workflows.list', {
    name: 'listWorkflows',
    method: 'GET',
    path: '/wf/',
    summary: 'List workflows, newest first',
    description: 'Those whose definition this API can say: a page holds fewer than it was asked for only when there are no more.',
    tags,
    query: PageQuery,
    reply: z.array(WorkflowResponseSchema),
    example: { query: { page: 1, page_size: 10 }, reply: [examples.workflow] },
    ask: ({ query }) => ({ drafts: true, sayableIn: 'pyspur', order: '-created' as const, offset: offsetOf(query), limit: query.page_size }),
    answer: ({ items }) => items.flatMap(({ draft, ...workflow }) => (draft ? [workflowOf({ ...workflow, draft })] : [])),
  }),

  route('workflows.get', {
    name: 'getWorkflow',
    method: 'GET',
    path: '/wf/{workflow_id}/',
    summary: 'Get a workflow',
    tags,
    params: WorkflowPath,
    reply: WorkflowResponseSchema,
    faults: ['workflow_missing'],
    others: { 409: refuses(unsayable) },
    example: { path: examples.one, reply: examples.workflow },
    ask: ({ path }) => ({ workflow: workflowRef(path.workflow_id) }),
    // Who sends back what they were shown must not lose anything.
    answer: (workflow) => (saysTestInputs(workflow.draft) ? workflowOf(workflow) : new Other(409, { detail: unsayable })),
  }),

  route('workflows.update', {
    name: 'updateWorkflow',
    method: 'PUT',
    path: '/wf/{workflow_id}/',
    summary: 'Replace name, description and definition',
    description: 'The name is taken as it is, even if there is another of this name. What PySpur cannot say of a definition, as settings of its nodes, is kept.',
    tags,
    params: WorkflowPath,
    body: WorkflowCreateRequestSchema,
    reply: WorkflowResponseSchema,
    faults: ['workflow_missing', 'workflow_in_code'],
    others: { 400: refuses(definitionRequired) },
    example: { path: examples.one, body: examples.newWorkflow, reply: examples.workflow },
    // Without a definition nothing is changed, but whether the workflow is there comes first.
    ask: ({ path, body: { name, description, definition } }) => ({
      workflow: workflowRef(path.workflow_id),
      ...(definition && { name: nameOr(name), description, definition: changedDefinitionOf(definition), absent: 'keep' as const }),
    }),
    answer: (workflow, _setting, { body }) => (body.definition ? workflowOf(workflow) : new Other(400, { detail: definitionRequired })),
  }),

  route('workflows.reset', {
    name: 'resetWorkflow',
    method: 'PUT',
    path: '/wf/{workflow_id}/reset/',
    summary: 'Begin the definition anew',
    description: 'A chatbot keeps the fields of a chat. Name, description, versions and runs stay.',
    tags,
    params: WorkflowPath,
    reply: WorkflowResponseSchema,
    faults: ['workflow_missing', 'workflow_in_code'],
    example: { path: examples.one, reply: examples.emptied },
    ask: ({ path }) => ({ workflow: workflowRef(path.workflow_id), drafts: firstDrafts() }),
    answer: workflowOf,
  }),

  route('workflows.delete', {
    name: 'deleteWorkflow',
    method: 'DELETE',
    path: '/wf/{workflow_id}/',
    summary: 'Delete a workflow with its test files',
    description: 'Its runs are cancelled.',
    tags,
    params: WorkflowPath,
    reply: z.void(),
    status: 204,
    faults: ['workflow_missing'],
    example: { path: examples.one },
    ask: ({ path }) => ({ workflow: workflowRef(path.workflow_id) }),
    answer: () => undefined,
  }),

  route('workflows.duplicate', {
    name: 'duplicateWorkflow',
    method: 'POST',
    path: '/wf/{workflow_id}/duplicate/',
    summary: 'Create a workflow with the definition of another',
    description: 'Called as the other one, with ` (Copy)` behind; if that is taken, with a number.',
    tags,
    params: WorkflowPath,
    reply: WorkflowResponseSchema,
    faults: ['workflow_missing'],
    example: { path: examples.one, reply: { ...examples.workflow, id: '01k2v9m4w7qz8ba', name: `${examples.workflow.name} (Copy)` } },
    ask: ({ path }) => ({ workflow: workflowRef(path.workflow_id), suffix: ' (Copy)' }),
    answer: workflowOf,
  }),

  route('workflows.outputs', {
    name: 'getWorkflowOutputVariables',
    method: 'GET',
    path: '/wf/{workflow_id}/output_variables/',
    summary: 'List the outputs of the nodes that no link leaves',
    tags,
    params: WorkflowPath,
    reply: z.array(OutputVariable),
    faults: ['workflow_missing'],
    example: { path: examples.one, reply: [{ node_id: 'input_node', variable_name: 'input_1', prefixed_variable: 'input_node-input_1' }] },
    ask: ({ path }) => ({ workflow: workflowRef(path.workflow_id), of: 'leaves' as const }),
    answer: (outputs) => outputs.flatMap(({ nodeId, field }) => (field === null ? [] : [{ node_id: nodeId, variable_name: field, prefixed_variable: `${nodeId}-${field}` }])),
  }),

  route('files.upload', {
    name: 'uploadTestFiles',
    method: 'POST',
    path: '/wf/upload_test_files/',
    summary: 'Store files to try a node with',
    description: 'They are named by the server, belong to the workflow and go with it. The answer has their paths under the id of the node.',
    tags,
    takes: 'multipart/form-data',
    body: Upload,
    reply: z.record(z.string(), z.array(z.string())),
    faults: ['workflow_missing', 'file_too_large', 'files_full'],
    example: { reply: { input_node: [examples.filePath] } },
    ask: ({ body }) => ({ file: body.files, workflow: workflowRef(body.workflow_id) }),
    answer: ({ files: stored }, _setting, { body }) => ({ [body.node_id]: stored.map((file) => pathOfFile(body.workflow_id, file)) }),
  }),

  route('files.content', {
    name: 'getTestFile',
    method: 'GET',
    path: '/files/test_files/{workflow_id}/{name}',
    summary: 'Get the bytes of a file',
    description: 'At the path that its upload was answered with.',
    tags: files,
    extension: true,
    gives: 'bytes',
    params: FilePath,
    reply: z.custom<CoreOutput<'files.content'>>(),
    faults: ['file_missing'],
    example: { path: { workflow_id: examples.one.workflow_id, name: examples.filePath.split('/').at(-1)! } },
    ask: ({ path }) => ({ id: fileNamed(path.name) }),
    answer: (content) => content,
  }),

  route('workflows.versions', {
    name: 'getWorkflowVersions',
    method: 'GET',
    path: '/wf/{workflow_id}/versions/',
    summary: 'List versions, newest first',
    description: 'A version is made when a run starts on a definition that has none yet.',
    tags,
    params: WorkflowPath,
    query: PageQuery,
    reply: z.array(WorkflowVersionResponseSchema),
    faults: ['workflow_missing'],
    example: { path: examples.one, query: { page: 1, page_size: 10 }, reply: [examples.version] },
    ask: ({ path, query }) => ({ workflow: workflowRef(path.workflow_id), offset: offsetOf(query), limit: query.page_size }),
    answer: ({ items }) => items.map(versionOf),
  }),
]
