import type { Definition, JsonObject, NodeType, Run, Version } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FlowNode, flow } from '../../support/flow.ts'
import { Refused, type TestServer, testServer } from '../../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

/** As PySpur's definitions are kept: its types and configs as they came, and its way of joining and failing. */
const spur = (nodes: Record<string, FlowNode>, links: readonly string[]): Definition => flow(nodes, links, { join: 'all', onFailure: 'continue' })
const node = (type: string, config: JsonObject = {}, more: { in?: string; title?: string } = {}): FlowNode => ({ type, config, ...more })
const states = ({ nodes }: Run) => Object.fromEntries(nodes.map(({ nodeId, state }) => [nodeId, state]))
const outputOf = ({ nodes }: Run, id: string) => nodes.find(({ nodeId }) => nodeId === id)?.output
const condition = (variable: string, operator: string, value: unknown = '', logicalOperator = 'AND') => ({ variable, operator, value, logicalOperator }) as JsonObject

async function issuesOf(definition: Definition): Promise<string[]> {
  const { id } = await server.workflow(definition)
  const refused: unknown = await server.call('POST', `/v1/workflows/${id}/publish`, {}).catch((error: unknown) => error)
  if (!(refused instanceof Refused)) return []
  return refused.issues.map(({ nodeId, field, message }) => `${nodeId} ${field}: ${message}`)
}

describe('a definition with the types of PySpur', () => {
  const definition = spur(
    {
      in: node('InputNode', { output_schema: { name: 'string' }, has_fixed_output: false }, { title: 'Start here' }),
      fixed: node('StaticValueNode', { values: { greeting: 'Hello {{ name }}', of: [1, { two: null }] } }),
      both: node('MergeNode'),
      out: node('OutputNode', { output_map: { text: 'both.fixed.greeting', who: 'Start here.name', second: 'both.fixed.of.1.two', none: 'both.ghost' } }),
    },
    ['in > fixed > both > out', 'in > both', 'in > out'],
  )

  test('runs, and shows its names everywhere as they were stored', async () => {
    const workflow = await server.workflow(definition)
    const run = await server.wait(await server.start(workflow, { input: { name: 'Ada' } }))
    expect(run).toMatchObject({ status: 'completed', output: { text: 'Hello {{ name }}', who: 'Ada', second: null, none: null } })
    expect(run.nodes.map(({ type }) => type)).toEqual(['InputNode', 'StaticValueNode', 'MergeNode', 'OutputNode'])
    expect(outputOf(run, 'both')).toEqual({ fixed: { greeting: 'Hello {{ name }}', of: [1, { two: null }] }, 'Start here': { name: 'Ada' } })
    const version = await server.call<Version>('GET', `/v1/workflows/${workflow.id}/versions/1`)
    expect(version.definition.nodes.map(({ type, config }) => [type, config])).toEqual(definition.nodes.map(({ type, config }) => [type, config]))

    const fork = await server.wait(await server.call<Run>('POST', `/v1/runs/${run.id}/fork`, { step: 'both', input: { name: 'Grace' } }))
    expect(fork).toMatchObject({ status: 'completed', output: { who: 'Grace' } })
    expect(fork.nodes[0]).toMatchObject({ type: 'InputNode', output: { name: 'Grace' } })
  })

  test('is tried node by node', async () => {
    const { id } = await server.workflow(definition)
    const trial = await server.call('POST', `/v1/workflows/${id}/nodes/out/try`, { outputs: { in: { name: 'Ada' }, both: { fixed: { greeting: 'Hi' } } } })
    expect(trial).toMatchObject({ status: 'completed', output: { text: 'Hi', who: 'Ada' } })
  })

  test('passes one way in through, when its output maps nothing', async () => {
    const run = await server.run(spur({ in: 'InputNode', out: node('OutputNode', { output_map: {} }) }, ['in > out']), { input: { a: 1 } })
    expect(run.output).toEqual({ a: 1 })
  })
})

