import * as Schema from 'effect/Schema'
import { defineNode } from '../contract.ts'

export const coalesce = defineNode({
  type: 'coalesce',
  title: 'Coalesce',
  description: 'Gives the first output that is not null, by preference, else in the order of the steps.',
  category: 'flow',
  config: Schema.Struct({
    order: Schema.optionalKey(Schema.Array(Schema.String).annotate({ title: 'Order', description: 'Step names, the preferred first; the others follow' })),
  }),
  readings: { 'order.*': 'raw' },
  behaviour: {
    is: 'pure',
    run({ order = [] }, { input }) {
      const steps = [...order.filter((step) => Object.hasOwn(input, step)), ...Object.keys(input)]
      return { output: steps.map((step) => input[step]!).find((value) => value !== null) ?? null }
    },
  },
})
