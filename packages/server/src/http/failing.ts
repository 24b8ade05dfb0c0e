import type { FastifyReply, FastifyRequest } from 'fastify'
import { Fault } from '@sluice/schema'
import { isOurs, problemOf, type Problem } from '../rpc/faults.ts'
import type { Log } from '../telemetry.ts'
import { ownerOf, type Face } from './face.ts'
import { problemFrom, wrongMethod } from './refusals.ts'
import { pathOf } from './query.ts'

export interface Facts {
  requestId: string
  route?: string
}

/** How requests that fail are answered, each by the face that owns its address, and what of it is logged. */
export interface Failing {
  /** Logs a bug or an outage; what a caller did wrong is theirs to know. */
  report(error: unknown, facts: Facts): void
  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply
  /** There is nothing at the address, or not under this method. */
  missing(request: FastifyRequest, reply: FastifyReply): FastifyReply
}

export const factsOf = (request: FastifyRequest): Facts => ({ requestId: request.id, route: request.routeOptions.url })

export function createFailing(faces: readonly Face[], methodsAt: (path: string) => string[], log: Log): Failing {
  function report(error: unknown, facts: Facts): void {
    const problem = problemFrom(error)
    if (problem.kind === 'unavailable') log.warn({ err: error, ...facts }, 'A request met an outage')
    else if (isOurs(problem)) log.error({ err: error, ...facts }, 'A request met a bug')
  }

  function show(problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const face = request.routeOptions.config?.face ?? ownerOf(faces, pathOf(request.raw.url ?? ''))
    const { status, body, headers } = face.render(problem, request.id)
    if (problem.retryAfter !== undefined) reply.header('retry-after', String(problem.retryAfter))
    if (problem.kind === 'unauthenticated') reply.header('www-authenticate', 'Bearer')
    if (headers) reply.headers(headers)
    // A body that was not read would be taken for the next request.
    if (problem.kind === 'too_large') reply.header('connection', 'close')
    return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(body))
  }

  return {
    report,
    answer(error, request, reply) {
      report(error, factsOf(request))
      return show(problemFrom(error), request, reply)
    },
    missing(request, reply) {
      const allowed = methodsAt(pathOf(request.raw.url ?? ''))
      if (allowed.length === 0 || allowed.includes(request.method)) return show(problemOf(new Fault('route_missing')), request, reply)
      reply.header('allow', allowed.join(', '))
      return show(wrongMethod(request.method, allowed), request, reply)
    },
  }
}
