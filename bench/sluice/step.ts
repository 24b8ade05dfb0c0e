import { type AnyNode, defineNode } from '../../packages/server/src/nodes/contract.ts'
import { NoConfig } from '../../packages/server/src/nodes/values.ts'

/** Does nothing, as work: it begins when its start is durable, and what follows begins when its result is. */
export const step: AnyNode = defineNode({
  type: 'bench-step',
  title: 'Step',
  description: 'Does nothing.',
  category: 'work',
  config: NoConfig,
  behaviour: { is: 'work', run: async () => ({ output: null }) },
})
