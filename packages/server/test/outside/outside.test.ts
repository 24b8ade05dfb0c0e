import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { createOutside } from '../../src/outside/outside.ts'
import type { Outside, OutsideOptions } from '../../src/outside/outside.ts'
import { selfSigned } from './self-signed.ts'
import { serve } from './service.ts'

const made: Outside[] = []
const outside = (options: Partial<OutsideOptions> = {}) => {
  const one = createOutside({ allow: [], ...options })
  made.push(one)
  return one
}
afterAll(() => Promise.all(made.map((each) => each.close())))

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const get = (url: string, more = {}) => ({ method: 'GET', url, timeoutMs: 5000, ...more })
const failure = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return error as { code: string; message: string; cause?: unknown }
}

describe('an exchange', () => {
  test('gives status, headers, body and time', async () => {
    await using service = await serve((request, response) => {
      response.setHeader('x-seen', [String(request.headers['x-mine']), 'twice'])
      response.writeHead(201).end(`${request.method} ${request.url}`)
    })
    const answer = await outside({ allow: [service.host] }).request({ method: 'post', url: `${service.url}/a?b=c`, headers: { 'X-Mine': '1' }, body: 'hello' })
    expect(answer).toMatchObject({ status: 201, headers: { 'x-seen': '1, twice' }, url: `${service.url}/a?b=c` })
    expect(text(answer.body)).toBe('POST /a?b=c')
    expect(answer.durationMs).toBeGreaterThanOrEqual(0)
  })

  test('with a status of 500 is an answer, not an error', async () => {
    await using service = await serve((_, response) => response.writeHead(500).end('no'))
    expect((await outside({ allow: [service.host] }).request(get(service.url))).status).toBe(500)
  })

  test('keeps connections open between requests', async () => {
    await using service = await serve((_, response) => response.end('ok'))
    const one = outside({ allow: [service.host] })
    for (let each = 0; each < 10; each++) await one.request(get(service.url))
    // A second one is opened when a request comes before the first connection has been put back.
    expect(service.connections()).toBeLessThanOrEqual(2)
  })

  test('survives header names that are keys of every object', async () => {
    await using service = await serve((_, response) => {
      response.socket!.end('HTTP/1.1 200 OK\r\n__proto__: a\r\n__proto__: b\r\nconstructor: c\r\ncontent-length: 2\r\n\r\nok')
    })
    const answer = await outside({ allow: [service.host] }).request(get(service.url))
    expect(Object.getPrototypeOf(answer.headers)).toBe(Object.prototype)
    expect(Object.entries(answer.headers)).toContainEqual(['__proto__', 'a, b'])
  })
})

