import { z } from 'zod'
import { Id, Timestamp, WorkflowRef } from './ids.ts'
import { JsonObject } from './json.ts'
import { limits } from './limits.ts'
import { pageInput } from './list.ts'
import { Mode } from './mode.ts'
import { Reason } from './run.ts'
import { MessageLine, SendMessage, Session } from './session.ts'

/** A function of its client's that a round calls. */
export const ToolCall = z.object({
  id: z.string().meta({ description: 'Of one round alone' }),
  name: z.string(),
  arguments: JsonObject,
})
export type ToolCall = z.infer<typeof ToolCall>

/** What such a call gave. */
export const CallResult = z.strictObject({ callId: z.string().min(1).max(64), content: z.string().max(limits.messageChars) })
export type CallResult = z.infer<typeof CallResult>

/** What goes with results: the message of the round came before them. */
const withResults: ReadonlySet<string> = new Set(['to', 'session', 'runId', 'results', 'waitMs', 'lineIds', 'messages'])

/** A message, and the wait for what becomes of its round; or what the calls gave for which a round waits, and the wait for that. */
export const AskSession = z
  .strictObject({
    ...SendMessage.shape,
    text: SendMessage.shape.text.optional(),
    session: Id.optional().meta({ description: 'In place of `to`: a session, and nothing else' }),
    chatbot: WorkflowRef.optional().meta({ description: 'In place of a workflow as `to`: a chatbot, and nothing else; of a session, what it is to be bound to' }),
    results: z
      .array(CallResult)
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'In place of a text: what the calls gave that the round under way waits for. The same once more changes nothing' }),
    runId: Id.optional().meta({ description: 'The round that the results are for; unless set, the one under way in the session' }),
    waitMs: z.int().min(0).max(limits.waitMs).default(limits.waitMs).meta({ description: 'How long to wait before the answer is that it goes on' }),
  })
  .refine(({ text, results }) => (text === undefined) !== (results === undefined), { error: 'Say a text, or give results', path: ['text'] })
  .refine(({ results, to, session, runId }) => results === undefined || (to ?? session ?? runId) !== undefined, { error: 'Name the session, or the round', path: ['to'] })
  .refine(({ to, session, chatbot }) => to === undefined || (session ?? chatbot) === undefined, { error: 'Name whom it is for once', path: ['to'] })
  .refine((said) => said.results === undefined || Object.entries(said).every(([key, value]) => withResults.has(key) || value === undefined), {
    error: 'Results come without a message',
    path: ['results'],
  })
  .refine(({ results, runId }) => results !== undefined || runId === undefined, { error: 'A round is named with results alone', path: ['runId'] })
  .refine(({ results = [] }) => new Set(results.map(({ callId }) => callId)).size === results.length, { error: 'Each call has one result', path: ['results'] })
export type AskSession = z.infer<typeof AskSession>

/**
 * How a round stands: it was `answered`; it waits for who asked, to make `calls` or to answer what it `asks`; for a person's
 * `approval`; it has `failed`, or was `stopped`; or it is `going` on still.
 */
export const ReplyState = z.enum(['answered', 'calls', 'asks', 'approval', 'failed', 'stopped', 'going'])
export type ReplyState = z.infer<typeof ReplyState>

/** What became of a round. */
export const Reply = z.object({
  session: Session,
  message: MessageLine.nullable().meta({ description: 'What was said; null with results' }),
  runId: Id.nullable().meta({ description: 'The round; null in an unbound session, where nobody answers' }),
  state: ReplyState,
  answer: MessageLine.nullable().meta({ description: 'What the round said last: its answer, or what it asks' }),
  calls: z.array(ToolCall).meta({ description: 'Those that wait for their results, in the order of the model' }),
  pauseId: Id.nullable().meta({ description: 'Of the question that it asks, or the approval that it waits for' }),
  asked: z.string().nullable().meta({ description: 'What that asks' }),
  reason: Reason.nullable().meta({ description: 'Why it was not answered' }),
  usage: z.object({ promptTokens: z.int(), completionTokens: z.int() }).meta({ description: 'Of the round; with results, from there on' }),
})
export type Reply = z.infer<typeof Reply>

/** Who answers in a conversation: a mode, whether or not its workflow has been made yet, or a chatbot of the workspace. */
export const Chatbot = z.object({
  name: z.string().meta({ description: 'The mode, or the handle of the workflow' }),
  mode: Mode.nullable(),
  workflowId: Id.nullable().meta({ description: 'Null: of a mode that was not needed yet' }),
  title: z.string(),
  description: z.string(),
  created: Timestamp.nullable(),
})
export type Chatbot = z.infer<typeof Chatbot>

export const ListChatbots = z.strictObject({
  name: WorkflowRef.optional().meta({ description: 'Only this one: a mode, or the id or the handle of a workflow' }),
  cursor: pageInput.cursor,
  limit: z.int().min(1).max(limits.chatbots).default(50),
})
export type ListChatbots = z.infer<typeof ListChatbots>
