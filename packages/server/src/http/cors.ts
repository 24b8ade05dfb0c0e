import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Origins } from './origins.ts'

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const requestHeaders = [
  'accept',
  'authorization',
  'content-type',
  'idempotency-key',
  'if-none-match',
  'last-event-id',
  'range',
  'traceparent',
  'tracestate',
  'trpc-accept',
  'x-api-key',
  'x-request-id',
]
const replyHeaders =
  'accept-ranges, content-disposition, content-range, etag, retry-after, x-request-id, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-sluice-session'

/** Lets pages of allowed origins read replies. Answers preflights, and tells whether this was one. */
export type Cors = (request: FastifyRequest, reply: FastifyReply) => boolean

/** Beside the headers that are read here, pages may send those that their clients send of their own accord. */
export function createCors(origins: Origins, clientHeaders: readonly string[]): Cors {
  const mayBeSent = [...new Set([...requestHeaders, ...clientHeaders])].toSorted().join(', ')
  return (request, reply) => applyCors(origins, mayBeSent, request, reply)
}

function applyCors(origins: Origins, mayBeSent: string, request: FastifyRequest, reply: FastifyReply): boolean {
  const { origin } = request.headers
  reply.header('vary', 'Origin')
  const allowed = origin !== undefined && origins.allows(origin)
  if (allowed) reply.headers({ 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', 'access-control-expose-headers': replyHeaders })
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false
  if (allowed) reply.headers({ 'access-control-allow-methods': methods, 'access-control-allow-headers': mayBeSent, 'access-control-max-age': '600' })
  reply.code(204)
  return true
}
