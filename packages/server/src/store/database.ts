import { Fault } from '@sluice/schema'
import pg from 'pg'
import { watchLink } from './link.ts'

/**
 * PostgreSQL could not be reached, did not answer in time, or gave a transaction up for another one: nobody's fault, a 503
 * with Retry-After at the edge. Whether a transaction was committed is not known: look before doing it again.
 */
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
  /** Of each of its sessions, besides. */
  settings?: Readonly<Record<string, string>>
  /** Told of errors of idle connections; without a listener they would end the process. */
  onError?: (error: Error) => void
}

export interface Database extends Tx {
  readonly url: string
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** A connection of its own, outside the pool, for LISTEN. The caller ends it. */
  dedicated(): Promise<pg.Client>
  /** Of the pool, at this moment. */
  connections(): { busy: number; idle: number; waiting: number }
  close(): Promise<void>
}

// int8 counts rows and milliseconds here: far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

/**
 * Bounded waits everywhere: pg's own defaults wait for ever on a silent link. A process that is frozen in a transaction holds
 * its locks no longer than its claims.
 */
export const bounds = {
  connectionTimeoutMillis: 2_500,
  query_timeout: 30_000,
  statement_timeout: 25_000,
  idle_in_transaction_session_timeout: 8_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 5_000,
}
/** Connections that a silent server does not let us close are left behind. */
const closeMs = 1_000

/**
 * For statements of the engine that must take the same way whatever the planner knows of their tables: they are planned once,
 * when the tables are empty, and find each row by its key. Judged then, a scan of the table looks as good, and is kept.
 */
export const byKey = {
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  plan_cache_mode: 'force_generic_plan',
}

export function openDatabase(options: DatabaseOptions): Database {
  const onError = options.onError ?? (() => {})
  const config = { connectionString: options.url, application_name: 'sluice', ...bounds }
  const settings = Object.entries(options.settings ?? {}).map(([name, value]) => `set ${name} = ${value}`)
  const settle = async (client: pg.ClientBase) => void (await client.query(settings.join(';')))
  const pool = new pg.Pool({ ...config, max: options.max ?? 16, idleTimeoutMillis: 60_000, ...(settings.length > 0 && { onConnect: settle }) })
  pool.on('error', onError)
  pool.on('connect', (client) => client.on('error', onError))
  const link = watchLink(pool, config)

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
        // A connection that failed us, or cannot even roll back, is not given to the next one: closing it rolls back too.
        if (error instanceof Outage) broken = error
        else await run(client, 'rollback').catch((failure: Error) => (broken = failure))
        throw error
      } finally {
        client.release(broken)
      }
    },
    async dedicated() {
      const client = new pg.Client({ ...config, query_timeout: 2_500 })
      client.on('error', onError)
      await client.connect().catch(outage)
      return client
    },
    connections: () => ({ busy: pool.totalCount - pool.idleCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    async close() {
      link.stop()
      await Promise.race([pool.end(), new Promise((resolve) => setTimeout(resolve, closeMs).unref())])
    },
  }
}

async function run<R extends pg.QueryResultRow>(on: pg.Pool | pg.PoolClient, statement: Statement | string, values?: readonly unknown[]): Promise<R[]> {
  const config = typeof statement === 'string' ? { text: statement } : statement
  try {
    const result: pg.QueryResult<R> | pg.QueryResult<R>[] = await on.query<R>({ ...config, values: values as unknown[] })
    // A text of several statements has several results.
    return Array.isArray(result) ? result.flatMap((each: pg.QueryResult<R>) => each.rows) : result.rows
  } catch (error) {
    return outage(error)
  }
}

/** SQLSTATEs that mean the server is away, starting, full of connections, or ended us or our transaction; and what sockets say of the same. */
const away = /^(08...|57P0[1-5]|53[234]00|55000|25P03|40001|40P01|ECONN.*|EHOST.*|ENET.*|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENOENT)$/
const awayMessage =
  /timeout exceeded when trying to connect|Query read timeout|Connection terminated|Client has encountered a connection error|Client was closed|connection is closed|statement timeout/i

export function outage(error: unknown): never {
  const { code, message } = error as { code?: unknown; message?: string }
  if (code === '53100') throw new Fault('storage_full', { cause: error })
  if ((typeof code === 'string' && away.test(code)) || awayMessage.test(message ?? '')) throw new Outage(`PostgreSQL is not available: ${message}`, { cause: error })
  throw error
}

export { sqlState } from './sql-state.ts'
