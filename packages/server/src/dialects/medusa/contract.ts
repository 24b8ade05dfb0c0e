import { Json, Timestamp, whereLimits } from '@sluice/schema'
import { z } from 'zod'
import type { Dialect } from '../dialect.ts'

/**
 * The shapes of Medusa's API for workflow executions, by the names that its document gives them. What is sent is strict: a key
 * that is not known is refused. What is answered has every key, unless `fields` asks for fewer.
 * Source: documents/medusa (its page on workflows executions), and of its repository the routes, their validators and the engine.
 */

// ── values ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Step times, unlike those of the resource. */
const Milliseconds = z.number()
const Values = z.record(z.string(), Json)

/** Not of the document, but of the public source. */
const extension = { 'x-sluice-extension': true }

export const TransactionState = z.enum(['not_started', 'invoking', 'waiting_to_compensate', 'compensating', 'done', 'reverted', 'failed'])
export type TransactionState = z.output<typeof TransactionState>

export const TransactionStepState = z.enum(['not_started', 'invoking', 'compensating', 'done', 'reverted', 'failed', 'dormant', 'skipped', 'skipped_failure', 'timeout'])
export type TransactionStepState = z.output<typeof TransactionStepState>

export const TransactionStepStatus = z.enum(['idle', 'ok', 'waiting_response', 'temp_failure', 'permanent_failure'])
export type TransactionStepStatus = z.output<typeof TransactionStepStatus>

export const HandlerType = z.enum(['invoke', 'compensate'])
export type HandlerType = z.output<typeof HandlerType>

// ── an execution ───────────────────────────────────────────────────────────────────────────────────────────────────────

const stepOptions = {
  name: z.string().optional(),
  async: z.literal(true).optional(),
  compensateAsync: z.literal(true).optional(),
  nested: z.literal(true).optional(),
  maxRetries: z.int().optional(),
  retryInterval: z.number().optional(),
  autoRetry: z.literal(false).optional(),
  retryIntervalAwaiting: z.number().optional(),
  maxAwaitingRetries: z.int().optional(),
  timeout: z.number().optional(),
  continueOnPermanentFailure: z.literal(true).optional(),
  skipOnPermanentFailure: z.union([z.literal(true), z.string()]).optional(),
}

/** How a step was declared. */
export const StepDefinition = z.object({ action: z.string(), ...stepOptions, uuid: z.string(), noCompensation: z.boolean(), store: z.boolean() })
export type StepDefinition = z.output<typeof StepDefinition>

/** The same with what comes after it: one step, or several beside each other. */
export type FlowDefinition = Partial<Omit<StepDefinition, 'store'>> & { next?: FlowDefinition | FlowDefinition[] | undefined }

export const FlowDefinition: z.ZodType<FlowDefinition> = z.object({
  ...StepDefinition.omit({ store: true }).partial().shape,
  get next() {
    return z.union([FlowDefinition, z.array(FlowDefinition)]).optional()
  },
})

export const HandlerState = z.object({ state: TransactionStepState, status: TransactionStepStatus })
export type HandlerState = z.output<typeof HandlerState>

export const ExecutionStep = z.object({
  stepFailed: z.boolean(),
  id: z.string(),
  uuid: z.string(),
  depth: z.int(),
  definition: StepDefinition,
  saveResponse: z.boolean(),
  invoke: HandlerState,
  compensate: HandlerState,
  attempts: z.int(),
  failures: z.int(),
  lastAttempt: Milliseconds.nullable(),
  next: z.array(z.string()),
  _v: z.int(),
  startedAt: Milliseconds.optional(),
  hasScheduledRetry: z.literal(true).optional(),
  retryRescheduledAt: Milliseconds.nullable().optional(),
  temporaryFailedAt: Milliseconds.nullable().optional(),
  timedOutAt: Milliseconds.optional(),
})
export type ExecutionStep = z.output<typeof ExecutionStep>

/** What the first steps hang below. */
export const RootStep = z.object({ id: z.literal('_root'), next: z.array(z.string()) })
export type RootStep = z.output<typeof RootStep>

