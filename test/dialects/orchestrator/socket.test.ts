import { setTimeout as sleep } from 'node:timers/promises'
import type { InvitedMember, Json, JsonObject } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { WorkflowState } from '../../../packages/server/src/dialects/orchestrator/messages.ts'
import { delay, flow, post, signal, template, values } from '../../support/flow.ts'
import { deadline } from '../../support/deadline.ts'
import { callerOf, type TestServer, testServer } from '../../support/server.ts'
import { clientOf, ok } from './server.ts'
import { completedBy, isOf, isState, lines, watch, type Watcher } from './socket.ts'

/** The socket of a workflow, with servers, runs and clients of its own: what is told, to whom, and that nothing is lost or told twice. */

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const own = (workflow: { id: string }, query = ''): Watcher => watch(server.url, workflow.id, { token: server.token, query })

/** So many nodes, one after another, behind a signal. */
const chain = (length: number, ms = 1) => {
  const names = Array.from({ length }, (_, index) => `n${index}`)
  return flow({ go: signal('go'), ...Object.fromEntries(names.map((name) => [name, delay(ms)])) }, [['go', ...names].join(' > ')])
}
const go = (run: { id: string }, payload?: Json) => server.call('POST', '/v1/signals', { runId: run.id, name: 'go', ...(payload !== undefined && { payload }) })

/** Transactions that are always open while others commit: what a snapshot shows then stands behind what of the log may be read. */
function overlapping(): { stop(): Promise<unknown> } {
  let goesOn = true
  const one = async (): Promise<void> => {
    while (goesOn)
      await server.db.database.transaction(async (tx) => {
        await tx.query('select pg_current_xact_id()')
        await sleep(40)
      })
  }
  const all = Promise.all([one(), sleep(20).then(one)])
  return {
    stop() {
      goesOn = false
      return all
    },
  }
}

describe('what a client is told', () => {
  test('the state, then what happens, each with its times, routes and data', async () => {
    const workflow = await server.workflow(flow({ a: values({ x: 1 }), b: post(`${server.toy.url}/missing`, {}) }, ['a > b']))
    const watcher = own(workflow)
    await watcher.told('the idle state', isState('idle'))
    const run = await server.wait(await server.start(workflow))
    await watcher.told('the end', isOf('workflow_completed'))
    expect(lines(watcher.messages)).toEqual(['state idle', 'state running', 'node_started a', 'node_completed a', 'node_started b', 'node_completed b', 'workflow_completed'])
    const [, state, started, completed] = watcher.messages
    expect(state).toMatchObject({ state: { workflow_id: workflow.id, total_nodes: 2, executing_nodes: {}, completed_nodes: [], completed_count: 0 } })
    expect(started).toMatchObject({ workflow_id: workflow.id, node_id: 'a', node_type: 'static-value' })
    expect(completed).toMatchObject({ route: 'default', output_data: { x: 1 } })
    expect(watcher.messages.at(-1)).toEqual({
      type: 'workflow_completed',
      workflow_id: workflow.id,
      status: 'success',
      duration: (Date.parse(run.endedAt!) - Date.parse(run.startedAt!)) / 1000,
    })
    watcher.say({ type: 'request_state' })
    const after = await watcher.told('the last state', isState('completed'))
    expect(after).toMatchObject({ state: { completed_count: 2, total_nodes: 2, executing_nodes: {}, completed_nodes: [{ node_id: 'a' }, { node_id: 'b' }] } })
  })

  test('what is under way is in the state, and so it is for who comes later', async () => {
    const workflow = await server.workflow(chain(1))
    const run = await server.start(workflow, { wait: { until: 'parked' } })
    const watcher = own(workflow)
    expect(await watcher.told('the state', isState('running'))).toMatchObject({ state: { executing_nodes: { go: { node_id: 'go', node_type: 'signal' } }, total_nodes: 2 } })
    await go(run)
    await watcher.told('the end', isOf('workflow_completed'))
    expect(completedBy(watcher.messages)).toEqual(['go', 'n0'])
  })

  test('a failure, in its node and at the end, and the state of it', async () => {
    const workflow = await server.workflow(flow({ a: { type: 'http-request', config: { method: 'GET', url: 'http://127.0.0.1:1/' } } }))
    const watcher = own(workflow)
    await watcher.told('the idle state', isState('idle'))
    const run = await server.wait(await server.start(workflow))
    await watcher.told('the end', isOf('workflow_failed'))
    expect(lines(watcher.messages)).toEqual(['state idle', 'state running', 'node_started a', 'node_failed a', 'workflow_failed'])
    expect(watcher.messages.at(-1)).toMatchObject({ error: run.reason!.message })
    watcher.say({ type: 'request_state' })
    expect(await watcher.told('the state', isState('failed'))).toMatchObject({ state: { error: run.reason!.message, completed_nodes: [], executing_nodes: {} } })
  })

  test('that it was stopped, which none of the events says; and the next run then', async () => {
    const workflow = await server.workflow(chain(1))
    const watcher = own(workflow)
    await watcher.told('the idle state', isState('idle'))
    for (let round = 1; round <= 2; round++) {
      const run = await server.start(workflow, { wait: { until: 'parked' } })
      await server.call('POST', `/v1/runs/${run.id}/cancel`, {})
      await deadline('another idle state', (done) => {
        const timer = setInterval(() => watcher.messages.filter(isState('idle')).length > round && done(), 10)
        return () => clearInterval(timer)
      })
    }
    expect(lines(watcher.messages)).toEqual(['state idle', 'state running', 'node_started go', 'state idle', 'state running', 'node_started go', 'state idle'])
    watcher.say({ type: 'ping' })
    await watcher.told('the pong', isOf('pong'))
  })
})

