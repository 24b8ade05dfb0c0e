import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'

const named = /^[A-Za-z0-9._-]{1,100}$/

export const queueReader = defineNode({
  type: 'queue-reader',
  title: 'Queue reader',
  description:
    'Gives what is pushed into a queue, first in, first out, each to one reader. Without a queue it gives what the nodes that lead to it push, and ends when no more can come.',
  category: 'structure',
  config: Schema.Struct({
    queue: Schema.optionalKey(
      Schema.String.annotate({ title: 'Queue', description: 'Its name: up to 100 characters of A-Z a-z 0-9 . _ -; unset or empty: what the nodes that lead to it push' }),
    ),
  }),
  handles: { fixed: ['done'] },
  entry: true,
  takesInput: false,
  reads: true,
  behaviour: {
    is: 'producer',
    next({ queue = '' }) {
      if (queue !== '' && !named.test(queue)) throw new StepFailure('config_invalid', 'The name of a queue has 1 to 100 characters of A-Z a-z 0-9 . _ -', { retry: false })
      return { awaits: queue === '' ? { channel: true } : { queue } }
    },
  },
})
