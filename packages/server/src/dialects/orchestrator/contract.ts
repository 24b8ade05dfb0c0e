import { Json, type JsonObject } from '@sluice/schema'
import { z } from 'zod'
import { FormFile, type Dialect } from '../dialect.ts'
import { instantOf } from './mapping/times.ts'

/**
 * The shapes of the Orchestrator's API: its document first, and beside it what its public source adds, so that readers of either
 * find theirs. Of what is sent, unknown keys are dropped; `form_values`, `config`, `tags` and the data of nodes are kept as they came.
 * Source: documents/orchestrator (its page "API Reference"), and of its repository apps/workflow, apps/nodes and apps/authapp.
 */

// ── values ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Any JSON object, kept as it came. */
const Dict = z
  .custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'Expected a dictionary.')
  .meta({ type: 'object', additionalProperties: true })

/** UTC, six digits of a second, none when they are zero. */
const Zulu = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/)

/** A time of any zone, UTC where none is said. */
const When = z.string().refine((text) => instantOf(text) !== null, { error: 'Datetime has wrong format. Use an ISO 8601 date and time.' })

const named = z.string().trim().min(1)
const orNull = (most: number) => z.string().max(most).nullable().optional()

export const WorkflowStatus = z.enum(['active', 'inactive', 'error'])
export type WorkflowStatus = z.output<typeof WorkflowStatus>

export const TaskState = z.enum(['PENDING', 'STARTED', 'SUCCESS', 'FAILURE', 'REVOKED'])
export type TaskState = z.output<typeof TaskState>

export const NodePosition = z.object({ x: z.number(), y: z.number() })
export const NodePort = z.object({ id: z.string(), label: z.string() })

// ── workflows ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const written = {
  description: orNull(255),
  category: orNull(50),
  status: WorkflowStatus.optional(),
  last_run: When.nullable().optional(),
  next_run: When.nullable().optional(),
  runs_count: z.int().optional(),
  tags: Json.optional().refine((tags) => tags !== null, { error: 'This field may not be null.' }),
  created_by: orNull(100),
}

export const WorkflowRequest = z.object({ name: named.max(100), ...written })
export type WorkflowRequest = z.output<typeof WorkflowRequest>

export const PatchedWorkflowRequest = z.object({ name: named.max(100).optional(), ...written })
export type PatchedWorkflowRequest = z.output<typeof PatchedWorkflowRequest>

export const Workflow = z.object({
  id: z.string(),
  created_at: Zulu,
  updated_at: Zulu,
  name: z.string(),
  description: z.string().nullable(),
  category: z.string().nullable(),
  status: WorkflowStatus,
  last_run: Zulu.nullable(),
  next_run: Zulu.nullable(),
  runs_count: z.int(),
  tags: Json,
  created_by: z.string().nullable(),
  task_id: z.string().nullable(),
})
export type Workflow = z.output<typeof Workflow>

// ── nodes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Ours are of at most 100 characters. */
const NodeTypeName = named.max(100)

const drawn = {
  x: z.number().optional(),
  y: z.number().optional(),
  form_values: Dict.optional(),
  config: Json.optional(),
  input_data: Json.optional(),
  output_data: Json.optional(),
}

export const NodeRequest = z.object({ node_type: NodeTypeName, ...drawn })
export type NodeRequest = z.output<typeof NodeRequest>

export const PatchedNodeRequest = z.object({ node_type: NodeTypeName.optional(), ...drawn })
export type PatchedNodeRequest = z.output<typeof PatchedNodeRequest>

export const AddNodeRequest = z.object({
  nodeTemplate: NodeTypeName.default('custom-node'),
  position: z.object({ x: z.number().default(0), y: z.number().default(0) }).default({ x: 0, y: 0 }),
  form_values: Dict.optional(),
})
export type AddNodeRequest = z.output<typeof AddNodeRequest>

export const PositionRequest = z.object({ position: z.object({ x: z.number().optional(), y: z.number().optional() }) })

