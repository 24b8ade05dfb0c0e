import type { Json } from '@sluice/schema'
import { z } from 'zod'
import { ModelError } from '../error.ts'
import type { Answer, Question, ToolCall } from '../model.ts'

/** How an answer is put together of the pieces in which it comes. Nothing that comes is taken on trust. */

const PieceOfCall = z.object({
  index: z.int().min(0).max(1_000).default(0),
  id: z.string().nullish(),
  function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
})

type PieceOfCall = z.infer<typeof PieceOfCall>

/** In one answer. */
const mostCalls = 1_000

/** No answer has more; and their sums stay numbers that every table holds. */
const Count = z.int().min(0).max(100_000_000)

const Chunk = z.object({
  model: z.string().nullish(),
  choices: z
    .array(
      z.object({
        index: z.int().default(0),
        delta: z.object({ content: z.string().nullish(), refusal: z.string().nullish(), tool_calls: z.array(PieceOfCall).nullish() }).nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  // An answer is not lost over counts that cannot be: they are estimated then.
  usage: z.object({ prompt_tokens: Count, completion_tokens: Count }).nullish().catch(null),
})

interface Calling {
  index: number
  id: string
  name: string
  arguments: string
}

/** What has come so far. */
export interface Gathered {
  text: string
  refusal: string
  calls: Calling[]
  /** The call that pieces of this index belong to. */
  open: Map<number, Calling>
  finish: string | null
  model: string | null
  usage: { prompt_tokens: number; completion_tokens: number } | null
}

export const nothingYet = (): Gathered => ({ text: '', refusal: '', calls: [], open: new Map(), finish: null, model: null, usage: null })

/** Adds what came to what there is, and gives the text of it. Throws `answer_invalid`. */
export function gather(gathered: Gathered, came: unknown): string {
  const parsed = Chunk.safeParse(came)
  if (!parsed.success) throw invalid('The model sent a piece of an answer that cannot be read')
  const { model, choices, usage } = parsed.data
  if (model) gathered.model ??= model
  // The last one counts: some servers count as they go.
  if (usage) gathered.usage = usage
  const choice = choices?.find(({ index }) => index === 0)
  if (!choice) return ''
  if (choice.finish_reason) gathered.finish = choice.finish_reason
  const { content, refusal, tool_calls: pieces } = choice.delta ?? {}
  gathered.refusal += refusal ?? ''
  for (const piece of pieces ?? []) gatherCall(gathered, piece)
  gathered.text += content ?? ''
  return content ?? ''
}

function gatherCall({ calls, open }: Gathered, { index, id, function: piece }: PieceOfCall): void {
  const came = { id: id ?? '', name: piece?.name ?? '', arguments: piece?.arguments ?? '' }
  const before = open.get(index)
  if (before && !begins(before, came)) {
    before.id ||= came.id
    before.name ||= came.name
    before.arguments += came.arguments
    return
  }
  if (calls.length >= mostCalls) throw invalid(`The model called more than ${mostCalls} tools at once`)
  const call = { index, ...came }
  calls.push(call)
  open.set(index, call)
}

/** Some servers number no call, or all of them alike: then its id tells that it is another, or that the one before is whole. */
function begins(before: Calling, { id, name, arguments: given }: Omit<Calling, 'index'>): boolean {
  if (id !== '' && before.id !== '') return id !== before.id
  return id === '' && name !== '' && given !== '' && jsonOf(before.arguments) !== undefined
}

/** The whole of what came, but for the counts. Throws a ModelError when it is no whole answer. */
export function answerOf(
  gathered: Gathered,
  { tools = [], outputSchema }: Pick<Question, 'tools' | 'outputSchema'>,
  hide: (text: string) => string,
): Pick<Answer, 'text' | 'toolCalls' | 'structured' | 'finishReason'> {
  const structured = outputSchema !== undefined
  if (gathered.finish === null) throw new ModelError('cut_off', 'The answer of the model broke off')
  if (gathered.refusal !== '') throw new ModelError('content_filtered', `The model refused: ${hide(gathered.refusal).slice(0, 500)}`)
  if (gathered.finish === 'content_filter') throw new ModelError('content_filtered', "The model's server held the answer back by its content filter")
  const isCut = gathered.finish === 'length'
  if (isCut && (structured || gathered.calls.length > 0)) throw new ModelError('answer_too_long', 'The answer was cut at the most tokens it may have: allow more')
  const toolCalls = gathered.calls.toSorted((a, b) => a.index - b.index).map((call, at) => callOf(call, at, hide))
  if (!toolCalls.every((call) => tools.some(({ name }) => name === call.name))) throw invalid('The model called a tool that it was not offered')
  const text = hide(gathered.text)
  return {
    text,
    toolCalls,
    ...(structured && toolCalls.length === 0 && { structured: valueIn(text) }),
    finishReason: isCut ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop',
  }
}

function callOf({ id, name, arguments: given }: Calling, at: number, hide: (text: string) => string): ToolCall {
  const value = jsonOf(hide(given.trim() === '' ? '{}' : given))
  if (name === '' || typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('The model called a tool in a way that cannot be read')
  return { id: id || `call_${at}`, name, arguments: value }
}

/** Models that are asked in words like to put a fence around JSON. */
function valueIn(text: string): Json {
  const value = jsonOf(unfenced(text.trim()))
  if (value === undefined) throw invalid('The model was asked for JSON and answered something else')
  return value
}

function unfenced(text: string): string {
  const opening = /^```(?:json)?[^\S\n]*\n/i.exec(text)
  return opening && text.endsWith('```') ? text.slice(opening[0].length, -3) : text
}

function jsonOf(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

const invalid = (message: string): ModelError => new ModelError('answer_invalid', message)
