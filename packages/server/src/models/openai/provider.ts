import type OpenAI from 'openai'
import { hiding, hidingPieces } from '../../outside/hiding.ts'
import type { Outside } from '../../outside/outside.ts'
import { countTokens, promptTokens } from '../tokens.ts'
import type { Answer, Asking, Model, Question, Usage } from '../model.ts'
import { answerOf, gather, nothingYet } from './answering.ts'
import type { Gathered } from './answering.ts'
import { concede, keyIn, paramsOf, wholeManner } from './asking.ts'
import type { Manner } from './asking.ts'
import { failureOf, isRefusal } from './failing.ts'
import { fetchOver } from './fetch.ts'

/** An endpoint that speaks the protocol of OpenAI's chat completions. */
export interface Endpoint {
  /** Before `/chat/completions`. */
  url: string
  /** Null: it asks for none. */
  key: string | null
}

/** A day: the asker's own time-out ends it. */
const longestMs = 86_400_000
/** How long a model may be silent: it reads a long prompt before it says its first word. */
const idleMs = 120_000
/** Every token comes in some hundred bytes of its own. */
const maxBytes = 32 * 1024 * 1024
/** Of how many models is kept how they want to be asked. */
const mostManners = 100

/** Models of one endpoint, by name. Each attempt asks once: to try again is for the step. */
export function modelsAt(endpoint: Endpoint, outside: Outside): (name: string) => Model {
  const manners = new Map<string, Manner>()
  let client: Promise<OpenAI> | undefined
  return (name) => ({
    name,
    offline: false,
    async complete(question, asking) {
      // Loaded when a model is first asked: it takes longer than all the rest of a start.
      client ??= clientOf(endpoint, outside)
      const asked = { client: await client, name, question, asking, key: endpoint.key }
      const answered = await ask(asked, manners.get(name) ?? wholeManner)
      if (manners.size >= mostManners) manners.clear()
      manners.set(name, answered.manner)
      return answered.answer
    },
  })
}

async function clientOf({ url, key }: Endpoint, outside: Outside): Promise<OpenAI> {
  const { default: Client } = await import('openai')
  // All that the library would otherwise take from the environment is said here.
  return new Client({
    apiKey: key ?? 'none',
    baseURL: url,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    logLevel: 'off',
    maxRetries: 0,
    timeout: longestMs,
    fetch: fetchOver(outside, { timeoutMs: longestMs, idleMs, maxBytes }),
    ...(key === null && { defaultHeaders: { authorization: null } }),
  })
}

interface Asked {
  client: OpenAI
  name: string
  question: Question
  asking: Asking
  key: string | null
}

/** Asks, and asks again in a simpler manner as long as the server refuses the manner and not the question. */
async function ask(asked: Asked, manner: Manner): Promise<{ answer: Answer; manner: Manner }> {
  const { signal } = asked.asking
  try {
    return { answer: await askOnce(asked, manner), manner }
  } catch (error) {
    signal.throwIfAborted()
    const simpler = isRefusal(error) ? concede(manner, error.message, asked.question) : null
    if (simpler) return ask(asked, simpler)
    throw failureOf(error, hiding(asked.key))
  }
}

async function askOnce({ client, name, question, asking, key }: Asked, manner: Manner): Promise<Answer> {
  const { signal, idempotencyKey, traceparent, onToken } = asking
  const headers = { ...(idempotencyKey !== undefined && { 'idempotency-key': keyIn(manner, idempotencyKey) }), ...(traceparent && { traceparent }) }
  const stream = await client.chat.completions.create(paramsOf(name, question, manner), { signal, headers })
  const gathered = nothingYet()
  const pieces = hidingPieces(key)
  const say = (piece: string): void => void (piece !== '' && onToken?.(piece))
  for await (const chunk of stream) say(pieces.take(gather(gathered, chunk)))
  say(pieces.rest())
  const answer = answerOf(gathered, question, hiding(key))
  return { ...answer, usage: usageOf(gathered, question), model: hiding(key)(gathered.model ?? name) }
}

function usageOf({ usage, text, calls }: Gathered, question: Question): Usage {
  if (usage) return { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens, estimated: false }
  const said = [text, ...calls.map((call) => call.name + call.arguments)]
  return { promptTokens: promptTokens(question), completionTokens: said.reduce((sum, each) => sum + countTokens(each), 0), estimated: true }
}
