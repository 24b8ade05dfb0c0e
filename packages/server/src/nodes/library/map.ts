import { limits } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import { AnyJson } from '../values.ts'

const defaultConcurrency = 10

export const map = defineNode({
  type: 'map',
  title: 'Map',
  description: 'Runs the nodes inside it once for each item of a list, several at a time.',
  category: 'structure',
  config: Schema.Struct({
    items: AnyJson.annotate({ title: 'Items', description: 'A CEL expression that gives a list, or the list itself' }),
    concurrency: Schema.optionalKey(
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 })).annotate({
        title: 'Concurrency',
        description: `How many items at a time; ${defaultConcurrency} unless set`,
      }),
    ),
    onItemFailure: Schema.optionalKey(
      Schema.Literals(['fail', 'collect']).annotate({
        title: 'On item failure',
        description: 'Fail with the first item that failed for good, or go on and collect; `fail` unless set',
      }),
    ),
  }),
  readings: { items: 'expression', 'items.**': 'value', onItemFailure: 'raw' },
  takesInput: false,
  behaviour: {
    is: 'map',
    plan({ items, concurrency, onItemFailure }) {
      if (!Array.isArray(items)) throw new StepFailure('items_not_a_list', 'What items gives is not a list', { retry: false })
      if (items.length > limits.items) throw new StepFailure('limit_exceeded', `A map has at most ${limits.items} items`, { retry: false })
      return { items, concurrency: concurrency ?? defaultConcurrency, onItemFailure: onItemFailure ?? 'fail' }
    },
  },
})
