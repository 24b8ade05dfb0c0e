import type { JsonObject } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deadline } from '../../support/deadline.ts'
import { delay, flow } from '../../support/flow.ts'
import { failing, fixed, given, human, input, made, node, output, stranger } from './graphs.ts'
import { pyspurServer, type PySpur } from './server.ts'

let spur: PySpur
beforeAll(async () => {
  spur = await pyspurServer()
})
afterAll(() => spur[Symbol.asyncDispose]())

const missing = '01k2v9m3h5rj6tx'
const post = async (path: string, body?: unknown) => spur.call('POST', path, body)
const get = async (path: string) => (await spur.call('GET', path)).body
const runNow = async (id: string, body: unknown = given()) => (await post(`/wf/${id}/runv2/`, body)).body

// oxlint-disable-next-line typescript/no-explicit-any -- as an answer
const statuses = ({ tasks }: { tasks: any[] }) => Object.fromEntries(tasks.map(({ node_id, status }) => [node_id, status]))
// oxlint-disable-next-line typescript/no-explicit-any -- as an answer
const taskOf = ({ tasks }: { tasks: any[] }, id: string) => tasks.find(({ node_id }) => node_id === id)

/** As the editor asks for it, each second, but sooner: until no task runs, and none is pending unless one is paused. */
// oxlint-disable-next-line typescript/no-explicit-any -- as an answer
async function polled(runId: string): Promise<any> {
  return deadline('no task runs', (done, fail) => {
    const look = async () => {
      const run = await get(`/run/${runId}/status/`)
      const some = (status: string) => Object.values(statuses(run)).includes(status)
      if (run.status !== 'PENDING' && !some('RUNNING') && (!some('PENDING') || some('PAUSED'))) done(run)
    }
    const timer = setInterval(() => void look().catch(fail), 50)
    return () => clearInterval(timer)
  })
}

const sum = {
  nodes: [input, fixed('two', { b: 2 }), output({ text: 'in.text', two: 'two.b' })],
  links: [
    ['in', 'two'],
    ['in', 'out'],
    ['two', 'out'],
  ] as [string, string][],
}
const asking = {
  nodes: [input, human('ask', { message: 'Really?' }), output({ text: 'ask.in.text', more: 'ask.more' })],
  links: [
    ['in', 'ask'],
    ['ask', 'out'],
  ] as [string, string][],
}