describe('a workflow of the canvas', () => {
  const canvas = () => clientOf(server.url, server.token)

  async function drawn(nodes: Record<string, [nodeTemplate: string, form_values: JsonObject]>, connections: string[]) {
    const { id } = await ok(canvas().call('POST', '/workflow/', { name: 'Canvas' }), 201)
    const ids: Record<string, string> = {}
    for (const [name, [nodeTemplate, form_values]] of Object.entries(nodes))
      ids[name] = (await ok(canvas().call('POST', `/workflow/${id}/nodes/add/`, { nodeTemplate, form_values }), 201)).id
    for (const connection of connections) {
      const [from = '', target = ''] = connection.split(' > ')
      const [source = '', sourceHandle = 'default'] = from.split('.')
      await ok(canvas().call('POST', `/workflow/${id}/connections/add/`, { source: ids[source], target: ids[target], sourceHandle }), 201)
    }
    const names = new Map(Object.entries(ids).map(([name, nodeId]) => [nodeId, name]))
    const told = (watcher: Watcher): string[] => lines(watcher.messages).map((line) => line.replace(/[a-z0-9]{15}/, (nodeId) => names.get(nodeId) ?? nodeId))
    return { id: String(id), ids, told, at: `/workflow/${id}` }
  }

  const counter = (max_value: number): [string, JsonObject] => ['counter', { min_value: 0, max_value, direction: 'increment', step: 1 }]

  test('each item of a producer is told, with what it leads to, and the branch it takes', async () => {
    const { id, ids, told, at } = await drawn(
      {
        count: counter(2),
        even: ['if-condition', { condition_expression: "data['counter']['current'] % 2 == 0" }],
        yes: ['static-delay-node', { interval: 1, unit: 'hours' }],
        no: ['static-delay-node', { interval: 1, unit: 'hours' }],
      },
      ['count > even'],
    )
    const watcher = own({ id })
    await watcher.told('the idle state', isState('idle'))
    await ok(canvas().call('GET', `${at}/start_execution/`))
    await watcher.told('the end', (message) => isOf('workflow_completed')(message) || isOf('workflow_failed')(message))
    const item = (route: string) => ['node_started count', 'node_completed count', 'node_started even', `node_completed even ${route}`]
    expect(told(watcher)).toEqual(['state idle', 'state running', ...item('yes'), ...item('no'), ...item('yes'), 'workflow_completed'])
    expect(watcher.messages.find(isOf('node_completed'))).toMatchObject({ node_type: 'counter', output_data: { counter: { current: 0 } } })
    watcher.say({ type: 'request_state' })
    const { state } = (await watcher.told('the state', isState('completed'))) as { state: WorkflowState }
    expect(state).toMatchObject({ total_nodes: 4, completed_count: 2, executing_nodes: {} })
    expect(state.completed_nodes.map(({ node_id, route }) => [node_id, route])).toEqual([
      [ids['count'], 'default'],
      [ids['even'], 'yes'],
    ])
  })

  test('of a for-each each pass through its body, and itself once', async () => {
    const { id, told, at } = await drawn(
      {
        lines: ['string-iterator-producer', { data_content: 'one', separator_type: 'newline' }],
        each: ['for-each', { array_expression: '[1, 2]' }],
        body: ['if-condition', { condition_expression: 'True' }],
        after: ['if-condition', { condition_expression: 'False' }],
      },
      ['lines > each', 'each.subdag > body', 'each > after'],
    )
    const watcher = own({ id })
    await watcher.told('the idle state', isState('idle'))
    await ok(canvas().call('POST', `${at}/start_execution/`))
    await watcher.told('the end', (message) => isOf('workflow_completed')(message) || isOf('workflow_failed')(message))
    const body = ['node_started body', 'node_completed body yes']
    expect(told(watcher)).toEqual([
      'state idle',
      'state running',
      'node_started lines',
      'node_completed lines',
      'node_started each',
      ...body,
      ...body,
      'node_completed each',
      'node_started after',
      'node_completed after no',
      'workflow_completed',
    ])
  })

  test('stopped, it is idle for whoever watches, and started again while it runs it is the same run', async () => {
    const { id, told, at } = await drawn({ count: counter(1_000), wait: ['static-delay-node', { interval: 1, unit: 'hours' }] }, ['count > wait'])
    const watcher = own({ id })
    await watcher.told('the idle state', isState('idle'))
    const started = await ok(canvas().call('GET', `${at}/start_execution/`))
    await watcher.told('the wait', (message) => message.type === 'node_started' && message.node_type === 'static-delay-node')
    expect(await ok(canvas().call('GET', `${at}/start_execution/`))).toMatchObject({ task_id: started.task_id })
    const exactly = own({ id }, `?task_id=${started.task_id}`)
    expect(await exactly.told('the state', isState('running'))).toMatchObject({ state: { total_nodes: 2, completed_count: 1 } })
    await ok(canvas().call('GET', `${at}/stop_execution/`))
    await exactly.told('the idle state', isState('idle'))
    expect(await exactly.closed()).toBe(1000)
    await deadline('the idle state', (done) => {
      const timer = setInterval(() => watcher.messages.filter(isState('idle')).length === 2 && done(), 10)
      return () => clearInterval(timer)
    })
    expect(told(watcher)).toEqual(['state idle', 'state running', 'node_started count', 'node_completed count', 'node_started wait', 'state idle'])
  })
})

