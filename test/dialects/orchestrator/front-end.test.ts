import { afterAll, beforeAll, expect, test } from 'vitest'
import { admin, type TestServer, testServer } from '../../support/server.ts'
import { FrontEnd, FrontError, FrontSocket } from './front-end.ts'

/** What the front end of the Orchestrator does, from the login to the last click, with the habits of its own: see `front-end.ts`. */

let server: TestServer
beforeAll(async () => {
  // Its socket sends no credential: where it is to be seen how workflows go on, anybody may look.
  server = await testServer({ SLUICE_ANONYMOUS_ROLE: 'viewer' })
})
afterAll(() => server[Symbol.asyncDispose]())

async function loggedIn(): Promise<FrontEnd> {
  const front = new FrontEnd(server.url)
  await front.login(admin.email, admin.password)
  return front
}

const counts = { min_value: '0', max_value: '2', direction: 'increment', step: '1' }

test('draws a workflow, fills its forms in, tries a node, runs it and watches it, and deletes it', { timeout: 90_000 }, async () => {
  const front = await loggedIn()
  const { id } = await front.createWorkflow('From the front end')
  expect(await front.workflows()).toContainEqual(expect.objectContaining({ id, name: 'From the front end', runs_count: 0 }))
  expect((await front.renameWorkflow(id, 'Renamed')).id).toBe(id)
  expect(await front.openCanvas(id)).toMatchObject({ nodes: [], edges: [], workflow: { id, name: 'Renamed' } })

  // From the palette, whose forms are filled in with texts.
  const palette = await front.palette()
  for (const identifier of ['counter', 'if-condition', 'static-delay-node', 'http-request']) expect(palette.has(identifier)).toBe(true)
  for (const identifier of palette.keys()) await front.form(identifier)
  expect((await front.form('counter'))?.fields.map(({ name }) => name)).toEqual(['min_value', 'max_value', 'direction', 'step'])
  const count = await front.addNode(id, 'counter', { x: 10, y: 20.5 })
  const even = await front.addNode(id, 'if-condition', { x: 200, y: 20 })
  const wait = await front.addNode(id, 'static-delay-node', { x: 400, y: 0 })
  await front.saveForm(id, count.id, counts)
  await front.saveForm(id, even.id, { condition_expression: "data['counter']['current'] % 2 == 0" })
  await front.saveForm(id, wait.id, { interval: '1', unit: 'seconds' })
  await front.moveNode(id, wait.id, { x: 401.25, y: -3 })
  await front.connect(id, count.id, even.id)
  const wrong = await front.connect(id, even.id, wait.id, 'no')
  await front.disconnect(id, wrong.id)
  await front.connect(id, even.id, wait.id, 'yes')
  await expect(front.connect(id, even.id, wait.id, 'yes')).rejects.toThrow(FrontError)

  // One node by itself: what it gave is on the canvas then, and what the next one begins with.
  const session = `${id}-${count.id}`
  const tried = await front.execute(id, count.id, counts, {}, session)
  expect(tried).toMatchObject({ success: true, output: { data: { counter: { current: 0 } } } })
  expect(await front.execute(id, count.id, counts, {}, session)).toMatchObject({ output: { data: { counter: { current: 1 } } } })
  await front.resetSession('counter', session)
  expect(await front.inputOf(id, even.id)).toMatchObject({ input_data: { counter: { current: 1 } } })
  const unfit = await front.execute(id, count.id, { ...counts, max_value: 'many' }, {}, session).catch((error: unknown) => error)
  expect(unfit).toMatchObject({
    status: 400,
    data: { error_type: 'FormValidationError', form: { fields: expect.arrayContaining([expect.objectContaining({ name: 'max_value' })]) } },
  })

  const canvas = await front.openCanvas(id)
  expect(canvas.nodes.map((node) => [node.node_type.identifier, node.node_type.output_ports.map((port) => port.id)])).toEqual([
    ['counter', ['default']],
    ['if-condition', ['yes', 'no']],
    ['static-delay-node', ['default']],
  ])
  expect(canvas.nodes[0]).toMatchObject({ position: { x: 10, y: 20.5 }, form_values: counts, output_data: { counter: { current: 1 } } })
  expect(canvas.nodes[2]).toMatchObject({ position: { x: 401.25, y: -3 } })

  // It watches first, and starts then.
  const socket = front.watch(id)
  const task = await front.start(id)
  expect(['STARTED', 'SUCCESS']).toContain(await front.poll(id))
  await socket.until('the end', () => socket.status === 'completed')
  expect(socket.executing).toEqual({})
  const taken = (node: string) =>
    socket.lit.filter(([each]) => each === node).map((lit) => FrontSocket.litBy(lit, canvas.edges).map(({ target, sourceHandle }) => [target, sourceHandle]))
  expect(taken(count.id)).toEqual([[[even.id, 'default']], [[even.id, 'default']], [[even.id, 'default']]])
  expect(taken(even.id)).toEqual([[[wait.id, 'yes']], [], [[wait.id, 'yes']]])
  expect(await front.status(id)).toBe('SUCCESS')
  expect((await front.workflows()).find((each) => each.id === id)).toMatchObject({ status: 'inactive', runs_count: 1, task_id: null })
  expect(task.status).toBe('PENDING')

  await front.removeNode(id, wait.id)
  expect(await front.openCanvas(id)).toMatchObject({ nodes: [{ id: count.id }, { id: even.id }], edges: [{ target: even.id }] })
  await front.deleteWorkflow(id)
  expect((await front.workflows()).map((each) => each.id)).not.toContain(id)
  await expect(front.openCanvas(id)).rejects.toMatchObject({ status: 404 })
  await front.logout()
})

