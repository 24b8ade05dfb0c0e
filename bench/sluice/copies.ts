import pg from 'pg'
import { firstIdOf, timeOf } from '../../packages/server/src/store/ids.ts'

/** Columns whose values differ from those of the row that is copied: SQL over `one`, the row, `copy.id`, the id of the new run, and `n`, its number. */
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

/** Copies are a second apart, and all of them older than the run. */
const mostCopies = 1_000_000

/** When a copy of this run is said to be made, in milliseconds since 1970: its id tells it. */
export const copyMadeAt = (id: string, n: number): number => timeOf(id) - (mostCopies - n) * 1000

/** The id of a copy of this run. */
export const copyOf = (id: string, n: number): string => firstIdOf(copyMadeAt(id, n)) + String(n).padStart(6, '0')

const tables = {
  runs: { ofRun: 'id', differing: { id: 'copy.id', created_at: `one.created_at - (${mostCopies} - n) * interval '1 second'` } },
  steps: { ofRun: 'run_id', differing: { run_id: 'copy.id' } },
  pauses: { ofRun: 'run_id', differing: { id: 'copy.id', run_id: 'copy.id' } },
  events: { ofRun: 'subject_id', differing: { subject_id: 'copy.id', xid: 'pg_current_xact_id()' } },
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
    const text = `insert into ${table} (${columns.join(', ')}) select ${values.join(', ')} from ${table} one, unnest($2::text[], $3::int[]) copy(id, n) where one.${ofRun} = $1`
    for (let at = first; at <= last; at += piece) {
      const numbers = Array.from({ length: Math.min(piece, last - at + 1) }, (_, more) => at + more)
      await client.query(text, [id, numbers.map((n) => copyOf(id, n)), numbers])
    }
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
