import type { Dialect } from '../dialect.ts'

/** What PocketBase does and this does not, each with the reason. */
export const losses: Dialect['losses'] = [
  { what: 'Requests without a credential', why: 'a workspace is told from who asks: without one it is 401, where PocketBase answers a guest by the rules' },
  { what: 'Creating and changing collections, settings, logs and backups over HTTP', why: 'what a server keeps is said where it is started' },
  { what: 'Fields of type `file`, and `/api/files`', why: 'files belong to nodes here; `users.avatar` is always empty' },
  { what: 'Records of `users` in a batch', why: 'a login is not undone with a transaction' },
  { what: 'Pages that begin after the first million of records', why: 'what is skipped has to be read: filter by what came last in its place' },
  { what: '`filter` and `sort` of collections', why: 'they are a few, and told in one order; a filter is refused' },
  { what: '`canBackup`, `realIP` and `possibleProxyHeader` in the health check of a superuser', why: 'it asks nobody who they are' },
  { what: 'A newline at the end of JSON, and `Access-Control-Allow-Origin: *`', why: 'JSON is the same without, and pages of the origins that were allowed read replies' },
  { what: 'XML bodies', why: 'JSON and forms say the same' },
  { what: 'Bodies beyond 1 MiB, of a batch 4 MiB, and batches that take longer than 5 s', why: 'they are held in memory, and while a batch is open others wait' },
  { what: 'The headers of requests in a batch', why: 'all is done as whoever sent it' },
]
