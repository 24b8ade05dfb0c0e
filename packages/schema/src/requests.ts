import { z } from 'zod'
import { ApiKey, keyFields, secretFields } from './access.ts'
import { listInput, whereLimits, whereOf } from './conditions.ts'
import { Definition, type DefinitionKind, EditOperation, GivenDefinition, Node, NodeId } from './definition.ts'
import { eventFields } from './event.ts'
import { Handle, Id, Timestamp, WorkflowRef, instant, ordinal } from './ids.ts'
import { Json, JsonObject } from './json.ts'
import { limits } from './limits.ts'
import { eventsInput, pageInput } from './list.ts'
import { NodeTypeDialect } from './node-type.ts'
import { Pause, PauseStatus, pauseFields } from './pause.ts'
import { includeInput, listedIncludeInput, OtherInputs, Run, RunStatus, Wait, WaitingKind, runFields } from './run.ts'
import { StepError } from './step-error.ts'
import { Sample, WorkflowInclude, workflowFields } from './workflow.ts'
import { WorkflowFile } from './workflow-file.ts'

/** What callers send to the procedures, where no other file of this package says it. */

/** One of them, or several. */
const oneOf = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1).max(20)])
const name = z.string().min(1).max(200)
const idempotencyKey = z.string().min(1).max(200)
const description = z.string().max(10_000)
const revision = ordinal().meta({ description: 'Refuse unless the draft is at this revision' })

const ifNameTaken = z.enum(['keep', 'suffix']).optional().meta({ description: 'Two workflows may have one name (`keep`, unless set), or the new one gets a number' })

export const OneWorkflow = z.strictObject({ workflow: WorkflowRef })
export type OneWorkflow = z.infer<typeof OneWorkflow>

const workflowInclude = z.array(WorkflowInclude).max(WorkflowInclude.options.length).optional()

export const GetWorkflow = z.strictObject({
  workflow: WorkflowRef,
  include: workflowInclude.meta({ description: 'What to tell with the workflow: the `samples` of the nodes of its draft' }),
})
export type GetWorkflow = z.infer<typeof GetWorkflow>

export const ListWorkflows = z.strictObject({
  name: name.optional().meta({ description: 'Of exactly this name' }),
  drafts: z
    .boolean()
    .optional()
    .meta({ description: `Give each with its draft; an answer has at most ${limits.answerBytes / 1024 / 1024} MiB` }),
  sayableIn: z.string().min(1).max(50).optional().meta({ description: 'Only those whose draft this dialect can say' }),
  ...listInput(workflowFields, whereLimits.dialectItems),
})
export type ListWorkflows = z.infer<typeof ListWorkflows>

export const CreateWorkflow = z.strictObject({
  name,
  handle: Handle.optional().meta({ description: 'Made from the name unless given' }),
  description: description.optional(),
  definition: Definition.optional(),
  extra: JsonObject.optional(),
  ifNameTaken,
  idempotencyKey: idempotencyKey.optional(),
})
export type CreateWorkflow = z.infer<typeof CreateWorkflow>

/**
 * What is absent stays as it is. Within a definition, and within `extra`, that is so with `absent: 'keep'` alone: there
 * a node of an id that is there keeps what is not said of it, settings and `extra` go key by key, and null takes a key out of
 * `extra`. Which nodes and links there are, the definition says.
 */
export const UpdateWorkflow = z.strictObject({
  workflow: WorkflowRef,
  name: name.optional(),
  handle: Handle.optional(),
  description: description.optional(),
  definition: GivenDefinition.optional(),
  extra: JsonObject.optional(),
  absent: z.enum(['clear', 'keep', 'merge']).optional().meta({
    description:
      'What `definition` and `extra` do not say is cleared (`clear`, unless set), or kept: of nodes by their id, of links their ids, of settings and `extra` key by key, where null clears a key of `extra`. With `merge` the objects in `extra` go key by key, too',
  }),
  revision: revision.optional(),
})
export type UpdateWorkflow = z.infer<typeof UpdateWorkflow>

const begun = GivenDefinition.optional()

/** Begins the draft anew; everything else of the workflow stays. */
export const ResetWorkflow = z.strictObject({
  workflow: WorkflowRef,
  drafts: z
    .strictObject({ workflow: begun, chatbot: begun, agent: begun } satisfies Record<DefinitionKind, z.ZodType>)
    .optional()
    .meta({ description: 'What to begin with, by the kind that the workflow is of; with an empty draft of this kind unless given' }),
  revision: revision.optional(),
})
export type ResetWorkflow = z.infer<typeof ResetWorkflow>

