import { Login, Me, Refresh, SwitchWorkspace, Ticket, TokenPair } from '@sluice/schema'
import { z } from 'zod'
import { nothing, open, router, signedIn, type Rest } from './trpc.ts'

const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path: `/v1/auth/${path}`, summary, tags: ['auth'], ...rest })

export const auth = router({
  login: open(at('POST', 'login', 'Get a token for an email and a password', { protect: false }), Login)
    .use(async ({ ctx, input, next }) => {
      const takeBack = await ctx.attempt(input.email.trim().toLowerCase())
      const result = await next()
      // Only what failed is held against a name.
      if (result.ok) takeBack()
      return result
    })
    .output(TokenPair)
    .mutation(({ ctx, input }) => ctx.parts.access.login(input)),

  refresh: open(at('POST', 'refresh', 'Get new tokens for a refresh token, once', { protect: false }), Refresh)
    .output(TokenPair)
    .mutation(({ ctx, input }) => ctx.parts.access.refresh(input)),

  switch: signedIn(at('POST', 'switch', 'Get tokens for another workspace'), SwitchWorkspace)
    .output(TokenPair)
    .mutation(({ ctx, input }) => ctx.parts.access.switch(ctx.principal, input)),

  logout: signedIn(at('POST', 'logout', 'End all tokens of the user', { status: 204 }), nothing)
    .output(z.void())
    .mutation(({ ctx }) => ctx.parts.access.logout(ctx.principal)),

  me: signedIn(at('GET', 'me', 'Say who asks'), nothing)
    .output(Me)
    .query(({ ctx }) => ctx.parts.access.me(ctx.principal)),

  ticket: signedIn(at('POST', 'ticket', 'Get a ticket that opens one socket or stream', { status: 201 }), nothing)
    .output(Ticket)
    .mutation(({ ctx }) => ctx.parts.access.ticket(ctx.principal)),
})
