import { accessSync, constants, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { migrateQueue } from '../../packages/server/src/app.ts'
import { startEmbedded } from '../../packages/server/src/embedded/index.ts'
import { migrate } from '../../packages/server/src/store/migrate.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { runs } from './processes.ts'

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

/** One PostgreSQL for the whole run, in a directory of its own; nothing of it is left. What tests put into their temporary folders is put there too. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const before = process.env['TMPDIR']
  const room = roomyMemory() ?? tmpdir()
  sweep(room)
  const scratch = await mkdtemp(join(room, `sluice-test-${process.pid}-`))
  // Some tests are another user.
  await chmod(scratch, 0o711)
  // Workers are started with it.
  process.env['TMPDIR'] = scratch
  const dataDir = join(scratch, 'postgres')
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
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
    await rm(scratch, { recursive: true, force: true })
  }
}

/** What a run left that was killed: memory, perhaps. */
function sweep(room: string): void {
  for (const name of readdirSync(room)) {
    const pid = Number(/^sluice-test-(\d+)-\w+$/.exec(name)?.[1] ?? process.pid)
    if (!runs(pid)) rmSync(join(room, name), { recursive: true, force: true })
  }
}

/** Files in memory, where the machine has room for them: a test database takes 20 ms there, and on some disks half a second. */
function roomyMemory(): string | null {
  const memory = '/dev/shm'
  const room = 8 * 2 ** 30
  try {
    const { bavail, bsize } = statfsSync(memory)
    accessSync(memory, constants.W_OK)
    // Tests install programs and start them, so it must not be mounted `noexec`.
    const mounted = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .find((line) => line.split(' ')[1] === memory)
    const executes = mounted !== undefined && !mounted.split(' ')[3]!.split(',').includes('noexec')
    return executes && bavail * bsize > room && freemem() > room ? memory : null
  } catch {
    return null
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
