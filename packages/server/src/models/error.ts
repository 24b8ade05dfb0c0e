/** Why a model gave no answer, and whether the same question may do better another time. */
const retried = {
  rate_limited: true,
  /** Its server failed. */
  unavailable: true,
  network: true,
  timed_out: true,
  /** The answer broke off. */
  cut_off: true,
  /** What came is no answer, or not the JSON that was asked for. */
  answer_invalid: true,
  unauthorized: false,
  quota_exhausted: false,
  /** No such model, or nothing at this address. */
  not_found: false,
  bad_request: false,
  content_filtered: false,
  context_too_long: false,
  /** It ended at `maxTokens`, and half an answer was of no use. */
  answer_too_long: false,
  refused_address: false,
  /** The offline model has no rule for it. */
  beyond_rules: false,
} as const

export type ModelErrorCode = keyof typeof retried

export class ModelError extends Error {
  override readonly name = 'ModelError'
  readonly code: ModelErrorCode
  readonly retry: boolean
  /** The least that the model's server asks us to wait. */
  readonly retryAfterMs: number | null
  // No cause is kept: those of the client library carry the request, and with it its credentials.
  constructor(code: ModelErrorCode, message: string, retryAfterMs: number | null = null) {
    super(message)
    this.code = code
    this.retry = retried[code]
    this.retryAfterMs = retryAfterMs
  }
}
