import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, flow } from '../../support/flow.ts'
import { type Graph, given, human, input, made, member, node, output, stranger, wireOf } from './graphs.ts'
import { pyspurServer, type PySpur } from './server.ts'

let spur: PySpur
beforeAll(async () => {
  spur = await pyspurServer()
})
afterAll(() => spur[Symbol.asyncDispose]())

const missing = '01k2v9m3h5rj6tx'
const get = async (path: string) => (await spur.call('GET', path)).body
const run = (id: string) => get(`/run/${id}/`)
const history = (id: string) => get(`/wf/pause_history/${id}/`)
const act = (named: string, action: string, more: object = {}, as?: string) =>
  spur.call('POST', `/wf/process_pause_action/${named}/`, { inputs: {}, user_id: 'current-user', action, ...more }, as === undefined ? {} : { as })

// oxlint-disable-next-line typescript/no-explicit-any -- as an answer
const statuses = ({ tasks }: { tasks: any[] }) => Object.fromEntries(tasks.map(({ node_id, status }) => [node_id, status]))

const asking: Graph = {
  nodes: [input, human('ask', { message: 'Really?' }), output({ text: 'ask.in.text', more: 'ask.more' })],
  links: [
    ['in', 'ask'],
    ['ask', 'out'],
  ],
}
/** Two people are asked side by side. */
const both: Graph = {
  nodes: [
    input,
    human('one', { message: 'First?' }),
    human('two', { message: 'Second?' }),
    node('after_one', 'MergeNode'),
    node('end', 'OutputNode', { output_map: { one: 'one.by', two: 'two.by' } }),
  ],
  links: [
    ['in', 'one'],
    ['in', 'two'],
    ['one', 'after_one'],
    ['one', 'end'],
    ['two', 'end'],
  ],
}

async function paused(graph: Graph = asking): Promise<string> {
  const { body } = await spur.call('POST', `/wf/${await made(spur, graph)}/runv2/`, given())
  expect(body).toMatchObject({ status: 'PAUSED', message: expect.stringContaining('paused') })
  return body.id as string
}

async function ended(id: string) {
  await spur.server.wait(id)
  return run(id)
}