export const Node = z.object({
  id: z.string(),
  created_at: Zulu,
  updated_at: Zulu,
  node_type: z.string(),
  x: z.number(),
  y: z.number(),
  form_values: Json,
  config: Json,
  input_data: Json,
  output_data: Json,
})
export type Node = z.output<typeof Node>

/** A node as what changes it in one place answers. */
export const PlacedNode = Node.extend({ position: NodePosition })
export type PlacedNode = z.output<typeof PlacedNode>

/** What a node on the canvas is told of its type; of one that nobody knows, what its name tells. */
export const CanvasNodeType = z.object({
  identifier: z.string(),
  name: z.string(),
  type: z.string(),
  description: z.string().nullable(),
  has_form: z.boolean(),
  category: z.string().nullable(),
  icon: z.string().nullable(),
  input_ports: z.array(NodePort),
  output_ports: z.array(NodePort),
})
export type CanvasNodeType = z.output<typeof CanvasNodeType>

export const CanvasNode = Node.extend({ node_type: CanvasNodeType, position: NodePosition })
export type CanvasNode = z.output<typeof CanvasNode>

export const NodeInput = z.object({ input_data: Json })
export const NodeOutput = z.object({ output_data: Json })

export const Message = z.object({ message: z.string() })

// ── connections ────────────────────────────────────────────────────────────────────────────────────────────────────────

const Handle = z.string().trim().min(1).max(50)

export const ConnectionRequest = z.object({ source_node: z.string(), target_node: z.string(), source_handle: Handle.default('default') })
export type ConnectionRequest = z.output<typeof ConnectionRequest>

export const PatchedConnectionRequest = z.object({ source_node: z.string().optional(), target_node: z.string().optional(), source_handle: Handle.optional() })
export type PatchedConnectionRequest = z.output<typeof PatchedConnectionRequest>

/** As a canvas draws it. */
export const AddConnectionRequest = z.object({ source: z.string(), target: z.string(), sourceHandle: Handle.nullable().default('default') })
export type AddConnectionRequest = z.output<typeof AddConnectionRequest>

export const Connection = z.object({ id: z.string(), source_node: z.string(), target_node: z.string(), source_handle: z.string() })
export type Connection = z.output<typeof Connection>

export const CanvasEdge = Connection.extend({ created_at: Zulu })
export type CanvasEdge = z.output<typeof CanvasEdge>

// ── the canvas ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The one time that says its zone in digits. */
const Offset = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$/)

export const CanvasWorkflow = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  status: WorkflowStatus,
  runs_count: z.int(),
  last_run: Offset.nullable(),
})

export const CanvasData = z.object({ id: z.string(), nodes: z.array(CanvasNode), edges: z.array(CanvasEdge), workflow: CanvasWorkflow })
export type CanvasData = z.output<typeof CanvasData>

export const RawConfig = Workflow.extend({ nodes: z.array(Node), connections: z.array(Connection) })
export type RawConfig = z.output<typeof RawConfig>

// ── tasks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A task of a workflow. Of one that never ran there is none to be stopped. */
export const Task = z.object({ task_id: z.string().nullable(), status: TaskState })
export type Task = z.output<typeof Task>

export const TaskProgress = z.object({ percent: z.number() })

export const CeleryTask = z.object({
  state: TaskState,
  task_id: z.string(),
  result: Json.nullable().optional(),
  error: z.string().optional(),
  traceback: z.string().nullable().optional(),
  progress: TaskProgress.optional(),
})
export type CeleryTask = z.output<typeof CeleryTask>

// ── one node by itself ─────────────────────────────────────────────────────────────────────────────────────────────────

/** Seconds; 0 and null are as long as there may be. */
const Timeout = z.number().min(0).nullable().default(300)
const Data = Dict.nullable().default({})
const Session = z.string().max(200).nullable().default(null)

export const ExecuteNodeRequest = z.object({ node_id: z.string(), form_values: Dict.nullable().optional(), input_data: Data, session_id: Session, timeout: Timeout })
export type ExecuteNodeRequest = z.output<typeof ExecuteNodeRequest>

export const ExecuteNodeTypeRequest = z.object({ input_data: Data, form_data: Data, session_id: Session, timeout: Timeout })
export type ExecuteNodeTypeRequest = z.output<typeof ExecuteNodeTypeRequest>

