import { readFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import pg from 'pg'
import { migrate } from '../../packages/server/src/store/migrate.ts'
import { migrations } from '../../packages/server/src/store/migrations/index.ts'

/**
 * What a server of an earlier version left in its database, as a file: a line that says what it is, then a line for each row of each
 * table. PostgreSQL's own program for that is not among those that npm brings.
 */

/** What was given out while the state was made, and must count in any later version. */
export interface Given {
  /** Ids, by what each run was doing when its server was killed. */
  runs: Record<string, string>
  workflows: Record<string, string>
  /** The names of open pauses' runs lead to them through the API; this is one that was seen before. */
  pause: string
  apiKey: string
  refreshToken: string
  idempotencyKey: string
  /** Of a message's stream: where who follows the workspace, and the run `approval`, were. */
  cursors: { workspace: string; run: string }
  session: string
  schedule: string
  webhook: { id: string; address: string }
  queue: string
  record: { collection: string; id: string }
  file: { id: string; content: string }
}

export interface Header {
  /** The migrations that the database had. */
  migrations: string[]
  /** What makes the tables of the job queue of that time. */
  jobs: string
  takenAt: string
  /** The count of transactions of the PostgreSQL that it was taken from: what the order of the log is told by. */
  xid: string
  given: Given
}

/** The servers' own, which a rig's have too: what was given out is sealed with it. */
export const secret = 'a secret that the servers of a rig share'

/** Where steps called to; put in place of the service's own address, which a later one has not. */
const service = 'http://service.invalid'

/** Tables in an order of their own: keys between them are not looked at while they are filled. */
const tables = `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'sluice_jobs') and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'mikro_orm_migrations' order by 1`

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** The whole database as a file. Nobody may be writing. */
export async function taken(url: string, { jobs, given, calls }: Pick<Header, 'jobs' | 'given'> & { calls: string }): Promise<Buffer> {
  return connected(url, async (client) => {
    const { rows: found } = await client.query<{ name: string }>(tables)
    const { rows: done } = await client.query<{ name: string }>('select name from mikro_orm_migrations order by id')
    const { rows: now } = await client.query<{ at: Date; xid: string }>('select now() as at, pg_current_xact_id()::text as xid')
    const header: Header = { migrations: done.map(({ name }) => name), jobs, takenAt: now[0]!.at.toISOString(), xid: now[0]!.xid, given }
    const lines = [JSON.stringify(header)]
    const columns = await columnsOf(client)
    for (const { name } of found) {
      const own = columns.filter((column) => column.of === name)
      // As texts: what JavaScript cannot count it is not to touch, and a null of JSON is not one of SQL.
      const texts = `json_object(array[${own.map(({ column }) => `'${column}'`).join()}], array[${own.map(({ column }) => `"${column}"::text`).join()}])`
      const { rows } = await client.query<{ row: string }>(`select ${texts}::text as row from ${name}`)
      lines.push(...rows.map(({ row }) => `${name}\t${row}`))
    }
    return gzipSync(lines.join('\n').replaceAll(calls, service), { level: 9 })
  })
}

/**
 * Fills an empty database as the file says: the schema of that time, the rows, and the count of transactions at least where it was. All
 * times are moved so that it is as long ago as it was then; steps call `calls` now.
 */
export async function restored(url: string, file: string, calls: string): Promise<Given> {
  const [first, ...lines] = gunzipSync(readFileSync(file)).toString('utf8').replaceAll(service, calls).split('\n')
  const header = JSON.parse(first!) as Header
  await migrate(url, { migrations: migrations.slice(0, header.migrations.length) })
  await connected(url, async (client) => {
    await client.query(header.jobs)
    const { rows: found } = await client.query<{ name: string }>(tables)
    await client.query(`set session_replication_role = replica`)
    await client.query(`truncate ${found.map(({ name }) => name).join()} cascade`)
    const columns = await columnsOf(client)
    for (const { name } of found) {
      const rows = lines.filter((line) => line.startsWith(`${name}\t`)).map((line) => line.slice(name.length + 1))
      if (rows.length === 0) continue
      const own = columns.filter((column) => column.of === name)
      const values = own.map(({ column, type }) => `(r->>'${column}')::${type}${type.startsWith('timestamp') ? ' + (now() - $2::timestamptz)' : ''}`)
      await client.query(
        `insert into ${name} (${own.map(({ column }) => `"${column}"`).join()}) overriding system value
         select ${values.join()} from json_array_elements($1) as r where $2::timestamptz is not null`,
        [`[${rows.join()}]`, header.takenAt],
      )
      for (const { column } of own.filter(({ counted }) => counted))
        await client.query(`select setval(pg_get_serial_sequence($1, $2), (select max("${column}") from ${name}))`, [name, column])
    }
    // The log is told up to the oldest transaction under way: one from a later time than this PostgreSQL's would not be.
    await client.query(`do $$ begin while pg_current_xact_id() <= '${header.xid}'::xid8 loop commit; end loop; end $$`)
  })
  const applied = await connected(url, (client) => client.query<{ name: string }>('select name from mikro_orm_migrations order by id'))
  const names = applied.rows.map(({ name }) => name)
  if (names.join() !== header.migrations.join()) throw new Error(`The state is of ${header.migrations.join()}, and this program knows ${names.join()}`)
  return header.given
}

interface Column extends Record<string, unknown> {
  of: string
  column: string
  type: string
  /** Numbered by a sequence of its own. */
  counted: boolean
}

/** The columns that are written: not those that PostgreSQL works out. */
async function columnsOf(client: pg.Client): Promise<Column[]> {
  const { rows } = await client.query<Column>(
    `select a.attrelid::regclass::text as of, a.attname as column, format_type(a.atttypid, a.atttypmod) as type,
       pg_get_serial_sequence(n.nspname || '.' || c.relname, a.attname) is not null as counted
     from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('public', 'sluice_jobs') and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attrelid, a.attnum`,
  )
  return rows
}