describe('O1: only public addresses are connected to', () => {
  test.each([
    'http://127.0.0.1',
    'http://localhost',
    'http://2130706433',
    'http://0x7f000001',
    'http://0177.0.0.1',
    'http://127.1',
    'http://0',
    'http://[::1]',
    'http://[::]',
    'http://[::ffff:127.0.0.1]',
    'http://[0:0:0:0:0:ffff:7f00:1]',
    'http://[64:ff9b::127.0.0.1]',
    'http://[2002:7f00:1::]',
    'http://169.254.169.254',
    'http://①②⑦.0.0.1',
    'http://10.0.0.1',
    'https://192.168.0.1',
  ])('%s is refused, and its service sees nothing', async (url) => {
    await using service = await serve((_, response) => response.end('secret'))
    expect(await failure(outside().request(get(`${url}:${service.port}/`)))).toMatchObject({ name: 'OutsideError', code: 'refused_address' })
    expect(service.connections()).toBe(0)
  })

  test.each([
    'file:///etc/passwd',
    'ftp://example.com',
    'data:,x',
    'gopher://127.0.0.1',
    'http://[fe80::1%25eth0]/',
    '//example.com',
    'http://',
    'http://256.256.256.256',
    'nonsense',
  ])('%s is no request', async (url) => {
    expect(await failure(outside().request(get(url)))).toMatchObject({ code: 'invalid_request' })
  })

  test('a name is refused for what it resolves to', async () => {
    await using service = await serve((_, response) => response.end('secret'))
    const one = outside({ lookup: async () => [{ address: '127.0.0.1', family: 4 }] })
    expect(await failure(one.request(get(`http://public.example:${service.port}`)))).toMatchObject({ code: 'refused_address' })
    expect(service.connections()).toBe(0)
  })

  test('a name that resolves to an allowed address is not thereby allowed', async () => {
    await using service = await serve((_, response) => response.end('secret'))
    const one = outside({ allow: [service.host], lookup: async () => [{ address: '127.0.0.1', family: 4 }] })
    expect(await failure(one.request(get(`http://public.example:${service.port}`)))).toMatchObject({ code: 'refused_address' })
  })

  test('an allowed host is open at its port and shut at others', async () => {
    await using service = await serve((_, response) => response.end('ok'))
    await using other = await serve((_, response) => response.end('secret'))
    const one = outside({ allow: [`localhost:${service.port}`] })
    expect((await one.request(get(`http://localhost:${service.port}`))).status).toBe(200)
    expect(await failure(one.request(get(`http://localhost:${other.port}`)))).toMatchObject({ code: 'refused_address' })
  })

  test('each hop of a redirect is checked again', async () => {
    await using inner = await serve((_, response) => response.end('secret'))
    await using service = await serve((_, response) => response.writeHead(302, { location: `${inner.url}/admin` }).end())
    const error = await failure(outside({ allow: [service.host] }).request(get(service.url)))
    expect(error).toMatchObject({ code: 'refused_address' })
    expect(inner.connections()).toBe(0)
  })
})

