import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readJsonText } from '../../src/http/json.ts'
import { readQuery } from '../../src/http/query.ts'
import { ids } from '../rpc/toys.ts'
import { serve } from './serve.ts'

const json = { 'content-type': 'application/json' }
const bytes = (...parts: (string | number[])[]) => Buffer.concat(parts.map((part) => Buffer.from(part as string)))

/** Bodies of a start that nobody should be able to send. */
const bad: [string, string | Buffer][] = [
  ['cut off', '{"workflow":"a"'],
  ['not JSON', 'workflow=a'],
  ['single quotes', "{'workflow':'a'}"],
  ['trailing comma', '{"workflow":"a",}'],
  ['two values', '{"workflow":"a"} {"workflow":"b"}'],
  ['NaN', '{"workflow":"a","input":NaN}'],
  ['a comment', '{"workflow":"a"/* */}'],
  ['a raw control character', '{"workflow":"a\u0001"}'],
  ['only a bracket', '['],
  ['1e400', '{"workflow":"a","input":1e400}'],
  ['-1e400', '{"workflow":"a","input":-1e400}'],
  ['NUL in a text', '{"workflow":"a","input":"\\u0000"}'],
  ['NUL in a key', '{"workflow":"a","input":{"\\u0000":1}}'],
  ['a raw NUL', '{"workflow":"a\0"}'],
  ['a lone high surrogate', '{"workflow":"a","input":"\\ud800"}'],
  ['a lone low surrogate', '{"workflow":"a","input":"x\\udc00y"}'],
  ['surrogates the wrong way round', '{"workflow":"a","input":"\\udc00\\ud800"}'],
  ['a lone surrogate in a key', '{"workflow":"a","input":{"\\ud83d":1}}'],
  ['bytes that are not UTF-8', bytes('{"workflow":"a","input":"', [0xff, 0xfe], '"}')],
  ['an overlong encoding', bytes('{"workflow":"', [0xc0, 0xaf], '"}')],
  ['a surrogate in UTF-8', bytes('{"workflow":"', [0xed, 0xa0, 0x80], '"}')],
  ['UTF-16', Buffer.from('{"workflow":"a"}', 'utf16le')],
  ['65 levels', `{"workflow":"a","input":${'['.repeat(64)}${']'.repeat(64)}}`],
  ['100,000 levels', '['.repeat(100_000)],
  ['100,000 levels of objects', '{"a":'.repeat(100_000)],
  ['10,001 keys', `{"workflow":"a","input":{${Array.from({ length: 10_000 }, (_, i) => `"k${i}":1`).join(',')}}}`],
  ['a text', '"workflow"'],
  ['a list', '[{"workflow":"a"}]'],
  ['null', 'null'],
  ['a number', '1'],
]

