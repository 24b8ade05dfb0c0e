import { Fault } from '@sluice/schema'
import { route, type DialectRow } from '../../dialect.ts'
import { CollectionList, CollectionModel, CollectionPath, FieldsQuery, ListQuery } from '../contract.ts'
import { refused } from '../errors.ts'
import * as examples from '../examples.ts'
import { collectionOf } from '../mapping/collection.ts'
import { countsOf, pageAsked } from '../mapping/page.ts'
import { shownBy } from '../mapping/shown.ts'

const tags = ['collections']

/** What would be told although it was not asked for is refused. */
function unfiltered(filter: string | undefined): void {
  if (filter) throw new Fault('filter_invalid', { issues: [{ path: ['filter'], message: 'Collections are not filtered: leave it away' }] })
}

/** With the field and rules of each, as generators of types read them. */
export const collectionRows: readonly DialectRow[] = [
  route('collections.list', {
    name: 'collectionsList',
    method: 'GET',
    path: '/api/collections',
    summary: 'List the collections',
    description:
      'For superusers. They are in the order of the server, whatever `sort` says, and a `filter` is refused. What collections there are is said where the server is started.',
    tags,
    query: ListQuery.omit({ expand: true }),
    reply: CollectionList,
    faults: ['filter_invalid'],
    example: { reply: { items: [examples.collection], page: 1, perPage: 30, totalItems: 1, totalPages: 1 } },
    ask({ query }) {
      unfiltered(query.filter)
      shownBy(query.fields)
      return {}
    },
    answer({ items }, _setting, { query }) {
      const { offset, limit } = pageAsked(query)
      const page = items.slice(offset, offset + limit).map((each) => collectionOf(each, items))
      return { items: page.map(shownBy(query.fields)), ...countsOf(query, items.length) }
    },
  }),

  route('collections.list', {
    name: 'collectionsView',
    method: 'GET',
    path: '/api/collections/{collection}',
    summary: 'View a collection',
    description: 'For superusers, by its name or its id.',
    tags,
    params: CollectionPath,
    query: FieldsQuery,
    reply: CollectionModel,
    faults: ['collection_missing'],
    example: { path: { collection: 'workflow_sessions' }, reply: examples.collection },
    ask({ query }) {
      shownBy(query.fields)
      return {}
    },
    answer({ items }, _setting, { path, query }) {
      const found = items.find(({ id, name }) => id === path.collection || name.toLowerCase() === path.collection.toLowerCase())
      return found ? shownBy(query.fields)(collectionOf(found, items)) : refused(404, "The requested resource wasn't found.")
    },
  }),
]
