import type { Run, RunEvent, RunNode, SnapshotEvent } from '@sluice/schema'
import { type DialectSocket, type Told, socket } from '../dialect.ts'
import { TaskQuery, WorkflowPath } from './contract.ts'
import { idOr, workflowRef } from './mapping/ids.ts'
import { zulu } from './mapping/times.ts'
import {
  type CompletedNode,
  examples,
  type ExecutingNode,
  type Message,
  NodeCompleted,
  NodeFailed,
  NodeStarted,
  Ping,
  Pong,
  RequestState,
  SocketError,
  StateSync,
  WorkflowCompleted,
  WorkflowFailed,
  type WorkflowState,
} from './messages.ts'
import { identifierOf } from './nodes.ts'

/** How the runs of a workflow are told over its socket. PURE and total. */

// ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * What a client is told of an event of the run it follows. What a producer does as a whole, unless it fails, and what is handed to
 * the body of a for-each, are no doings of a node here. The six events of the document do not say that another run has begun, or that one was
 * stopped: the state says it.
 */
export function messageOf(item: Told): Message | null {
  switch (item.type) {
    case 'snapshot':
      return { type: 'state_sync', state: stateIn(item) }
    case 'run.started':
      return { type: 'state_sync', state: { ...none(item.workflowId), status: 'running', started_at: zulu(item.at), total_nodes: item.nodes } }
    case 'run.cancelled':
      return { type: 'state_sync', state: none(item.workflowId) }
    case 'run.completed':
      return { type: 'workflow_completed', workflow_id: item.workflowId, status: 'success', duration: item.durationMs / 1000 }
    case 'run.failed':
    case 'run.compensated':
      return { type: 'workflow_failed', workflow_id: item.workflowId, error: item.reason.message }
    case 'step.started':
      // Trying again is part of it.
      return item.attempt > 1 || isPassedOver(item) ? null : { type: 'node_started', ...nodeOf(item), started_at: zulu(item.at) }
    case 'step.completed':
      return isPassedOver(item) ? null : { type: 'node_completed', ...nodeOf(item), duration: item.durationMs / 1000, route: routeOf(item.route), ...outputOf(item) }
    case 'step.failed':
      return item.part === 'element' ? null : { type: 'node_failed', ...nodeOf(item), error: item.error.message }
    default:
      return null
  }
}

type StepEvent = Extract<RunEvent, { nodeType: string }>

const nodeOf = ({ workflowId, nodeId, nodeType }: StepEvent) => ({ workflow_id: workflowId, node_id: nodeId, node_type: identifierOf(nodeType) })

const isPassedOver = ({ part }: StepEvent): boolean => part === 'items' || part === 'element'

/** What leaves by no route of its own goes on by `default`. */
const routeOf = (route: readonly string[]): string => (route.includes('default') ? 'default' : (route[0] ?? 'default'))

function outputOf({ output, outputRef }: Extract<RunEvent, { type: 'step.completed' }>): Pick<Extract<Message, { type: 'node_completed' }>, 'output_data'> {
  if (outputRef) return { output_data: { truncated: outputRef.bytes } }
  const isEmpty = output === undefined || output === null || output === '' || (typeof output === 'object' && Object.keys(output).length === 0)
  return isEmpty ? {} : { output_data: output }
}

// ── the state ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const none = (workflow_id: string): WorkflowState => ({ workflow_id, status: 'idle', executing_nodes: {}, completed_nodes: [], completed_count: 0 })

const statuses: Readonly<Record<Run['status'], WorkflowState['status']>> = {
  queued: 'running',
  running: 'running',
  waiting: 'running',
  held: 'running',
  cancelling: 'running',
  compensating: 'running',
  completed: 'completed',
  failed: 'failed',
  compensated: 'failed',
  cancelled: 'idle',
}

function stateIn({ run, workflowId = '', at }: SnapshotEvent): WorkflowState {
  if (!run) return none(workflowId)
  const status = statuses[run.status]
  return status === 'idle' ? none(run.workflowId) : { ...none(run.workflowId), ...progressOf(run, at), status, ...endOf(run, status) }
}

function progressOf({ created, startedAt, endedAt, nodes }: Run, at: string): Omit<WorkflowState, 'workflow_id' | 'status'> {
  const completed = nodes.toSorted(byCompletion).flatMap(completedOf)
  return {
    started_at: zulu(startedAt ?? created),
    executing_nodes: endedAt === null ? Object.fromEntries(nodes.flatMap((node) => executingOf(node, at))) : {},
    completed_nodes: completed,
    completed_count: completed.length,
    total_nodes: nodes.length,
  }
}

