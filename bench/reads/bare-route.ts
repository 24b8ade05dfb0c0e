import { fastify } from 'fastify'
import pg from 'pg'

const read = { name: 'read', text: 'select * from runs where id = $1' }
/** As the server has. */
const connections = 20

/** The least that could be done for who reads a run: a route that reads its row and sends it. */
export async function openBare(databaseUrl: string): Promise<{ url: string; close(): Promise<void> }> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: connections })
  const app = fastify()
  app.get<{ Params: { id: string } }>('/runs/:id', async ({ params }) => (await pool.query({ ...read, values: [params.id] })).rows[0])
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    url,
    async close() {
      await app.close()
      await pool.end()
    },
  }
}
