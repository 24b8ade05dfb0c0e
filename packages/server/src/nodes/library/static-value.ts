import * as Schema from 'effect/Schema'
import { defineNode } from '../contract.ts'
import { JsonMap } from '../values.ts'

export const staticValue = defineNode({
  type: 'static-value',
  title: 'Static value',
  description: 'Gives the values written in it.',
  category: 'data',
  config: Schema.Struct({ values: JsonMap.annotate({ title: 'Values', description: 'The values to give, by name' }) }),
  readings: { 'values.**': 'value' },
  takesInput: false,
  behaviour: { is: 'pure', run: ({ values }) => ({ output: values }) },
})