describe('bodies', () => {
  test('none of the corpus starts anything: each is a 400, and the server lives', async () => {
    const { ask, calls } = await serve()
    for (const [what, body] of bad) {
      const reply = await ask('POST', '/v1/runs', body, json)
      expect([what, reply.status, reply.body?.error.kind]).toEqual([what, 400, 'invalid'])
    }
    expect(calls.filter(({ name }) => name.startsWith('engine.'))).toEqual([])
    expect((await ask('GET', '/health')).status).toBe(200)
  })

  test('the same corpus over tRPC', async () => {
    const { ask, calls } = await serve()
    for (const [what, body] of bad) {
      const reply = await ask('POST', '/trpc/runs.start', body, json)
      expect([what, reply.status, reply.body?.error.data?.kind ?? reply.body?.error.kind]).toEqual([what, 400, 'invalid'])
    }
    expect(calls.filter(({ name }) => name.startsWith('engine.'))).toEqual([])
  })

  test('64 levels, 10,000 keys, real surrogate pairs and 1 MiB pass', async () => {
    const { ask } = await serve()
    const fits = [
      `{"workflow":"a","input":${'['.repeat(63)}${']'.repeat(63)}}`,
      `{"workflow":"a","input":{${Array.from({ length: 9_998 }, (_, i) => `"k${i}":1`).join(',')}}}`,
      '{"workflow":"a","input":"\\ud83d\\ude00 😀"}',
      `{"workflow":"a","input":"${'x'.repeat(1024 * 1024 - 100)}"}`,
      `\ufeff{"workflow":"a"}`,
    ]
    for (const body of fits) expect((await ask('POST', '/v1/runs', body, json)).status).toBe(201)
  })

  test('a body over 1 MiB is a 413, told by its length or found by counting', async () => {
    const { ask, url } = await serve()
    const huge = `{"workflow":"a","input":"${'x'.repeat(2 * 1024 * 1024)}"}`
    const reply = await ask('POST', '/v1/runs', huge, json)
    expect([reply.status, reply.body.error.code]).toEqual([413, 'body_too_large'])
    // Chunked: nothing says how long it will be.
    const chunked = new ReadableStream({
      start(controller) {
        for (let piece = 0; piece < 32; piece++) controller.enqueue(Buffer.alloc(64 * 1024, 0x20))
        controller.close()
      },
    })
    const status = await fetch(`${url}/v1/runs`, { method: 'POST', headers: { ...json, authorization: 'Bearer owner-token' }, body: chunked, duplex: 'half' }).then(
      (response) => response.status,
      () => 413,
    )
    expect(status).toBe(413)
    expect((await ask('GET', '/health')).status).toBe(200)
  })

  test('keys that reach for a prototype are inert: they are dropped, and nothing is polluted', async () => {
    const { ask, calls } = await serve()
    const body =
      '{"workflow":"a","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"input":{"__proto__":{"polluted":1},"\\u005f_proto__":1,"prototype":1,"kept":[{"constructor":1,"b":2}]}}'
    expect((await ask('POST', '/v1/runs', body, json)).status).toBe(201)
    expect((await ask('POST', '/trpc/runs.start', body, json)).status).toBe(200)
    const inputs = calls.filter(({ name }) => name === 'engine.start').map(({ args }) => args[1])
    expect(inputs).toEqual([
      { workflow: 'a', input: { kept: [{ b: 2 }] } },
      { workflow: 'a', input: { kept: [{ b: 2 }] } },
    ])
    expect((await ask('GET', '/v1/runs?__proto__=1&constructor=2')).status).toBe(200)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json+x',
    'text/json',
    'application/json, text/plain',
    'application/json; charset=utf-16',
    '*/*',
    'x',
    ';',
    'application /json',
  ])('a body of another type is a 415: %s', async (type) => {
    const { ask } = await serve()
    const reply = await ask('POST', '/v1/runs', '{"workflow":"a"}', { 'content-type': type })
    expect([reply.status, reply.body.error.code]).toEqual([415, 'media_unsupported'])
    expect((await ask('POST', '/trpc/runs.start', '{"workflow":"a"}', { 'content-type': type })).status).toBe(415)
  })

  test.each(['application/json', 'APPLICATION/JSON', 'application/json;charset=UTF-8', 'application/json ; charset="utf-8"', 'application/json; x=y'])(
    'JSON is JSON however its type is spelled: %s',
    async (type) => {
      const { ask } = await serve()
      expect((await ask('POST', '/v1/runs', '{"workflow":"a"}', { 'content-type': type })).status).toBe(201)
    },
  )

  test('a compressed body is a 415', async () => {
    const { ask } = await serve()
    expect((await ask('POST', '/v1/runs', '{"workflow":"a"}', { ...json, 'content-encoding': 'gzip' })).status).toBe(415)
  })

  test('what is read says the same as what came, or is refused', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const { value, text: said } = readJsonText(text)
        expect(JSON.parse(said)).toEqual(value)
      }),
    )
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          readJsonText(text)
        } catch (error) {
          expect((error as { kind?: string }).kind).toBe('invalid')
        }
      }),
    )
  })
})

describe('addresses', () => {
  test.each([
    '/v1/workflows/%',
    '/v1/workflows/%zz',
    '/v1/workflows/%ff',
    '/v1/workflows/%00',
    '/v1/workflows/a%00b',
    '/v1/runs?workflow=%ff',
    '/v1/runs?workflow=%',
    '/v1/runs?workflow=%00',
    '/v1/runs?%zz=1',
  ])('a broken escape, bad UTF-8 or NUL in an address is a 400: %s', async (path) => {
    const { ask } = await serve()
    expect((await ask('GET', path)).status).toBe(400)
  })

  test.each([
    '/trpc/__proto__',
    '/trpc/constructor',
    '/trpc/runs.__proto__',
    '/trpc/toString',
    '/trpc/runs',
    '/trpc/runs.get.constructor',
    '/v1/../v1/none',
    '/v1/workflows/a/b/c/d',
    '/v1//runs//x',
    '/%2e%2e/etc/passwd',
    '/constructor',
    '/__proto__',
  ])('what is not there is a 404: %s', async (path) => {
    const { ask } = await serve()
    expect((await ask('GET', path)).status).toBe(404)
  })

  test('a query of more than 1,000 values is a 400', async () => {
    const { ask } = await serve()
    expect((await ask('GET', `/v1/runs?${'a=1&'.repeat(1_500)}`)).status).toBe(400)
  })

  test('a long parameter is judged by the schema', async () => {
    const { ask } = await serve()
    expect((await ask('GET', `/v1/workflows/${'a'.repeat(5_000)}`)).status).toBe(400)
    expect((await ask('GET', `/v1/workflows/${'a'.repeat(100)}`)).status).toBe(200)
  })

  test('a query is read strictly, and prototype keys are dropped', () => {
    expect([...readQuery('a=1&b=x+y&b=%C3%A4&=2&&c&__proto__=3')]).toEqual([
      ['a', ['1']],
      ['b', ['x y', 'ä']],
      ['', ['2']],
      ['c', ['']],
    ])
  })
})

