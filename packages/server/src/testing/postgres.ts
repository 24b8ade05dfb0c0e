import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../embedded/index.ts'
import { isHeld } from '../embedded/lock.ts'
import { copyTemplate, dropDatabase, dropForgotten, makeTemplate } from '../store/throwaway.ts'
import { createLog } from '../telemetry.ts'

/** Where the throw-away databases of this process are made, and the one that they are copies of. */
interface Source {
  url: string
  template: string
}

/** One of one's own, until it is closed. */
export interface ThrowAway {
  url: string
  close(): Promise<void>
}

export interface SourceOptions {
  /** An address of a PostgreSQL whose user may make databases. Null: one is started for this process. */
  databaseUrl: string | null
  /** Brings a new database to the schema of this program. */
  fill(url: string): Promise<unknown>
}

/** By address: the first test of a process makes one, the others have it. */
const sources = new Map<string, Promise<Source>>()

/** A database with the schema, a time of its own, and nothing in it. */
export async function throwAway(options: SourceOptions): Promise<ThrowAway> {
  const key = options.databaseUrl ?? ''
  const source = sources.get(key) ?? openSource(options)
  sources.set(key, source)
  // What failed once may succeed for the next test.
  source.catch(() => sources.delete(key))
  const { url, template } = await source
  const own = await copyTemplate(url, template)
  return { url: own, close: () => dropDatabase(url, { of: own }) }
}

async function openSource({ databaseUrl, fill }: SourceOptions): Promise<Source> {
  const url = databaseUrl ?? (await startForProcess())
  if (databaseUrl !== null) await dropForgotten(url)
  return { url, template: await makeTemplate(url, fill) }
}

// ── a PostgreSQL for this process ──────────────────────────────────────────────────────────────────────────────────────

const prefix = 'sluice-testing-'
/** A directory without a lock that is younger may be just about to get one. */
const youngMs = 60_000

/** Ends with the process, however that ends, and keeps it from ending by no means. */
async function startForProcess(): Promise<string> {
  await removeForgotten()
  const dataDir = await mkdtemp(join(tmpdir(), prefix))
  leaveCleaner(dataDir)
  const postgres = await startEmbedded({
    dataDir,
    address: 'tests',
    log: createLog({ level: 'silent' }),
    fsync: false,
    background: true,
    // Each test has a server with some thirty connections.
    settings: { max_connections: '1000', shared_buffers: '32MB', autovacuum: 'off', max_wal_senders: '0', wal_level: 'minimal' },
  })
  return postgres.url
}

/** Nothing of it is worth a checkpoint. */
const cleaner = `
  cat > /dev/null
  pid=$(head -n 1 "$1/postgres/data/postmaster.pid" 2> /dev/null)
  if [ -n "$pid" ]; then
    kill -QUIT "$pid" 2> /dev/null
    for try in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2> /dev/null && sleep 0.3; done
  fi
  rm -rf "$1"`

/** A shell that reads what we never write: when we are gone, killed or not, it comes to the end of it, and takes away what is left. */
function leaveCleaner(dataDir: string): void {
  const child = spawn('/bin/sh', ['-c', cleaner, 'sh', dataDir], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  // Without it directories are left to those who come later.
  child.on('error', () => {})
  child.unref()
  // A pipe to a child is a socket.
  ;(child.stdin as Socket).unref()
}

/** What was left behind where even the cleaner was killed. */
async function removeForgotten(): Promise<void> {
  const left = readdirSync(tmpdir()).filter((name) => name.startsWith(prefix))
  for (const name of left) {
    const directory = join(tmpdir(), name)
    // Somebody else may be at it, or it may be another user's.
    if (isOld(directory) && !isHeld(join(directory, 'lock'))) await rm(directory, { recursive: true, force: true }).catch(() => {})
  }
}

function isOld(directory: string): boolean {
  try {
    return Date.now() - statSync(directory).mtimeMs > youngMs
  } catch {
    return false
  }
}
