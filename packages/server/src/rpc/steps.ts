import { Report, ReportedStep } from '@sluice/schema'
import { authorizeIncluded } from './included.ts'
import { can, router } from './trpc.ts'

export const steps = router({
  report: can('runs.report', { method: 'POST', path: '/v1/steps/report', summary: 'Report the outcome of an external step', tags: ['steps'] }, Report)
    .output(ReportedStep)
    .mutation(({ ctx, input }) => {
      authorizeIncluded(ctx.principal, input.include)
      return ctx.parts.engine.report(ctx.actor, input)
    }),
})
