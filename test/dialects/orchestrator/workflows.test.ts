import type { Workflow } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { flow } from '../../support/flow.ts'
import { ok, type Orchestrator, orchestratorServer } from './server.ts'

/** Workflows and their canvas, as the Orchestrator's document and its source have them. That an answer is as described, every call checks. */

let flows: Orchestrator
beforeAll(async () => {
  flows = await orchestratorServer()
})
afterAll(() => flows[Symbol.asyncDispose]())

const zulu = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/)
const make = (body: object) => ok(flows.call('POST', '/workflow/', body), 201)

test('a workflow that is made is answered as a whole, with the defaults of the source', async () => {
  expect(await make({ name: 'My Workflow', description: 'Workflow description' })).toEqual({
    id: expect.stringMatching(/^[a-z0-9]{15}$/),
    created_at: zulu,
    updated_at: zulu,
    name: 'My Workflow',
    description: 'Workflow description',
    category: null,
    status: 'inactive',
    last_run: null,
    next_run: null,
    runs_count: 0,
    tags: [],
    created_by: null,
    task_id: null,
  })
})

test('what a client says of a workflow comes back; what is told of its runs is taken and told of them', async () => {
  const said = {
    name: 'Told',
    description: null,
    category: 'Reports',
    status: 'active',
    next_run: '2030-01-31T12:00:00.25+01:00',
    tags: { team: ['a', 1, null] },
    created_by: 'Ada',
  }
  const made = await make({ ...said, last_run: '2020-01-01T00:00:00Z', runs_count: 99, more: 'dropped' })
  expect(made).toMatchObject({ ...said, next_run: '2030-01-31T11:00:00.250000Z', last_run: null, runs_count: 0 })
  expect(made.more).toBeUndefined()
  const at = `/workflow/${made.id}/`
  expect(await ok(flows.call('GET', at))).toEqual(made)
  // A PUT keeps what it does not say, as the source does; null clears.
  expect(await ok(flows.call('PUT', at, { name: 'Updated Workflow' }))).toEqual({ ...made, name: 'Updated Workflow', updated_at: zulu })
  expect(await ok(flows.call('PATCH', at, { category: null, tags: ['b'], description: 'Now' }))).toMatchObject({
    category: null,
    tags: ['b'],
    description: 'Now',
    created_by: 'Ada',
  })
  expect(await ok(flows.call('PATCH', at, {}))).toMatchObject({ name: 'Updated Workflow', tags: ['b'] })
  expect(await ok(flows.call('PATCH', at, { description: null }))).toMatchObject({ description: null })
})

test('what other clients keep of a workflow is kept', async () => {
  const { id } = await make({ name: 'Shared', category: 'a' })
  await flows.server.call('PATCH', `/v1/workflows/${id}`, { extra: { other: { deep: 1 } }, absent: 'keep' })
  await ok(flows.call('PATCH', `/workflow/${id}/`, { category: 'b' }))
  expect((await flows.server.call<Workflow>('GET', `/v1/workflows/${id}`)).extra).toEqual({ other: { deep: 1 }, orchestrator: expect.objectContaining({ category: 'b' }) })
})

test('every address is found with and without the slash at the end', async () => {
  for (const end of ['/', '']) {
    const { id } = await ok(flows.call('POST', `/workflow${end}`, { name: 'Everywhere' }), 201)
    expect((await ok(flows.call('GET', `/workflow/${id}${end}`))).id).toBe(id)
    expect((await ok(flows.call('GET', `/workflow${end}`))).some((each: { id: string }) => each.id === id)).toBe(true)
    expect((await ok(flows.call('PUT', `/workflow/${id}${end}`, { name: 'Put' }))).name).toBe('Put')
    expect((await ok(flows.call('GET', `/workflow/${id}/canvas_data${end}`))).id).toBe(id)
    const node = await ok(flows.call('POST', `/workflow/${id}/nodes/add${end}`, { nodeTemplate: 'counter' }), 201)
    expect(await ok(flows.call('GET', `/workflow/${id}/nodes${end}`))).toHaveLength(1)
    expect(await ok(flows.call('DELETE', `/workflow/${id}/nodes/${node.id}/remove${end}`))).toEqual({ message: 'Node removed successfully' })
    await ok(flows.call('DELETE', `/workflow/${id}${end}`), 204)
    expect((await flows.call('GET', `/workflow/${id}${end}`)).status).toBe(404)
  }
})

