import type { FaultKind, Issue, JsonObject } from '@sluice/schema'
import {
  ConflictError,
  type ErrorFacts,
  ForbiddenError,
  InternalError,
  InvalidError,
  LimitExceededError,
  NetworkError,
  NotFoundError,
  RateLimitedError,
  SluiceError,
  UnauthenticatedError,
  UnavailableError,
  VersionSkewError,
} from './errors.ts'

/** Total: a new kind of the server does not compile until it has a class. */
const classes = {
  invalid: InvalidError,
  too_large: InvalidError,
  unsupported_media: InvalidError,
  unauthenticated: UnauthenticatedError,
  forbidden: ForbiddenError,
  not_found: NotFoundError,
  conflict: ConflictError,
  limit_exceeded: LimitExceededError,
  rate_limited: RateLimitedError,
  internal: InternalError,
  unavailable: UnavailableError,
  storage_full: UnavailableError,
} as const satisfies Record<FaultKind, typeof SluiceError>

/** What stands between us and the server has words of its own: then the status alone tells. */
const kinds: Record<number, FaultKind> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  413: 'too_large',
  415: 'unsupported_media',
  422: 'limit_exceeded',
  429: 'rate_limited',
  500: 'internal',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
  507: 'storage_full',
}

type Facts = { [key: string]: unknown }

const isObject = (value: unknown): value is Facts => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The error of an answer that is not a 2xx: of a procedure `{error: {message, data}}`, of what came before one `{error: {…}}`,
 * of a proxy anything at all.
 */
export function refusalOf(status: number, headers: Headers, body: unknown): SluiceError {
  const error = isObject(body) && isObject(body['error']) ? body['error'] : null
  const facts = error && isObject(error['data']) ? { ...error['data'], message: error['message'] } : error
  const requestId = headers.get('x-request-id')
  return errorOf(facts, { status, requestId, retryAfter: secondsOf(headers.get('retry-after')) })
}

/** The error that a stream ends with: what a procedure would have answered. */
export function streamRefusalOf(shape: unknown): SluiceError {
  const facts = isObject(shape) && isObject(shape['data']) ? { ...shape['data'], message: shape['message'] } : null
  return errorOf(facts, { status: null, requestId: null, retryAfter: undefined })
}

function errorOf(facts: Facts | null, answer: Required<Pick<ErrorFacts, 'status' | 'requestId'>> & { retryAfter: number | undefined }): SluiceError {
  const status = typeof facts?.['status'] === 'number' ? facts['status'] : (answer.status ?? null)
  const named = facts?.['kind']
  const kind = typeof named === 'string' && named in classes ? (named as FaultKind) : status === null ? 'unavailable' : kinds[status]
  const message = typeof facts?.['message'] === 'string' ? facts['message'] : `The server answered with status ${status}`
  if (kind === undefined) return new NetworkError(message, { status })
  const code = typeof facts?.['code'] === 'string' ? facts['code'] : kind
  const Class = code === 'hash_mismatch' ? VersionSkewError : classes[kind]
  return new Class({
    code,
    kind,
    message,
    status,
    requestId: typeof facts?.['requestId'] === 'string' ? facts['requestId'] : (answer.requestId ?? null),
    issues: Array.isArray(facts?.['issues']) ? (facts['issues'] as Issue[]) : [],
    details: isObject(facts?.['details']) ? (facts['details'] as JsonObject) : {},
    retryAfter: answer.retryAfter,
  })
}

/** `Retry-After` is seconds or a date. */
function secondsOf(retryAfter: string | null, now = Date.now()): number | undefined {
  if (retryAfter === null || retryAfter.trim() === '') return undefined
  const seconds = Number(retryAfter)
  if (Number.isFinite(seconds)) return Math.max(0, seconds)
  const date = Date.parse(retryAfter)
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000))
}
