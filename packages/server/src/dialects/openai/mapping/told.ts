import type { Reply } from '@sluice/schema'
import type { Begun, Setting, Telling } from '../../dialect.ts'
import { Other } from '../../dialect.ts'
import type {
  ChatCompletionMessageToolCall,
  CompletionUsage,
  CreateChatCompletionRequest,
  CreateChatCompletionResponse,
  CreateChatCompletionStreamResponse,
  FinishReason,
} from '../contract.ts'
import { render, unanswered } from '../errors.ts'
import { toldCall } from './calls.ts'

/** What became of a round, as a completion. PURE. */

/** In which a client finds, and says, which session it is. */
export const sessionHeader = 'x-sluice-session'

const seconds = (time: Date): number => Math.floor(time.getTime() / 1_000)

/** Of each answer its own: a round that calls tools gives several. */
const idOf = (about: string, { now }: Setting): string => `chatcmpl-${about}-${now.getTime().toString(36)}`

const usageOf = ({ usage: { promptTokens, completionTokens } }: Reply): CompletionUsage => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
})

/** What an answer says beside a text that was said. */
interface Said {
  /** Null: nothing but calls. */
  content: string | null
  calls: ChatCompletionMessageToolCall[]
  finish: FinishReason
}

/** An error where there is no answer. */
function saidIn({ state, runId, session, answer, calls, pauseId, asked, reason }: Reply): Said | Other {
  const says = (content: string): Said => ({ content, calls: [], finish: 'stop' })
  switch (state) {
    case 'answered':
    case 'asks':
      return says(answer?.text ?? asked ?? '')
    case 'approval':
      return says(
        `This waits for a person's approval: ${asked ?? ''}\n\nIt goes on once that is decided, with POST /v1/pauses/${pauseId}/decide or where approvals are shown; session ${session.id}.`,
      )
    case 'calls':
      return { content: null, calls: calls.map((call) => toldCall(runId ?? '', call)), finish: 'tool_calls' }
    case 'failed':
      return unanswered(reason?.message ?? 'The round failed', reason?.code ?? 'failed')
    case 'stopped':
      return unanswered(reason?.message ?? 'The round was stopped', reason?.code ?? 'cancelled')
    case 'going':
      return unanswered(`The round still goes on: its answer will be in the session ${session.id}`, 'still_going')
  }
}

export function completionOf(reply: Reply, setting: Setting, { model }: CreateChatCompletionRequest): CreateChatCompletionResponse | Other {
  const said = saidIn(reply)
  if (said instanceof Other) return said
  const { content, calls, finish } = said
  return {
    id: idOf(reply.runId ?? reply.session.id, setting),
    object: 'chat.completion',
    created: seconds(setting.now),
    model,
    choices: [{ index: 0, message: { role: 'assistant', content, refusal: null, ...(calls.length > 0 && { tool_calls: calls }) }, logprobs: null, finish_reason: finish }],
    usage: usageOf(reply),
  }
}

/** The same, told piece by piece. */
export function chunksOf({ sessionId, runId }: Begun, setting: Setting, { model, stream_options: options }: CreateChatCompletionRequest): Telling<Reply> {
  const withUsage = options?.include_usage ?? false
  const id = idOf(runId ?? sessionId, setting)
  const created = seconds(setting.now)
  type Chunk = CreateChatCompletionStreamResponse
  const chunk = (more: Pick<Chunk, 'choices'> & Partial<Chunk>): Chunk => ({ id, object: 'chat.completion.chunk', created, model, ...(withUsage && { usage: null }), ...more })
  const delta = (said: Chunk['choices'][number]['delta'], finish: FinishReason | null = null): Chunk =>
    chunk({ choices: [{ index: 0, delta: said, logprobs: null, finish_reason: finish }] })
  return {
    headers: { [sessionHeader]: sessionId },
    begin: [delta({ role: 'assistant', content: '', refusal: null })],
    piece: (text) => [delta({ content: text })],
    end(reply) {
      const said = saidIn(reply)
      if (said instanceof Other) return [said.body]
      const { content, calls, finish } = said
      return [
        // What was answered or asked has been told by now.
        ...(reply.state === 'approval' && content !== null ? [delta({ content })] : []),
        ...calls.map((call, index) => delta({ tool_calls: [{ index, ...call }] })),
        delta({}, finish),
        ...(withUsage ? [chunk({ choices: [], usage: usageOf(reply) })] : []),
      ]
    },
    failure: (problem) => render(problem).body,
    last: '[DONE]',
  }
}
