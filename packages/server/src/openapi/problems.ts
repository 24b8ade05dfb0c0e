import { type FaultCode, faultKinds, type FaultKind, faults, type JsonObject } from '@sluice/schema'
import type { z } from 'zod'
import type { ProblemCode } from '../rpc/faults.ts'
import type { Address } from './addresses.ts'
import { rangeMissed } from './bytes.ts'

/** How the errors of an API look, whatever went wrong. */
export interface ErrorForm {
  schema: z.ZodType
  /** An error of this code as it is answered. */
  example(code: ProblemCode): { status: number; body: JsonObject }
}

/** What any address of a kind may answer, by the name of the response in the document. */
const shared = {
  Invalid: ['input_invalid'],
  InvalidBody: ['input_invalid', 'json_malformed'],
  Unauthenticated: ['credential_missing', 'credential_invalid'],
  Forbidden: ['permission_denied'],
  TooLarge: ['body_too_large'],
  UnsupportedMedia: ['media_unsupported'],
  RateLimited: ['rate_limited'],
  Internal: ['internal'],
  Unavailable: ['unavailable'],
  StorageFull: ['storage_full'],
} as const satisfies Record<string, readonly ProblemCode[]>

type SharedName = keyof typeof shared

export const kindOf = (code: ProblemCode): FaultKind => (code === 'internal' || code === 'unavailable' ? code : faults[code].kind)

const words: Record<'internal' | 'unavailable', string> = {
  internal: 'Something went wrong here; the request id finds it in the log',
  unavailable: 'The server cannot do this right now',
}
export const messageOf = (code: ProblemCode): string => (code === 'internal' || code === 'unavailable' ? words[code] : faults[code].message)

/** Every code with its status and its words, for the page that explains them. */
export const allCodes: readonly ProblemCode[] = [...(Object.keys(faults) as FaultCode[]), 'internal', 'unavailable']
export const kinds = Object.keys(faultKinds) as FaultKind[]

/** An error of each code. */
export const problemExamples = (form: ErrorForm): Record<string, JsonObject> =>
  Object.fromEntries(allCodes.map((code) => [code, { summary: messageOf(code), value: form.example(code).body }]))

/** The responses that addresses refer to. */
export function sharedProblems(form: ErrorForm, schema: JsonObject): Record<string, JsonObject> {
  return Object.fromEntries(Object.entries(shared).map(([name, codes]) => [name, responseFor(codes, form, schema)]))
}

/** The errors of an address by status: those of all like it, and its own. */
export function problemsOf({ takes, reply, stream, method }: Address, own: readonly FaultCode[], form: ErrorForm, schema: JsonObject): Record<string, JsonObject> {
  const action = (reply ?? stream)!.action
  const asks = Object.keys(takes.path).length + Object.keys(takes.query).length + Object.keys(takes.header).length > 0
  const names: SharedName[] = [
    ...(takes.body ? (['InvalidBody', 'TooLarge', 'UnsupportedMedia'] as const) : asks ? (['Invalid'] as const) : []),
    ...(action === 'public' ? [] : (['Unauthenticated'] as const)),
    ...(action === 'public' || action === 'signed-in' ? [] : (['Forbidden'] as const)),
    ...(method === 'GET' ? [] : (['StorageFull'] as const)),
    'RateLimited',
    'Internal',
    'Unavailable',
  ]
  const byStatus = new Map<number, { name?: SharedName; codes: ProblemCode[] }>()
  for (const name of names) byStatus.set(form.example(shared[name][0]).status, { name, codes: [...shared[name]] })
  for (const code of own) {
    const { status } = form.example(code)
    const before = byStatus.get(status)?.codes ?? []
    if (!before.includes(code)) byStatus.set(status, { codes: [...before, code] })
  }
  const sorted = [...byStatus].sort(([one], [other]) => one - other)
  return {
    ...Object.fromEntries(sorted.map(([status, { name, codes }]) => [status, name ? { $ref: `#/components/responses/${name}` } : responseFor(codes, form, schema)])),
    ...(reply?.isBytes && rangeMissed(schema)),
  }
}

function responseFor(codes: readonly ProblemCode[], form: ErrorForm, schema: JsonObject): JsonObject {
  const kind = kindOf(codes[0]!)
  const later = kind === 'rate_limited' || kind === 'unavailable'
  return {
    description: codes.map((code) => `\`${code}\`: ${messageOf(code)}`).join('\n\n'),
    headers: {
      'X-Request-Id': { $ref: '#/components/headers/RequestId' },
      ...(later && { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } }),
    },
    content: { 'application/json': { schema, examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])) } },
  }
}
