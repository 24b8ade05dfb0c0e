import * as Schema from 'effect/Schema'
import { defineNode, passThrough } from '../contract.ts'

const maxCharacters = 10_000

export const log = defineNode({
  type: 'log',
  title: 'Log',
  description: 'Writes a line into the log of the run. Lets its input through.',
  category: 'data',
  config: Schema.Struct({
    level: Schema.optionalKey(Schema.Literals(['debug', 'info', 'warn', 'error']).annotate({ title: 'Level', description: '`info` unless set' })),
    message: Schema.String.annotate({ title: 'Message', description: `A Liquid template; at most ${maxCharacters} characters are kept` }),
  }),
  readings: { level: 'raw', message: 'template' },
  behaviour: {
    is: 'work',
    async run({ level, message }, context) {
      context.abilities.log(level ?? 'info', message.slice(0, maxCharacters))
      return { output: passThrough(context) }
    },
  },
})
