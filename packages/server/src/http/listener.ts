import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limits } from '@sluice/schema'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { readBody } from './body.ts'
import type { Trust } from './client-address.ts'
import type { Failing } from './failing.ts'
import { answerClientError } from './refusals.ts'
import { requestIdOf } from './request-id.ts'

export type App = FastifyInstance<Server>

/** Fastify with our own reader of bodies and bounded waits: a client that sends nothing holds nothing for long. */
export function createListener(trustProxy: Trust, failing: Failing): App {
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
      // Node would refuse a request without one by itself, in no form: see `server.ts`.
      requireHostHeader: false,
      // An upgrade to anything else (h2c) is a plain request.
      shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // Queries are read by `query.ts`: a parser that throws inside the router would end the process.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 8_000, querystringParser: () => ({}) },
    // Rows are read and answers written by our own schemas: given these, Fastify does not load its compilers and their Ajv.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      dress(request, reply)
      void failing.answer(error, request, reply)
    },
  })
  app.decorateRequest('caller', null)
  const bodies = createBodyWatch()
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    if (!request.routeOptions.config.slow) bodies.expect(request.raw)
    done()
  })
  app.addHook('onClose', (_app, done) => {
    bodies.stop()
    done()
  })
  // Node would answer 417 by itself, in no form. What is expected of us beside 100-continue we do not know, and may pass over.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, bytes: Buffer) => {
    bodies.came(request.raw)
    return readBody(request.headers, bytes)
  })
  return app
}

const noSchemas = () => (): never => {
  throw new Error('A route has a schema of Fastify')
}

const bodyMs = 30_000
const lookMs = 1_000

interface BodyWatch {
  expect(request: IncomingMessage): void
  came(request: IncomingMessage): void
  stop(): void
}

/** A body that is held in memory while it comes must come soon. One timer for all: a timer for each is a fiftieth of a small request. */
function createBodyWatch(): BodyWatch {
  const coming = new Map<IncomingMessage, number>()
  const look = setInterval(() => {
    const latest = performance.now() - bodyMs
    for (const [request, since] of coming) {
      if (!request.complete && !request.destroyed && since > latest) continue
      coming.delete(request)
      if (!request.complete && !request.destroyed)
        answerClientError(Object.assign(new Error('The body did not come in time'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), request.socket)
    }
  }, lookMs).unref()
  return {
    expect(request) {
      if (!request.complete) coming.set(request, performance.now())
    },
    came: (request) => void coming.delete(request),
    stop: () => clearInterval(look),
  }
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
