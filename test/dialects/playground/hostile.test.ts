import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { once, parrot } from './chatbots.ts'
import { type Answer, ok, type Playground, playgroundServer } from './server.ts'

/** What nobody should send is answered in the one manner of errors, and nothing comes of it. */

let chat: Playground
let one: { id: string; messageId: string }
beforeAll(async () => {
  chat = await playgroundServer()
  await parrot(chat.server)
  one = await ok(chat.call('POST', '/api/chat/playground/start?workflowId=parrot', { input: 'Hello' }))
  await once(chat, one.id, 'completed')
})
afterAll(() => chat[Symbol.asyncDispose]())

const start = (body: unknown, query = 'workflowId=parrot', headers: Record<string, string> = {}) => chat.call('POST', `/api/chat/playground/start?${query}`, body, { headers })
const count = async (): Promise<number> => (await ok(chat.call('GET', '/api/workflows/'))).length

/** That it was refused with this status, in the manner of the document. */
function refused({ status, body }: Answer, wanted: number): string {
  expect([status, Object.keys(body), typeof body.detail]).toEqual([wanted, ['detail'], 'string'])
  return body.detail
}

/** As bytes that no client of ours would write. */
const raw = (method: string, path: string, body: Buffer | string = '', headers: Record<string, string> = {}): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(chat.server.url)
    const asked = request(
      { hostname, port, method, path, headers: { authorization: `Bearer ${chat.server.token}`, ...(body.length > 0 && { 'content-type': 'application/json' }), ...headers } },
      (response) => {
        let text = ''
        response.on('data', (piece: Buffer) => (text += piece.toString()))
        response.on('end', () => resolve({ status: response.statusCode!, body: text }))
      },
    )
    asked.on('error', reject)
    asked.end(body)
  })

