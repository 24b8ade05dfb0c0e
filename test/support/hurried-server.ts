import { createApp } from '../../packages/server/src/app.ts'
import { loadConfig } from '../../packages/server/src/config.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { orator, tome } from '../../packages/server/test/events/tome.ts'

/**
 * A program of its own: a server with the nodes that say much. Its first argument says how many milliseconds a reader may take to make
 * room, the environment the rest. At SIGUSR2, under --expose-gc, it says how many bytes it holds: `It holds 1: 123`, `It holds 2: …`.
 */

const config = loadConfig(process.env)
const log = createLog({ level: config.logLevel, write: (line) => process.stderr.write(line) })
const app = await createApp(
  { ...config, secret: config.secret! },
  { databaseUrl: process.env['SLUICE_DATABASE_URL']!, log, nodes: [tome, orator], stallMs: Number(process.argv[2]) },
)
process.stdout.write(`It serves at ${app.url}\n`)

let times = 0
process.on('SIGUSR2', () => {
  globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  process.stdout.write(`It holds ${++times}: ${heapUsed + external}\n`)
})
