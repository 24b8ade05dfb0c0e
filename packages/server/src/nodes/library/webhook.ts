import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import { isJsonObject } from '../values.ts'

const name = /^[A-Za-z0-9_-]{1,255}$/

export const webhook = defineNode({
  type: 'webhook',
  title: 'Webhook',
  description: 'Gives what is sent to a webhook, each delivery in its turn, from the start of the run on.',
  category: 'structure',
  config: Schema.Struct({
    name: Schema.String.check(Schema.isMinLength(1)).annotate({ title: 'Name', description: 'Of the webhook: letters, digits, `-` and `_`' }),
  }),
  handles: { fixed: ['done'] },
  entry: true,
  takesInput: false,
  behaviour: {
    is: 'producer',
    next(config) {
      if (!name.test(config.name)) throw new StepFailure('config_invalid', 'The name of a webhook has 1 to 255 letters, digits, - and _', { retry: false })
      return { awaits: { webhook: config.name } }
    },
    receive: (_, payload, { state }) => ({ item: payload, state: isJsonObject(payload) && typeof payload['id'] === 'string' ? { after: payload['id'] } : state }),
  },
})
