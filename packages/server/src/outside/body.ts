import { promisify } from 'node:util'
import { brotliDecompress, constants, gunzip, inflate, inflateRaw } from 'node:zlib'
import { OutsideError } from './error.ts'

type Decoder = (bytes: Uint8Array, maxBytes: number) => Promise<Uint8Array>

// As lenient as browsers are about a stream that lacks its last bytes.
const zlib = (maxOutputLength: number) => ({ maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH })
const gzipped: Decoder = (bytes, max) => promisify(gunzip)(bytes, zlib(max))
// On the wire this is either zlib's format or the bare one; the first byte tells.
const deflated: Decoder = (bytes, max) => promisify((bytes[0]! & 0x0f) === 8 ? inflate : inflateRaw)(bytes, zlib(max))
const brotli: Decoder = (bytes, max) => promisify(brotliDecompress)(bytes, { maxOutputLength: max, finishFlush: constants.BROTLI_OPERATION_FLUSH })

const decoders = new Map<string, Decoder>([
  ['gzip', gzipped],
  ['x-gzip', gzipped],
  ['deflate', deflated],
  ['br', brotli],
])

export const acceptedEncodings = 'gzip, deflate, br'
/** More layers than anyone sends only serve a bomb. */
const maxLayers = 2
/** What compressing adds at worst to a body just under the cap. */
const slack = 64 * 1024

/** The decoders of a content-encoding, in the order to apply them; null when one is not ours: the body is then given as it came. */
export function decodersOf(encoding: string | undefined): Decoder[] | null {
  const names = (encoding ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity')
  const found = names.flatMap((name) => decoders.get(name) ?? [])
  return names.length > maxLayers || found.length < names.length ? null : found.reverse()
}

/**
 * Reads a body to its end and decompresses it. Both what arrives and what it becomes are counted: a bomb stops at the cap,
 * and so does an endless stream that decompresses to nothing. Throws `too_large`.
 */
export async function readBody(raw: AsyncIterable<Uint8Array>, decode: Decoder[], maxBytes: number, host: string): Promise<Uint8Array> {
  const tooLarge = () => new OutsideError('too_large', `the answer of ${host} is larger than ${maxBytes} bytes`)
  const chunks: Uint8Array[] = []
  const cap = decode.length === 0 ? maxBytes : maxBytes + slack
  let arrived = 0
  for await (const chunk of raw) {
    arrived += chunk.byteLength
    if (arrived > cap) throw tooLarge()
    chunks.push(chunk)
  }
  let bytes: Uint8Array = Buffer.concat(chunks)
  for (const each of decode) {
    if (bytes.byteLength === 0) break
    bytes = await each(bytes, maxBytes).catch((error: unknown) => {
      const full = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
      throw full ? tooLarge() : new OutsideError('network', `the body from ${host} cannot be decompressed`)
    })
  }
  return bytes
}
