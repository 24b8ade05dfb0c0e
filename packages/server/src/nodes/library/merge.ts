import type { Json } from '@sluice/schema'
import { defineNode } from '../contract.ts'
import { NoConfig, isJsonObject } from '../values.ts'

export const merge = defineNode({
  type: 'merge',
  title: 'Merge',
  description: 'Puts the outputs of the steps before it into one object. Of equal keys the later step wins; what is no object goes under its step name.',
  category: 'flow',
  config: NoConfig,
  behaviour: {
    is: 'pure',
    run(_config, { input }) {
      const entries = Object.entries(input).flatMap(([step, value]): [string, Json][] => (isJsonObject(value) ? Object.entries(value) : [[step, value]]))
      // Not by assignment: a key may be `__proto__`.
      return { output: Object.fromEntries(entries) }
    },
  },
})
