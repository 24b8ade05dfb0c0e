import { flow, template } from '../../support/flow.ts'
import type { Scene } from '../executing.ts'
import { elsewhere, elsewhereHeld, full, general, outages } from './refusals.ts'

export const openai: Scene = {
  dialect: 'openai',
  async begin({ server }) {
    const definition = { ...flow({ in: 'input', answer: template('Hello') }, ['in > answer']), kind: 'chatbot' }
    await server.call('POST', '/v1/workflows', { name: 'helpdesk', handle: 'helpdesk', definition })
  },
  steps: [{ operation: 'createChatCompletion' }, { operation: 'listModels' }, { operation: 'retrieveModel' }],
  refusals: {
    ...general,
    input_invalid: ({ query }) => ({ query: { ...query, '\u0000': 'x' } }),
    workflow_missing: elsewhere('model'),
  },
  apart: [],
  unreached: [
    ...outages,
    full,
    ...elsewhereHeld('test/dialects/openai', 'definition_invalid', 'session_missing', 'run_missing', 'calls_pending', 'call_not_waiting', 'idempotency_conflict'),
  ],
}
