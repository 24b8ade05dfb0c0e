import { describe, expect, test } from 'vitest'
import { ids, run } from '../rpc/toys.ts'
import { serve } from './serve.ts'

const last = (calls: { name: string; args: unknown[] }[], name: string) => calls.filter((call) => call.name === name).at(-1)?.args

describe('rows become routes', () => {
  test('a create answers 201, a read 200, a delete 204 without a body', async () => {
    const { ask } = await serve()
    expect((await ask('POST', '/v1/workflows', { name: 'Invoice' })).status).toBe(201)
    expect((await ask('GET', '/v1/workflows/invoice')).body).toMatchObject({ handle: 'invoice' })
    const gone = await ask('DELETE', '/v1/workflows/invoice')
    expect([gone.status, gone.text]).toEqual([204, ''])
  })

  test('path, query and body are one input', async () => {
    const { ask, calls } = await serve()
    await ask('PATCH', '/v1/workflows/invoice?revision=3', { name: 'New' })
    expect(last(calls, 'workflows.update')?.[1]).toEqual({ workflow: 'invoice', revision: 3, name: 'New' })
  })

  test('the path goes before the body; the same value twice is no contradiction, another one is refused', async () => {
    const { ask, calls } = await serve()
    expect((await ask('PATCH', '/v1/workflows/a', { workflow: 'a', name: 'N' })).status).toBe(200)
    const reply = await ask('PATCH', '/v1/workflows/a', { workflow: 'b', name: 'N' })
    expect(reply.status).toBe(400)
    expect(reply.body.error).toMatchObject({ code: 'input_invalid', issues: [{ path: ['workflow'] }] })
    expect(calls.filter(({ name }) => name === 'workflows.update')).toHaveLength(1)
  })

  test('query values are read by the schema: numbers, booleans, and false is false', async () => {
    const { ask, calls } = await serve()
    await ask('GET', '/v1/runs?limit=7&count=false&status=waiting&workflow=12')
    expect(last(calls, 'views.listRuns')?.[2]).toEqual({ limit: 7, count: false, status: 'waiting', workflow: '12' })
    await ask('GET', '/v1/runs?count=true')
    expect(last(calls, 'views.listRuns')?.[2]).toEqual({ limit: 50, count: true })
  })

  test.each(['limit=', 'limit=x', 'limit=0x10', 'limit=1e400', 'limit=5.5', 'limit=1001', 'count=yes', 'limit=1&limit=2', 'unknown=1', 'status=gone'])(
    'a query that the schema does not know is refused: %s',
    async (query) => {
      const { ask } = await serve()
      const reply = await ask('GET', `/v1/runs?${query}`)
      expect([reply.status, reply.body.error.code]).toEqual([400, 'input_invalid'])
    },
  )

  test('path parameters are percent-decoded, once', async () => {
    const { ask, calls } = await serve()
    await ask('GET', '/v1/workflows/a%20b%2Fc%3F%25')
    expect(last(calls, 'workflows.get')?.[1]).toEqual({ workflow: 'a b/c?%' })
    await ask('GET', '/v1/workflows/a%252Fb')
    expect(last(calls, 'workflows.get')?.[1]).toEqual({ workflow: 'a%2Fb' })
    await ask('GET', '/v1/workflows/%C3%A4%2B+')
    expect(last(calls, 'workflows.get')?.[1]).toEqual({ workflow: 'ä++' })
  })

  test('a trailing slash changes nothing', async () => {
    const { ask, calls } = await serve()
    expect((await ask('GET', '/v1/workflows/invoice/')).status).toBe(200)
    expect(last(calls, 'workflows.get')?.[1]).toEqual({ workflow: 'invoice' })
    expect((await ask('POST', '/v1/workflows/', { name: 'N' })).status).toBe(201)
  })

  test('Idempotency-Key is the key of the input, and may not contradict the body', async () => {
    const { ask, calls } = await serve()
    expect((await ask('POST', '/v1/runs', { workflow: 'a' }, { 'idempotency-key': 'k1' })).status).toBe(201)
    expect(last(calls, 'engine.start')?.[1]).toMatchObject({ workflow: 'a', idempotencyKey: 'k1' })
    expect((await ask('POST', '/v1/runs', { workflow: 'a', idempotencyKey: 'k2' }, { 'idempotency-key': 'k1' })).status).toBe(400)
    expect((await ask('POST', '/v1/workflows', { name: 'a' }, { 'idempotency-key': 'k1' })).status).toBe(201)
  })

  test('a body may be left out where nothing of it is needed, whatever its type says', async () => {
    const { ask } = await serve()
    expect((await ask('POST', `/v1/runs/${ids.run}/cancel`)).status).toBe(200)
    expect((await ask('POST', `/v1/runs/${ids.run}/cancel`, '', { 'content-type': 'application/json' })).status).toBe(200)
    expect((await ask('POST', `/v1/runs/${ids.run}/cancel`, '', { 'content-type': 'text/plain' })).status).toBe(200)
  })

  test('HEAD is GET without a body', async () => {
    const { ask } = await serve()
    const reply = await ask('HEAD', `/v1/runs/${run.id}`)
    expect([reply.status, reply.text]).toEqual([200, ''])
  })
})