describe('a pause', () => {
  test('is listed with its run, its message and what it lets through', async () => {
    const id = await paused()
    const [first] = await get('/wf/paused_workflows/?page_size=1')
    expect(first).toMatchObject({
      run: { id, status: 'PAUSED', end_time: null },
      current_pause: {
        id: expect.stringMatching(/^PH_/),
        run_id: id,
        node_id: 'ask',
        pause_message: 'Really?',
        pause_time: expect.stringMatching(/Z$/),
        resume_time: null,
        resume_user_id: null,
        resume_action: null,
        input_data: { in: { text: 'Hello' } },
        comments: null,
      },
      workflow: { nodes: [{ id: 'in' }, { id: 'ask' }, { id: 'out' }] },
    })
    expect(first.run).toEqual({ ...(await run(id)), duration: first.run.duration })
    expect(statuses(first.run)).toEqual({ in: 'COMPLETED', ask: 'PAUSED', out: 'PENDING' })
    expect(await history(id)).toEqual([first.current_pause])
    expect((await get('/wf/paused_workflows/?page_size=101')).detail[0]).toMatchObject({ type: 'less_than_equal', loc: ['query', 'page_size'] })
    expect(await get('/wf/paused_workflows/?page=100')).toEqual([])
  })

  test('approved, lets through what came in; with inputs, these over it', async () => {
    const quick = await paused()
    const { status, body } = await act(quick, 'APPROVE', { comments: 'Quick approve from dashboard' })
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: quick, message: 'Task completed and workflow execution resumed automatically.' })
    expect(await ended(quick)).toMatchObject({ status: 'COMPLETED', message: null, outputs: { ask: { in: { text: 'Hello' } }, out: { text: 'Hello', more: null } } })
    const changed = await paused()
    await act(changed, 'APPROVE', { inputs: { in: { text: 'Bye' }, more: 1 } })
    expect(await ended(changed)).toMatchObject({ outputs: { ask: { in: { text: 'Bye' }, more: 1 }, out: { text: 'Bye', more: 1 } } })
  })

  test('overridden, lets through the inputs alone', async () => {
    const id = await paused()
    await act(id, 'OVERRIDE', { inputs: { more: 2 } })
    expect(await ended(id)).toMatchObject({ status: 'COMPLETED', outputs: { ask: { more: 2 }, out: { text: null, more: 2 } } })
  })

  test('declined, ends the run as canceled; or the way of a link from there is gone', async () => {
    const id = await paused()
    expect((await act(id, 'DECLINE', { comments: 'No' })).body.message).not.toContain('resumed')
    const run = await ended(id)
    expect(run).toMatchObject({ status: 'CANCELED', message: expect.stringContaining('declined') })
    expect(statuses(run)).toMatchObject({ out: 'CANCELED' })
    expect(run.outputs).not.toHaveProperty('out')
    const other = await paused({ ...asking, nodes: [...asking.nodes, node('no', 'MergeNode')], links: [...asking.links, ['ask', 'no', 'declined']] })
    await act(other, 'DECLINE')
    const taken = await ended(other)
    expect(taken).toMatchObject({ status: 'COMPLETED' })
    expect(statuses(taken)).toMatchObject({ out: 'CANCELED', no: 'COMPLETED' })
  })

  test('keeps who decided what, when and why, whatever becomes of the run', async () => {
    const id = await paused()
    const before = Date.now()
    await act(id, 'APPROVE', { user_id: 'reviewer', inputs: { more: 1 }, comments: 'Looks good' })
    await ended(id)
    const [only, another] = await history(id)
    expect(another).toBeUndefined()
    expect(only).toMatchObject({
      node_id: 'ask',
      pause_message: 'Really?',
      resume_user_id: 'reviewer',
      resume_action: 'APPROVE',
      comments: 'Looks good',
      input_data: { in: { text: 'Hello' } },
    })
    expect(Date.parse(only.pause_time)).toBeLessThanOrEqual(Date.parse(only.resume_time))
    expect(Date.parse(only.resume_time)).toBeGreaterThanOrEqual(before - 1)
    const declined = await paused()
    await act(declined, 'DECLINE', { comments: 'No' })
    expect(await history(declined)).toMatchObject([{ resume_action: 'DECLINE', comments: 'No', resume_user_id: 'current-user' }])
    const canceled = await paused()
    await spur.call('POST', `/wf/cancel_workflow/${canceled}/`)
    expect(await history(canceled)).toMatchObject([{ node_id: 'ask', resume_action: null, resume_time: null }])
  })

  test('comes again when the run asks again: the history is newest first', async () => {
    const id = await paused({
      nodes: [input, human('one'), human('two'), output({ n: 'two.n' })],
      links: [
        ['in', 'one'],
        ['one', 'two'],
        ['two', 'out'],
      ],
    })
    await act(id, 'APPROVE', { user_id: 'first' })
    await spur.server.wait(id, 'parked')
    expect(await run(id)).toMatchObject({ status: 'PAUSED' })
    expect(await history(id)).toMatchObject([
      { node_id: 'two', pause_message: 'Human intervention required', resume_action: null },
      { node_id: 'one', resume_user_id: 'first' },
    ])
    await act(id, 'OVERRIDE', { inputs: { n: 3 } })
    expect(await ended(id)).toMatchObject({ status: 'COMPLETED', outputs: { out: { n: 3 } } })
  })

  test('goes on by the version of its run, when the draft has changed', async () => {
    const id = await made(spur, asking)
    const { body } = await spur.call('POST', `/wf/${id}/runv2/`, given())
    const edited = { ...asking, nodes: [input, human('ask', { message: 'Changed?' }), output({ changed: 'ask.in.text' })] }
    await spur.call('PUT', `/wf/${id}/`, { name: 'Changed', definition: wireOf(edited) })
    const [first] = await get('/wf/paused_workflows/?page_size=1')
    expect(first).toMatchObject({ current_pause: { pause_message: 'Really?' }, workflow: body.workflow_version.definition })
    await act(body.id, 'APPROVE')
    expect(await ended(body.id)).toMatchObject({ outputs: { out: { text: 'Hello', more: null } }, workflow_version: { version: 1 } })
  })
})

