import * as Schema from 'effect/Schema'
import { defineNode, passThrough } from '../contract.ts'
import { JsonMap } from '../values.ts'

export const output = defineNode({
  type: 'output',
  title: 'Output',
  description: 'What the run, or the body it stands in, returns: the values of its map, or what comes in.',
  category: 'flow',
  config: Schema.Struct({
    map: Schema.optionalKey(JsonMap.annotate({ title: 'Map', description: 'The values to return, by name' })),
    schema: Schema.optionalKey(JsonMap.annotate({ title: 'Schema', description: 'JSON Schema that the value must fit' })),
  }),
  readings: { 'map.**': 'value', 'schema.**': 'raw' },
  returns: true,
  schemaFields: ['schema'],
  behaviour: { is: 'pure', run: ({ map }, context) => ({ output: map ?? passThrough(context) }) },
})
