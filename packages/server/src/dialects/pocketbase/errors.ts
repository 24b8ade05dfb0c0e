import { faults, type FaultCode, faultKinds, type FaultKind, type Issue, type JsonObject, type RecordIssueCode } from '@sluice/schema'
import type { Problem, ProblemCode, WireIssue } from '../../rpc/faults.ts'
import { type Dialect, Other, type Rendered } from '../dialect.ts'
import { ApiError } from './contract.ts'

/** How PocketBase tells a problem: what is wrong with each field under `data`, a sentence, and the status again. */

const inGeneral = 'Something went wrong while processing your request.'
const notFound = "The requested resource wasn't found."

const told = (status: number, message: string, data: JsonObject = {}): Rendered & { body: ApiError } => ({ status, body: { data, message: sentence(message), status } })

/** An answer of a row in place of its reply. */
export function refused(status: number, message: string, data: JsonObject = {}): Other {
  return new Other(status, told(status, message, data).body)
}

/** It begins with a capital, and ends. */
const sentence = (text: string): string => ended(`${text.slice(0, 1).toUpperCase()}${text.slice(1)}`)
/** What may begin with the name of a field is not spelled otherwise. */
const ended = (text: string): string => `${text}${/[.!?]$/.test(text) ? '' : '.'}`

// ── what is wrong with fields ──────────────────────────────────────────────────────────────────────────────────────────

const codes = {
  required: 'validation_required',
  not_unique: 'validation_not_unique',
  invalid_format: 'validation_invalid_format',
  min_text: 'validation_min_text_constraint',
  max_text: 'validation_max_text_constraint',
  invalid_value: 'validation_invalid_value',
  too_many_values: 'validation_too_many_values',
  not_enough_values: 'validation_not_enough_values',
  missing_records: 'validation_missing_rel_records',
  invalid_json: 'validation_invalid_json',
  json_size: 'validation_json_size_limit',
  min_number: 'validation_min_number_constraint',
  max_number: 'validation_max_number_constraint',
  only_int: 'validation_only_int_constraint',
  not_a_number: 'validation_not_a_number',
  id_change: 'validation_pk_change',
  invalid_id: 'validation_pk_invalid',
  invalid_email: 'validation_is_email',
  invalid_url: 'validation_invalid_url',
  length_too_long: 'validation_length_too_long',
  length_out_of_range: 'validation_length_out_of_range',
  values_mismatch: 'validation_values_mismatch',
  invalid_old_password: 'validation_invalid_old_password',
} as const satisfies Record<RecordIssueCode, string>

/** By the field that each is about: of several about one field the first, as PocketBase stops there. What is about none is not told here. */
export function dataOf(issues: readonly Issue[]): JsonObject {
  const data: JsonObject = {}
  for (const { path: [field] = [], code = 'invalid_value', message, params } of issues) {
    if (field === undefined || Object.hasOwn(data, field)) continue
    data[field] = { code: codes[code], message: ended(message), ...(params && Object.keys(params).length > 0 && { params }) }
  }
  return data
}

/** Of what came over the wire: a key that has to be there is blank, any other is not valid. */
function dataOfWire(wire: readonly WireIssue[]): JsonObject {
  return dataOf(wire.map(({ issue }) => ({ path: issue.path.map(String), ...(isBlank(issue.input) ? blank : invalid) })))
}

const blank = { code: 'required', message: 'Cannot be blank.' } as const
const invalid = { code: 'invalid_value', message: 'Invalid value.' } as const
const isBlank = (value: unknown): boolean => value === undefined || value === null || value === ''

// ── all problems ───────────────────────────────────────────────────────────────────────────────────────────────────────

type Telling = (problem: Problem) => Rendered

const exactly =
  (status: number, message: string): Telling =>
  () =>
    told(status, message)

/** In our words where there are some about this one, else as PocketBase has it. */
const unlessSaid =
  (status: number, code: FaultCode, message: string): Telling =>
  (problem) =>
    told(status, problem.message === faults[code].message ? message : problem.message)

