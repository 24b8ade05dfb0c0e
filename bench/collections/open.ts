import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { OpenCalls } from '../calls/calls.ts'
import type { Repeated } from '../http-load/requests.ts'
import { openServed } from '../sluice/served.ts'
import type { RecordCall } from './contestants.ts'

const anybody = '@request.auth.id != ""'
const collection = (name: string) => ({
  name,
  type: 'base',
  ...{ listRule: anybody, viewRule: anybody, createRule: anybody, updateRule: anybody, deleteRule: anybody },
  fields: [
    { name: 'title', type: 'text', required: true, max: 500 },
    { name: 'genre', type: 'select', maxSelect: 1, values: ['fiction', 'science', 'history'] },
    { name: 'pages', type: 'number' },
    { name: 'created', type: 'autodate', onCreate: true },
    { name: 'updated', type: 'autodate', onCreate: true, onUpdate: true },
  ],
})
/** Those that are written, and those that are listed. */
const [written, few, many] = ['books', 'shelf', 'archive'] as const
const counts = { few: 10_000, many: 1_000_000 }
const updated = 1_000

export const open: OpenCalls<RecordCall> = async (databaseUrl) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  const file = join(folder, 'collections.json')
  await writeFile(file, JSON.stringify([written, few, many].map(collection)))
  const served = await openServed(databaseUrl, { SLUICE_COLLECTIONS: file })
  const { call, url, token } = served
  const client = new pg.Client(databaseUrl)
  await client.connect()
  const idOf = async (name: string) => ((await call('GET', `/v1/collections/${name}`)) as { id: string }).id
  const { rows } = await client.query<{ workspaceId: string }>('select workspace_id as "workspaceId" from members')
  const { workspaceId } = rows[0]!
  const fill = async (name: string, count: number) =>
    client.query(
      `insert into records (workspace_id, collection, id, data, seq, created_at, updated_at)
       select $1, $2, lpad(to_hex(n), 15, '0'), jsonb_build_object('title', 'Book ' || n, 'genre', (array['fiction', 'science', 'history'])[n % 3 + 1], 'pages', n % 100),
         1, now() - n * interval '1 second', now() - n * interval '1 second'
       from generate_series(1, $3::int) n`,
      [workspaceId, await idOf(name), count],
    )
  await fill(written, updated)
  await fill(few, counts.few)
  await fill(many, counts.many)
  await client.query('vacuum analyze records')
  await client.end()

  const at = (name: string, more = ''): string => `/v1/collections/${name}/records${more}`
  const values = { title: 'A book', genre: 'science', pages: 320 }
  const asked = (method: Repeated['method'], path: Repeated['path'], statusCode: number, body?: object): Repeated => ({
    url,
    path,
    method,
    token,
    ...(body && { body: JSON.stringify(body) }),
    expect: { statusCode, text: 'id' },
  })
  const each = Array.from({ length: updated }, (_, n) => at(written, `/${(n + 1).toString(16).padStart(15, '0')}`))
  const found = `?limit=30&sort=-created&filter=${encodeURIComponent('genre = "science" && pages = 31')}`
  return {
    requests: {
      'record-create': asked('POST', at(written), 201, { values }),
      'record-create-pocketbase': asked('POST', `/api/collections/${written}/records`, 200, values),
      'record-update': asked('PATCH', each, 200, { values: { pages: 321 } }),
      'record-get': asked('GET', each, 200),
      'record-newest-1m': asked('GET', at(many, '?limit=30&sort=-created'), 200),
      'record-list-10k': asked('GET', at(few, found), 200),
      'record-list-1m': asked('GET', at(many, found), 200),
      'record-batch-50': asked('POST', '/v1/records/batch', 200, { requests: Array.from({ length: 50 }, () => ({ do: 'create', collection: written, values })) }),
    },
    async close() {
      await served.close()
      await rm(folder, { recursive: true })
    },
  }
}
