import * as Schema from 'effect/Schema'
import { refusedCall } from '../content.ts'
import { defineNode } from '../contract.ts'
import { AnyJson, isDeeperThan, isJsonObject } from '../values.ts'

/** No function takes more, and what it gives may quote it. */
const deepest = 32

export const tool = defineNode({
  type: 'tool',
  title: 'Tool',
  description:
    'Calls a function for a model, one of those that the node `tools` gives and that are done here; whether the session allows it is decided again. Gives `{content, value}`: what the model is told, at most 32,768 characters, and the value itself. What the model could have asked better is told to it, too, and fails nothing.',
  category: 'work',
  config: Schema.Struct({
    name: Schema.String.check(Schema.isMinLength(1)).annotate({ title: 'Name', description: 'Of the function' }),
    approved: Schema.optionalKey(
      AnyJson.annotate({ title: 'Approved', description: 'Whether a person was asked: with `false` a function that wants that is refused; not looked at unless set' }),
    ),
    arguments: Schema.optionalKey(AnyJson.annotate({ title: 'Arguments', description: 'An object; what an expression gives is taken as it is, and no template in it is read' })),
  }),
  readings: { name: 'value', approved: 'value', arguments: 'value', 'arguments.**': 'value' },
  takesInput: false,
  behaviour: {
    is: 'work',
    async run({ name, arguments: given = {}, approved }, context) {
      if (!isJsonObject(given)) return refusedCall('The arguments are no object')
      if (isDeeperThan(given, deepest)) return refusedCall(`The arguments are nested deeper than ${deepest} levels`)
      return context.abilities.callTool({ name, arguments: given, ...(approved === false && { approved }) }, context)
    },
  },
})
