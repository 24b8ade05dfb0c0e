import type { Json, JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import { AnyJson, isJsonObject, wholeOf } from '../values.ts'

const most = 10_000
const defaultMax = 1_000
const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: most }))

export const loop = defineNode({
  type: 'loop',
  title: 'Loop',
  description:
    'Runs the nodes inside it again and again: while a condition holds, or a number of times. Each iteration is handed `last`, which is what the one before gave, and `count`, the number of those before it. Gives `{last, count}`.',
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
    start: Schema.optionalKey(
      AnyJson.annotate({ title: 'Start', description: 'What `last` is before the first iteration, out of what stands around the loop; read once. Null unless set' }),
    ),
    carry: Schema.optionalKey(
      Schema.Literals(['replace', 'merge']).annotate({
        title: 'Carry',
        description: 'What an iteration gives takes the place of `last`, or, both being objects, is laid over it; `replace` unless set',
      }),
    ),
    historyAs: Schema.optionalKey(
      Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(100)).annotate({
        title: 'History as',
        description:
          'A key of `last` under which all outputs so far stand, as lists by the id of the node of the body; a `last` that is no object then stands under `value`. The key is left out of what iterations, and the loop, give',
      }),
    ),
    gives: Schema.optionalKey(
      Schema.Literals(['summary', 'last', 'iteration']).annotate({
        title: 'Gives',
        description: '`{last, count}`, or `last` alone, or what the last iteration gave by itself, whatever was carried; `summary` unless set',
      }),
    ),
  }),
  readings: { while: 'condition', times: 'value', start: 'value', 'start.**': 'value', carry: 'raw', historyAs: 'raw', gives: 'raw' },
  check: (config: JsonObject) => ('while' in config === 'times' in config ? [{ path: ['while'], message: 'Give either while or times' }] : []),
  takesInput: false,
  behaviour: {
    is: 'loop',
    again: (config, count) => (config.times === undefined ? config.while === true : count < timesOf(config.times)),
    max: ({ max, times }) => max ?? (times === undefined ? defaultMax : most),
    startIn: 'start',
    carries: ({ carry, historyAs }) => ({ lay: carry === 'merge' ? laidOver : null, historyAs: typeof historyAs === 'string' ? historyAs : null }),
    gives: ({ gives }, { last, given, count }) => (gives === 'last' ? last : gives === 'iteration' ? given : { last, count }),
  },
})

const laidOver = (last: Json, given: Json): Json => (isJsonObject(last) && isJsonObject(given) ? { ...last, ...given } : given)

function timesOf(value: number | string): number {
  const times = wholeOf(value)
  if (times === null) throw new StepFailure('config_invalid', 'times is not a whole number', { retry: false })
  return times
}
