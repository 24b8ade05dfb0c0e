import { Fault, ForgetTrials, ForgottenTrials, ListNodeTypes, ListOptions, NodeType, NodeTypeOption, OneNodeType, pageOf, Trial, TryNodeType } from '@sluice/schema'
import { z } from 'zod'
import { can, router } from './trpc.ts'

const tags = ['node types']

export const nodeTypes = router({
  list: can('nodeTypes.read', { method: 'GET', path: '/v1/node-types', summary: 'List node types', tags }, ListNodeTypes.optional())
    .output(pageOf(NodeType))
    .query(({ ctx, input }) => ({ items: ctx.parts.nodeTypes.list(input?.dialect), nextCursor: null })),

  get: can('nodeTypes.read', { method: 'GET', path: '/v1/node-types/{type}', summary: 'Get a node type with the JSON Schema of its config', tags }, OneNodeType)
    .output(NodeType)
    .query(({ ctx, input }) => {
      const type = ctx.parts.nodeTypes.get(input.type, input.dialect)
      if (!type) throw new Fault('node_type_missing')
      return type
    }),

  options: can(
    'nodeTypes.read',
    { method: 'POST', path: '/v1/node-types/{type}/options', summary: 'List what a field of the config of a node type can be, given what others are', tags },
    ListOptions,
  )
    .output(z.array(NodeTypeOption))
    .query(({ ctx, input: { type, dialect, field, values = {} } }) => {
      const options = ctx.parts.nodeTypes.options(type, dialect, field, values)
      if (options === null) throw new Fault('node_type_missing')
      if (!options) throw new Fault('input_invalid', { issues: [{ path: ['field'], message: 'The config has no such field' }] })
      return options
    }),

  try: can('runs.try', { method: 'POST', path: '/v1/node-types/{type}/try', summary: 'Try a node that stands in no workflow', tags }, TryNodeType)
    .output(Trial)
    .mutation(({ ctx, input }) => ctx.parts.engine.tryType(ctx.actor, input)),

  forget: can('runs.try', { method: 'POST', path: '/v1/node-types/{type}/forget', summary: 'Forget what trials of such nodes have left under a session', tags }, ForgetTrials)
    .output(ForgottenTrials)
    .mutation(({ ctx, input }) => ctx.parts.engine.forgetTrials(ctx.actor, input)),
})
