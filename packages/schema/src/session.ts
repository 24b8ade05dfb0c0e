import { z } from 'zod'
import { listInput, whereLimits } from './conditions.ts'
import { Id, Timestamp, WorkflowRef, knownUpTo } from './ids.ts'
import { Json, JsonObject } from './json.ts'
import { limits } from './limits.ts'
import { Mode } from './mode.ts'
import { eventsInput, pageInput } from './list.ts'
import { StepState } from './run.ts'

/** Of a bound session it is that of its rounds; of an unbound one what its client wrote. */
export const SessionStatus = z.enum(['idle', 'running', 'waiting', 'completed', 'failed', 'stopped'])
export type SessionStatus = z.infer<typeof SessionStatus>

/** One top-level node of the round under way, or of the last one. */
export const SessionStep = z.object({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  status: StepState,
  startedAt: Timestamp.nullable(),
  endedAt: Timestamp.nullable(),
})
export type SessionStep = z.infer<typeof SessionStep>

/** The ids of a session's messages and logs, oldest first: the newest 1,000 of each, in a list of more than 100 sessions fewer. */
export const LineIds = z.object({ messages: z.array(Id), logs: z.array(Id) })
export type LineIds = z.infer<typeof LineIds>

export const LineKind = z.enum(['message', 'log', 'stat', 'document'])
export type LineKind = z.infer<typeof LineKind>

const line = <K extends LineKind, S extends z.ZodRawShape>(kind: K, shape: S) =>
  z.object({
    kind: z.literal(kind),
    id: Id,
    sessionId: Id,
    number: z.int().min(1).meta({ description: 'Counts up in the session' }),
    at: z.string().meta({
      format: 'date-time',
      description: 'With microseconds; no two of a session are equal, and none comes before one that was read',
      examples: ['2026-01-31T12:00:00.000001Z'],
    }),
    runId: Id.nullable().meta({ description: 'The round it came with' }),
    ...shape,
  })

export const MessageRole = z.enum(['user', 'assistant', 'system'])
export type MessageRole = z.infer<typeof MessageRole>

/** What somebody said. */
export const MessageLine = line('message', {
  role: MessageRole,
  text: z.string(),
  metadata: JsonObject,
  files: z.array(Id).meta({ description: 'Each has a document of its own' }),
  truncated: z.int().optional().meta({ description: 'In an event: the bytes of the whole text' }),
})
export type MessageLine = z.infer<typeof MessageLine>

/** What somebody said, something that happened, a figure, or a document. Immutable. */
export const Line = z.discriminatedUnion('kind', [
  MessageLine,
  line('log', { level: z.enum(['debug', 'info', 'warn', 'error']), message: z.string(), nodeId: z.string().nullable(), step: z.string().nullable() }),
  line('stat', { name: z.string(), value: z.number(), unit: z.string().nullable() }),
  line('document', {
    messageId: Id.nullable(),
    fileId: Id,
    name: z.string(),
    mimeType: z.string().nullable(),
    size: z.int().nullable(),
  }),
])
export type Line = z.infer<typeof Line>

/** A function that a model may call in a session. */
export const SessionTool = z.strictObject({
  name: z.string().min(1).max(100).meta({ description: 'As it is offered: `http_request`, `workflow_invoice`; `*` is all of them' }),
  approval: z.boolean().optional().meta({ description: 'Whether a person is asked before it is called; as it declares unless set' }),
})
export type SessionTool = z.infer<typeof SessionTool>

/** A function that who sends a message does itself. */
export const ClientTool = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 characters of A-Z a-z 0-9 _ -'),
  description: z.string().max(4_000).optional(),
  parameters: JsonObject.optional().meta({ description: 'JSON Schema of its arguments: an object' }),
})
export type ClientTool = z.infer<typeof ClientTool>

/**
 * A conversation or a guided process. Bound to a workflow, its rounds are runs of it, and `status`, `currentStepId`, `steps`
 * and `progress` are theirs; unbound, all of it is plain data of its owner.
 */