describe('O2: the address that was checked is the one connected to', () => {
  test('a name that turns private between two answers is asked once', async () => {
    await using service = await serve((_, response) => response.end('secret'))
    let asked = 0
    // Public first: nothing answers there (a black hole), so the exchange must end without ever asking again.
    const lookup = async () => (asked++ === 0 ? [{ address: '2001:4860:4860::1', family: 6 as const }] : [{ address: '127.0.0.1', family: 4 as const }])
    const error = await failure(outside({ lookup }).request(get(`http://rebinding.example:${service.port}`, { timeoutMs: 300 })))
    expect(['timed_out', 'network']).toContain(error.code)
    expect(asked).toBe(1)
    expect(service.connections()).toBe(0)
  })

  test('a new connection to the same name is checked again', async () => {
    await using service = await serve((_, response) => response.writeHead(200, { connection: 'close' }).end('ok'))
    const answers = ['2001:4860:4860::1', '127.0.0.1']
    const one = outside({ lookup: async () => [{ address: answers.shift() ?? '127.0.0.1', family: answers.length === 1 ? 6 : 4 }] })
    await failure(one.request(get(`http://rebinding.example:${service.port}`, { timeoutMs: 300 })))
    expect(await failure(one.request(get(`http://rebinding.example:${service.port}`, { timeoutMs: 300 })))).toMatchObject({ code: 'refused_address' })
    expect(service.connections()).toBe(0)
  })

  test('of several addresses only the public ones are tried', async () => {
    await using service = await serve((_, response) => response.end('secret'))
    const lookup = async () => [
      { address: '127.0.0.1', family: 4 as const },
      { address: '2001:4860:4860::1', family: 6 as const },
    ]
    const error = await failure(outside({ lookup }).request(get(`http://mixed.example:${service.port}`, { timeoutMs: 300 })))
    expect(['timed_out', 'network']).toContain(error.code)
    expect(service.connections()).toBe(0)
  })

  test('over TLS the certificate is asked for and checked under the name, not the address', async () => {
    let asked = ''
    const server = createTlsServer({ ...selfSigned, SNICallback: (name, done) => ((asked = name), done(null)) }, (_, response) => response.end('secret'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const one = outside({ allow: ['sluice.test'], lookup: async () => [{ address: '127.0.0.1', family: 4 }] })
      const error = await failure(one.request(get(`https://sluice.test:${port}`)))
      expect(asked).toBe('sluice.test')
      expect(error).toMatchObject({ code: 'network', message: 'no answer from sluice.test (DEPTH_ZERO_SELF_SIGNED_CERT)' })
    } finally {
      server.close()
    }
  })
})

describe('O3: an exchange ends', () => {
  test.each([
    ['nothing is ever answered', () => {}],
    ['the body never ends', (_: unknown, response: import('node:http').ServerResponse) => void response.write('half')],
    [
      'the body drips',
      (_: unknown, response: import('node:http').ServerResponse) => {
        const drip = setInterval(() => response.write('.'), 20)
        response.on('close', () => clearInterval(drip))
      },
    ],
    ['redirects are slow', (_: unknown, response: import('node:http').ServerResponse) => void setTimeout(() => response.writeHead(302, { location: '/again' }).end(), 120)],
  ])('in time when %s', async (_, listener) => {
    await using service = await serve(listener)
    const started = performance.now()
    expect(await failure(outside({ allow: [service.host] }).request(get(service.url, { timeoutMs: 250, maxRedirects: 100 })))).toMatchObject({ code: 'timed_out' })
    expect(performance.now() - started).toBeLessThan(5000)
  })

  test('in time when the name server is silent', async () => {
    const one = outside({ lookup: () => new Promise(() => {}) })
    expect(await failure(one.request(get('http://silent.example', { timeoutMs: 100 })))).toMatchObject({ code: 'timed_out' })
  })

  test('when its signal says so, with the reason of the signal', async () => {
    await using service = await serve(() => {})
    const stop = new AbortController()
    const work = failure(outside({ allow: [service.host] }).request(get(service.url, { signal: stop.signal })))
    await sleep(50)
    stop.abort(new Error('the run was cancelled'))
    expect(await work).toMatchObject({ message: 'the run was cancelled' })
    expect(await failure(outside({ allow: [service.host] }).request(get(service.url, { signal: stop.signal })))).toMatchObject({ message: 'the run was cancelled' })
  })

  test('at the cap, also for a body without an end', async () => {
    await using service = await serve((_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(65536)));
      }
      response.on('drain', more)
      more()
    })
    expect(await failure(outside({ allow: [service.host] }).request(get(service.url, { maxBytes: 1_000_000 })))).toMatchObject({ code: 'too_large' })
  })

  test('at once when a body says it is too large', async () => {
    await using service = await serve((_, response) => response.writeHead(200, { 'content-length': 5_000_000 }).write('x'))
    expect(await failure(outside({ allow: [service.host] }).request(get(service.url, { maxBytes: 1_000_000 })))).toMatchObject({ code: 'too_large' })
  })

  test('exactly at the cap is an answer', async () => {
    await using service = await serve((_, response) => response.end(Buffer.alloc(1000)))
    const one = outside({ allow: [service.host] })
    expect((await one.request(get(service.url, { maxBytes: 1000 }))).body.byteLength).toBe(1000)
    expect(await failure(one.request(get(service.url, { maxBytes: 999 })))).toMatchObject({ code: 'too_large' })
  })

  const zeros = Buffer.alloc(64 * 1024 * 1024)
  test.each([
    ['gzip', gzipSync(zeros)],
    ['deflate', deflateSync(zeros)],
    ['deflate', deflateRawSync(zeros)],
    ['br', brotliCompressSync(zeros)],
    ['gzip, gzip', gzipSync(gzipSync(zeros))],
  ])('at the cap after decompression: a %s bomb costs little memory', async (encoding, bomb) => {
    await using service = await serve((_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(bomb))
    const before = process.memoryUsage().arrayBuffers
    expect(await failure(outside({ allow: [service.host] }).request(get(service.url, { maxBytes: 100_000 })))).toMatchObject({ code: 'too_large' })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024)
  })

  test.each([
    ['gzip', gzipSync('hello')],
    ['x-gzip', gzipSync('hello')],
    ['deflate', deflateSync('hello')],
    ['deflate', deflateRawSync('hello')],
    ['br', brotliCompressSync('hello')],
    ['gzip, br', brotliCompressSync(gzipSync('hello'))],
    ['identity', Buffer.from('hello')],
  ])('a %s body is read', async (encoding, body) => {
    await using service = await serve((_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(body))
    const answer = await outside({ allow: [service.host] }).request(get(service.url))
    expect(text(answer.body)).toBe('hello')
    if (encoding !== 'identity') expect(answer.headers['content-encoding']).toBeUndefined()
  })

  test('an unknown or too deeply wrapped encoding is given as it came, a broken one is an error', async () => {
    await using service = await serve((request, response) => response.writeHead(200, { 'content-encoding': request.url!.slice(1) }).end('hello'))
    const one = outside({ allow: [service.host] })
    expect(text((await one.request(get(`${service.url}/mine`))).body)).toBe('hello')
    expect(text((await one.request(get(`${service.url}/gzip,gzip,gzip`))).body)).toBe('hello')
    expect(text((await one.request(get(`${service.url}/constructor`))).body)).toBe('hello')
    expect(await failure(one.request(get(`${service.url}/gzip`)))).toMatchObject({ code: 'network', message: 'the body from 127.0.0.1 cannot be decompressed' })
  })

  test('an answer that is no HTTP, or breaks off, is an error of the network', async () => {
    const server = createTcpServer((socket) => void socket.on('error', () => {}).end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await failure(outside({ allow: ['127.0.0.1'] }).request(get(`http://127.0.0.1:${port}`)))).toMatchObject({ code: 'network' })
    server.close()
    expect(await failure(outside({ allow: ['127.0.0.1'] }).request(get(`http://127.0.0.1:${port}`)))).toMatchObject({
      code: 'network',
      message: 'no answer from 127.0.0.1 (ECONNREFUSED)',
    })
  })

  test('headers beyond measure are refused', async () => {
    await using service = await serve((_, response) => response.writeHead(200, { 'x-long': 'x'.repeat(200_000) }).end())
    expect(await failure(outside({ allow: [service.host] }).request(get(service.url)))).toMatchObject({ code: 'too_large' })
  })

  test('close ends what is under way', async () => {
    await using service = await serve(() => {})
    const one = createOutside({ allow: [service.host] })
    const work = failure(one.request(get(service.url)))
    await sleep(50)
    await one.close()
    expect(await work).toMatchObject({ code: 'network' })
  })
})

