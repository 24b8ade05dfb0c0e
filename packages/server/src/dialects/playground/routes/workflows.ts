import { z } from 'zod'
import { type DialectRow, route } from '../../dialect.ts'
import {
  ChatLog,
  ChatMessage,
  ChatWorkflow,
  ChatWorkflowStatus,
  ChatWorkflowUpdate,
  DeletedFileReference,
  DeletedMessage,
  DeletedWorkflow,
  FilePath,
  LogsQuery,
  MessagePath,
  MessagesQuery,
  WorkflowPath,
} from '../contract.ts'
import * as examples from '../examples.ts'
import { files, idOr, logs, messages, workflows } from '../mapping/ids.ts'
import { logsIn, messagesIn } from '../mapping/lines.ts'
import { statusOf, updateOf, workflowOf } from '../mapping/workflow.ts'
import { counted, sayMissing, whole } from './rows.ts'

const tags = ['workflows']

const mostListed = 1_000

const one = (path: { workflowId: string }) => ({ id: idOr('session_missing', workflows, path.workflowId) })
const message = (path: { messageId: string }) => ({ messageId: idOr('line_missing', messages, path.messageId) })
const file = (path: { fileId: string }) => ({ fileId: idOr('line_missing', files, path.fileId) })

const after = (kind: typeof messages, id: string | undefined) => (id === undefined ? {} : { afterId: kind.bare(id).slice(0, 100) })

const known = (id: string): string => workflows.of(workflows.bare(id))