export const Session = z.object({
  id: Id,
  title: z.string(),
  description: z.string().nullable(),
  tags: z.array(z.string()),
  metadata: JsonObject,
  mode: z.string().nullable(),
  tools: z.array(SessionTool).nullable().meta({ description: 'What a model may call in it, beside reading its files; null: all that there is, as it declares itself' }),
  user: z.string().meta({ description: 'The id of its owner' }),
  subject: Json.nullable().meta({ description: 'What it is about, as its client says it' }),
  workflowId: Id.nullable().meta({ description: 'What it is bound to' }),
  status: SessionStatus,
  currentStepId: z.string().nullable(),
  steps: Json.meta({ description: 'Of a bound session an array of SessionStep, one for each top-level node' }),
  progress: z.number().meta({ description: 'Percent, 0 to 100' }),
  context: Json.nullable().meta({ description: 'What its clients and its rounds keep' }),
  stoppedAt: Timestamp.nullable(),
  externalId: z.string().nullable().meta({ description: "Its client's own id of it" }),
  lineIds: LineIds.optional(),
  messages: z.array(MessageLine).optional().meta({ description: 'The newest, oldest first' }),
  created: Timestamp,
  updated: Timestamp,
})
export type Session = z.infer<typeof Session>

// ── what callers send ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What a session is answered with. */
const view = {
  lineIds: z.boolean().optional().meta({ description: 'Answer with the ids of its messages and logs' }),
  messages: z.int().min(1).max(limits.sessionMessages).optional().meta({ description: 'Answer with so many of its newest messages, or as many of them as fit' }),
}
export type SessionView = z.infer<z.ZodObject<typeof view>>

/** What clients write. A bound session keeps its `steps`, `currentStepId` and `progress`, whatever is sent. */
const written = {
  title: z.string().max(5_000).optional(),
  description: z.string().max(10_000).nullable().optional(),
  tags: z.array(z.string().min(1).max(100)).max(50).optional(),
  metadata: JsonObject.optional(),
  mode: z.string().max(100).nullable().optional().meta({ description: 'A `Mode` binds a session that is made to the workflow of the mode; any other text is a label' }),
  tools: z.array(SessionTool).max(100).nullable().optional(),
  subject: Json.nullable().optional(),
  status: SessionStatus.optional().meta({ description: 'Of a bound session a command: `running` starts a round with the context as its input, `idle` cancels' }),
  currentStepId: z.string().max(5_000).nullable().optional(),
  steps: Json.optional(),
  progress: z.number().min(0).max(100).optional(),
  context: Json.nullable().optional().meta({ description: 'Replaces the whole of it' }),
}

const ifUpdated = Timestamp.optional().meta({ description: 'Refuse unless this is its `updated`' })

const created = {
  workflow: WorkflowRef.optional().meta({ description: 'Binds it for good' }),
  user: z.string().max(100).optional().meta({ description: 'The id of its owner, who is yourself unless you are an admin' }),
  ...written,
}

export const CreateSession = z.strictObject({
  id: Id.optional(),
  externalId: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({ description: 'An id of your own: the session of its owner that has it is answered as it stands, in place of a new one' }),
  reuse: z.literal('empty').optional().meta({
    description: 'Answer with the newest session of its owner that has this workflow, subject and metadata, as it stands, where it has no lines and no runs; without an id',
  }),
  ...created,
  ...view,
})
export type CreateSession = z.infer<typeof CreateSession>

/** Changes the session of this id, or makes it. */
export const PutSession = z.strictObject({ id: Id, ...created, ifUpdated })
export type PutSession = z.infer<typeof PutSession>

export const UpdateSession = z.strictObject({
  id: Id,
  ...written,
  metadataKeys: JsonObject.optional().meta({ description: 'Single keys of the metadata to set; all others stay' }),
  ifUpdated,
  ...view,
})
export type UpdateSession = z.infer<typeof UpdateSession>

export const OneSession = z.strictObject({ id: Id })
export type OneSession = z.infer<typeof OneSession>

export const GetSession = z.strictObject({ id: Id, ...view })
export type GetSession = z.infer<typeof GetSession>

