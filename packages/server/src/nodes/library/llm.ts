import { createHash } from 'node:crypto'
import { type Json, type JsonObject, limits } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { ModelError } from '../../models/error.ts'
import type { Answer, Message, Model, Models, Tool, ToolCall } from '../../models/model.ts'
import { defineNode, StepFailure } from '../contract.ts'
import type { StepResult, WorkContext } from '../contract.ts'
import { AnyJson, JsonMap, isJsonObject } from '../values.ts'

const mostHistory = 1_000

const Example = Schema.Struct({
  user: Schema.String.annotate({ title: 'User', description: 'What is asked; a Liquid template' }),
  assistant: Schema.String.annotate({ title: 'Assistant', description: 'What is to be answered; a Liquid template' }),
})

/** Its server refuses more. */
const mostTools = 128

const Config = Schema.Struct({
  prompt: Schema.optionalKey(Schema.String.annotate({ title: 'Prompt', description: 'What the model is asked; a Liquid template. It may be absent where there are messages' })),
  system: Schema.optionalKey(Schema.String.annotate({ title: 'System', description: 'How it is to answer; a Liquid template' })),
  examples: Schema.optionalKey(
    Schema.Array(Example)
      .check(Schema.isMaxLength(100))
      .annotate({ title: 'Examples', description: 'Questions and their answers, told to the model as if they had been before: behind the system text, ahead of the history' }),
  ),
  history: Schema.optionalKey(
    AnyJson.annotate({
      title: 'History',
      description: `The conversation so far, right ahead of the prompt: a list of \`{role, content}\` of at most ${mostHistory} messages, each by \`user\`, \`assistant\` or \`system\`; null is none`,
    }),
  ),
  messages: Schema.optionalKey(
    AnyJson.annotate({
      title: 'Messages',
      description: `What was said since, behind the prompt: a list of \`{role, content}\` as in the history, of what the model said also with \`toolCalls\`, and of what functions gave by \`tool\`, with the \`callId\` that it is of; null is none`,
    }),
  ),
  tools: Schema.optionalKey(
    AnyJson.annotate({
      title: 'Tools',
      description: `Functions that the model may call: a list of \`{name, description, parameters}\`, the last a JSON Schema of an object; at most ${mostTools}. What it calls is given as \`toolCalls\`, and nothing of it is done here; null is none`,
    }),
  ),
  toolChoice: Schema.optionalKey(
    Schema.Literals(['auto', 'none', 'required']).annotate({ title: 'Tool choice', description: 'Whether it may call functions, may not, or has to; `auto` unless set' }),
  ),
  stream: Schema.optionalKey(
    Schema.Boolean.annotate({ title: 'Stream', description: 'Tell its text live, piece by piece, to who follows the run or its session; it is part of the answer of the round' }),
  ),
  model: Schema.optionalKey(
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200)).annotate({
      title: 'Model',
      description: 'A model of the configured endpoint, or `offline` for the built-in one; the configured model unless set',
    }),
  ),
  outputSchema: Schema.optionalKey(
    JsonMap.annotate({ title: 'Output schema', description: 'JSON Schema of the answer, which is then given as `structured`; an answer that does not fit fails the attempt' }),
  ),
  temperature: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 2 })).annotate({ title: 'Temperature', description: "The model's own unless set" })),
  topP: Schema.optionalKey(
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({ title: 'Top p', description: 'The share of likely words to choose from; all unless set' }),
  ),
  maxTokens: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 })).annotate({
      title: 'Most tokens',
      description: 'Of the answer; one that is cut there has the `finishReason` `length`',
    }),
  ),
  gives: Schema.optionalKey(
    Schema.Literals(['all', 'structured']).annotate({ title: 'Gives', description: 'All there is to say of the answer, or `structured` alone; `all` unless set' }),
  ),
})
type Config = typeof Config.Type

