import { type AnyNode, defineNode } from '../../packages/server/src/nodes/contract.ts'
import { NoConfig } from '../../packages/server/src/nodes/values.ts'

/** Tells that it was reached and gives nothing, as work: it begins when its start is durable, and what follows when its result is. */
export const stepThat = (does: (runId: string) => void): AnyNode =>
  defineNode({
    type: 'bench-step',
    title: 'Step',
    description: 'Does nothing.',
    category: 'work',
    config: NoConfig,
    behaviour: {
      is: 'work',
      async run(_, { runId }) {
        does(runId)
        return { output: null }
      },
    },
  })

export const step = stepThat(() => {})
