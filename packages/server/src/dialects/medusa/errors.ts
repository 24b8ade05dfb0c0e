import { faults, type StepError } from '@sluice/schema'
import type { Problem, ProblemCode } from '../../rpc/faults.ts'
import { type Dialect, Other, type Rendered } from '../dialect.ts'
import { ApiError, ErrorType } from './contract.ts'
import { unfitCore, unfitWire } from './mapping/unfit.ts'

/** How Medusa tells a problem: a type, a message, and of some types a code. The status follows from the type. */

interface Told {
  status: number
  code?: string
}

const statuses = {
  conflict: { status: 409, code: 'invalid_state_error' },
  database_error: { status: 500, code: 'api_error' },
  duplicate_error: { status: 422, code: 'invalid_request_error' },
  forbidden: { status: 403 },
  invalid_argument: { status: 500 },
  invalid_data: { status: 400 },
  not_allowed: { status: 400 },
  not_found: { status: 404 },
  payment_authorization_error: { status: 422 },
  unauthorized: { status: 401 },
  unexpected_state: { status: 500 },
  unknown_error: { status: 500, code: 'unknown_error' },
} as const satisfies Record<ErrorType, Told>

/** An error of this type, under its status. */
export function errorOf(type: ErrorType, message: string): Rendered & { body: ApiError } {
  const { status, code }: Told = statuses[type]
  return { status, body: { ...(code !== undefined && { code }), type, message } }
}

export function refused(type: ErrorType, message: string): Other {
  const { status, body } = errorOf(type, message)
  return new Other(status, body)
}

// ── what is not there ──────────────────────────────────────────────────────────────────────────────────────────────────

export const workflowMissing = (id: string): Other => refused('not_found', `Workflow with id "${id}" not found.`)
export const transactionMissing = (id: string): Other => refused('not_found', `Transaction ${id} could not be found.`)
export const executionMissing = (by: Readonly<Record<string, string>>): Other =>
  refused(
    'not_found',
    `WorkflowExecution with ${Object.entries(by)
      .map(([key, value]) => `${key}: ${value}`)
      .join(', ')} was not found`,
  )

// ── what a step failed with ────────────────────────────────────────────────────────────────────────────────────────────

const isType = (type: unknown): type is ErrorType => ErrorType.safeParse(type).success

/** Of an error that says that it is one of Medusa's its type decides; any other is a 500, with what it said all the same. */
export function stepFailed({ code, message, details }: StepError): Other {
  const type = typeof details === 'object' && details !== null && 'type' in details ? details['type'] : undefined
  if (!isType(type)) return refused('unknown_error', message)
  const { status, body } = errorOf(type, message)
  return new Other(status, { ...(code !== 'error' && { code }), ...body })
}

// ── all problems ───────────────────────────────────────────────────────────────────────────────────────────────────────

type Telling = (problem: Problem) => Rendered

/** In our words, with a type of Medusa's. */
const as =
  (type: ErrorType): Telling =>
  ({ message }) =>
    errorOf(type, message)

const exactly =
  (type: ErrorType, message: string): Telling =>
  () =>
    errorOf(type, message)

/** Of a status that Medusa has no type for. */
const asItIs: Telling = ({ status, message }) => ({ status, body: { type: 'unknown_error', message } satisfies ApiError })

const missing = as('not_found')
const conflict = as('conflict')
const taken = as('duplicate_error')
const notAllowed = as('not_allowed')

/** Without a type, as its middleware has it, before any error of Medusa's is made. */
const unauthorized: Telling = () => ({ status: 401, body: { message: 'Unauthorized' } satisfies ApiError })

/** With what is to be said about this one, where there is something. */
const refusedCredential: Telling = (problem) =>
  problem.message === faults.credential_invalid.message ? unauthorized(problem) : { status: 401, body: { message: problem.message } satisfies ApiError }

