import * as Schema from 'effect/Schema'
import { defineNode } from '../contract.ts'
import { JsonMap } from '../values.ts'

export const input = defineNode({
  type: 'input',
  title: 'Input',
  description: 'Where a run begins: gives the value the run was started with. In a body it gives what that hands to the iteration: a map its item, a loop its `last`.',
  category: 'flow',
  config: Schema.Struct({
    schema: Schema.optionalKey(JsonMap.annotate({ title: 'Schema', description: 'JSON Schema that the value must fit' })),
  }),
  readings: { 'schema.**': 'raw' },
  entry: true,
  schemaFields: ['schema'],
  takesInput: false,
  behaviour: { is: 'pure', run: (_config, { given }) => ({ output: given }) },
})