describe('a run', () => {
  test('is waited for, and told by what each node gave', async () => {
    const id = await made(spur, sum)
    expect(await post(`/wf/${id}/run/`, given())).toMatchObject({ status: 200, body: { in: { text: 'Hello' }, two: { b: 2 }, out: { text: 'Hello', two: 2 } } })
  })

  test('is waited for, and told as a run, with outputs by title', async () => {
    const titled = { ...sum, nodes: sum.nodes.map((each) => (each.id === 'two' ? { ...each, title: 'Number two' } : each.id === 'out' ? output({ two: 'Number two.b' }) : each)) }
    const id = await made(spur, titled, 'Told as a run')
    const run = await runNow(id)
    expect(run).toMatchObject({
      workflow_id: id,
      workflow_version_id: `SV_${id}_1`,
      workflow_version: { version: 1, name: 'Told as a run', definition: { spur_type: 'workflow' } },
      status: 'COMPLETED',
      initial_inputs: { in: { text: 'Hello' } },
      outputs: { in: { text: 'Hello' }, 'Number two': { b: 2 }, out: { two: 2 } },
      parent_run_id: null,
      run_type: 'interactive',
      message: 'Workflow execution completed successfully.',
      percentage_complete: 100,
    })
    expect(statuses(run)).toEqual({ in: 'COMPLETED', two: 'COMPLETED', out: 'COMPLETED' })
    expect(taskOf(run, 'out')).toMatchObject({ id: `T_${run.id}_out`, run_id: run.id, inputs: { 'Number two': { b: 2 } }, outputs: { two: 2 }, error: null })
    expect(await get(`/run/${run.id}/`)).toEqual({ ...run, message: null })
  })

  test('is started and looked at until it is over, by the rules of the editor', async () => {
    const id = await made(spur, {
      nodes: [input, node('wait', 'delay', { ms: 300 }), output({ text: 'in.text' })],
      links: [
        ['in', 'wait'],
        ['wait', 'out'],
        ['in', 'out'],
      ],
    })
    const { status, body } = await post(`/wf/${id}/start_run/?run_type=non_blocking`, given())
    expect(status).toBe(200)
    expect(body).toMatchObject({ run_type: 'non_blocking', end_time: null, message: null, initial_inputs: { in: { text: 'Hello' } } })
    expect(['PENDING', 'RUNNING']).toContain(body.status)
    const ended = await polled(body.id)
    expect(ended).toMatchObject({ status: 'COMPLETED', outputs: { out: { text: 'Hello' } }, percentage_complete: 100 })
    expect(await get(`/runs/${body.id}/status/`)).toEqual(ended)
  })

  test('takes its input by the title of the node, and leaves out what names none', async () => {
    const id = await made(spur, {
      nodes: [node('n1', 'InputNode', {}, { title: 'Question' }), node('out', 'OutputNode', { output_map: { q: 'Question.q' } })],
      links: [['n1', 'out']],
    })
    const body = { initial_inputs: { Question: { q: 1 }, nobody: { x: 2 } }, files: { Question: ['test_files/a/b.pdf'] } }
    expect((await post(`/wf/${id}/run/?run_type=blocking`, body)).body).toEqual({ n1: { q: 1, files: ['test_files/a/b.pdf'] }, out: { q: 1 } })
  })

  test('is refused where nothing is said for its input node, or where its definition cannot be run', async () => {
    const id = await made(spur, sum)
    for (const body of [{}, { initial_inputs: null }, { initial_inputs: { nobody: {} } }]) expect((await post(`/wf/${id}/run/`, body)).status).toBe(422)
    expect((await post(`/wf/${id}/start_run/`, { initial_inputs: { in: 'text' } })).body).toEqual({
      detail: [{ type: 'dict_type', loc: ['body', 'initial_inputs', 'in'], msg: 'Input should be a valid dictionary', input: 'text' }],
    })
    const python = await made(spur, { nodes: [input, node('py', 'PythonFuncNode', { code: 'return {}' })], links: [['in', 'py']] })
    for (const way of ['run', 'runv2', 'start_run'])
      expect(await post(`/wf/${python}/${way}/`, given())).toMatchObject({ status: 422, body: { detail: [{ loc: ['body', 'definition', 'nodes', 'py', 'node_type'] }] } })
  })

  test('whose node fails goes on beside it: what depends on it is canceled, and it is no error to have waited for it', async () => {
    const id = await made(spur, {
      nodes: [input, failing('bad'), node('after', 'MergeNode'), node('later', 'MergeNode'), fixed('beside', { ok: true })],
      links: [
        ['in', 'bad'],
        ['bad', 'after'],
        ['after', 'later'],
        ['in', 'beside'],
      ],
    })
    expect(await post(`/wf/${id}/run/`, given())).toMatchObject({ status: 200, body: { in: { text: 'Hello' }, beside: { ok: true } } })
    const run = await runNow(id)
    expect(run).toMatchObject({ status: 'FAILED', outputs: { in: { text: 'Hello' }, beside: { ok: true } }, percentage_complete: 40 })
    expect(run.message).toBe(taskOf(run, 'bad').error)
    expect(statuses(run)).toEqual({ in: 'COMPLETED', bad: 'FAILED', after: 'CANCELED', later: 'CANCELED', beside: 'COMPLETED' })
    expect([taskOf(run, 'bad').error, taskOf(run, 'after').error, taskOf(run, 'later').error]).toEqual([expect.stringMatching(/./), 'Upstream failure', 'Upstream failure'])
  })

  test('that does not take a way cancels what is there, without an error', async () => {
    const route = (variable: string, value: string): JsonObject => ({ conditions: [{ variable, operator: 'equals', value }] })
    const id = await made(spur, {
      nodes: [
        input,
        node('route', 'RouterNode', { route_map: { yes: route('in.text', 'Hello'), no: route('in.text', 'Bye') } }),
        node('if_yes', 'OutputNode', { output_map: { said: 'route.in.text' } }),
        node('if_no', 'MergeNode'),
        node('either', 'CoalesceNode', { preferences: ['if_no', 'if_yes'] }),
      ],
      links: [
        ['in', 'route'],
        ['route', 'if_yes', 'yes'],
        ['route', 'if_no', 'no'],
        ['if_yes', 'either'],
        ['if_no', 'either'],
      ],
    })
    const run = await runNow(id)
    expect(run).toMatchObject({ status: 'COMPLETED', outputs: { route: { in: { text: 'Hello' } }, if_yes: { said: 'Hello' }, either: { said: 'Hello' } }, percentage_complete: 80 })
    expect(taskOf(run, 'if_no')).toMatchObject({ status: 'CANCELED', error: null, outputs: null })
  })

  test('has the history of a loop with the task of the loop', async () => {
    const inLoop = { parent_id: 'loop' }
    const id = await made(spur, {
      nodes: [
        input,
        node('loop', 'ForLoopNode', { num_iterations: 2, input_map: { text: 'in.text' } }),
        node('begin', 'InputNode', {}, inLoop),
        node('end', 'OutputNode', { output_map: { text: 'begin.text', seen: 'begin.loop_history.end' } }, inLoop),
        output({ seen: 'loop.seen' }),
      ],
      links: [
        ['in', 'loop'],
        ['begin', 'end'],
        ['loop', 'out'],
      ],
    })
    const run = await runNow(id)
    const first = { text: 'Hello', seen: null }
    const second = { text: 'Hello', seen: [first] }
    expect(run).toMatchObject({ status: 'COMPLETED', outputs: { loop: second, out: { seen: second.seen } }, percentage_complete: 100 })
    expect(statuses(run)).toEqual({ in: 'COMPLETED', loop: 'COMPLETED', out: 'COMPLETED' })
    const { subworkflow: body, subworkflow_output: outputs } = taskOf(run, 'loop')
    expect(body).toMatchObject({ nodes: [{ id: 'begin', parent_id: null }, { id: 'end' }], links: [{ source_id: 'begin', target_id: 'end' }] })
    expect(outputs).toMatchObject({ begin: [{ text: 'Hello' }, { text: 'Hello' }], end: [first, second] })
    expect(taskOf(run, 'in')).toMatchObject({ subworkflow: null, subworkflow_output: null })
  })

  test('asks a model by a Jinja template, for what fits the schema of its outputs', async () => {
    const config = {
      llm_info: { model: 'offline' },
      system_message: 'Be brief',
      user_message: '{% for each in start.rows %}{{ each | upper }}\n{% endfor %}',
      output_schema: { name: 'string', amount: 'integer' },
    }
    const id = await made(spur, {
      nodes: [node('start', 'InputNode'), node('call', 'SingleLLMCallNode', config), output({ amount: 'call.amount' })],
      links: [
        ['start', 'call'],
        ['call', 'out'],
      ],
    })
    const { body } = await post(`/wf/${id}/run/`, { initial_inputs: { start: { rows: ['name: Ada', 'amount: 42'] } } })
    expect(body).toMatchObject({ call: { name: 'ADA', amount: 42 }, out: { amount: 42 } })
  })

  test('is told with what its nodes were given and gave at any size; in lists a large value by its size', async () => {
    const text = 'x'.repeat(300 * 1024)
    const id = await made(spur, {
      nodes: [input, node('both', 'MergeNode'), output({ length: 'both.in.text | length' })],
      links: [
        ['in', 'both'],
        ['both', 'out'],
      ],
    })
    const whole = { in: { text }, both: { in: { text } } }
    expect((await post(`/wf/${id}/run/`, given({ text }))).body).toMatchObject(whole)
    const run = await runNow(id, given({ text }))
    expect(run).toMatchObject({ outputs: whole, initial_inputs: { in: { text } } })
    const { tasks } = run
    expect([taskOf(run, 'both'), taskOf(run, 'out')]).toMatchObject([{ inputs: { in: { text } }, outputs: { in: { text } } }, { inputs: { both: { in: { text } } } }])
    for (const path of ['', 'status/']) expect(await get(`/run/${run.id}/${path}`)).toMatchObject({ outputs: whole, tasks })
    expect(await get(`/run/${run.id}/tasks/`)).toEqual(tasks)
    const [told] = await get(`/wf/${id}/runs/?page_size=1`)
    const cut = { truncated: expect.any(Number) }
    expect([told.id, told.outputs.both, taskOf(told, 'both').outputs, taskOf(told, 'out').inputs]).toEqual([run.id, cut, cut, { both: cut }])
    // What was told by its size is not gone on from.
    expect((await post(`/wf/${id}/run_partial/`, { node_id: 'both', ...given({ text }), partial_outputs: told.outputs })).body.both).toEqual(whole.both)
  })

  test('that asks for a decision is told with what it lets through, at any size, and so is the run that goes on', async () => {
    const text = 'x'.repeat(20_000)
    const id = await made(spur, asking)
    const paused = await runNow(id, given({ text }))
    expect(paused).toMatchObject({ status: 'PAUSED', outputs: { ask: { in: { text } } } })
    expect(taskOf(paused, 'ask')).toMatchObject({ status: 'PAUSED', inputs: { in: { text } }, outputs: { in: { text } } })
    const decision = { inputs: {}, user_id: 'me', action: 'APPROVE', comments: null }
    const { status, body } = await post(`/wf/process_pause_action/${paused.id}/`, decision)
    expect([status, taskOf(body, 'ask').inputs]).toEqual([200, { in: { text } }])
  })

  test('that was started natively is one of PySpur, too', async () => {
    const { id } = await spur.server.workflow(flow({ begin: 'input', end: 'output' }, ['begin > end']))
    const one = await spur.server.wait(await spur.server.start(id, { input: 'just text' }))
    expect(await get(`/run/${one.id}/`)).toMatchObject({
      status: 'COMPLETED',
      run_type: 'manual',
      initial_inputs: { begin: { output: 'just text' } },
      outputs: { begin: { output: 'just text' }, end: { output: 'just text' } },
    })
  })

  test('is told of by the names of its nodes, whatever they are: of a run, and of a part that is run alone', async () => {
    const names = ['__proto__', 'constructor', 'a.b', 'ü {{x}}', '0']
    const links = names.flatMap((name): [string, string][] => [
      ['in', name],
      [name, 'all'],
    ])
    const id = await made(spur, { nodes: [input, ...names.map((name) => fixed(name, { of: name })), node('all', 'MergeNode')], links })
    const each = Object.fromEntries(names.map((name) => [name, { of: name }]))
    const told = Object.fromEntries([...Object.entries(each), ['in', { text: 'Hello' }], ['all', each]])
    const whole = (await post(`/wf/${id}/run/`, given())).body
    const part = (await post(`/wf/${id}/run_partial/`, { node_id: 'all', ...given() })).body
    for (const answer of [whole, part]) expect(new Map(Object.entries(answer))).toEqual(new Map(Object.entries(told)))
  })

  test('has its part run alone, with what is known', async () => {
    const id = await made(spur, sum)
    const partial = (body: unknown) => post(`/wf/${id}/run_partial/`, body)
    expect(await partial({ node_id: 'out', ...given(), partial_outputs: { two: { b: 7 }, in: { text: 'of before' }, ghost: { x: 1 } }, rerun_predecessors: true })).toMatchObject({
      status: 200,
      body: { in: { text: 'Hello' }, two: { b: 7 }, out: { text: 'Hello', two: 7 } },
    })
    // A list is of a loop, and no output to go on from.
    expect((await partial({ node_id: 'out', ...given(), partial_outputs: { two: [{ b: 7 }] } })).body).toMatchObject({ two: { b: 2 } })
    expect((await get(`/wf/${id}/runs/`)).length).toBe(0)
    expect(await partial({ node_id: 'nowhere', ...given() })).toMatchObject({ status: 400, body: { detail: expect.any(String) } })
    expect(await partial({ node_id: 'out' })).toMatchObject({ status: 400, body: { detail: expect.any(String) } })
    expect(await partial({ ...given() })).toMatchObject({ status: 422, body: { detail: [{ type: 'missing', loc: ['body', 'node_id'] }] } })
    expect((await post(`/wf/${missing}/run_partial/`, { node_id: 'out', ...given() })).body).toEqual({ detail: 'Workflow not found' })
    const bad = await made(spur, { nodes: [input, failing('bad')], links: [['in', 'bad']] })
    expect(await post(`/wf/${bad}/run_partial/`, { node_id: 'bad', ...given() })).toMatchObject({ status: 400, body: { detail: expect.stringMatching(/./) } })
    const asks = await made(spur, asking)
    expect(await post(`/wf/${asks}/run_partial/`, { node_id: 'out', ...given() })).toMatchObject({ status: 400, body: { detail: expect.stringContaining('ask') } })
  })
})

