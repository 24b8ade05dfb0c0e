import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Parts } from '../rpc/context.ts'
import { readAnyBody, valuesOf } from './any-body.ts'
import { nativeFace } from './face.ts'
import { headerTexts } from './header-texts.ts'
import { checkPlain, queryOf } from './query.ts'

/** Where webhooks are sent to. Its second part is a secret: whatever tells of a request tells of the template, never of the address. */
export const hookPath = '/v1/hooks/{id}/{secret}'
export const hookMethods = ['POST', 'PUT'] as const

/**
 * Takes in what is sent to webhooks, by who knows their address: no credential is asked for. The body is kept as bytes until it is
 * known whose it is, because signatures are made of bytes.
 */
export function mountHooks(app: FastifyInstance, { webhooks }: Pick<Parts, 'webhooks'>): void {
  // A scope of its own: nobody else's route ever sees a body that was not read.
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request: FastifyRequest, bytes: Buffer, done) => done(null, bytes))
    scope.route({
      method: [...hookMethods],
      url: hookPath.replaceAll(/\{(\w+)\}/g, ':$1'),
      config: { face: nativeFace, template: hookPath, open: true },
      handler: async (request, reply) => {
        const { id, secret } = request.params as { id: string; secret: string }
        const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
        const accepted = await webhooks.receive({
          id: checkPlain(id, 'path'),
          secret,
          raw,
          method: request.method,
          headers: headerTexts(request.headers),
          query: valuesOf(queryOf(request.raw.url ?? '')),
          read: () => readAnyBody(request.headers, raw).text,
        })
        return reply.code(202).send(accepted)
      },
    })
  })
}