describe('state and events meet', () => {
  test('whoever joins when, and asks for the state when, on whichever server, knows each node once, and all of them at the end', { timeout: 60_000 }, async () => {
    const other = await server.another()
    // Each is told by a commit of its own.
    const all = ['go', ...Array.from({ length: 80 }, (_, index) => `n${index}`)]
    const workflow = await server.workflow(
      flow(Object.fromEntries(all.map((name) => [name, name === 'go' ? signal('go') : { type: 'http-request', config: { method: 'GET', url: `${server.toy.url}/ok` } }])), [
        all.join(' > '),
      ]),
    )
    const run = await server.start(workflow, { wait: { until: 'parked' } })
    const watchers: Watcher[] = []
    const busy = overlapping()
    await go(run)
    for (let late = 0; late < 40; late++) {
      watchers.push(watch(late % 2 ? server.url : other.url, workflow.id, { token: server.token }))
      const asker = watchers[Math.floor(Math.random() * watchers.length)]!
      if (asker.socket.readyState === asker.socket.OPEN) asker.say({ type: 'request_state' })
      await sleep(5)
    }
    await server.wait(run)
    for (const watcher of watchers) {
      await watcher.told('the end', (message) => isOf('workflow_completed')(message) || isState('completed')(message))
      expect(completedBy(watcher.messages)).toEqual(all)
    }
    await busy.stop()
    // Some of them came in the middle of it, else nothing was tried.
    expect(
      watchers.filter(({ messages: [first] }) => first?.type === 'state_sync' && first.state.completed_count > 1 && first.state.completed_count < all.length).length,
    ).toBeGreaterThan(3)
  })

  test('many watch one workflow with equal sequences, while some of them read nothing', { timeout: 60_000 }, async () => {
    const names = Array.from({ length: 100 }, (_, index) => `n${index}`)
    const workflow = await server.workflow(
      flow({ go: signal('go'), ...Object.fromEntries(names.map((name) => [name, template('{{ nodes.go.text }}')])) }, [['go', ...names].join(' > ')]),
    )
    const run = await server.start(workflow, { wait: { until: 'parked' } })
    const all = Array.from({ length: 60 }, () => own(workflow))
    for (const watcher of all) await watcher.told('the state', isOf('state_sync'))
    const [slow, quick] = [all.slice(0, 5), all.slice(5)]
    for (const { socket } of slow) socket.pause()
    await go(run, { text: 'x'.repeat(60 * 1024) })
    await server.wait(run)
    const expected = ['state running', 'node_completed go', ...names.flatMap((name) => [`node_started ${name}`, `node_completed ${name}`]), 'workflow_completed']
    for (const watcher of quick) {
      await watcher.told('the end', isOf('workflow_completed'))
      expect(lines(watcher.messages)).toEqual(expected)
      expect(watcher.code).toBe(0)
    }
    // What they have not read by now is cut off for them, or comes whole.
    await sleep(500)
    for (const { socket } of slow) socket.resume()
    for (const watcher of slow) {
      await deadline('the end of a slow one', (done) => {
        const timer = setInterval(() => (watcher.code > 0 || watcher.messages.some(isOf('workflow_completed'))) && done(), 10)
        return () => clearInterval(timer)
      })
      expect(lines(watcher.messages)).toEqual(expected.slice(0, watcher.messages.length))
    }
  })
})

