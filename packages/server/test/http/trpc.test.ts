import { Fault } from '@sluice/schema'
import { expect, test } from 'vitest'
import { Outage } from '../../src/store/index.ts'
import { ids, run } from '../rpc/toys.ts'
import { serve } from './serve.ts'

const json = { 'content-type': 'application/json', 'x-request-id': 'one-request' }
const viewer = { authorization: 'Bearer viewer-token' }
const query = (input: unknown) => `?input=${encodeURIComponent(JSON.stringify(input))}`

/** A batch of one goes through tRPC's own adapter; a call alone does not. */
test.each<[string, { path: string; type: 'query' | 'mutation'; input?: unknown; headers?: Record<string, string>; fail?: Error }]>([
  ['a query', { path: 'runs.get', type: 'query', input: { id: run.id } }],
  ['a query without input', { path: 'auth.me', type: 'query' }],
  ['a mutation', { path: 'runs.start', type: 'mutation', input: { workflow: 'a' } }],
  ['a mutation that says nothing', { path: 'runs.delete', type: 'mutation', input: { id: run.id } }],
  ['a mutation without input', { path: 'runs.start', type: 'mutation' }],
  ['input that does not fit', { path: 'runs.get', type: 'query', input: { id: 'x', y: 1 } }],
  ['no credential', { path: 'runs.get', type: 'query', input: { id: run.id }, headers: { authorization: '' } }],
  ['no permission', { path: 'runs.start', type: 'mutation', input: { workflow: 'a' }, headers: viewer }],
  ['a fault', { path: 'runs.get', type: 'query', input: { id: ids.pause }, fail: new Fault('lane_busy', { details: { runId: ids.run } }) }],
  ['a full disk', { path: 'runs.start', type: 'mutation', input: { workflow: 'a' }, fail: new Fault('storage_full') }],
  ['an outage', { path: 'runs.start', type: 'mutation', input: { workflow: 'a' }, fail: new Outage('away') }],
  ['a bug', { path: 'runs.get', type: 'query', input: { id: run.id }, fail: new Error('secret') }],
])('%s is answered alone as in a batch', async (_, { path, type, input, headers, fail }) => {
  const { ask, parts, logged } = await serve()
  if (fail) parts.views.getRun = parts.engine.start = () => Promise.reject(fail)
  const call = async (batch: boolean) => {
    const lines = logged.length
    const given = batch && input !== undefined ? { 0: input } : input
    const search = `${type === 'query' && given !== undefined ? query(given) : '?'}${batch ? '&batch=1' : ''}`
    const reply = await (type === 'query'
      ? ask('GET', `/trpc/${path}${search}`, undefined, { ...json, ...headers })
      : ask('POST', `/trpc/${path}${search}`, given ?? (batch ? {} : undefined), { ...json, ...headers }))
    const told = logged.slice(lines).filter((line) => line.includes('"err"')).length
    return [reply.status, reply.headers.get('content-type'), reply.headers.get('retry-after'), batch ? reply.body[0] : reply.body, told]
  }
  expect(await call(false)).toEqual(await call(true))
})

test('what cannot be read is refused before anything is done', async () => {
  const { ask, calls } = await serve()
  expect((await ask('GET', `/trpc/runs.get?input=${encodeURIComponent('{"id":')}`)).body.error.code).toBe('json_malformed')
  expect((await ask('POST', '/trpc/runs.start', '{"workflow":', json)).body.error.code).toBe('json_malformed')
  expect((await ask('GET', `/trpc/runs.start${query({ workflow: 'a' })}`)).status).toBe(405)
  expect((await ask('POST', '/trpc/runs.get', { id: run.id })).status).toBe(405)
  expect(calls.filter(({ name }) => !name.startsWith('access.'))).toEqual([])
})
