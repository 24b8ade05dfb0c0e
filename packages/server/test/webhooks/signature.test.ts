import { createHmac } from 'node:crypto'
import { Fault, type SetSignature } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { keptOf } from '../../src/webhooks/kept.ts'
import { type Signed, toldOf, verify } from '../../src/webhooks/signature.ts'

const now = 1_614_265_330_000
const text = (raw: string): Uint8Array => Buffer.from(raw)

/** The fault's message, or what was vouched for. */
function tried(settings: SetSignature, signed: Signed, at = now): unknown {
  try {
    return verify(toldOf(settings), settings.secret, signed, at)
  } catch (error) {
    if (error instanceof Fault && error.code === 'signature_invalid') return error.message
    throw error
  }
}

const wrong = 'The signature does not hold'
const late = (header: string, seconds = 300): string => `The signature is too old: ${header} is not within ${seconds} seconds of now`

describe('Standard Webhooks', () => {
  // As its libraries have it in their own tests.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const settings: SetSignature = { scheme: 'standard', secret, toleranceSeconds: 300 }
  const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
  const raw = '{"test": 2432232314}'
  const headers = { 'webhook-id': id, 'webhook-timestamp': '1614265330', 'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=' }
  const signed = (over: Record<string, string> = {}, body = raw): Signed => ({ headers: { ...headers, ...over }, raw: text(body) })
  const signature = (body: string | Uint8Array, { of = id, at = '1614265330', key = Buffer.from(secret.slice(6), 'base64') } = {}): string =>
    `v1,${createHmac('sha256', key)
      .update(Buffer.concat([Buffer.from(`${of}.${at}.`), Buffer.from(body)]))
      .digest('base64')}`

  test('the example of its libraries holds, and vouches for its id', () => {
    expect(tried(settings, signed())).toEqual({ id, signature: null })
    expect(tried({ ...settings, secret: secret.slice(6) }, signed())).toEqual({ id, signature: null })
  })

  test('the body counts byte by byte: spaces, line ends and letters beyond ASCII', () => {
    for (const body of ['{"test":2432232314}', '{"test": 2432232314}\n', ' {"test": 2432232314}', '{"test": 2432232315}', '']) expect(tried(settings, signed({}, body))).toBe(wrong)
    for (const body of ['', '  {"ä":  "é – 😀"}\r\n', '{"ä":"e\u0301"}', 'a=1&b=%20']) {
      expect(tried(settings, signed({ 'webhook-signature': signature(body) }, body))).toEqual({ id, signature: null })
      expect(tried(settings, signed({ 'webhook-signature': signature(body) }, `${body} `))).toBe(wrong)
    }
    const bytes = Uint8Array.of(0, 255, 254, 10, 13)
    expect(tried(settings, { headers: { ...headers, 'webhook-signature': signature(bytes) }, raw: bytes })).toEqual({ id, signature: null })
  })

  test('of several signatures one is enough, of other versions none', () => {
    const other = signature(raw, { key: Buffer.from('another key of a sender') })
    expect(tried(settings, signed({ 'webhook-signature': `${other} v2,abc v1a,def ${headers['webhook-signature']}` }))).toEqual({ id, signature: null })
    expect(tried(settings, signed({ 'webhook-signature': other }))).toBe(wrong)
    for (const bad of ['', 'v1', 'v1,', headers['webhook-signature'].slice(3), `v2${headers['webhook-signature'].slice(2)}`, 'v1,AAAA'])
      expect(tried(settings, signed({ 'webhook-signature': bad }))).toBe(wrong)
  })

  test('id and time are signed, too: another of either does not hold', () => {
    expect(tried(settings, signed({ 'webhook-id': `${id}2` }))).toBe(wrong)
    expect(tried(settings, signed({ 'webhook-timestamp': '1614265331' }))).toBe(wrong)
    const { 'webhook-id': _id, ...without } = headers
    expect(tried(settings, { headers: { ...without, 'webhook-signature': signature(raw, { of: '' }) }, raw: text(raw) })).toBe(wrong)
  })

  test('a signature holds within the tolerance to either side of now, to the millisecond, and no longer', () => {
    for (const [offset, holds] of [
      [300_000, true],
      [-300_000, true],
      [300_001, false],
      [-300_001, false],
    ] as const)
      expect([offset, tried(settings, signed(), now + offset)]).toEqual([offset, holds ? { id, signature: null } : late('webhook-timestamp')])
    expect(tried({ ...settings, toleranceSeconds: 10 }, signed(), now + 10_001)).toBe(late('webhook-timestamp', 10))
    for (const at of ['', 'now', '1e9', '-1', ' 1614265330', '1614265330.0', '99999999999999999999'])
      expect([at, tried(settings, signed({ 'webhook-timestamp': at, 'webhook-signature': signature(raw, { at }) }))]).toEqual([at, late('webhook-timestamp')])
  })

  test('a secret that is no key is refused when it is set', () => {
    for (const bad of ['whsec_', 'whsec_c2hvcnQ=', '!!!!!!!!']) expect(() => toldOf({ ...settings, secret: bad })).toThrow(Fault)
  })
})