export const llm = (models: Models) =>
  defineNode<Config>({
    type: 'llm',
    title: 'Language model',
    description:
      'Asks a language model: the one that is set for the workspace, else the one of SLUICE_MODEL_URL and SLUICE_MODEL. Without either the built-in model `offline` answers, which is no language model: it finds labelled values, computes on numbers, sums up and fills JSON Schemas by rules, and fails where no rule fits. The messages are: system, examples, history, prompt. Gives `{text, toolCalls?, structured?, usage: {promptTokens, completionTokens}, model, finishReason}`, or what is `structured` alone. `toolCalls`, a list of `{id, name, arguments}`, is there whenever tools are.',
    category: 'work',
    config: Config,
    readings: {
      model: 'raw',
      'outputSchema.**': 'raw',
      history: 'value',
      'history.**': 'value',
      messages: 'value',
      'messages.**': 'value',
      tools: 'value',
      'tools.**': 'value',
      toolChoice: 'raw',
      stream: 'raw',
      gives: 'raw',
    },
    check: configIssues,
    schemaFields: ['outputSchema'],
    schemaOf: ({ gives }) => (gives === 'structured' ? null : 'structured'),
    takesInput: false,
    behaviour: { is: 'work', run: (config, context) => ask(models, config, context) },
  })

async function ask(models: Models, config: Config, context: WorkContext): Promise<StepResult> {
  const messages = messagesOf(config)
  const tools = toolsIn(config.tools ?? null)
  const model = await models.modelFor(context.workspaceId, config.model).catch(failed)
  tellOfOffline(model, config, context)
  const { text, toolCalls, structured, usage, finishReason, model: name } = await answered(model, { messages, tools }, config, context)
  const { promptTokens, completionTokens } = usage
  const counted = { promptTokens, completionTokens, ...(usage.estimated && { estimated: true }) }
  const called: JsonObject = tools.length > 0 ? { toolCalls: numbered(toolCalls, context) } : {}
  const all = { text, ...called, ...(structured !== undefined && { structured }), usage: counted, model: name, finishReason }
  const output = config.gives === 'structured' ? (structured ?? null) : all
  return { output, usage: { promptTokens, completionTokens } }
}

/** Nobody is to take its answers for those of the model they asked for. */
function tellOfOffline({ offline, name }: Model, config: Config, { abilities }: WorkContext): void {
  if (!offline || config.model === name) return
  const wanted = config.model === undefined ? '' : ` in place of ${config.model}`
  abilities.log(
    'warn',
    `No language model is configured: the built-in offline model answers${wanted}, by rules. SLUICE_MODEL_URL and SLUICE_MODEL name one, or the settings of the workspace do.`,
    { once: true },
  )
}

/** Examples stand apart from what was really said, which leads up to the prompt. */
function messagesOf({ system, examples = [], history = null, prompt = '', messages = null }: Config): Message[] {
  const since = boundedListOf(messages, 'messages').map(sinceOf)
  if (prompt.trim() === '' && since.length === 0) throw new StepFailure('config_invalid', 'The prompt is empty', { retry: false })
  return [
    ...(system?.trim() ? [{ role: 'system' as const, content: system }] : []),
    ...examples.flatMap(({ user, assistant }): Message[] => [
      { role: 'user', content: user },
      { role: 'assistant', content: assistant },
    ]),
    ...historyOf(history),
    ...(prompt.trim() === '' ? [] : [{ role: 'user' as const, content: prompt }]),
    ...since,
  ]
}

function historyOf(history: Json): Message[] {
  if (history === null) return []
  if (!Array.isArray(history)) throw invalidHistory('is not a list of messages')
  if (history.length > mostHistory) throw invalidHistory(`has ${history.length} messages; ${mostHistory} are allowed`)
  const messages = history.map(messageOf)
  const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
  if (bytes > limits.mergedDataBytes) throw invalidHistory(`has ${bytes} bytes of text; ${limits.mergedDataBytes} are allowed`)
  return messages
}

/** What else a message carries is left out. */
function messageOf(message: Json, at: number): Message {
  const { role, content } = isJsonObject(message) ? message : {}
  if (role !== 'user' && role !== 'assistant' && role !== 'system') throw invalidHistory(`has a message ${at} whose role is none of user, assistant, system`)
  if (typeof content !== 'string') throw invalidHistory(`has a message ${at} whose content is no text`)
  return { role, content }
}

const invalid = (message: string): StepFailure => new StepFailure('config_invalid', message, { retry: false })

function listOf(value: Json, name: string): Json[] {
  if (value === null) return []
  if (!Array.isArray(value) || value.length > mostHistory) throw invalid(`${name} is not a list of at most ${mostHistory}`)
  return value
}

/** The same of at most `limits.mergedDataBytes` as JSON. */
function boundedListOf(value: Json, name: string): Json[] {
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes > limits.mergedDataBytes) throw invalid(`${name} has ${bytes} bytes; ${limits.mergedDataBytes} are allowed`)
  return listOf(value, name)
}

