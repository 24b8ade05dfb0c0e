import type { Socket } from 'node:net'
import { randomUUID } from 'node:crypto'
import { Fault } from '@sluice/schema'
import { problemOf, type Problem } from '../rpc/faults.ts'
import { RangeMissed } from './content.ts'
import { nativeFace } from './face.ts'
import { addressFault } from './query.ts'

/** Fastify's own refusals, which come before any of our code, as faults. */
const refusals: Record<string, () => Fault> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => new Fault('body_too_large'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => new Fault('media_unsupported'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => new Fault('input_invalid', { message: 'The body is not as long as its Content-Length' }),
  FST_ERR_BAD_URL: () => addressFault('is not percent-encoded UTF-8', 'path'),
}

/** Of whatever a request ended with. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof RangeMissed) return error.problem
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown }
  const refusal = typeof code === 'string' ? refusals[code] : undefined
  if (refusal) return problemOf(refusal())
  // Fastify's remaining 4xx, and a client that went in the middle of its body.
  const theirs = typeof code === 'string' && ((code.startsWith('FST_') && typeof statusCode === 'number' && statusCode < 500) || code === 'ECONNRESET')
  return problemOf(theirs ? new Fault('input_invalid', { message: 'The request cannot be read' }) : error)
}

/** An address that has other methods than the one asked for. */
export function wrongMethod(method: string, allowed: readonly string[]): Problem {
  const problem = problemOf(new Fault('route_missing', { message: `${method} is not served at this address`, details: { allowed: [...allowed] } }))
  return { ...problem, status: 405 }
}

const statuses: Record<string, [number, string]> = {
  HPE_HEADER_OVERFLOW: [431, 'The headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not come in time'],
}

/** What never became a request is answered on the bare connection, and ends it. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const [status, message] = statuses[error.code ?? ''] ?? [400, 'This is not HTTP']
  const requestId = randomUUID()
  const text = JSON.stringify(nativeFace.render({ ...problemOf(new Fault('input_invalid', { message })), status }, requestId).body)
  const head = [
    `HTTP/1.1 ${status} Refused`,
    'connection: close',
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    `x-request-id: ${requestId}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
}