describe('InputNode', () => {
  const schema = { enforce_schema: true, output_json_schema: '{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}' }
  test('refuses what does not fit when it is to, at the start', async () => {
    const workflow = await server.workflow(spur({ in: node('InputNode', schema), out: 'OutputNode' }, ['in > out']))
    const refused = await server.start(workflow, { input: { n: 'one' } }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'input_invalid', issues: [{ nodeId: 'in', path: ['input', 'n'] }] })
    expect(await server.start(workflow, { inputs: { in: { m: 1 } } }).catch((error: unknown) => error)).toMatchObject({ code: 'input_invalid' })
    // The second start goes by what is known of the workflow.
    expect((await server.wait(await server.start(workflow, { input: { n: 1 } }))).output).toEqual({ n: 1 })
    expect(await server.start(workflow, { input: { n: 'one' } }).catch((error: unknown) => error)).toMatchObject({ code: 'input_invalid' })
    expect((await server.wait(await server.start(workflow, { inputs: { in: { n: 2 } } }))).output).toEqual({ n: 2 })
  })
})

describe('RouterNode', () => {
  const definition = spur(
    {
      in: 'InputNode',
      route: node('RouterNode', {
        route_map: {
          big: { conditions: [condition('in.n', 'greater_than', 100)] },
          named: { conditions: [condition('in.name', 'starts_with', 'A'), condition('in.name', 'equals', 'Bob', 'OR'), condition('in.n', 'number_equals', '7')] },
          blank: { conditions: [condition('', 'is_empty')] },
          missing: { conditions: [condition('in.name', 'is_empty')] },
        },
      }),
      big: node('OutputNode', { output_map: { n: 'route.in.n' } }),
      named: node('OutputNode', { output_map: { name: 'route.in.name' } }),
      blank: 'MergeNode',
      missing: 'MergeNode',
      pick: node('CoalesceNode', { preferences: ['missing', 'named'] }),
    },
    ['in > route', 'route.big > big', 'route.named > named', 'route.blank > blank', 'route.missing > missing', 'big > pick', 'named > pick', 'missing > pick'],
  )

  test.each([
    [{ n: 101, name: 'Ada' }, 'big', { n: 101 }],
    [{ n: 7, name: 'Ada' }, 'named', { name: 'Ada' }],
    [{ n: 7, name: 'Bob' }, 'named', { name: 'Bob' }],
    [{ n: 7 }, 'missing', { route: { in: { n: 7 } } }],
    [{ n: 8, name: 'Ada' }, 'default', undefined],
  ])('takes of %j the route %s, and hands on what came by step', async (input, route, picked) => {
    const run = await server.run(definition, { input })
    expect(run.status).toBe('completed')
    expect(run.nodes[1]).toMatchObject({ type: 'RouterNode', route: [route], output: { in: input } })
    const others = ['big', 'named', 'blank', 'missing'].filter((each) => each !== route)
    expect(states(run)).toMatchObject({ ...Object.fromEntries(others.map((each) => [each, 'skipped'])), pick: picked ? 'completed' : 'skipped' })
    if (picked) expect(outputOf(run, 'pick')).toEqual(picked)
  })
})