test('workflows are listed newest first as a bare array, or by any of their fields', async () => {
  await using own = await orchestratorServer()
  const made = [
    { name: 'b', category: 'x', tags: [2] },
    { name: 'a', category: null, tags: [1] },
    { name: 'c', category: 'x', tags: [3] },
  ]
  for (const body of made) await ok(own.call('POST', '/workflow/', body), 201)
  const names = async (ordering?: string) =>
    (await ok(own.call('GET', `/workflow/${ordering === undefined ? '' : `?ordering=${ordering}`}`))).map(({ name }: { name: string }) => name).join('')
  expect(await names()).toBe('cab')
  expect(await names('name')).toBe('abc')
  expect(await names('-name')).toBe('cba')
  expect(await names('created_at')).toBe('bac')
  // Null comes last, and first when downwards; what is equal is told apart by the next field.
  expect(await names('category,-name')).toBe('cba')
  expect(await names('-category,name')).toBe('abc')
  expect(await names('tags')).toBe('abc')
  expect(await names('-runs_count,status,-id')).toBe('cab')
  // What names no field says nothing.
  expect(await names('nothing,constructor,')).toBe('cab')
})

test('the canvas has id, nodes, edges and workflow; nodes have their types, positions, values and what was tried', async () => {
  const { id } = await make({ name: 'Canvas', description: 'It' })
  const at = `/workflow/${id}`
  const counter = await ok(flows.call('POST', `${at}/nodes/add/`, { nodeTemplate: 'counter', position: { x: 100, y: 50.5 } }), 201)
  const strange = await ok(flows.call('POST', `${at}/nodes/add/`, { nodeTemplate: 'nobody-knows', form_values: { any: [1] } }), 201)
  const edge = await ok(flows.call('POST', `${at}/connections/add/`, { source: counter.id, target: strange.id, sourceHandle: 'Default' }), 201)
  await ok(flows.call('PATCH', `${at}/nodes/${counter.id}/`, { input_data: { a: 1 }, output_data: { counter: { current: 1 } } }))
  expect(await ok(flows.call('GET', `${at}/canvas_data/`))).toEqual({
    id,
    nodes: [
      {
        id: counter.id,
        created_at: zulu,
        updated_at: zulu,
        node_type: expect.objectContaining({
          identifier: 'counter',
          type: 'ProducerNode',
          has_form: true,
          icon: null,
          input_ports: [],
          output_ports: [{ id: 'default', label: 'Out' }],
        }),
        x: 100,
        y: 50.5,
        position: { x: 100, y: 50.5 },
        form_values: { min_value: 0, max_value: 10, direction: 'increment', step: 1 },
        config: {},
        input_data: { a: 1 },
        output_data: { counter: { current: 1 } },
      },
      expect.objectContaining({
        id: strange.id,
        form_values: { any: [1] },
        node_type: expect.objectContaining({
          identifier: 'nobody-knows',
          name: 'nobody-knows',
          type: 'unknown',
          input_ports: [{ id: 'default', label: 'In' }],
          output_ports: [{ id: 'default', label: 'Out' }],
        }),
      }),
    ],
    edges: [{ id: edge.id, source_node: counter.id, target_node: strange.id, source_handle: 'default', created_at: zulu }],
    workflow: { id, name: 'Canvas', description: 'It', status: 'inactive', runs_count: 0, last_run: null },
  })
  const raw = await ok(flows.call('GET', `${at}/rawconfig/`))
  expect(raw).toMatchObject({ id, name: 'Canvas', task_id: null, connections: [{ id: edge.id, source_handle: 'default' }] })
  expect(raw.nodes.map((node: { node_type: string }) => node.node_type)).toEqual(['counter', 'nobody-knows'])
  expect(raw.nodes[0].position).toBeUndefined()
})

