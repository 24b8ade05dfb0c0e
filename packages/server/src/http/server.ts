import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '@sluice/schema'
import type { FastifyRequest } from 'fastify'
import type { Dialect } from '../dialects/dialect.ts'
import type { Parts } from '../rpc/context.ts'
import { appRouter } from '../rpc/router.ts'
import type { Log } from '../telemetry.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics.ts'
import { untraced, type Traces } from '../telemetry/traces.ts'
import { createAdmission, type Admission } from './admission.ts'
import { bind } from './bind.ts'
import type { SocketBounds } from './bounded-socket.ts'
import { clientAddress, trustOf, type TrustProxy } from './client-address.ts'
import { type Cors, createCors } from './cors.ts'
import { rowsOfDialect } from './dialect-rows.ts'
import { dialectSockets } from './dialect-socket.ts'
import { streamsOfDialect } from './dialect-stream.ts'
import { faceOf, nativeFace } from './face.ts'
import { mountDocs, type ApiPage } from './docs.ts'
import { createFailing, factsOf, type Failing } from './failing.ts'
import { mountHealth, mountStart } from './health.ts'
import { hookMethods, hookPath, mountHooks } from './hooks.ts'
import { createLimits, type LimitOptions } from './limits.ts'
import { addressOf, createListener, dress, type App } from './listener.ts'
import { mountMetrics } from './metrics.ts'
import { createOpenStreams } from './open-streams.ts'
import { createOrigins, isLoopback } from './origins.ts'
import { pathOf } from './query.ts'
import { mountRealtime } from './realtime.ts'
import { requestIdOf } from './request-id.ts'
import { rowsOf } from './rows.ts'
import { servedRouter } from './served.ts'
import { createMethodsAt, placesOf } from './shapes.ts'
import { acceptSockets } from './sockets.ts'
import { streamSockets } from './stream-socket.ts'
import type { StreamOptions } from './streams.ts'
import { trpcSocket } from './trpc-socket.ts'
import { mountTrpc, trpcPath } from './trpc.ts'
import { watchRequests } from './watch.ts'

export interface HttpConfig {
  host: string
  /** 0: any that is free. */
  port: number
  /** Exact origins whose pages may read replies. Null: pages of this machine. */
  corsOrigins: readonly string[] | null
  publicUrl: string | null
  trustProxy: TrustProxy
  /** Requests a minute and principal. Null: no limits. */
  rateLimit: LimitOptions['rateLimit']
  /** What readers of /metrics show. Null: they are on this machine. */
  metricsToken: string | null
}

export interface HttpOptions {
  parts: Parts
  config: HttpConfig
  log: Log
  /** Rejects while the database does not answer or is not migrated. */
  ready: () => Promise<void>
  /** Where servers count requests together; unset, each counts for itself. */
  counters?: Parts['database']
  /** The APIs that are served beside the native one. */
  dialects?: readonly Dialect[]
  /** The API, as it is described to those who come by. */
  documents?: () => Promise<readonly ApiPage[]>
  stream?: StreamOptions
  socket?: SocketBounds
  /** Unset: nobody looks. */
  metrics?: Metrics
  traces?: Traces
  /** False for a worker: it says how it is, and serves nothing else. */
  serves?: boolean
}

export interface HttpServer {
  /** Known once it listens. */
  readonly url: string
  listen(): Promise<string>
  /** Ends streams and sockets with a hint to come back, and takes no new ones. Requests are still answered. */
  drain(): void
  /** Drains, waits for requests under way for up to `graceMs` (5 s), then cuts what is left. */
  close(graceMs?: number): Promise<void>
}

