import { z } from 'zod'
import { type DialectRow, route } from '../../dialect.ts'
import { NodeTypeResponse } from '../contract.ts'
import * as examples from '../examples.ts'
import { nodeTypesOf } from '../mapping/node-types.ts'

/** What an editor asks first. */
export const nodeRows: readonly DialectRow[] = [
  route('nodeTypes.list', {
    name: 'getSupportedNodeTypes',
    method: 'GET',
    path: '/node/supported_types/',
    summary: 'List node types by their headings',
    description: 'With the JSON Schema of their configs, and in it what a new node begins with.',
    tags: ['nodes'],
    reply: z.record(z.string(), z.array(NodeTypeResponse)),
    example: { reply: examples.nodeTypes },
    ask: () => ({ dialect: 'pyspur' as const }),
    answer: ({ items }) => nodeTypesOf(items),
  }),
]
