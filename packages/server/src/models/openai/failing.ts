import { OutsideError } from '../../outside/error.ts'
import type { OutsideErrorCode } from '../../outside/error.ts'
import { ModelError } from '../error.ts'
import type { ModelErrorCode } from '../error.ts'

const byOutside = {
  network: 'network',
  timed_out: 'timed_out',
  refused_address: 'refused_address',
  too_large: 'answer_too_long',
  redirects: 'not_found',
  invalid_request: 'bad_request',
} satisfies Record<OutsideErrorCode, ModelErrorCode>

/** What the client library throws for an answer that is none; by its shape, so that the library need not be loaded to be asked. */
interface Refusal {
  status?: number
  headers?: Headers
  code?: unknown
  type?: unknown
  message: string
}

/** Any error of asking as one of ours. Of what a server wrote, the key is blotted out and an excerpt kept. */
export function failureOf(error: unknown, hide: (text: string) => string): ModelError {
  const both = [error, error instanceof Error ? error.cause : undefined]
  const ours = both.find((each) => each instanceof ModelError)
  if (ours) return ours
  const outside = both.find((each) => each instanceof OutsideError)
  if (outside) return new ModelError(byOutside[outside.code], `The model could not be asked: ${outside.message}`)
  if (error instanceof SyntaxError) return new ModelError('answer_invalid', 'The model sent a piece of an answer that cannot be read')
  if (!(error instanceof Error)) return new ModelError('unavailable', 'The model could not be asked')
  const refusal = error as Refusal
  const said = hide(refusal.message).slice(0, 500)
  const { status } = refusal
  const code = status === undefined ? ofStream(refusal) : ofStatus(status, refusal)
  const message = status === undefined ? `The model's server ended the answer with an error: ${said}` : `The model's server answered ${said}`
  return new ModelError(code, message, retryAfterOf(refusal.headers))
}

/** Whether the server did not understand how it was asked. */
export const isRefusal = (error: unknown): error is Error => error instanceof Error && 'status' in error && (error.status === 400 || error.status === 422)

const namesOf = ({ code, type, message }: Refusal): string => [code, type, message].filter((each) => typeof each === 'string').join(' ')
const isQuota = (refusal: Refusal): boolean => /insufficient_quota|billing/i.test(namesOf(refusal))

function ofStatus(status: number, refusal: Refusal): ModelErrorCode {
  if (status === 401 || status === 403) return 'unauthorized'
  if (status === 402 || (status === 429 && isQuota(refusal))) return 'quota_exhausted'
  if (status === 429) return 'rate_limited'
  if (status === 404 || status === 410 || (status >= 300 && status < 400)) return 'not_found'
  if (status === 413) return 'context_too_long'
  if (status === 408 || status === 409 || status === 425 || status >= 500) return 'unavailable'
  return ofContent(refusal) ?? 'bad_request'
}

/** An error that came where a piece of the answer should have. */
function ofStream(refusal: Refusal): ModelErrorCode {
  if (isQuota(refusal)) return 'quota_exhausted'
  if (/rate_?limit/i.test(namesOf(refusal))) return 'rate_limited'
  return ofContent(refusal) ?? 'unavailable'
}

function ofContent(refusal: Refusal): ModelErrorCode | null {
  const names = namesOf(refusal)
  if (/context_length|context window|maximum context|too many tokens|prompt is too long/i.test(names)) return 'context_too_long'
  return /content_(filter|policy)|responsible ?ai/i.test(names) ? 'content_filtered' : null
}

/** An hour: no server keeps a step waiting longer. */
const longestMs = 3_600_000

function retryAfterOf(headers: Headers | undefined): number | null {
  const [ms, after] = [headers?.get('retry-after-ms'), headers?.get('retry-after')]
  const wait = ms ? Number(ms) : after ? (/^\s*[\d.]+\s*$/.test(after) ? Number(after) * 1_000 : Date.parse(after) - Date.now()) : Number.NaN
  return wait > 0 ? Math.min(Math.ceil(wait), longestMs) : null
}
