import { createServer } from 'node:http'
import pg from 'pg'
import type { App } from '../../packages/server/src/app.ts'
import { type House, main } from '../../packages/server/src/command/line.ts'

/**
 * The command line around a house of one room: it counts, in the database, how often it was started, and answers with it.
 * What is tested with it is what stands around every house.
 */
const toy: House = {
  async migrateQueue(databaseUrl) {
    await query(databaseUrl, 'create table if not exists toy_starts (id int generated always as identity)')
  },
  resetPassword: async () => null,
  createKey: async () => ({ secret: '', about: '' }),
  async createApp(config, { databaseUrl, log }): Promise<App> {
    const [{ id }] = (await query(databaseUrl, 'insert into toy_starts default values returning id')) as [{ id: number }]
    const server = createServer((_, reply) => {
      query(databaseUrl, 'select count(*)::int as count from toy_starts').then(
        (rows) => reply.end(JSON.stringify(rows[0])),
        () => reply.writeHead(503).end(),
      )
    })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(config.port, config.host, resolve))
    const { port } = server.address() as { port: number }
    const password = config.adminPassword ?? 'made-for-the-toy'
    log.info({ password, url: databaseUrl }, 'The toy runs')
    return {
      url: `http://${config.host}:${port}`,
      firstAdmin: id === 1 ? { email: config.adminEmail, password } : null,
      drain: () => new Promise((resolve) => setTimeout(resolve, Number(process.env['TOY_DRAIN_MS'] ?? 0))),
      close: () => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()),
    }
  },
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 5_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

await main(process.argv, async () => toy)
