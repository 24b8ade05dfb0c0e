import * as Schema from 'effect/Schema'
import { ModelError } from '../../models/error.ts'
import type { Answer, Message, Model, Models } from '../../models/model.ts'
import { defineNode, StepFailure } from '../contract.ts'
import type { StepResult, WorkContext } from '../contract.ts'
import { JsonMap } from '../values.ts'

const Config = Schema.Struct({
  prompt: Schema.String.annotate({ title: 'Prompt', description: 'What the model is asked; a Liquid template' }),
  system: Schema.optionalKey(Schema.String.annotate({ title: 'System', description: 'How it is to answer; a Liquid template' })),
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
})
type Config = typeof Config.Type

export const llm = (models: Models) =>
  defineNode<Config>({
    type: 'llm',
    title: 'Language model',
    description:
      'Asks a language model: the one of SLUICE_MODEL_URL and SLUICE_MODEL. Without them the built-in model `offline` answers, which is no language model: it finds labelled values, computes on numbers, sums up and fills JSON Schemas by rules, and fails where no rule fits. Gives `{text, structured?, usage: {promptTokens, completionTokens}, model, finishReason}`.',
    category: 'work',
    config: Config,
    readings: { model: 'raw', 'outputSchema.**': 'raw' },
    schemaFields: ['outputSchema'],
    schemaOf: 'structured',
    takesInput: false,
    behaviour: { is: 'work', run: (config, context) => ask(models, config, context) },
  })

async function ask(models: Models, config: Config, context: WorkContext): Promise<StepResult> {
  if (config.prompt.trim() === '') throw new StepFailure('config_invalid', 'The prompt is empty', { retry: false })
  const model = await models.modelFor(context.workspaceId, config.model)
  tellOfOffline(model, config, context)
  const { text, structured, usage, finishReason, model: name } = await answered(model, config, context)
  const { promptTokens, completionTokens } = usage
  const counted = { promptTokens, completionTokens, ...(usage.estimated && { estimated: true }) }
  const output = { text, ...(structured !== undefined && { structured }), usage: counted, model: name, finishReason }
  return { output, usage: { promptTokens, completionTokens } }
}

/** Nobody is to take its answers for those of the model they asked for. */
function tellOfOffline({ offline, name }: Model, config: Config, { abilities }: WorkContext): void {
  if (!offline || config.model === name) return
  const wanted = config.model === undefined ? '' : ` in place of ${config.model}`
  abilities.log('warn', `No language model is configured: the built-in offline model answers${wanted}, by rules. SLUICE_MODEL_URL and SLUICE_MODEL name one.`)
}

async function answered(model: Model, { system, prompt, outputSchema, temperature, topP, maxTokens }: Config, { key, signal, traceparent }: WorkContext): Promise<Answer> {
  const messages: Message[] = [...(system?.trim() ? [{ role: 'system' as const, content: system }] : []), { role: 'user', content: prompt }]
  try {
    return await model.complete({ messages, outputSchema, temperature, topP, maxTokens }, { signal, idempotencyKey: key, traceparent })
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    throw new StepFailure(`model_${error.code}`, error.message, { retry: error.retry, retryAfterMs: error.retryAfterMs })
  }
}