describe('a decision', () => {
  test('that is sent again is told again; another one is refused, and told which was first', async () => {
    const id = await paused()
    const first = { user_id: 'reviewer', inputs: { more: 1 }, comments: 'Yes' }
    await act(id, 'APPROVE', first)
    await ended(id)
    expect(await act(id, 'APPROVE', first)).toMatchObject({ status: 200, body: { status: 'COMPLETED' } })
    for (const [action, more] of [
      ['DECLINE', first],
      ['OVERRIDE', first],
      ['APPROVE', { ...first, inputs: { more: 2 } }],
    ] as const)
      expect(await act(id, action, more)).toMatchObject({ status: 409, body: { detail: expect.stringMatching(/^Pause PH_\w+ was decided already: APPROVE by reviewer at /) } })
    expect((await history(id)).length).toBe(1)
  })

  test('says which of several pauses it is about, in either order', async () => {
    for (const order of [
      ['one', 'two'],
      ['two', 'one'],
    ]) {
      const id = await paused(both)
      const open = await history(id)
      expect(open.map((pause: { node_id: string }) => pause.node_id).toSorted()).toEqual(['one', 'two'])
      const pauseOf = (name: string): string => open.find((pause: { node_id: string }) => pause.node_id === name).id
      const { status, body } = await act(id, 'APPROVE')
      expect(status).toBe(409)
      for (const name of order) expect(body.detail).toContain(pauseOf(name))
      expect((await get('/wf/paused_workflows/')).filter((each: { run: { id: string } }) => each.run.id === id)).toHaveLength(1)

      const [first, last] = order as [string, string]
      expect((await act(pauseOf(first), 'APPROVE', { inputs: { by: first } })).status).toBe(200)
      await spur.server.wait(id, 'parked')
      const between = await run(id)
      expect(statuses(between)).toMatchObject({ [first]: 'COMPLETED', [last]: 'PAUSED', end: 'PENDING', after_one: first === 'one' ? 'COMPLETED' : 'PENDING' })
      expect(between).toMatchObject({ status: 'PAUSED' })
      // One is open now: the run alone says which.
      expect((await act(id, 'APPROVE', { inputs: { by: last } })).status).toBe(200)
      expect(await ended(id)).toMatchObject({ status: 'COMPLETED', outputs: { end: { one: 'one', two: 'two' } } })
    }
  })

  test('is made by whoever sends it: a name is shown, and that of another member is for keys alone', async () => {
    const other = await member(spur, 'operator')
    const id = await paused()
    for (const user_id of [other.id, other.email]) expect(await act(id, 'APPROVE', { user_id })).toMatchObject({ status: 403, body: { detail: expect.any(String) } })
    expect((await act(id, 'APPROVE', { user_id: other.email }, other.token)).status).toBe(200)
    expect(await history(id)).toMatchObject([{ resume_user_id: other.email }])
    const { secret } = await spur.server.call<{ secret: string }>('POST', '/v1/keys', { name: 'front end' })
    const second = await paused()
    expect((await act(second, 'APPROVE', { user_id: other.id }, secret)).status).toBe(200)
    expect(await spur.server.call('GET', `/v1/pauses?runId=${second}`)).toMatchObject({ items: [{ decision: { by: { id: other.id } } }] })
    const viewer = await member(spur, 'viewer')
    expect((await act(await paused(), 'APPROVE', {}, viewer.token)).status).toBe(403)
  })

  test('of what asks for none is refused', async () => {
    const calm = await spur.call('POST', `/wf/${await made(spur, { nodes: [input], links: [] })}/runv2/`, given())
    expect(await act(calm.body.id, 'APPROVE')).toMatchObject({ status: 400, body: { detail: 'Run is not in a paused state' } })
    for (const nobody of [missing, 'R1']) {
      expect(await act(nobody, 'APPROVE')).toMatchObject({ status: 404, body: { detail: 'Run not found' } })
      expect(await spur.call('GET', `/wf/pause_history/${nobody}/`)).toMatchObject({ status: 404, body: { detail: 'Run not found' } })
    }
    for (const nobody of [`PH_${missing}`, 'PH_1']) expect(await act(nobody, 'APPROVE')).toMatchObject({ status: 400, body: { detail: 'No paused task found for this run' } })
    const id = await paused()
    const refused = async (body: unknown) => (await spur.call('POST', `/wf/process_pause_action/${id}/`, body)).body.detail[0]
    expect(await refused({ user_id: 'me', action: 'APPROVE' })).toMatchObject({ type: 'missing', loc: ['body', 'inputs'], msg: 'Field required' })
    expect(await refused({ inputs: {}, user_id: 'me', action: 'approve' })).toEqual({
      type: 'enum',
      loc: ['body', 'action'],
      msg: "Input should be 'APPROVE', 'DECLINE' or 'OVERRIDE'",
      input: 'approve',
      ctx: { expected: "'APPROVE', 'DECLINE' or 'OVERRIDE'" },
    })
    expect(await refused('{"inputs": ')).toMatchObject({ type: 'json_invalid', loc: ['body', expect.any(Number)] })

    const as = await stranger(spur)
    const [{ id: pause }] = await history(id)
    expect(await act(id, 'APPROVE', {}, as)).toMatchObject({ status: 404, body: { detail: 'Run not found' } })
    expect(await act(pause, 'APPROVE', {}, as)).toMatchObject({ status: 400, body: { detail: 'No paused task found for this run' } })
    expect(await spur.call('GET', `/wf/pause_history/${id}/`, undefined, { as })).toMatchObject({ status: 404 })
    expect((await spur.call('GET', '/wf/paused_workflows/', undefined, { as })).body).toEqual([])
    expect(await run(id)).toMatchObject({ status: 'PAUSED' })
  })

  test('may be made natively of what was made with PySpur, and the other way round', async () => {
    const id = await paused()
    const [pause] = await spur.server.pauses(id)
    expect(pause).toMatchObject({ nodeId: 'ask', message: 'Really?', kind: 'approval' })
    await spur.server.decide(pause!, 'approve', { inputs: { more: 'native' }, comments: 'By hand' })
    expect(await ended(id)).toMatchObject({ outputs: { out: { more: 'native' } } })
    expect(await history(id)).toMatchObject([{ id: `PH_${pause!.id}`, resume_action: 'APPROVE', comments: 'By hand' }])

    const native = await spur.server.run(flow({ begin: 'input', ask: approval(), end: 'output' }, ['begin > ask > end']), { input: 'text', until: 'parked' })
    const [first] = await get('/wf/paused_workflows/?page_size=1')
    expect(first).toMatchObject({ run: { id: native.id, status: 'PAUSED', initial_inputs: { begin: { output: 'text' } } }, current_pause: { pause_message: 'May we?' } })
    await act(first.current_pause.id, 'OVERRIDE', { inputs: { by: 'PySpur' } })
    expect(await spur.server.wait(native)).toMatchObject({ status: 'completed', output: { by: 'PySpur' } })
  })
})

