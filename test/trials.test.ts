import type { Event, Run, SnapshotEvent, Trial, Workflow, WorkflowNode } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FeedItem } from '../packages/server/src/events/feed.ts'
import { flow, map, post, router, template, values } from './support/flow.ts'
import { refusal, testServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const url = (path: string) => server.toy.url + path
const tryNode = (workflow: { id: string }, nodeId: string, body: object = {}) => server.call<Trial>('POST', `/v1/workflows/${workflow.id}/nodes/${nodeId}/try`, body)
const tryType = (type: string, body: object = {}) => server.call<Trial>('POST', `/v1/node-types/${type}/try`, body)
const nodeOf = (workflow: { id: string }, nodeId: string) => server.call<WorkflowNode>('GET', `/v1/workflows/${workflow.id}/nodes/${nodeId}`)

describe('a trial with data', () => {
  const data = { counter: { value: 3 }, greeting: 'hi', list: [1, 2] }

  test('gives the node exactly that as its data, and runs nothing before it', async () => {
    const workflow = await server.workflow(flow({ in: 'input', a: post(url('/ok/data-a')), t: template('{{ data | json }} {{ data.counter.value }}') }, ['in > a > t']))
    const trial = await tryNode(workflow, 't', { data })
    expect(trial).toMatchObject({ status: 'completed', input: data, outputs: { t: expect.anything() }, ended: false, error: null })
    expect((trial.output as { text: string }).text).toBe(`${JSON.stringify(data)} 3`)
    expect(Object.keys(trial.outputs)).toEqual(['t'])
    expect(server.toy.visits('data-a')).toHaveLength(0)
  })

  test('lets it through where the node lets its input through', async () => {
    const workflow = await server.workflow(flow({ in: 'input', r: router({ big: 'data.counter.value > 2' }), t: 'merge' }, ['in > r', 'r.big > t']))
    expect(await tryNode(workflow, 'r', { data })).toMatchObject({ status: 'completed', output: data })
  })

  test('is what the nodes of a body see, too, beside what is upstream of them there', async () => {
    const nodes = { in: 'input', each: map('data.list'), v: { ...(values({ of: '{{ data.greeting }} {{ item }}' }) as object), type: 'static-value', in: 'each' } }
    const workflow = await server.workflow(flow(nodes, ['in > each']))
    expect((await tryNode(workflow, 'each', { data })).output).toEqual({ results: [{ v: { of: 'hi 1' } }, { v: { of: 'hi 2' } }] })
  })

  test('is refused together with what it would be made of', async () => {
    const workflow = await server.workflow(flow({ t: template('x') }))
    for (const also of [{ input: {} }, { inputs: {} }, { outputs: {} }])
      expect(await refusal(tryNode(workflow, 't', { data, ...also }))).toMatchObject({ status: 400, code: 'input_invalid', issues: [{ path: ['data'] }] })
  })
})

describe('a saved trial', () => {
  test('keeps what was to be tried before it is run, and what came of it afterwards; edits meanwhile stay', async () => {
    const workflow = await server.workflow(flow({ a: post(url('/ok/old')), b: template('b') }, ['a > b']))
    const config = { method: 'POST', url: url('/gate/saved') }
    const trying = tryNode(workflow, 'a', { config, data: { n: 1 }, save: true })
    await server.toy.came('saved')
    expect(await nodeOf(workflow, 'a')).toMatchObject({ node: { config }, sample: { input: { n: 1 }, output: null, error: null } })
    const operations = [
      { op: 'setConfig', nodeId: 'b', config: { text: 'edited' } },
      { op: 'moveNode', nodeId: 'a', position: { x: 1, y: 2 } },
    ]
    await server.call('POST', `/v1/workflows/${workflow.id}/edit`, { operations })
    server.toy.open('saved')
    expect((await trying).status).toBe('completed')
    expect(await nodeOf(workflow, 'a')).toMatchObject({ node: { config, position: { x: 1, y: 2 } }, sample: { input: { n: 1 }, output: { status: 200 }, error: null } })
    expect((await nodeOf(workflow, 'b')).node.config).toEqual({ text: 'edited' })
  })

  test('that failed leaves what the node gave before, beside the error', async () => {
    const workflow = await server.workflow(flow({ a: values({ n: 1 }) }))
    await tryNode(workflow, 'a', { data: { first: true }, save: true })
    const config = { method: 'POST', url: url('/refuse/saved-failed') }
    await server.call('POST', `/v1/workflows/${workflow.id}/edit`, { operations: [{ op: 'setConfig', nodeId: 'a', type: 'http-request', config }] })
    const failing = await tryNode(workflow, 'a', { data: { second: true }, save: true })
    expect(failing).toMatchObject({ status: 'failed', output: null, error: { code: 'http_422' } })
    expect((await nodeOf(workflow, 'a')).sample).toMatchObject({ input: { second: true }, output: { n: 1 }, error: { code: 'http_422' } })
    await tryNode(workflow, 'a', { data: {}, config: { method: 'POST', url: url('/ok/saved-failed') }, save: true })
    expect((await nodeOf(workflow, 'a')).sample).toMatchObject({ input: {}, output: { status: 200 }, error: null })
  })

  test('that is refused keeps nothing', async () => {
    const workflow = await server.workflow(flow({ a: template('old') }))
    expect((await refusal(tryNode(workflow, 'a', { config: { txt: 1 }, data: {}, save: true }))).code).toBe('definition_invalid')
    expect(await nodeOf(workflow, 'a')).toMatchObject({ node: { config: { text: 'old' } }, sample: null })
    expect((await server.call<Workflow>('GET', `/v1/workflows/${workflow.id}`)).revision).toBe(workflow.revision)
  })

  test('whose server goes has kept what was to be tried', async () => {
    await using one = await testServer()
    const workflow = await one.workflow(flow({ a: post(`${one.toy.url}/hang/gone`) }))
    const other = await one.another()
    const config = { method: 'PUT', url: `${one.toy.url}/hang/gone` }
    const trying = other.call('POST', `/v1/workflows/${workflow.id}/nodes/a/try`, { config, data: { n: 1 }, save: true }).catch((error: unknown) => error)
    await one.toy.came('gone')
    await other[Symbol.asyncDispose]()
    expect(await trying).toBeInstanceOf(Error)
    expect(await one.call('GET', `/v1/workflows/${workflow.id}/nodes/a`)).toMatchObject({ node: { config }, sample: { input: { n: 1 }, output: null, error: null } })
  })
})

describe('a node type', () => {
  test('is tried in no workflow, with its config and data', async () => {
    const trial = await tryType('template', { config: { text: 'Hello {{ data.name }}' }, data: { name: 'Ada' } })
    expect(trial).toMatchObject({ status: 'completed', nodeId: 'template', input: { name: 'Ada' }, output: { text: 'Hello Ada' }, ended: false, error: null })
    expect(await tryType('static-value', { config: { values: { n: 1 } } })).toMatchObject({ input: {}, output: { n: 1 } })
    expect(await tryType('http-request', { config: { method: 'POST', url: url('/refuse/alone') } })).toMatchObject({ status: 'failed', output: null, error: { code: 'http_422' } })
  })

  test('that is not there is missing; what is wrong with its config is told at its fields', async () => {
    expect(await refusal(tryType('unheard-of'))).toMatchObject({ status: 404, code: 'node_type_missing' })
    const refused = await refusal(tryType('template', { config: {} }))
    expect(refused).toMatchObject({ status: 400, code: 'definition_invalid', issues: [{ nodeId: 'template', field: 'config.text' }] })
    expect(await refusal(tryType('human', { config: { kind: 'approval', message: 'May we?' } }))).toMatchObject({ code: 'trial_refused' })
  })

  test('is tried as a run that is listed nowhere, and can be looked at and followed by its id', async () => {
    const { runId } = await tryType('template', { config: { text: 'x' } })
    const run = await server.get(runId)
    expect(run).toMatchObject({ status: 'completed', trigger: 'trial', output: { template: { text: 'x' } } })
    expect((await server.events(runId)).at(-1)?.type).toBe('run.completed')
    const { items } = await server.call<{ items: Run[] }>('GET', '/v1/runs?limit=100')
    expect(items.map(({ id }) => id)).not.toContain(runId)
    expect(await refusal(server.call('GET', `/v1/workflows/${run.workflowId}`))).toMatchObject({ code: 'workflow_missing' })
  })

  test('is ended when its time is up', async () => {
    const trying = tryType('http-request', { config: { method: 'GET', url: url('/hang/type') }, timeoutMs: 300 })
    expect(await trying).toMatchObject({ status: 'failed', output: null, error: { code: 'timed_out' } })
    await server.toy.left('type')
  })

  test('is tried by whom may try nodes', async () => {
    await using guarded = await testServer({ SLUICE_ANONYMOUS_ROLE: 'operator' })
    expect(await refusal(guarded.call('POST', '/v1/node-types/template/try', { config: { text: 'x' } }, { as: '' }))).toMatchObject({ status: 403 })
    expect(await refusal(guarded.call('POST', '/v1/node-types/template/forget', { session: 's' }, { as: '' }))).toMatchObject({ status: 403 })
  })
})

test('what stands in for a node that this server does not know is not waited for', async () => {
  const workflow = await server.workflow(flow({ in: 'input', odd: 'unheard-of', t: template('{{ odd.n }} {{ in }}') }, ['in > odd > t', 'in > t']))
  expect(await tryNode(workflow, 't', { input: { odd: { n: 7 }, in: 'x' }, timeoutMs: 5_000 })).toMatchObject({ status: 'completed', output: { text: '7 x' } })
  expect(await tryNode(workflow, 't', { inputs: { in: 'y' }, outputs: { odd: { n: 8 } }, timeoutMs: 5_000 })).toMatchObject({ status: 'completed', output: { text: '8 y' } })
})

test('a trial is told to who follows its run, and to nobody else', async () => {
  const workflow = await server.workflow(flow({ a: values({ n: 1 }) }))
  const streams = ['/v1/events', `/v1/workflows/${workflow.id}/events`].map((path) => server.stream(path))
  const told: FeedItem[][] = [[], []]
  const all = streams.map(async (stream, at) => {
    for await (const { item } of stream) {
      told[at]!.push(item)
      if (item.type === 'run.completed') return
    }
  })
  await expect.poll(() => told.every((items) => items[0]?.type === 'snapshot'), { timeout: 10_000 }).toBe(true)
  const [attached, alone] = [await tryNode(workflow, 'a'), await tryType('static-value', { config: { values: { n: 1 } } })]
  const { id } = await server.start(workflow)
  await Promise.all(all)
  for (const items of told) {
    const [snapshot, ...events] = items as [SnapshotEvent, ...Event[]]
    expect(snapshot.type).toBe('snapshot')
    const subjects = new Set(events.flatMap((event) => ('subject' in event ? [event.subject.id] : [])))
    expect(subjects).toContain(id)
    expect(subjects).not.toContain(attached.runId)
    expect(subjects).not.toContain(alone.runId)
  }
  expect((await server.events(attached.runId)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
})