export const DuplicateWorkflow = z.strictObject({
  workflow: WorkflowRef,
  name: name.optional(),
  suffix: z.string().min(1).max(50).optional().meta({ description: 'Put behind the name, before the copy gets a number; a name that is too long for it is cut' }),
  handle: Handle.optional(),
  idempotencyKey: idempotencyKey.optional(),
})
export type DuplicateWorkflow = z.infer<typeof DuplicateWorkflow>

export const ExportWorkflow = z.strictObject({
  workflow: WorkflowRef,
  versions: z.int().min(0).max(limits.filedVersions).optional().meta({ description: 'How many versions, the newest ones; 1 unless set' }),
})
export type ExportWorkflow = z.infer<typeof ExportWorkflow>

/** A file, as it came; what it need not say has a default, so that one can be written by hand. */
export const ImportWorkflow = WorkflowFile.extend({
  handle: Handle.optional().meta({ description: 'Gets a number when it is taken; made from the name unless given' }),
  description: description.optional(),
  extra: JsonObject.optional(),
  versions: WorkflowFile.shape.versions.optional(),
  ifNameTaken,
  idempotencyKey: idempotencyKey.optional(),
})
export type ImportWorkflow = z.infer<typeof ImportWorkflow>

export const PublishWorkflow = z.strictObject({
  workflow: WorkflowRef,
  revision: revision.optional(),
  expectHash: z.string().max(100).optional().meta({ description: 'Refuse to publish another definition than the one with this hash' }),
})
export type PublishWorkflow = z.infer<typeof PublishWorkflow>

export const ListVersions = z.strictObject({
  workflow: WorkflowRef,
  offset: z.int().min(0).max(whereLimits.offset).optional().meta({ description: 'How many to leave out, in place of a cursor' }),
  ...pageInput,
})
export type ListVersions = z.infer<typeof ListVersions>

export const OneVersion = z.strictObject({ workflow: WorkflowRef, version: ordinal() })
export type OneVersion = z.infer<typeof OneVersion>

export const EditWorkflow = z.strictObject({
  workflow: WorkflowRef,
  operations: z.array(EditOperation).min(1).max(1000),
  revision: revision.optional(),
  include: workflowInclude.meta({ description: 'What to tell with the workflow: the `samples` of the nodes that the operations name' }),
})
export type EditWorkflow = z.infer<typeof EditWorkflow>

export const OneNode = z.strictObject({ workflow: WorkflowRef, nodeId: NodeId })
export type OneNode = z.infer<typeof OneNode>

/** A node of a draft, with what was last tried on it. */
export const WorkflowNode = z.object({
  node: Node,
  sample: Sample.nullable(),
})
export type WorkflowNode = z.infer<typeof WorkflowNode>

export const ListOutputs = z.strictObject({
  workflow: WorkflowRef,
  of: z.enum(['result', 'leaves']).optional().meta({ description: 'What a run gives (`result`, unless set), or every node that no link leaves, in bodies too' }),
})
export type ListOutputs = z.infer<typeof ListOutputs>

/** What a node of the draft is known to put out: all of it, or one field. */
export const WorkflowOutput = z.object({ nodeId: z.string(), name: z.string(), field: z.string().nullable() })
export type WorkflowOutput = z.infer<typeof WorkflowOutput>

const trialSession = z.string().min(1).max(200)
const trialTime = z.int().min(1).max(limits.trialMs).optional()
const trialData = JsonObject.optional()
const trialSessionWords = `What producers keep between two items is kept under this name, so that the next trial goes on from there; for ${limits.trialStateMs / 60_000} minutes after the last one`

/** Tries one node of a draft, with what it needs. */
export const TryNode = z
  .strictObject({
    workflow: WorkflowRef,
    nodeId: NodeId,
    input: JsonObject.optional().meta({ description: "The node's input, by step name of its predecessors; they are not run" }),
    inputs: JsonObject.optional().meta({ description: 'Values of input nodes that are run, by their id or title; not together with `input`' }),
    otherInputs: OtherInputs.optional(),
    outputs: JsonObject.optional().meta({ description: 'Outputs of other nodes by node id; what is not given is run' }),
    data: trialData.meta({
      description: 'What everything upstream gives, merged: the `data` of its expressions, in place of predecessors; not together with `input`, `inputs` or `outputs`',
    }),
    config: JsonObject.optional().meta({ description: "Config to try instead of the draft's" }),
    session: trialSession.optional().meta({ description: trialSessionWords }),
    save: z.boolean().optional().meta({ description: 'Keep config and input in the draft before the node is run, and afterwards what it gave, or how it failed' }),
    timeoutMs: trialTime,
  })
  .refine(({ input, inputs }) => input === undefined || inputs === undefined, { error: 'Give input or inputs, not both', path: ['inputs'] })
  .refine(({ data, input, inputs, outputs }) => data === undefined || [input, inputs, outputs].every((each) => each === undefined), {
    error: 'Give data, or what it would be made of, not both',
    path: ['data'],
  })
