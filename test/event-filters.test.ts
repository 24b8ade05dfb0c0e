import { createClient, type FeedItem, InvalidError, type Sluice } from '@sluice/client'
import type { Run } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { approval, flow, loop } from './support/flow.ts'
import { admin, type TestServer, testServer } from './support/server.ts'

let server: TestServer
let sluice: Sluice
beforeAll(async () => {
  server = await testServer()
  sluice = await createClient({ url: server.url }).auth.login(admin)
})
afterAll(() => server[Symbol.asyncDispose]())

async function taken(items: AsyncIterable<FeedItem>, enough: (item: FeedItem) => boolean = () => false): Promise<FeedItem[]> {
  const all: FeedItem[] = []
  for await (const item of items) {
    all.push(item)
    if (enough(item)) break
  }
  return all
}

test('a stream gives the events that are asked for, and ends with its run although nobody asked for its end', async () => {
  const { id } = await server.run(flow({ in: 'input', out: 'output' }, ['in > out']))
  const items = await taken(sluice.events.subscribe({ runId: id, after: '0', where: { type: { like: 'step.%' }, nodeId: 'out' } }))
  expect(items).toMatchObject([
    { type: 'step.started', nodeId: 'out' },
    { type: 'step.completed', nodeId: 'out' },
  ])
  const streamed = server.stream(`/v1/runs/${id}/events?after=0&where=${encodeURIComponent('{"type":{"in":["run.queued","run.completed"]}}')}`)
  const types: string[] = []
  for await (const { item } of streamed) types.push(item.type)
  expect(types).toEqual(['run.queued', 'run.completed'])
})

test('of a workspace: the failures and questions of one workflow, whoever else runs meanwhile', async () => {
  const asking = await server.workflow(flow({ in: 'input', ask: approval(), out: 'output' }, ['in > ask > out']))
  const other = await server.workflow(flow({ in: 'input', ask: approval(), out: 'output' }, ['in > ask > out']))
  const [{ cursor }] = (await taken(sluice.events.subscribe(), () => true)) as [FeedItem]
  const begun: Run[] = []
  for (const workflow of [other, asking, other]) begun.push(await server.start(workflow, { wait: { until: 'parked' } }))
  const watched = sluice.events.subscribe({ after: cursor, where: { workflowId: asking.id, type: { in: ['pause.opened', 'run.failed'] } } })
  const [item] = await taken(watched, () => true)
  expect(item).toMatchObject({ type: 'pause.opened', subject: { kind: 'run', id: begun[1]!.id } })
  const seen = await taken(sluice.workflows.watch({ workflow: asking.id, after: cursor, where: { type: 'run.waiting' } }), () => true)
  expect(seen).toMatchObject([{ type: 'run.waiting', subject: { id: begun[1]!.id } }])
})

test('what is left out is passed: a consumer that comes again does not begin before it', async () => {
  const { id } = await server.run(flow({ in: 'input', again: loop({ times: 60, max: 60 }), tick: { type: 'template', config: { text: 'x' }, in: 'again' } }, ['in > again']))
  const all = await server.events(id)
  expect(all.length).toBeGreaterThan(100)
  const items = await taken(sluice.events.subscribe({ runId: id, after: '0', where: { type: 'run.completed' } }))
  expect(items.map(({ type }) => type)).toEqual([...items.slice(0, -1).map(() => 'passed'), 'run.completed'])
  expect(items.length).toBeGreaterThan(1)
  expect(Number(items[0]!.cursor)).toBeGreaterThanOrEqual(100)
})

test('what cannot be asked is said before the stream begins', async () => {
  await expect(taken(sluice.events.subscribe({ where: { message: 'x' } as object }))).rejects.toMatchObject({ issues: [{ path: ['where', 'message'] }] })
  await expect(taken(sluice.events.subscribe({ where: { type: { lt: null } } as object }))).rejects.toBeInstanceOf(InvalidError)
})