describe('a start', () => {
  test.for<[string, unknown]>([
    ['no input', {}],
    ['an empty input', { input: '' }],
    ['a blank input', { input: ' \n\t\u00a0' }],
    ['an input that is no text', { input: 5 }],
    ['an input that is null', { input: null }],
    ['a list for a body', []],
    ['a text for a body', '"Hello"'],
    ['null for a body', 'null'],
    ['files that are no list', { input: 'x', files: 'file_1' }],
    ['a file without an id', { input: 'x', files: [{ name: 'a.csv' }] }],
    ['a file that is a number', { input: 'x', files: [5] }],
    ['too many files', { input: 'x', files: Array.from({ length: 21 }, () => 'file_000000000000000') }],
    ['metadata that is no object', { input: 'x', metadata: 'm' }],
    ['metadata that is a list', { input: 'x', metadata: [] }],
    ['an input that is too long', { input: 'x'.repeat(256 * 1024 + 1) }],
    ['NUL in the input', '{"input":"a\\u0000b"}'],
    ['half a character in the input', '{"input":"a\\ud800b"}'],
    ['half a character in a key', '{"input":"a","metadata":{"\\udc00":1}}'],
    ['a number beyond a double', '{"input":"a","metadata":{"n":1e400}}'],
    ['NaN, which is no JSON', '{"input":"a","metadata":{"n":NaN}}'],
    ['Infinity, which is no JSON', '{"input":"a","metadata":{"n":-Infinity}}'],
    ['no JSON at all', '{"input":'],
    ['what is nested too deep', `{"input":"a","metadata":${'{"a":'.repeat(100)}1${'}'.repeat(100)}}`],
  ])('with %s is refused with 400', async ([, body]) => {
    const before = await count()
    expect(refused(await start(body), 400)).not.toBe('')
    expect(await count()).toBe(before)
  })

  test('with a mode that there is not, in letters of the wrong case, or twice, is refused; an empty one is none', async () => {
    for (const mode of ['react', 'ACTIONPLAN', 'Plan', 'React%20', 'null']) expect(refused(await start({ input: 'x' }, `workflowMode=${mode}`), 400)).toContain('workflowMode')
    expect((await ok(start({ input: 'x' }, 'workflowId=parrot&workflowMode='))).mode).toBe('Actionplan')
  })

  test('of a workflow or with a file that is not there is 404, and says which', async () => {
    for (const id of ['wf_none', 'none', 'wf_', 'wf_000000000000000', '../../etc', 'x'.repeat(500)])
      expect(refused(await start({ input: 'x' }, `workflowId=${encodeURIComponent(id)}`), 404)).toBe(`Workflow with ID ${id} not found`)
    for (const id of ['file_001', 'file_000000000000000', '__proto__', 'file___proto__', 'constructor'])
      expect(refused(await start({ input: 'x', files: [{ id }] }), 404)).toBe(`File with ID file_${id.replace('file_', '')} not found`)
  })

  test('keeps nothing that JavaScript trips over, and nothing that is not known', async () => {
    const { id } = await ok(start('{"input":"Hi","__proto__":{"admin":true},"status":"completed","metadata":{"__proto__":{"a":1},"constructor":{"b":2},"kept":3}}'))
    const [message] = await ok(chat.call('GET', `/api/workflows/${id}/messages`))
    expect(message.metadata).not.toHaveProperty(['admin'])
    expect(Object.keys(message.metadata)).toContain('kept')
    expect(Object.getPrototypeOf(message.metadata)).toBe(Object.prototype)
    expect(Object.hasOwn(message.metadata, '__proto__')).toBe(false)
  })

  test('with a body that is too large, of another type, or compressed, says so', async () => {
    expect(refused(await start({ input: 'x', metadata: { large: 'x'.repeat(1_100_000) } }), 413)).not.toBe('')
    expect(refused(await start('input=x', undefined, { 'content-type': 'application/x-www-form-urlencoded' }), 415)).not.toBe('')
    expect(refused(await start('<a/>', undefined, { 'content-type': 'application/xml' }), 415)).not.toBe('')
  })

  test('with bytes that are no text is refused', async () => {
    const { status, body } = await raw('POST', '/api/chat/playground/start', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]))
    expect([status, JSON.parse(body)]).toEqual([400, { detail: 'The body is not UTF-8' }])
  })

  test('with a key that is too long, or is no text, is refused', async () => {
    expect(refused(await start({ input: 'x' }, undefined, { 'idempotency-key': 'k'.repeat(201) }), 400)).toContain('idempotency-key')
    const { status, body } = await raw('POST', '/api/chat/playground/start?workflowId=parrot', '{"input":"x"}', { 'idempotency-key': '\u00ff\u00fe' })
    // What the header says is text, whatever it means.
    expect([200, 400]).toContain(status)
    if (status === 400) expect(Object.keys(JSON.parse(body) as object)).toEqual(['detail'])
  })
})