export type TryNode = z.infer<typeof TryNode>

/** Tries a node that stands in no workflow. */
export const TryNodeType = z.strictObject({
  type: z.string().min(1).max(100),
  config: JsonObject.optional(),
  data: trialData.meta({ description: 'The `data` of its expressions; what it lets through, where it lets its input through' }),
  session: trialSession.optional().meta({ description: trialSessionWords }),
  timeoutMs: trialTime,
})
export type TryNodeType = z.infer<typeof TryNodeType>

/** The outcome of a trial: a run of part of a draft, or of a node by itself. */
export const Trial = z.object({
  runId: Id,
  status: z.enum(['completed', 'failed', 'cancelled']),
  nodeId: z.string().meta({ description: 'Of a node that stands in no workflow its type' }),
  type: z.string().meta({ description: 'The type of the node' }),
  config: JsonObject.meta({ description: 'The config that was tried' }),
  input: Json,
  output: Json.meta({ description: 'Of a producer the one item that it gave' }),
  ended: z.boolean().meta({ description: 'Whether it is a producer that has no more items' }),
  error: StepError.nullable(),
  outputs: JsonObject.meta({ description: 'Outputs of all nodes that ran, by node id; of one that ran several times the last' }),
  durationMs: z.number(),
})
export type Trial = z.infer<typeof Trial>

/** Names what trials of nodes of one type have left under a session. */
export const ForgetTrials = z.strictObject({ type: z.string().min(1).max(100), session: trialSession.meta({ description: 'The name that they went by' }) })
export type ForgetTrials = z.infer<typeof ForgetTrials>

export const ForgottenTrials = z.object({ cleared: z.boolean().meta({ description: 'Whether there was anything' }) })
export type ForgottenTrials = z.infer<typeof ForgottenTrials>

export const OneRun = z.strictObject({ id: Id })
export type OneRun = z.infer<typeof OneRun>

export const GetRun = z.strictObject({ id: Id, ...includeInput })
export type GetRun = z.infer<typeof GetRun>

const wholeWords = `Give whole runs, with values of more than ${limits.listValueBytes / 1024} KiB by their size; an answer has at most ${limits.answerBytes / 1024 / 1024} MiB`

/** What is said beside `where` holds with it. */
export const ListRuns = z
  .strictObject({
    workflow: WorkflowRef.optional(),
    workflows: z
      .array(z.string().min(1).max(100))
      .max(whereLimits.items)
      .optional()
      .meta({ description: 'Only those of these workflows, by id or handle; of one that is not there, there are none' }),
    transactionIds: z
      .array(z.string().min(1).max(200))
      .max(whereLimits.items)
      .optional()
      .meta({ description: 'Only those with one of these transaction ids; a run without one goes by its own id' }),
    q: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'Only those with this text in their transaction id, id or status, or in the id or handle of their workflow, whatever the case of A–Z' }),
    version: ordinal().optional(),
    status: oneOf(RunStatus).optional(),
    tag: z.string().min(1).max(100).optional(),
    waitingOn: oneOf(WaitingKind).optional().meta({ description: 'Only those that this keeps from moving' }),
    trigger: z.string().min(1).max(50).optional().meta({ description: 'Only those that were started so' }),
    sessionId: Id.optional().meta({ description: 'Only the rounds of this session' }),
    createdAfter: instant().optional().meta({ description: 'Only those made at this time or later' }),
    createdBefore: instant().optional().meta({ description: 'Only those made before this time' }),
    paused: z.boolean().optional().meta({ description: 'Only those with an open pause' }),
    whole: z.boolean().optional().meta({ description: wholeWords }),
    ...listedIncludeInput,
    ...listInput(runFields, whereLimits.dialectItems),
  })
  .refine(({ whole, include = [] }) => whole || !include.includes('iterations'), { error: 'Iterations are told of whole runs', path: ['include'] })
export type ListRuns = z.infer<typeof ListRuns>

