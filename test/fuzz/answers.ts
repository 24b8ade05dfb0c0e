import type { Json, JsonObject } from '@sluice/schema'
import type { Operation } from '../../packages/server/test/openapi/contract.ts'
import { isAnError, type Target } from './operations.ts'
import type { Answer } from './send.ts'
import type { Wire } from './request.ts'

/** What is wrong with an answer; null: nothing. */
export type Verdict = string | null

/** What nobody is to read: how the server is built, what its database says, what is kept hidden. */
const traces: readonly RegExp[] = [
  /\bat [^\n"]{1,200}\.[cm]?[jt]s:\d+:\d+/,
  /node:internal\//,
  /node_modules/,
  /packages\/server\/src/,
  /syntax error at or near|violates [\w-]+ constraint|duplicate key value|invalid input syntax for|current transaction is aborted|out of range for type|unterminated quoted string/,
  /invalid byte sequence for encoding|unsupported Unicode escape sequence|deadlock detected|canceling statement/,
  /ECONNREFUSED|ENOENT|EACCES/,
  /Cannot read properties of|is not a function|is not iterable|Maximum call stack|Invalid array length|Invalid string length/,
  /postgres(ql)?:\/\//,
]

const shown = (text: string): string => text.slice(0, 400)

/** The first trace in a text. `hidden` are texts that nobody is to read; what the request itself said may come back. */
export function leakIn(text: string, hidden: readonly string[], said = ''): Verdict {
  for (const trace of traces) {
    const found = trace.exec(text)
    if (found && !said.includes(found[0])) return `tells how it is built: ${text.slice(Math.max(0, found.index - 100), found.index + 200)}`
  }
  return secretIn(text, hidden, said)
}

/** The first of the hidden texts that is told. */
export function secretIn(text: string, hidden: readonly string[], said = ''): Verdict {
  const secret = hidden.find((each) => text.includes(each) && !said.includes(each))
  return secret === undefined ? null : `tells a secret: ${secret.slice(0, 12)}…`
}

/** Whether an answer is one that may be. `there`: that the request was one to the operation of its target. */
export function judge({ target, wire, answer, there, hidden }: { target: Target; wire: Wire; answer: Answer; there: boolean; hidden: readonly string[] }): Verdict {
  const { status, headers, text } = answer
  const leak = leakIn(text, hidden, `${wire.path}${wire.body?.toString('utf8').slice(0, 20_000) ?? ''}`)
  if (leak !== null) return leak
  if (status >= 500 && !isOutage(answer) && !(target.id === 'register' && status === 503)) return `${status}: ${shown(text)}`
  if (!wire.raw && headers['x-request-id'] === undefined) return `${status} without x-request-id: ${shown(text)}`
  if (wire.method === 'HEAD' || status === 304) return text === '' ? null : `a body where there is none: ${shown(text)}`
  const type = headers['content-type'] ?? ''
  if (type.startsWith('text/event-stream')) return status === 200 ? streamed(text) : `${status} as a stream`
  if (!answer.whole && !wire.raw) return `it broke off: ${status} ${answer.error ?? ''}`
  let body: Json | undefined
  if (type.startsWith('application/json') && text !== '') {
    try {
      body = JSON.parse(text) as Json
    } catch {
      return `no JSON, as it says: ${shown(text)}`
    }
  }
  if (target.over !== 'rest') return there || isTrpc(body) ? procedureSays(target, wire, answer, body) : general(status, body, text)
  return there ? operationSays(target, wire, answer, body) : general(status, body, text)
}

/** Come again: it is explained, and told when. */
export const isOutage = ({ status, headers }: Answer): boolean => status === 507 || (status === 503 && headers['retry-after'] !== undefined)

function general(status: number, body: Json | undefined, text: string): Verdict {
  if (status < 400) return null
  return body !== undefined && (isAnError(body) || isTrpc(body)) ? null : `${status} in no form of an error: ${shown(text)}`
}

/** Whether a request has parts that its operation has no place for: that it is refused for them no document says. */
const saysMore = ({ parameters, requestBody }: Operation, { path, body }: Wire): boolean =>
  (body !== null && !requestBody) || (path.includes('?') && !parameters.some(({ in: place }) => place === 'query')) || parameters.length === 0

function operationSays({ operation, contract }: Target, wire: Wire, { status, headers, text }: Answer, body: Json | undefined): Verdict {
  const said = operation!.responses[status] ?? operation!.responses['default']
  if (status === 431 || (!said && [400, 413, 415, 422].includes(status) && saysMore(operation!, wire)))
    return body !== undefined && isAnError(body) ? null : `${status} in no form of an error: ${shown(text)}`
  if (!said) return `${status}, which is not described: ${shown(text)}`
  if (!said.content) return text === '' ? null : `${status} with a body that is not described: ${shown(text)}`
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!
  const content = said.content[type] ?? said.content['*/*'] ?? Object.entries(said.content).find(([name]) => /^[\w-]+\/\*$/.test(name) && type.startsWith(name.slice(0, -1)))?.[1]
  if (!content) return `${status} as ${type || 'nothing'}, which is not described: ${shown(text)}`
  // Who asks for some fields gets those alone.
  if (body === undefined || (status < 300 && /[?&]fields=/.test(wire.path))) return null
  const flaw = contract.check(body, content.schema)
  return flaw === null ? null : `${status} with a body that is not as described: ${flaw.slice(0, 300)}: ${shown(text)}`
}

const isTrpc = (body: Json | undefined): boolean => [body].flat().every((each) => typeof each === 'object' && each !== null && ('result' in each || 'error' in each))

/** An answer of tRPC; with several calls in it, each. */
export function procedureSays(target: Target, wire: Wire, { status, text }: Pick<Answer, 'status' | 'text'>, body: Json | undefined): Verdict {
  if (body === undefined || !isTrpc(body)) return status < 300 && text === '' ? null : `no answer of a procedure: ${status} ${shown(text)}`
  for (const each of [body].flat() as JsonObject[]) {
    // What cannot be read is refused before it is known which procedures it calls, as at any other address.
    const verdict = 'result' in each ? resulted(target, each['result'] as JsonObject, wire) : isAnError(each) ? null : refused(each['error'] as JsonObject)
    if (verdict !== null) return verdict
  }
  return null
}

function refused(error: JsonObject): Verdict {
  const data = error['data'] as JsonObject | undefined
  if (typeof error['message'] !== 'string' || typeof error['code'] !== 'number' || typeof data?.['code'] !== 'string') return `an error in no form: ${shown(JSON.stringify(error))}`
  if ('stack' in data) return 'an error with a stack'
  const status = data['status'] as number
  if (data['code'] === 'internal' || (status >= 500 && status !== 503 && status !== 507)) return `a bug: ${shown(JSON.stringify(error))}`
  return null
}

function resulted({ operation, contract }: Target, result: JsonObject, wire: Wire): Verdict {
  const data = result['data']
  if (!operation || data === undefined || /%22fields%22|"fields"/.test(wire.path + (wire.body?.toString('utf8') ?? ''))) return null
  const flaws = Object.entries(operation.responses).flatMap(([status, { content }]) => {
    const schema = content?.['application/json']?.schema
    return schema && (status < '300' || operation.responses[status] !== undefined) ? [contract.check(data, schema)] : []
  })
  // What gives bytes over HTTP, or nothing, gives over tRPC what it likes.
  const success = Object.entries(operation.responses).filter(([status, { content }]) => status < '300' && content?.['application/json'])
  return success.length === 0 || flaws.includes(null) ? null : `a result that is not as described: ${flaws[0]?.slice(0, 300)}: ${shown(JSON.stringify(data))}`
}

/** What came of a stream before it was left: whole messages are JSON, or a comment. */
function streamed(text: string): Verdict {
  for (const message of text.split('\n\n').slice(0, -1)) {
    const data = message.split('\n').flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trim()] : []))
    if (data.length === 0 || data.join('') === '' || data.join('') === '[DONE]') continue
    try {
      JSON.parse(data.join('\n'))
    } catch {
      return `a message that is no JSON: ${shown(message)}`
    }
    if (/^event: (error|serialized-error)$/m.test(message) && /"internal"/.test(message)) return `a bug in a stream: ${shown(message)}`
  }
  return null
}