describe('tRPC', () => {
  const batch = (n: number) => Array.from({ length: n }, () => 'auth.me').join(',')

  test('a batch of ten is answered, one of eleven is refused', async () => {
    const { ask, calls } = await serve()
    expect((await ask('GET', `/trpc/${batch(10)}?batch=1`)).body).toHaveLength(10)
    expect((await ask('GET', `/trpc/${batch(11)}?batch=1`)).status).toBe(400)
    expect((await ask('POST', `/trpc/${batch(1000)}?batch=1`, '{}', json)).status).toBe(400)
    expect(calls.filter(({ name }) => name === 'access.me')).toHaveLength(10)
  })

  test.each([
    'input=%7B',
    'input=nonsense',
    `input=${'%5B'.repeat(100)}`,
    'input=%22%5Cud800%22',
    'input=%221%22',
    'connectionParams=1',
    'connectionParams=%7B%22a%22:1%7D',
    'batch=1&input=1',
  ])('a bad query is a 400: %s', async (query) => {
    const { ask } = await serve()
    expect((await ask('GET', `/trpc/runs.get?${query}`)).status).toBe(400)
  })

  test('errors carry our codes and no stack', async () => {
    const { ask } = await serve()
    const reply = await ask('GET', `/trpc/runs.get?input=${encodeURIComponent('{"id":"x","y":1}')}`)
    expect(reply.body.error.data).toEqual({
      code: 'input_invalid',
      kind: 'invalid',
      status: 400,
      requestId: reply.headers.get('x-request-id'),
      issues: [
        { path: ['id'], message: expect.any(String) },
        { path: ['y'], message: expect.any(String) },
      ],
      details: {},
    })
    expect(reply.text).not.toMatch(/stack|node_modules|\.ts/)
  })
})

describe('connections', () => {
  /** Writes bytes and answers with all that comes back until the connection ends. */
  const raw = (url: string, text: string | Buffer) =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text))
      let reply = ''
      socket.on('data', (data) => (reply += data.toString('latin1')))
      socket.on('error', () => resolve(reply))
      socket.on('close', () => resolve(reply))
      setTimeout(() => socket.destroy(), 3_000).unref()
    })

  test('what is not HTTP is refused and ends the connection, not the process', async () => {
    const { ask, url } = await serve()
    const host = 'Host: x\r\n'
    const attacks: [string | Buffer, RegExp][] = [
      ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
      [`GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(40_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
      [`GET /${'x'.repeat(40_000)} HTTP/1.1\r\n${host}\r\n`, /^HTTP\/1\.1 431 /],
      [`GET /health HTTP/1.1\r\n${host}X\0Y: 1\r\n\r\n`, /^HTTP\/1\.1 400 /],
      [`POST /v1/runs HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 400 /],
      [`POST /v1/runs HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`, /^HTTP\/1\.1 400 /],
      ['GET /health HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
      [`CONNECT x:1 HTTP/1.1\r\n${host}\r\n`, /^$|^HTTP\/1\.1 4/],
      [`GET /health HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n`, /^HTTP\/1\.1 (200|400) /],
      [`GET /trpc/auth.me HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n`, /^HTTP\/1\.1 4/],
      [`TRACE /v1/runs HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, /^HTTP\/1\.1 4/],
      [`OPTIONS * HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, /^HTTP\/1\.1 4/],
      [`GET http://evil.example/health HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, /^HTTP\/1\.1 (200|4\d\d) /],
      [
        `POST /v1/runs/${ids.run}/cancel HTTP/1.1\r\n${host}Authorization: Bearer owner-token\r\nContent-Type: application/json\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n{`,
        /^$|^HTTP\/1\.1 4/,
      ],
    ]
    const replies = await Promise.all(attacks.map(([attack]) => raw(url, attack)))
    for (const [index, reply] of replies.entries()) expect(`${index}: ${reply.slice(0, 100)}`).toMatch(new RegExp(`^${index}: ${attacks[index]![1].source.replaceAll('^', '')}`))
    expect((await ask('GET', '/health')).status).toBe(200)
  })

  test('an upgrade to anything but a WebSocket is a plain request', async () => {
    const { url } = await serve()
    expect(await raw(url, 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 200 /,
    )
  })
})
