import * as Schema from 'effect/Schema'
import { defineNode, passThrough, StepFailure } from '../contract.ts'
import { AnyJson, Whole, wholeNumberOf } from '../values.ts'

export const respond = defineNode({
  type: 'respond',
  title: 'Respond',
  description: 'Says what who started the run over HTTP is to be answered. It is what the run returns.',
  category: 'data',
  config: Schema.Struct({
    status: Schema.optionalKey(Whole.annotate({ title: 'Status', description: '100 to 599; 200 unless set' })),
    body: Schema.optionalKey(AnyJson.annotate({ title: 'Body', description: 'What comes in unless set' })),
  }),
  readings: { status: 'value', body: 'value', 'body.**': 'value' },
  returns: true,
  behaviour: {
    is: 'pure',
    run(config, context) {
      const status = wholeNumberOf(config.status ?? 200, 'status')
      if (status < 100 || status > 599) throw new StepFailure('config_invalid', 'status is not a number from 100 to 599', { retry: false })
      return { output: { status, body: config.body === undefined ? passThrough(context) : config.body } }
    },
  },
})
