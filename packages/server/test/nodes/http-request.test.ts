import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { JsonObject } from '@sluice/schema'
import { afterAll, describe, expect, test } from 'vitest'
import { httpRequest } from '../../src/nodes/library/http-request.ts'
import { createOutside } from '../../src/outside/outside.ts'
import { serve } from '../outside/service.ts'
import { context, failure, run } from './asked.ts'

const outside = createOutside({ allow: ['127.0.0.1'] })
afterAll(() => outside.close())
const node = httpRequest(outside)

interface Seen {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: string
}

/** A service that keeps what it saw and answers as told. */
async function service(answer: (response: ServerResponse, seen: Seen) => void) {
  const seen: Seen[] = []
  const served = await serve(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    seen.push({ method: request.method!, url: request.url!, headers: request.headers, body: Buffer.concat(chunks).toString() })
    answer(response, seen.at(-1)!)
  })
  return { ...served, seen }
}
const json = (value: unknown) => (response: ServerResponse) => void response.setHeader('content-type', 'application/json').end(JSON.stringify(value))

describe('http-request', () => {
  test('sends its step key as Idempotency-Key, and gives status, headers, parsed body and time', async () => {
    await using called = await service(json({ id: 7 }))
    const { output } = await run(node, { method: 'POST', url: `${called.url}/charge`, body: { amount: 1250 } }, { key: 'run/charge/' })
    expect(output).toEqual({ status: 200, headers: expect.objectContaining({ 'content-type': 'application/json' }), body: { id: 7 }, durationMs: expect.any(Number) })
    expect(called.seen).toMatchObject([
      { method: 'POST', url: '/charge', body: '{"amount":1250}', headers: { 'idempotency-key': 'run/charge/', 'content-type': 'application/json' } },
    ])
  })

  test('what the config says of headers stands', async () => {
    await using called = await service(json(null))
    await run(node, { method: 'PUT', url: called.url, body: '<a/>', headers: { 'Content-Type': 'application/xml', 'IDEMPOTENCY-KEY': 'mine' } })
    expect(called.seen).toMatchObject([{ body: '<a/>', headers: { 'content-type': 'application/xml', 'idempotency-key': 'mine' } }])
  })

  test.each<[string, JsonObject, string]>([
    ['/a', { q: 'x y&z', n: 1, yes: true, none: null, list: [1, 'b', null], object: { a: 1 } }, '/a?q=x+y%26z&n=1&yes=true&list=1&list=b&object=%7B%22a%22%3A1%7D'],
    ['/a?b=c', { d: 'e' }, '/a?b=c&d=e'],
    ['/a?b=c#part', { d: 'e' }, '/a?b=c&d=e'],
    ['/a?b=c', {}, '/a?b=c'],
  ])('adds to %s the query %j', async (path, query, asked) => {
    await using called = await service(json(1))
    await run(node, { method: 'GET', url: called.url + path, query })
    expect(called.seen[0]!.url).toBe(asked)
  })

  test.each<[string, string | undefined, Buffer, unknown]>([
    ['JSON of any kind', 'application/problem+json; charset=utf-8', Buffer.from('{"a":[1]}'), { a: [1] }],
    ['text', 'text/plain', Buffer.from('héllo'), 'héllo'],
    ['text in its charset', 'text/plain; charset=iso-8859-1', Buffer.from('h\xe9llo', 'latin1'), 'héllo'],
    ['what names no type and is text', undefined, Buffer.from('plain'), 'plain'],
    ['what names no type and is none', undefined, Buffer.from([0xff, 0xfe, 0x00, 0xc3]), '//4Aww=='],
    ['an image', 'image/png', Buffer.from([1, 2, 3]), 'AQID'],
    ['nothing', 'application/json', Buffer.alloc(0), null],
    ['an unknown charset', 'text/plain; charset=nonsense', Buffer.from('abc'), 'YWJj'],
  ])('reads %s', async (_, type, bytes, body) => {
    await using called = await service((response) => void (type === undefined ? response : response.setHeader('content-type', type)).end(bytes))
    expect((await run(node, { method: 'GET', url: called.url })).output).toMatchObject({ body })
  })

  test('JSON that is none, or is nested too deeply, fails for good', async () => {
    await using called = await service(
      (response, { url }) => void response.setHeader('content-type', 'application/json').end(url === '/deep' ? '['.repeat(70) + ']'.repeat(70) : '{"a":'),
    )
    expect(await failure(() => run(node, { method: 'GET', url: called.url }))).toMatchObject({ code: 'http_body_invalid', retry: false, details: { body: '{"a":' } })
    expect(await failure(() => run(node, { method: 'GET', url: `${called.url}/deep` }))).toMatchObject({ code: 'http_body_invalid', retry: false })
  })

  test('a key that names the prototype is data', async () => {
    await using called = await service((response) => void response.setHeader('content-type', 'application/json').end('{"__proto__":{"polluted":true}}'))
    const { output } = await run(node, { method: 'GET', url: called.url })
    expect(({} as { polluted?: true }).polluted).toBeUndefined()
    expect(JSON.stringify((output as JsonObject)['body'])).toBe('{"__proto__":{"polluted":true}}')
  })

  test.each([
    [500, true],
    [503, true],
    [429, true],
    [400, false],
    [401, false],
    [404, false],
    [409, false],
  ])('status %i fails the step, retried: %s', async (status, retry) => {
    await using called = await service((response) => void response.writeHead(status, { 'content-type': 'text/plain' }).end('x'.repeat(5000)))
    expect(await failure(() => run(node, { method: 'GET', url: called.url }))).toMatchObject({ code: `http_${status}`, retry, details: { status, body: 'x'.repeat(2000) } })
  })

  test('a status of 304 is an answer', async () => {
    await using called = await service((response) => void response.writeHead(304).end())
    expect((await run(node, { method: 'GET', url: called.url })).output).toMatchObject({ status: 304, body: null })
  })

  test.each<[string, JsonObject & { url: string }, string, boolean]>([
    ['a private address', { url: 'http://10.0.0.1/?key=hidden' }, 'http_refused_address', false],
    ['a time-out', { timeoutMs: 50, url: '/slow' }, 'http_timed_out', true],
    ['a body over 2 MiB', { url: '/large' }, 'http_too_large', false],
    ['endless redirects', { url: '/again' }, 'http_redirects', false],
    ['a broken connection', { url: '/broken' }, 'http_network', true],
    ['a header with a line break', { url: '/', headers: { 'x-a': 'hidden\r\nx-b: 1' } }, 'http_invalid_request', false],
  ])('%s is a failure that says so, and no more', async (_, config, code, retry) => {
    await using called = await service((response, { url }) => {
      if (url === '/large') response.end(Buffer.alloc(2 * 1024 * 1024 + 1))
      if (url === '/again') response.writeHead(302, { location: '/again' }).end()
      if (url === '/broken') response.socket!.destroy()
    })
    const { url } = config
    const error = await failure(() => run(node, { method: 'GET', ...config, url: url.startsWith('/') ? called.url + url : url }))
    expect(error).toMatchObject({ code, retry })
    expect(error.message).not.toContain('hidden')
  })

  test('is stopped with the reason of the signal', async () => {
    await using called = await service(() => {})
    await expect(run(node, { method: 'GET', url: called.url }, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  test('a body to GET and a header set twice are said at validation', () => {
    expect(node.check!({ method: 'GET', url: 'x', body: {} })).toMatchObject([{ path: ['body'] }])
    expect(node.check!({ method: 'POST', url: 'x', body: {}, headers: { authorization: 'x' }, auth: { secret: 's' } })).toMatchObject([{ path: ['headers', 'authorization'] }])
    expect(node.check!({ method: 'POST', url: 'x', headers: { authorization: 'x' }, auth: { secret: 's', header: 'X-Key' } })).toEqual([])
    expect(node.check!({ method: 'GET', headers: 'nonsense', auth: 'nonsense' })).toEqual([])
  })
})

describe('secrets of http-request', () => {
  const secret = 'sk-"quoted" & very secret'
  const abilities = { ...context().abilities, secret: async (name: string) => (name === 'payments' ? secret : 'another') }

  test('are read at the call and sent in the header they are meant for', async () => {
    await using called = await service(json(1))
    await run(node, { method: 'GET', url: called.url, auth: { secret: 'payments' } }, { abilities })
    await run(node, { method: 'GET', url: called.url, auth: { secret: 'payments', header: 'X-Api-Key', prefix: '' } }, { abilities })
    expect([called.seen[0]!.headers.authorization, called.seen[1]!.headers['x-api-key']]).toEqual([`Bearer ${secret}`, secret])
    expect(called.seen[1]!.headers.authorization).toBeUndefined()
  })

  test('do not follow a redirect to another origin, whatever their header', async () => {
    await using other = await service(json(1))
    await using called = await service((response) => void response.writeHead(307, { location: other.url }).end())
    await run(node, { method: 'GET', url: called.url, auth: { secret: 'payments', header: 'X-Api-Key' } }, { abilities })
    expect(other.seen[0]!.headers['x-api-key']).toBeUndefined()
  })

  test('are in no output and no error, even of a service that repeats what it was sent', async () => {
    await using called = await service((response, { url, headers }) => {
      const repeated = { plain: headers.authorization, url: encodeURIComponent(secret) }
      response.writeHead(Number(url.slice(1)), { 'content-type': 'application/json', 'x-repeated': String(headers.authorization) }).end(JSON.stringify(repeated))
    })
    const { output } = await run(node, { method: 'GET', url: `${called.url}/200`, auth: { secret: 'payments' } }, { abilities })
    expect(output).toMatchObject({ headers: { 'x-repeated': 'Bearer [secret]' }, body: { plain: 'Bearer [secret]', url: '[secret]' } })
    const error = await failure(() => run(node, { method: 'GET', url: `${called.url}/400`, auth: { secret: 'payments' } }, { abilities }))
    expect(JSON.stringify([error.message, error.details])).not.toMatch(/quoted|very/)
  })

  test('that cannot be sent do not show in the failure', async () => {
    const broken = { ...abilities, secret: async () => 'line\nbreak' }
    const error = await failure(() => run(node, { method: 'GET', url: 'http://127.0.0.1:1', auth: { secret: 'payments' } }, { abilities: broken }))
    expect(error).toMatchObject({ code: 'http_invalid_request', message: 'the header authorization has a value that cannot be sent' })
  })

  describe('that is to give what there is', () => {
    const give = (config: JsonObject) => run(node, { onError: 'give', ...config }).then(({ output }) => output)

    test('gives an answer of any status, with no error', async () => {
      await using called = await service((response) => void response.writeHead(503, { 'content-type': 'application/json' }).end('{"a":1}'))
      expect(await give({ method: 'GET', url: called.url })).toEqual({ status: 503, headers: expect.anything(), body: { a: 1 }, durationMs: expect.any(Number), error: null })
    })

    test('gives as text what says that it is JSON and is not, or is nested too deeply', async () => {
      const deep = '['.repeat(70) + ']'.repeat(70)
      await using called = await service((response, { url }) => void response.setHeader('content-type', 'application/json').end(url === '/deep' ? deep : '{"a":'))
      expect(await give({ method: 'GET', url: called.url })).toMatchObject({ status: 200, body: '{"a":' })
      expect(await give({ method: 'GET', url: `${called.url}/deep` })).toMatchObject({ status: 200, body: deep })
    })

    test('gives a status of 0 and what was wrong where no answer came', async () => {
      const gone = await service(() => {})
      await gone[Symbol.asyncDispose]()
      const nothing = { status: 0, headers: {}, body: null, durationMs: expect.any(Number) }
      expect(await give({ method: 'GET', url: gone.url })).toEqual({ ...nothing, error: { type: 'network', message: expect.stringContaining('no answer from 127.0.0.1') } })
      expect(await give({ method: 'GET', url: 'http://10.0.0.1/' })).toMatchObject({ status: 0, error: { type: 'refused_address' } })
      expect(await give({ method: 'GET', url: 'no url' })).toMatchObject({ status: 0, error: { type: 'invalid_request' } })
      await using slow = await service(() => {})
      expect(await give({ method: 'OPTIONS', url: slow.url, timeoutMs: 50 })).toMatchObject({ status: 0, error: { type: 'timed_out' }, durationMs: expect.any(Number) })
    })

    test('is ended by a cancel all the same', async () => {
      await using slow = await service(() => {})
      const abort = new AbortController()
      const asked = run(node, { onError: 'give', method: 'GET', url: slow.url }, { signal: abort.signal })
      abort.abort(new Error('cancelled'))
      await expect(asked).rejects.toThrow('cancelled')
    })

    test('asks for headers alone with HEAD', async () => {
      await using called = await service((response) => void response.setHeader('x-there', 'yes').end())
      expect(await give({ method: 'HEAD', url: called.url })).toMatchObject({ status: 200, headers: { 'x-there': 'yes' }, body: null })
      expect(called.seen[0]!.method).toBe('HEAD')
    })
  })
})