describe('what is not there', () => {
  test('an unknown address is a native 404 with the id of the request', async () => {
    const { ask } = await serve()
    const reply = await ask('GET', '/v1/nothing', undefined, { 'x-request-id': 'my-request-1' })
    expect(reply.status).toBe(404)
    expect(reply.headers.get('x-request-id')).toBe('my-request-1')
    expect(reply.body).toEqual({ error: { code: 'route_missing', kind: 'not_found', message: expect.any(String), issues: [], details: {}, requestId: 'my-request-1' } })
  })

  test('a known address under another method is a 405 that says which it has', async () => {
    const { ask } = await serve()
    const reply = await ask('PUT', '/v1/workflows/invoice', { name: 'N' })
    expect([reply.status, reply.headers.get('allow')]).toEqual([405, 'GET, PATCH, DELETE'])
    expect((await ask('DELETE', '/trpc/runs.get')).status).toBe(405)
  })

  test('a request id that is not fit to be shown is replaced', async () => {
    const { ask } = await serve()
    for (const id of ['short', 'a b c d e f g h', '<script>alert(1)</script>', 'x'.repeat(101)]) {
      const reply = await ask('GET', '/v1/runs', undefined, { 'x-request-id': id })
      expect(reply.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })
})

describe('the server itself', () => {
  test('health, readiness and the page of links ask for no credential', async () => {
    const { ask } = await serve()
    const nobody = { authorization: '' }
    expect((await ask('GET', '/health', undefined, nobody)).body).toEqual({ status: 'ok' })
    expect((await ask('GET', '/ready', undefined, nobody)).body).toEqual({ status: 'ready' })
    expect((await ask('GET', '/', undefined, nobody)).body.name).toBe('sluice')
    expect((await ask('GET', '/', undefined, { ...nobody, accept: 'text/html' })).text).toContain('<h1>Sluice</h1>')
  })

  test('readiness is a 503 while the database is away or silent', async () => {
    const away = await serve({ ready: () => Promise.reject(new Error('away')) })
    expect((await away.ask('GET', '/ready')).status).toBe(503)
    const silent = await serve({ ready: () => new Promise(() => {}) })
    const begun = Date.now()
    expect((await silent.ask('GET', '/ready')).status).toBe(503)
    expect(Date.now() - begun).toBeLessThan(7_000)
    expect((await silent.ask('GET', '/health')).status).toBe(200)
  })

  test('two rows of one method and shape keep the server from starting', async () => {
    const { createHttp } = await import('../../src/http/server.ts')
    const { createToys } = await import('../rpc/toys.ts')
    const { loopbackConfig } = await import('./serve.ts')
    const { toyDialect } = await import('./toy-dialect.ts')
    const toys = createToys()
    const twice = createHttp({ parts: toys.parts, log: toys.log, ready: async () => {}, config: loopbackConfig, dialects: [toyDialect, { ...toyDialect, name: 'other' }] })
    await expect(twice).rejects.toThrow('other dialects.other.makeThing and toy dialects.toy.makeThing both answer POST /things')
  })
})
