import type { IncomingHttpHeaders } from 'node:http'
import { Fault } from '@sluice/schema'
import { type JsonBounds, jsonBounds, readJson, type ReadJson } from './json.ts'

/** The type alone, in one spelling: `application/json` of `Application/JSON; charset="utf-8"`. */
export function typeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/**
 * Reads a body by its normalised type and by nothing else. Without bytes there is no body, whatever the type. Here it is JSON
 * or refused; `supported` says what the address takes beside it. Throws `media_unsupported`, and what `readJson` throws.
 */
export function readBody(headers: IncomingHttpHeaders, bytes: Buffer, supported: readonly string[] = ['application/json'], bounds: JsonBounds = jsonBounds): ReadJson | undefined {
  if (bytes.byteLength === 0) return undefined
  const contentType = headers['content-type']
  const encoding = headers['content-encoding']
  if (typeOf(contentType) !== 'application/json') throw new Fault('media_unsupported', { details: { supported: [...supported] } })
  const [, charset] = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType ?? '') ?? []
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) throw new Fault('media_unsupported', { message: 'JSON is read as UTF-8' })
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') throw new Fault('media_unsupported', { message: 'The body is compressed; send it as it is' })
  return readJson(bytes, bounds)
}
