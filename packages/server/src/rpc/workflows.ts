import {
  CreateWorkflow,
  DuplicateWorkflow,
  EditedWorkflow,
  EditWorkflow,
  ExportWorkflow,
  GetWorkflow,
  ImportWorkflow,
  ListedWorkflow,
  ListOutputs,
  ListVersions,
  ListWorkflows,
  OneNode,
  OneVersion,
  OneWorkflow,
  pageOf,
  PublishWorkflow,
  ResetWorkflow,
  Trial,
  TryNode,
  UpdateWorkflow,
  Version,
  Workflow,
  WorkflowFile,
  WorkflowNode,
  WorkflowOutput,
} from '@sluice/schema'
import { z } from 'zod'
import { authorize } from '../access/policy.ts'
import { watch } from './events.ts'
import { can, router, type Rest } from './trpc.ts'

const tags = ['workflows']
const one = '/v1/workflows/{workflow}'
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags, ...rest })

export const workflows = router({
  list: can('workflows.read', at('GET', '/v1/workflows', 'List workflows'), ListWorkflows)
    .output(pageOf(ListedWorkflow))
    .query(({ ctx, input }) => ctx.parts.workflows.list(ctx.actor, input)),

  get: can('workflows.read', at('GET', one, 'Get a workflow with its draft'), GetWorkflow)
    .output(Workflow)
    .query(({ ctx, input }) => ctx.parts.workflows.get(ctx.actor, input)),

  create: can('workflows.edit', at('POST', '/v1/workflows', 'Create a workflow', { status: 201 }), CreateWorkflow)
    .output(Workflow)
    .mutation(({ ctx, input }) => ctx.parts.workflows.create(ctx.actor, input)),

  update: can('workflows.edit', at('PATCH', one, 'Change a workflow or its draft'), UpdateWorkflow)
    .output(Workflow)
    .mutation(({ ctx, input }) => ctx.parts.workflows.update(ctx.actor, input)),

  reset: can('workflows.edit', at('POST', `${one}/reset`, 'Begin the draft anew'), ResetWorkflow)
    .output(Workflow)
    .mutation(({ ctx, input }) => ctx.parts.workflows.reset(ctx.actor, input)),

  delete: can('workflows.delete', at('DELETE', one, 'Delete a workflow and cancel its runs', { status: 204 }), OneWorkflow)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.engine.deleteWorkflow(ctx.actor, input)),

  duplicate: can('workflows.edit', at('POST', `${one}/duplicate`, 'Create a workflow with the draft of another', { status: 201 }), DuplicateWorkflow)
    .output(Workflow)
    .mutation(({ ctx, input }) => ctx.parts.workflows.duplicate(ctx.actor, input)),

  export: can('workflows.read', at('GET', `${one}/export`, 'Get a workflow as a file'), ExportWorkflow)
    .output(WorkflowFile)
    .query(({ ctx, input }) => ctx.parts.workflows.export(ctx.actor, input)),

  import: can('workflows.edit', at('POST', '/v1/workflows/import', 'Create a workflow from a file', { status: 201 }), ImportWorkflow)
    .output(Workflow)
    .mutation(({ ctx, input }) => {
      if (input.versions?.length) authorize(ctx.principal, 'workflows.publish')
      return ctx.parts.workflows.import(ctx.actor, input)
    }),

  publish: can('workflows.publish', at('POST', `${one}/publish`, 'Check the draft and make it a version'), PublishWorkflow)
    .output(Version)
    .mutation(({ ctx, input }) => ctx.parts.workflows.publish(ctx.actor, input)),

  versions: can('workflows.read', at('GET', `${one}/versions`, 'List versions, newest first'), ListVersions)
    .output(pageOf(Version))
    .query(({ ctx, input }) => ctx.parts.workflows.versions(ctx.actor, input)),

  version: can('workflows.read', at('GET', `${one}/versions/{version}`, 'Get a version'), OneVersion)
    .output(Version)
    .query(({ ctx, input }) => ctx.parts.workflows.version(ctx.actor, input)),

  outputs: can('workflows.read', at('GET', `${one}/outputs`, 'List what the nodes of the draft put out'), ListOutputs)
    .output(z.array(WorkflowOutput))
    .query(({ ctx, input }) => ctx.parts.workflows.outputs(ctx.actor, input)),

  edit: can('workflows.edit', at('POST', `${one}/edit`, 'Edit the draft, all or nothing'), EditWorkflow)
    .output(EditedWorkflow)
    .mutation(({ ctx, input }) => ctx.parts.workflows.edit(ctx.actor, input)),

  node: can('workflows.read', at('GET', `${one}/nodes/{nodeId}`, 'Get a node of the draft with its sample'), OneNode)
    .output(WorkflowNode)
    .query(({ ctx, input }) => ctx.parts.workflows.node(ctx.actor, input)),

  watch,

  try: can('runs.try', at('POST', `${one}/nodes/{nodeId}/try`, 'Try a node of the draft'), TryNode)
    .output(Trial)
    .mutation(({ ctx, input }) => ctx.parts.engine.try(ctx.actor, input)),
})