describe('of several runs', () => {
  test('it is the newest live one that is told, and no other; by its id each is, to its end', async () => {
    const workflow = await server.workflow(chain(2))
    const first = await server.start(workflow, { wait: { until: 'parked' } })
    const watcher = own(workflow)
    await watcher.told('the state', isState('running'))
    const second = await server.start(workflow, { wait: { until: 'parked' } })
    const exactly = own(workflow, `?task_id=${first.id}`)
    await exactly.told('the state', isState('running'))
    await go(first)
    await server.wait(first)
    expect(await exactly.closed()).toBe(1000)
    expect(lines(exactly.messages)).toEqual([
      'state running',
      'node_completed go',
      'node_started n0',
      'node_completed n0',
      'node_started n1',
      'node_completed n1',
      'workflow_completed',
    ])
    await go(second)
    // Of runs beside each other the events do not tell which is the current one then: the state does.
    await watcher.told('the state anew', isState('completed'))
    expect(lines(watcher.messages)).toEqual([
      'state running',
      'state running',
      'node_started go',
      'node_completed go',
      'node_started n0',
      'node_completed n0',
      'node_started n1',
      'node_completed n1',
      'workflow_completed',
      'state completed',
    ])
  })

  test('one of another workflow is not told here', async () => {
    const [one, other] = [await server.workflow(chain(1)), await server.workflow(chain(1))]
    const run = await server.start(other)
    const watcher = own(one, `?task_id=${run.id}`)
    expect(await watcher.closed()).toBe(4404)
    expect(watcher.messages).toMatchObject([{ type: 'error' }])
    await server.call('POST', `/v1/runs/${run.id}/cancel`, {})
  })

  test('what is tried of a draft is none of them', async () => {
    const workflow = await server.workflow(flow({ a: values({ x: 1 }) }))
    const watcher = own(workflow)
    await watcher.told('the idle state', isState('idle'))
    await server.call('POST', `/v1/workflows/${workflow.id}/nodes/a/try`, {})
    await server.wait(await server.start(workflow))
    await watcher.told('the end', isOf('workflow_completed'))
    expect(lines(watcher.messages)).toEqual(['state idle', 'state running', 'node_started a', 'node_completed a', 'workflow_completed'])
  })
})

