import { Fault, faultKinds, faults, type FaultCode, type FaultKind, type Issue, type Json } from '@sluice/schema'
import { TRPCError } from '@trpc/server'
import { z } from 'zod'
import { Outage } from '../store/index.ts'

/** The code of what is not a fault: a bug (`internal`) or an outage (`unavailable`). Its text stays in the log. */
export type ProblemCode = FaultCode | 'internal' | 'unavailable'

/** Anything that went wrong, as every face may show it: nothing in here names a file, a query or a value of ours. */
export interface Problem {
  code: ProblemCode
  kind: FaultKind
  /** The HTTP status. */
  status: number
  message: string
  issues: Issue[]
  details: { [key: string]: Json }
  /** Seconds. */
  retryAfter?: number
  /** What did not fit the wire of a dialect, for who says it in their own manner; `issues` says the same. */
  wire?: readonly WireIssue[]
  /** Of several requests in one that was refused, and what it was about to do; `details` say the same. */
  item?: { index: number; do: string; problem: Problem }
}

/** One thing wrong with what came over the wire of a dialect. */
export interface WireIssue {
  in: 'path' | 'query' | 'headers' | 'body'
  /** With its `input`. */
  issue: z.core.$ZodIssue
  /** All that came there. */
  whole: unknown
}

/** What came does not fit the schemas of the dialect's row. */
export class WireFault extends Fault {
  readonly wire: readonly WireIssue[]
  constructor(wire: readonly WireIssue[]) {
    super('input_invalid', {
      issues: wire
        .slice(0, mostIssues)
        .flatMap(({ issue }) => spread(issue))
        .slice(0, mostIssues),
    })
    this.wire = wire.slice(0, mostIssues)
  }
}

type TrpcCode = TRPCError['code']

/** tRPC's own name for a kind. It has none for 507. */
export const trpcCodes = {
  invalid: 'BAD_REQUEST',
  unauthenticated: 'UNAUTHORIZED',
  forbidden: 'FORBIDDEN',
  not_found: 'NOT_FOUND',
  conflict: 'CONFLICT',
  too_large: 'PAYLOAD_TOO_LARGE',
  unsupported_media: 'UNSUPPORTED_MEDIA_TYPE',
  limit_exceeded: 'UNPROCESSABLE_CONTENT',
  rate_limited: 'TOO_MANY_REQUESTS',
  internal: 'INTERNAL_SERVER_ERROR',
  unavailable: 'SERVICE_UNAVAILABLE',
  storage_full: 'INTERNAL_SERVER_ERROR',
} as const satisfies Record<FaultKind, TrpcCode>

/** What tRPC itself refuses before a procedure is reached, in our words. */
const refusals: Partial<Record<TrpcCode, { code: FaultCode; status?: number; message?: string }>> = {
  PARSE_ERROR: { code: 'json_malformed' },
  BAD_REQUEST: { code: 'input_invalid' },
  UNPROCESSABLE_CONTENT: { code: 'input_invalid' },
  NOT_FOUND: { code: 'route_missing' },
  METHOD_NOT_SUPPORTED: { code: 'route_missing', status: 405, message: 'The procedure is called with another method' },
  PAYLOAD_TOO_LARGE: { code: 'body_too_large' },
  UNSUPPORTED_MEDIA_TYPE: { code: 'media_unsupported' },
}

/** Thrown where the server itself is what cannot do it, as while it leaves: a 503 like an outage. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

const mostIssues = 100

/** Seconds a client should wait when the database is away: it is looked for again all the time, so not long. */
const outageRetryAfter = 2

/** Total: whatever was thrown, there is a problem to show for it. */
export function problemOf(error: unknown): Problem {
  if (error instanceof TRPCError) return ofTrpc(error)
  if (error instanceof Fault) return ofFault(error)
  if (error instanceof Outage || error instanceof Unavailable)
    return { code: 'unavailable', kind: 'unavailable', status: 503, message: 'The server cannot do this right now', issues: [], details: {}, retryAfter: outageRetryAfter }
  return { code: 'internal', kind: 'internal', status: 500, message: 'Something went wrong here; the request id finds it in the log', issues: [], details: {} }
}

function ofFault(fault: Fault): Problem {
  const { code, kind, message, issues, details, retryAfter } = fault
  const problem: Problem = { code, kind, status: faultKinds[kind], message, issues, details, ...(retryAfter === undefined ? {} : { retryAfter }) }
  const item = itemOf(fault)
  return { ...problem, ...(fault instanceof WireFault && { wire: fault.wire }), ...(item && { item }) }
}

function itemOf({ code, details, cause }: Fault): Problem['item'] {
  const { index, do: deed } = details
  return code === 'batch_failed' && cause instanceof Fault && typeof index === 'number' && typeof deed === 'string' ? { index, do: deed, problem: ofFault(cause) } : undefined
}

function ofTrpc(error: TRPCError): Problem {
  const { cause } = error
  // Input that did not fit the schema. A ZodError of our own making arrives as INTERNAL_SERVER_ERROR and stays a bug.
  if (error.code === 'BAD_REQUEST' && cause instanceof z.core.$ZodError) return ofFault(invalidInput(cause.issues))
  if (cause instanceof Fault || cause instanceof Outage || cause instanceof Unavailable) return problemOf(cause)
  const refusal = error.code === 'INTERNAL_SERVER_ERROR' ? undefined : refusals[error.code]
  if (!refusal) return problemOf(undefined)
  const { kind, message } = faults[refusal.code]
  return { code: refusal.code, kind, status: refusal.status ?? faultKinds[kind], message: refusal.message ?? message, issues: [], details: {} }
}

/** The fault for a value that a schema refused: where, and what was expected, never the value itself. */
export function invalidInput(issues: readonly z.core.$ZodIssue[]): Fault {
  return new Fault('input_invalid', { issues: issues.slice(0, mostIssues).flatMap(spread).slice(0, mostIssues) })
}

/** Of a union the branch that was missed by least says best what is wrong; unknown keys are named one by one. */
function spread(issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  if (issue.code === 'unrecognized_keys') return issue.keys.slice(0, mostIssues).map((key) => ({ path: [...path, key], message: 'This key is not known here' }))
  if (issue.code === 'invalid_union') {
    const branches = issue.errors.filter((inner) => inner.some((each) => each.path.length > 0 || each.code === 'unrecognized_keys'))
    const [nearest] = branches.map((inner) => inner.flatMap((each) => spread({ ...each, path: [...issue.path, ...each.path] }))).sort((one, other) => one.length - other.length)
    if (nearest) return nearest
  }
  return [{ path, message: issue.message }]
}

/** Whether it belongs into the log: what a caller did wrong does not. */
export const isOurs = (problem: Problem): boolean => problem.kind === 'internal' || problem.kind === 'unavailable'
