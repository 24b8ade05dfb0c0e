import type { Line, ListedRun, ListLines, ListRuns, PassedEvent, ResyncEvent, SendMessage, SentMessage, Session, SessionEvent, SnapshotEvent, UpdateSession } from '@sluice/schema'
import type { Calls } from './calls.ts'
import type { Input } from './input.ts'
import type { Listing } from './listing.ts'
import type { Runs } from './nouns/runs.ts'
import type { Sessions } from './nouns/sessions.ts'
import type { CallOptions } from './options.ts'

/** What the stream of a session tells. A newer server may tell of types that are not listed here: keep a `default`. */
export type SessionFeedItem = SessionEvent | SnapshotEvent | ResyncEvent | PassedEvent

export interface SessionEventsOptions extends CallOptions {
  /** The `cursor` of the last event that is known; unless given a snapshot comes first, the session with its newest 100 lines. */
  after?: string | undefined
}

/** What goes along with a message: its `files`, `metadata` and `mode`, an `idempotencyKey`. */
export type MessageOptions = Omit<Input<typeof SendMessage>, 'to' | 'text' | 'title'> & CallOptions

/** One session, by its id. Asks for nothing before one of its verbs is called; each throws `NotFoundError` (`session_missing`) where there is none. */
export interface SessionHandle {
  readonly id: string
  get(options?: CallOptions): Promise<Session>
  /**
   * Says something in it: answers when the message is kept and its round is started, or waits for those before it. Text
   * answers an open question of the round under way. Without an idempotency key one is made, and kept over the repeats of
   * this call. Throws `LimitExceededError` (`lane_full`).
   */
  send(text: string, options?: MessageOptions): Promise<SentMessage>
  /** Messages, logs, stats and documents, oldest first. */
  lines(filter?: Omit<Input<typeof ListLines>, 'id'>, options?: CallOptions): Listing<Line>
  /** Its rounds, newest first. */
  runs(filter?: Omit<Input<typeof ListRuns>, 'sessionId' | 'workflow'>, options?: CallOptions): Listing<ListedRun>
  /** What happens in it, as it happens, without end; after a cursor, or else after a snapshot. Leave the loop, or abort the signal. */
  events(options?: SessionEventsOptions): AsyncGenerator<SessionFeedItem, void, undefined>
  /** What is absent stays. With `ifUpdated` it throws `ConflictError` (`session_stale`) when the session has changed meanwhile. */
  update(change: Omit<Input<typeof UpdateSession>, 'id'>, options?: CallOptions): Promise<Session>
  /** Cancels what goes on, and what waits behind it. */
  stop(options?: CallOptions): Promise<Session>
  /** Takes its lines and its ended runs; a live one is cancelled. */
  delete(options?: CallOptions): Promise<void>
}

export function sessionHandle(id: string, { sessions, runs }: { sessions: Sessions; runs: Runs }, calls: Calls): SessionHandle {
  return {
    id,
    get: (options) => sessions.get({ id }, options),
    send: (text, { signal, timeoutMs, retries, ...more } = {}) => sessions.send({ ...more, to: id, text }, { signal, timeoutMs, retries }),
    lines: (filter, options) => sessions.lines({ ...filter, id }, options),
    runs: (filter, options) => runs.list({ ...filter, sessionId: id }, options),
    events: (options) => calls.follow('events.subscribe', { sessionId: id }, options),
    update: (change, options) => sessions.update({ ...change, id }, options),
    stop: (options) => sessions.stop({ id }, options),
    delete: (options) => sessions.delete({ id }, options),
  }
}