const unfit: Telling = (problem) => {
  const { wire, issues, message, status } = problem
  // Refused before it was read, as a range of bytes: the status says why.
  if (status !== 400) return asItIs(problem)
  return errorOf('invalid_data', wire ? unfitWire(wire) : issues.length > 0 ? unfitCore(issues) : message)
}

/** Of a workflow that is to run: what is wrong with it. */
const invalid: Telling = ({ issues, message }) => errorOf('invalid_data', issues.length > 0 ? `${message}: ${unfitCore(issues).replace('Invalid request: ', '')}` : message)

const route: Telling = ({ status, message }) => ({ ...errorOf('not_found', message), status })

const tellings = {
  input_invalid: unfit,
  json_malformed: as('invalid_data'),
  definition_invalid: invalid,
  expression_invalid: invalid,
  cursor_invalid: as('invalid_data'),
  body_too_large: asItIs,
  file_too_large: asItIs,
  media_unsupported: asItIs,
  credential_missing: unauthorized,
  credential_invalid: refusedCredential,
  login_failed: exactly('unauthorized', 'Invalid email or password'),
  signature_invalid: unauthorized,
  permission_denied: as('forbidden'),
  superusers_only: as('forbidden'),
  record_refused: as('forbidden'),
  collection_read_only: as('forbidden'),
  connection_mismatch: as('forbidden'),
  route_missing: route,
  workflow_missing: missing,
  version_missing: missing,
  node_missing: missing,
  link_missing: missing,
  node_type_missing: missing,
  run_missing: missing,
  step_missing: exactly('invalid_data', 'Action not found.'),
  pause_missing: missing,
  session_missing: missing,
  line_missing: missing,
  key_missing: missing,
  secret_missing: missing,
  queue_missing: missing,
  item_missing: missing,
  file_missing: missing,
  webhook_missing: missing,
  delivery_missing: missing,
  schedule_missing: missing,
  collection_missing: missing,
  record_missing: missing,
  connection_missing: missing,
  workspace_missing: missing,
  user_missing: missing,
  handle_taken: taken,
  name_taken: taken,
  id_taken: taken,
  workflow_in_code: notAllowed,
  link_exists: taken,
  key_taken: taken,
  last_owner: notAllowed,
  member_exists: taken,
  workspace_in_use: notAllowed,
  user_in_use: notAllowed,
  record_in_use: notAllowed,
  session_stale: conflict,
  revision_stale: conflict,
  hash_mismatch: conflict,
  pause_decided: conflict,
  pause_ambiguous: conflict,
  calls_pending: conflict,
  call_not_waiting: conflict,
  transaction_conflict: conflict,
  idempotency_conflict: conflict,
  lane_busy: conflict,
  report_conflict: notAllowed,
  step_ambiguous: notAllowed,
  step_not_waiting: notAllowed,
  step_not_retrying: notAllowed,
  run_ended: notAllowed,
  run_compensating: notAllowed,
  run_not_paused: notAllowed,
  run_not_held: notAllowed,
  run_not_holdable: notAllowed,
  run_live: notAllowed,
  run_is_child: notAllowed,
  schedule_in_code: notAllowed,
  file_in_use: notAllowed,
  limit_exceeded: asItIs,
  queue_full: notAllowed,
  signals_full: notAllowed,
  lane_full: notAllowed,
  files_full: notAllowed,
  trial_refused: as('invalid_data'),
  filter_invalid: as('invalid_data'),
  record_invalid: as('invalid_data'),
  batch_failed: as('invalid_data'),
  rate_limited: asItIs,
  storage_full: asItIs,
  internal: exactly('unknown_error', 'An unknown error occurred.'),
  unavailable: ({ status, message }) => ({ status, body: { type: 'unexpected_state', message } satisfies ApiError }),
} as const satisfies Record<ProblemCode, Telling>

export const errors: Dialect['errors'] = {
  schema: ApiError,
  render: (problem): Rendered => tellings[problem.code](problem),
}