/** What was said since the prompt, functions among it. */
function sinceOf(message: Json, at: number): Message {
  const { role, content, callId, toolCalls = null } = isJsonObject(message) ? message : {}
  if (typeof content !== 'string') throw invalid(`messages has a message ${at} whose content is no text`)
  if (role === 'tool') {
    if (typeof callId !== 'string') throw invalid(`messages has a message ${at} of a function, but of none of its calls`)
    return { role, callId, content }
  }
  if (role === 'user' || role === 'system') return { role, content }
  if (role !== 'assistant') throw invalid(`messages has a message ${at} whose role is none of user, assistant, system, tool`)
  const calls = listOf(toolCalls, 'toolCalls').map(callIn)
  return { role, content, ...(calls.length > 0 && { toolCalls: calls }) }
}

function callIn(call: Json): ToolCall {
  const { id, name, arguments: given = {} } = isJsonObject(call) ? call : {}
  if (typeof id !== 'string' || typeof name !== 'string' || !isJsonObject(given)) throw invalid('messages has a call of a function that is none')
  return { id, name, arguments: given }
}

/** What else a function carries is left out. */
function toolsIn(value: Json): Tool[] {
  const list = boundedListOf(value, 'tools')
  if (list.length > mostTools) throw invalid(`There are ${list.length} tools; ${mostTools} are allowed`)
  const tools = list.map(toolIn)
  const twice = tools.find(({ name }, at) => tools.findIndex((other) => other.name === name) < at)
  if (twice) throw invalid(`Two tools have the name ${twice.name}`)
  return tools
}

function toolIn(tool: Json): Tool {
  const { name, description = '', parameters = { type: 'object', properties: {} } } = isJsonObject(tool) ? tool : {}
  if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw invalid('tools has a tool without a name of 1 to 64 characters of A-Z a-z 0-9 _ -')
  if (typeof description !== 'string' || !isJsonObject(parameters)) throw invalid(`The tool ${name} is not {name, description, parameters}`)
  return { name, description, parameters }
}

/** Models count their calls anew in each answer: in a run no two have one id, and it is the same whenever the step is tried. */
const numbered = (calls: readonly ToolCall[], { nodeId, iteration }: WorkContext): JsonObject[] =>
  calls.map(({ name, arguments: given }, at) => ({ id: `${createHash('sha256').update(`${nodeId}/${iteration}`).digest('hex').slice(0, 16)}-${at}`, name, arguments: given }))

const invalidHistory = (message: string): StepFailure => new StepFailure('history_invalid', `The history ${message}`, { retry: false })

const configIssues = (config: JsonObject) => [
  ...(config['gives'] === 'structured' && !('outputSchema' in config) ? [{ path: ['gives'], message: 'There is nothing structured to give: set outputSchema' }] : []),
  ...('prompt' in config || 'messages' in config ? [] : [{ path: ['prompt'], message: 'There is nothing to ask: set prompt' }]),
  ...('toolChoice' in config && !('tools' in config) ? [{ path: ['toolChoice'], message: 'There is nothing to choose from: set tools' }] : []),
  // What it calls in place of an answer fits no schema.
  ...('outputSchema' in config && 'tools' in config && config['toolChoice'] !== 'none'
    ? [{ path: ['toolChoice'], message: 'An answer by a schema calls nothing: set toolChoice to none, or ask for the schema in a step of its own' }]
    : []),
]

interface Asked {
  messages: Message[]
  tools: Tool[]
}

async function answered(model: Model, { messages, tools }: Asked, config: Config, { key, signal, traceparent, abilities }: WorkContext): Promise<Answer> {
  const { outputSchema, temperature, topP, maxTokens, toolChoice, stream = false } = config
  const question = { messages, outputSchema, temperature, topP, maxTokens, ...(tools.length > 0 && { tools, ...(toolChoice && { toolChoice }) }) }
  try {
    return await model.complete(question, { signal, idempotencyKey: key, traceparent, ...(stream && { onToken: (piece) => abilities.say(piece) }) })
  } catch (error) {
    return failed(error)
  }
}

function failed(error: unknown): never {
  if (!(error instanceof ModelError)) throw error
  throw new StepFailure(`model_${error.code}`, error.message, { retry: error.retry, retryAfterMs: error.retryAfterMs })
}