const sessionFields = [
  'id',
  'title',
  'description',
  'tags',
  'metadata',
  'mode',
  'user',
  'subject',
  'workflowId',
  'status',
  'currentStepId',
  'steps',
  'progress',
  'context',
  'stoppedAt',
  'externalId',
  'created',
  'updated',
] as const
/** What a list of sessions can be asked about. */
export type SessionField = (typeof sessionFields)[number]

export const ListSessions = z.strictObject({
  status: SessionStatus.optional(),
  workflow: WorkflowRef.optional(),
  tag: z.string().min(1).max(100).optional(),
  user: z.string().min(1).max(100).optional().meta({ description: 'Only those of this user, `me` being yourself; of others as an admin alone' }),
  ...listInput(sessionFields, whereLimits.dialectItems),
  ...view,
})
export type ListSessions = z.infer<typeof ListSessions>

export const ListSessionEvents = z.strictObject({ id: Id, ...eventsInput })
export type ListSessionEvents = z.infer<typeof ListSessionEvents>

/**
 * A message: to a session; to a workflow, in a new session that is bound to it; or to nobody, in a new unbound one. Its round
 * is given `{text, metadata, files, messageId, sessionId}`, and of a chatbot the messages before it, too, as `history`, in the
 * form and the bounds of `historyAs`.
 */
export const SendMessage = z.strictObject({
  to: z.string().min(1).max(100).optional().meta({ description: 'The id of a session, or the id or handle of a workflow' }),
  text: z.string().min(1).max(limits.messageChars),
  files: z.array(Id).max(limits.filesPerMessage).optional().meta({ description: 'Ids of files: the session uses them, and a document tells of each' }),
  metadata: JsonObject.optional(),
  mode: z.string().max(100).optional().meta({
    description: 'A `Mode` binds the session to the workflow of the mode, unless it is bound to one of your own; any other text is kept as a label',
  }),
  orMode: Mode.optional().meta({ description: 'The mode of a session that is bound to nothing yet' }),
  tools: z.array(SessionTool).max(100).nullable().optional().meta({ description: 'What a model may call in the session from now on' }),
  clientTools: z
    .array(ClientTool)
    .max(100)
    .optional()
    .meta({ description: 'Functions that you do yourself: a model that calls one waits for the signal `call:` and the id of its call' }),
  history: z
    .array(z.strictObject({ role: MessageRole, text: z.string().max(limits.messageChars) }))
    .max(200)
    .optional()
    .meta({ description: 'Of a session that this makes: what was said before' }),
  title: z.string().max(5_000).optional().meta({ description: 'Of a session that this makes' }),
  idempotencyKey: z.string().min(1).max(200).optional(),
  ...view,
})
export type SendMessage = z.infer<typeof SendMessage>

/** What became of a message. */
export const SentMessage = z.object({
  session: Session,
  message: Line,
  runId: Id.nullable().meta({ description: 'The round it started or answered; null in an unbound session' }),
  pauseId: Id.nullable().meta({ description: 'The question it answered' }),
})
export type SentMessage = z.infer<typeof SentMessage>

export const ListLines = z.strictObject({
  id: Id,
  kind: LineKind.optional(),
  after: knownUpTo().optional().meta({ description: 'Only what comes after the line of this number' }),
  afterId: z.string().max(100).optional().meta({ description: 'Only what comes after the line of this id; everything, where there is none' }),
  since: z.string().max(40).optional().meta({ description: 'Only what is later than this time; microseconds count' }),
  cursor: pageInput.cursor,
  limit: z.int().min(1).max(limits.lines).default(50),
  count: pageInput.count,
})
export type ListLines = z.infer<typeof ListLines>

export const OneMessage = z.strictObject({ id: Id, messageId: Id })
export type OneMessage = z.infer<typeof OneMessage>

export const OneFileOfMessage = z.strictObject({ id: Id, messageId: Id, fileId: Id })
export type OneFileOfMessage = z.infer<typeof OneFileOfMessage>
