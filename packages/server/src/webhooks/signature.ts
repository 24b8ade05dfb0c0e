import { createHmac, timingSafeEqual } from 'node:crypto'
import { Fault, type SetSignature, type WebhookSignature } from '@sluice/schema'

/** A request, as far as a signature is about it. */
export interface Signed {
  /** By their names in lower case. */
  headers: Readonly<Record<string, string>>
  /** The body as it came, byte by byte. */
  raw: Uint8Array
}

/** What a signature vouches for, by which the same delivery is known when it comes again. */
export interface Vouched {
  /** The sender's id of the delivery, where that is signed, too. */
  id: string | null
  /** Where it is not: the signature that was right. */
  signature: Buffer | null
}

/** The headers of Standard Webhooks, which other libraries send and check. */
const standard = { id: 'webhook-id', timestamp: 'webhook-timestamp', signature: 'webhook-signature' } as const

/** What may be told of it. Throws `input_invalid` for a secret that is none of its scheme. */
export function toldOf(signature: SetSignature): WebhookSignature {
  const { scheme, toleranceSeconds } = signature
  if (scheme === 'hmac-sha256') return { scheme, header: signature.header.toLowerCase(), timestampHeader: signature.timestampHeader?.toLowerCase() ?? null, toleranceSeconds }
  if (keyOf(signature.secret).length < 16)
    throw new Fault('input_invalid', { issues: [{ path: ['signature', 'secret'], message: 'expected whsec_ and base64 of at least 16 bytes' }] })
  return { scheme, header: standard.signature, timestampHeader: standard.timestamp, toleranceSeconds }
}

/**
 * Throws `signature_invalid` unless one who has the secret signed this, and, where a signature has a time, within the tolerance
 * of `now`: also a time to come, for their clock may be before ours.
 */
export function verify(settings: WebhookSignature, secret: string, signed: Signed, now: number): Vouched {
  return settings.scheme === 'standard' ? verifyStandard(settings, secret, signed, now) : verifyPlain(settings, secret, signed, now)
}

function verifyStandard(settings: WebhookSignature, secret: string, { headers, raw }: Signed, now: number): Vouched {
  const id = headers[standard.id] ?? ''
  const timestamp = headers[standard.timestamp] ?? ''
  const expected = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`).update(raw).digest()
  // While a sender changes its secret it signs with both.
  const given = (headers[standard.signature] ?? '').split(' ').flatMap((each) => (each.startsWith('v1,') ? [Buffer.from(each.slice(3), 'base64')] : []))
  if (id === '' || !given.some((each) => isSame(each, expected))) throw wrong()
  checkTime(timestamp, settings, now)
  return { id, signature: null }
}

function verifyPlain(settings: WebhookSignature, secret: string, { headers, raw }: Signed, now: number): Vouched {
  const timestamp = settings.timestampHeader === null ? null : (headers[settings.timestampHeader] ?? '')
  const mac = createHmac('sha256', secret)
  if (timestamp !== null) mac.update(`${timestamp}.`)
  const expected = mac.update(raw).digest()
  const [, hex = ''] = /^(?:sha256=)?([0-9a-f]{64})$/i.exec(headers[settings.header]?.trim() ?? '') ?? []
  if (!isSame(Buffer.from(hex, 'hex'), expected)) throw wrong()
  if (timestamp !== null) checkTime(timestamp, settings, now)
  return { id: null, signature: expected }
}

/** In a time that does not tell how much of it is right; how long a signature is, everybody knows. */
const isSame = (given: Buffer, expected: Buffer): boolean => given.length === expected.length && timingSafeEqual(given, expected)

const keyOf = (secret: string): Buffer => Buffer.from(secret.replace(/^whsec_/, ''), 'base64')

/** After the signature was found right: nobody else learns what our clock says. */
function checkTime(timestamp: string, { toleranceSeconds, timestampHeader }: WebhookSignature, now: number): void {
  const isNear = /^\d{1,12}$/.test(timestamp) && Math.abs(now - Number(timestamp) * 1_000) <= toleranceSeconds * 1_000
  if (!isNear) throw new Fault('signature_invalid', { message: `The signature is too old: ${timestampHeader} is not within ${toleranceSeconds} seconds of now` })
}

const wrong = () => new Fault('signature_invalid')
