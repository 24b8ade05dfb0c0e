import pg from 'pg'

/** Columns whose values differ from those of the row that is copied: SQL over `one`, the row, and `n`, the number of the copy. */
export type Differing = Record<string, string>

/** Copies of rows of one run, made by PostgreSQL: what a million runs left behind, without running them. */
export interface Copier {
  /** All that the run has, again for each number from `first` to `last`. */
  wholeRuns(id: string, first: number, last: number): Promise<void>
  /** Its row alone. */
  runs(id: string, first: number, last: number, differing: Differing): Promise<void>
  /** To be called when all are made: what PostgreSQL does by itself after a while. */
  settle(): Promise<void>
  close(): Promise<void>
}

/** The id of a copy of this run: its number stands in place of the last six characters. */
export const copyOf = (id: string, n: number): string => `${id.slice(0, 9)}${String(n).padStart(6, '0')}`

/** The same in SQL. */
const numbered = (id: string): string => `left(${id}, 9) || lpad(n::text, 6, '0')`

const tables = {
  runs: { ofRun: 'id', differing: { id: numbered('one.id') } },
  steps: { ofRun: 'run_id', differing: { run_id: numbered('one.run_id') } },
  pauses: { ofRun: 'run_id', differing: { id: numbered('one.id'), run_id: numbered('one.run_id') } },
  events: { ofRun: 'subject_id', differing: { subject_id: numbered('one.subject_id'), xid: 'pg_current_xact_id()' } },
} satisfies Record<string, { ofRun: string; differing: Differing }>

type Table = keyof typeof tables

const piece = 100_000

export async function openCopier(databaseUrl: string): Promise<Copier> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  // What is copied is right already: references need not be looked up a million times.
  await client.query('set session_replication_role = replica')

  async function copy(table: Table, id: string, first: number, last: number, more: Differing = {}): Promise<void> {
    const { ofRun, differing } = tables[table]
    const columns = await columnsOf(client, table)
    const changed: Differing = { ...differing, ...more }
    const values = columns.map((column) => changed[column] ?? `one.${column}`)
    const text = `insert into ${table} (${columns.join(', ')}) select ${values.join(', ')} from ${table} one, generate_series($2::int, $3::int) n where one.${ofRun} = $1`
    for (let at = first; at <= last; at += piece) await client.query(text, [id, at, Math.min(last, at + piece - 1)])
  }

  return {
    async wholeRuns(id, first, last) {
      for (const table of Object.keys(tables) as Table[]) await copy(table, id, first, last)
    },
    runs: (id, first, last, differing) => copy('runs', id, first, last, differing),
    settle: async () => void (await client.query('vacuum analyze')),
    close: () => client.end(),
  }
}

/** Those that are not made by PostgreSQL. */
async function columnsOf(client: pg.Client, table: Table): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select quote_ident(attname) as name from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attidentity = '' and attgenerated = '' order by attnum`,
    [table],
  )
  return rows.map(({ name }) => name)
}
