import { afterAll, beforeAll, expect, test } from 'vitest'
import { ok, type Orchestrator, orchestratorServer } from './server.ts'

/** Nodes, connections and files one by one, node types, webhooks, and who asks. */

let flows: Orchestrator
beforeAll(async () => {
  flows = await orchestratorServer()
})
afterAll(() => flows[Symbol.asyncDispose]())

const empty = async () => `/workflow/${(await ok(flows.call('POST', '/workflow/', { name: 'Nodes' }), 201)).id}`
const ids = (list: { id: string }[]) => list.map(({ id }) => id)

test('a node is made, read, changed value by value, and deleted with its connections', async () => {
  const at = await empty()
  const made = await ok(flows.call('POST', `${at}/nodes/`, { node_type: 'counter', x: 1.5, form_values: {}, config: { any: [null] }, input_data: [1], output_data: 'text' }), 201)
  expect(made).toMatchObject({ node_type: 'counter', x: 1.5, y: 0, form_values: {}, config: { any: [null] }, input_data: [1], output_data: 'text' })
  const one = `${at}/nodes/${made.id}/`
  expect(await ok(flows.call('GET', one))).toEqual(made)
  const patched = await ok(flows.call('PATCH', one, { form_values: { max_value: 5 }, y: 7 }))
  expect(patched).toEqual({ ...made, form_values: { max_value: 5 }, y: 7, updated_at: expect.any(String) })
  const put = await ok(flows.call('PUT', one, { node_type: 'string-iterator-producer', output_data: {} }))
  expect(put).toMatchObject({ node_type: 'string-iterator-producer', form_values: { max_value: 5 }, config: { any: [null] }, input_data: [1], output_data: {} })
  const other = await ok(flows.call('POST', `${at}/nodes/`, { node_type: 'if-condition' }), 201)
  expect(ids(await ok(flows.call('GET', `${at}/nodes/`)))).toEqual([other.id, made.id])
  await ok(flows.call('POST', `${at}/connections/`, { source_node: made.id, target_node: other.id }), 201)
  await ok(flows.call('DELETE', one), 204)
  expect(ids(await ok(flows.call('GET', `${at}/nodes/`)))).toEqual([other.id])
  expect(await ok(flows.call('GET', `${at}/connections/`))).toEqual([])
})

test('a node without values begins as its form does, with values it is as it came, of whatever type', async () => {
  const at = await empty()
  const add = (body: object) => ok(flows.call('POST', `${at}/nodes/add/`, body), 201)
  expect(await add({ nodeTemplate: 'http-request' })).toMatchObject({
    node_type: 'http-request',
    form_values: { method: 'GET', url: 'https://api.example.com' },
    position: { x: 0, y: 0 },
  })
  expect(await add({ nodeTemplate: 'http-request', form_values: {}, position: { x: 3 } })).toMatchObject({ form_values: {}, position: { x: 3, y: 0 }, x: 3 })
  expect(await add({})).toMatchObject({ node_type: 'custom-node', form_values: {} })
})

test('a position is answered as the document has it and as the source does; what is not said of it stays', async () => {
  const at = await empty()
  const { id } = await ok(flows.call('POST', `${at}/nodes/add/`, { nodeTemplate: 'counter', position: { x: 1, y: 2 } }), 201)
  expect(await ok(flows.call('PATCH', `${at}/nodes/${id}/position/`, { position: { x: 150, y: 250 } }))).toMatchObject({
    id,
    position: { x: 150, y: 250 },
    x: 150,
    y: 250,
    node_type: 'counter',
  })
  expect(await ok(flows.call('PATCH', `${at}/nodes/${id}/position/`, { position: { y: -1 } }))).toMatchObject({ position: { x: 150, y: -1 } })
})