/** What does not fit an address or a query is said in general, with the reason beside it. */
function unfit({ status, wire, issues }: Problem): Rendered {
  if (status !== 400) return told(status, inGeneral)
  const inBody = wire?.some((issue) => issue.in === 'body') ?? false
  return told(400, inBody ? 'An error occurred while validating the submitted data.' : inGeneral, wire ? dataOfWire(wire) : dataOf(issues))
}

const reasoned: Telling = ({ message, issues }) => told(400, inGeneral, issues.length > 0 ? dataOf(issues) : { filter: { code: codes.invalid_value, message: ended(message) } })

/** There is no 405: an address that has other methods is told as one that is not there, with the reason beside it. */
const routeMissing: Telling = ({ status, message }) => told(404, notFound, status === 405 ? { method: { code: codes.invalid_value, message: sentence(message) } } : {})

/** Those that PocketBase has words for. */
const tellings: Partial<Record<ProblemCode, Telling>> = {
  input_invalid: unfit,
  filter_invalid: reasoned,
  json_malformed: exactly(400, inGeneral),
  media_unsupported: exactly(400, 'Unsupported Content-Type.'),
  body_too_large: exactly(413, 'Request entity too large.'),
  file_too_large: exactly(413, 'Request entity too large.'),
  record_invalid: ({ issues }) => told(400, 'An error occurred while validating the submitted data.', dataOf(issues)),
  batch_failed: exactly(400, 'Batch transaction failed.'),
  record_refused: exactly(400, inGeneral),
  record_in_use: exactly(400, 'Failed to delete record. Make sure that the record is not part of a required relation reference.'),
  collection_read_only: exactly(400, 'Unsupported collection type.'),
  credential_missing: exactly(401, 'The request requires valid record authorization token.'),
  credential_invalid: unlessSaid(401, 'credential_invalid', 'The request requires valid record authorization token.'),
  login_failed: exactly(400, 'Failed to authenticate.'),
  permission_denied: unlessSaid(403, 'permission_denied', 'You are not allowed to perform this request.'),
  superusers_only: unlessSaid(403, 'superusers_only', 'Only superusers can perform this action.'),
  connection_mismatch: exactly(403, "The current and the previous request authorization don't match."),
  route_missing: routeMissing,
  collection_missing: exactly(404, 'Missing collection context.'),
  connection_missing: exactly(404, 'Missing or invalid client id.'),
  rate_limited: exactly(429, 'Too Many Requests.'),
  internal: exactly(500, inGeneral),
}

/** Of what PocketBase has no word for the kind decides. */
const ofKind: Partial<Record<FaultKind, Telling>> = { not_found: exactly(404, notFound) }
const asItIs: Telling = ({ kind, message }) => told(faultKinds[kind], message)

export const errors: Dialect['errors'] = {
  schema: ApiError,
  render: (problem): Rendered => (tellings[problem.code] ?? ofKind[problem.kind] ?? asItIs)(problem),
}

// ── by what was asked ──────────────────────────────────────────────────────────────────────────────────────────────────

const isUnfit = ({ code, issues }: Problem, key: string): boolean => code === 'input_invalid' && issues.some(({ path }) => path?.[0] === key)

/** Of an address that is too long, or is of no form, nothing is there. */
export function nowhere(problem: Problem): Other | undefined {
  if (isUnfit(problem, 'collection')) return refused(404, 'Missing collection context.')
  return isUnfit(problem, 'id') ? refused(404, notFound) : undefined
}

const tooFar = { page: { code: codes.invalid_value, message: 'It begins after the first million.' } }

/** Of a list, what the core says of its own words is said of those that were sent. */
export const notListed = (problem: Problem): Other | undefined => (isUnfit(problem, 'offset') ? refused(400, inGeneral, tooFar) : nowhere(problem))

/** Why a record was not written, in the words of what was about to be done. */
export const failedTo =
  (deed: 'create' | 'update') =>
  (problem: Problem): Other | undefined => {
    const message = `Failed to ${deed} record.`
    const { code, issues } = problem
    if (code === 'record_invalid' || code === 'id_taken') return refused(400, message, code === 'id_taken' ? notUnique : dataOf(issues))
    return code === 'record_refused' ? refused(400, message) : nowhere(problem)
  }

const notUnique = { id: { code: codes.not_unique, message: 'Value must be unique.' } }