describe('a plain HMAC', () => {
  const secret = "It's a Secret to Everybody"
  const settings: SetSignature = { scheme: 'hmac-sha256', header: 'X-Hub-Signature-256', secret, toleranceSeconds: 300 }
  const timed: SetSignature = { ...settings, header: 'x-signature', timestampHeader: 'X-Timestamp' }
  const hex = (of: string, key = secret): string => createHmac('sha256', key).update(of).digest('hex')

  test('over the body alone is what GitHub sends: its own example holds, with and without the name before it', () => {
    const expected = '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
    const signed = (value: string, raw = 'Hello, World!'): Signed => ({ headers: { 'x-hub-signature-256': value }, raw: text(raw) })
    for (const value of [`sha256=${expected}`, expected, `sha256=${expected.toUpperCase()}`])
      expect(tried(settings, signed(value), 0)).toEqual({ id: null, signature: Buffer.from(expected, 'hex') })
    for (const value of ['', 'sha256=', `sha1=${expected}`, `sha256=${expected.slice(2)}`, `sha256=${expected}00`, `sha256=${hex('Hello, World!', 'another secret')}`])
      expect([value, tried(settings, signed(value))]).toEqual([value, wrong])
    expect(tried(settings, signed(`sha256=${expected}`, 'Hello, World! '))).toBe(wrong)
  })

  test('over time and body holds within the tolerance; the time is part of what is signed', () => {
    const at = '1614265330'
    const signed = (time: string, value: string): Signed => ({ headers: { 'x-timestamp': time, 'x-signature': value }, raw: text('{"ä": 1}') })
    const right = hex(`${at}.{"ä": 1}`)
    expect(tried(timed, signed(at, `sha256=${right}`), now + 300_000)).toEqual({ id: null, signature: Buffer.from(right, 'hex') })
    expect(tried(timed, signed(at, `sha256=${right}`), now + 300_001)).toBe(late('x-timestamp'))
    expect(tried(timed, signed('1614265331', `sha256=${right}`))).toBe(wrong)
    expect(tried(timed, signed(at, `sha256=${hex('{"ä": 1}')}`))).toBe(wrong)
    expect(tried(timed, { headers: { 'x-signature': `sha256=${hex('.{"ä": 1}')}` }, raw: text('{"ä": 1}') })).toBe(late('x-timestamp'))
  })
})

test('what says who sent a delivery is not kept, nor what is of one connection alone', () => {
  const headers = {
    authorization: 'Bearer a',
    'Proxy-Authorization': 'b',
    cookie: 'c',
    'x-api-key': 'd',
    apikey: 'd',
    'x-hub-signature-256': 'e',
    'webhook-signature': 'f',
    'x-gitlab-token': 'g',
    'x-proof': 'h',
    connection: 'close',
    'transfer-encoding': 'chunked',
    'X-Github-Event': 'push',
    'content-type': 'text/plain',
  }
  expect(JSON.parse(keptOf({ method: 'POST', headers, query: {}, body: 'null' }, ['x-proof']).headers)).toEqual({ 'x-github-event': 'push', 'content-type': 'text/plain' })
})
