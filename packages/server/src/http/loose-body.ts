import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import { Fault } from '@sluice/schema'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { textOf } from './any-body.ts'
import { readBody, typeOf } from './body.ts'
import { valuesOfForm } from './form-values.ts'
import { checkText, inertKeys, type JsonBounds, jsonBounds } from './json.ts'
import { maxPairs, readQuery } from './query.ts'

const supported = ['application/json', 'multipart/form-data', 'application/x-www-form-urlencoded']

/**
 * A body that says one object, as JSON or as a form, whichever the client likes; undefined of none. It lies in memory, within the
 * bounds of JSON: nothing of it is stored. Throws `media_unsupported`; `input_invalid` of a file, which nobody takes here, and of a
 * form that cannot be read; and what `readJson` throws.
 */
async function readLooseBody(headers: IncomingHttpHeaders, raw: Buffer, bounds: JsonBounds = jsonBounds): Promise<{ value: unknown } | undefined> {
  if (raw.byteLength === 0) return undefined
  if (raw.byteLength > bounds.bytes) throw new Fault('body_too_large', { details: { maxBytes: bounds.bytes } })
  switch (typeOf(headers['content-type'])) {
    case 'application/x-www-form-urlencoded':
      return { value: valuesOfForm(pairsOf(textOf(headers, raw)), bounds) }
    case 'multipart/form-data':
      return { value: valuesOfForm(await partsOf(headers, raw), bounds) }
    default:
      return readBody(headers, raw, supported, bounds)
  }
}

/** Makes room in a scope of routes for bodies of each such type. */
export function allowLooseBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, bytes: Buffer) =>
    readLooseBody(request.headers, bytes, boundsOf(request.routeOptions.config.room ?? 1)),
  )
}

/** Of a body with the room of several. It nests no deeper. */
const boundsOf = (room: number): JsonBounds => ({ ...jsonBounds, bytes: room * jsonBounds.bytes, keys: room * jsonBounds.keys })

type Pair = readonly [name: string, text: string]

const pairsOf = (text: string): Pair[] => [...readQuery(text)].flatMap(([name, texts]) => texts.map((each): Pair => [name, each]))

async function partsOf(headers: IncomingHttpHeaders, raw: Buffer): Promise<Pair[]> {
  const contentType = headers['content-type']!
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') throw new Fault('media_unsupported', { message: 'The body is compressed; send it as it is' })
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType) ?? []
  const boundary = quoted ?? plain
  if (boundary === undefined) throw unreadable('The form says no boundary')
  measure(raw, `--${boundary}`)
  const form = await new Response(new Uint8Array(raw), { headers: { 'content-type': contentType } }).formData().catch((error: unknown) => {
    throw unreadable(undefined, error)
  })
  const pairs: Pair[] = []
  for (const [name, value] of form) {
    if (inertKeys.has(name)) continue
    // A field for a file that none was chosen for has no name, and nothing in it.
    if (typeof value !== 'string' && (value.name !== '' || value.size > 0)) throw fileFor(name)
    pairs.push([name, typeof value === 'string' ? value : ''])
  }
  // The parser puts a sign in the place of what is none.
  if (!isUtf8(raw)) throw new Fault('media_unsupported', { message: 'The texts of a form are UTF-8' })
  for (const each of pairs.flat()) checkText(each)
  return pairs
}

const headBytes = 2_000

/** Looks at a form before it is parsed: how many fields it has, and how long their heads are, of which the parser knows no bound. */
function measure(raw: Buffer, mark: string): void {
  if (raw.indexOf(mark) !== 0) throw unreadable()
  let fields = 0
  for (let at = 0; at >= 0; at = raw.indexOf(`\r\n${mark}`, at + mark.length)) {
    const head = raw.subarray(at === 0 ? 0 : at + 2, at + headBytes).subarray(mark.length)
    const isLast = head.toString('latin1', 0, 2) === '--'
    if (!isLast && ++fields > maxPairs) throw unreadable(`The form has more than ${maxPairs} fields`)
    if (!isLast && head.indexOf('\r\n\r\n') < 0) throw unreadable('The head of a field is too long')
  }
}

const unreadable = (message = 'The form cannot be read', cause?: unknown) => new Fault('input_invalid', { message, cause })

const fileFor = (name: string) => new Fault('input_invalid', { message: 'No field takes a file here', issues: [{ path: [name], message: 'takes no file' }] })
