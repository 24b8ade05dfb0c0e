import { z } from 'zod'
import { Id, Timestamp } from './ids.ts'
import { Json, JsonObject } from './json.ts'

export const PauseKind = z.enum(['approval', 'question'])
export type PauseKind = z.infer<typeof PauseKind>

export const PauseStatus = z.enum(['open', 'approved', 'declined', 'overridden', 'expired', 'cancelled'])
export type PauseStatus = z.infer<typeof PauseStatus>

export const DecisionAction = z.enum(['approve', 'decline', 'override'])
export type DecisionAction = z.infer<typeof DecisionAction>

/** Who decided, when and what; recorded once and kept. */
export const Decision = z.object({
  action: DecisionAction,
  by: z.object({ id: z.string(), label: z.string().nullable() }),
  at: Timestamp,
  inputs: JsonObject.nullable(),
  comments: z.string().nullable(),
})
export type Decision = z.infer<typeof Decision>

/** A durable request for a human decision. */
export const Pause = z.object({
  id: Id,
  runId: Id,
  workflowId: Id,
  nodeId: z.string(),
  step: z.string(),
  iteration: z.string(),
  kind: PauseKind,
  status: PauseStatus,
  message: z.string(),
  form: JsonObject.nullable().meta({ description: 'JSON Schema of the inputs a decision may carry' }),
  input: Json.nullable().meta({ description: 'What the step was given, and passes on when approved' }),
  assignee: z.string().nullable(),
  openedAt: Timestamp,
  dueAt: Timestamp.nullable(),
  decision: Decision.nullable(),
})
export type Pause = z.infer<typeof Pause>

export const pauseFields = ['id', 'runId', 'workflowId', 'nodeId', 'step', 'iteration', 'kind', 'status', 'message', 'assignee', 'openedAt', 'dueAt'] as const
export type PauseField = (typeof pauseFields)[number]

/** What the answer to a decision is told with: `run`, as it then stands, and what that is told with. */
export const DecisionInclude = z.enum(['run', 'version', 'pauses', 'iterations', 'steps', 'outputs'])
export type DecisionInclude = z.infer<typeof DecisionInclude>

/** Names the pause by its id, or, by its run, the only one that is open there. */
export const DecidePause = z
  .strictObject({
    id: Id.optional(),
    runId: Id.optional().meta({ description: 'In place of the id: the only open pause of this run' }),
    action: DecisionAction,
    inputs: JsonObject.optional(),
    comments: z.string().max(10_000).optional(),
    idempotencyKey: z.string().min(1).max(200).optional(),
    label: z.string().max(200).optional().meta({
      description:
        'A name for the decider to show; who decides is taken from the credential. The id or the email of another member of the workspace is refused, unless an API key says it: then the decision is theirs',
    }),
    include: z.array(DecisionInclude).max(DecisionInclude.options.length).optional().meta({
      description:
        'What to tell with the pause: the `run` as it stands after the decision, and with it its `version`, `pauses`, `iterations`, `steps`, and `outputs` as a whole. A run asks for the permission `runs.read` as well, and what is told with it as where runs are read',
    }),
  })
  .refine(({ include = [] }) => include.length === 0 || include.includes('run'), { error: 'What is told of the run is told with the run', path: ['include'] })
  .refine((said) => (said.id === undefined) !== (said.runId === undefined), { error: 'Name the pause or its run', path: ['id'] })
export type DecidePause = z.infer<typeof DecidePause>
