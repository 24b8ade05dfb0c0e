import type { Json, JsonObject, NodeFile, Run, Step } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ok, type Orchestrator, orchestratorServer } from './server.ts'

let flows: Orchestrator
beforeAll(async () => {
  flows = await orchestratorServer()
})
afterAll(() => flows[Symbol.asyncDispose]())

type Given = Record<string, [type: string, form_values: JsonObject]>

interface Made {
  id: string
  /** By the names that the test gives them. */
  nodes: Record<string, string>
}

/** A workflow of nodes by name, and connections as `a > b` or `a.yes > b`. */
async function workflow(given: Given, connections: string[]): Promise<Made> {
  const { id } = await ok(flows.call('POST', '/workflow/', { name: 'Nodes' }), 201)
  const nodes: Record<string, string> = {}
  for (const [name, [nodeTemplate, form_values]] of Object.entries(given))
    nodes[name] = (await ok(flows.call('POST', `/workflow/${id}/nodes/add/`, { nodeTemplate, form_values }), 201)).id
  for (const connection of connections) {
    const [from = '', to = ''] = connection.split(' > ')
    const [source = '', sourceHandle] = from.split('.')
    await ok(flows.call('POST', `/workflow/${id}/connections/add/`, { source: nodes[source], target: nodes[to], ...(sourceHandle && { sourceHandle }) }), 201)
  }
  return { id, nodes }
}

interface Told {
  run: Run
  /** Of a node, by its name: what its completed steps of items gave, the first item first. */
  gave(name: string): Json[]
  steps(name: string): Step[]
}

async function ran(made: Made): Promise<Told> {
  const { task_id } = await ok(flows.call('GET', `/workflow/${made.id}/start_execution/`))
  const run = await flows.server.wait(task_id)
  const all = await flows.server.steps(run)
  const inOrder = (one: Step, other: Step) => one.iteration.localeCompare(other.iteration, 'en', { numeric: true })
  const steps = (name: string) => all.filter(({ nodeId, iteration }) => nodeId === made.nodes[name] && iteration !== '').toSorted(inOrder)
  return { run, steps, gave: (name) => steps(name).flatMap(({ state, output }) => (state === 'completed' ? [output] : [])) }
}

const count = (min_value: Json, max_value: Json, more: JsonObject = {}): [string, JsonObject] => ['counter', { min_value, max_value, direction: 'increment', step: 1, ...more }]

