import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { childrenOf } from '../meters/processes.ts'
import { account } from '../sluice/account.ts'

/** What `npm start` starts, with its PostgreSQL. */
export interface ServerProcess {
  url: string
  pid: number
  postgresPid: number
  /** From the start of the process until it said that it is ready. */
  readyMs: number
}

/** Who is not ready by then never will be. */
const readyWithinMs = 60_000
/** A server promises to be gone in half of it. */
const goneWithinMs = 20_000

const inServer = (path: string): string => fileURLToPath(new URL(`../../packages/server/${path}`, import.meta.url))
const main = inServer('src/main.ts')
/** Where `npm start` has what was compiled kept. */
const compiled = inServer('node_modules/.cache/compiled')

/** Starts it in this data directory, which the first one makes, and stops it when the work is done. Without what was `compiled` before, in a folder of its own. */
export async function withServer<T>(dataDir: string, signal: AbortSignal, work: (server: ServerProcess) => Promise<T>, kept = compiled): Promise<T> {
  const begun = performance.now()
  const env = {
    PATH: process.env['PATH'],
    NODE_COMPILE_CACHE: kept,
    SLUICE_DATA_DIR: dataDir,
    SLUICE_PORT: '0',
    SLUICE_SECRET: account.secret,
    SLUICE_ADMIN_EMAIL: account.email,
    SLUICE_ADMIN_PASSWORD: account.password,
    SLUICE_LOG_LEVEL: 'error',
  }
  const child = spawn(process.execPath, [main, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'], signal })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  try {
    const url = await within(readyWithinMs, child, ready(child))
    const readyMs = performance.now() - begun
    const [postgresPid] = childrenOf(child.pid!)
    if (postgresPid === undefined) throw new Error('The server runs without its PostgreSQL')
    return await work({ url, pid: child.pid!, postgresPid, readyMs })
  } finally {
    child.kill('SIGTERM')
    await within(goneWithinMs, child, ended)
  }
}

/** Where it listens. Throws when it ends instead. */
const ready = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, by) => reject(new Error(`The server ended with ${by ?? code}`)))
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const found = /^Sluice is ready at (\S+)$/.exec(line)
      if (found) resolve(found[1]!)
    })
  })

/** One that takes longer is killed, which ends what is waited for. */
async function within<T>(ms: number, child: ChildProcess, what: Promise<T>): Promise<T> {
  const late = setTimeout(() => child.kill('SIGKILL'), ms)
  try {
    return await what
  } finally {
    clearTimeout(late)
  }
}
