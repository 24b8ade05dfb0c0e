import { Json, type JsonObject } from '@sluice/schema'
import { z } from 'zod'
import type { Dialect } from '../dialect.ts'
import { instantOf } from './mapping/times.ts'

/**
 * The shapes of PySpur's API, by the names that its own document gives them. Of what is sent, unknown keys are dropped and the
 * documented defaults filled in, but `config` is kept as it came; what is answered has every key.
 * Source: documents/pyspur (its page on workflows), and of its repository docs/api-reference and backend/pyspur/schemas.
 */

// ── values ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How an issue is told where zod has no word for it: see `mapping/unfit.ts`. */
export interface RuleParams {
  pydantic: 'value_error' | 'assertion_error' | 'dict_type' | 'datetime_from_date_parsing'
}

/** Any JSON object, kept as it came. */
const Dict = z
  .custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), { params: { pydantic: 'dict_type' } satisfies RuleParams })
  .meta({ type: 'object', additionalProperties: true })
const Dicts = z.record(z.string(), Dict)

/** UTC without saying so: clients append the `Z`. */
const Naive = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$/)
/** The times of pauses, which do say it. */
const Zulu = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/)

export const SpurType = z.enum(['workflow', 'chatbot', 'agent'])
export type SpurType = z.output<typeof SpurType>

export const RunStatus = z.enum(['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'PAUSED', 'CANCELED'])
export type RunStatus = z.output<typeof RunStatus>

export const TaskStatus = z.enum(['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELED', 'PAUSED'])
export type TaskStatus = z.output<typeof TaskStatus>

export const PauseAction = z.enum(['APPROVE', 'DECLINE', 'OVERRIDE'])
export type PauseAction = z.output<typeof PauseAction>

// ── definitions ────────────────────────────────────────────────────────────────────────────────────────────────────────

export const WorkflowNodeCoordinatesSchema = z.object({ x: z.number(), y: z.number() })
export const WorkflowNodeDimensionsSchema = z.object({ width: z.number(), height: z.number() })

const valueError: { params: RuleParams } = { params: { pydantic: 'value_error' } }
const assertionError: { params: RuleParams } = { params: { pydantic: 'assertion_error' } }
const datetimeError: { params: RuleParams } = { params: { pydantic: 'datetime_from_date_parsing' } }

/** They ask a model, which their config has to name. */
const asksModel = new Set(['SingleLLMCallNode', 'BestOfNNode'])

export const WorkflowNodeSchema = z
  .object({
    id: z.string(),
    title: z.string().default(''),
    parent_id: z.string().nullable().default(null),
    node_type: z.string(),
    config: Dict.default({}),
    coordinates: WorkflowNodeCoordinatesSchema.nullable().default(null),
    dimensions: WorkflowNodeDimensionsSchema.nullable().default(null),
    get subworkflow(): z.ZodDefault<z.ZodNullable<typeof WorkflowDefinitionSchema>> {
      return WorkflowDefinitionSchema.nullable().default(null)
    },
  })
  .superRefine((node, ctx) => {
    if (asksModel.has(node.node_type) && (node.config['llm_info'] ?? null) === null) ctx.addIssue({ code: 'custom', message: 'its config has no llm_info', ...assertionError })
  })
export type WorkflowNodeSchema = z.output<typeof WorkflowNodeSchema>

export const WorkflowLinkSchema = z.object({
  source_id: z.string(),
  target_id: z.string(),
  source_handle: z.string().nullable().default(null),
  target_handle: z.string().nullable().default(null),
})
export type WorkflowLinkSchema = z.output<typeof WorkflowLinkSchema>

export const WorkflowDefinitionSchema = z
  .object({
    nodes: z.array(WorkflowNodeSchema),
    links: z.array(WorkflowLinkSchema),
    test_inputs: z.array(Dict).default([]),
    spur_type: SpurType.default('workflow'),
  })
  .superRefine((definition, ctx) => {
    const broken = brokenChat(definition)
    if (broken !== null) ctx.addIssue({ code: 'custom', message: broken, ...valueError })
  })
export type WorkflowDefinitionSchema = z.output<typeof WorkflowDefinitionSchema>

/** What the ends of a chatbot have to say of themselves, where they are there. */
const chatEnds = [
  { type: 'InputNode', called: 'input node', fields: ['user_message', 'session_id'] },
  { type: 'OutputNode', called: 'output node', fields: ['assistant_message'] },
] as const

interface ChatEnd {
  node_type: string
  parent_id: string | null
  config: { [key: string]: Json }
}

/** What keeps a chatbot from being one; null: nothing. */
function brokenChat({ spur_type, nodes }: { spur_type: SpurType; nodes: readonly ChatEnd[] }): string | null {
  if (spur_type !== 'chatbot') return null
  for (const { type, called, fields } of chatEnds) {
    const node = nodes.find(({ node_type, parent_id }) => node_type === type && parent_id === null)
    if (!node) continue
    const types = declaredTypes(node.config['output_json_schema'])
    if (types === null) return `Invalid JSON schema in ${called} output_json_schema`
    for (const type of types.values()) if (typeof type === 'string' && !jsonTypes.has(type)) return `Unsupported JSON schema type: ${type}`
    const missing = fields.flatMap((field) => (types.get(field) === 'string' ? [] : [types.has(field) ? `${field} (must be of type str)` : field]))
    if (missing.length > 0) return `Chatbot ${called} must have the following mandatory fields: ${missing.join(', ')}`
  }
  return null
}

const jsonTypes = new Set(['string', 'integer', 'number', 'boolean', 'array', 'object', 'null'])

/** The types of the properties that a JSON Schema in a text declares: none, when there is no text; null, when it cannot be read. */
function declaredTypes(text: Json | undefined): Map<string, Json> | null {
  if (text === undefined || text === null || text === '') return new Map()
  if (typeof text !== 'string') return null
  try {
    const { properties } = (JSON.parse(text) ?? {}) as { properties?: Record<string, { type?: Json } | null> | null }
    return new Map(Object.entries(properties ?? {}).map(([name, property]) => [name, property?.type ?? null]))
  } catch {
    return null
  }
}

// ── workflows ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export const WorkflowCreateRequestSchema = z.object({
  name: z.string(),
  description: z.string().default(''),
  definition: WorkflowDefinitionSchema.nullable().default(null),
})
export type WorkflowCreateRequestSchema = z.output<typeof WorkflowCreateRequestSchema>

