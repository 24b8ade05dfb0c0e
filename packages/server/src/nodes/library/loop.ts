import type { JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import { wholeOf } from '../values.ts'

const most = 10_000
const defaultMax = 1_000
const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: most }))

export const loop = defineNode({
  type: 'loop',
  title: 'Loop',
  description: 'Runs the nodes inside it again and again: while a condition holds, or a number of times.',
  category: 'structure',
  config: Schema.Struct({
    while: Schema.optionalKey(
      Schema.Union([Schema.String, Schema.Boolean]).annotate({ title: 'While', description: 'A CEL condition over `last` and `count`, asked before each iteration' }),
    ),
    times: Schema.optionalKey(Schema.Union([Count, Schema.String]).annotate({ title: 'Times', description: `How many iterations, at most ${most}` })),
    max: Schema.optionalKey(
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: most })).annotate({
        title: 'Max',
        description: `The loop fails when it wants more; ${defaultMax} unless set, with \`times\` ${most}`,
      }),
    ),
  }),
  readings: { while: 'condition', times: 'value' },
  check: (config: JsonObject) => ('while' in config === 'times' in config ? [{ path: ['while'], message: 'Give either while or times' }] : []),
  takesInput: false,
  behaviour: {
    is: 'loop',
    again: (config, count) => (config.times === undefined ? config.while === true : count < timesOf(config.times)),
    max: ({ max, times }) => max ?? (times === undefined ? defaultMax : most),
  },
})

function timesOf(value: number | string): number {
  const times = wholeOf(value)
  if (times === null) throw new StepFailure('config_invalid', 'times is not a whole number', { retry: false })
  return times
}
