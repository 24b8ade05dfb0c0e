import { Json, limits } from '@sluice/schema'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Dialect, route } from '../../src/dialects/dialect.ts'
import { describeDialect } from '../../src/openapi/dialect.ts'
import { type Reply, serve } from './serve.ts'
import { toyDialect } from './toy-dialect.ts'

const told = (name: string, path: string, more: { room?: number } = {}) =>
  route('webhooks.deliver', {
    name,
    method: 'PATCH',
    path,
    summary: 'Tell',
    ...more,
    body: z.record(z.string(), Json),
    reply: z.object({ heard: z.int() }),
    ask: ({ body }) => ({ name: 'told', body, headers: {}, query: {} }),
    answer: ({ subscribers }) => ({ heard: subscribers }),
  })

const looseDialect: Dialect = { ...toyDialect, bodies: 'loose', rows: [told('tellOne', '/things/one'), told('tellMany', '/things/many', { room: 4 })] }

async function listener() {
  const { ask, calls, url } = await serve({ dialects: [looseDialect] })
  /** What the core was told; or the status and the code of the refusal. */
  const tell = async (body: string | Uint8Array | FormData | undefined, type?: string, path = '/things/one'): Promise<unknown> => {
    const before = calls.length
    const { status, body: answer }: Pick<Reply, 'status' | 'body'> =
      body instanceof FormData
        ? await fetch(url + path, { method: 'PATCH', headers: { authorization: 'Bearer owner-token' }, body }).then(async (reply) => ({
            status: reply.status,
            body: await reply.json(),
          }))
        : await ask('PATCH', path, body, type === undefined ? {} : { 'content-type': type })
    const call = calls.slice(before).find(({ name }) => name === 'webhooks.deliver')
    return call ? (call.args[1] as { body: unknown }).body : `${status} ${answer.oops}`
  }
  return { tell, url }
}

const multipart = (text: string, boundary = 'b'): [Uint8Array, string] => [new TextEncoder().encode(text.replaceAll('\n', '\r\n')), `multipart/form-data; boundary=${boundary}`]
const urlencoded = 'application/x-www-form-urlencoded'

test('a body says the same object as JSON, as multipart and urlencoded; none says an empty one', async () => {
  const { tell } = await listener()
  const form = new FormData()
  for (const [name, value] of [
    ['title', 'ä b'],
    ['tags', 'x'],
    ['tags', 'y'],
  ] as const)
    form.append(name, value)
  const said = { title: 'ä b', tags: ['x', 'y'] }
  expect(await tell(JSON.stringify(said))).toEqual(said)
  expect(await tell(form)).toEqual(said)
  expect(await tell('title=%C3%A4+b&tags=x&tags=y', urlencoded)).toEqual(said)
  expect(await tell('title=%C3%A4+b&tags=x&tags=y', `${urlencoded}; charset=utf-8`)).toEqual(said)
  for (const type of [undefined, 'application/json', urlencoded, 'multipart/form-data; boundary=b', 'text/plain']) expect(await tell(undefined, type)).toEqual({})
})

test('texts of a form are read by how they look, JSON among them as JSON', async () => {
  const { tell } = await listener()
  const form = new FormData()
  form.append('n', '-2.5')
  form.append('yes', 'true')
  form.append('zero', '007')
  form.append('@jsonPayload', '{"steps":[{"id":"1"}],"m":"5"}')
  expect(await tell(form)).toEqual({ n: -2.5, yes: true, zero: '007', steps: [{ id: '1' }], m: '5' })
  expect(await tell(`n=1&${new URLSearchParams({ '@jsonPayload': JSON.stringify({ a: { b: null } }) }).toString()}`, urlencoded)).toEqual({ n: 1, a: { b: null } })
})

test('a file comes for nobody: it is refused, and a field for one that none was chosen for is a text', async () => {
  const { tell } = await listener()
  const form = new FormData()
  form.append('title', 'a')
  form.append('avatar', new File([new Uint8Array([0, 255])], 'a.png'))
  expect(await tell(form)).toBe('400 input_invalid')
  expect(await tell(...multipart('--b\nContent-Disposition: form-data; name="avatar"; filename=""\nContent-Type: application/octet-stream\n\n\n--b--\n'))).toEqual({ avatar: '' })
})

test('what is of no such type, compressed, or no object, is refused', async () => {
  const { tell } = await listener()
  expect(await tell('<a/>', 'text/xml')).toBe('415 media_unsupported')
  expect(await tell('a', 'text/plain')).toBe('415 media_unsupported')
  for (const body of ['[1]', '"a"', '5']) expect(await tell(body)).toBe('400 input_invalid')
  expect(await tell('{"a":')).toBe('400 json_malformed')
})