export const WorkflowResponseSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  definition: WorkflowDefinitionSchema,
  created_at: Naive,
  updated_at: Naive,
})
export type WorkflowResponseSchema = z.output<typeof WorkflowResponseSchema>

export const WorkflowVersionResponseSchema = z.object({
  version: z.int(),
  name: z.string(),
  description: z.string().nullable(),
  definition: WorkflowDefinitionSchema,
  definition_hash: z.string(),
  created_at: Naive,
  updated_at: Naive,
})
export type WorkflowVersionResponseSchema = z.output<typeof WorkflowVersionResponseSchema>

/** PySpur's document has no name for it. */
export const OutputVariable = z.object({ node_id: z.string(), variable_name: z.string(), prefixed_variable: z.string() })
export type OutputVariable = z.output<typeof OutputVariable>

// ── runs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const StartRunRequestSchema = z.object({
  initial_inputs: Dicts.nullable().default(null),
  parent_run_id: z.string().nullable().default(null),
  files: z.record(z.string(), z.array(z.string())).nullable().default(null),
})
export type StartRunRequestSchema = z.output<typeof StartRunRequestSchema>

export const PartialRunRequestSchema = z.object({
  node_id: z.string(),
  rerun_predecessors: z.boolean().default(false),
  initial_inputs: Dicts.nullable().default(null),
  partial_outputs: z
    .record(z.string(), z.union([Dict, z.array(Dict)]))
    .nullable()
    .default(null),
})
export type PartialRunRequestSchema = z.output<typeof PartialRunRequestSchema>

