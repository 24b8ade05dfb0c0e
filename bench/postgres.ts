import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbedded } from '../packages/server/src/embedded/index.ts'
import { createLog } from '../packages/server/src/telemetry.ts'

/** The PostgreSQL that all contestants use, one after another. */
export interface Postgres {
  pid: number
  version: string
  /** A fresh database for as long as the work takes. */
  withDatabase<T>(work: (url: string) => Promise<T>): Promise<T>
  /** Ends it and removes its directory. */
  stop(): Promise<void>
}

/** The one that comes with Sluice, as `npm start` runs it, fsync and all, in a temporary directory. Settings of PostgreSQL come over its own. */
export async function startPostgres(settings: Record<string, string> = {}): Promise<Postgres> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  const remove = () => rm(dataDir, { recursive: true, force: true })
  const embedded = await startEmbedded({ dataDir, settings, log: createLog({ level: 'error' }) }).catch(async (error: unknown) => {
    await remove()
    throw error
  })
  const admin = new pg.Client(embedded.url)
  await admin.connect()
  const { rows } = await admin.query<{ server_version: string }>('show server_version')
  let last = 0
  return {
    pid: embedded.pid!,
    version: rows[0]!.server_version,
    async withDatabase(work) {
      const name = `bench_${++last}`
      await admin.query(`create database ${name}`)
      // What one leaves behind is not written on the time of the next.
      await admin.query('checkpoint')
      const url = new URL(embedded.url)
      url.pathname = `/${name}`
      try {
        return await work(url.href)
      } finally {
        await admin.query(`drop database if exists ${name} with (force)`)
      }
    },
    async stop() {
      await admin.end()
      await embedded.stop()
      await remove()
    },
  }
}
