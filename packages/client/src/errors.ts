import type { Decision, FaultCode, FaultKind, Issue, Json, JsonObject, Reason, ReasonCode, Run } from '@sluice/schema'

/** Codes never change. A newer server may have ones that this package does not know. */
export type ErrorCode = FaultCode | ReasonCode | 'internal' | 'unavailable' | 'network' | 'timeout' | (string & {})

/** What sort of error it is: of the server's answer, of the way to it, of a time-out here, or of a run that did not complete. */
export type ErrorKind = FaultKind | 'network' | 'timeout' | 'run'

export interface ErrorFacts {
  code: ErrorCode
  kind: ErrorKind
  /** For people; may change. */
  message: string
  /** The HTTP status, where there was an answer. */
  status?: number | null
  requestId?: string | null
  issues?: Issue[]
  details?: JsonObject
  /** Seconds. */
  retryAfter?: number | undefined
  cause?: unknown
}

/** Whatever goes wrong with a call is one of these, but for the reason of an `AbortSignal`, which is thrown as it is. */
export class SluiceError extends Error {
  override readonly name: string = 'SluiceError'
  readonly code: ErrorCode
  readonly kind: ErrorKind
  /** The HTTP status; null when there was no answer. */
  readonly status: number | null
  /** Finds the request in the server's log. */
  readonly requestId: string | null
  /** What was wrong with what was sent, part by part. */
  readonly issues: Issue[]
  /** What the code needs to be acted on, as the ids that were in conflict. */
  readonly details: JsonObject
  /** Seconds after which the same call may succeed, where the server said so. */
  readonly retryAfter: number | undefined

  constructor(facts: ErrorFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = facts.code
    this.kind = facts.kind
    this.status = facts.status ?? null
    this.requestId = facts.requestId ?? null
    this.issues = facts.issues ?? []
    this.details = facts.details ?? {}
    this.retryAfter = facts.retryAfter
  }
}

/** 400, 413, 415: what was sent is not what the call takes; `issues` say where. */
export class InvalidError extends SluiceError {
  override readonly name: string = 'InvalidError'
}

/** 401: no credential, or one that does not hold and could not be renewed. */
export class UnauthenticatedError extends SluiceError {
  override readonly name: string = 'UnauthenticatedError'
}

/** 403: the credential holds, and may not do that. */
export class ForbiddenError extends SluiceError {
  override readonly name: string = 'ForbiddenError'
}

/** 404: there is no such thing, or not in this workspace. */
export class NotFoundError extends SluiceError {
  override readonly name: string = 'NotFoundError'
}

/** 409: the state it met does not allow it. Never repeated: look, then decide. */
export class ConflictError extends SluiceError {
  override readonly name: string = 'ConflictError'

  /** The decision that stands, when a pause had been decided otherwise. Null when nobody decided: `details.status` says whether it expired or was closed. */
  get winner(): Decision | null {
    return this.code === 'pause_decided' ? ((this.details['decision'] ?? null) as Decision | null) : null
  }
}

/** 409 `hash_mismatch`: the workflow is not the version that the caller was written for. `sluice pull` gets the types of the new one. */
export class VersionSkewError extends ConflictError {
  override readonly name: string = 'VersionSkewError'

  /** The hash of the version that there is now. */
  get hash(): string | null {
    return textOf(this.details['hash'])
  }

  /** The hash of the version that the caller was written for. */
  get expectedHash(): string | null {
    return textOf(this.details['expectedHash'])
  }

  /** The same, with what was asked. @internal */
  against({ workflow, expectHash }: { workflow: string; expectHash?: string | undefined }): VersionSkewError {
    const { code, kind, status, requestId, issues, retryAfter } = this
    const message = `Workflow ${workflow} is no longer the version that this program was written for: its hash is ${this.hash}, not ${expectHash}. Run sluice pull, and look at what changed`
    return new VersionSkewError({
      code,
      kind,
      message,
      status,
      requestId,
      issues,
      retryAfter,
      details: { ...this.details, workflow, expectedHash: expectHash ?? null },
      cause: this,
    })
  }
}

const textOf = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null)

/** 422: a limit of the run, its lane or its definition. */
export class LimitExceededError extends SluiceError {
  override readonly name: string = 'LimitExceededError'
}

/** 429, after it was repeated: `retryAfter` says when to come again. */
export class RateLimitedError extends SluiceError {
  override readonly name: string = 'RateLimitedError'
}

/** 502, 503, 504, after it was repeated where that does no harm: the server, or what it needs, is away. 507 (`storage_full`): there is no room. */
export class UnavailableError extends SluiceError {
  override readonly name: string = 'UnavailableError'
}

/** 500: a bug of the server. `requestId` finds it in the log. */
export class InternalError extends SluiceError {
  override readonly name: string = 'InternalError'
}

/** There was no answer, or none that could be read. */
export class NetworkError extends SluiceError {
  override readonly name: string = 'NetworkError'
  /** False: the request surely did not reach the server. True: nobody can say whether it was carried out. */
  readonly sent: boolean

  constructor(message: string, { sent = true, status = null, cause }: { sent?: boolean; status?: number | null; cause?: unknown } = {}) {
    super({ code: 'network', kind: 'network', message, status, cause })
    this.sent = sent
  }
}

/** What was waited for took longer than `timeoutMs`. */
export class TimeoutError extends SluiceError {
  override readonly name: string = 'TimeoutError'

  constructor(message: string) {
    super({ code: 'timeout', kind: 'timeout', message })
  }
}

/** The run ended otherwise than completed; `code` is why, as `step_failed` or `cancelled`. */
export class RunFailedError extends SluiceError {
  override readonly name: string = 'RunFailedError'
  /** The name of the step that it ended for, where one is to blame. */
  readonly step: string | null
  readonly run: Run

  constructor(run: Run) {
    const { code = 'step_failed', message = run.status, step } = run.reason ?? {}
    super({ code, kind: 'run', message: `Run ${run.id} ended ${run.status}: ${message}`, details: { runId: run.id } })
    this.step = step ?? null
    this.run = run
  }
}

/** A round of a conversation that ended without an answer: it failed or was stopped, said nothing, or there was none; `code` is why. */
export class RoundFailedError extends SluiceError {
  override readonly name: string = 'RoundFailedError'
  readonly sessionId: string
  /** Null: the session has no workflow, and nobody answers in it. */
  readonly runId: string | null
  /** Why its run ended; null of one that completed, and said nothing. */
  readonly reason: Reason | null

  constructor({ sessionId, runId, status, reason }: { sessionId: string; runId: string | null; status: Run['status'] | 'unbound'; reason: Reason | null }) {
    const silent = status === 'unbound' ? `Session ${sessionId} has no workflow that would answer` : 'The round said nothing'
    super({ code: reason?.code ?? 'no_answer', kind: 'run', message: reason ? `The round ended ${status}: ${reason.message}` : silent, details: { sessionId, runId } })
    this.sessionId = sessionId
    this.runId = runId
    this.reason = reason
  }
}