describe('redirects', () => {
  const echo: import('node:http').RequestListener = async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const status = Number(request.url!.slice(1))
    if (status) return void response.writeHead(status, { location: '/done' }).end('moved')
    response.end(
      JSON.stringify({
        method: request.method,
        body: Buffer.concat(chunks).toString(),
        type: request.headers['content-type'] ?? null,
        auth: request.headers.authorization ?? null,
      }),
    )
  }

  test.each([
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [303, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [301, 'PUT', 'PUT'],
    [307, 'POST', 'POST'],
    [308, 'PATCH', 'PATCH'],
  ])('a %i after %s asks with %s', async (status, method, then) => {
    await using service = await serve(echo)
    const answer = await outside({ allow: [service.host] }).request({
      method,
      url: `${service.url}/${status}`,
      body: 'payload',
      headers: { 'content-type': 'text/plain', authorization: 'Bearer t' },
    })
    const kept = then !== 'GET'
    expect(JSON.parse(text(answer.body))).toEqual({ method: then, body: kept ? 'payload' : '', type: kept ? 'text/plain' : null, auth: 'Bearer t' })
    expect(answer.url).toBe(`${service.url}/done`)
  })

  test('O4: credentials do not cross to another origin, and do not come back', async () => {
    const seen: unknown[] = []
    await using other = await serve((request, response) => {
      seen.push([request.headers.authorization, request.headers.cookie, request.headers['proxy-authorization'], request.headers['x-api-key'], request.headers['x-kept']])
      response.writeHead(302, { location: `${first.url}/back` }).end()
    })
    await using first = await serve((request, response) => {
      if (request.url !== '/back') return void response.writeHead(307, { location: other.url }).end()
      seen.push([request.headers.authorization, request.headers['x-api-key']])
      response.end('done')
    })
    const headers = { Authorization: 'Bearer t', Cookie: 'c=1', 'Proxy-Authorization': 'p', 'X-Api-Key': 'k', 'X-Kept': 'yes' }
    await outside({ allow: [first.host, other.host] }).request(get(first.url, { headers, credentialHeaders: ['X-API-KEY'] }))
    expect(seen).toEqual([
      [undefined, undefined, undefined, undefined, 'yes'],
      [undefined, undefined],
    ])
  })

  test('without an end are given up', async () => {
    let asked = 0
    await using service = await serve((_, response) => void (asked++, response.writeHead(302, { location: '/' }).end()))
    expect(await failure(outside({ allow: [service.host] }).request(get(service.url, { maxRedirects: 3 })))).toMatchObject({ code: 'redirects' })
    expect(asked).toBe(4)
  })

  test.each(['file:///etc/passwd', 'http://user:pass@example.com/', 'javascript:1', 'http://'])('to %s are refused', async (location) => {
    await using service = await serve((_, response) => response.writeHead(302, { location }).end())
    expect(await failure(outside({ allow: [service.host] }).request(get(service.url)))).toMatchObject({ code: 'redirects', message: '127.0.0.1 redirects to where we do not go' })
  })

  test('are given back as they came with a maximum of 0', async () => {
    await using service = await serve((_, response) => response.writeHead(302, { location: '/x' }).end('there'))
    const answer = await outside({ allow: [service.host] }).request(get(service.url, { maxRedirects: 0 }))
    expect([answer.status, answer.headers['location'], text(answer.body)]).toEqual([302, '/x', 'there'])
  })
})

