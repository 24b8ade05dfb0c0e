import type { Json } from '@sluice/schema'
import { defineNode } from '../contract.ts'
import { NoConfig } from '../values.ts'

export const tools = defineNode({
  type: 'tools',
  title: 'Tools',
  description:
    'Gives what a model may call in the session whose round this is, and what files there are: `{tools, files}`. The functions are those that read the files, nodes of the library, workflows of the workspace, as far as the session allows them, and what the sender of the message does. Without a session there are none.',
  category: 'data',
  config: NoConfig,
  takesInput: false,
  behaviour: {
    is: 'work',
    async run(_config, { abilities }) {
      const [offered, files] = [await abilities.tools(), await abilities.documents()]
      // As JSON has it: what is not there is left out.
      return { output: JSON.parse(JSON.stringify({ tools: offered, files })) as Json }
    },
  },
})
