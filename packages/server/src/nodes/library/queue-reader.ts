import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'

const mostCharacters = 200

export const queueReader = defineNode({
  type: 'queue-reader',
  title: 'Queue reader',
  description:
    'Gives what is pushed into a queue, first in, first out, each to one reader. Without a queue it gives what the nodes that lead to it push, and ends when no more can come.',
  category: 'structure',
  config: Schema.Struct({
    queue: Schema.optionalKey(Schema.String.annotate({ title: 'Queue', description: 'Its name; unset or empty: what the nodes that lead to it push' })),
  }),
  handles: { fixed: ['done'] },
  entry: true,
  takesInput: false,
  behaviour: {
    is: 'producer',
    next({ queue = '' }) {
      if (queue.length > mostCharacters) throw new StepFailure('config_invalid', `The name of a queue has at most ${mostCharacters} characters`, { retry: false })
      return { awaits: queue === '' ? { channel: true } : { queue } }
    },
  },
})
