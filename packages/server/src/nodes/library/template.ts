import * as Schema from 'effect/Schema'
import { defineNode } from '../contract.ts'

export const template = defineNode({
  type: 'template',
  title: 'Template',
  description: 'Renders a Liquid template over the outputs of the steps before it.',
  category: 'data',
  config: Schema.Struct({ text: Schema.String.annotate({ title: 'Text', description: 'A Liquid template' }) }),
  readings: { text: 'template' },
  takesInput: false,
  behaviour: { is: 'pure', run: ({ text }) => ({ output: { text } }) },
})
