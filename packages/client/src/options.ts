import type { Login, TokenPair } from '@sluice/schema'
import type { Input } from './input.ts'

/** Of one call, over those of the client. */
export interface CallOptions {
  /** Ends the call, whatever it is doing: its reason is what the call rejects with. The server may still carry it out. */
  signal?: AbortSignal | undefined
  /** Milliseconds, of one attempt, beyond what the call itself asks the server to wait. */
  timeoutMs?: number | undefined
  /** How often it is repeated after a failure that may pass, where a repeat does no harm. */
  retries?: number | undefined
}

/** Of workflows, by handle: the hash of the version that the caller was written for. */
export type Versions = Readonly<Record<string, string>>

/** With none of `apiKey`, `token` and `login`, calls carry no credential. */
export interface ClientOptions {
  /** Where the server listens, as `http://127.0.0.1:7878`, or the address under which a proxy shows it. */
  url: string | URL
  /** As `keys.create` showed it: `sk_…`. */
  apiKey?: string | undefined
  /** A token, or with the refresh token that renews it. */
  token?: string | Pick<TokenPair, 'token' | 'refreshToken'> | undefined
  /** Logs in with the first call, and again when the tokens have died. */
  login?: Input<typeof Login> | undefined
  /** Told of every new pair of tokens, so that it can be kept: an older refresh token must not be used again. */
  onTokens?: ((tokens: TokenPair) => void) | undefined
  /**
   * What `sluice pull` wrote beside the types: a start of one of these workflows throws `VersionSkewError` once it is another
   * version. A start that names its `version`, or an `expectHash` of its own, goes by that.
   */
  versions?: Versions | undefined
  /** In place of the global one. */
  fetch?: typeof fetch | undefined
  /** Milliseconds, of one attempt; 30,000 unless set. */
  timeoutMs?: number | undefined
  /** How often a call is repeated after a failure that may pass; 6 unless set. */
  retries?: number | undefined
  /** Milliseconds before the first repeat; doubles up to 10 s. 200 unless set. */
  backoffMs?: number | undefined
  /** Ends everything the client does. */
  signal?: AbortSignal | undefined
}