test('beside a pause other steps go on, unless it holds up all', async () => {
  const graph = (block_only_dependent_nodes: boolean): Graph => ({
    nodes: [input, human('ask', { block_only_dependent_nodes }), node('after', 'MergeNode'), node('beside', 'delay', { ms: 20 }), node('later', 'MergeNode')],
    links: [
      ['in', 'ask'],
      ['ask', 'after'],
      ['in', 'beside'],
      ['beside', 'later'],
    ],
  })
  const free = await paused(graph(true))
  expect(statuses(await run(free))).toMatchObject({ ask: 'PAUSED', after: 'PENDING', beside: 'COMPLETED', later: 'COMPLETED' })
  const held = await paused(graph(false))
  const between = statuses(await run(held))
  expect(between).toMatchObject({ ask: 'PAUSED', after: 'PENDING', later: 'PENDING' })
  await act(held, 'APPROVE')
  expect(statuses(await ended(held))).toMatchObject({ ask: 'COMPLETED', after: 'COMPLETED', beside: 'COMPLETED', later: 'COMPLETED' })
})

test('a pause inside a loop is told as the loop’s', async () => {
  const id = await paused({
    nodes: [
      input,
      node('loop', 'ForLoopNode', { num_iterations: 2, input_map: { text: 'in.text' } }),
      node('begin', 'InputNode', {}, { parent_id: 'loop' }),
      node('ask', 'HumanInterventionNode', { message: 'Go on?' }, { parent_id: 'loop' }),
      node('end', 'OutputNode', { output_map: { text: 'ask.text' } }, { parent_id: 'loop' }),
      output({ text: 'loop.text' }),
    ],
    links: [
      ['in', 'loop'],
      ['begin', 'ask'],
      ['ask', 'end'],
      ['loop', 'out'],
    ],
  })
  expect(statuses(await run(id))).toEqual({ in: 'COMPLETED', loop: 'PAUSED', out: 'PENDING' })
  for (const text of ['one', 'two']) {
    expect((await act(id, 'APPROVE', { inputs: { text } })).status).toBe(200)
    await spur.server.wait(id, 'parked')
  }
  const done = await ended(id)
  expect(done).toMatchObject({ status: 'COMPLETED', outputs: { out: { text: 'two' } } })
  expect(done.tasks[1].subworkflow_output.end).toEqual([{ text: 'one' }, { text: 'two' }])
  expect(await history(id)).toMatchObject([{ node_id: 'ask' }, { node_id: 'ask' }])
})
