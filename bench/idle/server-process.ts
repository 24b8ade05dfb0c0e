import { spawn } from 'node:child_process'
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
  stop(): Promise<void>
}

const main = fileURLToPath(new URL('../../packages/server/src/main.ts', import.meta.url))

/** In this data directory; made by the first start. */
export async function startServer(dataDir: string, signal: AbortSignal): Promise<ServerProcess> {
  const begun = performance.now()
  const env = {
    PATH: process.env['PATH'],
    SLUICE_DATA_DIR: dataDir,
    SLUICE_PORT: '0',
    SLUICE_SECRET: account.secret,
    SLUICE_ADMIN_EMAIL: account.email,
    SLUICE_ADMIN_PASSWORD: account.password,
    SLUICE_LOG_LEVEL: 'error',
  }
  const child = spawn(process.execPath, [main, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'], signal })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`The server ended with ${code}`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /^Sluice is ready at (\S+)$/.exec(line)
      if (found) resolve(found[1]!)
    })
  })
  const readyMs = performance.now() - begun
  const [postgresPid] = childrenOf(child.pid!)
  if (postgresPid === undefined) throw new Error('The server runs without its PostgreSQL')
  return {
    url,
    pid: child.pid!,
    postgresPid,
    readyMs,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
