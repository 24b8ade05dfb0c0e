import * as Schema from 'effect/Schema'
import { defineNode, passThrough, StepFailure } from '../contract.ts'
import { AnyJson } from '../values.ts'

export const fileWrite = defineNode({
  type: 'file-write',
  title: 'File write',
  description: 'Writes into a file that the node has under a name. A step that is tried again writes once.',
  category: 'data',
  config: Schema.Struct({
    name: Schema.String.check(Schema.isMinLength(1)).annotate({ title: 'Name', description: 'What the node calls the file; slashes and dots are a part of the name' }),
    content: Schema.optionalKey(AnyJson.annotate({ title: 'Content', description: 'Text goes as it is, everything else as JSON; what comes in unless set' })),
    append: Schema.optionalKey(Schema.Boolean.annotate({ title: 'Append', description: 'Adds a line to the file, in place of writing it anew' })),
  }),
  readings: { name: 'template', content: 'value', 'content.**': 'value' },
  behaviour: {
    is: 'work',
    async run({ name, content, append = false }, context) {
      if (name.trim() === '') throw new StepFailure('config_invalid', 'A file has a name', { retry: false })
      const value = content === undefined ? passThrough(context) : content
      const text = typeof value === 'string' ? value : JSON.stringify(value, null, append ? undefined : 2)
      const file = await context.abilities.writeFile({ key: name, text: append && !text.endsWith('\n') ? `${text}\n` : text, append })
      return { output: { file } }
    },
  },
})
