import { Fault } from '@sluice/schema'
import pg from 'pg'

/** PostgreSQL could not be reached or did not answer in time: nobody's fault, a 503 with Retry-After at the edge. */
export class Outage extends Error {
  override readonly name = 'Outage'
}

/** A prepared statement: planned once a connection under its name. */
export interface Statement {
  name: string
  text: string
}

/** What one statement, one function takes first: a transaction, or the pool for a statement that stands alone. */
export interface Tx {
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(statement: Statement | string, values?: readonly unknown[]): Promise<R[]>
}

export interface DatabaseOptions {
  url: string
  /** Connections of the pool. */
  max?: number
  /** Told of errors of idle connections; without a listener they would end the process. */
  onError?: (error: Error) => void
}

export interface Database extends Tx {
  readonly url: string
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** A connection of its own, outside the pool, for LISTEN. The caller ends it. */
  dedicated(): Promise<pg.Client>
  close(): Promise<void>
}

// int8 counts rows and milliseconds here: far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

/** Bounded waits everywhere: pg's own defaults wait for ever on a silent link. */
const bounds = { connectionTimeoutMillis: 2_500, query_timeout: 30_000, statement_timeout: 25_000, idle_in_transaction_session_timeout: 30_000, keepAlive: true, keepAliveInitialDelayMillis: 5_000 }

export function openDatabase(options: DatabaseOptions): Database {
  const onError = options.onError ?? (() => {})
  const config = { connectionString: options.url, application_name: 'sluice', ...bounds }
  const pool = new pg.Pool({ ...config, max: options.max ?? 16, idleTimeoutMillis: 60_000 })
  pool.on('error', onError)
  pool.on('connect', (client) => client.on('error', onError))

  return {
    url: options.url,
    query: (statement, values) => run(pool, statement, values),
    async transaction(work) {
      const client = await pool.connect().catch(outage)
      let broken: Error | undefined
      try {
        await run(client, 'begin')
        const result = await work({ query: (statement, values) => run(client, statement, values) })
        await run(client, 'commit')
        return result
      } catch (error) {
        await run(client, 'rollback').catch((failure: Error) => (broken = failure))
        throw error
      } finally {
        // A connection that cannot even roll back is not given to the next one.
        client.release(broken)
      }
    },
    async dedicated() {
      const client = new pg.Client({ ...config, query_timeout: 5_000 })
      client.on('error', onError)
      await client.connect().catch(outage)
      return client
    },
    close: () => pool.end(),
  }
}

async function run<R extends pg.QueryResultRow>(on: pg.Pool | pg.PoolClient, statement: Statement | string, values?: readonly unknown[]): Promise<R[]> {
  const config = typeof statement === 'string' ? { text: statement } : statement
  try {
    return (await on.query<R>({ ...config, values: values as unknown[] })).rows
  } catch (error) {
    return outage(error)
  }
}

/** SQLSTATEs that mean the server is away, starting, full of connections, or ended us; and what sockets say of the same. */
const away = /^(08...|57P0[1-5]|53[234]00|55000|ECONN.*|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENOENT)$/
const awayMessage = /timeout exceeded when trying to connect|Query read timeout|Connection terminated|Client has encountered a connection error|Client was closed|connection is closed|statement timeout/i

export function outage(error: unknown): never {
  const { code, message } = error as { code?: unknown; message?: string }
  if (code === '53100') throw new Fault('storage_full', { cause: error })
  if ((typeof code === 'string' && away.test(code)) || awayMessage.test(message ?? '')) throw new Outage(`PostgreSQL is not available: ${message}`, { cause: error })
  throw error
}

/** SQLSTATE of an error of PostgreSQL, if it is one. */
export const sqlState = (error: unknown): string | undefined => {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}
