import { DecidedPause, DecidePause, ListPauses, OnePause, pageOf, Pause } from '@sluice/schema'
import { authorizeIncluded } from './included.ts'
import { can, router } from './trpc.ts'

const tags = ['pauses']

export const pauses = router({
  list: can('pauses.read', { method: 'GET', path: '/v1/pauses', summary: 'List pauses', tags }, ListPauses)
    .output(pageOf(Pause))
    .query(({ ctx, input }) => ctx.parts.views.listPauses(ctx.parts.database, ctx.actor.workspaceId, input)),

  get: can('pauses.read', { method: 'GET', path: '/v1/pauses/{id}', summary: 'Get a pause', tags }, OnePause)
    .output(Pause)
    .query(({ ctx, input }) => ctx.parts.views.getPause(ctx.parts.database, ctx.actor.workspaceId, input.id)),

  decide: can('pauses.decide', { method: 'POST', path: '/v1/pauses/{id}/decide', summary: 'Approve, decline or override', tags }, DecidePause)
    .output(DecidedPause)
    .mutation(async ({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      const userId = await ctx.parts.access.deciderOf(ctx.principal, input.label)
      return ctx.parts.engine.decide({ ...ctx.actor, userId }, input)
    }),
})
