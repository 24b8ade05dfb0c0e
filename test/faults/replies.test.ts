import type { StoredFile, Workflow } from '@sluice/schema'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.ts'
import { cases } from '../support/effort.ts'
import { flow, values } from '../support/flow.ts'
import { isCommit, proxyTo, routeOf } from '../support/proxy.ts'
import { createRig } from '../support/rig.ts'

const timeout = cases(120_000, 600_000)

test('replies to COMMIT that are lost: a workflow created again under its key is there once, and a file that was acknowledged is there whole', { timeout }, async () => {
  const db = await testDatabase()
  const route = routeOf(db.url)
  const proxy = await proxyTo(route.target)
  const rig = await createRig({ databaseUrl: db.url })
  try {
    const server = await rig.serve({ databaseUrl: route.through(proxy.port) })
    const definition = flow({ a: values({}) })
    const create = async (n: number): Promise<string> => {
      for (;;) {
        const { status, body } = await server.call<Workflow>('POST', '/v1/workflows', { name: `Flow ${n}`, definition, idempotencyKey: `key ${n}` })
        if (status === 201) return body.id
        expect(status).toBe(503)
      }
    }
    const upload = async (n: number): Promise<StoredFile> => {
      for (;;) {
        const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/octet-stream' }
        const answer = await fetch(`${server.url}/v1/files`, { method: 'POST', headers, body: Buffer.alloc(600_000, n) })
        const said = (await answer.json()) as { files: StoredFile[] }
        if (answer.status === 201) return said.files[0]!
        expect(answer.status).toBe(503)
      }
    }
    proxy.watch((chunk) => (isCommit(chunk) && Math.random() < 0.3 ? 'lose' : 'pass'))
    const made: string[] = []
    const stored: StoredFile[] = []
    for (let n = 0; n < cases(25, 100); n++) {
      made.push(await create(n))
      stored.push(await upload(n))
    }
    proxy.watch(null)
    expect(proxy.lost).toBeGreaterThan(5)
    const known = await rig.database.query<{ id: string; name: string }>('select id, name from workflows order by id')
    expect(known).toEqual(made.map((id, n) => ({ id, name: `Flow ${n}` })))
    // Of what was not acknowledged some may be stored: whole, too, and used by nothing.
    const halves = 'select id from files where stored_at is not null and bytes <> (select coalesce(sum(length(data)), 0) from file_chunks where file_id = files.id)'
    expect(await rig.database.query(halves)).toEqual([])
    for (const [n, { id }] of stored.entries()) {
      const answer = await fetch(`${server.url}/v1/files/${id}/content`, { headers: { authorization: `Bearer ${server.token}` } })
      expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.alloc(600_000, n))).toBe(true)
    }
  } finally {
    await rig[Symbol.asyncDispose]()
    await proxy.close()
    await db.close()
  }
})
