import pg from 'pg'
import { cpuOfFamily, memoryOfFamily } from './processes.ts'
import { countAnswers } from './statements.ts'

/** What was spent between two readings. CPU in milliseconds. */
export interface Spent {
  ms: number
  cpuNode: number
  cpuPostgres: number
  statements: number
  transactions: number
  walBytes: number
}

/** At a moment, in bytes. Of PostgreSQL all processes, what they share once. */
export interface Memory {
  node: number
  postgres: number
}

export interface Meters {
  /** Since the reading before, or the beginning. */
  read(): Promise<Spent>
  memory(): Memory
  close(): Promise<void>
}

/** Of this process and of the PostgreSQL with this process id, which works for nobody else. To be opened before what is measured. */
export async function openMeters(databaseUrl: string, postgresPid: number): Promise<Meters> {
  const answers = countAnswers()
  const client = new pg.Client(databaseUrl)
  await client.connect()

  async function now(): Promise<Spent> {
    const { rows } = await client.query<{ wal: string }>(`select pg_current_wal_insert_lsn() - '0/0' as wal`)
    const { user, system } = process.cpuUsage()
    return { ms: performance.now(), cpuNode: (user + system) / 1000, cpuPostgres: cpuOfFamily(postgresPid), ...answers(), walBytes: Number(rows[0]!.wal) }
  }
  let before = await now()

  return {
    async read() {
      const after = await now()
      const spent = Object.fromEntries(keys(after).map((key) => [key, after[key] - before[key]])) as Record<keyof Spent, number>
      before = after
      return spent
    },
    memory: () => ({ node: process.memoryUsage.rss(), postgres: memoryOfFamily(postgresPid) }),
    close: () => client.end(),
  }
}

const keys = (spent: Spent): (keyof Spent)[] => Object.keys(spent) as (keyof Spent)[]