test('a workflow of another face stands on the canvas: nodes that nobody placed in columns, routes as ports, links under ids that stay', async () => {
  const { id } = await flows.server.workflow(flow({ go: 'input', ask: 'router', out: 'output' }, ['go > ask', 'ask.big > out']), 'Native')
  const first = await ok(flows.call('GET', `/workflow/${id}/canvas_data/`))
  expect(first.nodes.map(({ x, y }: { x: number; y: number }) => [x, y])).toEqual([
    [100, 100],
    [360, 100],
    [620, 100],
  ])
  expect(first.nodes[1].node_type).toMatchObject({ identifier: 'router', type: 'unknown', output_ports: [{ id: 'default' }, { id: 'big', label: 'big' }] })
  expect(first.edges.map(({ source_handle }: { source_handle: string }) => source_handle)).toEqual(['default', 'big'])
  // One that is moved moves no other, and ids stay.
  await ok(flows.call('PATCH', `/workflow/${id}/nodes/ask/position/`, { position: { x: 5 } }))
  const moved = await ok(flows.call('GET', `/workflow/${id}/canvas_data/`))
  expect(moved.nodes.map(({ position }: { position: object }) => position)).toEqual([
    { x: 100, y: 100 },
    { x: 5, y: 0 },
    { x: 620, y: 100 },
  ])
  expect(moved.edges).toEqual(first.edges)
  const [edge] = first.edges
  expect(await ok(flows.call('PATCH', `/workflow/${id}/connections/${edge.id}/`, { source_handle: 'yes' }))).toEqual({
    id: edge.id,
    source_node: 'go',
    target_node: 'ask',
    source_handle: 'yes',
  })
  expect((await ok(flows.call('GET', `/workflow/${id}/canvas_data/`))).edges[0]).toMatchObject({ id: edge.id, source_handle: 'yes' })
})

test('a copy has another name, the same nodes and what was tried on none of them; activate and deactivate say what is told', async () => {
  const { id } = await make({ name: 'Original', tags: ['t'] })
  await ok(flows.call('POST', `/workflow/${id}/nodes/add/`, { nodeTemplate: 'counter' }), 201)
  const copy = await ok(flows.call('POST', `/workflow/${id}/duplicate/`), 201)
  expect(copy).toMatchObject({ name: 'Original (Copy)', tags: ['t'], runs_count: 0 })
  expect((await ok(flows.call('GET', `/workflow/${copy.id}/nodes/`))).map(({ node_type }: { node_type: string }) => node_type)).toEqual(['counter'])
  expect((await ok(flows.call('POST', `/workflow/${id}/activate/`))).status).toBe('active')
  expect((await ok(flows.call('POST', `/workflow/${id}/deactivate/`))).status).toBe('inactive')
})

test('200 edits of one canvas by 8 clients at once all land', { timeout: 60_000 }, async () => {
  const { id } = await make({ name: 'Busy' })
  const at = `/workflow/${id}`
  const hub = await ok(flows.call('POST', `${at}/nodes/add/`, { nodeTemplate: 'counter' }), 201)
  const edit = async (client: number, turn: number) => {
    const node = await ok(flows.call('POST', `${at}/nodes/add/`, { nodeTemplate: 'data-transformer', form_values: { client, turn } }), 201)
    await ok(flows.call('PATCH', `${at}/nodes/${node.id}/position/`, { position: { x: client, y: turn } }))
    await ok(flows.call('POST', `${at}/connections/add/`, { source: hub.id, target: node.id }), 201)
    await ok(flows.call('PATCH', `${at}/nodes/${node.id}/`, { config: { client, turn } }))
    await ok(flows.call('PATCH', `${at}/nodes/${hub.id}/`, { x: client }))
  }
  await Promise.all(
    Array.from({ length: 8 }, async (_, client) => {
      for (let turn = 0; turn < 5; turn++) await edit(client, turn)
    }),
  )
  const { nodes, edges } = await ok(flows.call('GET', `${at}/canvas_data/`))
  expect(edges).toHaveLength(40)
  const placed = nodes
    .slice(1)
    .map(({ form_values, config, position }: { form_values: object; config: object; position: { x: number; y: number } }) => [form_values, config, position])
  const wanted = Array.from({ length: 40 }, (_, index) => ({ client: Math.floor(index / 5), turn: index % 5 }))
  expect(placed).toHaveLength(40)
  expect(placed).toEqual(expect.arrayContaining(wanted.map((each) => [each, each, { x: each.client, y: each.turn }])))
})

test('responses tell how many requests are left', async () => {
  await using limited = await orchestratorServer({ SLUICE_RATE_LIMIT: 'api=50' })
  for (const path of ['/workflow/', '/nodes/count/', '/workflow/none/', '/workflow/a/b/c/d/']) {
    const { headers } = await limited.call('GET', path)
    expect([path, headers.get('x-ratelimit-limit')]).toEqual([path, '50'])
    expect(Number(headers.get('x-ratelimit-remaining'))).toBeLessThan(50)
    expect(Number(headers.get('x-ratelimit-reset'))).toBeGreaterThan(Date.now() / 1000 - 60)
  }
})