describe('HumanInterventionNode', () => {
  const definition = (config: JsonObject = {}) =>
    spur(
      {
        in: 'InputNode',
        ask: node('HumanInterventionNode', config),
        after: node('OutputNode', { output_map: { n: 'ask.in.n', more: 'ask.more' } }),
        beside: 'MergeNode',
        later: 'MergeNode',
      },
      // The editor names the handles of its links by titles.
      ['in.in > ask', 'ask.ask > after', 'in.in > beside > later'],
    )
  const asked = async (config?: JsonObject) => {
    const run = await server.run(definition(config), { input: { n: 1 }, until: 'parked' })
    const [pause] = await server.pauses(run)
    return { run, pause: pause! }
  }

  test('asks with its message, as it stands, and holds up what depends on it', async () => {
    const { run, pause } = await asked({ message: 'May {{ in.n }}?' })
    expect(run.status).toBe('waiting')
    expect(states(run)).toEqual({ in: 'completed', ask: 'waiting', after: null, beside: 'completed', later: 'completed' })
    // The link says `in`, which is where an input node leaves: what was given over it is shown, and so is the way it took.
    expect(run.nodes.find(({ nodeId }) => nodeId === 'beside')).toMatchObject({ input: { in: { n: 1 } } })
    expect(run.nodes[0]).toMatchObject({ route: ['default', 'in'] })
    expect(pause).toMatchObject({ kind: 'approval', message: 'May {{ in.n }}?', input: { in: { n: 1 } } })
    expect((await asked()).pause.message).toBe('Human intervention required')
  })

  test('holds up all else when it is to', async () => {
    const { run } = await asked({ block_only_dependent_nodes: false })
    expect(states(run)['later']).toBeNull()
  })

  test('approved, lets through what came by step, with the inputs over it', async () => {
    const { run, pause } = await asked()
    await server.decide(pause, 'approve', { inputs: { more: 'yes' } })
    const ended = await server.wait(run)
    expect(ended).toMatchObject({ status: 'completed', output: { n: 1, more: 'yes' } })
    expect(ended.nodes.find(({ nodeId }) => nodeId === 'after')).toMatchObject({ input: { ask: { in: { n: 1 }, more: 'yes' } } })
  })

  test('overridden, gives the inputs alone', async () => {
    const { run, pause } = await asked()
    await server.decide(pause, 'override', { inputs: { more: 'mine' } })
    expect(await server.wait(run)).toMatchObject({ status: 'completed', output: { n: null, more: 'mine' } })
  })

  test('declined, ends the run, unless a link takes that', async () => {
    const { run, pause } = await asked()
    await server.decide(pause, 'decline')
    expect(await server.wait(run)).toMatchObject({ status: 'cancelled', reason: { code: 'pause_declined' } })
    const taken = await server.run(spur({ in: 'InputNode', ask: 'HumanInterventionNode', no: 'MergeNode' }, ['in > ask', 'ask.declined > no']), { input: {}, until: 'parked' })
    await server.decide((await server.pauses(taken))[0]!, 'decline')
    expect(await server.wait(taken)).toMatchObject({ status: 'completed' })
  })

  test('is not tried', async () => {
    const { id } = await server.workflow(definition())
    await expect(server.call('POST', `/v1/workflows/${id}/nodes/after/try`, { inputs: { in: { n: 1 } } })).rejects.toMatchObject({ code: 'trial_refused' })
  })
})

describe('ForLoopNode', () => {
  const body = (field: string): Record<string, FlowNode> => ({
    begin: node('InputNode', { output_schema: { text: 'string' } }, { in: 'loop' }),
    add: node('MergeNode', {}, { in: 'loop' }),
    end: node('OutputNode', { output_map: { text: field, before: 'begin.loop_history.add' } }, { in: 'loop' }),
  })
  const links = ['in > loop > out', 'begin > add > end', 'begin > end']

  test('hands each iteration what was mapped, what came of the one before, and the history of its nodes', async () => {
    const loop = node('ForLoopNode', { num_iterations: 3, input_map: { text: 'in.text', kept: 'in.kept' } })
    const run = await server.run(
      spur({ in: 'InputNode', loop, ...body('add.begin.text'), out: node('OutputNode', { output_map: { text: 'loop.text', before: 'loop.before' } }) }, links),
      {
        input: { text: 'x', kept: 1 },
      },
    )
    expect(run).toMatchObject({ status: 'completed', output: { text: 'x' } })
    const begins = (await server.steps(run)).filter(({ nodeId }) => nodeId === 'begin').map(({ output }) => output as JsonObject)
    expect(begins).toHaveLength(3)
    expect(begins[0]).toEqual({ text: 'x', kept: 1, loop_history: {} })
    expect(begins[2]).toMatchObject({ text: 'x', kept: 1 })
    const history = begins[2]!['loop_history'] as { [id: string]: JsonObject[] }
    expect(Object.keys(history).toSorted()).toEqual(['add', 'begin', 'end'])
    expect(history['add']).toHaveLength(2)
    expect((run.output as JsonObject)['before']).toHaveLength(2)
    const [looped] = (await server.steps(run)).filter(({ nodeId }) => nodeId === 'loop')
    // What its output node gives, and nothing of what was carried along.
    expect(Object.keys(looped!.output as JsonObject).toSorted()).toEqual(['before', 'text'])
  })

  test('without a map hands all that comes in, by title; once unless it is said', async () => {
    const run = await server.run(
      spur({ in: node('InputNode', {}, { title: 'the input' }), loop: node('ForLoopNode', {}), ...body('add.begin.the input.text'), out: 'OutputNode' }, links),
      {
        input: { text: 'y' },
      },
    )
    expect(run).toMatchObject({ status: 'completed', output: { text: 'y' } })
    expect((await server.steps(run)).filter(({ nodeId }) => nodeId === 'begin')).toHaveLength(1)
  })
})

