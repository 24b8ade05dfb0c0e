import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { migrateQueue } from '../../packages/server/src/app.ts'
import { startEmbedded } from '../../packages/server/src/embedded/index.ts'
import { migrate } from '../../packages/server/src/store/migrate.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of the PostgreSQL of this run, its database `postgres`. */
    postgresUrl: string
  }
}

/** Every test database is a copy of it. */
export const template = 'template_sluice'

export const withDatabase = (url: string, database: string): string => {
  const address = new URL(url)
  address.pathname = `/${database}`
  return address.href
}

/** One PostgreSQL for the whole run, in a directory of its own; nothing of it is left. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-test-'))
  const postgres = await startEmbedded({
    dataDir,
    log: createLog({ level: 'error' }),
    fsync: false,
    settings: { max_connections: '300', shared_buffers: '64MB', autovacuum: 'off' },
  })
  await makeTemplate(postgres.url)
  project.provide('postgresUrl', postgres.url)
  return async () => {
    await postgres.stop(1_000)
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function makeTemplate(url: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`create database ${template}`)
  const address = withDatabase(url, template)
  await migrate(address, { also: () => migrateQueue(address) })
  await client.query(`alter database ${template} is_template true allow_connections false`)
  await client.end()
}
