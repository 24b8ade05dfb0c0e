import type { JsonObject } from '@sluice/schema'

/** Somebody asks for the weather, and the model for what the client knows of it. */

const at = { created: 1_769_860_800, model: 'React' }
const usage = { prompt_tokens: 82, completion_tokens: 17, total_tokens: 99 }

const weather: JsonObject = {
  type: 'function',
  function: { name: 'get_weather', description: 'The weather in a city', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
}

export const request = {
  model: 'React',
  messages: [
    { role: 'system', content: 'Answer in one sentence.' },
    { role: 'user', content: 'How is the weather in Oslo?' },
  ],
  tools: [weather],
} satisfies JsonObject

export const completion = {
  id: 'chatcmpl-0mlzp1v2k3f9q7a-mlzp1vxo',
  object: 'chat.completion',
  ...at,
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: null,
        refusal: null,
        tool_calls: [{ id: 'call_0mlzp1v2k3f9q7a_0-1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } }],
      },
      logprobs: null,
      finish_reason: 'tool_calls',
    },
  ],
  usage,
} satisfies JsonObject

const chunk = (delta: JsonObject, finish: string | null = null): JsonObject => ({
  id: 'chatcmpl-0mlzp1v2k3f9q7a-mlzp1vxo',
  object: 'chat.completion.chunk',
  ...at,
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
})

export const chunks = {
  begin: { summary: 'It begins', value: chunk({ role: 'assistant', content: '', refusal: null }) },
  piece: { summary: 'A piece of the text', value: chunk({ content: 'It rains' }) },
  end: { summary: 'It ends', value: chunk({}, 'stop') },
}

export const models = [
  { id: 'Actionplan', object: 'model', created: 1_769_860_800, owned_by: 'sluice' },
  { id: 'helpdesk', object: 'model', created: 1_769_860_923, owned_by: 'workspace' },
] as const
