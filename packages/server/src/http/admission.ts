import type { IncomingMessage } from 'node:http'
import { Fault } from '@sluice/schema'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RateClass } from '../dialects/dialect.ts'
import type { Context, Parts } from '../rpc/context.ts'
import { wantsStream } from './caller.ts'
import { type Face, nativeFace, ownerOf } from './face.ts'
import { refuseAhead, withoutCookies } from './guarded.ts'
import { identify, identifyByTicket, type Identity, type Reading } from './identify.ts'
import { limited, limitHeaders, type Limits } from './limits.ts'
import type { Origins } from './origins.ts'
import { pathOf, queryOf, type QueryValues } from './query.ts'
import { cookieNames } from './session-cookie.ts'
import { callsOf } from './trpc.ts'

export interface Admission {
  /** Who wants to open a socket, and whether they have asked too often. Throws faults. */
  admitSocket(request: IncomingMessage, query: QueryValues): Promise<Identity>
  /** Who asks, and whether they have asked too often: before a byte of the body is read. Throws faults. */
  admit(request: FastifyRequest, reply: FastifyReply): Promise<Context>
}

export interface AdmissionOptions {
  parts: Parts
  origins: Origins
  limits: Limits
  addressOf(request: IncomingMessage): string
  faces: readonly Face[]
}

export function createAdmission({ parts, origins, limits, addressOf, faces }: AdmissionOptions): Admission {
  const { access } = parts
  const readings = new Map(faces.map((face) => [face, readingOf(faces, face)]))
  const readingAt = (url: string): Reading => readings.get(ownerOf(faces, pathOf(url))) ?? readingOf(faces, nativeFace)

  /** Where there is a query, it may hold a ticket. */
  async function identityOf({ headers, method = 'GET', url = '' }: Pick<IncomingMessage, 'headers' | 'method' | 'url'>, query: QueryValues | null): Promise<Identity> {
    const ticket = query?.get('ticket')?.[0]
    return ticket === undefined ? identify(access, origins, headers, method, readingAt(url)) : identifyByTicket(access, ticket)
  }

  async function counted(calls: number, { principal }: Identity, ip: string, reply: FastifyReply): Promise<void> {
    const count = await limits.api(principal?.id ?? ip, calls)
    if (!count) return
    reply.headers(limitHeaders(count))
    if (!count.allowed) throw limited(count)
  }

  /** The narrower of two limits is the one that a caller is told of. */
  async function countedAs(name: RateClass, { principal }: Identity, ip: string, reply: FastifyReply): Promise<void> {
    const count = await limits.of(name, principal?.id ?? ip)
    if (!count) return
    reply.headers(limitHeaders(count))
    if (!count.allowed) throw limited(count)
  }

  return {
    async admitSocket(request, query) {
      const identity = await identityOf(request, query)
      const count = await limits.api(identity.principal?.id ?? addressOf(request), 1)
      if (count && !count.allowed) throw limited(count)
      return identity
    },
    async admit(request, reply) {
      const { id: requestId, traceparent } = request
      const { guarded = false, counted: as = null } = request.routeOptions.config ?? {}
      const ip = addressOf(request.raw)
      const asked = guarded ? { method: request.method, url: request.raw.url, headers: withoutCookies(request.headers) } : request.raw
      const identity = await identityOf(asked, wantsStream(request) ? queryOf(request.raw.url ?? '') : null)
      await counted(callsOf(request), identity, ip, reply)
      if (as !== null) await countedAs(as, identity, ip, reply)
      if (guarded) refuseAhead(request.headers)
      if (!identity.principal && !request.is404 && !request.routeOptions.config.open) throw identity.refusal ?? new Fault('credential_missing')
      return { parts, ...identity, requestId, ip, traceparent, attempt: (name) => limits.login(ip, name), count: (calls) => counted(calls, identity, ip, reply) }
    },
  }
}

const readingOf = (faces: readonly Face[], face: Face): Reading => ({
  cookies: cookieNames(faces, face),
  ...(face.refusesKeyAsBearer !== undefined && { refusesKeyAsBearer: face.refusesKeyAsBearer }),
})
