import { fastify } from 'fastify'
import pg from 'pg'
import type { Open } from '../contestant.ts'
import { startLoader } from '../http-load/loader.ts'
import { openServed } from '../sluice/served.ts'
import { completedRun } from './completed-run.ts'

const read = { name: 'read', text: 'select * from runs where id = $1' }
/** As the server has. */
const connections = 20

export const open: Open = async (databaseUrl) => {
  const id = await madeBySluice(databaseUrl)
  const pool = new pg.Pool({ connectionString: databaseUrl, max: connections })
  const app = fastify()
  app.get<{ Params: { id: string } }>('/runs/:id', async ({ params }) => (await pool.query({ ...read, values: [params.id] })).rows[0])
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const loader = await startLoader({ url, path: `/runs/${id}`, method: 'GET', token: '', expect: { statusCode: 200, text: id } })
  return {
    load: (inFlight) => loader.load(inFlight),
    async close() {
      await loader.close()
      await app.close()
      await pool.end()
    },
  }
}

/** The run that both read; nothing of its server runs on. */
async function madeBySluice(databaseUrl: string): Promise<string> {
  const served = await openServed(databaseUrl)
  try {
    return await completedRun(served)
  } finally {
    await served.close()
  }
}