describe('a workflow of the Orchestrator', () => {
  test('counts, goes by yes and no, and transforms what comes in', async () => {
    const made = await workflow(
      {
        c: count(0, '3'),
        odd: ['if-condition', { condition_expression: "data['counter']['current'] % 2 == 1" }],
        yes: ['data-transformer', { output_template: '{"odd": {{ data.counter.current }}, "text": "{{ data.if_condition.route }}"}' }],
        no: ['data-transformer', { output_template: '{"even": {{ data.counter.current }}}', overwrite: false }],
      },
      ['c > odd', 'odd.yes > yes', 'odd.no > no'],
    )
    const { run, gave } = await ran(made)
    expect(run.status).toBe('completed')
    expect(gave('c')).toEqual([0, 1, 2, 3].map((current) => ({ counter: { current, min: 0, max: 3, step: 1, direction: 'increment', iteration: current + 1 } })))
    expect(gave('odd')).toEqual(
      [false, true, false, true].map((result) => ({ if_condition: { route: result ? 'yes' : 'no', expression: "data['counter']['current'] % 2 == 1", result } })),
    )
    expect(gave('yes')).toEqual([
      { odd: 1, text: 'yes' },
      { odd: 3, text: 'yes' },
    ])
    expect(gave('no')).toEqual([{ data_transformer: { even: 0 } }, { data_transformer: { even: 2 } }])
  })

  test('calls services with what the items are', async () => {
    const { toy } = flows.server
    const made = await workflow(
      {
        s: ['string-iterator-producer', { data_content: 'a, "b" ,,c', separator_type: 'comma', custom_separator: '' }],
        call: [
          'http-request',
          { method: 'POST', url: `${toy.url}/ok/items`, headers: '{"x-item":"{{ data.string_iterator.iteration_index }}"}', body: '{"item":"{{ data.string_iterator.value }}"}' },
        ],
        gone: ['http-request', { method: 'GET', url: 'http://10.255.255.1/', timeout_seconds: '5' }],
      },
      ['s > call', 's > gone'],
    )
    const { run, gave } = await ran(made)
    expect(run.status).toBe('completed')
    expect(gave('s')).toEqual(['a', '"b"', 'c'].map((value, at) => ({ string_iterator: { value, iteration_index: at + 1 } })))
    expect(gave('call')).toMatchObject([1, 2, 3].map(() => ({ http_request: { status: 200, error: null, duration_ms: expect.any(Number) } })))
    expect(gave('gone')).toMatchObject([1, 2, 3].map(() => ({ http_request: { status: 0, body: null, error: { type: 'refused_address' } } })))
    expect(toy.visits('items')).toHaveLength(3)
  })

  test('fails the item whose values do not fit once they are rendered, in the words of the form, and goes on', async () => {
    const made = await workflow({ c: count(0, 2), wait: ['static-delay-node', { interval: '{{ data.counter.current }}', unit: 'seconds' }] }, ['c > wait'])
    const { run, steps, gave } = await ran(made)
    expect(run.status).toBe('completed')
    expect(steps('wait')[0]).toMatchObject({
      state: 'failed',
      error: { message: 'Form validation failed after rendering: interval: Ensure this value is greater than or equal to 1.' },
    })
    // A delay gives nothing of its own.
    expect(gave('wait')).toEqual([{}, {}])
  })

  test('divides a time among the items', async () => {
    const made = await workflow({ c: count(1, 4), wait: ['dynamic-delay-node', { total_time: 1, unit: 'seconds', executions: 4, jitter_percent: '50' }] }, ['c > wait'])
    const { run, gave } = await ran(made)
    expect(run.status).toBe('completed')
    expect(gave('wait')).toEqual([{}, {}, {}, {}])
    expect(Date.parse(run.endedAt!) - Date.parse(run.startedAt!)).toBeGreaterThanOrEqual(1_000)
  })

  test('hands what one producer writes to another that reads it', async () => {
    const made = await workflow(
      {
        c: count(1, 3),
        w: ['queue-node-writer', {}],
        r: ['queue-reader-dummy', {}],
        t: ['data-transformer', { output_template: '{"read": {{ data.counter.current }}}' }],
      },
      ['c > w', 'w > r', 'r > t'],
    )
    const { run, gave } = await ran(made)
    expect(run.status).toBe('completed')
    expect(gave('r')).toMatchObject([1, 2, 3].map((current) => ({ counter: { current } })))
    expect(gave('t')).toEqual([{ read: 1 }, { read: 2 }, { read: 3 }])
  })

  test('goes through a list, and on with all that its elements gave', async () => {
    const made = await workflow(
      {
        c: count(1, 2),
        each: ['for-each', { array_expression: '["a", "b{{ data.counter.current }}"]' }],
        inside: ['data-transformer', { output_template: '{"seen": "{{ data.forEachNode.state.item }}", "at": {{ data.forEachNode.state.index }}}' }],
        after: ['data-transformer', { output_template: '{"all": {{ data.loop_results | length }} }' }],
      },
      ['c > each', 'each.subdag > inside', 'each > after'],
    )
    const { run, gave } = await ran(made)
    expect(run.status).toBe('completed')
    expect(gave('inside')).toEqual([
      { seen: 'a', at: 0 },
      { seen: 'b1', at: 1 },
      { seen: 'a', at: 0 },
      { seen: 'b2', at: 1 },
    ])
    expect(gave('after')).toEqual([{ all: 2 }, { all: 2 }])
  })

  test('writes files that are found with their node', async () => {
    const made = await workflow({ c: count(1, 3), f: ['file-writer', { file_path: '../out.txt', mode: 'a', content: 'line {{ data.counter.current }}' }] }, ['c > f'])
    const { run, gave } = await ran(made)
    expect(run.status).toBe('completed')
    expect(gave('f')).toEqual([{}, {}, {}])
    const { items } = await flows.server.call<{ items: NodeFile[] }>('GET', `/v1/workflows/${made.id}/nodes/${made.nodes['f']}/files`)
    expect(items).toMatchObject([{ key: '../out.txt', file: { name: 'out.txt', bytes: 21 } }])
  })

  test('gives what is delivered to its webhook, until it is stopped', async () => {
    const made = await workflow(
      {
        h: ['webhook-producer', { webhook_id: 'nodes-hook' }],
        t: ['data-transformer', { output_template: '{"said": "{{ data.webhook.data.body.word }}", "by": "{{ data.webhook.webhook_id }}"}' }],
      },
      ['h > t'],
    )
    const { task_id } = await ok(flows.call('GET', `/workflow/${made.id}/start_execution/`))
    await flows.server.wait(task_id, 'parked')
    await ok(flows.call('POST', '/webhooks/nodes-hook/', { word: 'hello' }), 202)
    await flows.server.event(task_id, 'step.completed', (event) => event.nodeId === made.nodes['t'])
    const steps = await flows.server.steps(task_id)
    expect(steps.find(({ nodeId, state }) => nodeId === made.nodes['t'] && state === 'completed')?.output).toEqual({ said: 'hello', by: 'nodes-hook' })
    await ok(flows.call('GET', `/workflow/${made.id}/stop_execution/`))
    expect((await flows.server.wait(task_id)).status).toBe('cancelled')
  })

  test('is not started while a required field is missing: it is told of which node', async () => {
    const made = await workflow({ c: count(0, ''), call: ['http-request', {}], bad: ['counter', { min_value: 2, max_value: 1, direction: 'increment', step: 1 }] }, ['c > call'])
    const refused = await flows.call('GET', `/workflow/${made.id}/start_execution/`)
    expect(refused.status).toBe(422)
    expect(refused.body).toMatchObject({
      error: 'Workflow validation failed',
      code: 'VALIDATION_ERROR',
      details: {
        [made.nodes['c']!]: { max_value: ['This field is required.'] },
        [made.nodes['call']!]: { url: ['This field is required.'] },
      },
    })
    expect(JSON.stringify(refused.body.details[made.nodes['bad']!])).toContain('min_value must be less than max_value')
  })
})
