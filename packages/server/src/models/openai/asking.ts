import type { Json, JsonObject } from '@sluice/schema'
import type OpenAI from 'openai'
import type { Message, Question } from '../model.ts'

type Params = OpenAI.ChatCompletionCreateParamsStreaming

/**
 * How an endpoint wants to be asked. Servers speak different shares of the protocol: we begin with the whole, and give up,
 * one by one, what they refuse.
 */
export interface Manner {
  /** `json_schema`: the server holds the model to the schema · `json_object`: to JSON alone · `asked`: in words. */
  structure: 'json_schema' | 'json_object' | 'asked'
  /** Whether token counts are asked for. */
  counts: boolean
  limit: 'max_tokens' | 'max_completion_tokens'
}

export const wholeManner: Manner = { structure: 'json_schema', counts: true, limit: 'max_tokens' }

/** A key stands for one body: what is asked in a simpler manner goes under a key of its own, the same each time. */
export const keyIn = ({ structure, counts, limit }: Manner, key: string): string =>
  [key, ...(structure === 'json_schema' ? [] : [structure]), ...(counts ? [] : ['uncounted']), ...(limit === 'max_tokens' ? [] : [limit])].join('/')

interface Concession {
  complaint: RegExp
  /** Whether a question is asked in the manner at all. */
  concerns(question: Question): boolean
  concede(manner: Manner): Manner | null
}

const concessions: Concession[] = [
  {
    complaint: /max_completion_tokens/i,
    concerns: ({ maxTokens }) => maxTokens !== undefined,
    concede: (manner) => (manner.limit === 'max_tokens' ? { ...manner, limit: 'max_completion_tokens' } : null),
  },
  { complaint: /stream_options|include_usage/i, concerns: () => true, concede: (manner) => (manner.counts ? { ...manner, counts: false } : null) },
  {
    complaint: /response_format|json_schema|json_object|schema/i,
    concerns: ({ outputSchema }) => outputSchema !== undefined,
    concede: (manner) => (manner.structure === 'asked' ? null : { ...manner, structure: manner.structure === 'json_schema' ? 'json_object' : 'asked' }),
  },
]

/** The manner in which to ask again after a refusal; null when there is nothing to give up. */
export function concede(manner: Manner, refusal: string, question: Question): Manner | null {
  for (const { complaint, concerns, concede: by } of concessions) {
    const simpler = complaint.test(refusal) && concerns(question) ? by(manner) : null
    if (simpler) return simpler
  }
  return null
}

/** A question in the words of the protocol. */
export function paramsOf(model: string, question: Question, manner: Manner): Params {
  const { temperature, topP, maxTokens, outputSchema, tools, toolChoice } = question
  return {
    model,
    messages: [...question.messages.map(messageOf), ...(outputSchema && manner.structure !== 'json_schema' ? [instruction(outputSchema)] : [])],
    stream: true,
    ...(manner.counts && { stream_options: { include_usage: true } }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(maxTokens !== undefined && { [manner.limit]: maxTokens }),
    ...(outputSchema && formatOf(outputSchema, manner)),
    ...(tools?.length && {
      tools: tools.map(({ name, description, parameters }) => ({ type: 'function' as const, function: { name, description, parameters } })),
      tool_choice: typeof toolChoice === 'object' ? { type: 'function' as const, function: { name: toolChoice.name } } : (toolChoice ?? 'auto'),
    }),
  }
}

function messageOf(message: Message): OpenAI.ChatCompletionMessageParam {
  // Servers refuse half a character, as a text has where something cut it.
  const content = message.content.toWellFormed()
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content }
    case 'tool':
      return { role: 'tool', tool_call_id: message.callId, content }
    case 'assistant': {
      const { toolCalls = [] } = message
      const calls = toolCalls.map(({ id, name, arguments: given }) => ({ id, type: 'function' as const, function: { name, arguments: JSON.stringify(given) } }))
      return { role: 'assistant', content, ...(calls.length > 0 && { tool_calls: calls }) }
    }
  }
}

const instruction = (schema: JsonObject): OpenAI.ChatCompletionMessageParam => ({
  role: 'system',
  content: `Answer with one JSON value and nothing else. It must fit this JSON Schema:\n${JSON.stringify(schema)}`,
})

function formatOf(schema: JsonObject, { structure }: Manner): Pick<Params, 'response_format'> {
  if (structure === 'asked') return {}
  if (structure === 'json_object') return { response_format: { type: 'json_object' } }
  return { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: isClosed(schema) } } }
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether every object of a schema names all of its keys and requires them: only such a one may be asked for strictly. */
function isClosed(schema: Json): boolean {
  if (typeof schema !== 'object' || schema === null) return true
  if (Array.isArray(schema)) return schema.every(isClosed)
  const { type, properties, required, additionalProperties } = schema
  if (type === 'object' || properties !== undefined) {
    const names = isObject(properties) ? Object.keys(properties) : []
    if (additionalProperties !== false || !Array.isArray(required) || !names.every((name) => required.includes(name))) return false
  }
  return Object.values(schema).every(isClosed)
}
