import {
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
  pageOf,
  PutSession,
  Reply,
  SendMessage,
  SentMessage,
  Session,
  SessionEvent,
  UpdateSession,
} from '@sluice/schema'
import { z } from 'zod'
import type { Principal } from '../access/principal.ts'
import type { Client } from '../sessions/sessions.ts'
import type { Actor } from '../engine/engine.ts'
import { can, router, type Rest } from './trpc.ts'
import { viewerOf } from './viewer.ts'

const tags = ['sessions']
const one = '/v1/sessions/{id}'
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags, ...rest })

const clientOf = ({ principal, actor }: { principal: Principal; actor: Actor }): Client => ({ ...actor, ...viewerOf(principal) })

export const sessions = router({
  list: can('sessions.use', at('GET', '/v1/sessions', 'List your sessions, as an admin all of them, newest first'), ListSessions)
    .output(pageOf(Session))
    .query(({ ctx, input }) => ctx.parts.views.listSessions(ctx.parts.database, viewerOf(ctx.principal), input)),

  get: can('sessions.use', at('GET', one, 'Get a session'), GetSession)
    .output(Session)
    .query(({ ctx, input }) => ctx.parts.sessions.get(clientOf(ctx), input)),

  create: can('sessions.use', at('POST', '/v1/sessions', 'Create a session', { status: 201 }), CreateSession)
    .output(Session)
    .mutation(({ ctx, input }) => ctx.parts.sessions.create(clientOf(ctx), input)),

  put: can('sessions.use', at('PUT', one, 'Change a session, or create it under this id'), PutSession)
    .output(Session)
    .mutation(({ ctx, input }) => ctx.parts.sessions.put(clientOf(ctx), input)),

  update: can('sessions.use', at('PATCH', one, 'Change a session'), UpdateSession)
    .output(Session)
    .mutation(({ ctx, input }) => ctx.parts.sessions.update(clientOf(ctx), input)),

  delete: can('sessions.use', at('DELETE', one, 'Delete a session with its lines and runs', { status: 204 }), OneSession)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.sessions.delete(clientOf(ctx), input)),

  send: can('sessions.use', at('POST', '/v1/sessions/send', 'Send a message, to a session or to a workflow in a new one'), SendMessage)
    .output(SentMessage)
    .mutation(({ ctx, input }) => ctx.parts.sessions.send(clientOf(ctx), input)),

  ask: can('sessions.use', at('POST', '/v1/sessions/ask', 'Send a message, or the results of calls, and wait for what becomes of it'), AskSession)
    .output(Reply)
    .mutation(({ ctx, input, signal = new AbortController().signal }) => ctx.parts.sessions.ask(clientOf(ctx), input, { signal, tell: ctx.tell })),

  chatbots: can('sessions.use', at('GET', '/v1/chatbots', 'List who answers in conversations: the modes, then the chatbots of the workspace'), ListChatbots)
    .output(pageOf(Chatbot))
    .query(({ ctx, input }) => ctx.parts.views.listChatbots(ctx.parts.database, ctx.actor.workspaceId, input)),

  stop: can('sessions.use', at('POST', `${one}/stop`, 'Stop what goes on in a session'), GetSession)
    .output(Session)
    .mutation(({ ctx, input }) => ctx.parts.sessions.stop(clientOf(ctx), input)),

  lines: can('sessions.use', at('GET', `${one}/lines`, 'List messages, logs, stats and documents, oldest first'), ListLines)
    .output(pageOf(Line))
    .query(({ ctx, input }) => ctx.parts.views.listLines(ctx.parts.database, viewerOf(ctx.principal), input)),

  deleteMessage: can('sessions.use', at('DELETE', `${one}/messages/{messageId}`, 'Delete a message with its documents', { status: 204 }), OneMessage)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.sessions.deleteMessage(clientOf(ctx), input)),

  detachFile: can('sessions.use', at('DELETE', `${one}/messages/{messageId}/files/{fileId}`, 'Take a file from a message', { status: 204 }), OneFileOfMessage)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.sessions.detachFile(clientOf(ctx), input)),

  events: can('sessions.use', at('GET', `${one}/events`, 'List the events of a session'), ListSessionEvents)
    .output(pageOf(SessionEvent))
    .query(({ ctx, input }) => ctx.parts.views.listSessionEvents(ctx.parts.database, viewerOf(ctx.principal), input)),
})
