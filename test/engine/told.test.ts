import type { DecidedPause, ListedRun, ListRuns, Page, Pause, Run, Trial, Version } from '@sluice/schema'
import { limits } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Tx } from '../../packages/server/src/store/database.ts'
import { getRun } from '../../packages/server/src/store/views/run.ts'
import { listRuns } from '../../packages/server/src/store/views/runs.ts'
import { approval, external, flow, loop, map, signal, template, values } from '../support/flow.ts'
import { refusal, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
let workspace: string
beforeAll(async () => {
  server = await testServer()
  workspace = (await server.db.database.query<{ id: string }>('select id from workspaces'))[0]!.id
})
afterAll(() => server[Symbol.asyncDispose]())

const asking = flow({ in: 'input', ask: approval({ title: 'Ask' }), out: 'output' }, ['in > ask > out'])
const everything = 'include=version&include=pauses&include=iterations'
const listed = (query: string) => server.call<Page<ListedRun>>('GET', `/v1/runs?${query}`)
/** The statements that something asks. */
async function askedBy(act: (tx: Tx) => Promise<unknown>): Promise<string[]> {
  const asked: string[] = []
  await act({
    query(statement, given) {
      asked.push(typeof statement === 'string' ? statement : statement.name)
      return server.db.database.query(statement, given)
    },
  })
  return asked
}
/** Of more than 16 KiB. */
const large = 'x'.repeat(20_000)
const largeBytes = large.length + 2

describe('a run is told with', () => {
  test('nothing more unless it is asked for', async () => {
    const run = await server.run(flow({ each: map('input.list'), one: template('{{ item }}', { in: 'each' }) }), { input: { list: [1] } })
    expect(run).not.toHaveProperty('pinned')
    expect(run).not.toHaveProperty('openPauses')
    expect(run.nodes.some((node) => 'iterations' in node)).toBe(false)
    const { items } = await listed('limit=1')
    expect(Object.keys(items[0]!)).not.toContain('nodes')
  })

  test('the version it is pinned to, whatever was published since', async () => {
    const workflow = await server.workflow(asking, 'Pinned')
    const body = { workflow: workflow.id, wait: { until: 'paused' }, include: ['version'] }
    const run = await server.call<Run>('POST', '/v1/runs', body)
    const version = await server.call<Version>('GET', `/v1/workflows/${workflow.id}/versions/1`)
    expect(run.pinned).toEqual(version)
    await server.call('PATCH', `/v1/workflows/${workflow.id}`, { definition: flow({ other: 'input' }) })
    await server.start(workflow)
    expect((await server.call<Run>('GET', `/v1/runs/${run.id}?include=version`)).pinned).toEqual(version)
    expect((await server.call<Run>('GET', `/v1/runs/${run.id}/wait?until=paused&include=version`)).pinned).toEqual(version)
    expect((await server.call<Run>('POST', `/v1/runs/${run.id}/cancel`, { include: ['version', 'pauses'] })).pinned).toEqual(version)
  })

  test('no version when it is a trial', async () => {
    const workflow = await server.workflow(flow({ a: template('a') }))
    const { runId } = await server.call<Trial>('POST', `/v1/workflows/${workflow.id}/nodes/a/try`, {})
    expect(await server.call('GET', `/v1/runs/${runId}?include=version`)).toMatchObject({ pinned: null, nodes: [{ nodeId: 'a' }] })
  })

  test('its open pauses, oldest first, a large input by its size', async () => {
    const definition = flow({ in: 'input', a: approval({ config: { assignee: 'ann', expiresInMs: 3_600_000 } }), b: approval() }, ['in > a', 'in > b'])
    const run = await server.run(definition, { input: { large }, until: 'paused' })
    const [first, second] = await server.pauses(run)
    const told = await server.call<Run>('GET', `/v1/runs/${run.id}?include=pauses`)
    expect(told.openPauses).toEqual([first, second])
    expect(told.openPauses!.map(({ id }) => id)).toEqual(told.pauses)
    expect(first).toMatchObject({ input: { truncated: expect.any(Number) }, dueAt: expect.stringMatching(/Z$/) })
    expect(await server.call('GET', `/v1/pauses/${first!.id}`)).toMatchObject({ input: { large } })
    await server.decide(first!, 'approve')
    expect((await server.call<Run>('GET', `/v1/runs/${run.id}?include=pauses`)).openPauses).toEqual([second])
    await server.decide(second!, 'approve')
    await server.wait(run)
    expect(await server.call('GET', `/v1/runs/${run.id}?include=pauses`)).toMatchObject({ openPauses: [], pauses: [] })
  })

  test('the iterations of nodes in bodies, oldest first, a large output by its size', async () => {
    const definition = flow(
      { in: 'input', each: map('input.list'), one: template('{{ item }}', { in: 'each' }), again: loop({ times: '3', max: 3 }), turn: values({ a: 1 }, { in: 'again' }) },
      ['in > each', 'in > again'],
    )
    const list = [...Array.from({ length: 11 }, (_, at) => `n${at}`), large]
    const run = await server.run(definition, { input: { list } })
    const told = await server.call<Run>('GET', `/v1/runs/${run.id}?${everything}`)
    const of = Object.fromEntries(told.nodes.map((node) => [node.nodeId, node.iterations]))
    expect(of).toMatchObject({ in: undefined, each: undefined, again: undefined })
    expect(of['one']!.map(({ iteration }) => iteration)).toEqual(Array.from({ length: 12 }, (_, at) => String(at)))
    expect(of['one']!.slice(9)).toEqual([
      { iteration: '9', state: 'completed', output: { text: 'n9' } },
      { iteration: '10', state: 'completed', output: { text: 'n10' } },
      { iteration: '11', state: 'completed', output: { truncated: largeBytes + '{"text":}'.length } },
    ])
    expect(of['turn']!.map(({ iteration }) => iteration)).toEqual(['0', '1', '2'])
  })

  test('the last 100 iterations of many, and none of a body that has not begun', async () => {
    const definition = flow(
      { in: 'input', each: map('input.list'), one: values({}, { in: 'each' }), ask: approval(), later: map('input.list'), two: values({}, { in: 'later' }) },
      ['in > each', 'in > ask > later'],
    )
    const run = await server.run(definition, { input: { list: Array.from({ length: 130 }, (_, at) => at) }, until: 'paused' })
    const { nodes } = await server.call<Run>('GET', `/v1/runs/${run.id}?include=iterations`)
    const iterations = nodes.find(({ nodeId }) => nodeId === 'one')!.iterations!
    expect([iterations.length, iterations[0]!.iteration, iterations.at(-1)!.iteration]).toEqual([100, '30', '129'])
    expect(nodes.find(({ nodeId }) => nodeId === 'two')!.iterations).toEqual([])
  })
})

describe('what nodes were given and gave', () => {
  const carrying = flow({ in: 'input', carry: template('{{ input.text }}'), ask: approval(), out: 'output' }, ['in > carry > ask > out'])
  const text = 'z'.repeat(300 * 1024)
  const told = { in: [{}, { text }], carry: [{ in: { text } }, { text }] }
  const nodesOf = ({ nodes }: Pick<Run, 'nodes'>) => Object.fromEntries(nodes.map(({ nodeId, input, output }) => [nodeId, [input, output]]))

  test('is whole, at any size, wherever a single run is asked for so; else large values are told by their size', async () => {
    const workflow = await server.workflow(carrying)
    const include = ['outputs']
    const run = await server.call<Run>('POST', '/v1/runs', { workflow: workflow.id, input: { text }, wait: { until: 'paused' }, include })
    expect(nodesOf(run)).toMatchObject({ ...told, ask: [{ carry: { text } }, null] })
    expect(await server.call('GET', `/v1/runs/${run.id}?include=outputs`)).toEqual(run)
    expect(await server.call('GET', `/v1/runs/${run.id}/wait?until=paused&include=outputs`)).toEqual(run)
    const cut = { truncated: text.length + '{"text":""}'.length }
    expect(nodesOf(await server.call<Run>('GET', `/v1/runs/${run.id}`))).toMatchObject({ in: [{}, cut], carry: [{ in: cut }, cut], ask: [{ carry: cut }, null] })
    const decided = await server.call<DecidedPause>('POST', `/v1/pauses/${run.pauses[0]!}/decide`, { action: 'approve', include: ['run', ...include] })
    expect(nodesOf(decided.run!)).toMatchObject(told)
    await server.wait(run)
    const ended = await server.call<Run>('POST', `/v1/runs/${run.id}/cancel`, { include })
    expect(nodesOf(ended)).toEqual({ ...told, ask: [{ carry: { text } }, { text }], out: [{ ask: { text } }, { text }] })
  })

  test('is whole of the latest iteration in bodies', async () => {
    const definition = flow(
      { in: 'input', each: map('input.list', { concurrency: 1 }), one: template('{{ item }}', { in: 'each' }), two: template('{{ one.text }}', { in: 'each' }) },
      ['in > each', 'one > two'],
    )
    const run = await server.run(definition, { input: { list: ['a', large] } })
    const { two } = nodesOf(await server.call<Run>('GET', `/v1/runs/${run.id}?include=outputs`))
    expect(two).toEqual([{ one: { text: large } }, { text: large }])
  })

  test('is whole up to a bound together: the largest stay told by their size, before all of what was given', { timeout: 60_000 }, async () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const definition = flow(
      { in: 'input', ...Object.fromEntries(names.map((id, at) => [id, template(`{{ input.text }}{{ input.text }}${'+'.repeat(names.length - at)}`)])), small: template('1') },
      ['in > small', ...names.flatMap((id) => [`in > ${id}`, `small > ${id}`])],
    )
    const half = 'w'.repeat(800_000)
    const run = await server.run(definition, { input: { text: half } })
    const whole = await server.call<Run>('GET', `/v1/runs/${run.id}?include=outputs`)
    const nodes = nodesOf(whole)
    // With the input there are 8.8 million bytes of what they gave; the input alone would be told six times more.
    const cut = { truncated: half.length + '{"text":""}'.length }
    expect(nodes['a']).toEqual([{ in: cut, small: { text: '1' } }, { truncated: 2 * half.length + 5 + '{"text":""}'.length }])
    for (const [at, id] of names.slice(1).entries()) expect(nodes[id]).toEqual([{ in: cut, small: { text: '1' } }, { text: half + half + '+'.repeat(4 - at) }])
    expect(nodes['in']).toEqual([{}, { text: half }])
    expect(Buffer.byteLength(JSON.stringify(whole.nodes.map(({ input, output }) => [input, output])))).toBeLessThanOrEqual(limits.wholeOutputsBytes)
    expect(await server.call('GET', `/v1/runs/${run.id}?include=outputs`)).toEqual(whole)
  })

  test('costs nobody anything who does not ask for it, nor who asks where nothing is large', async () => {
    const [small, big] = [await server.run(flow({ in: 'input' }), { input: 1 }), await server.run(flow({ in: 'input' }), { input: { large } })]
    const plain = await askedBy((tx) => getRun(tx, workspace, small.id))
    expect(await askedBy((tx) => getRun(tx, workspace, big.id))).toEqual(plain)
    expect(await askedBy((tx) => getRun(tx, workspace, small.id, ['outputs']))).toEqual(plain)
    expect(await askedBy((tx) => getRun(tx, workspace, big.id, ['outputs']))).toEqual([...plain, 'view-whole-outputs'])
  })

  test('is not told as a whole in lists', async () => {
    for (const query of ['include=outputs', 'whole=true&include=version&include=outputs']) {
      const { status, issues } = await refusal(listed(query))
      expect([status, issues?.map(({ path }) => path?.[0])]).toEqual([400, ['include']])
    }
  })
})

