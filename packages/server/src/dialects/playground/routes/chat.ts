import type { SendMessage } from '@sluice/schema'
import { type DialectRow, route, type Said } from '../../dialect.ts'
import { ChatData, ChatDataQuery, ChatWorkflow, FileUpload, StartedChatWorkflow, StartHeaders, StartQuery, UploadedFile, UserInputRequest, WorkflowPath } from '../contract.ts'
import * as examples from '../examples.ts'
import { files, idOr, messages, targetOf, workflows } from '../mapping/ids.ts'
import { dataOf, filesOf } from '../mapping/lines.ts'
import { instantAt } from '../mapping/times.ts'
import { usualMode, workflowOf } from '../mapping/workflow.ts'
import { counted, sayMissing, sayTarget, whole } from './rows.ts'

const tags = ['chat playground']

type Started = Said<unknown, { workflowId?: string | undefined; workflowMode?: SendMessage['mode'] }, UserInputRequest, { 'idempotency-key'?: string | undefined }>

/** A mode that was said is taken; the usual one only where there is none yet: going on does not change how a conversation works. */
function messageOf({ query: { workflowId, workflowMode }, body, headers }: Started): SendMessage {
  const { input: text, files: given, metadata } = body
  const idempotencyKey = headers?.['idempotency-key']
  return {
    ...(workflowId !== undefined && { to: targetOf(workflowId) }),
    text,
    ...filesOf(given ?? [], metadata ?? {}),
    ...(workflowMode === undefined ? { orMode: usualMode } : { mode: workflowMode }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    lineIds: true,
  }
}

/** Base path `/api/chat/playground`. */
export const chatRows: readonly DialectRow[] = [
  route('sessions.send', {
    name: 'startWorkflow',
    method: 'POST',
    path: '/api/chat/playground/start',
    counted,
    summary: 'Start a workflow, or continue one',
    description: [
      'Answers when the message is kept; the work goes on behind it. What is sent while it does waits for its turn. Where the workflow asks a question, the message is the answer to it.',
      'Without `workflowId` a new workflow begins. With the id or the handle of a published chatbot in place of the id of a workflow, a new conversation with that chatbot begins.',
    ].join('\n\n'),
    tags,
    query: StartQuery,
    headers: StartHeaders,
    body: UserInputRequest,
    reply: StartedChatWorkflow,
    faults: ['workflow_missing', 'file_missing', 'definition_invalid', 'idempotency_conflict', 'lane_full'],
    example: { query: { workflowMode: 'Actionplan' }, body: examples.input, reply: { ...examples.workflow, messageId: examples.message.id } },
    ask: messageOf,
    answer: ({ session, message }) => ({ ...workflowOf(session), messageId: messages.of(message.id) }),
    onFault: (problem, _setting, { query }) => sayTarget(problem, query.workflowId),
  }),

  route('sessions.stop', {
    name: 'stopWorkflow',
    method: 'POST',
    path: '/api/chat/playground/{workflowId}/stop',
    counted,
    summary: 'Stop a workflow',
    description: 'For good, when it is answered: what goes on is told to stop, and nothing of it counts. One that has ended is answered as it is.',
    tags,
    params: WorkflowPath,
    reply: ChatWorkflow,
    faults: ['session_missing'],
    example: { path: examples.one, reply: { ...examples.workflow, status: 'stopped', stoppedAt: examples.workflow.updatedAt } },
    ask: ({ path }) => ({ id: idOr('session_missing', workflows, path.workflowId), lineIds: true }),
    answer: workflowOf,
    onFault: sayMissing,
  }),

  route('sessions.lines', {
    name: 'getChatData',
    method: 'GET',
    path: '/api/chat/playground/{workflowId}/chatData',
    counted,
    summary: 'Get messages, logs, statistics and documents',
    description:
      'Each in the order of `_createdAt`, which is never the same for two of one workflow. The greatest one that was read is where to go on from: with it as `afterTimestamp` comes what was created after it, nothing left out and nothing twice.',
    tags,
    params: WorkflowPath,
    query: ChatDataQuery,
    reply: ChatData,
    faults: ['session_missing'],
    example: { path: examples.one, query: { afterTimestamp: 1_769_860_800.5 }, reply: examples.data },
    ask({ path, query: { afterTimestamp } }) {
      const since = afterTimestamp === undefined ? undefined : instantAt(afterTimestamp)
      return { id: idOr('session_missing', workflows, path.workflowId), ...(since !== undefined && { since }), ...whole }
    },
    answer: ({ items }) => dataOf(items),
    onFault: sayMissing,
  }),

  route('files.upload', {
    name: 'uploadFile',
    method: 'POST',
    path: '/api/chat/playground/files',
    summary: 'Store a file for a message',
    description: 'A form with the file as its field `file`. Its id goes with a message, in `files`; what no message uses goes after a while.',
    tags,
    extension: true,
    takes: 'multipart/form-data',
    body: FileUpload,
    reply: UploadedFile,
    faults: ['file_too_large', 'files_full'],
    example: { reply: examples.uploaded },
    ask: ({ body }) => ({ file: body.file }),
    answer: ({ files: [stored] }) => ({ id: files.of(stored!.id), name: stored!.name, mimeType: stored!.contentType, size: stored!.bytes }),
  }),
]
