/** Why an exchange failed. A message names the host and nothing else of the request: no path, no query, no header value. */
export type OutsideErrorCode = 'refused_address' | 'timed_out' | 'too_large' | 'redirects' | 'network' | 'invalid_request'

export class OutsideError extends Error {
  override readonly name = 'OutsideError'
  readonly code: OutsideErrorCode
  // No cause is kept: those of the HTTP client may carry the request, and with it its credentials.
  constructor(code: OutsideErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Turns what the HTTP client, TLS or DNS threw into one of ours. Of the original only its code is kept. */
export function asOutsideError(error: unknown, host: string): OutsideError {
  if (error instanceof OutsideError) return error
  const code = codeOf(error)
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return new OutsideError('timed_out', `no connection to ${host} in time`)
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return new OutsideError('too_large', `the headers of ${host} are too large`)
  return new OutsideError('network', code ? `no answer from ${host} (${code})` : `no answer from ${host}`)
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' && /^[A-Z0-9_]{1,60}$/.test(error.code) ? error.code : undefined
}
