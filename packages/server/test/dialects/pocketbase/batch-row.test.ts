import { Fault, Json, type JsonObject, type Record } from '@sluice/schema'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Dialect, Other, route, type Said } from '../../../src/dialects/dialect.ts'
import { batchRow } from '../../../src/dialects/pocketbase/routes/batch.ts'
import { problemOf } from '../../../src/rpc/faults.ts'

const errors: Dialect['errors'] = { schema: z.object(), render: ({ code, status }) => ({ status, body: { data: {}, message: code, status } }) }

const Values = z.record(z.string(), Json)
const params = z.object({ collection: z.string() })
const one = z.object({ collection: z.string(), id: z.string().max(15) })
const query = z.object({ fields: z.string().max(20).optional() })
const refusedAs = (message: string) => (problem: { code: string; status: number }) =>
  problem.code === 'record_invalid' ? new Other(400, { data: { title: 'bad' }, message, status: 400 }) : undefined
const shown = ({ id, values }: Record, fields: string | undefined): JsonObject => (fields === undefined ? { id, ...values } : { id })

const rows = {
  create: route('records.create', {
    name: 'create',
    method: 'POST',
    path: '/api/collections/{collection}/records',
    summary: '',
    params,
    query,
    body: Values,
    reply: Values,
    ask: ({ path, body }) => ({ collection: path.collection, values: body }),
    answer: (record, _setting, said) => shown(record, said.query.fields),
    onFault: refusedAs('Failed to create record.'),
  }),
  update: route('records.update', {
    name: 'update',
    method: 'PATCH',
    path: '/api/collections/{collection}/records/{id}',
    summary: '',
    params: one,
    query,
    body: Values,
    reply: Values,
    ask: ({ path, body, query: { fields } }) => {
      if (fields === 'bad') throw new Fault('filter_invalid')
      return { ...path, values: body }
    },
    answer: (record, _setting, said) => shown(record, said.query.fields),
    onFault: refusedAs('Failed to update record.'),
  }),
  delete: route('records.delete', {
    name: 'delete',
    method: 'DELETE',
    path: '/api/collections/{collection}/records/{id}',
    summary: '',
    params: one,
    status: 204,
    reply: z.void(),
    ask: ({ path }) => path,
    answer: () => undefined,
  }),
}

const row = batchRow(rows, errors)
const setting = { now: new Date(), baseUrl: '' }
const said = (requests: unknown): Said => ({ path: {}, query: {}, body: row.schemas.body!.parse({ requests }) })
const at = '/api/collections/demo/records'

const refusal = (requests: unknown, fault: Fault): unknown => {
  const answer = row.onFault(problemOf(fault), setting, said(requests))
  return answer instanceof Other ? [answer.status, answer.body] : answer
}
const failed = (index: number, deed: string, cause: Fault): Fault => new Fault('batch_failed', { details: { index, do: deed, problem: {} }, cause })
const about = (index: number, response: object): unknown => [
  400,
  { data: { requests: { [index]: { code: 'batch_request_failed', message: 'Batch request failed.', response } } }, message: 'Batch transaction failed.', status: 400 },
]

const mixed = [
  { method: 'POST', url: at, body: { title: 'a' }, headers: { Authorization: 'ignored' } },
  { method: 'PUT', url: `${at}?fields=id`, body: { id: 'b', title: 'b' } },
  { method: 'PATCH', url: `${at}/c`, body: { title: 'c' } },
  { method: 'DELETE', url: `${at}/d` },
]

test('each request asks for what its own row would ask for', () => {
  expect(row.ask(said(mixed))).toEqual({
    requests: [
      { do: 'create', collection: 'demo', values: { title: 'a' } },
      { do: 'upsert', collection: 'demo', values: { id: 'b', title: 'b' } },
      { do: 'update', collection: 'demo', id: 'c', values: { title: 'c' } },
      { do: 'delete', collection: 'demo', id: 'd' },
    ],
  })
})

test('each is answered as its own row would answer, nothing as null', () => {
  const record = (id: string): Record => ({ collection: { id: 'x', name: 'demo' }, id, values: { title: id }, instants: [] })
  const answer = row.answer({ records: [record('a'), record('b'), record('c'), null] }, setting, said(mixed))
  expect(JSON.stringify(answer)).toBe(
    '[{"body":{"id":"a","title":"a"},"status":200},{"body":{"id":"b"},"status":200},{"body":{"id":"c","title":"c"},"status":200},{"body":null,"status":204}]',
  )
})

test('one that is refused is told as its own row would tell it, an upsert by what it came to', () => {
  const invalid = new Fault('record_invalid')
  const told = (message: string) => ({ data: { title: 'bad' }, message, status: 400 })
  expect(refusal(mixed, failed(0, 'create', invalid))).toEqual(about(0, told('Failed to create record.')))
  expect(refusal(mixed, failed(1, 'create', invalid))).toEqual(about(1, told('Failed to create record.')))
  expect(refusal(mixed, failed(1, 'update', invalid))).toEqual(about(1, told('Failed to update record.')))
  expect(refusal(mixed, failed(2, 'update', invalid))).toEqual(about(2, told('Failed to update record.')))
  expect(refusal(mixed, failed(3, 'delete', new Fault('record_missing')))).toEqual(about(3, { data: {}, message: 'record_missing', status: 404 }))
})

test('what is no request of a batch, and what its own row would not read, fails in its turn and not before', () => {
  const requests = [mixed[0], { method: 'GET', url: '/api/health' }, { method: 'DELETE', url: `${at}/${'x'.repeat(16)}` }, { method: 'PATCH', url: `${at}/c?fields=bad` }]
  const nothing = { do: 'delete', collection: '?', id: '?' }
  expect(row.ask(said(requests))).toMatchObject({ requests: [{ do: 'create' }, nothing, nothing, nothing] })
  const missing = new Fault('collection_missing')
  for (const [index, code] of [
    [1, 'input_invalid'],
    [2, 'input_invalid'],
    [3, 'filter_invalid'],
  ] as const)
    expect(refusal(requests, failed(index, 'delete', missing))).toEqual(about(index, { data: {}, message: code, status: 400 }))
})

test('requests that do not fit are told in one form, and the core is asked for nothing', () => {
  for (const requests of [undefined, null, [], Array(51).fill(mixed[0]), [{ url: at }]]) {
    expect(() => row.ask(said(requests))).toThrow(Fault)
    expect(refusal(requests, new Fault('input_invalid'))).toMatchObject([400, { data: { requests: expect.anything() }, message: 'Invalid batch request data.', status: 400 }])
  }
  // Who they are is asked before.
  expect(refusal([], new Fault('credential_missing'))).toBe(undefined)
})

test('what takes too long fails without naming one', () => {
  expect(refusal(mixed, new Fault('batch_failed', { message: 'It took too long' }))).toEqual([400, { data: {}, message: 'Batch transaction failed.', status: 400 }])
})
