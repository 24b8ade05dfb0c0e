import { ConflictError, createClient, InvalidError, NotFoundError, type Sluice } from '@sluice/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { approval, flow, map } from '../support/flow.ts'
import { type TestServer, testServer } from '../support/server.ts'

let server: TestServer
let sluice: Sluice
beforeAll(async () => {
  server = await testServer()
  sluice = createClient({ url: server.url, token: server.token })
})
afterAll(() => server[Symbol.asyncDispose]())

const form = { type: 'object', required: ['limit'], properties: { limit: { type: 'number' } } }

test('a run decides the pause of a node, named by its id or its title', async () => {
  const { id } = await sluice.workflows.create({
    name: 'Two',
    definition: flow({ in: 'input', ask: approval({ title: 'May we?', config: { form } }), again: approval(), out: 'output' }, ['in > ask > again > out']),
  })
  const run = await sluice.workflow(id).start({ a: 1 }, { wait: { until: 'parked' } })
  await expect(run.approve('again')).rejects.toMatchObject({ code: 'pause_missing', constructor: NotFoundError })
  await expect(run.approve('ask')).rejects.toBeInstanceOf(InvalidError)
  expect(await run.approve('May we?', { inputs: { limit: 5 }, comments: 'fine' })).toMatchObject({ nodeId: 'ask', status: 'approved', decision: { comments: 'fine' } })
  // The same again is the same; another one is told who won.
  expect(await run.approve('ask', { inputs: { limit: 5 }, comments: 'fine' })).toMatchObject({ status: 'approved' })
  const late = await run.decline('ask').catch((error: unknown) => error)
  expect(late).toBeInstanceOf(ConflictError)
  expect((late as ConflictError).winner).toMatchObject({ action: 'approve', inputs: { limit: 5 } })
  await run.wait({ until: 'parked' })
  expect(await run.override('again', { inputs: { b: 2 } })).toMatchObject({ nodeId: 'again', status: 'overridden' })
  expect(await run.result()).toEqual({ b: 2 })
})

test('of several that ask at once none is taken for another', async () => {
  const { id } = await sluice.workflows.create({
    name: 'Many',
    definition: flow({ in: 'input', each: map('[1, 2]', { concurrency: 2 }), ask: approval({ in: 'each' }), out: 'output' }, ['in > each > out']),
  })
  const run = await sluice.workflow(id).start({}, { wait: { until: 'parked' } })
  await server.wait(run, ({ pauses }) => pauses.length === 2)
  await expect(run.approve('ask')).rejects.toMatchObject({ code: 'pause_ambiguous', constructor: ConflictError })
  for await (const pause of run.pauses({ status: 'open', limit: 1 })) await sluice.pauses.approve(pause.id)
  expect((await run.wait()).status).toBe('completed')
  expect((await run.pauses({ status: 'open' })).items).toEqual([])
  expect((await run.steps({ nodeId: 'ask' })).items.map(({ iteration }) => iteration).sort()).toEqual(['0', '1'])
})