describe('a list of runs', () => {
  test('gives whole runs as `get` gives them, large values by their size', async () => {
    const definition = flow(
      { in: 'input', each: map('input.list'), one: template('{{ item }}', { in: 'each' }), after: template('{{ nodes.one }}', { in: 'each' }), ask: approval() },
      ['in > each > ask', 'one > after'],
    )
    const small = await server.run(definition, { input: { list: ['a', 'b'] }, until: 'paused', tags: ['whole'] })
    const big = await server.run(flow({ in: 'input' }), { input: { large }, tags: ['whole'] })
    for (const query of ['', `&${everything}`]) {
      const { items } = await listed(`tag=whole&whole=true${query}`)
      const wanted = await Promise.all([big, small].map(({ id }) => server.call<Run>('GET', `/v1/runs/${id}?${query}`)))
      expect(items[1]).toEqual(wanted[1])
      const truncated = { truncated: largeBytes + '{"large":}'.length }
      expect(items[0]).toEqual({ ...wanted[0], input: truncated, output: expect.objectContaining({ truncated: expect.any(Number) }) })
    }
    expect((await listed('tag=whole&limit=1&whole=true')).nextCursor).not.toBeNull()
  })

  test('tells summaries with their versions and open pauses; iterations only of whole runs', async () => {
    const run = await server.run(asking, { input: 1, until: 'paused', tags: ['summed'] })
    const { items } = await listed('tag=summed&include=version&include=pauses')
    expect(items).toMatchObject([{ id: run.id, pinned: { number: 1, workflowId: run.workflowId }, openPauses: [{ id: run.pauses[0], step: 'Ask' }] }])
    expect(items[0]).not.toHaveProperty('nodes')
    expect(await refusal(listed('include=iterations'))).toMatchObject({ status: 400, issues: [{ path: ['include'] }] })
  })

  test('of a hundred whole runs is read in few statements, each version once', async () => {
    const definitions = [flow({ a: values({ a: 1 }) }), flow({ each: map('input.list'), a: values({ b: 1 }, { in: 'each' }), b: template('{{ a.b }}', { in: 'each' }) }, ['a > b'])]
    for (const [at, definition] of definitions.entries()) {
      const workflow = await server.workflow(definition)
      await Promise.all(
        Array.from({ length: 50 }, () =>
          server.start(workflow, { input: { list: [1, 2, 3] }, tags: ['many'], wait: {} }).then(({ status }) => expect([at, status]).toEqual([at, 'completed'])),
        ),
      )
    }
    const all: ListRuns = { limit: 100, tag: 'many', whole: true, include: ['version', 'pauses', 'iterations'] }
    const asked = await askedBy(async (tx) => {
      const { items } = await listRuns(tx, workspace, all)
      expect([items.length, new Set(items.map(({ pinned }) => pinned)).size]).toEqual([100, 2])
      expect(items.every(({ nodes }) => nodes!.every(({ state }) => state === 'completed'))).toBe(true)
    })
    expect(asked.length, asked.join('\n')).toBeLessThanOrEqual(7)
  })

  test('of more than an answer holds is refused, and says to ask for fewer', { timeout: 60_000 }, async () => {
    const step = Array.from({ length: 40 }, (_, at) => [`s${at}`, template('{{ input.text }}')] as const)
    const workflow = await server.workflow(
      flow(
        Object.fromEntries([['in', 'input'], ...step]),
        step.map(([id]) => `in > ${id}`),
      ),
    )
    const text = 'y'.repeat(15_000)
    for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 5 }, () => server.start(workflow, { input: { text }, tags: ['heavy'], wait: {} })))
    // Each step's output, and what it was given.
    const fault = await refusal(listed('tag=heavy&whole=true'))
    expect(fault).toMatchObject({ status: 422, code: 'limit_exceeded' })
    expect(fault.message).toContain('ask for fewer')
    expect((await listed('tag=heavy&whole=true&limit=5')).items).toHaveLength(5)
    expect((await listed('tag=heavy')).items).toHaveLength(15)
  })

  test('whose open pauses are more than an answer holds are refused before these are read', { timeout: 60_000 }, async () => {
    const form = { type: 'object', description: 'x'.repeat(200_000) }
    const workflow = await server.workflow(flow({ all: map('input.list', { concurrency: 90 }), ask: approval({ in: 'all', config: { form } }) }))
    const { id } = await server.start(workflow, { input: { list: Array.from({ length: 90 }, (_, at) => at) } })
    await server.wait(id, ({ pauses }) => pauses.length === 90)
    let read = 0
    const watched: Tx = {
      async query<R>(...[statement, given]: Parameters<Tx['query']>) {
        const rows = await server.db.database.query(statement, given)
        read += JSON.stringify(rows).length
        return rows as R[]
      },
    }
    for (const whole of [true, false])
      await expect(listRuns(watched, workspace, { workflow: workflow.id, limit: 10, whole, include: ['pauses'] })).rejects.toMatchObject({ code: 'limit_exceeded' })
    expect(read).toBeLessThan(20_000)
    expect(await listed(`workflow=${workflow.id}&whole=true`)).toMatchObject({ items: [{ id }] })
    await server.call('POST', `/v1/runs/${id}/cancel`)
  })

  test('that ask: those with an open pause, held ones too, newest first, counted and by pages', async () => {
    const workflow = await server.workflow(flow({ in: 'input', a: approval(), b: approval() }, ['in > a', 'in > b']))
    const [ended, first, second, third] = [await server.start(workflow), await server.start(workflow), await server.start(workflow), await server.start(workflow)]
    for (const run of [ended, first, second, third]) await server.wait(run, 'paused')
    await server.run(flow({ s: signal('s') }), { until: 'parked' })
    await server.call('POST', `/v1/runs/${ended.id}/cancel`)
    await server.call('POST', `/v1/runs/${first.id}/hold`)
    await server.wait(ended)
    const of = `workflow=${workflow.id}&paused=true`
    expect(await listed(`${of}&count=true`)).toMatchObject({ items: [third, second, first].map((run) => ({ id: run.id })), total: 3 })
    expect((await listed(`${of}&whole=true&include=pauses`)).items.map(({ status, openPauses }) => [status, openPauses?.length])).toEqual([
      ['waiting', 2],
      ['waiting', 2],
      ['held', 2],
    ])
    const page = await listed(`${of}&limit=1&offset=1`)
    expect(page.items).toMatchObject([{ id: second.id }])
    expect((await listed(`${of}&limit=1&cursor=${page.nextCursor}`)).items).toMatchObject([{ id: first.id }])
    expect((await listed(`${of}&status=held`)).items).toMatchObject([{ id: first.id }])
    for (const pause of await server.pauses(second)) await server.decide(pause, 'approve')
    expect((await listed(of)).items.map(({ id }) => id)).toEqual([third.id, first.id])
  })
})

