import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { StartRefused } from '../store/refused.ts'
import type { Log } from '../telemetry.ts'
import { findBinaries } from './binaries.ts'
import { openCluster } from './cluster.ts'
import type { Cluster } from './cluster.ts'
import { takeLock } from './lock.ts'
import { endOrphan, launch, shutDown } from './postmaster.ts'
import type { Postmaster } from './postmaster.ts'
import { signal } from './processes.ts'

export { major } from './cluster.ts'

export interface EmbeddedOptions {
  /** Made on first use. One server at a time. */
  dataDir: string
  /** Where the server listens, or will: named to a second server that wants the same directory. */
  address?: string
  log: Log
  /** Off only where losing the data does not matter: in tests. */
  fsync?: boolean
  /** Whether this process may end by itself while PostgreSQL runs, which then ends with it. Not unless asked for. */
  background?: boolean
  /** Settings of PostgreSQL, over ours. */
  settings?: Record<string, string>
}

export interface Embedded {
  /** Stays the same when PostgreSQL is restarted. */
  url: string
  /** Null between its end and its restart. */
  readonly pid: number | null
  /** A fast shutdown, forced after `graceMs` (8 s); then the data directory is free. */
  stop(graceMs?: number): Promise<void>
}

/**
 * A real PostgreSQL 18 in the data directory, reached through a socket there that only this user can open. It is restarted
 * when it dies and ends when we do. Throws StartRefused: in use, not ours, not available.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { log } = options
  const dataDir = resolve(options.dataDir)
  const binaries = await findBinaries()
  const lock = inDirectory(dataDir, () => {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    return takeLock(join(dataDir, 'lock'), dataDir, options.address ?? 'no address')
  })
  try {
    const cluster = await openCluster(dataDir, binaries, { fsync: options.fsync ?? true, settings: options.settings ?? {} })
    await endOrphan(cluster, log)
    const begin = () => launch(binaries, cluster, log, options.background)
    return keep(await launchPatiently(begin), { begin, cluster, log, release: () => lock.release() })
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Processes of a killed PostgreSQL hold its shared memory until they notice, which takes them a moment. */
async function launchPatiently(begin: () => Promise<Postmaster>): Promise<Postmaster> {
  const giveUp = performance.now() + 15_000
  for (;;) {
    try {
      return await begin()
    } catch (error) {
      if (!/shared memory block|lock file/.test((error as Error).message) || performance.now() > giveUp) throw error
      await pause(200)
    }
  }
}

/** Stands by PostgreSQL until `stop`: whenever it ends by itself, it is started again, at the same address. */
function keep(first: Postmaster, parts: { begin(): Promise<Postmaster>; cluster: Cluster; log: Log; release(): void }): Embedded {
  const { cluster, log } = parts
  let now: Postmaster | null = first
  let stopping = false
  // The kernel does it where it can; elsewhere this is the last chance to leave nothing behind.
  const atExit = () => now && signal(now.pid, 'SIGINT')
  process.on('exit', atExit)

  const restart = async (): Promise<void> => {
    for (let wait = 50; !stopping; wait = Math.min(wait * 2, 2_000)) {
      try {
        await endOrphan(cluster, log)
        now = await parts.begin()
        log.info({ pid: now.pid }, 'PostgreSQL is back')
        return
      } catch (error) {
        log.error({ err: error }, 'PostgreSQL could not be restarted')
        await pause(wait)
      }
    }
  }
  const watching = (async () => {
    while (!stopping) {
      const why = await now!.ended
      now = null
      if (stopping) return
      log.error({ why }, 'PostgreSQL ended by itself and is started again')
      await restart()
    }
  })()

  return {
    url: cluster.url,
    get pid() {
      return now?.pid ?? null
    },
    async stop(graceMs = 8_000) {
      stopping = true
      if (now) await shutDown(now.pid, graceMs)
      await watching
      // It came back while we were at it.
      if (now) await shutDown(now.pid, graceMs)
      process.off('exit', atExit)
      parts.release()
    },
  }
}

function inDirectory<T>(dataDir: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof StartRefused) throw error
    throw new StartRefused(`The data directory ${dataDir} cannot be written: ${(error as Error).message}. Set SLUICE_DATA_DIR to a directory that this user owns.`, {
      cause: error,
    })
  }
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