/** By node id. */
export const NodeOutputs = Dicts

export const TaskResponseSchema = z.object({
  id: z.string(),
  run_id: z.string(),
  node_id: z.string(),
  parent_task_id: z.string().nullable(),
  status: TaskStatus,
  inputs: Json.nullable(),
  outputs: Json.nullable(),
  error: z.string().nullable(),
  start_time: Naive.nullable(),
  end_time: Naive.nullable(),
  subworkflow: WorkflowDefinitionSchema.nullable(),
  subworkflow_output: Dict.nullable(),
})
export type TaskResponseSchema = z.output<typeof TaskResponseSchema>

export const RunResponseSchema = z.object({
  id: z.string(),
  workflow_id: z.string(),
  workflow_version_id: z.string().nullable(),
  workflow_version: WorkflowVersionResponseSchema.nullable(),
  status: RunStatus,
  start_time: Naive,
  end_time: Naive.nullable(),
  initial_inputs: Dict.nullable(),
  outputs: Dict.nullable(),
  tasks: z.array(TaskResponseSchema),
  parent_run_id: z.string().nullable(),
  run_type: z.string(),
  output_file_id: z.string().nullable(),
  input_dataset_id: z.string().nullable(),
  message: z.string().nullable(),
  duration: z.number().nullable(),
  percentage_complete: z.number(),
})
export type RunResponseSchema = z.output<typeof RunResponseSchema>

// ── pauses ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const ResumeRunRequestSchema = z.object({
  inputs: Dict,
  user_id: z.string(),
  action: PauseAction,
  comments: z.string().nullable().default(null),
})
export type ResumeRunRequestSchema = z.output<typeof ResumeRunRequestSchema>

export const PauseHistoryResponseSchema = z.object({
  id: z.string(),
  run_id: z.string(),
  node_id: z.string(),
  pause_message: z.string().nullable(),
  pause_time: Zulu,
  resume_time: Zulu.nullable(),
  resume_user_id: z.string().nullable(),
  resume_action: PauseAction.nullable(),
  input_data: Dict.nullable(),
  comments: z.string().nullable(),
})
export type PauseHistoryResponseSchema = z.output<typeof PauseHistoryResponseSchema>

export const PausedWorkflowResponseSchema = z.object({ run: RunResponseSchema, current_pause: PauseHistoryResponseSchema, workflow: WorkflowDefinitionSchema })
export type PausedWorkflowResponseSchema = z.output<typeof PausedWorkflowResponseSchema>

// ── sessions and users ─────────────────────────────────────────────────────────────────────────────────────────────────

export const MessageContent = z.object({ role: z.enum(['user', 'assistant', 'system']), content: z.string() })

export const MessageResponse = z.object({
  id: z.string(),
  session_id: z.string(),
  run_id: z.string().nullable(),
  content: MessageContent,
  created_at: Naive,
  updated_at: Naive,
})
export type MessageResponse = z.output<typeof MessageResponse>

/** Whose conversations they are. */
export const UserId = z.string().max(200)

export const SessionCreate = z.object({ user_id: UserId, workflow_id: z.string(), external_id: z.string().nullable().default(null) })
export type SessionCreate = z.output<typeof SessionCreate>

export const SessionResponse = z.object({
  id: z.string(),
  user_id: z.string(),
  workflow_id: z.string(),
  external_id: z.string().nullable(),
  created_at: Naive,
  updated_at: Naive,
  messages: z.array(MessageResponse),
})
export type SessionResponse = z.output<typeof SessionResponse>

export const SessionListResponse = z.object({ sessions: z.array(SessionResponse), total: z.int() })
export type SessionListResponse = z.output<typeof SessionListResponse>

