import { expect, test } from 'vitest'
import { flow, values } from '../support/flow.ts'
import { testServer } from '../support/server.ts'

test('a server that only serves moves no run; a worker takes it over, and answers for nothing but its health', async () => {
  await using server = await testServer({ SLUICE_ROLE: 'api' })
  const run = await server.start(await server.workflow(flow({ v: values({ answer: 42 }) })), { wait: { until: 'finished', ms: 700 } })
  expect(run).toMatchObject({ status: 'queued', waitingOn: [{ kind: 'queue' }] })

  const worker = await server.another({ SLUICE_ROLE: 'worker' })
  const ended = await server.wait(run)
  expect(ended).toMatchObject({ status: 'completed', output: { v: { answer: 42 } } })
  const statusOf = async (path: string): Promise<number> => (await fetch(worker.url + path, { headers: { authorization: `Bearer ${server.token}` } })).status
  expect([await statusOf('/health'), await statusOf('/ready')]).toEqual([200, 200])
  expect(await Promise.all([`/v1/runs/${run.id}`, '/v1/workflows', '/trpc/runs.list', '/docs', '/'].map(statusOf))).toEqual([404, 404, 404, 404, 404])
})
