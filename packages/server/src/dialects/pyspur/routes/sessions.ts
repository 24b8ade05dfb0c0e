import { z } from 'zod'
import type { Session } from '@sluice/schema'
import { type DialectRow, Other, route } from '../../dialect.ts'
import { HTTPError, SessionCreate, SessionListResponse, SessionPath, SessionResponse, skipQuery, UserId } from '../contract.ts'
import * as examples from '../examples.ts'
import { idOr } from '../mapping/ids.ts'
import { newSessionOf, seen, sessionOf, sessionsOf, testSessionOf } from '../mapping/session.ts'

const tags = ['sessions']

const missing = (what: string): Other => new Other(404, { detail: `${what} not found` })
const answer = (session: Session): SessionResponse | Other => sessionOf(session) ?? missing('Session')
const others = { 404: { description: 'There is no such session, or it is of no workflow', schema: HTTPError } }

/** PySpur's page "Sessions", as far as its chat uses them. */
export const sessionRows: readonly DialectRow[] = [
  route('sessions.create', {
    name: 'createSession',
    method: 'POST',
    path: '/session/',
    summary: 'Begin a conversation with a workflow',
    description: 'The one of this `external_id`, where there is one. A `user_id` that is no id of a member is a name to show.',
    tags,
    body: SessionCreate,
    reply: SessionResponse,
    faults: ['workflow_missing', 'id_taken'],
    others: { 404: { description: 'There is no such workflow, or no such user', schema: HTTPError } },
    example: { body: { user_id: 'customer 7', workflow_id: examples.one.workflow_id, external_id: null }, reply: examples.newSession },
    ask: ({ body }) => newSessionOf(body),
    answer,
    onFault: ({ code, issues }) => (code === 'input_invalid' && issues[0]?.path?.[0] === 'user' ? missing('User') : undefined),
  }),

  route('sessions.create', {
    name: 'createTestSession',
    method: 'POST',
    path: '/session/test/',
    summary: 'Begin a conversation to try a workflow with',
    description: 'The newest of yours that nothing was said in yet, where there is one.',
    tags,
    query: z.object({ workflow_id: z.string() }),
    reply: SessionResponse,
    faults: ['workflow_missing'],
    others,
    example: { query: examples.one, reply: { ...examples.newSession, user_id: 'test_user' } },
    ask: ({ query }) => testSessionOf(query.workflow_id),
    answer,
  }),

  route('sessions.list', {
    name: 'listSessions',
    method: 'GET',
    path: '/session/',
    summary: 'List your conversations, as an admin all of them, newest first',
    tags,
    query: z.object({ ...skipQuery, user_id: UserId.optional() }),
    reply: SessionListResponse,
    example: { query: { skip: 0, limit: 10 }, reply: { sessions: [examples.session], total: 1 } },
    ask: ({ query }) => sessionsOf(query),
    answer: ({ items, total = 0 }) => ({ sessions: items.flatMap((item) => sessionOf(item) ?? []), total }),
  }),

  route('sessions.get', {
    name: 'getSession',
    method: 'GET',
    path: '/session/{session_id}/',
    summary: 'Get a conversation with its messages',
    tags,
    params: SessionPath,
    reply: SessionResponse,
    faults: ['session_missing'],
    others,
    example: { path: examples.oneSession, reply: examples.session },
    ask: ({ path }) => ({ id: idOr('session_missing', path.session_id), ...seen }),
    answer,
  }),

  route('sessions.delete', {
    name: 'deleteSession',
    method: 'DELETE',
    path: '/session/{session_id}/',
    summary: 'Delete a conversation with its messages and runs',
    tags,
    params: SessionPath,
    reply: z.void(),
    status: 204,
    faults: ['session_missing'],
    example: { path: examples.oneSession },
    ask: ({ path }) => ({ id: idOr('session_missing', path.session_id) }),
    answer: () => undefined,
  }),
]
