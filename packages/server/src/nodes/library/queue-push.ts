import * as Schema from 'effect/Schema'
import { defineNode, passThrough, StepFailure } from '../contract.ts'
import { AnyJson } from '../values.ts'

const named = /^[A-Za-z0-9._-]{1,100}$/

export const queuePush = defineNode({
  type: 'queue-push',
  title: 'Queue push',
  description:
    'Pushes a value into a queue, together with its own result, so that it is pushed once; without a queue it writes for the queue readers that it leads to. Gives the value: what comes in unless one is set.',
  category: 'structure',
  config: Schema.Struct({
    queue: Schema.optionalKey(
      Schema.String.annotate({ title: 'Queue', description: 'Its name: up to 100 characters of A-Z a-z 0-9 . _ -; unset or empty: the queue readers that it leads to' }),
    ),
    value: Schema.optionalKey(AnyJson.annotate({ title: 'Value', description: 'What is pushed; what comes in unless set' })),
  }),
  readings: { queue: 'template', value: 'value', 'value.**': 'value' },
  writes: true,
  tool: { approval: true, description: 'Pushes a value into a queue of the workspace, once', needs: ['queue', 'value'] },
  behaviour: {
    is: 'pure',
    run({ queue = '', value }, context) {
      if (queue !== '' && !named.test(queue)) throw new StepFailure('config_invalid', 'The name of a queue has 1 to 100 characters of A-Z a-z 0-9 . _ -', { retry: false })
      const item = value === undefined ? passThrough(context) : value
      return { output: item, ...(queue !== '' && { push: [{ queue, value: item }] }) }
    },
  },
})