test('finds what goes on when it is opened anew, loses its connection and comes back, and stops it', { timeout: 90_000 }, async () => {
  const front = await loggedIn()
  const { id } = await front.createWorkflow('Goes on')
  const count = await front.addNode(id, 'counter', { x: 0, y: 0 }, counts)
  const wait = await front.addNode(id, 'static-delay-node', { x: 0, y: 0 }, { interval: '1', unit: 'hours' })
  await front.connect(id, count.id, wait.id)
  await front.start(id)

  // The page is opened anew: of the list it learns the task, of its status that it goes on, of the socket where.
  const again = await loggedIn()
  const found = (await again.workflows()).find((each) => each.id === id)
  expect(found).toMatchObject({ status: 'active', task_id: expect.any(String) })
  expect(['PENDING', 'STARTED']).toContain(await again.status(id))
  const socket = again.watch(id)
  const showsTheWait = () => socket.status === 'running' && Object.keys(socket.executing).join() === wait.id
  await socket.until('it shows what goes on', showsTheWait)
  socket.executing = {}
  socket.lose()
  await socket.until('it shows it again', showsTheWait)
  expect(socket.connections).toBe(2)

  expect(await again.stop(id)).toMatchObject({ task_id: found!.task_id, status: 'REVOKED' })
  // Others who look see that nothing goes on any more.
  await socket.until('nothing is shown to go on', () => Object.keys(socket.executing).length === 0)
  expect(await again.status(id)).toBe('REVOKED')
  socket.close()
  await again.deleteWorkflow(id)
})

test('a token that is over is renewed once, by itself, and the request is sent again', async () => {
  const front = await loggedIn()
  front.access = `${front.access}x`
  front.asked.length = 0
  await front.workflows()
  expect(front.asked).toEqual(['GET /workflow/', 'POST /auth/refresh/', 'GET /workflow/'])
  await front.workflows()
  expect(front.asked).toHaveLength(4)
})

test('a page that asks several things at once with a token that is over is not thrown out', async () => {
  const front = await loggedIn()
  front.access = `${front.access}x`
  await Promise.all([front.workflows(), front.palette(), front.workflows(), front.form('counter')])
  expect(front.asked.filter((asked) => asked === 'POST /auth/refresh/').length).toBeGreaterThan(1)
  const before = front.asked.length
  await front.workflows()
  expect(front.asked.slice(before)).toEqual(['GET /workflow/'])
})

test('where nobody may look without a credential, its socket is let in and turned away, each time that it comes back, and its requests go on', async () => {
  await using closed = await testServer()
  const front = new FrontEnd(closed.url)
  await front.login(admin.email, admin.password)
  const { id } = await front.createWorkflow('Closed')
  const socket = front.watch(id)
  await socket.until('it has come back', () => socket.connections === 2)
  expect(socket.codes[0]).toBe(4401)
  expect(socket.status).toBe('')
  socket.close()
  expect(await front.start(id)).toMatchObject({ status: 'PENDING' })
})
