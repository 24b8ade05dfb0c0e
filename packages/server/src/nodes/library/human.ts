import type { JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode } from '../contract.ts'
import { JsonMap, Milliseconds, millisecondsOf } from '../values.ts'

const OnExpiry = Schema.Struct({
  action: Schema.Literals(['approve', 'decline', 'override']).annotate({ title: 'Action' }),
  inputs: Schema.optionalKey(JsonMap.annotate({ title: 'Inputs' })),
})

export const human = defineNode({
  type: 'human',
  title: 'Human',
  description: 'Waits for a person: an approval, or the answer to a question. Approved, it lets its input through, with the inputs of the decision laid over it.',
  category: 'people',
  config: Schema.Struct({
    kind: Schema.Literals(['approval', 'question']).annotate({ title: 'Kind' }),
    message: Schema.String.annotate({ title: 'Message', description: 'What the person is asked; a Liquid template' }),
    form: Schema.optionalKey(JsonMap.annotate({ title: 'Form', description: 'JSON Schema of the inputs that a decision carries' })),
    assignee: Schema.optionalKey(Schema.String.annotate({ title: 'Assignee', description: 'Who is asked' })),
    expiresInMs: Schema.optionalKey(Milliseconds.annotate({ title: 'Expires in', description: 'Milliseconds until the request expires; never unless set' })),
    onExpiry: Schema.optionalKey(OnExpiry.annotate({ title: 'On expiry', description: 'The decision that is taken when it expires' })),
    blocks: Schema.optionalKey(
      Schema.Literals(['dependants', 'run']).annotate({
        title: 'Blocks',
        description: 'What is held up: the steps that depend on it, or everything not yet started; `dependants` unless set',
      }),
    ),
    passes: Schema.optionalKey(
      Schema.Literals(['value', 'steps', 'nothing']).annotate({
        title: 'Passes',
        description:
          'What it lets through: the output of the one step before it, of several an object by step name (`value`, unless set), always that object (`steps`), or the inputs of the decision alone (`nothing`)',
      }),
    ),
  }),
  readings: { kind: 'raw', blocks: 'raw', passes: 'raw', 'form.**': 'raw', expiresInMs: 'value', 'onExpiry.action': 'raw', 'onExpiry.inputs.**': 'value' },
  handles: { fixed: ['declined', 'expired'] },
  schemaFields: ['form'],
  check: (config: JsonObject) => ('onExpiry' in config && !('expiresInMs' in config) ? [{ path: ['onExpiry'], message: 'It never expires: set expiresInMs' }] : []),
  behaviour: {
    is: 'wait',
    wait: ({ kind, message, form, assignee, expiresInMs, onExpiry, blocks, passes }) => ({
      for: 'pause',
      pause: {
        kind,
        message,
        form: form ?? null,
        // A template that found nobody asks nobody in particular.
        assignee: assignee?.trim() || null,
        expiresInMs: expiresInMs === undefined ? null : millisecondsOf(expiresInMs, 'expiresInMs'),
        onExpiry: onExpiry ?? null,
        blocks: blocks ?? 'dependants',
        ...(passes && { passes }),
      },
    }),
  },
})