/** A producer that has no more items says so here. */
export const OutputMetadata = z.object({ __execution_completed__: z.literal(true).optional(), duration_ms: z.number() })

/** What came of a node. */
export const Output = z.object({
  id: z.string(),
  data: Json,
  metadata: OutputMetadata,
})
export type Output = z.output<typeof Output>

export const ExecuteNodeResponse = z.object({
  success: z.boolean(),
  node_id: z.string(),
  node_type: z.string(),
  input_data: Json,
  form_values: Json,
  output: Output.nullable(),
  error: z.string().nullable(),
  error_type: z.string().nullable(),
  message: z.string().nullable(),
  form: Json.nullable(),
  session_id: z.string().nullable(),
})
export type ExecuteNodeResponse = z.output<typeof ExecuteNodeResponse>

export const ExecuteNodeTypeResponse = z.object({
  success: z.literal(true),
  node: z.object({ name: z.string(), identifier: z.string() }),
  input: Json,
  form_data: Json,
  session_id: z.string().nullable(),
  output: Output,
})
export type ExecuteNodeTypeResponse = z.output<typeof ExecuteNodeTypeResponse>

export const ResetSessionRequest = z.object({ session_id: z.string().max(200).optional() })
export const ResetSessionResponse = z.object({ success: z.literal(true), session_id: z.string(), cleared: z.boolean() })

// ── node types ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const ports = { input_ports: z.array(NodePort), output_ports: z.array(NodePort) }

/** What there is to know of a node type, without its form. */
export const NodeMeta = z.object({
  name: z.string(),
  identifier: z.string(),
  type: z.string(),
  has_form: z.boolean(),
  form_class: z.string().nullable(),
  label: z.string().nullable(),
  description: z.string().nullable(),
  ...ports,
  file: z.string(),
  file_path: z.string(),
  icon: z.string().nullable(),
  category: z.string(),
})
export type NodeMeta = z.output<typeof NodeMeta>

export const NodeFolder = z.object({
  nodes: z.array(NodeMeta),
  get subfolders(): z.ZodRecord<z.ZodString, typeof NodeFolder> {
    return z.record(z.string(), NodeFolder)
  },
})
export type NodeFolder = z.output<typeof NodeFolder>

export const NodeCount = z.object({ count: z.int() })

/** Attributes as HTML has them, with what they say: digits are numbers, and what has no value is true. */
const Attribute = z.union([z.string(), z.number(), z.boolean()])

export const FormOption = z.object({ value: Json, text: z.string(), selected: z.boolean().optional() })

export const FormField = z
  .object({
    tag: z.enum(['input', 'select', 'textarea']),
    label: z.string(),
    errors: z.array(z.string()),
    name: z.string(),
    value: Json.optional(),
    options: z.array(FormOption).optional(),
    json_mode: z.boolean().optional(),
  })
  .catchall(z.union([Attribute, z.array(Json), Json]))

export const NodeForm = z.object({
  fields: z.array(FormField),
  dependencies: z.record(z.string(), z.array(z.string())).optional(),
  non_field_errors: z.array(z.string()).optional(),
})

export const NodeFormResponse = z.object({ node: NodeMeta, form: NodeForm.nullable(), message: z.string().optional() })

export const FieldOptionsRequest = z.object({ parent_field: z.string().optional(), parent_value: Json.optional(), dependent_field: z.string().optional(), form_values: Data })
export const FieldOptionsResponse = z.object({ field: z.string(), options: z.array(z.object({ value: Json, text: z.string() })) })

// ── files of nodes ─────────────────────────────────────────────────────────────────────────────────────────────────────

export const NodeFile = z.object({ id: z.string(), node: z.string(), key: z.string(), file: z.string(), created_at: Zulu, updated_at: Zulu })
export type NodeFile = z.output<typeof NodeFile>

const fileKey = z.string().min(1).max(255).meta({ description: 'What the node calls it' })
const file = z.array(FormFile).length(1).meta({ description: 'The file' })

