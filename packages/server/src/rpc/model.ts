import { ModelSettings, SetModel } from '@sluice/schema'
import { z } from 'zod'
import { can, nothing, router, type Rest } from './trpc.ts'

const at = (method: Rest['method'], summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path: '/v1/model', summary, tags: ['model'], ...rest })

export const model = router({
  get: can('model.read', at('GET', 'Tell which language model the workspace asks'), nothing)
    .output(ModelSettings)
    .query(({ ctx }) => ctx.parts.access.model.get(ctx.principal)),

  set: can(
    'model.manage',
    at('PUT', 'Set the language model of the workspace', {
      description: "Steps that begin from now on ask it, in the place of the operator's. The endpoint itself is not asked here.",
    }),
    SetModel,
  )
    .output(ModelSettings)
    .mutation(({ ctx, input }) => ctx.parts.access.model.set(ctx.principal, input)),

  remove: can('model.manage', at('DELETE', "Go back to the operator's language model", { status: 204 }), nothing)
    .output(z.void())
    .mutation(({ ctx }) => ctx.parts.access.model.remove(ctx.principal)),
})
