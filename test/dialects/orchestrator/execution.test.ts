import type { Run, Workflow } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, type Client, ok, type Orchestrator, orchestratorServer } from './server.ts'

/** What runs a workflow, or one node of it. */

let flows: Orchestrator
beforeAll(async () => {
  flows = await orchestratorServer()
})
afterAll(() => flows[Symbol.asyncDispose]())

interface Chain {
  id: string
  /** Of its nodes, in order. */
  nodes: string[]
  start: string
  stop: string
  status: string
}

type Step = [type: string, values: object, branch?: string]

/** A workflow of nodes that lead one to the next. */
async function chain(...steps: Step[]): Promise<Chain> {
  const { id } = await ok(flows.call('POST', '/workflow/', { name: 'Chain' }), 201)
  const nodes: string[] = []
  for (const [nodeTemplate, form_values, sourceHandle] of steps) {
    const node = await ok(flows.call('POST', `/workflow/${id}/nodes/add/`, { nodeTemplate, form_values }), 201)
    if (nodes.length > 0) await ok(flows.call('POST', `/workflow/${id}/connections/add/`, { source: nodes.at(-1), target: node.id, sourceHandle }), 201)
    nodes.push(node.id)
  }
  return { id, nodes, start: `/workflow/${id}/start_execution/`, stop: `/workflow/${id}/stop_execution/`, status: `/workflow/${id}/task_status/` }
}

const counter = (max: number): Step => ['counter', { min_value: 0, max_value: max, direction: 'increment', step: 1 }]
const forever: Step = ['static-delay-node', { interval: 1, unit: 'hours' }]

const patienceMs = 30_000

