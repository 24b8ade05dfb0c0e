import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limits } from '@sluice/schema'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { readBody } from './body.ts'
import type { Trust } from './client-address.ts'
import { nativeFace } from './face.ts'
import { answerClientError, problemFrom } from './refusals.ts'
import { requestIdOf } from './request-id.ts'

export type App = FastifyInstance<Server>

/** Fastify with our own reader of bodies and bounded waits: a client that sends nothing holds nothing for long. */
export function createListener(trustProxy: Trust): App {
  const app = Fastify<Server>({
    logger: false,
    trustProxy,
    bodyLimit: limits.bodyBytes,
    genReqId: requestIdOf,
    requestIdHeader: false,
    // Of an upload; other bodies are given less, below.
    requestTimeout: 600_000,
    keepAliveTimeout: 65_000,
    http: {
      headersTimeout: 10_000,
      connectionsCheckingInterval: 5_000,
      // An upgrade to anything else (h2c) is a plain request.
      shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // Queries are read by `query.ts`: a parser that throws inside the router would end the process.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 8_000, querystringParser: () => ({}) },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      dress(request, reply)
      const { status, body } = nativeFace.render(problemFrom(error), request.id)
      void reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(body))
    },
  })
  app.decorateRequest('caller', null)
  app.addHook('preParsing', async (request) => {
    if (!request.routeOptions.config.slow) endIfLate(request.raw)
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, bytes: Buffer) => readBody(request.headers, bytes))
  return app
}

const bodyMs = 30_000

/** A body that is held in memory while it comes must come soon. */
function endIfLate(request: IncomingMessage): void {
  if (request.complete) return
  const late = Object.assign(new Error('The body did not come in time'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
  const timer = setTimeout(answerClientError, bodyMs, late, request.socket).unref()
  const stop = () => clearTimeout(timer)
  request.once('end', stop).once('close', stop)
}

/** What every reply wears. */
export function dress(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({
    'x-request-id': request.id,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
  })
}

/** How clients on this machine reach a server that listens. */
export function addressOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
