import type { Event, MessageLine, Pause, Reason, Run, RunEvent, SentMessage, TokenEvent } from '@sluice/schema'
import type { Calls } from './calls.ts'
import { NetworkError, RoundFailedError } from './errors.ts'
import type { FeedItem } from './nouns/events.ts'
import type { Sessions } from './nouns/sessions.ts'
import type { ResultOptions } from './run-handle.ts'
import { before, bound } from './waiting.ts'
import { createWeave } from './weave.ts'

/**
 * A message that is sent, and what is answered to it. It is the promise of the sent message: `await session.send('Hello')` waits
 * until that is kept, and for nothing of its round.
 */
export interface Turn extends Promise<SentMessage> {
  /** The same promise, by its name. */
  readonly sent: Promise<SentMessage>
  /**
   * The answer, piece by piece as it is said: `for await (const piece of turn.text()) write(piece)`. It ends with the round, or
   * with the question that the round asks, and throws what `message()` throws. Together the pieces are the text of the message,
   * over lost connections too: what was missed comes with the end. Only where a step that had begun to say something failed, and said something else
   * when it was tried again, do they say less, or other words; nothing is said twice, and `message()` has the text that stands.
   */
  text(options?: ResultOptions): AsyncGenerator<string, void, undefined>
  /**
   * What the round says in the end, or the question that it asks, once that is kept; at once where it is. Throws `RoundFailedError`
   * {code, reason} for a round that failed, was stopped or said nothing, and where there is none; `TimeoutError` when it takes longer.
   */
  message(options?: ResultOptions): Promise<MessageLine>
}

/** What a turn speaks through. */
export interface TurnParts {
  sessions: Pick<Sessions, 'lines'>
  calls: Pick<Calls, 'follow'>
}

type Ended = 'run.completed' | 'run.failed' | 'run.cancelled' | 'run.compensated'

const ends: Record<Ended, true> = { 'run.completed': true, 'run.failed': true, 'run.cancelled': true, 'run.compensated': true }

const isEnd = (item: FeedItem): item is Extract<RunEvent, { type: Ended }> => Object.hasOwn(ends, item.type)

/** All that a turn is told of its round, beside tokens. */
const where = { type: { in: [...Object.keys(ends), 'pause.opened'] } }

export function turnOf(sent: Promise<SentMessage>, { sessions, calls }: TurnParts, signals: readonly (AbortSignal | undefined)[] = []): Turn {
  /** What is said on the way, and the message at last. */
  async function* told(tokens: boolean, { timeoutMs, signal: ended }: ResultOptions): AsyncGenerator<TokenEvent | MessageLine, void, undefined> {
    const { signal, release } = bound([ended, ...signals], timeoutMs, 'The round')
    try {
      const round = roundOf(await before(sent, [signal]))
      for await (const item of calls.follow<FeedItem>('events.subscribe', { runId: round.runId, where, ...(tokens && { tokens }) }, { after: '0', signal, isLast: isEnd })) {
        if (item.type === 'token') yield item
        if (!mayAnswer(item)) continue
        const message = await answerTo(round, signal)
        if (message) return yield message
        const end = endIn(item)
        if (end) throw new RoundFailedError({ ...round, ...end })
      }
      throw new NetworkError(`The events of run ${round.runId} ended before it did`)
    } finally {
      release()
    }
  }

  /** Of a round that goes on what it asks; what it said before this message is not an answer to it. */
  async function answerTo({ sessionId, runId, after }: Round, signal: AbortSignal): Promise<MessageLine | undefined> {
    for await (const line of sessions.lines({ id: sessionId, kind: 'message', after }, { signal }))
      if (line.kind === 'message' && line.role === 'assistant' && line.runId === runId) return line
    return undefined
  }

  async function* text(options: ResultOptions = {}): AsyncGenerator<string, void, undefined> {
    const weave = createWeave()
    for await (const each of told(true, options)) {
      const piece = 'kind' in each ? weave.rest(each.text) : weave.add(each)
      if (piece !== '') yield piece
    }
  }

  async function message(options: ResultOptions = {}): Promise<MessageLine> {
    for await (const each of told(false, options)) if ('kind' in each) return each
    throw new NetworkError('The round was not told to its end')
  }

  return Object.assign(sent, { sent, text, message })
}

interface Round {
  sessionId: string
  runId: string
  /** The number of the message that it answers. */
  after: number
}

function roundOf({ session, runId, message }: SentMessage): Round {
  if (runId === null) throw new RoundFailedError({ sessionId: session.id, runId, reason: null, status: 'unbound' })
  return { sessionId: session.id, runId, after: message.number }
}

const mayAnswer = (item: FeedItem): boolean => item.type === 'snapshot' || isEnd(item) || isQuestion(item)

const isQuestion = (item: FeedItem): boolean => item.type === 'pause.opened' && (item as Extract<Event, { pause: Pause }>).pause.kind === 'question'

/** How a round came to its end, where it did. */
function endIn(item: FeedItem): { status: Run['status']; reason: Reason | null } | null {
  if (item.type === 'snapshot') return item.run && item.run.endedAt !== null ? { status: item.run.status, reason: item.run.reason } : null
  if (!isEnd(item)) return null
  return { status: item.type.slice('run.'.length) as Run['status'], reason: item.type === 'run.completed' ? null : item.reason }
}