/** Base path `/api/workflows`. */
export const workflowRows: readonly DialectRow[] = [
  route('sessions.list', {
    name: 'listWorkflows',
    method: 'GET',
    path: '/api/workflows/',
    counted,
    summary: 'List your workflows, oldest first',
    description: `The newest ${mostListed.toLocaleString('en')} of them: your own, whatever else you may see. Of more than a hundred, each has fewer of its \`messageIds\` and \`logIds\`: at least the newest hundred. Metadata of more than 16 KiB is told by its size.`,
    tags,
    reply: z.array(ChatWorkflow),
    example: { reply: [examples.workflow] },
    ask: () => ({ user: 'me', order: '-created', limit: mostListed, lineIds: true }),
    answer: ({ items }) => items.map(workflowOf).toReversed(),
  }),

  route('sessions.get', {
    name: 'getWorkflow',
    method: 'GET',
    path: '/api/workflows/{workflowId}',
    counted,
    summary: 'Get a workflow',
    description: '`messageIds` and `logIds` are the newest 1,000 of each, oldest first.',
    tags,
    params: WorkflowPath,
    reply: ChatWorkflow,
    faults: ['session_missing'],
    example: { path: examples.one, reply: examples.workflow },
    ask: ({ path }) => ({ ...one(path), lineIds: true }),
    answer: workflowOf,
    onFault: sayMissing,
  }),

  route('sessions.update', {
    name: 'updateWorkflow',
    method: 'PUT',
    path: '/api/workflows/{workflowId}',
    counted,
    summary: 'Update a workflow',
    description:
      'Of what is sent `name`, `description`, `tags` and `metadata` replace what was there. What is not for clients to say, as `status`, is passed over; a field that is not known is set in the metadata.',
    tags,
    params: WorkflowPath,
    body: ChatWorkflowUpdate,
    reply: ChatWorkflow,
    faults: ['session_missing'],
    example: { path: examples.one, body: examples.update, reply: { ...examples.workflow, ...examples.update } },
    ask: ({ path, body }) => ({ ...one(path), ...updateOf(body), lineIds: true }),
    answer: workflowOf,
    onFault: sayMissing,
  }),

  route('sessions.get', {
    name: 'getWorkflowStatus',
    method: 'GET',
    path: '/api/workflows/{workflowId}/status',
    counted,
    summary: 'Get the status of a workflow',
    description: 'Without the ids of its messages and logs.',
    tags,
    params: WorkflowPath,
    reply: ChatWorkflowStatus,
    faults: ['session_missing'],
    example: { path: examples.one, reply: examples.status },
    ask: ({ path }) => one(path),
    answer: statusOf,
    onFault: sayMissing,
  }),

  route('sessions.lines', {
    name: 'getWorkflowLogs',
    method: 'GET',
    path: '/api/workflows/{workflowId}/logs',
    counted,
    summary: 'Get the logs of a workflow',
    description: 'Oldest first; with `logId` those after it. An id that is not there, or no more, is as none: all of them.',
    tags,
    params: WorkflowPath,
    query: LogsQuery,
    reply: z.array(ChatLog),
    faults: ['session_missing'],
    example: { path: examples.one, query: { logId: 'log_01k2v9n0b4xwt7b' }, reply: [examples.log] },
    ask: ({ path, query }) => ({ ...one(path), kind: 'log', ...after(logs, query.logId), ...whole }),
    answer: ({ items }) => logsIn(items),
    onFault: sayMissing,
  }),

  route('sessions.lines', {
    name: 'getWorkflowMessages',
    method: 'GET',
    path: '/api/workflows/{workflowId}/messages',
    counted,
    summary: 'Get the messages of a workflow',
    description: 'Oldest first; with `messageId` those after it. An id that is not there, or no more, is as none: all of them.',
    tags,
    params: WorkflowPath,
    query: MessagesQuery,
    reply: z.array(ChatMessage),
    faults: ['session_missing'],
    example: { path: examples.one, query: { messageId: 'msg_01k2v9n0b4xwt70' }, reply: [examples.message] },
    ask: ({ path, query }) => ({ ...one(path), kind: 'message', ...after(messages, query.messageId), ...whole }),
    answer: ({ items }) => messagesIn(items),
    onFault: sayMissing,
  }),

  route('sessions.delete', {
    name: 'deleteWorkflow',
    method: 'DELETE',
    path: '/api/workflows/{workflowId}',
    counted,
    summary: 'Delete a workflow with its messages, logs, statistics and documents',
    description: 'One that runs is stopped first.',
    tags,
    params: WorkflowPath,
    reply: DeletedWorkflow,
    faults: ['session_missing'],
    example: { path: examples.one, reply: { id: examples.one.workflowId, message: 'Workflow and associated data deleted successfully' } },
    ask: ({ path }) => one(path),
    answer: (_gone, _setting, { path }) => ({ id: known(path.workflowId), message: 'Workflow and associated data deleted successfully' }),
    onFault: sayMissing,
  }),

  route('sessions.deleteMessage', {
    name: 'deleteMessage',
    method: 'DELETE',
    path: '/api/workflows/{workflowId}/messages/{messageId}',
    counted,
    summary: 'Delete a message with its documents',
    tags,
    params: MessagePath,
    reply: DeletedMessage,
    faults: ['session_missing', 'line_missing'],
    example: { path: examples.oneMessage, reply: { ...examples.oneMessage, message: 'Message deleted successfully' } },
    ask: ({ path }) => ({ ...one(path), ...message(path) }),
    answer: (_gone, _setting, { path }) => ({
      workflowId: known(path.workflowId),
      messageId: messages.of(messages.bare(path.messageId)),
      message: 'Message deleted successfully',
    }),
    onFault: sayMissing,
  }),

  route('sessions.detachFile', {
    name: 'deleteFileFromMessage',
    method: 'DELETE',
    path: '/api/workflows/{workflowId}/messages/{messageId}/files/{fileId}',
    counted,
    summary: 'Delete a file reference from a message',
    description: 'With what was said of the file in the message, and its document. The file itself stays its owner’s.',
    tags,
    params: FilePath,
    reply: DeletedFileReference,
    faults: ['session_missing', 'line_missing'],
    example: { path: examples.oneFile, reply: { ...examples.oneFile, message: 'File reference deleted successfully' } },
    ask: ({ path }) => ({ ...one(path), ...message(path), ...file(path) }),
    answer: (_gone, _setting, { path }) => ({
      workflowId: known(path.workflowId),
      messageId: messages.of(messages.bare(path.messageId)),
      fileId: files.of(files.bare(path.fileId)),
      message: 'File reference deleted successfully',
    }),
    onFault: sayMissing,
  }),
]
