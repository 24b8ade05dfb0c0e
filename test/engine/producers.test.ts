import type { Definition, Json, JsonObject, Run, Step } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FlowNode, approval, flow, map, template, values } from '../support/flow.ts'
import { eventually } from '../support/processes.ts'
import { refusal, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const made = (type: string, config: JsonObject, more: JsonObject = {}): FlowNode => ({ type, config, ...more })
const counter = (to: number, more?: JsonObject): FlowNode => made('counter', { from: 1, to }, more)

const steps = async (run: Pick<Run, 'id'>, nodeId: string): Promise<Step[]> => (await server.steps(run)).filter((step) => step.nodeId === nodeId)
/** A template gives `{text}`. */
const textOf = (output: Json): Json => (typeof output === 'object' && output !== null && 'text' in output ? output.text : output)
const outputs = async (run: Pick<Run, 'id'>, node: string) => (await steps(run, node)).filter(({ iteration }) => iteration !== '').map(({ output }) => textOf(output))
const node = (run: Run, id: string) => run.nodes.find(({ nodeId }) => nodeId === id)!
const issues = async (definition: Definition) => {
  const { id } = await server.workflow(definition)
  return (await refusal(server.call('POST', `/v1/workflows/${id}/publish`, {}))).issues.map(({ message }) => message)
}

describe('a producer', () => {
  test('gives its items to all that it leads to, and what comes when it is done sees the last of them', async () => {
    const run = await server.run(
      flow({ n: counter(3), t: template('{{ n.value }} of {{ n.to }}, {{ index }}'), z: template('{{ n.items }} and {{ n.last.t.text }}') }, ['n > t', 'n.done > z']),
    )
    expect(await outputs(run, 't')).toEqual(['1 of 3, 0', '2 of 3, 1', '3 of 3, 2'])
    expect([run.status, run.output, node(run, 'n').counts, node(run, 't').counts]).toEqual(['completed', { z: { text: '3 and 3 of 3, 2' } }, { completed: 3 }, { completed: 3 }])
  })

  test('reads what came before it, which its items see too', async () => {
    const run = await server.run(
      flow({ in: 'input', e: made('iterator', { items: '{{ in.list }}' }), t: template('{{ e.value }}{{ nodes.in.mark }}{{ data.value }}') }, ['in > e > t']),
      {
        input: { list: ['a', 'b'], mark: '!' },
      },
    )
    expect(await outputs(run, 't')).toEqual(['a!a', 'b!b'])
  })

  test('has items of its own in each item of another', async () => {
    const run = await server.run(
      flow({ n: counter(2), e: made('iterator', { items: '{{ n.value }}x\n{{ n.value }}y' }), t: template('{{ e.value }} {{ nodes.n.value }}') }, ['n > e > t']),
    )
    expect((await steps(run, 't')).map(({ iteration, output }) => [iteration, textOf(output)])).toEqual([
      ['0.0', '1x 1'],
      ['0.1', '1y 1'],
      ['1.0', '2x 2'],
      ['1.1', '2y 2'],
    ])
  })

  test('shares a node with another: it runs once for each item of either, with what came by it', async () => {
    const run = await server.run(flow({ a: counter(2), b: counter(3), t: template('{{ data.to }}:{{ data.value }}') }, ['a > t', 'b > t']))
    expect((await outputs(run, 't')).sort()).toEqual(['2:1', '2:2', '3:1', '3:2', '3:3'])
    expect(node(run, 't').counts).toEqual({ completed: 5 })
  })

  test('whose config cannot be read fails, and is not asked again', async () => {
    const run = await server.run(flow({ in: 'input', e: made('iterator', { items: '{{ in }}' }), t: template('x') }, ['in > e > t']), { input: 7 })
    expect(run).toMatchObject({ status: 'failed', reason: { step: 'e' } })
    expect(node(run, 't').state).toBeNull()
  })

  test('opens a pause in each item, one after another; what is declined is the end of its item', async () => {
    const { id } = await server.start(await server.workflow(flow({ n: counter(2), ask: approval(), t: template('after {{ nodes.n.value }}') }, ['n > ask > t'])))
    for (const action of ['decline', 'approve'] as const) {
      await server.wait({ id }, (found) => found.pauses.length > 0)
      const [pause] = await server.pauses({ id })
      await server.decide(pause!, action)
    }
    const run = await server.wait({ id }, 'finished')
    expect([run.status, await outputs(run, 't'), node(run, 'n').counts]).toEqual(['completed', ['after 2'], { completed: 2 }])
    expect(run.output).toMatchObject({ n: { items: 2, failed: 1 } })
  })

  test('inside of a map has its items in each of its iterations', async () => {
    const run = await server.run(
      flow({ in: 'input', m: map('input'), n: made('counter', { from: 1, to: '{{ item }}' }, { in: 'm' }), t: template('{{ n.value }}/{{ n.to }}', { in: 'm' }) }, [
        'in > m',
        'n > t',
      ]),
      { input: [2, 1] },
    )
    expect([run.status, (await outputs(run, 't')).sort()]).toEqual(['completed', ['1/1', '1/2', '2/2']])
  })

  test('has any number of items, each recorded once, of which the last keep their steps', { timeout: 60_000 }, async () => {
    const run = await server.run(flow({ n: counter(3_000), t: values({ fine: true }) }, ['n > t']))
    expect([run.status, node(run, 't').counts, (await outputs(run, 't')).length]).toEqual(['completed', { completed: 3_000 }, 100])
    const [counted] = await server.db.database.query<{ events: number; items: number; rows: number }>(
      `select (select count(*)::int from events where subject_id = $1 and type = 'step.completed' and data::json ->> 'nodeId' = 't') as events,
        (select count(distinct data::json ->> 'iteration')::int from events where subject_id = $1 and type = 'step.completed' and data::json ->> 'nodeId' = 't') as items,
        (select count(*)::int from steps where run_id = $1) as rows`,
      [run.id],
    )
    expect(counted).toEqual({ events: 3_000, items: 3_000, rows: 201 })
  })

  test('keeps of items that are counts no mark that they have written', { timeout: 60_000 }, async () => {
    const run = await server.run(flow({ n: counter(110), f: made('file-write', { name: 'log', content: 'x' }) }, ['n > f']))
    const [kept] = await server.db.database.query<{ marks: number }>('select count(*)::int as marks from file_writes where run_id = $1', [run.id])
    expect([run.status, kept!.marks]).toEqual(['completed', 100])
  })
})

describe('a channel', () => {
  test('leads what a writer gives to the reader that it leads to, in order, which ends after the last', async () => {
    const run = await server.run(
      flow({ n: counter(250), w: made('queue-push', { value: '{{ n.value }}' }), r: made('queue-reader', {}), t: values({ got: '{{ r }}' }) }, ['n > w > r > t']),
    )
    expect([run.status, node(run, 't').counts]).toEqual(['completed', { completed: 250 }])
    expect((await outputs(run, 't')).slice(-2)).toEqual([{ got: 249 }, { got: 250 }])
    const [left] = await server.db.database.query<{ kept: number }>('select count(*)::int as kept from signals where run_id = $1', [run.id])
    expect(left!.kept).toBe(0)
  })

  test('that nobody writes into, or nobody reads, fails who would', async () => {
    const reader = await server.run(flow({ r: made('queue-reader', {}), t: template('x') }, ['r > t']))
    expect(reader).toMatchObject({ status: 'failed', reason: { step: 'r' } })
    const writer = await server.run(flow({ w: made('queue-push', {}) }))
    expect(writer).toMatchObject({ status: 'failed', reason: { step: 'w' } })
  })

  test('between runs is a durable queue: who waits gets the oldest, each once, and the run goes on for ever', async () => {
    const queue = `orders-${Date.now()}`
    const reading = await server.start(await server.workflow(flow({ r: made('queue-reader', { queue }), t: template('{{ r }}') }, ['r > t'])))
    await server.run(flow({ n: counter(5), w: made('queue-push', { queue, value: '{{ n.value }}' }) }, ['n > w']))
    await eventually('five items have come', async () => (await outputs(reading, 't')).length === 5)
    expect(await outputs(reading, 't')).toEqual(['1', '2', '3', '4', '5'])
    expect(await server.get(reading)).toMatchObject({ status: 'waiting', waitingOn: [{ kind: 'signal', signal: `queue:${queue}`, iteration: '5' }] })
    await server.call('POST', `/v1/runs/${reading.id}/cancel`, {})
    const [left] = await server.db.database.query<{ listening: number }>('select count(*)::int as listening from listeners where run_id = $1', [reading.id])
    expect(left!.listening).toBe(0)
  })
})

test('links that cross the border of items, and readers of their own items, are issues', async () => {
  expect(await issues(flow({ in: 'input', n: counter(1), t: template('x') }, ['in > t', 'n > t']))).toEqual([expect.stringContaining('is run for each item of n, and in is not')])
  expect(await issues(flow({ n: counter(1), t: template('x') }, ['n > t > n']))).toEqual([expect.stringContaining('cannot lead back')])
  expect(await issues(flow({ a: counter(1), w: made('queue-push', {}), r: made('queue-reader', {}), v: made('queue-push', {}) }, ['a > w > r > v > r']))).toEqual([
    expect.stringContaining('reads what follows from its own items'),
  ])
  const late = { n: counter(1), w: made('queue-push', {}), q: made('queue-reader', {}), r: made('queue-reader', {}), v: made('queue-push', {}) }
  const waits = [expect.stringMatching(/r begins when . has ended, and that waits for r to read/)]
  expect(await issues(flow({ n: late.n, w: late.w, r: late.r }, ['n > w > r', 'n.done > r']))).toEqual(waits)
  expect(await issues(flow({ n: late.n, w: late.w, q: late.q, r: late.r }, ['n > w > q', 'w > r', 'q.done > r']))).toEqual(waits)
  expect(await issues(flow(late, ['n > w > q > v > r', 'n.done > r']))).toEqual(waits)
})
