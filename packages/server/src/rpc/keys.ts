import { ApiKey, CreatedKey, CreateKey, ListKeys, OneKey, pageOf } from '@sluice/schema'
import { z } from 'zod'
import { can, router } from './trpc.ts'

const tags = ['keys']

export const keys = router({
  list: can('keys.manage', { method: 'GET', path: '/v1/keys', summary: 'List API keys', tags }, ListKeys)
    .output(pageOf(ApiKey))
    .query(({ ctx, input }) => ctx.parts.access.keys.list(ctx.principal, input)),

  create: can('keys.manage', { method: 'POST', path: '/v1/keys', summary: 'Create an API key; its secret is shown this once', tags, status: 201 }, CreateKey)
    .output(CreatedKey)
    .mutation(({ ctx, input }) => ctx.parts.access.keys.create(ctx.principal, input)),

  revoke: can('keys.manage', { method: 'DELETE', path: '/v1/keys/{id}', summary: 'Revoke an API key', tags, status: 204 }, OneKey)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.access.keys.revoke(ctx.principal, input)),
})
