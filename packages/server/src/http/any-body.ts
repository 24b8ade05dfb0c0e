import type { IncomingHttpHeaders } from 'node:http'
import { Fault } from '@sluice/schema'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { readBody, typeOf } from './body.ts'
import { checkText, type ReadJson } from './json.ts'
import { type QueryValues, readQuery } from './query.ts'

/** A body as whoever sent it chose: JSON as it is, a form as an object, anything else as text in UTF-8, and none as null. Throws `json_malformed`, `input_invalid`, `media_unsupported`. */
export function readAnyBody(headers: IncomingHttpHeaders, raw: Buffer): ReadJson {
  const type = typeOf(headers['content-type'])
  if (type === 'application/json' || type.endsWith('+json')) return readBody({ ...headers, 'content-type': asJson(headers['content-type']) }, raw) ?? nothing
  if (raw.byteLength === 0) return nothing
  const text = textOf(headers, raw)
  const value = type === 'application/x-www-form-urlencoded' ? valuesOf(readQuery(text)) : text
  return { value, text: JSON.stringify(value) }
}

/** Makes room in a scope of routes for bodies of any type. */
export function allowAnyBody(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, bytes: Buffer) => readAnyBody(request.headers, bytes))
}

/** A key that came more than once has a list. */
export const valuesOf = (values: QueryValues): Record<string, string | string[]> =>
  Object.fromEntries([...values].map(([key, each]): [string, string | string[]] => [key, each.length === 1 ? each[0]! : each]))

const nothing: ReadJson = { value: null, text: 'null' }

/** As the reader of JSON has its name. */
const asJson = (contentType: string | undefined): string => (contentType ?? '').replace(/^[^;]*/, 'application/json')

// A mark of the order of bytes is part of what was sent.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A body that is a text. Throws `media_unsupported`, and `json_malformed` of what PostgreSQL cannot keep. */
export function textOf(headers: IncomingHttpHeaders, raw: Buffer): string {
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
