import { Json, JsonObject, limits, Mode } from '@sluice/schema'
import { z } from 'zod'
import { type Dialect, FormFile } from '../dialect.ts'

/**
 * The shapes of the chat playground, by the names that its document gives them. Its examples end in dots: what is answered may have
 * more keys than they show, and of what is sent, keys that are not known are passed over.
 * Source: documents/playground.txt, with the decisions of contracts/playground.md where it is silent.
 */

/** Unix seconds; the digits behind the point are microseconds. */
const Seconds = z.number()

// ── a workflow, which is a conversation ────────────────────────────────────────────────────────────────────────────────

export const ChatStatus = z.enum(['running', 'completed', 'stopped', 'error'])
export type ChatStatus = z.output<typeof ChatStatus>

/** What a list and a status can say of a conversation without looking into it. */
const scalars = {
  id: z.string(),
  userId: z.string(),
  status: ChatStatus,
  mode: z.string(),
  name: z.string().nullable(),
  description: z.string().nullable(),
  tags: z.array(z.string()),
  currentStep: z.string().nullable(),
  progress: z.number(),
  createdAt: Seconds,
  updatedAt: Seconds,
  stoppedAt: Seconds.nullable(),
}

export const ChatWorkflowStatus = z.object(scalars)
export type ChatWorkflowStatus = z.output<typeof ChatWorkflowStatus>

export const ChatWorkflow = z.object({ ...scalars, metadata: JsonObject, messageIds: z.array(z.string()), logIds: z.array(z.string()) })
export type ChatWorkflow = z.output<typeof ChatWorkflow>

export const StartedChatWorkflow = z.object({ ...ChatWorkflow.shape, messageId: z.string() })

// ── what it holds ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Two names of one time: parts of the document have the one, parts the other. */
const line = { id: z.string(), workflowId: z.string(), timestamp: Seconds, _createdAt: Seconds }

export const ChatFile = z.object({ id: z.string() }).catchall(Json)
export type ChatFile = z.output<typeof ChatFile>

export const ChatMessage = z.object({
  ...line,
  role: z.enum(['user', 'assistant', 'system']),
  content: z.string(),
  truncated: z.int().optional(),
  files: z.array(ChatFile),
  metadata: JsonObject,
})
export type ChatMessage = z.output<typeof ChatMessage>

export const ChatLog = z.object({ ...line, level: z.enum(['debug', 'info', 'warning', 'error']), message: z.string() })
export type ChatLog = z.output<typeof ChatLog>

export const ChatStat = z.object({ ...line, messageId: z.string().nullable(), name: z.string(), value: z.number(), unit: z.string().nullable() })
export type ChatStat = z.output<typeof ChatStat>

export const ChatDocument = z.object({
  ...line,
  messageId: z.string().nullable(),
  fileId: z.string(),
  name: z.string(),
  mimeType: z.string().nullable(),
  size: z.int().nullable(),
})
export type ChatDocument = z.output<typeof ChatDocument>

export const ChatData = z.object({ messages: z.array(ChatMessage), logs: z.array(ChatLog), stats: z.array(ChatStat), documents: z.array(ChatDocument) })
export type ChatData = z.output<typeof ChatData>

// ── what is told live ──────────────────────────────────────────────────────────────────────────────────────────────────

export const ChatToken = z.object({ workflowId: z.string(), step: z.string(), iteration: z.string(), attempt: z.int(), offset: z.int(), text: z.string() })
export type ChatToken = z.output<typeof ChatToken>

export const ChatDeletion = z.object({ workflowId: z.string(), id: z.string() })
export type ChatDeletion = z.output<typeof ChatDeletion>

// ── what is sent ───────────────────────────────────────────────────────────────────────────────────────────────────────

const isSaid = (text: string): boolean => text.trim() !== ''

export const UserInputRequest = z.object(
  {
    input: z.string({ error: 'expected a text' }).max(limits.messageChars).refine(isSaid, 'is blank'),
    files: z
      .array(z.union([z.string(), ChatFile], { error: 'expected the id of a file, or an object with one' }))
      .max(limits.filesPerMessage)
      .nullish(),
    metadata: JsonObject.nullish(),
  },
  { error: 'expected an object, as {"input": "…"}' },
)
export type UserInputRequest = z.output<typeof UserInputRequest>

/** What it cannot change it passes over; what it does not know is kept in the metadata. */
export const ChatWorkflowUpdate = z
  .object(
    {
      name: z.string().max(5_000).nullable().optional(),
      description: z.string().max(10_000).nullable().optional(),
      tags: z.array(z.string().min(1).max(100)).max(50).optional(),
      metadata: JsonObject.optional(),
    },
    { error: 'expected an object with fields to update' },
  )
  .catchall(Json)
  .refine((fields) => Object.keys(fields).length > 0, 'names nothing to update')
export type ChatWorkflowUpdate = z.output<typeof ChatWorkflowUpdate>

export const FileUpload = z.object({ file: z.array(FormFile).length(1, 'expected one file').meta({ description: 'The file' }) })

// ── addresses ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export const WorkflowPath = z.object({ workflowId: z.string() })
export const MessagePath = z.object({ workflowId: z.string(), messageId: z.string() })
export const FilePath = z.object({ workflowId: z.string(), messageId: z.string(), fileId: z.string() })

/** Said without a value it is not said. */
const given = <T extends z.ZodType>(schema: T) => z.preprocess((text) => (text === '' ? undefined : text), schema.optional())

export const StartQuery = z.object({ workflowId: given(z.string()), workflowMode: given(Mode) })
export const StartHeaders = z.object({ 'idempotency-key': given(z.string().max(200)) })

const number = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?$/

export const ChatDataQuery = z.object({
  afterTimestamp: z.preprocess(
    (text) => (text === '' ? undefined : typeof text === 'string' && number.test(text) ? Number(text) : text),
    z.number({ error: 'expected a finite number of seconds' }).optional(),
  ),
})
export const LogsQuery = z.object({ logId: given(z.string()) })
export const MessagesQuery = z.object({ messageId: given(z.string()) })

// ── other answers ──────────────────────────────────────────────────────────────────────────────────────────────────────

export const DeletedWorkflow = z.object({ id: z.string(), message: z.string() })
export const DeletedMessage = z.object({ workflowId: z.string(), messageId: z.string(), message: z.string() })
export const DeletedFileReference = z.object({ workflowId: z.string(), messageId: z.string(), fileId: z.string(), message: z.string() })
export const UploadedFile = z.object({ id: z.string(), name: z.string(), mimeType: z.string(), size: z.int() })
export type UploadedFile = z.output<typeof UploadedFile>

export const ErrorResponse = z.object({ detail: z.string() })
export type ErrorResponse = z.output<typeof ErrorResponse>

export const words: Dialect['words'] = {
  ChatStatus,
  ChatWorkflow,
  ChatWorkflowStatus,
  StartedChatWorkflow,
  ChatFile,
  ChatMessage,
  ChatLog,
  ChatStat,
  ChatDocument,
  ChatData,
  ChatToken,
  ChatDeletion,
  UserInputRequest,
  ChatWorkflowUpdate,
  FileUpload,
  DeletedWorkflow,
  DeletedMessage,
  DeletedFileReference,
  UploadedFile,
  ErrorResponse,
}
