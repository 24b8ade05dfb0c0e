import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Traces, incomingTraceparent } from '../telemetry/traces.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The address as it is documented; the route's own unless given. */
    template?: string
  }
  interface FastifyRequest {
    /** The trace context of what is done for this request. */
    traceparent: string | null
    /** Answered by a stream of events: how long it was open is no duration of an answer. */
    isStream: boolean
  }
}

/** A client that went before it was answered, as proxies count it. */
const clientGone = 499

/** Counts every request, and tells the span of each that has a caller. Before all other hooks: what they refuse counts too. */
export function watchRequests(app: FastifyInstance, { metrics, traces }: { metrics: Metrics; traces: Traces }): void {
  app.decorateRequest('traceparent', null)
  app.decorateRequest('isStream', false)
  app.addHook('onRequest', (request, reply, done) => {
    const began = performance.now()
    const startedAt = Date.now()
    const incoming = incomingTraceparent(request.headers.traceparent)
    const isTraced = !request.routeOptions.config?.bare && !request.is404
    request.traceparent = isTraced ? traces.below(incoming) : null
    // Not the hook for replies: it is silent about those that were cut.
    reply.raw.once('close', () => {
      const { method } = request
      const route = templateOf(request)
      const status = reply.raw.headersSent ? reply.raw.statusCode : clientGone
      metrics.answered({ method, route, status, seconds: request.isStream ? null : (performance.now() - began) / 1000 })
      if (!traces.isOn || !isTraced) return
      traces.tell({
        name: `${method} ${route}`,
        kind: 'server',
        at: request.traceparent,
        parent: incoming,
        startedAt,
        endedAt: Date.now(),
        // No path and no query: they may hold what a trace should not.
        attributes: {
          'http.request.method': method,
          'http.route': route,
          'url.scheme': request.protocol,
          'http.response.status_code': status,
          'sluice.request.id': request.id,
        },
        ...(status >= 500 && { failed: String(status) }),
      })
    })
    done()
  })
}

const templateOf = (request: FastifyRequest): string => (request.is404 ? 'unmatched' : (request.routeOptions.config?.template ?? request.routeOptions.url ?? 'unmatched'))
