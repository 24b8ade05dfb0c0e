import type { Json, JsonObject } from '@sluice/schema'

/**
 * All that the rest of the server knows of language models. A provider is one value of `Model`; what it cannot do it says
 * by a ModelError, never by an answer that only looks like one.
 */

export type Message =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string; toolCalls?: readonly ToolCall[] }
  /** What a tool gave for one of the calls before. */
  | { role: 'tool'; callId: string; content: string }

/** A function that the model may ask for. */
export interface Tool {
  /** `[A-Za-z0-9_-]{1,64}` */
  name: string
  description: string
  /** JSON Schema of its arguments: an object. */
  parameters: JsonObject
}

export interface ToolCall {
  id: string
  name: string
  arguments: JsonObject
}

export interface Question {
  messages: readonly Message[]
  tools?: readonly Tool[]
  /** `auto` unless set; `required`: one tool or another, `{name}`: this one. */
  toolChoice?: 'auto' | 'none' | 'required' | { name: string }
  /** JSON Schema of the answer. The provider asks for it; whether the answer fits is for the asker to check. */
  outputSchema?: JsonObject
  temperature?: number
  topP?: number
  /** Of the answer. One that is cut says so by its `finishReason`. */
  maxTokens?: number
}

export interface Asking {
  /** Aborting closes the connection to the model. */
  signal: AbortSignal
  /** Called with each piece of the answer's text as it comes; together they are `text`. */
  onToken?: (piece: string) => void
  /** The same on every retry of one question. */
  idempotencyKey?: string
  /** W3C trace context. */
  traceparent?: string | null
}

/** Tokens as the model counts them; where it does not tell, `estimated` by the rule of `tokens.ts`. */
export interface Usage {
  promptTokens: number
  completionTokens: number
  estimated: boolean
}

export interface Answer {
  /** Empty when it only calls tools. */
  text: string
  toolCalls: ToolCall[]
  /** With an `outputSchema`, unless tools are called: the text as JSON. */
  structured?: Json
  usage: Usage
  /** `length`: cut at `maxTokens`, or at the model's own limit. */
  finishReason: 'stop' | 'length' | 'tool_calls'
  /** The model that answered, as it names itself. */
  model: string
}

export interface Model {
  name: string
  /** The built-in one, which answers by rules. */
  offline: boolean
  /** Throws a ModelError; the reason of `signal` when that was what ended it. */
  complete(question: Question, asking: Asking): Promise<Answer>
}

/** The models that a workspace may ask. */
export interface Models {
  /** The named one, else the workspace's own. Where none is configured it is the offline model, whatever the name. */
  modelFor(workspaceId: string, name?: string): Promise<Model>
}
