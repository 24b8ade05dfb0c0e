import { Collection, ListCollections, OneCollection, pageOf } from '@sluice/schema'
import { can, router } from './trpc.ts'

const tags = ['records']

export const collections = router({
  list: can('records.admin', { method: 'GET', path: '/v1/collections', summary: 'List the collections with their fields and rules', tags }, ListCollections)
    .output(pageOf(Collection))
    .query(({ ctx }) => ({ items: [...ctx.parts.collections.all], nextCursor: null })),

  get: can('records.admin', { method: 'GET', path: '/v1/collections/{collection}', summary: 'Get a collection by its name or id', tags }, OneCollection)
    .output(Collection)
    .query(({ ctx, input }) => ctx.parts.collections.get(input.collection)),
})
