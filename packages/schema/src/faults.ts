import type { Json } from './json.ts'

/**
 * What a caller can act on. The kind decides the HTTP status; `unavailable` and `internal` are made at the edge, of
 * what is not a fault but an outage or a bug.
 */
export const faultKinds = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  unsupported_media: 415,
  limit_exceeded: 422,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
  storage_full: 507,
} as const satisfies Record<string, number>

export type FaultKind = keyof typeof faultKinds

const fault = <K extends FaultKind>(kind: K, message: string) => ({ kind, message })

/** Every fault of the core. A code never changes; the message is for people and may. */
export const faults = {
  // what was sent
  input_invalid: fault('invalid', 'The request is not valid'),
  json_malformed: fault('invalid', 'The body is not valid JSON'),
  definition_invalid: fault('invalid', 'The definition cannot be published'),
  expression_invalid: fault('invalid', 'The expression is not valid'),
  filter_invalid: fault('invalid', 'The filter, the order or the fields cannot be read'),
  record_invalid: fault('invalid', 'The record is not valid'),
  batch_failed: fault('invalid', 'One of the requests was refused: none of them has happened'),
  cursor_invalid: fault('invalid', 'The cursor is not one of ours'),
  body_too_large: fault('too_large', 'The body is too large'),
  file_too_large: fault('too_large', 'The file is too large'),
  media_unsupported: fault('unsupported_media', 'The content type is not supported'),
  // who sent it
  credential_missing: fault('unauthenticated', 'Send a token or an API key'),
  credential_invalid: fault('unauthenticated', 'The token or key is not valid'),
  login_failed: fault('unauthenticated', 'The email or the password is wrong'),
  signature_invalid: fault('unauthenticated', 'The signature does not hold'),
  permission_denied: fault('forbidden', 'This principal may not do that'),
  superusers_only: fault('forbidden', 'Only superusers may do that'),
  record_refused: fault('forbidden', 'The rule of the collection does not allow that'),
  collection_read_only: fault('forbidden', 'Records of this collection are written by the engine alone'),
  connection_mismatch: fault('forbidden', 'The connection belongs to somebody else'),
  // what it is about
  route_missing: fault('not_found', 'There is nothing at this address'),
  workflow_missing: fault('not_found', 'There is no such workflow'),
  version_missing: fault('not_found', 'There is no such version'),
  node_missing: fault('not_found', 'There is no such node'),
  link_missing: fault('not_found', 'There is no such link'),
  node_type_missing: fault('not_found', 'There is no such node type'),
  run_missing: fault('not_found', 'There is no such run'),
  step_missing: fault('not_found', 'There is no such step'),
  pause_missing: fault('not_found', 'There is no such pause'),
  session_missing: fault('not_found', 'There is no such session'),
  line_missing: fault('not_found', 'There is no such line'),
  key_missing: fault('not_found', 'There is no such API key'),
  secret_missing: fault('not_found', 'There is no such secret'),
  queue_missing: fault('not_found', 'There is no such queue'),
  item_missing: fault('not_found', 'There is no such item'),
  file_missing: fault('not_found', 'There is no such file'),
  webhook_missing: fault('not_found', 'There is no such webhook'),
  delivery_missing: fault('not_found', 'There is no such delivery'),
  schedule_missing: fault('not_found', 'There is no such schedule'),
  collection_missing: fault('not_found', 'There is no such collection'),
  record_missing: fault('not_found', 'There is no such record'),
  connection_missing: fault('not_found', 'There is no such connection'),
  workspace_missing: fault('not_found', 'There is no such workspace'),
  user_missing: fault('not_found', 'There is no such user'),
  // the state it met
  handle_taken: fault('conflict', 'The handle is in use'),
  name_taken: fault('conflict', 'The name is in use'),
  id_taken: fault('conflict', 'The id is in use'),
  workflow_in_code: fault('conflict', 'The workflow is written in code, and is changed there'),
  link_exists: fault('conflict', 'The link is there already'),
  key_taken: fault('conflict', 'The node has another file of this key'),
  last_owner: fault('conflict', 'A workspace keeps at least one owner'),
  member_exists: fault('conflict', 'The user is a member already'),
  workspace_in_use: fault('conflict', 'The workspace is in use'),
  user_in_use: fault('conflict', 'Sessions of the user are there'),
  record_in_use: fault('conflict', 'Other records need this one'),
  session_stale: fault('conflict', 'The session has changed'),
  revision_stale: fault('conflict', 'The draft has moved on'),
  hash_mismatch: fault('conflict', 'The published version is another one'),
  pause_decided: fault('conflict', 'The pause has been decided'),
  pause_ambiguous: fault('conflict', 'Several pauses are open'),
  calls_pending: fault('conflict', 'The round under way waits for the results of calls'),
  call_not_waiting: fault('conflict', 'No round waits for the result of this call'),
  transaction_conflict: fault('conflict', 'A run with this transaction id is live with another input'),
  idempotency_conflict: fault('conflict', 'The idempotency key was used with another request'),
  lane_busy: fault('conflict', 'Another run is live in this lane'),
  report_conflict: fault('conflict', 'The step has another outcome'),
  step_ambiguous: fault('conflict', 'Several steps of this name are waiting'),
  step_not_waiting: fault('conflict', 'The step is not waiting for a report'),
  step_not_retrying: fault('conflict', 'The step is not waiting for a retry'),
  run_ended: fault('conflict', 'The run has ended'),
  run_compensating: fault('conflict', 'The run is being undone'),
  run_not_paused: fault('conflict', 'The run asks for no decision'),
  run_not_held: fault('conflict', 'No hold lies on the run'),
  run_not_holdable: fault('conflict', 'The run cannot be held now'),
  run_live: fault('conflict', 'The run has not ended'),
  run_is_child: fault('conflict', 'The run is part of another run'),
  file_in_use: fault('conflict', 'The file is in use'),
  schedule_in_code: fault('conflict', 'The schedule is said by the code of its workflow'),
  // limits
  limit_exceeded: fault('limit_exceeded', 'A limit was exceeded'),
  queue_full: fault('limit_exceeded', 'The queue keeps no more items'),
  signals_full: fault('limit_exceeded', 'The run keeps no more signals'),
  lane_full: fault('limit_exceeded', 'The lane queues no more runs'),
  files_full: fault('limit_exceeded', 'The workspace has no room for more files'),
  trial_refused: fault('invalid', 'This part cannot be tried'),
  rate_limited: fault('rate_limited', 'Too many requests'),
  storage_full: fault('storage_full', 'There is no room left to store this'),
} as const satisfies Record<string, { kind: FaultKind; message: string }>