describe('who may watch', () => {
  test('nobody without a credential, with what is wrong as a message and the code 4401; nor one of another workspace, whose workflow is not there', async () => {
    const workflow = await server.workflow(chain(1))
    const another = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Another', handle: 'another' })
    const { token } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: another.id })
    const cases: [Watcher, number][] = [
      [watch(server.url, workflow.id), 4401],
      [watch(server.url, workflow.id, { token: 'x' }), 4401],
      [watch(server.url, workflow.id, { query: `?token=${server.token}` }), 4401],
      [watch(server.url, workflow.id, { query: '?ticket=x' }), 4401],
      [watch(server.url, workflow.id, { token: server.token, origin: 'https://evil.example' }), 4403],
      [watch(server.url, workflow.id, { token }), 4404],
      [watch(server.url, 'no-such-workflow', { token: server.token }), 4404],
    ]
    for (const [watcher, code] of cases) {
      expect(await watcher.closed()).toBe(code)
      expect(watcher.messages.map(({ type }) => type)).toEqual(['error'])
    }
  })

  test('a ticket, once; an API key; the cookie of a page of ours', async () => {
    const workflow = await server.workflow(chain(1))
    const { ticket } = await server.call<{ ticket: string }>('POST', '/v1/auth/ticket')
    const key = await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'socket' })
    for (const watcher of [
      watch(server.url, workflow.id, { query: `?ticket=${ticket}` }),
      watch(server.url, workflow.id, { headers: { 'x-api-key': key.secret } }),
      watch(server.url, workflow.id, { headers: { cookie: `sluice_session=${server.token}` }, origin: 'http://localhost:3000' }),
    ])
      await watcher.told('the state', isState('idle'))
    expect(await watch(server.url, workflow.id, { query: `?ticket=${ticket}` }).closed()).toBe(4401)
  })

  test('anybody, where the operator lets them in', async () => {
    await using open = await testServer({ SLUICE_ANONYMOUS_ROLE: 'editor' })
    const workflow = await callerOf(open.url, '').workflow(chain(1))
    const watcher = watch(open.url, workflow.id)
    await watcher.told('the state', isState('idle'))
  })

  test('not longer than the credential holds: a revoked one ends it within five seconds; and a workflow that is deleted is not there any more', async () => {
    const { userId } = await server.call<InvitedMember>('POST', '/v1/members', { email: 'watcher@example.com', role: 'viewer', password: 'another correct horse' })
    const login = () => server.call<{ token: string }>('POST', '/v1/auth/login', { email: 'watcher@example.com', password: 'another correct horse' }, { as: '' })
    const workflow = await server.workflow(chain(1))
    const [viewer, admin] = [watch(server.url, workflow.id, { token: (await login()).token }), own(workflow)]
    for (const watcher of [viewer, admin]) await watcher.told('the state', isState('idle'))
    await server.call('DELETE', `/v1/members/${userId}`)
    const since = performance.now()
    expect(await viewer.closed()).toBe(4401)
    expect(performance.now() - since).toBeLessThan(5_000)
    expect(viewer.messages.at(-1)).toMatchObject({ type: 'error' })
    await server.call('DELETE', `/v1/workflows/${workflow.id}`)
    admin.say({ type: 'request_state' })
    expect(await admin.closed()).toBe(4404)
  })
})

test('what is no message is answered, and the socket goes on', async () => {
  const watcher = own(await server.workflow(chain(1)))
  await watcher.told('the state', isState('idle'))
  for (const said of ['{', '[]', 'null', '1', Buffer.from([0, 1]), 'x'.repeat(100_000)]) watcher.say(said)
  watcher.say({ type: 'unheard_of' })
  watcher.say({ type: 'ping' })
  await watcher.told('the pong', isOf('pong'))
  const errors = watcher.messages.filter(isOf('error')).map((message) => ('message' in message ? message.message : ''))
  expect(errors).toHaveLength(6)
  expect(errors[0]).toBe('Invalid JSON')
  expect(watcher.code).toBe(0)
})
