import type { Json, JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { contentOf, cutTo, mostCharacters } from '../content.ts'
import { defineNode, StepFailure } from '../contract.ts'
import { AnyJson, isJsonObject } from '../values.ts'

/**
 * Of all that functions gave in a conversation: models take little more, and a step gives at most 2 MiB. What is
 * oldest is left out first.
 */
const mostInAll = 256 * 1024
/** Is left of what is left out. */
const mostOfOld = 300

export const turn = defineNode({
  type: 'turn',
  title: 'Turn',
  description:
    'Puts what a model said, and what came of the functions that it called, behind the conversation so far. Gives `{messages, text, done, calls}`: the conversation as the node `llm` takes it, all that the model said in it, whether it called nothing more, and how much it called. Of what functions gave, the oldest is cut where there is too much.',
  category: 'data',
  config: Schema.Struct({
    messages: AnyJson.annotate({ title: 'Messages', description: 'The conversation so far: a list' }),
    text: Schema.optionalKey(AnyJson.annotate({ title: 'Text', description: 'What the model said in it so far' })),
    answer: AnyJson.annotate({ title: 'Answer', description: 'What the node `llm` gave: `{text, toolCalls}`' }),
    results: Schema.optionalKey(AnyJson.annotate({ title: 'Results', description: 'A list, in the order of the calls: `{content}`, or any value' })),
  }),
  readings: { messages: 'value', text: 'value', answer: 'value', results: 'value' },
  takesInput: false,
  behaviour: {
    is: 'pure',
    run({ messages, text: before = '', answer, results = [] }) {
      if (!Array.isArray(messages)) throw invalid('messages is no list')
      if (!isJsonObject(answer) || typeof answer['text'] !== 'string') throw invalid('answer is not what a model gave')
      const calls = Array.isArray(answer['toolCalls']) ? answer['toolCalls'].filter(isJsonObject) : []
      if (!Array.isArray(results) || results.length !== calls.length) throw invalid('results are not as many as there were calls')
      const said: JsonObject = { role: 'assistant', content: answer['text'], ...(calls.length > 0 && { toolCalls: calls.map(kept) }) }
      const gave = calls.map((call, at): JsonObject => ({ role: 'tool', callId: call['id'] ?? '', content: toldOf(results[at]!) }))
      const texts = [before, answer['text']].filter((each): each is string => typeof each === 'string' && each.trim() !== '')
      return { output: { messages: within([...messages, said, ...gave]), text: texts.join('\n\n'), done: calls.length === 0, calls: calls.length } }
    },
  },
})

const invalid = (message: string): StepFailure => new StepFailure('config_invalid', message, { retry: false })

/** What a function was told in a megabyte is not sent along ever after. */
function kept(call: JsonObject): JsonObject {
  const given = JSON.stringify(call['arguments'] ?? {})
  return given.length <= mostCharacters ? call : { ...call, arguments: { truncated: given.length } }
}

/** What is told of a result: its `content` or `text`; why it failed; or the value. */
function toldOf(result: Json): string {
  const { content, text, error } = isJsonObject(result) ? result : {}
  if (typeof content === 'string') return contentOf(content)
  if (typeof text === 'string') return contentOf(text)
  if (error !== undefined && isJsonObject(error) && typeof error['message'] === 'string') return contentOf(`error: ${error['message']}`)
  return contentOf(result)
}

function within(messages: readonly Json[]): Json[] {
  let left = mostInAll
  const shortened = messages.toReversed().map((message) => {
    if (!isJsonObject(message) || message['role'] !== 'tool' || typeof message['content'] !== 'string') return message
    left -= message['content'].length
    return left >= 0 ? message : { ...message, content: cutTo(message['content'], mostOfOld) }
  })
  return shortened.reverse()
}