describe('SingleLLMCallNode', () => {
  const asking = (config: JsonObject) =>
    spur(
      {
        in: node('InputNode', {}, { title: 'input' }),
        ask: node('SingleLLMCallNode', { llm_info: { model: 'openai/offline', max_tokens: 100 }, ...config }),
        out: node('OutputNode', { output_map: { name: 'ask.name' } }),
      },
      ['in > ask > out'],
    )
  const output_json_schema = '{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}'

  test('asks by a Jinja template for what fits its schema, and gives that alone', async () => {
    const run = await server.run(asking({ output_json_schema, system_message: 'You find names.', user_message: 'name: {{ input.who | upper }}' }), { input: { who: 'ada' } })
    expect(run).toMatchObject({ status: 'completed', output: { name: 'ADA' } })
    expect(outputOf(run, 'ask')).toEqual({ name: 'ADA' })
  })

  test('asked nothing, is told all that came in', async () => {
    const run = await server.run(asking({ output_schema: { name: 'str' } }), { input: { name: 'Grace' } })
    expect(run).toMatchObject({ status: 'completed', output: { name: 'Grace' } })
  })
})

describe('publishing', () => {
  test('tells what is wrong at the places of the stored config', async () => {
    const definition = spur(
      {
        in: node('InputNode', { enforce_schema: true, output_json_schema: 'nonsense' }),
        route: node('RouterNode', { route_map: { yes: { conditions: [condition('in.x', 'equals', 'a'), condition('nobody.x', 'equals', 'a')] } } }),
        ask: node('SingleLLMCallNode', { llm_info: { model: 'offline' }, user_message: '{% oh %}' }),
        out: node('OutputNode', { output_map: { a: 'nobody.b' } }),
      },
      ['in > route', 'route.yes > ask > out'],
    )
    expect(await issuesOf(definition)).toEqual([
      expect.stringMatching(/^in config\.output_json_schema: /),
      expect.stringMatching(/^route config\.route_map\.yes\.conditions\.1\.variable: /),
      expect.stringMatching(/^ask config\.user_message: /),
      expect.stringMatching(/^out config\.output_map\.a: /),
    ])
  })

  test('refuses Python, by name of what runs here', async () => {
    expect(await issuesOf(spur({ in: 'InputNode', py: node('PythonFuncNode', { code: 'return {}' }) }, ['in > py']))).toEqual([
      'py type: Python does not run here: use a node of the type code, which runs JavaScript',
    ])
  })
})

test('node types are listed without the names of dialects, and those by dialect', async () => {
  const list = (query = '') => server.call<{ items: NodeType[] }>('GET', `/v1/node-types${query}`).then(({ items }) => items)
  expect((await list()).filter(({ alias }) => alias !== null)).toEqual([])
  const names = await list('?dialect=pyspur')
  expect(names.map(({ type, alias }) => [type, alias?.of])).toContainEqual(['RouterNode', 'router'])
  expect(await server.call<NodeType>('GET', '/v1/node-types/RouterNode')).toEqual(names.find(({ type }) => type === 'RouterNode'))
  expect((await server.call<NodeType>('GET', '/v1/node-types/router')).alias).toBeNull()
  await expect(list('?dialect=latin')).rejects.toMatchObject({ status: 400, code: 'input_invalid' })
})