export const ExecutionOptions = z.object({
  name: z.string(),
  retentionTime: z.number().optional(),
  store: z.literal(true),
  idempotent: z.literal(true).optional(),
  timeout: z.number().optional(),
})

export const ExecutionMetadata = z.object({ eventGroupId: z.string(), parentStepIdempotencyKey: z.string().optional() })

export const AdminWorkflowExecutionExecution = z.object({
  modelId: z.string(),
  options: ExecutionOptions,
  transactionId: z.string(),
  runId: z.string(),
  metadata: ExecutionMetadata,
  hasAsyncSteps: z.boolean(),
  hasFailedSteps: z.boolean(),
  hasSkippedOnFailureSteps: z.boolean(),
  hasSkippedSteps: z.boolean(),
  hasWaitingSteps: z.boolean(),
  hasRevertedSteps: z.boolean(),
  timedOutAt: Milliseconds.nullable(),
  startedAt: Milliseconds.optional(),
  cancelledAt: Milliseconds.optional(),
  state: TransactionState,
  definition: FlowDefinition,
  steps: z.record(z.string(), z.union([ExecutionStep, RootStep])),
  _v: z.int(),
})
export type AdminWorkflowExecutionExecution = z.output<typeof AdminWorkflowExecutionExecution>

export const ExecutionData = z.object({ payload: Json, invoke: Values, compensate: Values })

export const ExecutionError = z.object({
  action: z.string(),
  handlerType: HandlerType,
  error: z.object({ message: z.string(), name: z.string(), stack: z.string() }).catchall(Json),
})
export type ExecutionError = z.output<typeof ExecutionError>

export const WorkflowExecutionContext = z.object({ data: ExecutionData, compensate: Values, errors: z.array(ExecutionError) })
export type WorkflowExecutionContext = z.output<typeof WorkflowExecutionContext>

export const AdminWorkflowExecution = z.object({
  id: z.string(),
  workflow_id: z.string(),
  transaction_id: z.string(),
  execution: AdminWorkflowExecutionExecution,
  context: WorkflowExecutionContext,
  state: TransactionState,
  created_at: Timestamp,
  updated_at: Timestamp,
  deleted_at: Timestamp.nullable().optional(),
  run_id: z.string().meta(extension).optional(),
  retention_time: z.number().nullable().meta(extension).optional(),
})
export type AdminWorkflowExecution = z.output<typeof AdminWorkflowExecution>

/** Of an execution what `fields` asks for. */
export type Selected = Pick<AdminWorkflowExecution, 'id'> & { [key: string]: unknown }

export const AdminWorkflowExecutionResponse = z.object({ workflow_execution: AdminWorkflowExecution })
export const getworkflowsexecutions_body = z.object({ workflow_executions: z.array(AdminWorkflowExecution), count: z.int(), offset: z.int(), limit: z.int() })

// ── what is asked ──────────────────────────────────────────────────────────────────────────────────────────────────────

const fields = z.string().max(2_000).optional()

const many = z.array(z.string()).max(whereLimits.items)
const oneOrMany = z.union([z.string(), many]).optional()

const refused = { description: 'Refused: a time is not compared with a text' }

/** All of them hold. Said here, and not among the meanings: it stands in a query alone. */
const CreatedAtFilter = z.strictObject({
  $eq: oneOrMany.meta({ description: 'At this time, or at one of these' }),
  $ne: oneOrMany.meta({ description: 'Not at this time, or at none of these' }),
  $in: many.optional().meta({ description: 'At one of these times' }),
  $nin: many.optional().meta({ description: 'At none of these times' }),
  $like: z.string().optional().meta(refused),
  $ilike: z.string().optional().meta(refused),
  $re: z.string().optional().meta(refused),
  $contains: z.string().optional().meta(refused),
  $gt: z.string().optional().meta({ description: 'After this time' }),
  $gte: z.string().optional().meta({ description: 'At this time or after it' }),
  $lt: z.string().optional().meta({ description: 'Before this time' }),
  $lte: z.string().optional().meta({ description: 'At this time or before it' }),
})
export type CreatedAtFilter = z.output<typeof CreatedAtFilter>