export const NodeFileRequest = z.object({ key: fileKey, file })
export const PatchedNodeFileRequest = z.object({ key: fileKey.optional(), file })

// ── webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export const AnyBody = Json.optional()

export const WebhookResponse = z.object({ status: z.literal('accepted'), webhook_id: z.string(), subscribers: z.int(), message: z.string() })
export type WebhookResponse = z.output<typeof WebhookResponse>

// ── who asks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export const LoginRequest = z.object({ username: z.string().max(320).default(''), password: z.string().max(1024).default('') })
export const RefreshRequest = z.object({ refresh: z.string().max(1024).default('') })
export const LogoutRequest = z.object({ refresh: z.string().optional() })

export const AuthUser = z.object({ id: z.string(), username: z.string(), email: z.string(), first_name: z.string(), last_name: z.string() })
export type AuthUser = z.output<typeof AuthUser>

export const LoginResponse = z.object({ user: AuthUser, access: z.string(), refresh: z.string() })
export const RefreshResponse = z.object({ access: z.string(), refresh: z.string() })

// ── where things are ───────────────────────────────────────────────────────────────────────────────────────────────────

export const WorkflowPath = z.object({ workflow_id: z.string() })
export const NodePath = z.object({ workflow_id: z.string(), node_id: z.string() })
export const ConnectionPath = z.object({ workflow_id: z.string(), connection_id: z.string() })
export const NodeFilePath = z.object({ workflow_id: z.string(), node_id: z.string(), file_id: z.string() })
export const WebhookPath = z.object({ webhook_id: z.string() })
export const NodeTypePath = z.object({ identifier: z.string() })
export const TaskQuery = z.object({ task_id: z.string().optional() })
export const OrderQuery = z.object({ ordering: z.string().max(1_000).optional() })

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const ErrorCode = z.enum([
  'INVALID_REQUEST',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'TIMEOUT',
  'CONFLICT',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'VALIDATION_ERROR',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'UNAVAILABLE',
  'STORAGE_FULL',
])
export type ErrorCode = z.output<typeof ErrorCode>

/** The body of every error: the keys of the document, and beside them those of the source. */
export const ApiError = z.object({
  error: z.string(),
  code: ErrorCode,
  details: Dict,
  detail: z.string(),
  error_code: ErrorCode,
  errors: z.record(z.string(), z.array(z.string())).optional(),
  error_type: z.string().optional(),
  resource_type: z.string().optional(),
  identifier: z.string().optional(),
  timeout: z.number().optional(),
  target_node: z.array(z.string()).optional(),
  form: Json.optional(),
})
export type ApiError = z.output<typeof ApiError>

/** By the names of the source, where it has them. */
export const words: Dialect['words'] = {
  AddConnectionRequest,
  AddNodeRequest,
  ApiError,
  AuthUser,
  CanvasData,
  CanvasEdge,
  CanvasNode,
  CanvasNodeType,
  CanvasWorkflow,
  CeleryTask,
  Connection,
  ConnectionRequest,
  ErrorCode,
  ExecuteNodeRequest,
  ExecuteNodeResponse,
  ExecuteNodeTypeRequest,
  ExecuteNodeTypeResponse,
  FieldOptionsRequest,
  FieldOptionsResponse,
  FormField,
  FormOption,
  LoginRequest,
  LoginResponse,
  LogoutRequest,
  Message,
  Node,
  NodeCount,
  NodeFile,
  NodeFolder,
  NodeForm,
  NodeFormResponse,
  NodeInput,
  NodeMeta,
  NodeOutput,
  NodePort,
  NodePosition,
  NodeRequest,
  Output,
  OutputMetadata,
  PatchedConnectionRequest,
  PatchedNodeRequest,
  PatchedWorkflowRequest,
  PlacedNode,
  PositionRequest,
  RawConfig,
  RefreshRequest,
  RefreshResponse,
  ResetSessionRequest,
  ResetSessionResponse,
  Task,
  TaskProgress,
  TaskState,
  WebhookResponse,
  Workflow,
  WorkflowRequest,
  WorkflowStatus,
}