describe('who waits until only a person can make a run go on', () => {
  const isBack = (wait: Promise<Run>): Promise<boolean> => Promise.race([wait.then(() => true), new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 700))])
  const waiting = (run: { id: string }) => server.call<Run>('GET', `/v1/runs/${run.id}/wait?until=paused&ms=60000`)

  test('is told of a pause, of a hold, and of the end', async () => {
    const paused = await server.start(await server.workflow(asking), { wait: { until: 'paused', ms: 60_000 } })
    expect(paused).toMatchObject({ status: 'waiting', waitingKind: 'pause' })
    const decided = server.decide(paused.pauses[0]!, 'approve')
    expect(await server.wait((await decided).runId)).toMatchObject({ status: 'completed' })
    expect(await waiting(paused)).toMatchObject({ status: 'completed' })
    const held = await server.run(flow({ s: signal('s') }), { until: 'parked' })
    const told = waiting(held)
    expect(await isBack(told)).toBe(false)
    await server.call('POST', `/v1/runs/${held.id}/hold`)
    expect(await told).toMatchObject({ status: 'held' })
  })

  test('is not told while other work goes on beside the pause, on this server or another', async () => {
    const definition = flow({ ask: approval(), call: { type: 'http-request', config: { method: 'POST', url: `${server.toy.url}/gate/beside-pause` } } })
    await using another = await server.another({ SLUICE_ROLE: 'api' })
    const run = await server.start(await server.workflow(definition))
    await server.event(run, 'pause.opened')
    await server.toy.came('beside-pause')
    const told = [waiting(run), another.call<Run>('GET', `/v1/runs/${run.id}/wait?until=paused&ms=60000`)]
    expect(await Promise.all(told.map(isBack))).toEqual([false, false])
    server.toy.open('beside-pause')
    for (const each of await Promise.all(told)) expect(each).toMatchObject({ status: 'waiting', waitingKind: 'pause' })
  })

  test('is not told of what goes on by itself or from elsewhere: a retry, a report beside the pause', async () => {
    const retrying = flow({
      ask: approval(),
      call: {
        type: 'http-request',
        config: { method: 'POST', url: `${server.toy.url}/fail/1/retried-beside` },
        settings: { retry: { maxAttempts: 2, backoffMs: 3_000, jitter: 0 } },
      },
    })
    const run = await server.run(retrying, { until: 'parked' })
    const again = waiting(run)
    expect(await isBack(again)).toBe(false)
    expect(await again).toMatchObject({ status: 'waiting', nodes: [{ state: 'waiting' }, { state: 'completed' }] })
    const reported = await server.run(flow({ ask: approval(), out: external() }), { until: (each) => each.status === 'waiting' && each.waitingOn.length === 2 })
    const reporting = waiting(reported)
    expect(await isBack(reporting)).toBe(false)
    await server.call('POST', '/v1/steps/report', { run: { id: reported.id }, step: 'out', outcome: 'completed' })
    expect(await reporting).toMatchObject({ waitingKind: 'pause', waitingOn: [{ kind: 'pause' }] })
  })
})

