import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

/** A PostgreSQL that is profiled is started with these. */
export const countingStatements = { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.track_planning': 'on', 'pg_stat_statements.track_utility': 'off' }

/** What a statement took inside PostgreSQL: planned and executed, without the way there, COMMIT and the disk behind it. */
export interface StatementTime {
  name: string
  calls: number
  ms: number
}

interface Parsed {
  name?: string
  text: string
}

/** A prepared statement's name reaches PostgreSQL as a comment behind its first word, where it is kept; to be called before any connection is made. */
export function nameStatements(): void {
  const require = createRequire(fileURLToPath(new URL('../../packages/server/package.json', import.meta.url)))
  const { Connection } = require('pg') as { Connection: { prototype: { parse(query: Parsed): void } } }
  const { parse } = Connection.prototype
  Connection.prototype.parse = function (query) {
    parse.call(this, query.name ? { ...query, text: query.text.replace(/\w+/, `$& /* ${query.name} */`) } : query)
  }
}

/** Counts from now on, in this database. */
export async function timeStatements(databaseUrl: string): Promise<() => Promise<StatementTime[]>> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  await client.query('create extension pg_stat_statements')
  await client.query('select pg_stat_statements_reset()')
  return async () => {
    const { rows } = await client.query<{ query: string; calls: string; ms: number }>(
      `select query, calls, total_exec_time + total_plan_time as ms from pg_stat_statements
       where dbid = (select oid from pg_database where datname = current_database()) and query not like '%pg_stat_statements%'`,
    )
    await client.end()
    const times = new Map<string, StatementTime>()
    for (const { query, calls, ms } of rows) {
      const name = nameOf(query)
      const known = times.get(name) ?? { name, calls: 0, ms: 0 }
      times.set(name, { name, calls: known.calls + Number(calls), ms: known.ms + ms })
    }
    return [...times.values()].toSorted((a, b) => b.ms - a.ms)
  }
}

const longest = 60

/** Its own, or how it begins. */
function nameOf(query: string): string {
  const text = query.replaceAll(/\s+/g, ' ').trim()
  return /^\w+ \/\* (.+?) \*\//.exec(text)?.[1] ?? (text.length > longest ? `${text.slice(0, longest)}…` : text)
}
