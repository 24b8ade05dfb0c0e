import { Login, Me, Refresh, Renew, RenewedToken, SetPassword, SwitchWorkspace, Ticket, TokenPair, User } from '@sluice/schema'
import { z } from 'zod'
import { attempted, nothing, open, router, signedIn, type Rest } from './trpc.ts'

const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path: `/v1/auth/${path}`, summary, tags: ['auth'], ...rest })

export const auth = router({
  login: open(at('POST', 'login', 'Get a token for an email and a password', { protect: false }), Login)
    .use(({ ctx, input, next }) => attempted(ctx, input.email.trim().toLowerCase(), next))
    .output(TokenPair)
    .mutation(({ ctx, input }) => ctx.parts.access.login(input)),

  refresh: open(at('POST', 'refresh', 'Get new tokens for a refresh token, once', { protect: false }), Refresh)
    .output(TokenPair)
    .mutation(({ ctx, input }) => ctx.parts.access.refresh(input)),

  setPassword: open(at('POST', 'set-password', 'Set a password with the token of an invitation or a reset, once', { protect: false }), SetPassword)
    .use(({ ctx, next }) => attempted(ctx, 'set password', next))
    .output(User)
    .mutation(({ ctx, input }) => ctx.parts.access.setPassword(input)),

  switch: signedIn(
    at('POST', 'switch', 'Get tokens for another workspace', {
      description: 'They live as long as this login can be renewed: until the seventh day after a password or a refresh token was shown for it.',
    }),
    SwitchWorkspace,
  )
    .output(TokenPair)
    .mutation(({ ctx, input }) => ctx.parts.access.switch(ctx.principal, input)),

  renew: signedIn(at('POST', 'renew', 'Get another token for one that still holds'), Renew.optional())
    .output(RenewedToken)
    .mutation(({ ctx, input }) => ctx.parts.access.renew(ctx.principal, input)),

  leave: signedIn(at('POST', 'leave', 'End this login, and no other of the user', { status: 204 }), nothing)
    .output(z.void())
    .mutation(({ ctx }) => ctx.parts.access.leave(ctx.principal)),

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