const byCompletion = (one: RunNode, other: RunNode): number => endOfLast(one) - endOfLast(other)
const endOfLast = ({ latest }: RunNode): number => Date.parse(latest.completed?.endedAt ?? '1970-01-01')

function endOf({ startedAt, endedAt, created, reason }: Run, status: WorkflowState['status']): Partial<WorkflowState> {
  if (endedAt === null) return {}
  if (status === 'failed') return { error: reason?.message ?? 'Workflow execution failed' }
  return { completed_at: zulu(endedAt), total_duration_seconds: between(startedAt ?? created, endedAt) }
}

/** What waits, for a person too, or for its next try, is under way. */
function executingOf({ nodeId, type, latest }: RunNode, at: string): [string, ExecutingNode][] {
  const startedAt = (latest.running ?? latest.waiting ?? latest.retrying)?.startedAt
  return startedAt ? [[nodeId, { node_id: nodeId, node_type: identifierOf(type), started_at: zulu(startedAt), duration_seconds: between(startedAt, at) }]] : []
}

function completedOf({ nodeId, type, latest: { completed } }: RunNode): CompletedNode[] {
  if (!completed?.endedAt) return []
  const duration_seconds = completed.startedAt ? between(completed.startedAt, completed.endedAt) : 0
  return [{ node_id: nodeId, node_type: identifierOf(type), completed_at: zulu(completed.endedAt), duration_seconds, route: routeOf(completed.route ?? []) }]
}

/** Seconds. Two servers may not have quite the same time. */
const between = (from: string, to: string): number => Math.max(0, Date.parse(to) - Date.parse(from)) / 1000

// ── the socket ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const pong: Message = { type: 'pong' }

export const sockets: readonly DialectSocket[] = [
  socket({
    name: 'watchWorkflow',
    path: '/ws/workflow/{workflow_id}/',
    summary: 'Follow the execution of a workflow',
    description: [
      'The state of the workflow first, then what happens, as it happens, and the state again whenever it is asked for: no event is in the state already, and none is missing after it. Of several runs it is the current one that is followed, whichever that is; when a run begins, or is stopped, its state is told, too. With `task_id` it is that run, and the socket closes with 1000 after its end.',
      'A browser, which can set no headers, is let in by its session cookie, or by a `ticket`, which opens one socket and comes of `POST /v1/auth/ticket`.',
    ].join('\n\n'),
    params: WorkflowPath,
    query: TaskQuery,
    ask({ path, query: { task_id } }) {
      const workflow = workflowRef(path.workflow_id)
      return task_id === undefined ? { workflow, current: true } : { workflow, runId: idOr('run_missing', task_id) }
    },
    frame: messageOf,
    tells: {
      state_sync: { summary: 'How the execution stands', schema: StateSync, example: examples.state_sync },
      node_started: { summary: 'A node has begun', schema: NodeStarted, example: examples.node_started },
      node_completed: { summary: 'A node has completed', schema: NodeCompleted, example: examples.node_completed },
      node_failed: { summary: 'A node has failed', schema: NodeFailed, example: examples.node_failed },
      workflow_completed: { summary: 'The execution has completed', schema: WorkflowCompleted, example: examples.workflow_completed },
      workflow_failed: { summary: 'The execution has failed', schema: WorkflowFailed, example: examples.workflow_failed },
      pong: { summary: 'The answer to a ping', schema: Pong, example: examples.pong },
      error: { summary: 'What is wrong with a message, or why the socket is closed', schema: SocketError, example: examples.error },
    },
    hears: {
      ping: { summary: 'Asks whether the server is there', schema: Ping, example: examples.ping, answer: pong },
      request_state: { summary: 'Asks for the state', schema: RequestState, example: examples.request_state, answer: 'snapshot' },
    },
    problem: ({ code, message }): Message => ({ type: 'error', message: code === 'json_malformed' ? 'Invalid JSON' : message }),
    closes: {
      unauthenticated: 4401,
      forbidden: 4403,
      not_found: 4404,
      invalid: 4400,
      conflict: 4409,
      too_large: 1009,
      unsupported_media: 1003,
      limit_exceeded: 4429,
      rate_limited: 4429,
      internal: 1011,
      unavailable: 1013,
      storage_full: 1013,
    },
  }),
]
