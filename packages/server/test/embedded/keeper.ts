// A process that keeps an embedded PostgreSQL: `keeper.ts <data directory> <address>`. Writes one line of JSON when it is up.
import { startEmbedded } from '../../src/embedded/index.ts'
import { createLog } from '../../src/telemetry.ts'

const [dataDir = '', address] = process.argv.slice(2)
try {
  const { url, pid } = await startEmbedded({ dataDir, address, log: createLog({ level: 'silent' }), fsync: false })
  process.stdout.write(`${JSON.stringify({ url, pid })}\n`)
} catch (error) {
  process.stdout.write(`${JSON.stringify({ refused: (error as Error).message })}\n`)
  process.exit(1)
}