describe('what is sent is checked', () => {
  test.each([
    [{ 'x-a': 'a\r\nx-b: c' }],
    [{ 'x-a': 'a\nb' }],
    [{ 'x-a': 'a\0b' }],
    [{ 'x-a': 'ключ' }],
    [{ 'x a': 'b' }],
    [{ 'x\r\na': 'b' }],
    [{ '': 'b' }],
    [{ 'x:a': 'b' }],
    [{ host: 'other.example' }],
    [{ 'Transfer-Encoding': 'chunked' }],
    [{ 'Content-Length': '0' }],
    [{ connection: 'upgrade' }],
    [{ 'x-a': '1', 'X-A': '2' }],
  ])('header %j is refused', async (headers) => {
    await using service = await serve((_, response) => response.end())
    const error = await failure(outside({ allow: [service.host] }).request(get(service.url, { headers })))
    expect(error).toMatchObject({ code: 'invalid_request' })
    expect(service.connections()).toBe(0)
  })

  test.each([{ method: 'CONNECT' }, { method: 'TRACE' }, { method: 'GET /x HTTP/1.1\r\nx: ' }, { method: '' }, { method: 'GET', body: 'x' }])('%j is refused', async (input) => {
    expect(await failure(outside().request({ url: 'http://example.com', ...input }))).toMatchObject({ code: 'invalid_request' })
  })

  test('O5: no error repeats a credential, a path or a query', async () => {
    await using service = await serve((_, response) => response.socket!.destroy())
    const secret = 'sk-very-secret'
    const one = outside({ allow: [service.host] })
    const attempts = [
      () => one.request(get(`${service.url}/${secret}?key=${secret}`, { headers: { authorization: secret } })),
      () => one.request(get(`${service.url}/?key=${secret}`, { headers: { authorization: `${secret}\r\n` } })),
      () => one.request(get(`http://user:${secret}@example.com/`)),
      () => one.request(get(`http://10.0.0.1/${secret}?key=${secret}`)),
      () => one.request(get(`http://[${secret}/`)),
    ]
    for (const attempt of attempts) {
      const error = await failure(attempt())
      expect(error).toMatchObject({ name: 'OutsideError' })
      expect(error.message).not.toContain(secret)
      expect(error.cause).toBeUndefined()
    }
  })
})
