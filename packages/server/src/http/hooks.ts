import { Fault } from '@sluice/schema'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Parts } from '../rpc/context.ts'
import { readBody, typeOf } from './body.ts'
import { nativeFace } from './face.ts'
import { checkText, inertKeys } from './json.ts'
import { checkPlain, queryOf, type QueryValues, readQuery } from './query.ts'

/** Where webhooks are sent to. Its second part is a secret: whatever tells of a request tells of the template, never of the address. */
export const hookPath = '/v1/hooks/{id}/{secret}'
export const hookMethods = ['POST', 'PUT'] as const

/**
 * Takes in what is sent to webhooks, by who knows their address: no credential is asked for. The body is read as bytes, which
 * signatures are made of, and then by its type: JSON, a form as an object, anything else as text.
 */
export function mountHooks(app: FastifyInstance, { webhooks }: Pick<Parts, 'webhooks'>): void {
  // A scope of its own: nobody else's route ever sees a body that is not JSON.
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes))
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
          headers: headersOf(request),
          query: valuesOf(queryOf(request.raw.url ?? '')),
          read: () => textOf(request, raw),
        })
        return reply.code(202).send(accepted)
      },
    })
  })
}

/** JSON text that says what came. Throws `json_malformed`, `input_invalid`, `media_unsupported`. */
function textOf({ headers }: FastifyRequest, raw: Buffer): string {
  const type = typeOf(headers['content-type'])
  // Numbers stay as they were written.
  if (type === 'application/json' || type.endsWith('+json')) return readBody({ ...headers, 'content-type': json(headers['content-type']) }, raw)?.text ?? 'null'
  return JSON.stringify(type === 'application/x-www-form-urlencoded' ? valuesOf(readQuery(plain(headers, raw))) : raw.byteLength === 0 ? null : plain(headers, raw))
}

/** As the reader of JSON has its name. */
const json = (contentType: string | undefined): string => (contentType ?? '').replace(/^[^;]*/, 'application/json')

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function plain(headers: FastifyRequest['headers'], raw: Buffer): string {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') throw new Fault('media_unsupported', { message: 'The body is compressed; send it as it is' })
  let text: string
  try {
    text = utf8.decode(raw)
  } catch {
    throw new Fault('media_unsupported', { message: 'A body is JSON, a form, or text in UTF-8' })
  }
  checkText(text)
  return text
}

/** A key that came more than once has a list. */
const valuesOf = (values: QueryValues): Record<string, string | string[]> =>
  Object.fromEntries([...values].map(([key, each]): [string, string | string[]] => [key, each.length === 1 ? each[0]! : each]))

const headersOf = ({ headers }: FastifyRequest): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]): [string, string][] =>
      value === undefined || inertKeys.has(name) ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  )
