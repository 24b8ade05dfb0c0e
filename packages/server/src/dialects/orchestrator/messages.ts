import { Json, type JsonObject } from '@sluice/schema'
import { z } from 'zod'

/**
 * What is said over the socket of a workflow, each message a JSON object with a `type`: the document's events first, and in them
 * what its public source adds. Times are UTC; durations are seconds.
 * Source: documents/orchestrator ("WebSocket Events"), and of its repository apps/workflow/consumers.py and services/redis_state_store.py.
 */

const Zulu = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/)
const seconds = z.number().min(0)
const Route = z.string().meta({ description: 'The branch that was taken: `yes` or `no` of a condition, else `default`' })

const ofNode = { node_id: z.string(), node_type: z.string() }

// ── the state ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export const ExecutingNode = z.object({ ...ofNode, started_at: Zulu, duration_seconds: seconds })
export type ExecutingNode = z.output<typeof ExecutingNode>

export const CompletedNode = z.object({ ...ofNode, completed_at: Zulu, duration_seconds: seconds, route: Route.optional() })
export type CompletedNode = z.output<typeof CompletedNode>

export const WorkflowState = z.object({
  workflow_id: z.string(),
  status: z.enum(['idle', 'running', 'completed', 'failed']),
  started_at: Zulu.optional(),
  executing_nodes: z.record(z.string(), ExecutingNode),
  completed_nodes: z.array(CompletedNode).meta({ description: 'Each node once, as it was completed last, in the order of that' }),
  completed_count: z.int(),
  total_nodes: z.int().optional(),
  completed_at: Zulu.optional(),
  total_duration_seconds: seconds.optional(),
  error: z.string().optional(),
})
export type WorkflowState = z.output<typeof WorkflowState>

// ── what is told ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const StateSync = z.object({ type: z.literal('state_sync'), state: WorkflowState })

const event = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) => z.object({ type: z.literal(type), workflow_id: z.string(), ...shape })

export const NodeStarted = event('node_started', { ...ofNode, started_at: Zulu })
export const NodeCompleted = event('node_completed', {
  ...ofNode,
  duration: seconds,
  route: Route,
  output_data: Json.optional().meta({ description: 'Unless it is empty; of more than 64 KiB its size, as `{"truncated": bytes}`' }),
})
export const NodeFailed = event('node_failed', { ...ofNode, error: z.string() })
export const WorkflowCompleted = event('workflow_completed', { status: z.literal('success'), duration: seconds })
export const WorkflowFailed = event('workflow_failed', { error: z.string() })
export const Pong = z.object({ type: z.literal('pong') })
export const SocketError = z.object({ type: z.literal('error'), message: z.string() })

export type Message = z.output<
  typeof StateSync | typeof NodeStarted | typeof NodeCompleted | typeof NodeFailed | typeof WorkflowCompleted | typeof WorkflowFailed | typeof Pong | typeof SocketError
>

// ── what is heard ──────────────────────────────────────────────────────────────────────────────────────────────────────

export const Ping = z.object({ type: z.literal('ping') })
export const RequestState = z.object({ type: z.literal('request_state') })

// ── as the document shows them ─────────────────────────────────────────────────────────────────────────────────────────

const workflow_id = '0mfq3k7x9tdv2ab'
const node = { node_id: '0mfq3k8d4pz6hce', node_type: 'http-request' }

export const examples = {
  state_sync: {
    type: 'state_sync',
    state: {
      workflow_id,
      status: 'running',
      started_at: '2026-01-31T12:00:00Z',
      executing_nodes: { [node.node_id]: { ...node, started_at: '2026-01-31T12:00:00.500000Z', duration_seconds: 1.5 } },
      completed_nodes: [{ node_id: '0mfq3k8a1rw5jgy', node_type: 'queue-reader', completed_at: '2026-01-31T12:00:00.500000Z', duration_seconds: 0.5, route: 'default' }],
      completed_count: 1,
      total_nodes: 2,
    },
  },
  node_started: { type: 'node_started', workflow_id, ...node, started_at: '2026-01-31T12:00:00.500000Z' },
  node_completed: { type: 'node_completed', workflow_id, ...node, duration: 1.5, route: 'default', output_data: { http_request: { status: 200 } } },
  node_failed: { type: 'node_failed', workflow_id, ...node, error: 'Connection timeout' },
  workflow_completed: { type: 'workflow_completed', workflow_id, status: 'success', duration: 2.25 },
  workflow_failed: { type: 'workflow_failed', workflow_id, error: 'Workflow execution failed' },
  pong: { type: 'pong' },
  error: { type: 'error', message: 'Invalid JSON' },
  ping: { type: 'ping' },
  request_state: { type: 'request_state' },
} satisfies Record<string, JsonObject>