/** The server, ready to listen. Rejects when two rows would answer the same request. */
export async function createHttp(options: HttpOptions): Promise<HttpServer> {
  const { parts, config, log, ready, counters, dialects = [], documents, serves = true } = options
  const { metrics = createMetrics(), traces = untraced } = options
  const stream = { ...options.stream, dropped: () => metrics.readerDropped('sse') }
  const socket = { ...options.socket, dropped: () => metrics.readerDropped('websocket') }
  const trusts = trustOf(config.trustProxy)
  const clientOf = (request: IncomingMessage): string => clientAddress(request, trusts)
  const origins = createOrigins(config)
  const limits = createLimits({ rateLimit: config.rateLimit, database: counters ?? null })
  const openStreams = createOpenStreams(parts.access, log, metrics)
  const faces = [nativeFace, ...dialects.map(faceOf)]
  const admission = createAdmission({ parts, origins, limits, addressOf: clientOf, faces })
  const cors = createCors(
    origins,
    dialects.flatMap(({ clientHeaders = [] }) => clientHeaders),
  )
  const places = placesOf(serves ? [...rowsOf(appRouter), ...dialects.flatMap(rowsOfDialect), ...dialects.flatMap((dialect) => streamsOfDialect(dialect, parts.accounts))] : [])
  const router = servedRouter(dialects)
  const others = [
    { path: `${trpcPath}/{path}`, methods: ['GET', 'POST'] },
    { path: hookPath, methods: [...hookMethods] },
  ]
  const failing = createFailing(faces, createMethodsAt(places, serves ? others : []), log)
  const report = (error: unknown, request: FastifyRequest) => failing.report(error, factsOf(request))
  const state = { url: '', leaving: false }

  const app = createListener(trusts, failing)
  watchRequests(app, { metrics, traces })
  addSteps(app, { cors, admission, failing, log })
  mountHealth(app, ready, () => state.leaving)
  mountMetrics(app, { metrics, origins, token: config.metricsToken, isOpen: isPrivate(config) })
  if (serves) mountStart(app)
  if (serves && documents) mountDocs(app, documents)
  if (serves) mountHooks(app, parts)
  if (serves) for (const dialect of dialects) if (dialect.realtime) mountRealtime(app, dialect, dialect.realtime, { parts, openStreams, report, stream })
  if (serves) mountTrpc(app, { router, parts, openStreams, report, stream })
  bind(app, places, { files: parts.files, openStreams, report, stream, baseUrl: (request) => config.publicUrl ?? `${request.protocol}://${request.host}` })
  const reportSocket = (error: unknown, requestId: string, route: string) => failing.report(error, { requestId, route })
  const speaking = { parts, limits, openStreams, requestIdOf, addressOf: clientOf, report: reportSocket, bounds: socket }
  const sockets = acceptSockets(app.server, {
    origins,
    requestIdOf,
    identify: admission.admitSocket,
    report: (error, request) => reportSocket(error, requestIdOf(request), pathOf(request.url ?? '')),
    routes: serves ? [trpcSocket(router, speaking), ...streamSockets(places, speaking), ...dialects.flatMap((dialect) => dialectSockets(dialect, speaking))] : [],
  })
  await app.ready()

  function drain(): void {
    state.leaving = true
    openStreams.drain()
  }

  return {
    get url() {
      return state.url
    },
    async listen() {
      await app.listen({ host: config.host, port: config.port })
      return (state.url = config.publicUrl ?? addressOf(app.server, config.host))
    },
    drain,
    async close(graceMs = 5_000) {
      drain()
      const cut = setTimeout(() => {
        sockets.close()
        app.server.closeAllConnections()
      }, graceMs)
      // Node takes a reply that was ended for one that has gone out, and would cut it off in the middle.
      for (const end = performance.now() + graceMs; openStreams.size > 0 && performance.now() < end;) await sleep(10)
      await app.close()
      clearTimeout(cut)
      sockets.close()
      openStreams.close()
    },
  }
}

/** Whether only this machine reaches it: nothing stands in front of it, as far as its settings tell. */
const isPrivate = ({ host, publicUrl, trustProxy }: HttpConfig): boolean => isLoopback(host) && publicUrl === null && trustProxy === false

/** What every request goes through, in this order: dress, CORS, credential, limit; then its body is read and its row asked. */
function addSteps(app: App, { cors, admission, failing, log }: { cors: Cors; admission: Admission; failing: Failing; log: Log }): void {
  app.addHook('onRequest', async (request, reply) => {
    dress(request, reply)
    if (request.headers.host === undefined && request.raw.httpVersion !== '1.0') throw new Fault('input_invalid', { message: 'The request names no host' })
    if (cors(request, reply)) return reply.send()
    if (request.routeOptions.config?.bare) return
    request.caller = await admission.admit(request, reply)
    // Before its body is read: nothing at an address is more to the point than something wrong with a body.
    if (request.is404) return failing.missing(request, reply)
  })
  app.addHook('onResponse', (request, reply, done) => {
    const level = request.method === 'GET' && reply.statusCode < 400 ? 'debug' : 'info'
    if (log.isLevelEnabled(level)) {
      const facts = { ...factsOf(request), method: request.method, status: reply.statusCode, ms: Math.round(reply.elapsedTime), principal: request.caller?.principal?.id }
      log[level](facts, 'Answered')
    }
    done()
  })
  app.setErrorHandler(failing.answer)
  app.setNotFoundHandler(failing.missing)
}
