import { Id, SendSignal } from '@sluice/schema'
import { z } from 'zod'
import { can, router } from './trpc.ts'

export const signals = router({
  send: can('runs.signal', { method: 'POST', path: '/v1/signals', summary: 'Send a signal into a run', tags: ['signals'], status: 201 }, SendSignal)
    .output(z.object({ id: Id }))
    .mutation(({ ctx, input }) => ctx.parts.engine.signal(ctx.actor, input)),
})