test('two nodes are connected once a branch, and not in other ways than the source has it', async () => {
  const at = await empty()
  const [a, b] = ids([await ok(flows.call('POST', `${at}/nodes/add/`, {}), 201), await ok(flows.call('POST', `${at}/nodes/add/`, {}), 201)])
  const first = await ok(flows.call('POST', `${at}/connections/add/`, { source: a, target: b, sourceHandle: 'YES' }), 201)
  expect(first).toEqual({ id: expect.any(String), source_node: a, target_node: b, source_handle: 'yes' })
  expect(await ok(flows.call('POST', `${at}/connections/`, { source_node: a, target_node: b }), 201)).toMatchObject({ source_handle: 'default' })
  const refused = async (body: object) => {
    const answer = await flows.call('POST', `${at}/connections/add/`, body)
    return [answer.status, answer.body]
  }
  expect(await refused({ source: a, target: b, sourceHandle: 'yes' })).toMatchObject([400, { error: 'Connection already exists', code: 'INVALID_REQUEST' }])
  expect(await refused({ source: a, target: b })).toMatchObject([400, { error: 'Connection already exists' }])
  for (const none of ['none', '', 'n'.repeat(101), 'a\n'])
    for (const ends of [
      { source: a, target: none },
      { source: none, target: a },
    ])
      expect(await refused(ends)).toMatchObject([400, { error: 'Source or target node not found' }])
  const loop = ['Source node and target node cannot be the same.']
  expect(await refused({ source: a, target: a })).toMatchObject([400, { target_node: loop, errors: { target_node: loop } }])
  const one = `${at}/connections/${first.id}/`
  expect(await ok(flows.call('GET', one))).toEqual(first)
  expect(await ok(flows.call('PUT', one, { source_node: b, target_node: a }))).toEqual({ id: first.id, source_node: b, target_node: a, source_handle: 'default' })
  expect((await flows.call('PATCH', one, { target_node: b })).status).toBe(400)
  expect(await ok(flows.call('DELETE', `${at}/connections/${first.id}/remove/`))).toEqual({ message: 'Connection removed successfully' })
  expect((await flows.call('GET', one)).status).toBe(404)
  const [last] = await ok(flows.call('GET', `${at}/connections/`))
  await ok(flows.call('DELETE', `${at}/connections/${last.id}/`), 204)
})

test('a node has files under keys of its own; one is replaced under its id, and its bytes are given back', async () => {
  const at = await empty()
  const { id } = await ok(flows.call('POST', `${at}/nodes/add/`, {}), 201)
  const form = (text: string, key?: string) => {
    const data = new FormData()
    if (key !== undefined) data.set('key', key)
    data.set('file', new Blob([text], { type: 'text/plain' }), 'a.txt')
    return data
  }
  const files = `${at}/nodes/${id}/files/`
  const made = await ok(flows.call('POST', `${files}upload/`, form('one', 'template')), 201)
  expect(made).toMatchObject({ node: id, key: 'template', file: expect.stringContaining(flows.server.url) })
  expect((await flows.call('POST', `${files}upload/`, form('again', 'template'))).status).toBe(409)
  expect(await ok(flows.call('GET', files))).toEqual([made])
  const bytes = async (url: string) => (await fetch(url, { headers: { authorization: `Bearer ${flows.server.token}` } })).text()
  expect(await bytes(made.file)).toBe('one')
  const changed = await ok(flows.call('PUT', `${files}${made.id}/update-file/`, form('two')))
  expect([changed.id, changed.key, await bytes(changed.file)]).toEqual([made.id, 'template', 'two'])
  expect((await ok(flows.call('PATCH', `${files}${made.id}/update-file/`, form('three', 'other')))).key).toBe('other')
  expect((await ok(flows.call('GET', `${files}${made.id}/`))).key).toBe('other')
  await ok(flows.call('DELETE', `${files}${made.id}/`), 204)
  expect(await ok(flows.call('GET', files))).toEqual([])
  expect((await flows.call('POST', `${files}upload/`, form('none'))).body.errors).toEqual({ key: ['This field is required.'] })
})

test('node types are told as a tree, flat, by number and one by one, with their forms', async () => {
  const flat = await ok(flows.call('GET', '/nodes/flat/'))
  const tree = await ok(flows.call('GET', '/nodes/'))
  expect(await ok(flows.call('GET', '/nodes/count/'))).toEqual({ count: flat.length })
  const inTree = Object.values(tree as Record<string, { nodes: { identifier: string }[] }>).flatMap(({ nodes }) => nodes.map(({ identifier }) => identifier))
  const identifiers = flat.map(({ identifier }: { identifier: string }) => identifier)
  expect(inTree.toSorted()).toEqual(identifiers.toSorted())
  for (const each of ['counter', 'http-request', 'if-condition', 'for-each', 'queue-node-writer', 'file-writer']) expect(identifiers).toContain(each)
  for (const meta of flat) {
    expect(await ok(flows.call('GET', `/nodes/${meta.identifier}/`))).toEqual(meta)
    const { node, form, message } = await ok(flows.call('GET', `/nodes/${meta.identifier}/form/`))
    expect([node, form === null, message]).toEqual([meta, !meta.has_form, meta.has_form ? undefined : 'This node does not have a form'])
  }
  expect(await ok(flows.call('POST', '/nodes/refresh/'))).toEqual({ message: 'Node cache refreshed successfully' })
  const options = (body: object) => flows.call('POST', '/nodes/http-request/field-options/', body)
  expect(await ok(options({ parent_field: 'url', parent_value: 'x', dependent_field: 'method' }))).toMatchObject({
    field: 'method',
    options: expect.arrayContaining([{ value: 'GET', text: 'GET' }]),
  })
  expect((await options({ parent_field: 'url' })).body.error).toBe('parent_field and dependent_field are required')
  expect((await options({ parent_field: 'url', dependent_field: 'none' })).status).toBe(400)
  expect((await flows.call('POST', '/nodes/counter/reset-session/', {})).body.error).toBe('session_id is required')
})

