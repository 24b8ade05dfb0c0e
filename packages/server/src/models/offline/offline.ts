import type { JsonObject } from '@sluice/schema'
import { setImmediate as otherWork } from 'node:timers/promises'
import { ModelError } from '../error.ts'
import type { Answer, Asking, Message, Model, Question } from '../model.ts'
import { promptTokens, tokensOf } from '../tokens.ts'
import { answerTo } from './answer.ts'
import { choose } from './choose.ts'
import type { Choice } from './choose.ts'
import { fill } from './fill.ts'
import { concluded, reviewed } from './rounds/conclude.ts'
import { planned, understanding } from './rounds/plan.ts'
import { promptOf } from './rounds/prompt.ts'
import type { Prompt } from './rounds/prompt.ts'
import { taskNeeded } from './rounds/references.ts'
import { requestOf } from './rounds/requests.ts'
import { askedBy } from './rounds/schemas.ts'
import { think } from './rounds/think.ts'
import { effortOf, readingOf } from './reading.ts'
import type { Reading } from './reading.ts'

/**
 * The built-in model: rules, no language model, no network, the same answer to the same question. It finds what a text
 * says, fills a JSON Schema with it, computes on plain numbers, picks the sentences that matter, and chooses a tool by
 * the words of its declaration. What no rule covers it refuses or says so; every text it writes begins with what it is.
 */
export const offline: Model = { name: 'offline', offline: true, complete }

export const sign = '[offline model: rules, not a language model]'
const howToGetOne = 'Set SLUICE_MODEL_URL and SLUICE_MODEL to use a language model.'

/** The work is proportionate to the text; beyond this it would keep others waiting. */
export const mostCharacters = 100_000

/** Of a round of a conversation, whose files and results are read, but not searched. */
export const mostCharactersOfRound = 4_000_000

type Said = Pick<Answer, 'text' | 'toolCalls' | 'structured' | 'finishReason'>

async function complete(question: Question, asking: Asking): Promise<Answer> {
  asking.signal.throwIfAborted()
  const characters = question.messages.reduce((sum, { content }) => sum + content.length, 0)
  const inRound = characters > mostCharactersOfRound ? null : saidInRound(question)
  if (!inRound && characters > mostCharacters)
    throw new ModelError('context_too_long', `The offline model reads at most ${mostCharacters} characters; these are ${characters}. ${howToGetOne}`)
  const said = inRound ?? say(question, readingOf(question.messages))
  const calls = said.toolCalls.map(({ name, arguments: given }) => name + JSON.stringify(given)).join('')
  const all = tokensOf(said.text)
  const kept = all.slice(0, question.maxTokens ?? all.length)
  if (kept.length < all.length && question.outputSchema) throw new ModelError('answer_too_long', 'The answer was cut at the most tokens it may have: allow more')
  await stream(kept, asking)
  return {
    ...said,
    text: kept.join(''),
    ...(kept.length < all.length && { finishReason: 'length' as const }),
    usage: { promptTokens: promptTokens(question), completionTokens: kept.length + tokensOf(calls).length, estimated: false },
    model: offline.name,
  }
}

/** So many pieces at a time; then others get their turn, and a cancel is noticed. */
const piecesAtOnce = 64

async function stream(pieces: readonly string[], { signal, onToken }: Asking): Promise<void> {
  for (const [at, piece] of pieces.entries()) {
    if (at % piecesAtOnce === 0) await otherWork()
    signal.throwIfAborted()
    onToken?.(piece)
  }
}

/** What the built-in workflows ask: by what stands in their prompts. Null: it is any other question. */
function saidInRound(question: Question): Said | null {
  const schema = question.outputSchema
  const asked = schema ? askedBy(schema) : null
  const prompt = promptOf(question.messages, asked === 'plan')
  if (prompt.text.length > mostCharacters) return null
  if (asked === 'understanding') return structured(understanding(prompt))
  if (asked === 'plan') return structured(planned(prompt))
  if (asked === 'review' && prompt.results) return structured(reviewed(prompt.results, sign))
  if (schema || typeof question.toolChoice === 'object') return null
  const isTask = (question.tools ?? []).length > 0 || taskNeeded(prompt.text) !== null
  if (prompt.results && !isTask) return plain(concluded(prompt.results, sign))
  if (prompt.files === null && prompt.results === null && !asksMore(prompt)) return null
  const thought = think(question, prompt, effortOf(), howToGetOne)
  if ('text' in thought) return question.toolChoice === 'required' ? null : plain(thought.text)
  const first = calls(question)
  return { text: '', toolCalls: thought.calls.map((call, at) => ({ id: `call_${first + at}`, ...call })), finishReason: 'tool_calls' }
}

const asksMore = (prompt: Prompt): boolean => requestOf(prompt.text, []).asks.length > 1

const structured = (value: JsonObject): Said => ({ text: JSON.stringify(value), toolCalls: [], structured: value, finishReason: 'stop' })

function say(question: Question, reading: Reading): Said {
  const called = calling(question, reading)
  if (called && 'arguments' in called)
    return { text: '', toolCalls: [{ id: `call_${calls(question)}`, name: called.tool.name, arguments: called.arguments }], finishReason: 'tool_calls' }
  if (question.outputSchema) return filling(question.outputSchema, reading)
  if (called) return plain(`The tool ${called.tool.name} fits, but the text does not say: ${called.missing.join(', ')}.`)
  const results = resultsOf(question.messages)
  if (results.length > 0) return plain(results.join('\n'))
  return plain(answerTo(reading)?.text ?? `None of its rules fits this. It finds labelled values, sums up texts and numbers, fills JSON Schemas and chooses tools. ${howToGetOne}`)
}

const plain = (text: string): Said => ({ text: `${sign} ${text}`, toolCalls: [], finishReason: 'stop' })

const calls = ({ messages }: Question): number => messages.reduce((sum, message) => sum + (message.role === 'assistant' ? (message.toolCalls?.length ?? 0) : 0), 0)

/** The tool that is asked for; null when there is none, or one has just answered. */
function calling({ tools = [], toolChoice = 'auto', messages }: Question, reading: Reading): Choice | null {
  if (tools.length === 0 || toolChoice === 'none') return null
  const forced = toolChoice !== 'auto'
  if (!forced && messages.at(-1)?.role === 'tool') return null
  const choice = choose(typeof toolChoice === 'object' ? tools.filter(({ name }) => name === toolChoice.name) : tools, reading, forced)
  if (!forced || (choice && 'arguments' in choice)) return choice
  throw new ModelError(
    'beyond_rules',
    choice ? `The text does not say what the tool ${choice.tool.name} needs: ${choice.missing.join(', ')}. ${howToGetOne}` : 'There is no such tool',
  )
}

function filling(schema: NonNullable<Question['outputSchema']>, reading: Reading): Said {
  const filled = fill(schema, reading)
  if ('missing' in filled)
    throw new ModelError('beyond_rules', `The offline model takes values from the text by rules and cannot find: ${filled.missing.slice(0, 20).join(', ')}. ${howToGetOne}`)
  return { text: JSON.stringify(filled.value), toolCalls: [], structured: filled.value, finishReason: 'stop' }
}

/** What the tools gave since the last question, with the names under which they were called. */
function resultsOf(messages: readonly Message[]): string[] {
  const since = messages.slice(messages.findLastIndex(({ role }) => role === 'user') + 1)
  const names = new Map(since.flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []).map(({ id, name }) => [id, name] as const) : [])))
  return since.flatMap((message) => (message.role === 'tool' ? [`${names.get(message.callId) ?? 'The tool'} gave: ${message.content}`] : []))
}
