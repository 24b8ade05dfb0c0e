import type { Dialect } from '../dialect.ts'

/** What the schemas, keys and parameters of PocketBase's API mean, in a sentence each. */
export const meanings: Dialect['meanings'] = {
  schemas: {
    ApiError: 'The body of every error',
    RecordBody: 'Values by the name of their field',
    RecordModel: 'A record with the id and the name of its collection, its keys sorted; with `fields`, what of it was asked for',
    RecordList: 'A page of records',
    CollectionModel: 'A collection with its fields and rules, as PocketBase writes it',
    CollectionList: 'A page of collections',
    HealthCheck: 'That the server answers',
    AuthWithPassword: 'Who logs in',
    AuthResult: '`record` and `token`; with `fields`, what of them was asked for',
    AuthMethods: 'How records log in, with the keys of older clients beside',
  },
  keys: {
    // what stands in addresses and queries
    collection: 'The name or the id of a collection',
    id: 'The id of a record',
    page: 'From 1 on',
    perPage: 'How many are on a page, at most 1,000; 30 unless it is said',
    sort: 'Fields with commas, downwards with a `-` before one; `@random`, `@rowid`',
    filter: 'Which are told, as `status = "running" && user.name ~ "a"`',
    expand: 'Relations to tell beside it, with commas: `user`',
    fields: 'What of it is told, with commas: `id,expand.user.name`',
    skipTotal: 'Whether nothing is counted',

    // pages
    items: 'Those on the page',
    totalItems: 'How many there are; -1 where they were not counted',
    totalPages: 'How many pages those are; -1 where they were not counted',

    // logins
    identity: 'The email',
    password: 'From 1 to 255 characters',
    identityField: 'What `identity` is: `email`, or not said',
    token: 'What to send as `Authorization`',
    record: 'Who logged in',

    // errors
    data: 'What is wrong, by the name of the field: `{code, message, params?}`',
    message: 'For people',
    status: 'The HTTP status',
  },
}
