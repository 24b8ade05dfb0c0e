import { describe, expect, test } from 'vitest'
import { admin, type TestServer, testServer } from '../../support/server.ts'
import { clientOf, ok, orchestratorServer } from './server.ts'
import { isOf, isState, watch } from './socket.ts'

/** What the issue asks for as a whole: the page's own example, requests as they stand there, and many editors of one canvas. */

const json = { 'content-type': 'application/json' }

async function asked<T>(answer: Promise<Response>, status: number): Promise<T> {
  const response = await answer
  expect(response.status).toBe(status)
  return (await response.json()) as T
}

async function login({ url }: TestServer): Promise<string> {
  const body = JSON.stringify({ username: admin.email, password: admin.password })
  return (await asked<{ access: string }>(fetch(`${url}/api/auth/login/`, { method: 'POST', headers: json, body }), 200)).access
}

describe('the example of the page runs as it is written', () => {
  test.for<[string, Record<string, string>, boolean]>([
    ['where the operator lets anybody in, without a credential', { SLUICE_ANONYMOUS_ROLE: 'editor' }, false],
    ['elsewhere with a token', {}, true],
  ])('%s', async ([, settings, isClosed]) => {
    await using server = await testServer(settings)
    const token = isClosed ? await login(server) : undefined
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const api = `${server.url}/api`
    const headers = { ...json, ...authorization }

    // 1. Create Workflow
    const workflow = await asked<{ id: string }>(fetch(`${api}/workflow/`, { method: 'POST', headers, body: JSON.stringify({ name: 'My Workflow' }) }), 201)
    expect(workflow).toMatchObject({ name: 'My Workflow', created_at: expect.stringMatching(/Z$/) })
    // 2. Add Nodes
    const body = JSON.stringify({ nodeTemplate: 'http-request', position: { x: 100, y: 200 } })
    const node = await asked<{ id: string }>(fetch(`${api}/workflow/${workflow.id}/nodes/add/`, { method: 'POST', headers, body }), 201)
    expect(node).toMatchObject({ node_type: 'http-request', position: { x: 100, y: 200 } })
    // 4. Monitor via WebSocket, which says what has happened to who comes late, too
    const monitor = watch(server.url, workflow.id, token === undefined ? {} : { token })
    await monitor.told('the state', isOf('state_sync'))
    // 3. Start Execution
    const task = await asked<{ task_id: string }>(fetch(`${api}/workflow/${workflow.id}/start_execution/`, { headers: authorization }), 200)
    expect(task).toEqual({ task_id: expect.any(String), status: 'PENDING' })
    await monitor.told('the end', isOf('workflow_completed'))
    expect(monitor.messages.slice(2)).toMatchObject([
      { type: 'node_started', workflow_id: workflow.id, node_id: node.id, node_type: 'http-request' },
      { type: 'node_completed', workflow_id: workflow.id, node_id: node.id, node_type: 'http-request', route: 'default' },
      { type: 'workflow_completed', workflow_id: workflow.id },
    ])
    expect(await asked(fetch(`${api}/workflow/${workflow.id}/task_status/`, { headers: authorization }), 200)).toEqual({ task_id: task.task_id, status: 'SUCCESS' })

    // Execute Single Node, and start it with the values that this left
    const values = JSON.stringify({ node_id: node.id, form_values: { url: `${server.toy.url}/ok/single` }, input_data: { key: 'value' } })
    const executed = await asked(fetch(`${api}/workflow/${workflow.id}/execute_and_save_node/`, { method: 'POST', headers, body: values }), 200)
    expect(executed).toMatchObject({
      success: true,
      node_id: node.id,
      node_type: 'http-request',
      input_data: { key: 'value' },
      output: { data: { http_request: { status: 200 } } },
    })

    await asked(fetch(`${api}/workflow/${workflow.id}/start_execution/`, { headers: authorization }), 200)
    const again = watch(server.url, workflow.id, token === undefined ? {} : { token })
    await again.told('the end', (message) => isOf('workflow_completed')(message) || isState('completed')(message))
    expect(server.toy.visits('single').length).toBe(2)

    // Without the token there is nothing to be had.
    if (isClosed) {
      expect((await fetch(`${api}/workflow/`, { method: 'POST', headers: json, body: JSON.stringify({ name: 'Nobody' }) })).status).toBe(401)
      expect((await fetch(`${api}/workflow/${workflow.id}/start_execution/`)).status).toBe(401)
      expect(await watch(server.url, workflow.id).closed()).toBe(4401)
    }
  })
})

test('edits of one canvas by 8 clients at once, through two servers, all land: what is added, moved, filled in, connected and taken back', { timeout: 90_000 }, async () => {
  await using flows = await orchestratorServer()
  const other = await flows.server.another()
  const clients = Array.from({ length: 8 }, (_, at) => clientOf(at % 2 === 0 ? flows.server.url : other.url, flows.server.token))
  const { id } = await ok(flows.call('POST', '/workflow/', { name: 'Edited' }), 201)
  const at = `/workflow/${id}`
  const root = await ok(flows.call('POST', `${at}/nodes/add/`, { nodeTemplate: 'counter' }), 201)
  // Each adds five nodes, moves each, fills its form in, connects it twice, and takes one of the connections back: 200 edits in all.
  const made = await Promise.all(
    clients.map(async (client, by) => {
      const nodes: string[] = []
      for (let index = 0; index < 5; index++) {
        const node = await ok(client.call('POST', `${at}/nodes/add/`, { nodeTemplate: 'if-condition', form_values: { condition_expression: 'False' } }), 201)
        const [, , connection] = await Promise.all([
          ok(client.call('PATCH', `${at}/nodes/${node.id}/position/`, { position: { x: by, y: index } })),
          ok(client.call('PATCH', `${at}/nodes/${node.id}/`, { form_values: { condition_expression: `${by} == ${index}` } })),
          ok(client.call('POST', `${at}/connections/add/`, { source: root.id, target: node.id }), 201),
        ])
        if (index === 0) await ok(client.call('DELETE', `${at}/connections/${connection.id}/remove/`))
        else await ok(client.call('POST', `${at}/connections/add/`, { source: nodes.at(-1), target: node.id, sourceHandle: 'yes' }), 201)
        nodes.push(node.id)
      }
      return nodes
    }),
  )
  const canvas = await ok(flows.call('GET', `${at}/canvas_data/`))
  const found = new Map<string, { position: object; form_values: object }>(canvas.nodes.map((node: { id: string }) => [node.id, node]))
  expect(found.size).toBe(41)
  for (const [by, nodes] of made.entries())
    for (const [index, node] of nodes.entries())
      expect(found.get(node)).toMatchObject({ position: { x: by, y: index }, form_values: { condition_expression: `${by} == ${index}` } })
  const edges = canvas.edges.map((edge: Record<string, string>) => `${edge['source_node']}.${edge['source_handle']} > ${edge['target_node']}`)
  const expected = made.flatMap((nodes) => nodes.slice(1).flatMap((node, before) => [`${root.id}.default > ${node}`, `${nodes[before]}.yes > ${node}`]))
  expect(edges.toSorted()).toEqual(expected.toSorted())
})
