import { recordLimits } from '@sluice/schema'
import { route, type DialectRow } from '../../dialect.ts'
import { CollectionPath, ListQuery, RecordBody, RecordList, RecordModel, RecordPath, RecordQuery } from '../contract.ts'
import { failedTo, notListed, nowhere } from '../errors.ts'
import * as examples from '../examples.ts'
import { countsOf, pageAsked } from '../mapping/page.ts'
import { recordOf } from '../mapping/record.ts'
import { shownBy } from '../mapping/shown.ts'
import type { RecordRows } from './batch.ts'
import { z } from 'zod'

const all = '/api/collections/{collection}/records'
const one = `${all}/{id}`
const tags = ['records']

const expanding = ({ expand }: { expand?: string | undefined }) => (expand ? { expand } : {})

/** What cannot be read is refused before anything has happened. */
function read<T extends { fields?: string | undefined }>(query: T): T {
  shownBy(query.fields)
  return query
}

const selecting =
  '`expand` tells what it refers to beside it, as `user`. `fields` is a list with commas: `id,expand.user.name`, `*` for all of a level, `title:excerpt(20,true)` for its beginning.'

const list = route('records.list', {
  name: 'recordsList',
  method: 'GET',
  path: all,
  summary: 'List records',
  description: [
    `At most ${recordLimits.page} on a page, 30 unless it is said. A page beyond the last is empty. With \`skipTotal\` nothing is counted, and the totals are -1.`,
    'A filter is as `status = "running" && created > "2026-01-01"`, a sort as `-created,id`. Of what may not be seen nothing is told.',
    selecting,
  ].join('\n\n'),
  tags,
  params: CollectionPath,
  query: ListQuery,
  reply: RecordList,
  faults: ['filter_invalid', 'superusers_only', 'collection_missing'],
  example: { path: { collection: 'workflow_sessions' }, query: { page: 1, perPage: 30, sort: '-created' }, reply: examples.list },
  ask({ path, query }) {
    const { filter, sort } = read(query)
    return { collection: path.collection, ...pageAsked(query), ...(filter && { filter }), ...(sort && { sort }), ...expanding(query) }
  },
  answer: ({ items, total }, _setting, { query }) => ({ items: items.map(recordOf).map(shownBy(query.fields)), ...countsOf(query, total) }),
  onFault: notListed,
})

const view = route('records.get', {
  name: 'recordsView',
  method: 'GET',
  path: one,
  summary: 'View a record',
  description: selecting,
  tags,
  params: RecordPath,
  query: RecordQuery,
  reply: RecordModel,
  faults: ['record_missing', 'superusers_only', 'collection_missing'],
  example: { path: examples.address, reply: examples.record },
  ask: ({ path, query }) => ({ ...path, ...expanding(read(query)) }),
  answer: (record, _setting, { query }) => shownBy(query.fields)(recordOf(record)),
  onFault: nowhere,
})

const create = route('records.create', {
  name: 'recordsCreate',
  method: 'POST',
  path: all,
  summary: 'Create a record',
  description: `The id may be chosen: 15 of \`a-z0-9\`. Keys that no field is named after are passed over.\n\n${selecting}`,
  tags,
  params: CollectionPath,
  query: RecordQuery,
  body: RecordBody,
  reply: RecordModel,
  faults: ['record_invalid', 'superusers_only', 'collection_missing', 'collection_read_only'],
  example: { path: { collection: 'workflow_sessions' }, body: examples.created, reply: examples.record },
  ask: ({ path, query, body }) => ({ collection: path.collection, values: body, ...expanding(read(query)) }),
  answer: (record, _setting, { query }) => shownBy(query.fields)(recordOf(record)),
  onFault: failedTo('create'),
})

const update = route('records.update', {
  name: 'recordsUpdate',
  method: 'PATCH',
  path: one,
  summary: 'Change a record',
  description: `What is not sent stays.\n\n${selecting}`,
  tags,
  params: RecordPath,
  query: RecordQuery,
  body: RecordBody,
  reply: RecordModel,
  faults: ['record_missing', 'record_invalid', 'superusers_only', 'collection_missing', 'collection_read_only'],
  example: { path: examples.address, body: { title: examples.record.title }, reply: examples.record },
  ask: ({ path, query, body }) => ({ ...path, values: body, ...expanding(read(query)) }),
  answer: (record, _setting, { query }) => shownBy(query.fields)(recordOf(record)),
  onFault: failedTo('update'),
})

const remove = route('records.delete', {
  name: 'recordsDelete',
  method: 'DELETE',
  path: one,
  summary: 'Delete a record',
  tags,
  status: 204,
  params: RecordPath,
  reply: z.undefined(),
  faults: ['record_missing', 'record_in_use', 'superusers_only', 'collection_missing', 'collection_read_only'],
  example: { path: examples.address },
  ask: ({ path }) => path,
  answer: () => undefined,
  onFault: nowhere,
})

export const recordRows: readonly DialectRow[] = [list, view, create, update, remove]

/** Those that a batch is made of. */
export const batched: RecordRows = { create, update, delete: remove }
