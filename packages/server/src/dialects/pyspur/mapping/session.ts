import { type CreateSession, Id, type JsonObject, limits, type ListSessions, type MessageLine, type Session } from '@sluice/schema'
import type { MessageResponse, SessionCreate, SessionResponse } from '../contract.ts'
import { isDict } from './dicts.ts'
import { workflowRef } from './ids.ts'
import { naive } from './times.ts'

/**
 * Conversations as PySpur tells them. PURE and total. Its users are those of its clients: what is no id of a member is a name
 * that the session keeps as what it is about, and whoever sends it is the owner.
 */

/** What every session is asked for with. */
export const seen = { messages: limits.sessionMessages }

const isMember = (user: string): boolean => Id.safeParse(user).success
const about = (user: string): { user_id: string } => ({ user_id: user })

/** Null: it is of no workflow, or no more, and so none of PySpur's. */
export function sessionOf({ id, user, subject, workflowId, externalId, created, updated, messages = [] }: Session): SessionResponse | null {
  if (workflowId === null) return null
  const named = isDict(subject) ? subject['user_id'] : undefined
  return {
    id,
    user_id: typeof named === 'string' ? named : user,
    workflow_id: workflowId,
    external_id: externalId,
    created_at: naive(created),
    updated_at: naive(updated),
    messages: messages.map(messageOf),
  }
}

const messageOf = ({ id, sessionId, runId, role, text, at }: MessageLine): MessageResponse => ({
  id,
  session_id: sessionId,
  run_id: runId,
  content: { role, content: text },
  created_at: naive(at),
  updated_at: naive(at),
})

export const newSessionOf = ({ user_id, workflow_id, external_id }: SessionCreate): CreateSession => ({
  workflow: workflowRef(workflow_id),
  ...(isMember(user_id) ? { user: user_id } : { subject: about(user_id) }),
  ...(external_id && { externalId: external_id }),
  ...seen,
})

const tester = 'test_user'

/** To try a chatbot with: the newest that nothing was said in yet, or a new one. */
export const testSessionOf = (workflow: string): CreateSession => ({
  workflow: workflowRef(workflow),
  subject: about(tester),
  metadata: { is_test: true },
  reuse: 'empty',
  ...seen,
})

export function sessionsOf({ skip, limit, user_id }: { skip: number; limit: number; user_id?: string | undefined }): ListSessions {
  const isNamed = user_id !== undefined && !isMember(user_id)
  const where: JsonObject = { workflowId: { ne: null }, ...(isNamed && { 'subject.user_id': user_id }) }
  return { where, ...(user_id !== undefined && !isNamed && { user: user_id }), offset: skip, limit, count: true, order: '-created', ...seen }
}
