import type { FaultKind, Issue } from '@sluice/schema'
import type { Problem, WireIssue } from '../../rpc/faults.ts'
import { type Dialect, Other, type Rendered } from '../dialect.ts'
import type { ErrorResponse } from './contract.ts'
import { ErrorResponse as schema } from './contract.ts'

/** How OpenAI's API tells a problem: a status, and always an object with a message, a type, what it is about and a code. */

type Told = ErrorResponse['error']

const body = (message: string, type: string, { param = null, code = null }: Partial<Pick<Told, 'param' | 'code'>> = {}): ErrorResponse => ({
  error: { message, type, param, code },
})

/** Its libraries ask again after these unless they are told not to: what is in the way is not gone then. */
const final = { 'x-should-retry': 'false' }

const types: Record<FaultKind, string> = {
  invalid: 'invalid_request_error',
  unauthenticated: 'invalid_request_error',
  forbidden: 'invalid_request_error',
  not_found: 'invalid_request_error',
  conflict: 'invalid_request_error',
  too_large: 'invalid_request_error',
  unsupported_media: 'invalid_request_error',
  limit_exceeded: 'invalid_request_error',
  rate_limited: 'requests',
  internal: 'server_error',
  unavailable: 'server_error',
  storage_full: 'server_error',
}

/** Where its API has a code of its own. */
const codes: Partial<Record<Problem['code'], string>> = {
  credential_missing: 'invalid_api_key',
  credential_invalid: 'invalid_api_key',
  permission_denied: 'insufficient_permissions',
  workflow_missing: 'model_not_found',
  route_missing: 'unknown_url',
  rate_limited: 'rate_limit_exceeded',
  internal: 'server_error',
  unavailable: 'server_error',
}

// ── what does not fit ──────────────────────────────────────────────────────────────────────────────────────────────────

/** `messages[0].content` */
const paramOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((so, key) => (typeof key === 'number' ? `${so}[${key}]` : so === '' ? String(key) : `${so}.${String(key)}`), '')

const unfit = (param: string, message: string): ErrorResponse =>
  param === '' ? body(message, types.invalid) : body(`Invalid value for '${param}': ${message}`, types.invalid, { param, code: 'invalid_value' })

function unfitWire({ issue: { path, message, code, input } }: WireIssue): ErrorResponse {
  const param = paramOf(path)
  if (code === 'invalid_type' && input === undefined && param !== '')
    return body(`Missing required parameter: '${param}'.`, types.invalid, { param, code: 'missing_required_parameter' })
  return unfit(param, message)
}

/** What the core calls otherwise. */
const names: Readonly<Record<string, string>> = { text: 'messages', history: 'messages', results: 'messages', clientTools: 'tools', chatbot: 'model', session: 'x-sluice-session' }

function unfitCore({ path: [first, ...others] = [], message }: Issue): ErrorResponse {
  const name = first === undefined ? undefined : (names[first] ?? first)
  return unfit(name === undefined ? '' : paramOf([name, ...(name === first ? others : [])]), message)
}

// ── all problems ───────────────────────────────────────────────────────────────────────────────────────────────────────

export function render({ code, kind, status, message, issues: [issue], wire: [wrong] = [] }: Problem): Rendered {
  if (wrong) return { status, body: unfitWire(wrong) }
  if (code === 'input_invalid' && issue) return { status, body: unfitCore(issue) }
  return {
    status,
    body: body(message, types[kind], { ...(code === 'workflow_missing' && { param: 'model' }), code: codes[code] ?? code }),
    ...(kind === 'conflict' && { headers: final }),
  }
}

export const errors: Dialect['errors'] = { schema, render }

/** As its API says that there is no such model. */
export const modelMissing = (model: string): Other =>
  new Other(404, body(`The model \`${model}\` does not exist or you do not have access to it.`, types.not_found, { param: 'model', code: 'model_not_found' }))

/** What an answer cannot be made of: under a status that no library asks again after, for it would say the same once more. */
export const unanswered = (message: string, code: string): Other => new Other(422, body(message, 'server_error', { code }))
