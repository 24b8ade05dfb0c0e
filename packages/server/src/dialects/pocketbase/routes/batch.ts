import { Fault, type Json, RecordRequest } from '@sluice/schema'
import type { z } from 'zod'
import type { Problem } from '../../../rpc/faults.ts'
import { answerOfInner, type Dialect, type DialectRow, type Inner, Other, readInner, refusalOfInner, route, type Said, type Setting } from '../../dialect.ts'
import { BatchBody, type BatchItem, BatchReply } from '../contract-batch.ts'
import * as examples from '../examples.ts'
import { aimOf, type BatchAim, flawsOf } from '../mapping/batch.ts'

/** The rows that the requests of a batch would have gone to, each alone. */
export interface RecordRows {
  create: DialectRow
  update: DialectRow
  delete: DialectRow
}

type Row = keyof RecordRows

/** A request of a batch, by the row that it is for; null: it is for none. */
type Read = { aim: BatchAim; row: DialectRow; inner: Inner<RecordRequest> } | null

/** Fails in its turn, as what cannot be read has to: no collection has this name. */
const nothing: RecordRequest = { do: 'delete', collection: '?', id: '?' }

/** Several changes that happen together or not at all, each as the row has it that it would have gone to alone. */
export function batchRow(rows: RecordRows, errors: Dialect['errors']): DialectRow {
  const read = (item: BatchItem): Read => {
    const aim = aimOf(item)
    if (!aim) return null
    const row = rows[aim.do === 'upsert' ? 'create' : aim.do]
    return { aim, row, inner: readInner(row, { path: pathOf(row, aim.collection, aim.id), query: aim.query, body: item.body ?? {} }, RecordRequest, { do: aim.do }) }
  }

  /** How the row of a request has refused it, or would not have taken it at all. */
  const refusal = (item: BatchItem, deed: string, problem: Problem, setting: Setting): Other => {
    const request = read(item)
    if (!request) return refusalOfInner(rows.create, null, unreadable, setting, errors)
    const { aim, row, inner } = request
    if (inner.is === 'refused') return refusalOfInner(row, inner.said, inner.problem, setting, errors)
    const met = rows[isRow(deed) ? deed : 'create']
    const id = item.body?.['id']
    const said: Said = met === row ? inner.said : { ...inner.said, path: pathOf(met, aim.collection, typeof id === 'string' ? id : '') }
    return refusalOfInner(met, said, problem, setting, errors)
  }

  return route('records.batch', {
    name: 'batch',
    method: 'POST',
    path: '/api/batch',
    summary: 'Change several records, all or none',
    description: [
      'The requests are done in their order and in one transaction: each sees what those before it wrote. When one is refused, nothing has happened: no record, no run, no event.',
      'Each counts as a call against the limits, and is allowed or not as it would be alone. Records of `users` are in no batch.',
    ].join('\n\n'),
    tags: ['batch'],
    room: 4,
    body: BatchBody,
    reply: BatchReply,
    faults: ['input_invalid', 'batch_failed'],
    example: {
      body: {
        requests: [
          { method: 'POST', url: '/api/collections/workflow_sessions/records', body: examples.created },
          { method: 'DELETE', url: '/api/collections/workflow_sessions/records/a1s2d3f4g5h6j7k' },
        ],
      },
      reply: [
        { body: examples.record, status: 200 },
        { body: null, status: 204 },
      ],
    },
    ask({ body: { requests } }) {
      if (flawsOf(requests)) throw new Fault('input_invalid')
      return { requests: requests.map(read).map((request) => (request?.inner.is === 'asked' ? request.inner.asked : nothing)) }
    },
    answer: ({ records }, setting, { body: { requests } }) =>
      requests.map((item, at) => {
        const request = read(item)
        if (request?.inner.is !== 'asked') throw new Error('A request was done that could not be read')
        const { status, body } = answerOfInner(request.row, request.inner.said, records[at] ?? undefined, setting)
        return { body: (body ?? null) as z.input<typeof BatchReply>[number]['body'], status }
      }),
    onFault(problem, setting, { body: { requests } }) {
      const flaws = problem.code === 'input_invalid' ? flawsOf(requests) : null
      if (flaws) return refused('Invalid batch request data.', flaws)
      if (problem.code !== 'batch_failed') return undefined
      const { item } = problem
      if (!item) return refused('Batch transaction failed.', {})
      const response = refusal(requests[item.index]!, item.do, item.problem, setting).body as Json
      return refused('Batch transaction failed.', { requests: { [item.index]: { code: 'batch_request_failed', message: 'Batch request failed.', response } } })
    },
  })
}

const isRow = (deed: string): deed is Row => deed === 'create' || deed === 'update' || deed === 'delete'

const refused = (message: string, data: { [key: string]: Json }): Other => new Other(400, { data, message, status: 400 })

const unreadable: Problem = { code: 'input_invalid', kind: 'invalid', status: 400, message: '', issues: [], details: {} }

/** The parameters of a row's path, in their order. */
const pathOf = ({ path }: DialectRow, ...values: (string | null)[]): object =>
  Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name], at): [string, string] => [name!, values[at] ?? '']))
