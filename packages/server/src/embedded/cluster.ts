import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { StartRefused } from '../store/refused.ts'
import { searchPath } from './binaries.ts'
import type { Binaries } from './binaries.ts'

/** What PostgreSQL keeps below the data directory, and how it is reached. */
export interface Cluster {
  /** PGDATA. */
  data: string
  /** Directory of the socket, or null when its path would be too long and PostgreSQL listens on loopback. */
  sockets: string | null
  port: number
  url: string
  /** Its command line without the program. */
  args: string[]
}

export const major = '18'
const user = 'sluice'
const database = 'postgres'

/** What PostgreSQL sees of our environment: nothing. */
export const environment = { PATH: searchPath, LC_ALL: 'C', TZ: 'UTC' }

/** Opens the cluster of a data directory, making it on first use. Everything of it is readable by this user alone. */
export async function openCluster(dataDir: string, binaries: Binaries, options: { fsync: boolean; settings: Record<string, string> }): Promise<Cluster> {
  const home = join(dataDir, 'postgres')
  clearLeftovers(dataDir)
  if (!existsSync(home)) await create(home, binaries, options.fsync)
  const data = realpathSync(join(home, 'data'))
  check(dataDir, data)
  const sockets = shortEnough(join(home, 'run'))
  if (sockets) {
    mkdirSync(sockets, { recursive: true, mode: 0o700 })
    chmodSync(sockets, 0o700)
  }
  const port = sockets ? 5432 : await freePort()
  return {
    data,
    sockets,
    port,
    url: urlOf(home, sockets, port),
    args: ['-D', data, ...Object.entries(settings(sockets, port, options)).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
  }
}

/** The address of the PostgreSQL below `home`, with its password. */
export function urlOf(home: string, sockets: string | null, port: number): string {
  const password = readFileSync(join(home, 'password'), 'utf8').trim()
  const host = sockets ? `localhost/${database}?host=${encodeURIComponent(sockets)}` : `127.0.0.1:${port}/${database}`
  return `postgresql://${user}:${password}@${host}`
}

/** A socket's path has 103 bytes on macOS and 107 on Linux; PostgreSQL's name in the directory takes 16. */
const shortEnough = (directory: string): string | null => (Buffer.byteLength(join(directory, '.s.PGSQL.5432')) < 100 ? directory : null)

function settings(sockets: string | null, port: number, options: { fsync: boolean; settings: Record<string, string> }): Record<string, string> {
  return {
    listen_addresses: sockets ? '' : '127.0.0.1',
    unix_socket_directories: sockets ?? '',
    unix_socket_permissions: '0700',
    port: String(port),
    shared_buffers: '128MB',
    max_connections: '100',
    fsync: options.fsync ? 'on' : 'off',
    synchronous_commit: options.fsync ? 'on' : 'off',
    full_page_writes: options.fsync ? 'on' : 'off',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    cluster_name: 'sluice',
    log_line_prefix: '',
    // Errors of statements reach their callers. In the log they would show values of users.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_checkpoints: 'off',
    ...options.settings,
  }
}

/** Made beside its place and moved there when complete: a crash in between leaves nothing that looks like a cluster. */
async function create(home: string, binaries: Binaries, sync: boolean): Promise<void> {
  const draft = `${home}.new`
  mkdirSync(draft, { mode: 0o700 })
  const passwordFile = join(draft, 'password')
  writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 })
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  await run(binaries, ['-D', join(draft, 'data'), '-U', user, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, ...locale, '--no-instructions', ...(sync ? [] : ['--no-sync'])])
  renameSync(draft, home)
}

async function run({ initdb, through }: Binaries, args: string[]): Promise<void> {
  const [program, ...rest] = [...through, initdb, ...args]
  const child = spawn(program!, rest, { env: environment, stdio: ['ignore', 'ignore', 'pipe'], timeout: 120_000 })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said = (said + chunk).slice(-4_000)))
  const code = await new Promise<number | string | null>((resolve) => child.on('error', (error) => resolve(error.message)).on('close', resolve))
  if (code === 0) return
  const reason =
    said
      .trim()
      .split('\n')
      .find((line) => /error|fatal|could not|cannot/i.test(line)) ?? `it ended with ${code}`
  throw new StartRefused(`PostgreSQL could not be set up in the data directory: ${reason.trim()}. Choose a SLUICE_DATA_DIR that this user owns, or set SLUICE_DATABASE_URL.`)
}

/** The lock of the data directory is ours: whatever stands there half-made is of a process that died. */
function clearLeftovers(dataDir: string): void {
  for (const name of readdirSync(dataDir)) if (name === 'postgres.new') rmSync(join(dataDir, name), { recursive: true, force: true })
}

function check(dataDir: string, data: string): void {
  const found = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()
  if (found !== major)
    throw new StartRefused(
      `The data directory ${dataDir} was made by PostgreSQL ${found}, this is ${major}. Move the data over with pg_dump, or set SLUICE_DATA_DIR to another directory.`,
    )
  const owner = statSync(data).uid
  const us = process.getuid?.()
  if (us !== undefined && owner !== us)
    throw new StartRefused(`The data directory ${dataDir} belongs to user ${owner}, this is user ${us}. Run as that user, or set SLUICE_DATA_DIR to another directory.`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