// ── node types ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** PySpur's document has no name for it. */
export const NodeTypeResponse = z.object({
  name: z.string(),
  input: Dict,
  output: Dict,
  config: Dict,
  visual_tag: z.object({ acronym: z.string(), color: z.string().regex(/^#[0-9A-Fa-f]{6}$/) }),
  has_fixed_output: z.boolean(),
  category: z.string(),
})
export type NodeTypeResponse = z.output<typeof NodeTypeResponse>

// ── where things are, and which of them ────────────────────────────────────────────────────────────────────────────────

export const WorkflowPath = z.object({ workflow_id: z.string() })
export const RunPath = z.object({ run_id: z.string() })
export const SessionPath = z.object({ session_id: z.string() })

/** How far a list can be paged through. */
export const mostPaged = 100_000

/** Pages are counted from 1. */
export const pageQuery = { page: z.int().min(1).default(1), page_size: z.int().min(1).max(100).default(10) }

/** A page that lies too far behind is refused: a list is not to be read through by its numbers. */
function withinReach(query: { page: number; page_size: number }, ctx: z.RefinementCtx): void {
  if (offsetOf(query) > mostPaged)
    ctx.addIssue({ code: 'custom', path: ['page'], input: query.page, message: `Only the first ${mostPaged} items can be paged through`, ...valueError })
}

export const PageQuery = z.object(pageQuery).superRefine(withinReach)

export const offsetOf = ({ page, page_size }: { page: number; page_size: number }): number => (page - 1) * page_size

/** What a run is started as: free text, which lists can be asked for. */
const RunType = z.string().max(50)

export const RunTypeQuery = z.object({ run_type: RunType.default('interactive') })

export const AllRunsQuery = z.object({ ...pageQuery, parent_only: z.boolean().default(true), run_type: RunType.optional() }).superRefine(withinReach)

/** A date or a time of any zone, UTC where none is said. */
const When = z.string().refine((text) => instantOf(text) !== null, { error: 'Input should be a valid datetime or date', ...datetimeError })

export const WorkflowRunsQuery = z.object({ ...pageQuery, start_date: When.optional(), end_date: When.optional(), status: RunStatus.optional() }).superRefine(withinReach)

/** The same as `skip` and `limit`. */
export const skipQuery = { skip: z.int().min(0).max(mostPaged).default(0), limit: z.int().min(1).max(100).default(10) }

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One thing that does not fit, as FastAPI tells it. */
export const ValidationError = z.object({
  type: z.string(),
  loc: z.array(z.union([z.string(), z.int()])),
  msg: z.string(),
  input: Json.nullable(),
  ctx: Dict.optional(),
})
export type ValidationError = z.output<typeof ValidationError>

/** The body of every error: a list where what was sent does not fit, else a text. */
export const HTTPError = z.object({ detail: z.union([z.string(), z.array(ValidationError)]) })
export type HTTPError = z.output<typeof HTTPError>

/** By the names of PySpur's own document, where it has them. */
export const words: Dialect['words'] = {
  HTTPError,
  MessageContent,
  MessageResponse,
  NodeTypeResponse,
  OutputVariable,
  PartialRunRequestSchema,
  PauseAction,
  PausedWorkflowResponseSchema,
  PauseHistoryResponseSchema,
  ResumeRunRequestSchema,
  RunResponseSchema,
  RunStatus,
  SessionCreate,
  SessionListResponse,
  SessionResponse,
  SpurType,
  StartRunRequestSchema,
  TaskResponseSchema,
  TaskStatus,
  ValidationError,
  WorkflowCreateRequestSchema,
  WorkflowDefinitionSchema,
  WorkflowLinkSchema,
  WorkflowNodeCoordinatesSchema,
  WorkflowNodeDimensionsSchema,
  WorkflowNodeSchema,
  WorkflowResponseSchema,
  WorkflowVersionResponseSchema,
}
