import { Fault, type Json, type Session } from '@sluice/schema'
import { type DialectStream, stream, type StreamMessage, type Told } from '../dialect.ts'
import { ChatDeletion, ChatDocument, ChatLog, ChatMessage, ChatStat, ChatToken, ChatWorkflowStatus, WorkflowPath } from './contract.ts'
import * as examples from './examples.ts'
import { idOr, workflows } from './mapping/ids.ts'
import { itemOf } from './mapping/lines.ts'
import { statusOf } from './mapping/workflow.ts'

/** Where clients are told of a conversation as it goes on, in the shapes in which they read it. Not in the document, which advises to poll. */

/** PURE and total. */
export function messagesOf(item: Told): StreamMessage[] {
  if (item.type === 'token') {
    const { sessionId, step, iteration, attempt, offset, text } = item
    return sessionId === null ? [] : [{ event: 'token', data: { workflowId: workflows.of(sessionId), step, iteration, attempt, offset, text } satisfies ChatToken }]
  }
  if (item.type === 'snapshot') return item.session ? [{ event: 'status', data: statusOf(item.session) }, ...(item.lines ?? []).map(itemOf)] : []
  if (!('subject' in item) || item.subject.kind !== 'session') return []
  const { id } = item.subject
  if (item.type === 'line.added') return item.line === null ? [] : [itemOf(item.line)]
  if (item.type === 'line.deleted') return [deletionOf(id, item.id)]
  if (item.type === 'deleted') return [deletionOf(id, id)]
  return 'record' in item && isSession(item.record) ? [{ event: 'status', data: statusOf(item.record) }] : []
}

/** What an event of a session tells of is one. */
const isSession = (record: Json | Session): record is Session => typeof record === 'object' && record !== null && 'created' in record

const deletionOf = (workflowId: string, id: string): StreamMessage => ({ event: 'deleted', data: { workflowId: workflows.of(workflowId), id } satisfies ChatDeletion })

export const streams: readonly DialectStream[] = [
  stream({
    name: 'followWorkflow',
    path: '/api/chat/playground/{workflowId}/events',
    summary: 'Follow a workflow as it goes on',
    description:
      'First its status and the newest hundred items that it holds; then each item when it is finished, the status when it changes, and, piece by piece, what is being said. It goes on until the workflow is deleted.',
    tags: ['chat playground'],
    extension: true,
    params: WorkflowPath,
    faults: ['session_missing', 'cursor_invalid'],
    ask({ path }, seen) {
      const sessionId = idOr('session_missing', workflows, path.workflowId)
      if (seen && seen.subjectId !== sessionId) throw new Fault('cursor_invalid')
      return { sessionId, tokens: true, ...(seen && { lastEventId: seen.cursor }) }
    },
    tells: {
      status: { summary: 'How the workflow stands, when that changes', schema: ChatWorkflowStatus, example: examples.status },
      message: { summary: 'Somebody has said something', schema: ChatMessage, example: examples.message },
      log: { summary: 'Something has happened', schema: ChatLog, example: examples.log },
      stat: { summary: 'A figure of what was done', schema: ChatStat, example: examples.stat },
      document: { summary: 'A file that came with a message', schema: ChatDocument, example: examples.document },
      token: { summary: 'A piece of what is being said', schema: ChatToken, example: examples.token },
      deleted: { summary: 'A message, a document or the workflow is gone', schema: ChatDeletion, example: { ...examples.one, id: '01k2v9n0b4xwt7c' } },
    },
    messages: messagesOf,
  }),
]
