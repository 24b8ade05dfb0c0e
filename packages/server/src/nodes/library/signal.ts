import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import { Milliseconds, millisecondsOf } from '../values.ts'

export const signal = defineNode({
  type: 'signal',
  title: 'Signal',
  description: 'Waits for a named message sent into the run, and gives its payload.',
  category: 'people',
  config: Schema.Struct({
    name: Schema.optionalKey(Schema.String.annotate({ title: 'Name', description: "The name of the signal; the node's id unless set" })),
    timeoutMs: Schema.optionalKey(Milliseconds.annotate({ title: 'Time-out', description: 'Milliseconds to wait; without end unless set' })),
  }),
  readings: { timeoutMs: 'value' },
  handles: { fixed: ['expired'] },
  takesInput: false,
  behaviour: {
    is: 'wait',
    wait({ name, timeoutMs }, { nodeId }) {
      const awaited = name ?? nodeId
      if (awaited.length === 0 || awaited.length > 200) throw new StepFailure('config_invalid', 'The name of a signal has 1 to 200 characters', { retry: false })
      return { for: 'signal', name: awaited, timeoutMs: timeoutMs === undefined ? null : millisecondsOf(timeoutMs, 'timeoutMs') }
    },
  },
})