describe('the runs', () => {
  test('of a workflow are paged, and found by status and time', async () => {
    const id = await made(spur, asking)
    const paused = await runNow(id)
    const canceled = await runNow(id)
    await post(`/wf/cancel_workflow/${canceled.id}/`)
    const completed = await runNow(id)
    await post(`/wf/process_pause_action/${completed.id}/`, { inputs: {}, user_id: 'me', action: 'APPROVE' })
    await polled(completed.id)
    const list = async (query: string): Promise<string[]> => (await get(`/wf/${id}/runs/${query}`)).map((run: { id: string }) => run.id)
    const all = [completed.id, canceled.id, paused.id]
    expect(await list('')).toEqual(all)
    expect(await list('?page=2&page_size=2')).toEqual([paused.id])
    expect(await list('?page=3&page_size=2')).toEqual([])
    expect(await list('?status=PAUSED')).toEqual([paused.id])
    expect(await list('?status=CANCELED')).toEqual([canceled.id])
    expect(await list('?status=COMPLETED')).toEqual([completed.id])
    for (const status of ['PENDING', 'RUNNING', 'FAILED']) expect(await list(`?status=${status}`)).toEqual([])
    const { start_time: from } = canceled
    expect(await list(`?start_date=${from}`)).toEqual([completed.id, canceled.id])
    expect(await list(`?end_date=${from}Z`)).toEqual([canceled.id, paused.id])
    expect(await list(`?start_date=${from}&end_date=${from}&status=CANCELED`)).toEqual([canceled.id])
    expect(await list('?start_date=2000-01-01&end_date=2000-01-02')).toEqual([])
    expect(await get(`/wf/${missing}/runs/`)).toEqual([])
    const wrong = async (query: string) => (await get(`/wf/${id}/runs/${query}`)).detail[0]
    expect(await wrong('?status=CANCELLED')).toMatchObject({ type: 'enum', loc: ['query', 'status'] })
    expect(await wrong('?start_date=soon')).toMatchObject({ type: 'datetime_from_date_parsing', loc: ['query', 'start_date'] })
    expect(await wrong('?page=0')).toMatchObject({ type: 'greater_than_equal', loc: ['query', 'page'], input: '0', ctx: { ge: 1 } })
    expect(await wrong('?page_size=101')).toMatchObject({ type: 'less_than_equal', loc: ['query', 'page_size'], ctx: { le: 100 } })
    expect(await wrong('?page=2000&page_size=100')).toMatchObject({ type: 'value_error', loc: ['query', 'page'] })
  })

  test('of all workflows are found by how they were started, those that runs started apart', async () => {
    const child = await spur.server.workflow(flow({ begin: 'input' }))
    const id = await made(spur, { nodes: [input, node('sub', 'subworkflow', { workflow: child.id })], links: [['in', 'sub']] })
    const run = (await post(`/wf/${id}/runv2/?run_type=kinship`, given())).body
    expect(run.status).toBe('COMPLETED')
    const [inner] = await get(`/run/${run.id}/children/`)
    expect(inner).toMatchObject({ parent_run_id: run.id, workflow_id: child.id, status: 'COMPLETED' })
    expect((await get('/run/?run_type=kinship')).map((each: { id: string }) => each.id)).toEqual([run.id])
    const ids = async (query: string): Promise<string[]> => (await get(`/run/?page_size=2${query}`)).map((each: { id: string }) => each.id)
    expect(await ids('')).not.toContain(inner.id)
    expect(await ids('&parent_only=false')).toEqual([inner.id, run.id])
    expect(await get(`/run/?parent_only=maybe`)).toMatchObject({ detail: [{ type: 'bool_parsing', loc: ['query', 'parent_only'] }] })
    expect(await get(`/run/${run.id}/tasks/`)).toEqual(run.tasks)
    expect((await spur.call('DELETE', `/run/${inner.id}/`)).status).toBe(409)
    expect((await spur.call('DELETE', `/run/${run.id}/`)).status).toBe(204)
    for (const path of ['', 'status/', 'tasks/']) expect(await spur.call('GET', `/run/${run.id}/${path}`)).toMatchObject({ status: 404, body: { detail: 'Run not found' } })
    expect(await get(`/run/${run.id}/children/`)).toEqual([])
  })

  test('are canceled while they wait to begin, go on or are paused, and not when they have ended', async () => {
    const cancel = (id: string) => post(`/wf/cancel_workflow/${id}/`)
    const done = { status: 'CANCELED', message: 'Workflow has been canceled successfully.' }
    const paused = await runNow(await made(spur, asking))
    expect(paused).toMatchObject({ status: 'PAUSED', percentage_complete: expect.closeTo(100 / 3), end_time: null })
    const { status, body } = await cancel(paused.id)
    expect(status).toBe(200)
    expect(body).toMatchObject(done)
    expect(statuses(body)).toEqual({ in: 'COMPLETED', ask: 'CANCELED', out: 'CANCELED' })
    expect(await cancel(paused.id)).toMatchObject({ status: 200, body: done })

    const slow = await spur.server.workflow(flow({ begin: 'input', wait: delay(60_000) }, ['begin > wait']))
    const lane = { key: 'one at a time' }
    const going = await spur.server.start(slow.id, { input: {}, lane })
    const queued = await spur.server.start(slow.id, { input: {}, lane })
    await spur.server.wait(going, ({ status: now }) => now === 'waiting')
    expect(await get(`/run/${going.id}/`)).toMatchObject({ status: 'RUNNING', tasks: [{ status: 'COMPLETED' }, { node_id: 'wait', status: 'RUNNING' }] })
    expect(await get(`/run/${queued.id}/`)).toMatchObject({ status: 'PENDING', tasks: [], outputs: null, percentage_complete: 0 })
    expect((await spur.call('DELETE', `/run/${going.id}/`)).status).toBe(409)
    for (const { id } of [queued, going]) expect((await cancel(id)).body).toMatchObject(done)

    const completed = await runNow(await made(spur, sum))
    expect(await cancel(completed.id)).toMatchObject({
      status: 400,
      body: { detail: 'Run is in state RunStatus.COMPLETED and cannot be canceled.Only PAUSED or RUNNING runs can be canceled.' },
    })
    const failed = await runNow(await made(spur, { nodes: [input, failing('bad')], links: [['in', 'bad']] }))
    expect((await cancel(failed.id)).body.detail).toContain('RunStatus.FAILED')
  })

  test('of nobody, and of others, are not found', async () => {
    const id = await made(spur, sum)
    const run = await runNow(id)
    const as = await stranger(spur)
    const asked = (method: string, path: string, body?: unknown) => spur.call(method, path, body, { as })
    for (const [method, path, body] of [
      ['POST', `/wf/${id}/run/`, given()],
      ['POST', `/wf/${id}/runv2/`, given()],
      ['POST', `/wf/${id}/start_run/`, given()],
      ['POST', `/wf/${id}/run_partial/`, { node_id: 'out', ...given() }],
    ] as const) {
      expect(await asked(method, path, body)).toMatchObject({ status: 404, body: { detail: 'Workflow not found' } })
      expect(await post(path.replace(id, missing), body)).toMatchObject({ status: 404, body: { detail: 'Workflow not found' } })
    }
    for (const [method, path] of [
      ['GET', `/run/${run.id}/`],
      ['GET', `/run/${run.id}/status/`],
      ['GET', `/runs/${run.id}/status/`],
      ['GET', `/run/${run.id}/tasks/`],
      ['DELETE', `/run/${run.id}/`],
      ['POST', `/wf/cancel_workflow/${run.id}/`],
    ] as const) {
      expect(await asked(method, path)).toMatchObject({ status: 404, body: { detail: 'Run not found' } })
      for (const other of [missing, 'R1']) expect(await spur.call(method, path.replace(run.id, other))).toMatchObject({ status: 404, body: { detail: 'Run not found' } })
    }
    expect((await asked('GET', `/wf/${id}/runs/`)).body).toEqual([])
    expect((await asked('GET', '/run/')).body).toEqual([])
    expect((await asked('GET', `/run/${run.id}/children/`)).body).toEqual([])
    expect((await spur.call('GET', `/run/${run.id}/`, undefined, { as: '' })).status).toBe(401)
  })
})
