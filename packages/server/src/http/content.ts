import type { IncomingHttpHeaders } from 'node:http'
import { Fault } from '@sluice/schema'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FileContent } from '../rpc/context.ts'
import { problemOf, type Problem } from '../rpc/faults.ts'
import { createWriter, ReaderGone, type WriterOptions } from './writer.ts'

/** The first and the last byte of a part. */
interface Range {
  start: number
  end: number
}

/** A range behind the end of what it is a range of. */
export class RangeMissed extends Error {
  override readonly name = 'RangeMissed'

  get problem(): Problem {
    return { ...problemOf(new Fault('input_invalid', { message: 'The range is outside of the file' })), status: 416 }
  }
}

/**
 * Sends a stranger's bytes so that no browser runs them: as an attachment, under the type they were said to have and no
 * other, in a sandbox should they be shown all the same. One range is served; of several, all of it. Throws `RangeMissed`.
 */
export async function sendContent({ file, read }: FileContent, request: FastifyRequest, reply: FastifyReply, bounds?: WriterOptions): Promise<void> {
  const { headers, method } = request
  const etag = `"${file.sha256}"`
  reply.headers({ etag, 'accept-ranges': 'bytes', 'cache-control': 'private, no-cache' })
  if (isKnown(headers['if-none-match'], etag)) return void reply.code(304).send()
  // A head has no parts.
  const range = method === 'HEAD' ? null : rangeOf(headers, etag, file.bytes)
  if (range === 'missed') {
    reply.removeHeader('etag').header('content-range', `bytes */${file.bytes}`)
    throw new RangeMissed()
  }
  const { start, end } = range ?? { start: 0, end: file.bytes - 1 }
  const pieces = method === 'HEAD' || file.bytes === 0 ? null : read(start, end)[Symbol.asyncIterator]()
  // Before the head goes out: of a file that was deleted at this moment it can be said that there is none.
  const first = await pieces?.next().catch((error: unknown) => {
    reply.removeHeader('etag')
    throw error
  })
  reply.headers({
    'content-type': file.contentType,
    'content-length': String(end - start + 1),
    'content-disposition': attachment(file.name),
    'content-security-policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
    ...(range && { 'content-range': `bytes ${start}-${end}/${file.bytes}` }),
  })
  reply.hijack()
  const { raw } = reply
  try {
    if (raw.destroyed) return
    raw.writeHead(range ? 206 : 200, reply.getHeaders() as Record<string, string>)
    if (!pieces) return void raw.end()
    const writer = createWriter(raw, bounds)
    for (let piece = first; piece && !piece.done; piece = await pieces.next()) await writer.write(piece.value)
    raw.end()
  } catch (error) {
    // Less than was promised: the reader must not take it for the whole.
    raw.destroy()
    if (!(error instanceof ReaderGone)) throw error
  } finally {
    await pieces?.return?.()
  }
}

const isKnown = (header: string | undefined, etag: string): boolean =>
  header !== undefined && (header.trim() === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === etag))

/** Null: all of it, as when the header is none of ours, asks for several, or is about another state of the file. */
function rangeOf(headers: IncomingHttpHeaders, etag: string, bytes: number): Range | 'missed' | null {
  const condition = headers['if-range']
  if (condition !== undefined && condition !== etag) return null
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range?.trim() ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return null
  if (first === '') return last === '0' || bytes === 0 ? 'missed' : { start: Math.max(0, bytes - Number(last)), end: bytes - 1 }
  const start = Number(first)
  const end = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1)
  if (last !== '' && Number(last) < start) return null
  return start >= bytes ? 'missed' : { start, end }
}

/** Under its name, once for those who read ASCII alone, once for all others. */
export function attachment(name: string): string {
  const plain = name.replace(/[^ -~]|["\\%]/g, '_')
  const exact = encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`
}
