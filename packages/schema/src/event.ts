import { z } from 'zod'
import { Id, Timestamp } from './ids.ts'
import { Json } from './json.ts'
import { Pause } from './pause.ts'
import { Reason, Run, RunSummary, SkipReason, WaitingKind } from './run.ts'
import { Line, Session } from './session.ts'
import { StepError } from './step-error.ts'

export const SubjectKind = z.enum(['run', 'session', 'workflow', 'user', 'record'])
export type SubjectKind = z.infer<typeof SubjectKind>

const base = {
  subject: z.object({ kind: SubjectKind, id: z.string() }),
  seq: z.int().min(1).meta({ description: 'Counts per subject 1, 2, 3 … without gaps' }),
  cursor: z.string().meta({ description: 'Where a subscriber resumes after this event' }),
  at: Timestamp,
}
const step = {
  nodeId: z.string(),
  step: z.string(),
  nodeType: z.string().meta({ description: 'As the definition has it' }),
  iteration: z.string(),
  part: z.enum(['items', 'item', 'element']).optional().meta({
    description: 'Of a node whose links draw its body: `items` is a producer as a whole, `item` one thing that it gives, `element` what is handed to the body of another',
  }),
}
const durationMs = z.int().meta({ description: 'Since it was started' })
const event = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) => z.object({ ...base, type: z.literal(type), ...shape })
const run = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) => event(type, { workflowId: Id, ...shape })

/** Output over 64 KiB is left out of an event: `outputRef` names the step to fetch it from. */
const output = { output: Json.optional(), outputRef: z.object({ runId: Id, key: z.string(), bytes: z.int() }).optional() }

export const RunEvent = z.discriminatedUnion('type', [
  run('run.queued', { version: z.int(), lane: z.string().optional(), trial: z.literal(true).optional().meta({ description: 'It is a trial' }) }),
  run('run.started', { nodes: z.int().meta({ description: 'How many its version has' }) }),
  run('run.waiting', { kind: WaitingKind }),
  run('run.resumed', {}),
  run('run.held', {}),
  run('run.released', {}),
  run('run.cancelling', {}),
  run('run.compensating', { reason: Reason }),
  run('run.completed', { ...output, durationMs }),
  run('run.failed', { reason: Reason }),
  run('run.cancelled', { reason: Reason }),
  run('run.compensated', { reason: Reason }),
  run('step.started', { ...step, attempt: z.int() }),
  run('step.completed', { ...step, ...output, route: z.array(z.string()), durationMs }),
  run('step.failed', { ...step, error: StepError, attempt: z.int() }),
  run('step.retrying', { ...step, error: StepError, attempt: z.int(), retryAt: Timestamp.nullable() }),
  run('step.waiting', { ...step, kind: WaitingKind }),
  run('step.skipped', { ...step, reason: SkipReason }),
  run('step.cancelled', step),
  run('step.compensating', { ...step, attempt: z.int() }),
  run('step.compensated', step),
  run('step.compensation_failed', { ...step, error: StepError }),
  run('pause.opened', { pause: Pause }),
  run('pause.decided', { pause: Pause }),
  run('pause.expired', { pause: Pause }),
  run('pause.cancelled', { pause: Pause }),
  run('log', { ...step, level: z.enum(['debug', 'info', 'warn', 'error']), message: z.string() }),
  run('message', { ...step, text: z.string() }),
  run('progress', { progress: z.number() }),
])
export type RunEvent = z.infer<typeof RunEvent>

export const RecordEvent = z.discriminatedUnion('type', [event('created', { record: Json }), event('updated', { record: Json }), event('deleted', { record: Json })])
export type RecordEvent = z.infer<typeof RecordEvent>

const record = { record: Json.meta({ description: 'As it then was; a value over 16 KiB by its size, as `{"truncated": bytes}`' }) }

/** Told to its owner and to admins alone. */
export const SessionEvent = z.discriminatedUnion('type', [
  event('created', record),
  event('updated', record),
  event('deleted', record),
  event('line.added', { line: Line.nullable().meta({ description: 'Null once it is deleted' }), redacted: Id.optional() }),
  event('line.deleted', { id: Id }),
])
export type SessionEvent = z.infer<typeof SessionEvent>

/** Trimmed history: what the subscriber has is too old to go on from. It starts anew from the snapshot that follows. */
export const ResyncEvent = z.object({ type: z.literal('resync'), cursor: z.string() })
export type ResyncEvent = z.infer<typeof ResyncEvent>

/** Of a stream that leaves events out: how far it has come without one that was wanted. */
export const PassedEvent = z.object({ type: z.literal('passed'), cursor: z.string() })
export type PassedEvent = z.infer<typeof PassedEvent>

/**
 * A piece of a text that a step is saying, to who asked for `tokens`. It is told live and kept nowhere: it has no number, a reader
 * who is too slow misses some (`offset` shows it), and what the step gives in the end stands in the log. An attempt that
 * begins anew begins its text anew, at 0. Who comes while a text is being said is told what was said of it so far.
 */
export const TokenEvent = z.object({
  type: z.literal('token'),
  cursor: z.string().meta({ description: 'Of the last event that was told before it: a token moves nobody on' }),
  runId: Id,
  sessionId: Id.nullable().meta({ description: 'The session whose round the run is' }),
  nodeId: z.string(),
  step: z.string(),
  iteration: z.string(),
  attempt: z.int().min(1),
  offset: z.int().min(0).meta({ description: 'UTF-16 code units of this text, by this attempt, before it' }),
  text: z.string(),
})
export type TokenEvent = z.infer<typeof TokenEvent>

/** What of events a subscriber can ask for. `subject` is its kind, `kind` what is waited for, `level` that of a log. */
export const eventFields = ['type', 'subject', 'runId', 'sessionId', 'workflowId', 'nodeId', 'step', 'iteration', 'kind', 'level', 'seq', 'at'] as const
export type EventField = (typeof eventFields)[number]

/** What a subscriber without a cursor begins with: the run as it stands, the session with its newest 100 lines, the current run of the workflow, where there is any, or the live runs of the scope, newest first, at most 100. */
export const SnapshotEvent = z.object({
  type: z.literal('snapshot'),
  cursor: z.string(),
  at: Timestamp,
  run: Run.optional(),
  workflowId: Id.optional().meta({ description: 'Whose current run it is' }),
  runs: z.array(RunSummary).optional(),
  session: Session.optional(),
  lines: z.array(Line).optional(),
})
export type SnapshotEvent = z.infer<typeof SnapshotEvent>

export const Event = z.union([RunEvent, RecordEvent, SessionEvent])
export type Event = z.infer<typeof Event>

export type RunEventType = RunEvent['type']

/** The events after which a run-scoped stream ends. */
export const terminalEvents = ['run.completed', 'run.failed', 'run.cancelled', 'run.compensated'] as const