export const ExecutionQuery = z.strictObject({ fields })

export const ExecutionsQuery = z.strictObject({
  fields,
  offset: z.int().min(0).max(whereLimits.offset).default(0),
  limit: z.int().min(0).max(whereLimits.dialectItems).default(100),
  order: z.string().max(200).optional(),
  q: z.string().max(200).optional(),
  transaction_id: oneOrMany,
  workflow_id: oneOrMany,
  with_deleted: z.boolean().optional(),
  state: z.union([z.string(), many]).meta(extension).optional(),
  created_at: z.union([z.string(), many, CreatedAtFilter]).meta(extension).optional(),
})
export type ExecutionsQuery = z.output<typeof ExecutionsQuery>

const transactionId = z.string().max(200)

export const AdminCreateWorkflowsRun = z.strictObject({ input: Json.optional(), transaction_id: transactionId.optional() })
export type AdminCreateWorkflowsRun = z.output<typeof AdminCreateWorkflowsRun>

/** In letters of either case. */
const action = z.preprocess((said) => (typeof said === 'string' ? said.toLowerCase() : said), HandlerType).meta({ type: 'string', enum: HandlerType.options })

export const AdminCreateWorkflowsAsyncResponse = z.strictObject({
  transaction_id: transactionId,
  step_id: z.string().max(200),
  response: Json.optional(),
  compensate_input: Json.optional(),
  action: action.optional(),
})
export type AdminCreateWorkflowsAsyncResponse = z.output<typeof AdminCreateWorkflowsAsyncResponse>

export const WorkflowExecutionAcknowledgement = z.object({
  transactionId: z.string(),
  workflowId: z.string(),
  parentStepIdempotencyKey: z.string().optional(),
  hasFinished: z.boolean(),
  hasFailed: z.boolean(),
})
export type WorkflowExecutionAcknowledgement = z.output<typeof WorkflowExecutionAcknowledgement>

export const postworkflowsexecutionsworkflow_idrun_body = z.object({ acknowledgement: WorkflowExecutionAcknowledgement })
export const postworkflowsexecutionsworkflow_idstepssuccess_body = z.object({ success: z.literal(true) })
export const postworkflowsexecutionsworkflow_idstepsfailure_body = z.object({ success: z.literal(true) })

// ── where things are ───────────────────────────────────────────────────────────────────────────────────────────────────

export const ExecutionPath = z.object({ id: z.string() })
export const WorkflowPath = z.object({ workflow_id: z.string() })
export const TransactionPath = z.object({ workflow_id: z.string(), transaction_id: z.string() })

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const ErrorType = z.enum([
  'conflict',
  'database_error',
  'duplicate_error',
  'forbidden',
  'invalid_argument',
  'invalid_data',
  'not_allowed',
  'not_found',
  'payment_authorization_error',
  'unauthorized',
  'unexpected_state',
  'unknown_error',
])
export type ErrorType = z.output<typeof ErrorType>

/** The body of every error; of a credential that is missing or does not hold the message alone. */
export const ApiError = z.object({ code: z.string().optional(), type: ErrorType.optional(), message: z.string() })
export type ApiError = z.output<typeof ApiError>

/** By the names of the document, where it has them. */
export const words: Dialect['words'] = {
  AdminCreateWorkflowsAsyncResponse,
  AdminCreateWorkflowsRun,
  AdminWorkflowExecution,
  AdminWorkflowExecutionExecution,
  AdminWorkflowExecutionResponse,
  Error: ApiError,
  ErrorType,
  ExecutionData,
  ExecutionError,
  ExecutionMetadata,
  ExecutionOptions,
  ExecutionStep,
  FlowDefinition,
  HandlerState,
  HandlerType,
  RootStep,
  StepDefinition,
  TransactionState,
  TransactionStepState,
  TransactionStepStatus,
  WorkflowExecutionAcknowledgement,
  WorkflowExecutionContext,
  getworkflowsexecutions_body,
  postworkflowsexecutionsworkflow_idrun_body,
  postworkflowsexecutionsworkflow_idstepsfailure_body,
  postworkflowsexecutionsworkflow_idstepssuccess_body,
}