/** Names a run of a workflow by its transaction id: the live one, else the newest; or one that has none by its own id. */
export const FindRun = z.strictObject({
  workflow: WorkflowRef,
  transactionId: z.string().min(1).max(200).meta({ description: 'The live run of this transaction id, else its newest; a run without one goes by its own id' }),
  ...includeInput,
})
export type FindRun = z.infer<typeof FindRun>

export const WaitForRun = z.strictObject({ id: Id, ...Wait.shape, ...includeInput })
export type WaitForRun = z.infer<typeof WaitForRun>

/** Names the run by its id, or, by its workflow, the current one. */
export const CancelRun = z
  .strictObject({
    id: Id.optional(),
    workflow: WorkflowRef.optional(),
    compensate: z.boolean().optional().meta({ description: 'Undo completed steps first' }),
    ...includeInput,
  })
  .refine((said) => (said.id === undefined) !== (said.workflow === undefined), { error: 'Name the run or its workflow', path: ['id'] })
export type CancelRun = z.infer<typeof CancelRun>

/** Names the run of a workflow: the one of this id, or the current one. */
export const CurrentRun = z.strictObject({
  workflow: WorkflowRef,
  run: Id.optional().meta({ description: 'This run of the workflow, in place of the current one: the live one in its lane `canvas`, else the newest live one, else the newest' }),
  ...includeInput,
})
export type CurrentRun = z.infer<typeof CurrentRun>

export const StopRun = z.strictObject({ ...CurrentRun.shape, compensate: z.boolean().optional().meta({ description: 'Undo completed steps first' }) })
export type StopRun = z.infer<typeof StopRun>

export const RetryStep = z.strictObject({ id: Id, step: z.string().min(1).max(200), iteration: z.string().max(200).optional() })
export type RetryStep = z.infer<typeof RetryStep>

/** A new run that starts again from a step; the source stays as it is. */
export const ForkRun = z.strictObject({
  id: Id,
  step: z.string().min(1).max(200).meta({ description: 'What does not depend on this step keeps its recorded outputs' }),
  outputs: JsonObject.optional().meta({ description: 'Outputs to put in place of the recorded ones, by node id' }),
  input: Json.optional(),
  wait: Wait.optional(),
})
export type ForkRun = z.infer<typeof ForkRun>

export const ListSteps = z.strictObject({ id: Id, nodeId: NodeId.optional(), cursor: pageInput.cursor, limit: pageInput.limit })
export type ListSteps = z.infer<typeof ListSteps>

export const ListEvents = z.strictObject({ id: Id, ...eventsInput })
export type ListEvents = z.infer<typeof ListEvents>

const cursor = z.string().min(1).max(500)

const current = z.boolean().optional().meta({
  description:
    'Only the current run of the workflow: a snapshot of it as it stands, whole, then its events, and, once another run is the current one, those of that one. Trials are never current. It has no cursors: who connects again begins with a snapshot',
})
const isWatched = ({ current: isCurrent = false, after }: { current?: boolean | undefined; after?: string | undefined }): boolean => !isCurrent || after === undefined
const unwatched = { error: 'The current run is told from a snapshot on, not after a cursor', path: ['after'] }

/** One subject's events, or all of the workspace when none is named. */
export const Subscribe = z
  .strictObject({
    runId: Id.optional().meta({ description: 'This run; with `workflow` only if it is one of that workflow' }),
    workflow: WorkflowRef.optional().meta({ description: 'All runs of this workflow' }),
    transactionId: z.string().min(1).max(200).optional().meta({
      description:
        'With `workflow`: its run of this transaction id, the live one, else the newest; a run without one goes by its own id. Where there is none, the first that is started',
    }),
    sessionId: Id.optional(),
    current,
    where: whereOf(eventFields),
    after: cursor.optional().meta({ description: 'The `cursor` of the last event that is known; unless given, a snapshot comes first' }),
    lastEventId: cursor.optional().meta({ description: 'The same, as transports send it when they connect again; wins over `after`' }),
    tokens: z.boolean().optional().meta({ description: 'Of a run or a session: the texts that its steps say as well, piece by piece and live' }),
  })
  .refine(({ runId, workflow, sessionId }) => sessionId === undefined || (runId === undefined && workflow === undefined), {
    error: 'Name one of run, workflow and session',
    path: ['workflow'],
  })
  .refine(({ current: isCurrent = false, workflow, runId }) => !isCurrent || (workflow !== undefined && runId === undefined), {
    error: 'Name the workflow whose current run is meant',
    path: ['current'],
  })
  .refine(isWatched, unwatched)
  .refine(({ transactionId, workflow, current: isCurrent = false }) => transactionId === undefined || (workflow !== undefined && !isCurrent), {
    error: 'Name the workflow whose run is meant',
    path: ['transactionId'],
  })
  .refine(({ tokens = false, runId, transactionId, sessionId }) => !tokens || (runId ?? transactionId ?? sessionId) !== undefined, {
    error: 'Name the run or the session whose tokens are meant',
    path: ['tokens'],
  })
