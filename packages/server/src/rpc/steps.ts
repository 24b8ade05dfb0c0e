import { Report, Step } from '@sluice/schema'
import { can, router } from './trpc.ts'

export const steps = router({
  report: can('runs.report', { method: 'POST', path: '/v1/steps/report', summary: 'Report the outcome of an external step', tags: ['steps'] }, Report)
    .output(Step)
    .mutation(({ ctx, input }) => ctx.parts.engine.report(ctx.actor, input)),
})
