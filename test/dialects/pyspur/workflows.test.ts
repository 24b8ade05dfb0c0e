import { expect, test } from 'vitest'
import { pyspurServer } from './server.ts'

test('a workflow is created, read, listed and deleted, under both mounts', async () => {
  await using spur = await pyspurServer()
  for (const client of [spur, spur.api]) {
    const made = await client.call('POST', '/wf/', { name: 'Flow' })
    expect(made.status).toBe(200)
    expect((await client.call('GET', `/wf/${made.body.id}/`)).body).toEqual(made.body)
    expect((await client.call('GET', `/wf/`)).body).toEqual([made.body])
    expect((await client.call('DELETE', `/wf/${made.body.id}/`)).status).toBe(204)
    expect((await client.call('GET', `/wf/${made.body.id}/`)).body).toEqual({ detail: 'Workflow not found' })
  }
})
