import { afterAll, beforeAll, expect, test } from 'vitest'
import { external, flow } from '../support/flow.ts'
import { Refused, type Served, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
let there: Served
beforeAll(async () => {
  server = await testServer()
  there = await server.another()
})
afterAll(() => server[Symbol.asyncDispose]())

const definition = flow({ in: 'input', e: external() }, ['in > e'])
const on = (n: number): Served => (n % 2 === 0 ? server : there)

test('many first starts of a workflow, some through one lane, on two servers: each is answered, and one version is published', async () => {
  // The first start publishes under the row lock of the workflow; a lane is locked too, and must not be waited for crosswise.
  for (let round = 0; round < 6; round++) {
    const { id } = await server.workflow(definition)
    const runs = await Promise.all(Array.from({ length: 16 }, (_, n) => on(n).start(id, n % 3 === 0 ? { lane: { key: `first ${round} ${n % 2}` } } : {})))
    expect(new Set(runs.map((run) => run.version))).toEqual(new Set([1]))
    expect(new Set(runs.map((run) => run.id)).size).toBe(16)
  }
})

test('a workflow that is deleted while runs of it are started leaves none of them live', async () => {
  for (let round = 0; round < 6; round++) {
    const { id } = await server.workflow(definition)
    await server.start(id)
    const starts = Array.from({ length: 12 }, (_, n) =>
      on(n)
        .start(id)
        .catch((error: unknown) => {
          if (!(error instanceof Refused) || error.code !== 'workflow_missing') throw error
          return null
        }),
    )
    await server.call('DELETE', `/v1/workflows/${id}`)
    const made = (await Promise.all(starts)).filter((run) => run !== null)
    for (const run of made) expect((await server.wait(run)).status).toBe('cancelled')
  }
})