describe('a decision', () => {
  const decide = (body: object) =>
    server.call<DecidedPause>('POST', '/trpc/pauses.decide', body).then((answer) => (answer as unknown as { result: { data: DecidedPause } }).result.data)
  const open = async (): Promise<{ run: Run; pause: Pause }> => {
    const run = await server.run(asking, { input: { a: 1 }, until: 'paused' })
    return { run, pause: (await server.pauses(run))[0]! }
  }

  test('is answered with the run as it then stands, and again when it is said again', async () => {
    const { run, pause } = await open()
    const include = ['run', 'version', 'pauses', 'iterations']
    const first = await server.call<DecidedPause>('POST', `/v1/pauses/${pause.id}/decide`, { action: 'approve', include })
    expect(first).toMatchObject({ status: 'approved', run: { id: run.id, pauses: [], openPauses: [], pinned: { number: 1 } } })
    const ended = await server.wait(run)
    const again = await server.call<DecidedPause>('POST', `/v1/pauses/${pause.id}/decide`, { action: 'approve', include: ['run'] })
    expect(again).toEqual({ ...(await server.call<Pause>('GET', `/v1/pauses/${pause.id}`)), run: ended })
    const bare = await server.call<DecidedPause>('POST', `/v1/pauses/${pause.id}/decide`, { action: 'approve' })
    expect(bare).not.toHaveProperty('run')
    expect(await refusal(server.call('POST', `/v1/pauses/${pause.id}/decide`, { action: 'approve', include: ['pauses'] }))).toMatchObject({ issues: [{ path: ['include'] }] })
  })

  test('by its run takes the only open pause, is told again, and finds its winner', async () => {
    const { run, pause } = await open()
    const first = await decide({ runId: run.id, action: 'approve', include: ['run'] })
    expect(first).toMatchObject({ id: pause.id, run: { id: run.id } })
    await server.wait(run)
    expect(await decide({ runId: run.id, action: 'approve' })).toMatchObject({ id: pause.id, decision: first.decision })
    expect(await refusal(decide({ runId: run.id, action: 'decline' }))).toMatchObject({ status: 409 })
  })

  test('by a run that has several open pauses, none, or that is not there, is refused in ways of their own', async () => {
    const several = await server.run(flow({ a: approval(), b: approval() }), { until: 'paused' })
    const plain = await server.run(flow({ a: template('a') }))
    const over = async (runId: string) => {
      const response = await fetch(`${server.url}/trpc/pauses.decide`, {
        method: 'POST',
        headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ runId, action: 'approve' }),
      })
      const { error } = (await response.json()) as { error: { data: { code: string; details: object } } }
      return { status: response.status, code: error.data.code, details: error.data.details }
    }
    expect(await over(several.id)).toMatchObject({ status: 409, code: 'pause_ambiguous', details: { pauses: several.pauses } })
    expect(await over(plain.id)).toMatchObject({ status: 409, code: 'run_not_paused' })
    expect(await over('000000000000000')).toMatchObject({ status: 404, code: 'run_missing' })
    expect(await refusal(server.call('GET', '/v1/pauses?runId=000000000000000'))).toMatchObject({ status: 404, code: 'run_missing' })
    expect(await server.call('GET', `/v1/pauses?runId=${plain.id}`)).toMatchObject({ items: [] })
  })

  test('with the name of another member is refused, by a key it is theirs; any other text is a label', async () => {
    const password = 'correct horse battery'
    const ann = await server.call<{ userId: string }>('POST', '/v1/members', { email: 'ann@example.com', role: 'viewer', password })
    const me = await server.call<{ user: { id: string; email: string } }>('GET', '/v1/auth/me')
    const { secret } = await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'front' })
    for (const label of [ann.userId, 'ann@example.com', ' ANN@Example.com ']) {
      const { pause } = await open()
      const body = { action: 'approve', label }
      expect(await refusal(server.call('POST', `/v1/pauses/${pause.id}/decide`, body))).toMatchObject({ status: 403, code: 'permission_denied' })
      const decided = await server.call<Pause>('POST', `/v1/pauses/${pause.id}/decide`, body, { as: secret })
      expect(decided.decision!.by).toEqual({ id: ann.userId, label })
      expect(await server.call('POST', `/v1/pauses/${pause.id}/decide`, body, { as: secret })).toEqual(decided)
      expect(await refusal(server.call('POST', `/v1/pauses/${pause.id}/decide`, { action: 'approve' }, { as: secret }))).toMatchObject({ code: 'pause_decided' })
    }
    for (const label of [me.user.id, me.user.email, 'Ann', 'nobody@example.com', 'default-user', '000000000000000', '']) {
      const { pause } = await open()
      expect((await server.decide(pause, 'approve', { label })).decision!.by).toEqual({ id: me.user.id, label })
    }
  })

  test('with the name of a user of another workspace has a label', async () => {
    await server.call('POST', '/v1/members', { email: 'owner@example.com', role: 'owner', password: 'correct horse battery' })
    const owner = await server.call<{ token: string }>('POST', '/v1/auth/login', { email: 'owner@example.com', password: 'correct horse battery' }, { as: '' })
    const elsewhere = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere' }, { as: owner.token })
    const there = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: elsewhere.id }, { as: owner.token })
    await server.call('POST', '/v1/members', { email: 'stranger@example.com', role: 'editor', password: 'correct horse battery' }, { as: there.token })
    const { pause } = await open()
    expect((await server.decide(pause, 'approve', { label: 'stranger@example.com' })).decision!.by.label).toBe('stranger@example.com')
  })
})

