import { SubscribeConnection } from '@sluice/schema'
import { router, signedIn } from './trpc.ts'

/** Connections over which a dialect tells its clients of records. Of what the principal may not read nothing is told. */
export const connections = router({
  subscribe: signedIn([], SubscribeConnection).mutation(({ ctx, input }) => ctx.parts.connections.subscribe({ principal: ctx.principal, address: ctx.ip }, input)),
})
