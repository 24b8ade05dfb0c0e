import { afterAll, beforeAll, expect, test } from 'vitest'
import { admin } from '../../support/server.ts'
import { type Answer, ok, type Orchestrator, orchestratorServer } from './server.ts'

/** The reading habits of the Orchestrator's editor: which requests it makes one after another, and what it looks at in the answers. */

let flows: Orchestrator
beforeAll(async () => {
  flows = await orchestratorServer()
})
afterAll(() => flows[Symbol.asyncDispose]())

/** As its client does: a bearer, and on a 401 one refresh and one retry. */
function editor(tokens: { access: string; refresh: string }) {
  const met = { refreshes: 0 }
  async function call(method: string, path: string, body?: unknown, status = 200): Promise<Answer['body']> {
    const first = await flows.call(method, path, body, { as: tokens.access })
    if (first.status !== 401) {
      expect([path, first.status, first.body]).toEqual([path, status, first.body])
      return first.body
    }
    met.refreshes++
    Object.assign(tokens, await ok(flows.call('POST', '/auth/refresh/', { refresh: tokens.refresh }, { as: '' })))
    return ok(flows.call(method, path, body, { as: tokens.access }), status)
  }
  return { call, met }
}

interface CanvasNode {
  id: string
  position: { x: number; y: number }
  node_type: { identifier: string; name: string; type: string; input_ports: { id: string }[]; output_ports: { id: string; label: string }[] }
  form_values: Record<string, unknown>
  input_data: Record<string, unknown>
  output_data: Record<string, unknown>
}

test('an editor logs in, draws, tries, runs, watches the task and stops', { timeout: 60_000 }, async () => {
  const { access, refresh, user } = await ok(flows.call('POST', '/auth/login/', { username: admin.email, password: admin.password }, { as: '' }))
  expect(user.username).toBe(admin.email)
  // Its token has gone stale while the page was open.
  const { call, met } = editor({ access: `${access.slice(0, -4)}AAAA`, refresh })
  const list = await call('GET', '/workflow/')
  expect([Array.isArray(list), met.refreshes]).toEqual([true, 1])

  // The palette, then a new workflow.
  const palette = await call('GET', '/nodes/')
  expect(Object.values(palette as Record<string, { nodes: unknown[] }>).every(({ nodes }) => Array.isArray(nodes))).toBe(true)
  const { id } = await call('POST', '/workflow/', { name: 'Drawn', description: 'By an editor', category: 'Automation', status: 'inactive', tags: [] }, 201)
  const at = `/workflow/${id}`
  const dropped: Record<string, string> = {}
  for (const [index, nodeTemplate] of ['counter', 'if-condition', 'static-delay-node'].entries())
    dropped[nodeTemplate] = (await call('POST', `${at}/nodes/add/`, { nodeTemplate, position: { x: index * 250, y: 100 }, form_values: {} }, 201)).id
  await call('POST', `${at}/connections/add/`, { source: dropped['counter'], target: dropped['if-condition'], sourceHandle: 'default' }, 201)
  await call('POST', `${at}/connections/add/`, { source: dropped['if-condition'], target: dropped['static-delay-node'], sourceHandle: 'yes' }, 201)

  // Each node is opened: its form is read, filled in and saved.
  const filled = {
    counter: { min_value: '0', max_value: '2', direction: 'increment', step: '1' },
    'if-condition': { condition_expression: "data['counter']['current'] >= 1 and data.get('stop') is None" },
    'static-delay-node': { interval: 1, unit: 'hours' },
  }
  for (const [identifier, form_values] of Object.entries(filled)) {
    const { form } = await call('GET', `/nodes/${identifier}/form/`)
    expect(form.fields.map(({ name }: { name: string }) => name).toSorted()).toEqual(Object.keys(form_values).toSorted())
    await call('PATCH', `${at}/nodes/${dropped[identifier]}/`, { form_values })
  }

  // One after another is tried, with what the one before gave.
  const session_id = 'editing'
  await call('POST', `${at}/execute_and_save_node/`, { node_id: dropped['counter'], form_values: filled.counter, input_data: {}, session_id })
  const { input_data } = await call('GET', `${at}/nodes/${dropped['if-condition']}/input/`)
  expect(input_data).toEqual({ counter: expect.objectContaining({ current: 0 }) })
  const tried = await call('POST', `${at}/execute_and_save_node/`, { node_id: dropped['if-condition'], form_values: filled['if-condition'], input_data, session_id })
  expect([tried.success, tried.error, tried.output.data.if_condition.route]).toEqual([true, null, 'no'])

  // The page is loaded anew: all it draws with is in the canvas.
  const canvas = (await call('GET', `${at}/canvas_data/`)) as { nodes: CanvasNode[]; edges: { source_node: string; target_node: string; source_handle: string }[] }
  for (const { position, node_type, form_values, input_data: given, output_data } of canvas.nodes) {
    expect([typeof position.x, typeof position.y, typeof node_type.identifier, typeof node_type.name]).toEqual(['number', 'number', 'string', 'string'])
    expect([form_values, given, output_data].every((each) => typeof each === 'object' && each !== null)).toBe(true)
  }
  const portsOf = new Map(canvas.nodes.map((node) => [node.id, node.node_type.output_ports.map((port) => port.id)]))
  for (const { source_node, target_node, source_handle } of canvas.edges)
    expect([portsOf.get(source_node), portsOf.has(target_node)]).toEqual([expect.arrayContaining([source_handle]), true])

  // Started, asked for until it goes on, and stopped.
  const { task_id } = await call('GET', `${at}/start_execution/`)
  const statusOf = async () => (await call('GET', `${at}/task_status/`)).status
  for (let tries = 0; (await statusOf()) !== 'STARTED' && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 100))
  expect((await call('GET', '/workflow/')).find((each: { id: string }) => each.id === id)).toMatchObject({ status: 'active', task_id, runs_count: 1 })
  // What is tried while it runs has nothing to do with the run.
  expect((await call('GET', `${at}/canvas_data/`)).nodes[0].output_data).toEqual({ counter: expect.objectContaining({ current: 0 }) })
  expect((await call('GET', `${at}/stop_execution/`)).status).toBe('REVOKED')
  expect(await statusOf()).toBe('REVOKED')
  expect((await call('GET', `${at}/`)).status).toBe('inactive')

  await call('DELETE', `${at}/nodes/${dropped['if-condition']}/remove/`)
  expect((await call('GET', `${at}/canvas_data/`)).edges).toEqual([])
  await call('DELETE', `${at}/`, undefined, 204)
})
