import { z } from 'zod'
import { Id, Timestamp, WorkflowRef, ordinal } from './ids.ts'
import { Json, JsonObject } from './json.ts'
import { limits } from './limits.ts'
import { Pause } from './pause.ts'
import { StepError } from './step-error.ts'
import { Version } from './version.ts'

export const RunStatus = z.enum(['queued', 'running', 'waiting', 'held', 'cancelling', 'compensating', 'completed', 'failed', 'cancelled', 'compensated'])
export type RunStatus = z.infer<typeof RunStatus>

export const terminalStatuses = ['completed', 'failed', 'cancelled', 'compensated'] as const
export type TerminalStatus = (typeof terminalStatuses)[number]

export const StepState = z.enum(['pending', 'running', 'waiting', 'retrying', 'completed', 'failed', 'skipped', 'cancelled'])
export type StepState = z.infer<typeof StepState>

export const CompensationState = z.enum(['pending', 'running', 'waiting', 'retrying', 'completed', 'failed'])
export type CompensationState = z.infer<typeof CompensationState>

/** What a step or a run is waiting for. */
export const WaitingKind = z.enum(['pause', 'report', 'signal', 'retry', 'timer', 'child', 'queue', 'rate', 'hold', 'version'])
export type WaitingKind = z.infer<typeof WaitingKind>

export const SkipReason = z.enum(['route', 'upstream_failed', 'declined'])
export type SkipReason = z.infer<typeof SkipReason>

export const reasonCodes = [
  'step_failed',
  'timed_out',
  'pause_declined',
  'pause_expired',
  'limit_exceeded',
  'worker_lost',
  'child_failed',
  'child_cancelled',
  'compensation_failed',
  'cancelled',
] as const
export const ReasonCode = z.enum(reasonCodes)
export type ReasonCode = z.infer<typeof ReasonCode>

/** Why a run ended otherwise than completed. */
export const Reason = z.object({ code: ReasonCode, message: z.string(), step: z.string().optional() })
export type Reason = z.infer<typeof Reason>

/** One thing that keeps a run from moving. */
export const WaitingOn = z.object({
  kind: WaitingKind,
  step: z.string().optional(),
  iteration: z.string().optional(),
  pauseId: Id.optional(),
  signal: z.string().optional(),
  runId: Id.optional(),
  until: Timestamp.optional(),
  missing: z.array(z.string()).optional().meta({ description: 'Node types that no running server has' }),
})
export type WaitingOn = z.infer<typeof WaitingOn>

/** A node of a body in one of its iterations. */
export const NodeIteration = z.object({ iteration: z.string(), state: StepState, output: Json.nullable() })
export type NodeIteration = z.infer<typeof NodeIteration>

/** Sums up a node of the run's version over its iterations. */
export const RunNode = z.object({
  nodeId: z.string(),
  step: z.string(),
  type: z.string(),
  state: StepState.nullable(),
  counts: z.partialRecord(StepState, z.int()),
  route: z.array(z.string()).nullable(),
  startedAt: Timestamp.nullable(),
  endedAt: Timestamp.nullable(),
  input: Json.nullable().meta({
    description: `Of the latest step, as its output, error, skip reason and route: outputs by step name, one of more than ${limits.listValueBytes / 1024} KiB by its size unless \`outputs\` are included`,
  }),
  output: Json.nullable().meta({ description: `One of more than ${limits.listValueBytes / 1024} KiB by its size, as \`{"truncated": bytes}\`, unless \`outputs\` are included` }),
  error: StepError.nullable(),
  skipReason: SkipReason.nullable().meta({ description: 'Why it was skipped' }),
  latest: z
    .partialRecord(StepState, z.object({ iteration: z.string(), startedAt: Timestamp.nullable(), endedAt: Timestamp.nullable(), route: z.array(z.string()).nullable() }))
    .meta({ description: 'Of each state the step that is in it since last: of a producer one of its items, of another node with a body the whole of it' }),
  iterations: z
    .array(NodeIteration)
    .optional()
    .meta({
      description: `Of a node in a body, when \`iterations\` are included: the last ${limits.nodeIterations}, oldest first; an output of more than ${limits.listValueBytes / 1024} KiB by its size`,
    }),
})
export type RunNode = z.infer<typeof RunNode>

