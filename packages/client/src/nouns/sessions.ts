import type {
  AskSession,
  Chatbot,
  CreateSession,
  GetSession,
  Line,
  ListChatbots,
  ListLines,
  ListSessionEvents,
  ListSessions,
  OneFileOfMessage,
  OneMessage,
  OneSession,
  PutSession,
  Reply,
  SendMessage,
  SentMessage,
  Session,
  SessionEvent,
  UpdateSession,
} from '@sluice/schema'
import type { Calls } from '../calls.ts'
import { keyed } from '../idempotency.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** Conversations and guided processes, as values; `sluice.session(id)` is one to hold on to. Yours, and as an admin those of all. One of somebody else throws `NotFoundError` (`session_missing`). */
export interface Sessions {
  /**
   * Newest first, unless there is an `order`. `where` looks into `context`, `metadata`, `subject` and `steps` too:
   * `{ status: 'waiting', where: { 'context.topic': 'billing', title: { contains: 'refund' } }, order: ['-updated'] }`.
   */
  list(filter?: Input<typeof ListSessions>, options?: CallOptions): Listing<Session>
  /** As it stands; with `lineIds` also the ids of its newest messages and logs, with `messages` so many of its newest messages. */
  get(which: Input<typeof GetSession>, options?: CallOptions): Promise<Session>
  /**
   * Under an id of your own it is safe to repeat: then the second throws `ConflictError` (`id_taken`). With an `externalId`, and
   * with `reuse: 'empty'`, a session that is there is answered as it stands, and this call repeats itself; `id_taken` is then
   * that it is one of another workflow. Throws `NotFoundError` (`workflow_missing`).
   */
  create(session: Input<typeof CreateSession>, options?: CallOptions): Promise<Session>
  /** Changes the session of this id, or makes it. With `ifUpdated` it throws `ConflictError` (`session_stale`) when it has changed meanwhile. */
  put(session: Input<typeof PutSession>, options?: CallOptions): Promise<Session>
  /** What is absent stays. With `ifUpdated` it throws `ConflictError` (`session_stale`) when the session has changed meanwhile. */
  update(change: Input<typeof UpdateSession>, options?: CallOptions): Promise<Session>
  /** Takes its lines and its ended runs; a live one is cancelled. */
  delete(which: Input<typeof OneSession>, options?: CallOptions): Promise<void>
  /**
   * Answers when the message is kept and its round is started, or waits for those before it. To a workflow, or to nobody, it
   * makes a session. Text answers an open question of the round under way. Without an idempotency key one is made, and kept
   * over the repeats of this call: a lost answer says nothing twice. Throws `NotFoundError` (`workflow_missing`, `file_missing`),
   * `ConflictError` (`idempotency_conflict`), `LimitExceededError` (`lane_full`).
   */
  send(message: Input<typeof SendMessage>, options?: CallOptions): Promise<SentMessage>
  /**
   * `send`, and the wait for what becomes of its round: it was answered, asks something, waits for an approval or for calls of
   * your `clientTools`, failed, was stopped, or still goes on after `waitMs`. With `results` in place of a text it goes on with
   * what the calls gave; the same results once more change nothing. Throws `ConflictError` (`calls_pending`, `call_not_waiting`).
   */
  ask(message: Input<typeof AskSession>, options?: CallOptions): Promise<Reply>
  /** Who answers in conversations: the modes, then the chatbots of the workspace; or the one of a name. */
  chatbots(filter?: Input<typeof ListChatbots>, options?: CallOptions): Listing<Chatbot>
  /** Cancels what goes on, and what waits behind it. */
  stop(which: Input<typeof GetSession>, options?: CallOptions): Promise<Session>
  /** Messages, logs, stats and documents, oldest first; those of a `kind`, or after a number, an id or a time. */
  lines(of: Input<typeof ListLines>, options?: CallOptions): Listing<Line>
  /** With its documents; its events lose what they told. Throws `NotFoundError` (`line_missing`). */
  deleteMessage(which: Input<typeof OneMessage>, options?: CallOptions): Promise<void>
  /** The file itself stays. Throws `NotFoundError` (`line_missing`). */
  detachFile(which: Input<typeof OneFileOfMessage>, options?: CallOptions): Promise<void>
  /** What has happened in the last 24 hours, oldest first, from after the event numbered `after` on. Live: `events()` of `sluice.session(id)`. */
  events(of: Input<typeof ListSessionEvents>, options?: CallOptions): Listing<SessionEvent>
}

/** What a reply is waited for unless it is said. */
const askMs = 300_000

export const sessionsOf = ({ list, read, write, repeat, remove }: Calls): Sessions => ({
  list: (filter, options) => list('sessions.list', filter, options),
  get: (which, options) => read('sessions.get', which, options),
  create: (session, options) => (session.externalId === undefined && session.reuse === undefined ? write : repeat)('sessions.create', session, options),
  put: (session, options) => repeat('sessions.put', session, options),
  update: (change, options) => write('sessions.update', change, options),
  delete: (which, options) => remove('sessions.delete', which, options),
  send: (message, options) => repeat('sessions.send', keyed(message), options),
  ask: (message, options) => repeat('sessions.ask', message.results === undefined ? keyed(message) : message, { ...options, waitMs: message.waitMs ?? askMs }),
  chatbots: (filter, options) => list('sessions.chatbots', filter, options),
  stop: (which, options) => repeat('sessions.stop', which, options),
  lines: (of, options) => list('sessions.lines', of, options),
  deleteMessage: (which, options) => remove('sessions.deleteMessage', which, options),
  detachFile: (which, options) => remove('sessions.detachFile', which, options),
  events: (of, options) => list('sessions.events', of, options),
})
