import { InvitedMember, InviteMember, ListMembers, Member, OneMember, pageOf, SetRole } from '@sluice/schema'
import { z } from 'zod'
import { can, router, type Rest } from './trpc.ts'

const one = '/v1/members/{userId}'
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags: ['members'], ...rest })

export const members = router({
  list: can('members.read', at('GET', '/v1/members', 'List members'), ListMembers)
    .output(pageOf(Member))
    .query(({ ctx, input }) => ctx.parts.access.members.list(ctx.principal, input)),

  invite: can('members.manage', at('POST', '/v1/members', 'Take a user into the workspace; nobody is sent a mail', { status: 201 }), InviteMember)
    .output(InvitedMember)
    .mutation(({ ctx, input }) => ctx.parts.access.members.invite(ctx.principal, input)),

  setRole: can('members.manage', at('PATCH', one, 'Give a member another role', { status: 204 }), SetRole)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.access.members.setRole(ctx.principal, input)),

  remove: can('members.manage', at('DELETE', one, 'Take a member out of the workspace', { status: 204 }), OneMember)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.access.members.remove(ctx.principal, input)),
})