describe('an address', () => {
  test('with a time that is none is refused', async () => {
    for (const time of ['NaN', 'Infinity', '-Infinity', '1e400', '-1e999', 'yesterday', '1,5', '0x10', '1_000', '1e', '%20', 'null', '2026-01-31T12:00:00Z', '%00', '٣'])
      expect(refused(await chat.call('GET', `/api/chat/playground/${one.id}/chatData?afterTimestamp=${encodeURI(decodeURI(time))}`), 400)).not.toBe('')
  })

  test('with escapes that are none, or that are no text, is refused', async () => {
    for (const path of [
      '/api/workflows/%',
      '/api/workflows/%zz',
      '/api/workflows/%ff',
      '/api/workflows/%00',
      `/api/workflows/${one.id}/logs?logId=%ED%A0%80`,
      `/api/workflows/${one.id}/messages?messageId=%`,
    ]) {
      const { status, body } = await raw('GET', path)
      expect([path, status, Object.keys(JSON.parse(body) as object)]).toEqual([path, 400, ['detail']])
    }
  })

  test('with an id that is none is 404, whatever it looks like', async () => {
    for (const id of ['x', 'wf_', 'msg_000000000000000', '__proto__', 'constructor', "' or 1=1 --", 'wf_wf_', `wf_${one.id}`, one.id.toUpperCase()]) {
      for (const [method, end] of [
        ['GET', ''],
        ['GET', '/status'],
        ['GET', '/logs'],
        ['GET', '/messages'],
        ['DELETE', ''],
      ] as const)
        expect(refused(await chat.call(method, `/api/workflows/${encodeURIComponent(id)}${end}`), 404)).toBe(`Workflow with ID ${id} not found`)
    }
    for (const id of ['x', '__proto__', one.id, 'msg_000000000000000']) {
      expect(refused(await chat.call('DELETE', `/api/workflows/${one.id}/messages/${id}`), 404)).toBe(`Message with ID ${id} not found`)
      expect(refused(await chat.call('DELETE', `/api/workflows/${one.id}/messages/${one.messageId}/files/${id}`), 404)).toBe(`File with ID ${id} not found`)
    }
  })

  test('that there is not, and a method that it has not, is answered in the same manner', async () => {
    expect(refused(await chat.call('GET', '/api/chat/playground'), 404)).toBe('Not Found')
    expect(refused(await chat.call('GET', '/api/chat/playground/x/y/z'), 404)).toBe('Not Found')
    expect(refused(await chat.call('GET', '/api/workflows/a/b/c/d'), 404)).toBe('Not Found')
    for (const [method, path, allow] of [
      ['PATCH', '/api/workflows/', 'GET'],
      ['POST', '/api/workflows/x/logs', 'GET'],
      ['PUT', '/api/chat/playground/start', 'POST'],
      ['GET', '/api/chat/playground/x/stop', 'POST'],
    ] as const) {
      const answer = await chat.call(method, path)
      expect(refused(answer, 405)).toBe('Method Not Allowed')
      expect(answer.headers.get('allow')).toContain(allow)
    }
  })

  test('asks for a credential, and takes none that does not hold', async () => {
    for (const as of ['', 'nonsense', 'a.b.c']) {
      const answer = await chat.call('GET', '/api/workflows/', undefined, { as })
      expect(refused(answer, 401)).toBe('Not authenticated')
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    }
  })
})

describe('an update', () => {
  const put = (body: unknown) => chat.call('PUT', `/api/workflows/${one.id}`, body)

  test.for<[string, unknown]>([
    ['nothing', {}],
    ['no object', []],
    ['a name that is a number', { name: 5 }],
    ['tags that are a text', { tags: 'a' }],
    ['a tag that is a number', { tags: ['a', 5] }],
    ['a tag that is empty', { tags: [''] }],
    ['too many tags', { tags: Array.from({ length: 51 }, (_, at) => `t${at}`) }],
    ['a description that is a list', { description: [] }],
    ['metadata that is a text', { metadata: 'x' }],
    ['a name that is too long', { name: 'x'.repeat(5_001) }],
    ['more metadata than is kept', { metadata: { large: 'x'.repeat(70_000) } }],
    ['more of its own than is kept', { large: 'x'.repeat(70_000) }],
  ])('of %s is refused with 400', async ([, body]) => {
    const before = await ok(chat.call('GET', `/api/workflows/${one.id}`))
    expect(refused(await put(body), 400)).not.toBe('')
    expect(await ok(chat.call('GET', `/api/workflows/${one.id}`))).toEqual(before)
  })

  test('of what is not for clients to say changes nothing of it', async () => {
    const before = await ok(chat.call('GET', `/api/workflows/${one.id}`))
    const said = { id: 'wf_x', userId: 'me', status: 'running', mode: 'React', messageIds: [], logIds: [], createdAt: 1, updatedAt: 2, stoppedAt: 3, currentStep: 's', progress: 9 }
    const after = await ok(put(said))
    expect(after).toEqual(before)
    expect(await ok(put({ ...said, name: 'Mine' }))).toEqual({ ...before, name: 'Mine', updatedAt: expect.any(Number) })
  })
})
