import type { Problem, ProblemCode } from '../../rpc/faults.ts'
import { type Dialect, Other, type Rendered } from '../dialect.ts'
import { ApiError, type ErrorCode } from './contract.ts'
import { textOf, unfitCore, unfitWire, validationOf } from './mapping/unfit.ts'

/** How the Orchestrator tells a problem: the keys of its document, and beside them those of its source. */

const codes = {
  400: 'INVALID_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  408: 'TIMEOUT',
  409: 'CONFLICT',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  422: 'VALIDATION_ERROR',
  429: 'RATE_LIMITED',
  500: 'INTERNAL_ERROR',
  503: 'UNAVAILABLE',
  507: 'STORAGE_FULL',
} as const satisfies Record<number, ErrorCode>

const hasCode = (status: number): status is keyof typeof codes => Object.hasOwn(codes, status)

type More = Partial<Omit<ApiError, 'error' | 'code' | 'detail' | 'error_code'>>

/** An error of this status. A status that has no code of its own is told with that of its hundred. */
export function errorBody(status: number, error: string, { details = {}, ...more }: More = {}): ApiError {
  const code = hasCode(status) ? codes[status] : status < 500 ? 'INVALID_REQUEST' : 'INTERNAL_ERROR'
  return { error, code, details, detail: error, error_code: code, ...more }
}

export const refused = (status: number, error: string, more?: More): Other => new Other(status, errorBody(status, error, more))

// ── what is not there ──────────────────────────────────────────────────────────────────────────────────────────────────

const noneOf = (model: string): string => `No ${model} matches the given query.`

export const connectionMissing = (): Other => refused(404, noneOf('Connection'))

export const nodeMissing = ({ workflow_id, node_id }: { workflow_id: string; node_id: string }): Other =>
  refused(404, `Node not found: ${node_id} in workflow ${workflow_id}`, { resource_type: 'Node' })

export const nodeTypeMissing = (identifier: string): Other => refused(404, 'Node not found', { resource_type: 'NodeType', identifier })

/** Of rows that name a node, and whose fault does not say which. */
export const sayNode = ({ code }: Problem, path: { workflow_id: string; node_id: string }): Other | undefined => (code === 'node_missing' ? nodeMissing(path) : undefined)

// ── what took too long ─────────────────────────────────────────────────────────────────────────────────────────────────

export const executionTimeout = (seconds: number): Other => refused(408, `Node execution timed out after ${seconds} seconds`, { error_type: 'ExecutionTimeout', timeout: seconds })

// ── all problems ───────────────────────────────────────────────────────────────────────────────────────────────────────

type Telling = (problem: Problem) => { status: number; error: string; more?: More }

/** In our words, under the status of its kind. */
const asItIs: Telling = ({ status, message, details }) => ({ status, error: message, more: { details } })

const exactly =
  (status: number, error: string): Telling =>
  () => ({ status, error })

const missing = (model: string): Telling => exactly(404, noneOf(model))

const unfit: Telling = (problem) => {
  const { wire, issues, message, status } = problem
  // Refused before it was read, as a range of bytes: the status says why.
  if (status !== 400) return asItIs(problem)
  const errors = wire ? unfitWire(wire) : unfitCore(issues)
  return Object.keys(errors).length === 0 ? asItIs(problem) : { status, error: wire ? textOf(errors) : `${message}: ${textOf(errors)}`, more: { errors, details: errors } }
}

/** Of a workflow that is to run: what is wrong with which field of which node. */
const invalid: Telling = ({ issues, message }) => ({ status: 422, error: issues.length > 0 ? 'Workflow validation failed' : message, more: { details: validationOf(issues) } })

const malformed: Telling = ({ message, details }) => ({ status: 400, error: `JSON parse error - ${message}`, more: { details } })

const route: Telling = ({ status, message }) => ({ status, error: status === 405 ? message : 'Not found.' })

const tellings = {
  input_invalid: unfit,
  json_malformed: malformed,
  definition_invalid: invalid,
  expression_invalid: invalid,
  cursor_invalid: asItIs,
  body_too_large: asItIs,
  file_too_large: asItIs,
  media_unsupported: asItIs,
  credential_missing: exactly(401, 'Authentication credentials were not provided.'),
  credential_invalid: exactly(401, 'Given token not valid for any token type'),
  login_failed: exactly(401, 'Invalid credentials'),
  permission_denied: exactly(403, 'You do not have permission to perform this action.'),
  superusers_only: exactly(403, 'You do not have permission to perform this action.'),
  record_refused: exactly(403, 'You do not have permission to perform this action.'),
  collection_read_only: exactly(403, 'You do not have permission to perform this action.'),
  connection_mismatch: exactly(403, 'You do not have permission to perform this action.'),
  route_missing: route,
  workflow_missing: missing('WorkFlow'),
  version_missing: missing('Version'),
  node_missing: missing('Node'),
  link_missing: missing('Connection'),
  node_type_missing: missing('NodeType'),
  run_missing: missing('Task'),
  step_missing: missing('Step'),
  pause_missing: missing('Pause'),
  session_missing: missing('Session'),
  line_missing: missing('Message'),
  key_missing: missing('Key'),
  secret_missing: missing('Secret'),
  file_missing: missing('NodeFile'),
  webhook_missing: missing('Webhook'),
  delivery_missing: missing('Delivery'),
  schedule_missing: missing('Schedule'),
  collection_missing: missing('Collection'),
  record_missing: missing('Record'),
  connection_missing: missing('Connection'),
  queue_missing: missing('Queue'),
  item_missing: missing('Item'),
  queue_full: asItIs,
  signature_invalid: asItIs,
  workspace_missing: missing('Workspace'),
  user_missing: missing('User'),
  handle_taken: asItIs,
  name_taken: asItIs,
  id_taken: asItIs,
  workflow_in_code: asItIs,
  link_exists: exactly(400, 'Connection already exists'),
  key_taken: asItIs,
  last_owner: asItIs,
  member_exists: asItIs,
  workspace_in_use: asItIs,
  user_in_use: asItIs,
  record_in_use: asItIs,
  session_stale: asItIs,
  revision_stale: asItIs,
  hash_mismatch: asItIs,
  pause_decided: asItIs,
  pause_ambiguous: asItIs,
  calls_pending: asItIs,
  call_not_waiting: asItIs,
  transaction_conflict: asItIs,
  idempotency_conflict: asItIs,
  lane_busy: asItIs,
  report_conflict: asItIs,
  step_ambiguous: asItIs,
  step_not_waiting: asItIs,
  step_not_retrying: asItIs,
  run_ended: asItIs,
  run_compensating: asItIs,
  run_not_paused: asItIs,
  run_not_held: asItIs,
  run_not_holdable: asItIs,
  run_live: asItIs,
  run_is_child: asItIs,
  schedule_in_code: asItIs,
  file_in_use: asItIs,
  limit_exceeded: asItIs,
  signals_full: asItIs,
  lane_full: asItIs,
  files_full: asItIs,
  trial_refused: asItIs,
  filter_invalid: asItIs,
  record_invalid: asItIs,
  batch_failed: asItIs,
  rate_limited: exactly(429, 'Request was throttled.'),
  storage_full: asItIs,
  internal: asItIs,
  unavailable: asItIs,
} as const satisfies Record<ProblemCode, Telling>

export const errors: Dialect['errors'] = {
  schema: ApiError,
  render(problem): Rendered {
    const { status, error, more } = tellings[problem.code](problem)
    return { status, body: errorBody(status, error, more) }
  },
}
