import { createHash, timingSafeEqual } from 'node:crypto'
import { Fault } from '@sluice/schema'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Origins } from './origins.ts'

export interface MetricsOptions {
  metrics: Metrics
  origins: Origins
  /** What a reader shows. Null: see `isOpen`. */
  token: string | null
  /** Whether whoever reaches the server on this machine may read without one. */
  isOpen: boolean
}

/** Any of them says that somebody speaks for somebody else. */
const marksOfProxies = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']

/**
 * The numbers are of the whole server, over all workspaces: no workspace's credential fits them, the operator's token does.
 * They are asked for while the database is away, too. Without a token they are open on a server that only this machine
 * reaches, and only to who comes straight to it: neither through a proxy, nor from a page of elsewhere.
 */
export function mountMetrics(app: FastifyInstance, { metrics, origins, token, isOpen }: MetricsOptions): void {
  const expected = token === null ? null : digestOf(token)

  function check({ headers }: FastifyRequest): void {
    if (expected) {
      const shown = /^bearer\s+(.+)$/i.exec(headers.authorization ?? '')?.[1]
      if (shown === undefined) throw new Fault('credential_missing')
      if (!timingSafeEqual(digestOf(shown.trim()), expected)) throw new Fault('credential_invalid')
      return
    }
    const isDirect = marksOfProxies.every((name) => headers[name] === undefined)
    if (!isOpen || !isDirect || !origins.takesAnonymous(headers))
      throw new Fault('permission_denied', { message: 'Metrics are shown here to who bears SLUICE_METRICS_TOKEN; it is not set' })
  }

  app.get('/metrics', { config: { bare: true } }, async (request, reply) => {
    check(request)
    return reply.type(metrics.contentType).send(await metrics.text())
  })
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest()
