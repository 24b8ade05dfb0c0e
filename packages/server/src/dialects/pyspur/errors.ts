import type { Json, JsonObject } from '@sluice/schema'
import type { Problem, ProblemCode } from '../../rpc/faults.ts'
import type { Dialect, Rendered } from '../dialect.ts'
import { HTTPError, type ValidationError } from './contract.ts'
import { zulu } from './mapping/times.ts'
import { unfitCore, unfitWire, valueError } from './mapping/unfit.ts'

/** A problem as FastAPI tells it: a status and `{detail}`, a text or, of what does not fit, a list. */
type Telling = (problem: Problem) => { status: number; detail: string | ValidationError[] }

/** In our words, under the status of its kind. */
const asItIs: Telling = ({ status, message }) => ({ status, detail: message })

/** In our words, under a status of PySpur's. */
const as =
  (status: number): Telling =>
  ({ message }) => ({ status, detail: message })

const exactly =
  (status: number, detail: string): Telling =>
  () => ({ status, detail })

const missing = (detail: string): Telling => exactly(404, detail)

const unfit: Telling = (problem) => {
  const { wire, issues, message, kind, status, details } = problem
  // Refused before it was read, as a range of bytes: the status says why.
  if (kind === 'invalid' && status !== 400) return asItIs(problem)
  const told = wire ? wire.map(unfitWire) : issues.map(unfitCore)
  return { status: 422, detail: told.length > 0 ? told : [{ ...valueError(message), loc: [textOf(details['in']) || 'body'], input: null }] }
}

const malformed: Telling = ({ details, message }) => ({
  status: 422,
  detail: [
    { type: 'json_invalid', loc: ['body', ...(typeof details['offset'] === 'number' ? [details['offset']] : [])], msg: 'JSON decode error', input: {}, ctx: { error: message } },
  ],
})

const route: Telling = ({ status }) => ({ status, detail: status === 405 ? 'Method Not Allowed' : 'Not Found' })

const notPaused = 'Run is not in a paused state'

/** Who decided what and when: a client can tell its user, who came second. */
const decided: Telling = ({ details, status }) => {
  const { pauseId, decision } = details
  // Closed with its run, and decided by nobody.
  if (details['status'] === 'cancelled') return { status: 400, detail: notPaused }
  const pause = `Pause PH_${textOf(pauseId)}`
  if (!isObject(decision)) return { status, detail: `${pause} is closed: ${textOf(details['status'])}` }
  const by = isObject(decision['by']) ? (decision['by']['label'] ?? decision['by']['id']) : null
  return { status, detail: `${pause} was decided already: ${textOf(decision['action']).toUpperCase()} by ${textOf(by)} at ${zulu(textOf(decision['at']))}` }
}

const ambiguous: Telling = ({ details, status }) => {
  const pauses = Array.isArray(details['pauses']) ? details['pauses'].map((id) => `PH_${textOf(id)}`) : []
  return { status, detail: `Several pauses of this run are open; put the id of the one that is meant in place of the run's: ${pauses.join(', ')}` }
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

const tellings = {
  input_invalid: unfit,
  json_malformed: malformed,
  definition_invalid: unfit,
  expression_invalid: unfit,
  cursor_invalid: unfit,
  body_too_large: asItIs,
  file_too_large: asItIs,
  media_unsupported: asItIs,
  credential_missing: asItIs,
  credential_invalid: asItIs,
  login_failed: asItIs,
  signature_invalid: asItIs,
  permission_denied: asItIs,
  superusers_only: asItIs,
  record_refused: asItIs,
  collection_read_only: asItIs,
  connection_mismatch: asItIs,
  route_missing: route,
  workflow_missing: missing('Workflow not found'),
  version_missing: missing('Version not found'),
  node_missing: as(400),
  link_missing: as(400),
  node_type_missing: as(400),
  run_missing: missing('Run not found'),
  step_missing: missing('Task not found'),
  pause_missing: exactly(400, 'No paused task found for this run'),
  session_missing: missing('Session not found'),
  line_missing: missing('Message not found'),
  key_missing: asItIs,
  secret_missing: asItIs,
  queue_missing: asItIs,
  item_missing: asItIs,
  file_missing: missing('File not found'),
  webhook_missing: asItIs,
  delivery_missing: asItIs,
  schedule_missing: asItIs,
  collection_missing: asItIs,
  record_missing: asItIs,
  connection_missing: asItIs,
  workspace_missing: asItIs,
  user_missing: missing('User not found'),
  handle_taken: asItIs,
  name_taken: asItIs,
  id_taken: asItIs,
  workflow_in_code: asItIs,
  link_exists: asItIs,
  key_taken: asItIs,
  last_owner: asItIs,
  member_exists: asItIs,
  workspace_in_use: asItIs,
  user_in_use: asItIs,
  record_in_use: asItIs,
  session_stale: asItIs,
  revision_stale: asItIs,
  hash_mismatch: asItIs,
  pause_decided: decided,
  pause_ambiguous: ambiguous,
  calls_pending: asItIs,
  call_not_waiting: asItIs,
  transaction_conflict: asItIs,
  idempotency_conflict: asItIs,
  lane_busy: asItIs,
  report_conflict: asItIs,
  step_ambiguous: asItIs,
  step_not_waiting: asItIs,
  step_not_retrying: asItIs,
  run_ended: as(400),
  run_compensating: as(400),
  run_not_paused: exactly(400, notPaused),
  run_not_held: asItIs,
  run_not_holdable: asItIs,
  run_live: asItIs,
  run_is_child: asItIs,
  schedule_in_code: asItIs,
  file_in_use: asItIs,
  limit_exceeded: unfit,
  queue_full: unfit,
  signals_full: unfit,
  lane_full: unfit,
  files_full: unfit,
  trial_refused: as(400),
  filter_invalid: as(400),
  record_invalid: as(400),
  batch_failed: as(400),
  rate_limited: asItIs,
  storage_full: asItIs,
  internal: asItIs,
  unavailable: asItIs,
} as const satisfies Record<ProblemCode, Telling>

export const errors: Dialect['errors'] = {
  schema: HTTPError,
  render(problem): Rendered {
    const { status, detail } = tellings[problem.code](problem)
    return { status, body: { detail } satisfies HTTPError }
  },
}
