import { type AskSession, type CallResult, type ClientTool, Fault, type JsonObject, Mode } from '@sluice/schema'
import type { ChatCompletionRequestMessage, CompletionHeaders, CreateChatCompletionRequest } from '../contract.ts'
import { callOf } from './calls.ts'

/** A completion as the core is asked for it. PURE; throws a Fault `input_invalid` for what no conversation can be made of. */
export function askedOf(body: CreateChatCompletionRequest, headers: CompletionHeaders = {}): AskSession {
  const { model, messages, metadata, user } = body
  const { session: named, ...kept } = metadata ?? {}
  const session = headers['x-sluice-session'] || named || undefined
  const latest = messages.findLastIndex(({ role }) => role === 'assistant') + 1
  const news = messages.slice(latest)
  if (news.some(({ role }) => role === 'tool')) return { ...resultsOf(messages), ...(session !== undefined && { session }), waitMs }
  const key = headers['idempotency-key']
  const tools = toolsOf(body)
  const about: JsonObject = { ...kept, ...(user && { user }) }
  return {
    ...(isMode(model) ? { mode: model } : { chatbot: model }),
    ...(session === undefined ? { text: lastOf(messages), history: historyOf(messages.slice(0, -1)) } : { session, text: joinedOf(news, latest) }),
    ...(tools.length > 0 && { clientTools: tools }),
    ...(Object.keys(about).length > 0 && { metadata: about }),
    ...(key !== undefined && { idempotencyKey: key }),
    waitMs,
  }
}

/** As long as the core waits at most. */
const waitMs = 300_000

export const isMode = (model: string): model is Mode => Mode.safeParse(model).success

const unfit = (path: (string | number)[], message: string): Fault => new Fault('input_invalid', { issues: [{ path, message }] })

// ── texts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Message = ChatCompletionRequestMessage

/** Throws for parts that are no text. */
function textOf({ content }: Message, at: number): string {
  if (typeof content === 'string') return content
  return (content ?? [])
    .map((part, place) => {
      if (part.type === 'text') return part.text
      if (part.type === 'refusal') return part.refusal
      throw unfit(['messages', at, 'content', place, 'type'], `a conversation takes text alone, and no ${part.type}`)
    })
    .join('')
}

/** What is asked, of one who sends all that was said before along with it. */
function lastOf(messages: readonly Message[]): string {
  const at = messages.length - 1
  const last = messages[at]!
  if (last.role !== 'user') throw unfit(['messages', at, 'role'], 'the last message is what the user says, or what a tool gave')
  return spoken(textOf(last, at), at)
}

/** What was said since the last answer. */
function joinedOf(news: readonly Message[], first: number): string {
  const texts = news.flatMap((message, place) => (message.role === 'user' ? [spoken(textOf(message, first + place), first + place)] : []))
  if (texts.length === 0) throw unfit(['messages'], 'there is no message of the user after the last one of the assistant')
  return texts.join('\n\n')
}

function spoken(text: string, at: number): string {
  if (text.trim() === '') throw unfit(['messages', at, 'content'], 'expected a text')
  return text
}

/** What a session keeps of what was said before it. */
const mostKept = 200

/** Without what tools gave, which stands in the answers that were made of it. Of more than is kept, what the conversation began with is left out, but for instructions. */
function historyOf(messages: readonly Message[]): NonNullable<AskSession['history']> {
  const said = messages.flatMap((message, at) => {
    const text = message.role === 'tool' ? '' : textOf(message, at)
    return text.trim() === '' ? [] : [{ role: roles[message.role], text }]
  })
  const room = mostKept - said.filter(({ role }) => role === 'system').length
  const talk = said.filter(({ role }) => role !== 'system')
  const kept = new Set(room > 0 ? talk.slice(-room) : [])
  return said.filter((line) => line.role === 'system' || kept.has(line)).slice(0, mostKept)
}

const roles = { system: 'system', developer: 'system', user: 'user', assistant: 'assistant', tool: 'assistant' } as const

// ── tools ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

function toolsOf({ tools, tool_choice: choice }: CreateChatCompletionRequest): ClientTool[] {
  if (choice === 'none') return []
  return (tools ?? []).map(({ function: { name, description, parameters } }) => ({ name, ...(description && { description }), ...(parameters && { parameters }) }))
}

/** What tools gave, for the round that called them: its id stands in those of the calls. */
function resultsOf(messages: readonly Message[]): Pick<AskSession, 'results' | 'runId'> {
  const first = messages.findLastIndex(({ role }) => role !== 'tool') + 1
  if (first === messages.length) throw unfit(['messages', first - 1, 'role'], 'what tools gave comes without another message after it')
  const runs = new Set<string>()
  const results = messages.slice(first).flatMap((message, place): CallResult[] => {
    if (message.role !== 'tool') return []
    const at = first + place
    const call = callOf(message.tool_call_id)
    if (!call) throw unfit(['messages', at, 'tool_call_id'], `no tool call has the id ${message.tool_call_id}`)
    runs.add(call.runId)
    return [{ callId: call.callId, content: textOf(message, at) }]
  })
  refuseMissing(messages, first, results)
  const [runId, another] = runs
  if (another !== undefined) throw unfit(['messages'], 'the tool calls are of different answers')
  return { runId, results }
}

/** As OpenAI's API refuses a call that is left without its result. */
function refuseMissing(messages: readonly Message[], first: number, results: readonly CallResult[]): void {
  const asking = messages[first - 1]
  const made = asking?.role === 'assistant' ? (asking.tool_calls ?? []) : []
  const given = new Set(results.map(({ callId }) => callId))
  const missing = made.filter(({ id }) => !given.has(callOf(id)?.callId ?? ''))
  if (missing.length > 0)
    throw unfit(
      ['messages', first - 1, 'tool_calls'],
      `must be followed by tool messages responding to each tool_call_id, and these had none: ${missing.map(({ id }) => id).join(', ')}`,
    )
}