export const RunSummary = z.object({
  id: Id,
  workflowId: Id,
  workflow: z.string().meta({ description: 'The handle of its workflow' }),
  version: z.int(),
  status: RunStatus,
  waitingKind: WaitingKind.nullable(),
  progress: z.number().meta({ description: 'Percent, 0 to 100; 100 only when completed' }),
  reason: Reason.nullable(),
  transactionId: z.string().nullable(),
  lane: z.string().nullable(),
  parentRunId: Id.nullable(),
  sessionId: Id.nullable().meta({ description: 'The session whose round it is' }),
  trigger: z.string(),
  tags: z.array(z.string()),
  created: Timestamp,
  startedAt: Timestamp.nullable(),
  endedAt: Timestamp.nullable(),
  updated: Timestamp,
})
export type RunSummary = z.infer<typeof RunSummary>

/** What runs can be asked for by. `waitingOn` is the kind of what keeps a run from moving, a hold before all others; `reason` is the code. */
export const runFields = [
  'id',
  'workflowId',
  'workflow',
  'version',
  'status',
  'waitingOn',
  'reason',
  'transactionId',
  'lane',
  'parentRunId',
  'sessionId',
  'trigger',
  'tags',
  'created',
  'startedAt',
  'endedAt',
  'updated',
] as const
export type RunField = (typeof runFields)[number]

/** The undoing of a step. */
export const StepCompensation = z.object({
  state: CompensationState,
  attempts: z.int(),
  failures: z.int(),
  lastAttemptAt: Timestamp.nullable(),
  error: StepError.nullable(),
  output: Json.nullable(),
})
export type StepCompensation = z.infer<typeof StepCompensation>

/** One node inside one run; inside a body `iteration` is its path, as `3` or `3.0`, else empty. */
export const Step = z.object({
  key: z.string().meta({ description: '`runId/nodeId/iteration`, the same on every retry' }),
  runId: Id,
  nodeId: z.string(),
  step: z.string(),
  iteration: z.string(),
  state: StepState,
  attempts: z.int(),
  failures: z.int(),
  input: Json.nullable(),
  output: Json.nullable(),
  route: z.array(z.string()).nullable(),
  error: StepError.nullable(),
  compensateInput: Json.optional().meta({ description: 'What its undoing is given; unless there is any, the output' }),
  reported: z.boolean().meta({ description: 'Whether its outcome was reported from outside' }),
  waitingFor: WaitingOn.nullable(),
  skipReason: SkipReason.nullable(),
  compensation: StepCompensation.nullable(),
  startedAt: Timestamp.nullable(),
  lastAttemptAt: Timestamp.nullable(),
  retryAt: Timestamp.nullable(),
  timedOutAt: Timestamp.nullable(),
  endedAt: Timestamp.nullable(),
})
export type Step = z.infer<typeof Step>

/** A step that stands in no body, as its run is told with it. */
export const RunStep = Step.omit({ input: true })
export type RunStep = z.infer<typeof RunStep>

const wholeness = z.object({
  input: Json.nullable(),
  output: Json.nullable(),
  waitingOn: z.array(WaitingOn),
  nodes: z.array(RunNode),
  pauses: z.array(Id).meta({ description: 'The open pauses, oldest first' }),
  pinned: Version.nullable().optional().meta({ description: 'When the `version` is included: what is run; null for a trial' }),
  openPauses: z
    .array(Pause)
    .optional()
    .meta({ description: `When \`pauses\` are included: the open ones, oldest first; an input of more than ${limits.listValueBytes / 1024} KiB by its size` }),
  steps: z
    .array(RunStep)
    .optional()
    .meta({
      description: `When \`steps\` are included: those outside of bodies, in the order in which they began; a value of more than ${limits.listValueBytes / 1024} KiB by its size, unless \`outputs\` are included`,
    }),
})

/** One execution of one version. */
export const Run = RunSummary.extend(wholeness.shape)
export type Run = z.infer<typeof Run>

/** An item of a list of runs: a whole run when it was asked for so. */
export const ListedRun = RunSummary.extend(wholeness.partial().shape)
export type ListedRun = z.infer<typeof ListedRun>

