import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { StartRefused } from '../store/refused.ts'
import type { Log } from '../telemetry.ts'
import type { Binaries } from './binaries.ts'
import { environment } from './cluster.ts'
import type { Cluster } from './cluster.ts'
import { processMark, signal, until, worksOn } from './processes.ts'

/** A running PostgreSQL. */
export interface Postmaster {
  pid: number
  /** Settles when it has ended, by whatever means, with what it said last. */
  ended: Promise<string>
}

/** Crash recovery after a long write may take its time; PostgreSQL itself is up in 50 ms. */
const startMs = 120_000

/** Before it has read its settings PostgreSQL puts a time in front. */
const fatal = /\b(PANIC|FATAL): /

/** Starts PostgreSQL and waits until it takes connections. Throws StartRefused with its own words when it ends instead. */
export async function launch(binaries: Binaries, cluster: Cluster, log: Log, isBackground = false): Promise<Postmaster> {
  const [program, ...args] = [...binaries.through, binaries.postgres, ...cluster.args]
  // A session of its own: Ctrl-C at the terminal is for us, who still need PostgreSQL while we drain.
  const child = spawn(program!, args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  if (isBackground) {
    child.unref()
    // A pipe to a child is a socket.
    ;(child.stderr as Socket).unref()
  }
  const last: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    last.push(line)
    if (last.length > 20) last.shift()
    // FATAL is about one connection, most often one that we end ourselves; PANIC is about all of them.
    if (line.startsWith('PANIC')) log.error({ postgres: line }, 'PostgreSQL')
    else log.debug({ postgres: line }, 'PostgreSQL')
  })
  let running = true
  const ended = new Promise<string>((resolve) => {
    const end = (why: string) => {
      running = false
      resolve(last.findLast((line) => fatal.test(line))?.replace(/^.*?(?=PANIC|FATAL)/, '') ?? why)
    }
    child.on('error', (error) => end(error.message))
    // Its last words come through a pipe that its own children hold too: they are waited for, but not for long.
    child.on('exit', (code, by) => setTimeout(end, 500, `it ended with ${by ?? code}`)).on('close', (code, by) => end(`it ended with ${by ?? code}`))
  })
  const pid = child.pid ?? 0
  const ready = await until(() => !running || isReady(cluster, pid), startMs)
  if (running && ready) return { pid, ended }
  if (running) signal(pid, 'SIGQUIT')
  throw new StartRefused(
    `PostgreSQL does not start: ${running ? `it was not ready within ${startMs / 1000} s` : await ended}. Look at SLUICE_LOG_LEVEL=debug, or set SLUICE_DATABASE_URL.`,
  )
}

/** Fast shutdown, in which open transactions are rolled back; after `graceMs` without a checkpoint, recovered at the next start. */
export async function shutDown(pid: number, graceMs: number): Promise<void> {
  const gone = () => processMark(pid) === null
  for (const [name, ms] of [
    ['SIGINT', graceMs],
    ['SIGQUIT', 3_000],
    ['SIGKILL', 3_000],
  ] as const) {
    if (!signal(pid, name) || (await until(gone, ms))) return
  }
}

/** A PostgreSQL that outlived its server is ended, and what a dead one left behind is removed. */
export async function endOrphan(cluster: Cluster, log: Log): Promise<void> {
  const pid = Number(pidFile(cluster)?.[0] ?? Number.NaN)
  if (processMark(pid) !== null && worksOn(pid, cluster.data)) {
    log.warn({ pid }, 'A PostgreSQL of an earlier server still runs here and is ended')
    await shutDown(pid, 10_000)
    if (processMark(pid) !== null) throw new StartRefused(`PostgreSQL (process ${pid}) still runs in ${cluster.data} and cannot be ended. End it, then start again.`)
  }
  // PostgreSQL would take any process that has this number now for the one it looks for, and refuse.
  rmSync(join(cluster.data, 'postmaster.pid'), { force: true })
  if (cluster.sockets) for (const name of ['.s.PGSQL.5432', '.s.PGSQL.5432.lock']) rmSync(join(cluster.sockets, name), { force: true })
}

/** PostgreSQL writes its state into the eighth line. */
const isReady = (cluster: Cluster, pid: number): boolean => {
  const lines = pidFile(cluster)
  return Number(lines?.[0]) === pid && lines?.[7]?.trim() === 'ready'
}

function pidFile(cluster: Cluster): string[] | null {
  try {
    return readFileSync(join(cluster.data, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return null
  }
}
