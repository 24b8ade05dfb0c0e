import { type Json, type JsonObject, limits } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { ModelError } from '../../models/error.ts'
import type { Answer, Message, Model, Models } from '../../models/model.ts'
import { defineNode, StepFailure } from '../contract.ts'
import type { StepResult, WorkContext } from '../contract.ts'
import { AnyJson, JsonMap, isJsonObject } from '../values.ts'

const mostHistory = 1_000

const Example = Schema.Struct({
  user: Schema.String.annotate({ title: 'User', description: 'What is asked; a Liquid template' }),
  assistant: Schema.String.annotate({ title: 'Assistant', description: 'What is to be answered; a Liquid template' }),
})

const Config = Schema.Struct({
  prompt: Schema.String.annotate({ title: 'Prompt', description: 'What the model is asked; a Liquid template' }),
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
      'Asks a language model: the one of SLUICE_MODEL_URL and SLUICE_MODEL. Without them the built-in model `offline` answers, which is no language model: it finds labelled values, computes on numbers, sums up and fills JSON Schemas by rules, and fails where no rule fits. The messages are: system, examples, history, prompt. Gives `{text, structured?, usage: {promptTokens, completionTokens}, model, finishReason}`, or what is `structured` alone.',
    category: 'work',
    config: Config,
    readings: { model: 'raw', 'outputSchema.**': 'raw', history: 'value', 'history.**': 'value', gives: 'raw' },
    check: givesIssues,
    schemaFields: ['outputSchema'],
    schemaOf: ({ gives }) => (gives === 'structured' ? null : 'structured'),
    takesInput: false,
    behaviour: { is: 'work', run: (config, context) => ask(models, config, context) },
  })

async function ask(models: Models, config: Config, context: WorkContext): Promise<StepResult> {
  if (config.prompt.trim() === '') throw new StepFailure('config_invalid', 'The prompt is empty', { retry: false })
  const messages = messagesOf(config)
  const model = await models.modelFor(context.workspaceId, config.model)
  tellOfOffline(model, config, context)
  const { text, structured, usage, finishReason, model: name } = await answered(model, messages, config, context)
  const { promptTokens, completionTokens } = usage
  const counted = { promptTokens, completionTokens, ...(usage.estimated && { estimated: true }) }
  const all = { text, ...(structured !== undefined && { structured }), usage: counted, model: name, finishReason }
  const output = config.gives === 'structured' ? (structured ?? null) : all
  return { output, usage: { promptTokens, completionTokens } }
}

/** Nobody is to take its answers for those of the model they asked for. */
function tellOfOffline({ offline, name }: Model, config: Config, { abilities }: WorkContext): void {
  if (!offline || config.model === name) return
  const wanted = config.model === undefined ? '' : ` in place of ${config.model}`
  abilities.log('warn', `No language model is configured: the built-in offline model answers${wanted}, by rules. SLUICE_MODEL_URL and SLUICE_MODEL name one.`)
}

/** Examples stand apart from what was really said, which leads up to the prompt. */
function messagesOf({ system, examples = [], history = null, prompt }: Config): Message[] {
  return [
    ...(system?.trim() ? [{ role: 'system' as const, content: system }] : []),
    ...examples.flatMap(({ user, assistant }): Message[] => [
      { role: 'user', content: user },
      { role: 'assistant', content: assistant },
    ]),
    ...historyOf(history),
    { role: 'user', content: prompt },
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

const invalidHistory = (message: string): StepFailure => new StepFailure('history_invalid', `The history ${message}`, { retry: false })

const givesIssues = (config: JsonObject) =>
  config['gives'] === 'structured' && !('outputSchema' in config) ? [{ path: ['gives'], message: 'There is nothing structured to give: set outputSchema' }] : []

async function answered(model: Model, messages: Message[], { outputSchema, temperature, topP, maxTokens }: Config, { key, signal, traceparent }: WorkContext): Promise<Answer> {
  try {
    return await model.complete({ messages, outputSchema, temperature, topP, maxTokens }, { signal, idempotencyKey: key, traceparent })
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    throw new StepFailure(`model_${error.code}`, error.message, { retry: error.retry, retryAfterMs: error.retryAfterMs })
  }
}