test('what there is no type of is told by its name; pictures there are none', async () => {
  const long = 'x'.repeat(300)
  for (const identifier of ['nobody-knows', 'input', long]) {
    const told = { error: 'Node not found', identifier, code: 'NOT_FOUND', resource_type: 'NodeType' }
    expect((await flows.call('GET', `/nodes/${identifier}/`)).body).toMatchObject(told)
    expect((await flows.call('GET', `/nodes/${identifier}/form/`)).body).toMatchObject(told)
  }
  for (const identifier of ['nobody-knows', long]) expect((await flows.call('POST', `/nodes/${identifier}/execute/`, {})).status).toBe(404)
  const icon = await fetch(`${flows.server.url}/node-icons/counter.png`)
  expect([icon.status, await icon.json()]).toMatchObject([404, { code: 'NOT_FOUND' }])
})

test('what is sent to a webhook goes to who listens, whatever it is, and is known by its key', async () => {
  const send = (body: unknown, headers: Record<string, string> = {}) => flows.call('POST', '/webhooks/orders-1/', body, { headers })
  expect(await ok(send({ order: 1 }), 202)).toEqual({ status: 'accepted', webhook_id: 'orders-1', subscribers: 0, message: 'No subscribers listening' })
  await ok(send('order=2&item=a&item=b', { 'content-type': 'application/x-www-form-urlencoded' }), 202)
  await ok(send(undefined), 202)
  const { items } = await flows.server.call<{ items: { body: unknown }[] }>('GET', '/v1/webhooks/orders-1/deliveries')
  expect(items.map(({ body }) => body)).toEqual([{}, { order: '2', item: ['a', 'b'] }, { order: 1 }])

  const { id } = await ok(flows.call('POST', '/workflow/', { name: 'Listens' }), 201)
  await ok(flows.call('POST', `/workflow/${id}/nodes/add/`, { nodeTemplate: 'webhook-producer', form_values: { webhook_id: 'orders-1' } }), 201)
  const { task_id } = await ok(flows.call('POST', `/workflow/${id}/start_execution/`))
  await flows.server.wait(task_id, ({ waitingOn }) => waitingOn.some(({ kind }) => kind === 'signal'))
  expect(await ok(send({ order: 3 }), 202)).toMatchObject({ subscribers: 1, message: 'Webhook data published' })
  const run = await flows.server.wait(task_id, ({ nodes }) => (nodes[0]?.counts.completed ?? 0) > 0)
  expect(JSON.stringify(run.nodes)).toContain('"order":3')
  await ok(flows.call('GET', `/workflow/${id}/stop_execution/`))
  expect((await flows.call('POST', '/webhooks/not%20a%20name/', {})).status).toBe(404)
  expect((await flows.call('POST', '/webhooks/orders-1/', {}, { as: '' })).status).toBe(401)
})

test('a login gives tokens that are renewed, and end with a logout', async () => {
  const none = { as: '' }
  const { user, access, refresh } = await ok(flows.call('POST', '/auth/login/', { username: 'admin@sluice.local', password: 'correct horse battery' }, none))
  expect(user).toEqual({ id: expect.any(String), username: 'admin@sluice.local', email: 'admin@sluice.local', first_name: expect.any(String), last_name: expect.any(String) })
  expect(await ok(flows.call('GET', '/auth/me/', undefined, { as: access }))).toEqual(user)
  const wrong = async (body: object) => {
    const answer = await flows.call('POST', '/auth/login/', body, none)
    return [answer.status, answer.body.error]
  }
  expect(await wrong({ username: 'admin@sluice.local', password: 'wrong' })).toEqual([401, 'Invalid credentials'])
  expect(await wrong({ username: 'nobody', password: 'wrong' })).toEqual([401, 'Invalid credentials'])
  for (const body of [{}, { username: 'a' }, { username: ' ', password: 'x' }]) expect(await wrong(body)).toEqual([400, 'Username and password are required'])
  const renewed = await ok(flows.call('POST', '/auth/refresh/', { refresh }, none))
  for (const body of [{}, { refresh: 'x' }]) expect((await flows.call('POST', '/auth/refresh/', body, none)).status).toBe(401)
  expect(await flows.call('POST', '/auth/register/', { username: 'new' }, none)).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } })
  expect((await flows.call('GET', '/auth/me/', undefined, none)).status).toBe(401)

  await using own = await orchestratorServer()
  const mine = await ok(own.call('POST', '/auth/login/', { username: 'admin@sluice.local', password: 'correct horse battery' }, none))
  await ok(own.call('POST', '/auth/logout/', { refresh: mine.refresh }, { as: mine.access }))
  expect((await own.call('GET', '/auth/me/', undefined, { as: mine.access })).status).toBe(401)
  expect(renewed.access).not.toBe(access)
})
