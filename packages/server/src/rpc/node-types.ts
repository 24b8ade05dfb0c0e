import { Fault, ListNodeTypes, NodeType, OneNodeType, pageOf } from '@sluice/schema'
import { can, router } from './trpc.ts'

const tags = ['node types']

export const nodeTypes = router({
  list: can('nodeTypes.read', { method: 'GET', path: '/v1/node-types', summary: 'List node types', tags }, ListNodeTypes.optional())
    .output(pageOf(NodeType))
    .query(({ ctx, input }) => ({ items: ctx.parts.nodeTypes.list(input?.dialect), nextCursor: null })),

  get: can('nodeTypes.read', { method: 'GET', path: '/v1/node-types/{type}', summary: 'Get a node type with the JSON Schema of its config', tags }, OneNodeType)
    .output(NodeType)
    .query(({ ctx, input }) => {
      const type = ctx.parts.nodeTypes.get(input.type)
      if (!type) throw new Fault('node_type_missing')
      return type
    }),
})