export type FaultCode = keyof typeof faults

/** One thing wrong with what was sent. `path` leads into the value; a definition's issue also names its node, a record's what is wrong. */
export interface Issue {
  path?: (string | number)[]
  nodeId?: string
  field?: string
  message: string
  /** Of a field of a record. Never changes. */
  code?: RecordIssueCode
  /** What the message says in numbers and names. */
  params?: { [key: string]: Json }
}

/** What can be wrong with a field of a record. */
export const recordIssueCodes = [
  'required',
  'not_unique',
  'invalid_format',
  'min_text',
  'max_text',
  'invalid_value',
  'too_many_values',
  'not_enough_values',
  'missing_records',
  'invalid_json',
  'json_size',
  'min_number',
  'max_number',
  'only_int',
  'not_a_number',
  'id_change',
  'invalid_id',
  'invalid_email',
  'invalid_url',
  'length_too_long',
  'length_out_of_range',
  'values_mismatch',
  'invalid_old_password',
] as const
export type RecordIssueCode = (typeof recordIssueCodes)[number]

export interface FaultOptions {
  message?: string
  issues?: Issue[]
  details?: { [key: string]: Json }
  /** Seconds after which the same request may succeed. */
  retryAfter?: number
  cause?: unknown
}

/** Thrown by the core for everything a caller can act on; anything else that is thrown is a bug or an outage. */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly kind: FaultKind
  readonly issues: Issue[]
  readonly details: { [key: string]: Json }
  readonly retryAfter: number | undefined

  constructor(code: FaultCode, options: FaultOptions = {}) {
    super(options.message ?? faults[code].message, { cause: options.cause })
    this.code = code
    this.kind = faults[code].kind
    this.issues = options.issues ?? []
    this.details = options.details ?? {}
    this.retryAfter = options.retryAfter
  }
}
