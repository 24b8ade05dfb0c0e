import { Json, JsonObject } from '@sluice/schema'
import { z } from 'zod'
import type { Dialect } from '../dialect.ts'

/**
 * The shapes of OpenAI's chat completions, by the names that its API reference gives them. What is answered has the keys of the
 * reference that have something to say; of what is sent, keys that nothing is done with are passed over.
 */

// ── what is sent ───────────────────────────────────────────────────────────────────────────────────────────────────────

const TextPart = z.object({ type: z.literal('text'), text: z.string() })
/** Of the user alone; nothing is done with it but to refuse it by its type. */
const OtherPart = z.object({ type: z.enum(['image_url', 'input_audio', 'file']) })
const RefusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() })

const Texts = z.union([z.string(), z.array(TextPart).min(1)])

/** A call as the assistant made it: `arguments` is JSON as text. */
export const ChatCompletionMessageToolCall = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
})
export type ChatCompletionMessageToolCall = z.output<typeof ChatCompletionMessageToolCall>

export const ChatCompletionRequestMessage = z.discriminatedUnion('role', [
  z.object({ role: z.literal('developer'), content: Texts, name: z.string().nullish() }),
  z.object({ role: z.literal('system'), content: Texts, name: z.string().nullish() }),
  z.object({ role: z.literal('user'), content: z.union([z.string(), z.array(z.discriminatedUnion('type', [TextPart, OtherPart])).min(1)]), name: z.string().nullish() }),
  z.object({
    role: z.literal('assistant'),
    content: z.union([z.string(), z.array(z.discriminatedUnion('type', [TextPart, RefusalPart]))]).nullish(),
    name: z.string().nullish(),
    refusal: z.string().nullish(),
    tool_calls: z.array(ChatCompletionMessageToolCall).nullish(),
  }),
  z.object({ role: z.literal('tool'), content: Texts, tool_call_id: z.string() }),
])
export type ChatCompletionRequestMessage = z.output<typeof ChatCompletionRequestMessage>

export const ChatCompletionTool = z.object({
  type: z.literal('function'),
  function: z.object({ name: z.string(), description: z.string().nullish(), parameters: JsonObject.nullish(), strict: z.boolean().nullish() }),
})

const choice = z.union([z.enum(['none', 'auto', 'required']), z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) })])

const unused = Json.nullish()

export const CreateChatCompletionRequest = z.object({
  model: z.string().min(1).max(100),
  messages: z.array(ChatCompletionRequestMessage).min(1).max(2_000),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  tools: z.array(ChatCompletionTool).max(100).nullish(),
  tool_choice: choice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  n: z.literal(1).nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  user: z.string().max(512).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  seed: z.int().nullish(),
  stop: unused,
  response_format: unused,
})
export type CreateChatCompletionRequest = z.output<typeof CreateChatCompletionRequest>

export const CompletionHeaders = z.object({
  'x-sluice-session': z.string().max(100).optional(),
  'idempotency-key': z.string().min(1).max(200).optional(),
})
export type CompletionHeaders = z.output<typeof CompletionHeaders>

// ── what is answered ───────────────────────────────────────────────────────────────────────────────────────────────────

export const CompletionUsage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() })
export type CompletionUsage = z.output<typeof CompletionUsage>

const FinishReason = z.enum(['stop', 'length', 'tool_calls', 'content_filter', 'function_call'])
export type FinishReason = z.output<typeof FinishReason>

export const ChatCompletionResponseMessage = z.object({
  role: z.literal('assistant'),
  content: z.string().nullable(),
  refusal: z.string().nullable(),
  tool_calls: z.array(ChatCompletionMessageToolCall).optional(),
})
export type ChatCompletionResponseMessage = z.output<typeof ChatCompletionResponseMessage>

export const CreateChatCompletionResponse = z.object({
  id: z.string(),
  object: z.literal('chat.completion'),
  created: z.int(),
  model: z.string(),
  choices: z.array(z.object({ index: z.int(), message: ChatCompletionResponseMessage, logprobs: z.null(), finish_reason: FinishReason })),
  usage: CompletionUsage,
})
export type CreateChatCompletionResponse = z.output<typeof CreateChatCompletionResponse>

export const ChatCompletionStreamResponseDelta = z.object({
  role: z.literal('assistant').optional(),
  content: z.string().optional(),
  refusal: z.string().nullable().optional(),
  tool_calls: z.array(ChatCompletionMessageToolCall.extend({ index: z.int() })).optional(),
})
export type ChatCompletionStreamResponseDelta = z.output<typeof ChatCompletionStreamResponseDelta>

export const CreateChatCompletionStreamResponse = z.object({
  id: z.string(),
  object: z.literal('chat.completion.chunk'),
  created: z.int(),
  model: z.string(),
  choices: z.array(z.object({ index: z.int(), delta: ChatCompletionStreamResponseDelta, logprobs: z.null(), finish_reason: FinishReason.nullable() })),
  usage: CompletionUsage.nullable().optional(),
})
export type CreateChatCompletionStreamResponse = z.output<typeof CreateChatCompletionStreamResponse>

export const Model = z.object({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })
export type Model = z.output<typeof Model>

export const ListModelsResponse = z.object({ object: z.literal('list'), data: z.array(Model) })

export const ModelPath = z.object({ model: z.string().min(1).max(100) })

export const ErrorResponse = z.object({
  error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string().nullable() }),
})
export type ErrorResponse = z.output<typeof ErrorResponse>

export const words: Dialect['words'] = {
  ChatCompletionMessageToolCall,
  ChatCompletionRequestMessage,
  ChatCompletionTool,
  CreateChatCompletionRequest,
  CompletionUsage,
  ChatCompletionResponseMessage,
  CreateChatCompletionResponse,
  ChatCompletionStreamResponseDelta,
  CreateChatCompletionStreamResponse,
  Model,
  ListModelsResponse,
  ErrorResponse,
}