/** What a run is told with when it is asked for. */
export const RunInclude = z.enum(['version', 'pauses', 'iterations', 'steps', 'outputs'])
export type RunInclude = z.infer<typeof RunInclude>

/** What the runs of a list are told with. */
export const ListedRunInclude = RunInclude.exclude(['outputs'])
export type ListedRunInclude = z.infer<typeof ListedRunInclude>

const includeWords = 'the `version` as `pinned`, open `pauses` as `openPauses`, `iterations` with the nodes of bodies, the `steps` outside of bodies'
const includePermissions = 'A version asks for the permission `workflows.read` as well, pauses for `pauses.read`'

const outputsWords = `\`outputs\` as a whole: what nodes were given and gave last, together at most ${limits.wholeOutputsBytes / 1024 / 1024} MiB, beyond which the largest stay told by their size, first of all among what they were given; with \`steps\` in their place what the steps gave, for their undoing too, and their undoing`

export const includeInput = {
  include: z
    .array(RunInclude)
    .max(RunInclude.options.length)
    .optional()
    .meta({ description: `What to tell with the run: ${includeWords}, ${outputsWords}. ${includePermissions}` }),
}

export const listedIncludeInput = {
  include: z
    .array(ListedRunInclude)
    .max(ListedRunInclude.options.length)
    .optional()
    .meta({ description: `What to tell with each run: ${includeWords}. ${includePermissions}` }),
}

/** Under one key of the workspace, or of the workflow, at most one run is live beyond `queued`. */
export const Lane = z.strictObject({
  key: z.string().min(1).max(200),
  of: z.enum(['workspace', 'workflow']).optional().meta({
    description: 'Whose key it is: with `workflow` it means another lane in each workflow, which runs tell as `workflow:ID:KEY`; of the workspace unless set',
  }),
  whenBusy: z.enum(['queue', 'join', 'refuse']).default('queue'),
})
export type Lane = z.infer<typeof Lane>

/**
 * How long the caller waits for the run before the answer; the answer is the run as it then stands. `parked`: it waits for
 * anything, or has ended; `paused`: only a person can make it go on, by a decision or a release, or it has ended.
 */
export const Wait = z.strictObject({
  until: z.enum(['accepted', 'parked', 'paused', 'finished']).default('finished'),
  ms: z.int().min(0).max(300_000).default(30_000),
})
export type Wait = z.infer<typeof Wait>

/** What becomes of `inputs` that name no input node. */
export const OtherInputs = z.enum(['refuse', 'ignore']).meta({
  description: 'Keys of `inputs` that name no input node are refused (`refuse`, unless set), or left out; then at least one input node is to be named, where there is any',
})
export type OtherInputs = z.infer<typeof OtherInputs>

export const StartRun = z.strictObject({
  workflow: WorkflowRef,
  version: ordinal().optional(),
  expectHash: z.string().max(100).optional().meta({ description: 'Refuse to start another version than the one with this hash' }),
  input: Json.optional().meta({ description: 'One value for every input node' }),
  inputs: JsonObject.optional().meta({ description: 'Values by the id or title of their input node; of the only one it is then the `input` of the run' }),
  otherInputs: OtherInputs.optional(),
  idempotencyKey: z.string().min(1).max(200).optional(),
  transactionId: z.string().min(1).max(200).optional(),
  lane: Lane.optional(),
  sessionId: Id.optional().meta({ description: 'A round of this session, which is bound to the workflow; its rounds come one after another' }),
  message: z
    .strictObject({ text: z.string().min(1).max(limits.messageChars), metadata: JsonObject.optional() })
    .optional()
    .meta({ description: 'What its user says with this round, which the session keeps; with `sessionId` alone' }),
  historyAs: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .meta({
      description: `Puts the messages of the session so far, \`[{role, content}]\`, under this key of what is an object of the input, or of the inputs, and has nothing, null or an empty list there: the newest ${limits.historyMessages}, at most ${limits.historyBytes / 1024} KiB in all, as they are when the start is accepted; what a round before it has yet to answer is not among them. With \`sessionId\` alone`,
    }),
  trigger: z.string().max(50).optional(),
  tags: z.array(z.string().min(1).max(100)).max(20).optional(),
  wait: Wait.optional(),
  ...includeInput,
})
export type StartRun = z.infer<typeof StartRun>
