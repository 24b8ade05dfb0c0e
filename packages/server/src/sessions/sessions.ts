import {
  type AskSession,
  Fault,
  type CreateSession,
  type GetSession,
  type OneFileOfMessage,
  type OneMessage,
  type OneSession,
  type PutSession,
  type Reply,
  type SendMessage,
  type SentMessage,
  type Session,
  type SessionView,
  type UpdateSession,
} from '@sluice/schema'
import { getLine, getSession, seenSession } from '../store/views/sessions.ts'
import { type AskParts, createAsk, type Waiting } from './ask.ts'
import * as change from './change.ts'
import { Overtaken, send } from './send.ts'
import { alone, type Client, type Rooms, type Within } from './within.ts'

export type { Spoken } from './ask.ts'
export type { Client } from './within.ts'

/**
 * Conversations: a message enters, starts or continues a round. Of a session that the client may not see every method throws
 * a Fault `session_missing`, as of one that is not there.
 */
export interface Sessions {
  get(actor: Client, input: GetSession): Promise<Session>
  create(actor: Client, input: CreateSession): Promise<Session>
  put(actor: Client, input: PutSession): Promise<Session>
  update(actor: Client, input: UpdateSession): Promise<Session>
  /** Takes the session, its lines and its ended rounds; a live one is cancelled. */
  delete(actor: Client, input: OneSession): Promise<void>
  /** Answers when the message and what it starts are committed. */
  send(actor: Client, input: SendMessage): Promise<SentMessage>
  /** Sends a message, or the results of calls, and answers when the round has come to rest, or the time is up. */
  ask(actor: Client, input: AskSession, waiting: Waiting): Promise<Reply>
  /** Cancels what is live and what waits behind it. */
  stop(actor: Client, input: GetSession): Promise<Session>
  deleteMessage(actor: Client, input: OneMessage): Promise<void>
  /** Takes a file from a message; the file itself stays its owner's. */
  detachFile(actor: Client, input: OneFileOfMessage): Promise<void>
  /** Throws when the client may not see it. */
  check(actor: Client, id: string): Promise<void>
}

const tries = 3

export function createSessions(parts: Rooms & Pick<AskParts, 'feed' | 'engine'>): Sessions {
  const { database } = parts
  const within = <T>(work: (within: Within) => Promise<T>): Promise<T> => alone(parts, work)
  const read = (actor: Client, id: string, view?: SessionView): Promise<Session> => getSession(database, actor, id, view)
  /** Of two that make it at once the second finds it made. */
  const madeOnce = (once: () => Promise<string>): Promise<string> =>
    once().catch((error: unknown) => (error instanceof Fault && error.code === 'id_taken' ? once() : Promise.reject(error)))

  const sessions: Omit<Sessions, 'ask'> = {
    get: (actor, input) => read(actor, input.id, input),
    async create(actor, input) {
      const once = () => within((each) => change.create(each, actor, input))
      return read(actor, await (input.externalId === undefined ? once() : madeOnce(once)), input)
    },
    async put(actor, input) {
      return read(actor, await madeOnce(() => within((each) => change.put(each, actor, input))))
    },
    update: async (actor, input) => read(actor, await within((each) => change.update(each, actor, input)), input),
    delete: (actor, input) => within((each) => change.remove(each, actor, input)),
    async send(actor, input) {
      const sent = await sendOvertaken((mayAnswer) => within((each) => send(each, actor, input, mayAnswer)))
      // One after the other: of a message that went with its session the answer is that the session is gone.
      const session = await read(actor, sent.sessionId, input)
      const message = await getLine(database, sent.sessionId, sent.messageId)
      return { session, message, runId: sent.runId, pauseId: sent.pauseId }
    },
    stop: async (actor, input) => read(actor, await within((each) => change.stop(each, actor, { id: input.id })), input),
    deleteMessage: (actor, input) => within((each) => change.forgetMessage(each, actor, input)),
    detachFile: (actor, input) => within((each) => change.detachFile(each, actor, input)),
    async check(actor, id) {
      await seenSession(database, actor, id)
    },
  }
  return { ...sessions, ask: createAsk({ ...parts, sessions }) }
}

/** What comes too late for a question starts a round: questions that come and go do not keep a message waiting. */
async function sendOvertaken<T>(once: (mayAnswer: boolean) => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await once(tried < tries)
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error
    }
  }
}