test('a form that cannot be read is refused', async () => {
  const { tell } = await listener()
  for (const text of [
    'x',
    '--b',
    'x--b--',
    '\n--b--',
    '--c\n\n--c--',
    '--b\nContent-Disposition: form-data\n\nx\n--b--\n',
    '--b\nContent-Disposition: form-data; name="a"\n\nx',
    'garbage',
  ])
    expect(await tell(...multipart(text))).toBe('400 input_invalid')
  expect(await tell(multipart('--b\nContent-Disposition: form-data; name="a"\n\nx\n--b--\n')[0], 'multipart/form-data')).toBe('400 input_invalid')
  const field = (bytes: number[]) => Buffer.concat([Buffer.from('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'), Buffer.from(bytes), Buffer.from('\r\n--b--\r\n')])
  expect(await tell(field([0xff, 0xfe]), 'multipart/form-data; boundary=b')).toBe('415 media_unsupported')
  expect(await tell(field([0]), 'multipart/form-data; boundary=b')).toBe('400 json_malformed')
  expect(await tell('a=%ff', urlencoded)).toBe('400 input_invalid')
  expect(await tell('a=%00', urlencoded)).toBe('400 input_invalid')
  expect(await tell(new URLSearchParams({ '@jsonPayload': '{"a":' }).toString(), urlencoded)).toMatch(/^400 /)
})

test('keys that code trips over are dropped from each', async () => {
  const { tell } = await listener()
  const form = new FormData()
  for (const name of ['__proto__', 'constructor', 'a']) form.append(name, 'x')
  form.append('@jsonPayload', '{"__proto__":{"polluted":1},"b":{"__proto__":{"polluted":1},"c":1}}')
  expect(JSON.stringify(await tell(form))).toBe('{"a":"x","b":{"c":1}}')
  expect(JSON.stringify(await tell('__proto__=x&a=x', urlencoded))).toBe('{"a":"x"}')
  expect(JSON.stringify(await tell('{"__proto__":{"x":1},"a":"x"}'))).toBe('{"a":"x"}')
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
})

test('each is bounded alike before anything is made of it: bytes, depth, keys', async () => {
  const { tell } = await listener()
  const forms = (json: string): [string | FormData, string?][] => {
    const form = new FormData()
    form.append('@jsonPayload', json)
    return [[json], [form], [new URLSearchParams({ '@jsonPayload': json }).toString(), urlencoded]]
  }
  const deep = `{"a":${'['.repeat(limits.jsonDepth)}${']'.repeat(limits.jsonDepth)}}`
  const keys = (many: number) => `{${Array.from({ length: many }, (_, at) => `"k${at}":1`).join()}}`
  for (const [body, type] of forms(deep)) expect(await tell(body, type)).toBe('400 input_invalid')
  for (const [body, type] of forms(keys(limits.jsonKeys + 1))) expect(await tell(body, type)).toBe('400 input_invalid')
  for (const [body, type] of forms(JSON.stringify({ a: 'x'.repeat(limits.bodyBytes) }))) expect(await tell(body, type)).toBe('413 body_too_large')
  const fields = new FormData()
  for (let at = 0; at < 1_000; at++) fields.append(`f${at}`, '1')
  expect(Object.keys((await tell(fields)) as object)).toHaveLength(1_000)
  fields.append('one', 'more')
  expect(await tell(fields)).toBe('400 input_invalid')
  expect(await tell(...multipart(`--b\nContent-Disposition: form-data; name="a"\n${'X-A: b\n'.repeat(1_000)}\nx\n--b--\n`))).toBe('400 input_invalid')
})

test('a row that holds several requests has the room of as many bodies as it says, and no more', async () => {
  const { tell } = await listener()
  const large = (bodies: number) => {
    const form = new FormData()
    form.append('@jsonPayload', JSON.stringify({ a: 'x'.repeat(bodies * limits.bodyBytes - 1_000) }))
    return form
  }
  expect(Object.keys((await tell(large(4), undefined, '/things/many')) as object)).toEqual(['a'])
  expect(await tell(large(4.1), undefined, '/things/many')).toBe('413 body_too_large')
  expect(await tell(large(1.1))).toBe('413 body_too_large')
})

test('its document says that a body is JSON or a form, and that none is needed where an empty object fits', () => {
  const { paths }: { paths?: unknown } = describeDialect(looseDialect)
  const { required, content } = (paths as Record<string, { patch: { requestBody: { required: boolean; content: object } } }>)['/things/one']!.patch.requestBody
  expect(required).toBe(false)
  expect(Object.keys(content)).toEqual(['application/json', 'multipart/form-data', 'application/x-www-form-urlencoded'])
  expect(new Set(Object.values(content).map((each) => JSON.stringify(each))).size).toBe(1)
})
