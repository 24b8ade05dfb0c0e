import { defineNode } from '../contract.ts'
import { NoConfig } from '../values.ts'

export const external = defineNode({
  type: 'external',
  title: 'External',
  description: 'Work done elsewhere: waits for a report, and gives what was reported.',
  category: 'work',
  config: NoConfig,
  takesInput: false,
  behaviour: { is: 'wait', wait: () => ({ for: 'report' }) },
})
