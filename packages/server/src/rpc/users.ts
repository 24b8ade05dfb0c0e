import { Account, ChangePassword, ListUsers, OneUser, pageOf, PasswordToken, TokenPair, UpdateUser } from '@sluice/schema'
import { z } from 'zod'
import { attempted, can, router, signedIn, type Rest } from './trpc.ts'

const one = '/v1/users/{id}'
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags: ['users'], ...rest })

export const users = router({
  list: can('users.read', at('GET', '/v1/users', 'List users: all of the workspace for admins, else oneself'), ListUsers)
    .output(pageOf(Account))
    .query(({ ctx, input }) => ctx.parts.access.users.list(ctx.principal, input)),

  get: can('users.read', at('GET', one, 'Get a user'), OneUser)
    .output(Account)
    .query(({ ctx, input }) => ctx.parts.access.users.get(ctx.principal, input)),

  update: can('users.manage', at('PATCH', one, 'Change a name, an email or the default workspace'), UpdateUser)
    .output(Account)
    .mutation(({ ctx, input }) => ctx.parts.access.users.update(ctx.principal, input)),

  delete: can('users.manage', at('DELETE', one, 'Delete a user; what they did stays, without a name', { status: 204 }), OneUser)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.access.users.delete(ctx.principal, input)),

  changePassword: signedIn(at('POST', '/v1/users/change-password', 'Change the own password; other logins end'), ChangePassword)
    .use(({ ctx, next }) => attempted(ctx, `password of ${ctx.principal.userId}`, next))
    .output(TokenPair)
    .mutation(({ ctx, input }) => ctx.parts.access.changePassword(ctx.principal, input)),

  resetPassword: can('users.manage', at('POST', `${one}/reset-password`, 'Get a token that sets the password of another user, once', { status: 201 }), OneUser)
    .output(PasswordToken)
    .mutation(({ ctx, input }) => ctx.parts.access.users.resetPassword(ctx.principal, input)),
})
