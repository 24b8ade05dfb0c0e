import type { Json } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode } from '../contract.ts'
import { isJsonObject } from '../values.ts'

export const merge = defineNode({
  type: 'merge',
  title: 'Merge',
  description:
    'Puts the outputs of the steps before it into one object. Of equal keys the later step wins; what is no object goes under its step name. By step, each output goes under its step name as it is.',
  category: 'flow',
  config: Schema.Struct({
    by: Schema.optionalKey(
      Schema.Literals(['key', 'step']).annotate({ title: 'By', description: 'Put the keys of the outputs together, or each output under its step name; `key` unless set' }),
    ),
  }),
  readings: { by: 'raw' },
  behaviour: {
    is: 'pure',
    run({ by }, { input }) {
      if (by === 'step') return { output: input }
      const entries = Object.entries(input).flatMap(([step, value]): [string, Json][] => (isJsonObject(value) ? Object.entries(value) : [[step, value]]))
      // Not by assignment: a key may be `__proto__`.
      return { output: Object.fromEntries(entries) }
    },
  },
})
