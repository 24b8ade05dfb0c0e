import type {
  CreateSession,
  Line,
  ListedRun,
  ListLines,
  ListRuns,
  PassedEvent,
  ResyncEvent,
  SendMessage,
  Session,
  SessionEvent,
  SnapshotEvent,
  TokenEvent,
  UpdateSession,
} from '@sluice/schema'
import type { Calls } from './calls.ts'
import type { Input } from './input.ts'
import type { Listing } from './listing.ts'
import type { Runs } from './nouns/runs.ts'
import type { Sessions } from './nouns/sessions.ts'
import type { CallOptions } from './options.ts'
import { type Turn, turnOf } from './turn.ts'

/** What the stream of a session tells. A newer server may tell of types that are not listed here: keep a `default`. */
export type SessionFeedItem = SessionEvent | SnapshotEvent | ResyncEvent | PassedEvent | TokenEvent

export interface SessionEventsOptions extends CallOptions {
  /** The `cursor` of the last event that is known; unless given a snapshot comes first, the session with its newest 100 lines. */
  after?: string | undefined
  /** What steps say is told as well, piece by piece: live, and not again after a cut. */
  tokens?: boolean | undefined
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
   * this call. Throws `LimitExceededError` (`lane_full`). The answer is had from what it gives: `turn.text()`, `turn.message()`.
   */
  send(text: string, options?: MessageOptions): Turn
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

/** A session as it was when it was made, with the verbs of its handle: `const session = await sluice.sessions.create({ mode: 'React' })`, then `session.send('Hello')`. */
export type MadeSession = Session & SessionHandle

/** The noun of sessions, where one that is made is there to talk in. */
export interface SpokenSessions extends Omit<Sessions, 'create'> {
  /**
   * Under an id of your own it is safe to repeat: then the second throws `ConflictError` (`id_taken`). With an `externalId`, and
   * with `reuse: 'empty'`, a session that is there is answered as it stands, and this call repeats itself; `id_taken` is then
   * that it is one of another workflow. Throws `NotFoundError` (`workflow_missing`).
   */
  create(session: Input<typeof CreateSession>, options?: CallOptions): Promise<MadeSession>
}

/** The verbs are not among its values: it is compared, copied and written as JSON as the plain session that it is. */
export const spokenSessions = (sessions: Sessions, handleOf: (id: string) => SessionHandle): SpokenSessions => ({
  ...sessions,
  async create(session, options) {
    const made = await sessions.create(session, options)
    const verbs = Object.entries(handleOf(made.id)).filter(([name]) => name !== 'id')
    return Object.defineProperties(made, Object.fromEntries(verbs.map(([name, value]) => [name, { value, enumerable: false }]))) as MadeSession
  },
})

export function sessionHandle(id: string, { sessions, runs }: { sessions: Sessions; runs: Runs }, calls: Calls): SessionHandle {
  return {
    id,
    get: (options) => sessions.get({ id }, options),
    send: (text, { signal, timeoutMs, retries, ...more } = {}) => turnOf(sessions.send({ ...more, to: id, text }, { signal, timeoutMs, retries }), { sessions, calls }, [signal]),
    lines: (filter, options) => sessions.lines({ ...filter, id }, options),
    runs: (filter, options) => runs.list({ ...filter, sessionId: id }, options),
    events: ({ tokens, ...options } = {}) => calls.follow('events.subscribe', { sessionId: id, ...(tokens !== undefined && { tokens }) }, options),
    update: (change, options) => sessions.update({ ...change, id }, options),
    stop: (options) => sessions.stop({ id }, options),
    delete: (options) => sessions.delete({ id }, options),
  }
}