export type Subscribe = z.infer<typeof Subscribe>

/** The events of one workflow's runs. */
export const WatchWorkflow = z
  .strictObject({ workflow: WorkflowRef, current, where: whereOf(eventFields), after: cursor.optional(), lastEventId: cursor.optional() })
  .refine(isWatched, unwatched)
export type WatchWorkflow = z.infer<typeof WatchWorkflow>

/** A pause as it was decided, with its run when that was asked for. */
export const DecidedPause = Pause.extend({ run: Run.optional().meta({ description: 'When it is included: the run as it stands after the decision' }) })
export type DecidedPause = z.infer<typeof DecidedPause>

export const OnePause = z.strictObject({ id: Id })
export type OnePause = z.infer<typeof OnePause>

/** What is said beside `where` holds with it. */
export const ListPauses = z.strictObject({
  runId: Id.optional(),
  workflow: WorkflowRef.optional(),
  status: oneOf(PauseStatus).optional(),
  assignee: z.string().min(1).max(200).optional(),
  ...listInput(pauseFields, whereLimits.dialectItems),
})
export type ListPauses = z.infer<typeof ListPauses>

export const ListNodeTypes = z.strictObject({
  dialect: NodeTypeDialect.optional().meta({ description: 'The names that this dialect has for node types, in place of the node types' }),
})
export type ListNodeTypes = z.infer<typeof ListNodeTypes>

const dialectOfType = NodeTypeDialect.optional().meta({ description: 'Only if it is a name of this dialect' })

export const OneNodeType = z.strictObject({ type: z.string().min(1).max(100), dialect: dialectOfType })
export type OneNodeType = z.infer<typeof OneNodeType>

export const ListOptions = z.strictObject({
  type: z.string().min(1).max(100),
  dialect: dialectOfType,
  field: z.string().min(1).max(200).meta({ description: 'A field of its config, as a dotted path' }),
  values: JsonObject.optional().meta({ description: 'What other fields have, of which the options of this one may depend' }),
})
export type ListOptions = z.infer<typeof ListOptions>

export const Refresh = z.strictObject({ refreshToken: z.string().min(1).max(1024) })
export type Refresh = z.infer<typeof Refresh>

export const Renew = z.strictObject({
  forSeconds: z.int().min(60).max(86_400).optional().meta({ description: 'How long it is to live; a day unless given, and never past the seventh day of the login' }),
})
export type Renew = z.infer<typeof Renew>

export const SwitchWorkspace = z.strictObject({ workspace: z.string().min(1).max(100).meta({ description: 'Id or handle' }) })
export type SwitchWorkspace = z.infer<typeof SwitchWorkspace>

/** Opens one socket or stream, once. */
export const Ticket = z.object({ ticket: z.string(), expiresAt: Timestamp })
export type Ticket = z.infer<typeof Ticket>

export const ListKeys = z.strictObject({ userId: Id.optional(), ...listInput(keyFields) })
export type ListKeys = z.infer<typeof ListKeys>

export const CreateKey = z.strictObject({
  name: z.string().min(1).max(100),
  scopes: z.array(z.string().min(1).max(100)).max(100).nullable().optional().meta({ description: 'Nouns (`runs`) or actions (`runs.start`); all that its user may unless given' }),
})
export type CreateKey = z.infer<typeof CreateKey>

/** Its secret is shown this once. */
export const CreatedKey = ApiKey.extend({ secret: z.string() })
export type CreatedKey = z.infer<typeof CreatedKey>

export const OneKey = z.strictObject({ id: Id })
export type OneKey = z.infer<typeof OneKey>

export const ListSecrets = z.strictObject({ ...listInput(secretFields) })
export type ListSecrets = z.infer<typeof ListSecrets>

const secretName = z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'expected 1 to 100 characters of A-Z a-z 0-9 . _ -')

export const SetSecret = z.strictObject({
  name: secretName,
  value: z
    .string()
    .min(1)
    .max(64 * 1024),
})
export type SetSecret = z.infer<typeof SetSecret>

export const OneSecret = z.strictObject({ name: secretName })
export type OneSecret = z.infer<typeof OneSecret>
