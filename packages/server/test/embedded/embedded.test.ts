import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findBinaries } from '../../src/embedded/binaries.ts'
import { openCluster } from '../../src/embedded/cluster.ts'
import { type Embedded, type EmbeddedOptions, startEmbedded } from '../../src/embedded/index.ts'
import { launch } from '../../src/embedded/postmaster.ts'
import { processMark } from '../../src/embedded/processes.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { createLog } from '../../src/telemetry.ts'

const log = createLog({ level: 'silent' })
const keeper = fileURLToPath(new URL('keeper.ts', import.meta.url))

let dataDir: string
const open: Embedded[] = []
const pools: Database[] = []
const children: ChildProcess[] = []
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-embedded-'))
})
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(open.splice(0).map((postgres) => postgres.stop(1_000)))
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
})

async function begin(options: Partial<EmbeddedOptions> = {}): Promise<Embedded> {
  const postgres = await startEmbedded({ dataDir, log, fsync: false, ...options })
  open.push(postgres)
  return postgres
}

function connect(url: string): Database {
  const database = openDatabase({ url, max: 2 })
  pools.push(database)
  return database
}

/** Starts a keeper and gives what it says. */
async function keep(): Promise<{ child: ChildProcess; said: { url: string; pid: number; refused?: string } }> {
  const child: ChildProcess = spawn(process.execPath, [keeper, dataDir, 'http://keeper'], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return { child, said: JSON.parse(String((await once(child.stdout!, 'data'))[0])) as { url: string; pid: number } }
}

const gone = (pid: number) => expect.poll(() => processMark(pid), { timeout: 15_000 }).toBeNull()

test('it starts, keeps what was written over a restart, and stops without a trace of a process', async () => {
  const first = await begin()
  const pid = first.pid!
  await connect(first.url).query('create table kept as select 7 as value')
  await first.stop()
  expect(processMark(pid)).toBeNull()
  const second = await begin()
  expect(await connect(second.url).query('select value from kept')).toEqual([{ value: 7 }])
})

test('text is UTF-8, and letters beyond ASCII have their lower case', async () => {
  const { url } = await begin()
  expect(await connect(url).query(`select lower('ÄÉ') as low, current_setting('server_encoding') as encoding`)).toEqual([{ low: 'äé', encoding: 'UTF8' }])
})

test('it is durable unless told otherwise', async () => {
  const { url } = await begin({ fsync: undefined })
  const settings = await connect(url).query(
    `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commits, current_setting('full_page_writes') as pages`,
  )
  expect(settings).toEqual([{ fsync: 'on', commits: 'on', pages: 'on' }])
})

test('nobody else gets in: it listens on a socket in a directory of its user, with a password in a file of its user', async () => {
  const { url } = await begin()
  expect(await connect(url).query(`select current_setting('listen_addresses') as listen`)).toEqual([{ listen: '' }])
  expect(statSync(join(dataDir, 'postgres/run')).mode & 0o777).toBe(0o700)
  expect(statSync(join(dataDir, 'postgres/data')).mode & 0o777).toBe(0o700)
  expect(statSync(join(dataDir, 'postgres/password')).mode & 0o777).toBe(0o600)
  await expect(connect(url.replace(/:[^:@/]+@/, ':guess@')).query('select 1')).rejects.toThrow('password authentication failed')
})

test('where the path of a socket would be too long it listens on loopback alone, and asks for the password', async () => {
  const deep = join(dataDir, 'a'.repeat(60), 'b'.repeat(60))
  const { url } = await begin({ dataDir: deep })
  expect(new URL(url).hostname).toBe('127.0.0.1')
  expect(await connect(url).query(`select current_setting('listen_addresses') as listen`)).toEqual([{ listen: '127.0.0.1' }])
  await expect(connect(url.replace(/:[^:@/]+@/, ':guess@')).query('select 1')).rejects.toThrow('password authentication failed')
})

test('killed, it is back within 5 s at the same address, with all that was committed', async () => {
  const postgres = await begin({ fsync: true })
  const database = connect(postgres.url)
  await database.query('create table kept as select 7 as value')
  const killed = postgres.pid!
  process.kill(killed, 'SIGKILL')
  await expect.poll(() => database.query('select value from kept').catch(() => 'away'), { timeout: 10_000, interval: 50 }).toEqual([{ value: 7 }])
  await expect.poll(() => postgres.pid, { timeout: 10_000 }).not.toBe(killed)
})

test('stopped while it is away, it stays away', async () => {
  const postgres = await begin()
  const killed = postgres.pid!
  process.kill(killed, 'SIGKILL')
  await expect.poll(() => postgres.pid).not.toBe(killed)
  await postgres.stop(2_000)
  expect(postgres.pid === null || processMark(postgres.pid) === null).toBe(true)
  const next = await begin()
  expect(await connect(next.url).query('select 1 as one')).toEqual([{ one: 1 }])
})

test('two processes on one data directory: the second is refused, naming the holder', async () => {
  const { child } = await keep()
  const second = await keep()
  expect(second.said.refused).toContain(`is in use by process ${child.pid} (http://keeper)`)
})

test('it ends with a server that is killed, and the next one takes over', async () => {
  const { child, said } = await keep()
  await connect(said.url).query('create table kept as select 7 as value')
  child.kill('SIGKILL')
  await gone(said.pid)
  const next = await begin()
  expect(await connect(next.url).query('select value from kept')).toEqual([{ value: 7 }])
})

test('one that survived its server is ended before the next one starts', async () => {
  const binaries = await findBinaries()
  const orphan = await launch(
    { ...binaries, through: binaries.through.filter((word) => !['setpriv', '--pdeathsig', 'INT'].includes(word)) },
    await openCluster(dataDir, binaries, { fsync: false, settings: {} }),
    log,
  )
  const next = await begin()
  expect(processMark(orphan.pid)).toBeNull()
  expect(await connect(next.url).query('select 1 as one')).toEqual([{ one: 1 }])
})

test('what a killed one left behind is no obstacle, even when its number belongs to another process now', async () => {
  const first = await begin()
  const { url } = first
  await first.stop()
  // Not ours: PostgreSQL knows the processes above it and lets them be.
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' })
  children.push(stranger)
  const lines = ['postgres/data/postmaster.pid', 'postgres/run/.s.PGSQL.5432.lock']
  for (const file of lines) writeFileSync(join(dataDir, file), `${stranger.pid}\n${join(dataDir, 'postgres/data')}\n1\n5432\n\n\n\nready\n`)
  mkdirSync(join(dataDir, 'postgres.new/data'), { recursive: true })
  const next = await begin()
  expect(next.url).toBe(url)
  expect(await connect(next.url).query('select 1 as one')).toEqual([{ one: 1 }])
})

test('data of another PostgreSQL is refused, and left alone', async () => {
  const first = await begin()
  await first.stop()
  const version = join(dataDir, 'postgres/data/PG_VERSION')
  writeFileSync(version, '17\n')
  await expect(begin()).rejects.toThrow(/made by PostgreSQL 17, this is 18.*SLUICE_DATA_DIR/)
  expect(readFileSync(version, 'utf8')).toBe('17\n')
})

test('a broken configuration is told in the words of PostgreSQL, and the directory is free again', async () => {
  await expect(begin({ settings: { max_connections: 'many' } })).rejects.toThrow(/PostgreSQL does not start: .*max_connections/)
  expect((await begin()).pid).toBeGreaterThan(0)
})
