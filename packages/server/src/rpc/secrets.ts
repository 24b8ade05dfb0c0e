import { ListSecrets, OneSecret, pageOf, Secret, SetSecret } from '@sluice/schema'
import { z } from 'zod'
import { can, router } from './trpc.ts'

const tags = ['secrets']

export const secrets = router({
  list: can('secrets.list', { method: 'GET', path: '/v1/secrets', summary: 'List the names of secrets', tags }, ListSecrets)
    .output(pageOf(Secret))
    .query(({ ctx, input }) => ctx.parts.access.secrets.list(ctx.principal, input)),

  set: can('secrets.manage', { method: 'PUT', path: '/v1/secrets/{name}', summary: 'Set a secret; its value is never shown again', tags }, SetSecret)
    .output(Secret)
    .mutation(({ ctx, input }) => ctx.parts.access.secrets.set(ctx.principal, input)),

  delete: can('secrets.manage', { method: 'DELETE', path: '/v1/secrets/{name}', summary: 'Delete a secret', tags, status: 204 }, OneSecret)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.access.secrets.delete(ctx.principal, input)),
})
