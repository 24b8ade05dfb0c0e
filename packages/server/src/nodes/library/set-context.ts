import * as Schema from 'effect/Schema'
import { defineNode } from '../contract.ts'
import { JsonMap } from '../values.ts'

export const setContext = defineNode({
  type: 'set-context',
  title: 'Set context',
  description: 'Sets single keys in the context of the session whose round the run is, and gives them. Other keys stay as they are.',
  category: 'data',
  config: Schema.Struct({ values: JsonMap.annotate({ title: 'Values', description: 'The values to keep, by key' }) }),
  readings: { 'values.**': 'value' },
  takesInput: false,
  behaviour: { is: 'pure', run: ({ values }) => ({ output: values, context: values }) },
})