/** The task once it is so. */
async function until(at: string, status: string, client: Client = flows): Promise<Answer['body']> {
  const end = Date.now() + patienceMs
  for (;;) {
    const body = await ok(client.call('GET', at))
    if (body.status === status || body.state === status) return body
    if (Date.now() > end) throw new Error(`${at} is not ${status} but ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const workflowOf = (id: string) => ok(flows.call('GET', `/workflow/${id}/`))

test('a workflow is started, goes on under its task id, and its status is told after the end too', async () => {
  const { id, start, status } = await chain(counter(3))
  expect(await flows.call('GET', status)).toMatchObject({ status: 400, body: { error: 'No task associated with this workflow' } })
  const task = await ok(flows.call('GET', start))
  expect(task).toEqual({ task_id: expect.stringMatching(/^[a-z0-9]{15}$/), status: 'PENDING' })
  expect(await until(status, 'SUCCESS')).toEqual({ task_id: task.task_id, status: 'SUCCESS' })
  expect(await until(`/celery/task/${task.task_id}/status/`, 'SUCCESS')).toMatchObject({ task_id: task.task_id, state: 'SUCCESS' })
  expect(await workflowOf(id)).toMatchObject({ status: 'inactive', runs_count: 1, task_id: null, last_run: expect.any(String) })
  expect((await ok(flows.call('GET', `/workflow/${id}/canvas_data/`))).workflow.last_run).toMatch(/\+00:00$/)
})

test('a start while a run goes on is answered with that one, by GET and POST, however many ask at once', async () => {
  const { id, start, status, stop } = await chain(counter(1), forever)
  const tasks = await Promise.all(Array.from({ length: 12 }, (_, at) => ok(flows.call(at % 2 === 0 ? 'GET' : 'POST', start))))
  expect(new Set(tasks.map(({ task_id }) => task_id)).size).toBe(1)
  const [{ task_id }] = tasks
  expect(await until(status, 'STARTED')).toEqual({ task_id, status: 'STARTED' })
  expect(await ok(flows.call('GET', `/celery/task/${task_id}/status/`))).toMatchObject({ state: 'STARTED', progress: { percent: expect.any(Number) } })
  expect(await workflowOf(id)).toMatchObject({ status: 'active', runs_count: 1, task_id })
  expect(await ok(flows.call('GET', stop))).toEqual({ task_id, status: 'REVOKED' })
  expect(await until(status, 'REVOKED')).toEqual({ task_id, status: 'REVOKED' })
  expect(await workflowOf(id)).toMatchObject({ status: 'inactive', task_id: null })
  expect(await ok(flows.call('GET', `/celery/task/${task_id}/status/`))).toEqual({ state: 'REVOKED', task_id, error: 'Task was revoked' })
  // Stopping again changes nothing, and starting again is a new run.
  expect(await ok(flows.call('POST', stop))).toEqual({ task_id, status: 'REVOKED' })
  const again = await ok(flows.call('POST', start))
  expect(again.task_id).not.toBe(task_id)
  // Each is still told by its id.
  expect(await ok(flows.call('GET', `${status}?task_id=${task_id}`))).toEqual({ task_id, status: 'REVOKED' })
  expect(await ok(flows.call('POST', `${stop}?task_id=${again.task_id}`))).toEqual({ task_id: again.task_id, status: 'REVOKED' })
})

test('of a workflow that never ran there is nothing to stop, of one that ended it is told how', async () => {
  const { stop, start, status } = await chain(counter(1))
  expect(await ok(flows.call('GET', stop))).toEqual({ task_id: null, status: 'REVOKED' })
  const { task_id } = await ok(flows.call('POST', start))
  await until(status, 'SUCCESS')
  expect(await ok(flows.call('GET', stop))).toEqual({ task_id, status: 'SUCCESS' })
})

test('GET of start and stop take no cookie, are not fetched ahead, and do nothing by HEAD', async () => {
  const { id, start, stop } = await chain(counter(1), forever)
  const page = { 'sec-fetch-site': 'same-origin' }
  for (const path of [start, stop]) {
    const cookie = await flows.call('GET', path, undefined, { as: '', headers: { ...page, cookie: `sluice_session=${flows.server.token}` } })
    expect([cookie.status, cookie.body.error]).toEqual([401, 'Authentication credentials were not provided.'])
    for (const header of ['sec-purpose', 'purpose']) {
      const { status, body } = await flows.call('GET', path, undefined, { headers: { [header]: 'prefetch' } })
      expect([status, body.code, body.error]).toEqual([400, 'INVALID_REQUEST', expect.stringContaining('ahead')])
    }
    const head = await fetch(`${flows.server.url}/api${path}`, { method: 'HEAD', headers: { authorization: `Bearer ${flows.server.token}` } })
    expect(head.status).toBe(405)
  }
  expect(await workflowOf(id)).toMatchObject({ runs_count: 0, task_id: null })
  // The same cookie reads what changes nothing.
  expect((await flows.call('GET', `/workflow/${id}/`, undefined, { as: '', headers: { ...page, cookie: `sluice_session=${flows.server.token}` } })).status).toBe(200)
  const { status, headers } = await flows.call('GET', start)
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  await ok(flows.call('GET', stop))
})

test('a task of another workflow, of nothing or of no form is not there; Celery knows no id that is not pending', async () => {
  const { start, status, stop } = await chain(counter(1))
  const { task_id } = await ok(flows.call('POST', start))
  const other = await chain(counter(1))
  for (const id of [task_id, '0mfq3kc2p8xr5ty', 'celery-task-id-123', 'x'.repeat(300)])
    for (const path of [other.status, other.stop]) expect((await flows.call('GET', `${path}?task_id=${id}`)).status).toBe(404)
  expect((await flows.call('GET', `${status}?task_id=${task_id}`)).status).toBe(200)
  await ok(flows.call('GET', stop))
  for (const id of ['0mfq3kc2p8xr5ty', 'celery-task-id-123'])
    expect(await ok(flows.call('GET', `/celery/task/${id}/status/`))).toEqual({ state: 'PENDING', task_id: id, result: null })
})

test('a workflow that cannot run is a 422 by node and field, and nothing is started', async () => {
  const { id, nodes, start } = await chain(counter(1), ['http-request', {}], ['nobody-knows', {}])
  const { status, body } = await flows.call('GET', start)
  expect([status, body]).toEqual([
    422,
    {
      error: 'Workflow validation failed',
      code: 'VALIDATION_ERROR',
      detail: 'Workflow validation failed',
      error_code: 'VALIDATION_ERROR',
      details: {
        [nodes[1]!]: { url: ['This field is required.'] },
        [nodes[2]!]: { node_type: [expect.any(String)] },
      },
    },
  ])
  expect(await workflowOf(id)).toMatchObject({ status: 'inactive', runs_count: 0 })
})

test('a run of the canvas is a run like any other: it is seen natively, and one that was started natively is seen here', async () => {
  const { id, start, stop, status } = await chain(counter(1), forever)
  const { task_id } = await ok(flows.call('GET', start))
  expect(await flows.server.call<Run>('GET', `/v1/runs/${task_id}`)).toMatchObject({ workflowId: id, trigger: 'canvas', lane: `workflow:${id}:canvas` })
  await ok(flows.call('GET', stop))
  await until(status, 'REVOKED')
  const native = await flows.server.start(id)
  expect(await workflowOf(id)).toMatchObject({ status: 'active', task_id: native.id })
  expect((await ok(flows.call('GET', status))).task_id).toBe(native.id)
  expect(await ok(flows.call('GET', stop))).toEqual({ task_id: native.id, status: 'REVOKED' })
})

test('a run that failed makes the workflow an error, and the task a failure with its reason', async () => {
  const { id } = await flows.server.call<Workflow>('POST', '/v1/workflows', {
    name: 'Fails',
    definition: { nodes: [{ id: 'c', type: 'code', config: { source: 'throw new Error("broken")' } }], links: [] },
  })
  const { task_id } = await ok(flows.call('POST', `/workflow/${id}/start_execution/`))
  await until(`/workflow/${id}/task_status/`, 'FAILURE')
  expect(await workflowOf(id)).toMatchObject({ status: 'error', task_id: null })
  expect(await ok(flows.call('GET', `/celery/task/${task_id}/status/`))).toEqual({ state: 'FAILURE', task_id, error: expect.any(String), traceback: null })
})

// ── one node by itself ─────────────────────────────────────────────────────────────────────────────────────────────────

test('a node is executed with what is handed in, and keeps its values, its input and its output', async () => {
  const { id, nodes } = await chain(counter(1), ['http-request', { method: 'GET', url: 'https://nowhere.example' }], ['data-transformer', {}])
  const node_id = nodes[1]!
  const form_values = { method: 'GET', url: `${flows.server.toy.url}/{{ data.where }}` }
  const body = await ok(flows.call('POST', `/workflow/${id}/execute_and_save_node/`, { node_id, form_values, input_data: { where: 'there' }, session_id: null }))
  expect(body).toEqual({
    success: true,
    node_id,
    node_type: 'http-request',
    input_data: { where: 'there' },
    form_values,
    output: { id: expect.any(String), data: { http_request: expect.objectContaining({ status: 200, error: null }) }, metadata: { duration_ms: expect.any(Number) } },
    error: null,
    error_type: null,
    message: expect.any(String),
    form: null,
    session_id: null,
  })
  const at = `/workflow/${id}/nodes/${node_id}`
  expect(await ok(flows.call('GET', `${at}/`))).toMatchObject({ form_values, input_data: { where: 'there' }, output_data: body.output.data })
  expect(await ok(flows.call('GET', `${at}/output/`))).toEqual({ output_data: body.output.data })
  expect(await ok(flows.call('GET', `/workflow/${id}/nodes/${nodes[2]}/input/`))).toEqual({ input_data: body.output.data })
  // What is not sent is as it was kept; no other node was run.
  const again = await ok(flows.call('POST', `/workflow/${id}/execute_and_save_node/`, { node_id, input_data: { where: 'elsewhere' } }))
  expect(again).toMatchObject({ success: true, form_values, input_data: { where: 'elsewhere' } })
  expect(await ok(flows.call('GET', `/workflow/${id}/nodes/${nodes[0]}/output/`))).toEqual({ output_data: {} })
})

test('what the nodes before gave is merged: another value under a name that is taken has a number', async () => {
  const { id } = await ok(flows.call('POST', '/workflow/', { name: 'Diamond' }), 201)
  const add = async (output_data: object) => (await ok(flows.call('POST', `/workflow/${id}/nodes/`, { node_type: 'data-transformer', output_data }), 201)).id
  const [a, b, c, d] = [await add({ n: 1, same: true }), await add({ n: 2, same: true }), await add({ n: 3 }), await add({})]
  for (const [source, target] of [
    [a, b],
    [a, c],
    [b, d],
    [c, d],
  ])
    await ok(flows.call('POST', `/workflow/${id}/connections/`, { source_node: source, target_node: target }), 201)
  expect(await ok(flows.call('GET', `/workflow/${id}/nodes/${d}/input/`))).toEqual({ input_data: { n: 1, same: true, n_2: 2, n_3: 3 } })
  expect(await ok(flows.call('GET', `/workflow/${id}/nodes/${a}/input/`))).toEqual({ input_data: {} })
})

test('a producer goes on under a session, says when it has no more, and begins anew when the session is forgotten', async () => {
  const { id, nodes } = await chain(counter(2))
  const step = async (session_id: string | null) => (await ok(flows.call('POST', `/workflow/${id}/execute_and_save_node/`, { node_id: nodes[0], session_id }))).output
  const current = async (session: string | null) => (await step(session)).data.counter?.current
  expect([await current('s'), await current('s'), await current('s')]).toEqual([0, 1, 2])
  expect((await step('s')).metadata).toMatchObject({ __execution_completed__: true })
  expect([await current(null), await current(null), await current('t')]).toEqual([0, 0, 0])

  const form_data = { min_value: 5, max_value: 9, direction: 'increment', step: 2 }
  const type = async () => (await ok(flows.call('POST', '/nodes/counter/execute/', { form_data, session_id: 'u' }))).output.data.counter.current
  expect([await type(), await type()]).toEqual([5, 7])
  expect(await ok(flows.call('POST', '/nodes/counter/reset-session/', { session_id: 'u' }))).toEqual({ success: true, session_id: 'u', cleared: true })
  expect(await ok(flows.call('POST', '/nodes/counter/reset-session/', { session_id: 'u' }))).toMatchObject({ cleared: false })
  expect(await type()).toBe(5)
})

test('a form that does not fit is a 400 with the form, and keeps nothing; a time that is over is a 408', async () => {
  const { id, nodes } = await chain(counter(2), forever)
  const execute = (body: object) => flows.call('POST', `/workflow/${id}/execute_and_save_node/`, body)
  const unfit = await execute({ node_id: nodes[0], form_values: { min_value: 3, max_value: 'x' }, input_data: { kept: false } })
  expect([unfit.status, unfit.body.code, unfit.body.error_type, unfit.body.errors]).toEqual([
    400,
    'INVALID_REQUEST',
    'FormValidationError',
    { max_value: ['Enter a whole number.'], direction: ['This field is required.'], step: ['This field is required.'] },
  ])
  expect(unfit.body.form.fields.find(({ name }: { name: string }) => name === 'max_value')).toMatchObject({ value: 'x', errors: ['Enter a whole number.'] })
  expect(await ok(flows.call('GET', `/workflow/${id}/nodes/${nodes[0]}/`))).toMatchObject({ form_values: { max_value: 2 }, input_data: {} })

  const late = await execute({ node_id: nodes[1], input_data: { tried: true }, timeout: 0.3 })
  expect([late.status, late.body]).toMatchObject([408, { error: 'Node execution timed out after 0.3 seconds', code: 'TIMEOUT', error_type: 'ExecutionTimeout', timeout: 0.3 }])
  expect(await ok(flows.call('GET', `/workflow/${id}/nodes/${nodes[1]}/`))).toMatchObject({ input_data: { tried: true }, output_data: {} })
  const type = await flows.call('POST', '/nodes/static-delay-node/execute/', { form_data: forever[1], timeout: 0.3 })
  expect([type.status, type.body.error_type]).toEqual([408, 'ExecutionTimeout'])
})

test('a node that fails is answered with success false, and keeps what it gave before', async () => {
  const { id, nodes } = await chain(['if-condition', { condition_expression: "data['n'] > 1" }])
  const execute = (input_data: object) => ok(flows.call('POST', `/workflow/${id}/execute_and_save_node/`, { node_id: nodes[0], input_data }))
  const right = await execute({ n: 2 })
  expect(right).toMatchObject({ success: true, output: { data: { if_condition: { route: 'yes' } } } })
  expect(await execute({})).toMatchObject({ success: false, error_type: 'ExecutionError', error: expect.any(String), output: null, node_type: 'if-condition' })
  expect(await ok(flows.call('GET', `/workflow/${id}/nodes/${nodes[0]}/`))).toMatchObject({ input_data: {}, output_data: right.output.data })
  const type = await flows.call('POST', '/nodes/if-condition/execute/', { form_data: { condition_expression: "data['n'] > 1" } })
  expect([type.status, type.body.error_type]).toEqual([400, 'ExecutionError'])
})

test('the steps of the document run as written, without a credential where the operator lets anyone in', async () => {
  await using open = await orchestratorServer({ SLUICE_ANONYMOUS_ROLE: 'editor' })
  const none = { as: '' }
  const workflow = await ok(open.call('POST', '/workflow/', { name: 'My Workflow' }, none), 201)
  const node = await ok(open.call('POST', `/workflow/${workflow.id}/nodes/add/`, { nodeTemplate: 'http-request', position: { x: 100, y: 200 } }, none), 201)
  expect(node).toMatchObject({ node_type: 'http-request', position: { x: 100, y: 200 } })
  const task = await ok(open.call('GET', `/workflow/${workflow.id}/start_execution/`, undefined, none))
  expect(task).toEqual({ task_id: expect.any(String), status: 'PENDING' })
  // That nobody is at that address is a result of the node.
  expect(await until(`/workflow/${workflow.id}/task_status/`, 'SUCCESS', open)).toEqual({ task_id: task.task_id, status: 'SUCCESS' })
  const alone = { node_id: node.id, form_values: { url: 'https://api.example.com' }, input_data: { key: 'value' } }
  expect(await ok(open.call('POST', `/workflow/${workflow.id}/execute_and_save_node/`, alone, none))).toMatchObject({
    success: true,
    ...alone,
    output: { data: { http_request: {} } },
  })
})