test('pauses are listed by up to a thousand at once, in their order', { timeout: 60_000 }, async () => {
  const workflow = await server.workflow(flow({ in: 'input', each: map('input.list', { concurrency: 100 }), ask: approval({ in: 'each' }) }, ['in > each']))
  const list = Array.from({ length: 100 }, (_, at) => at)
  const runs = [await server.start(workflow, { input: { list } }), await server.start(workflow, { input: { list } })]
  for (const run of runs) await server.wait(run, (found) => found.pauses.length === 100)
  const all = await server.call<Page<Pause>>('GET', `/v1/pauses?workflow=${workflow.id}&limit=1000&count=true`)
  expect([all.items.length, all.total, all.nextCursor]).toEqual([200, 200, null])
  const ids = all.items.map(({ id }) => id)
  expect(ids).toEqual([...ids].sort().reverse())
  const some = await server.call<Page<Pause>>('GET', `/v1/pauses?workflow=${workflow.id}&limit=150&offset=20`)
  expect(some.items.map(({ id }) => id)).toEqual(ids.slice(20, 170))
  const rest = await server.call<Page<Pause>>('GET', `/v1/pauses?workflow=${workflow.id}&limit=1000&cursor=${some.nextCursor}`)
  expect(rest.items.map(({ id }) => id)).toEqual(ids.slice(170))
  expect(await refusal(server.call('GET', '/v1/pauses?limit=1001'))).toMatchObject({ issues: [{ path: ['limit'] }] })
})
