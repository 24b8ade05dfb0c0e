import * as Schema from 'effect/Schema'
import { defineNode, passThrough } from '../contract.ts'
import { AnyJson } from '../values.ts'

export const subworkflow = defineNode({
  type: 'subworkflow',
  title: 'Sub-workflow',
  description: 'Runs another workflow as a child run, and gives its output.',
  category: 'structure',
  config: Schema.Struct({
    workflow: Schema.String.check(Schema.isMinLength(1)).annotate({ title: 'Workflow', description: 'Its id or handle' }),
    version: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)).annotate({ title: 'Version', description: 'The newest unless set' })),
    input: Schema.optionalKey(AnyJson.annotate({ title: 'Input', description: 'What the child is started with; what comes in unless set' })),
  }),
  readings: { input: 'value', 'input.**': 'value' },
  behaviour: {
    is: 'child',
    child: (config, context) => ({ workflow: config.workflow, version: config.version ?? null, input: config.input === undefined ? passThrough(context) : config.input }),
  },
})
