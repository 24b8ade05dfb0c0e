import { CreateWorkspace, ListWorkspaces, OneWorkspace, pageOf, UpdateWorkspace, Workspace } from '@sluice/schema'
import { z } from 'zod'
import { can, router, type Rest } from './trpc.ts'

const one = '/v1/workspaces/{workspace}'
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags: ['workspaces'], ...rest })

export const workspaces = router({
  list: can('workspaces.read', at('GET', '/v1/workspaces', 'List the workspaces of the user'), ListWorkspaces)
    .output(pageOf(Workspace))
    .query(({ ctx, input }) => ctx.parts.access.workspaces.list(ctx.principal, input)),

  get: can('workspaces.read', at('GET', one, 'Get the workspace'), OneWorkspace)
    .output(Workspace)
    .query(({ ctx, input }) => ctx.parts.access.workspaces.get(ctx.principal, input)),

  create: can('workspaces.manage', at('POST', '/v1/workspaces', 'Create a workspace and own it', { status: 201 }), CreateWorkspace)
    .output(Workspace)
    .mutation(({ ctx, input }) => ctx.parts.access.workspaces.create(ctx.principal, input)),

  update: can('workspaces.manage', at('PATCH', one, 'Change the name or the handle'), UpdateWorkspace)
    .output(Workspace)
    .mutation(({ ctx, input }) => ctx.parts.access.workspaces.update(ctx.principal, input)),

  delete: can('workspaces.manage', at('DELETE', one, 'Delete the workspace with all that is in it', { status: 204 }), OneWorkspace)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.access.workspaces.delete(ctx.principal, input)),
})
