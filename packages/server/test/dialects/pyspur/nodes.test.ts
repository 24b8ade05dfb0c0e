import type { Definition, JsonObject, Link, Node } from '@sluice/schema'
import { Arbitrary, Effect, type Schema } from 'effect'
import { describe, expect, test } from 'vitest'
import { pyspurNodes } from '../../../src/dialects/pyspur/nodes.ts'
import { createModels } from '../../../src/models/models.ts'
import { createCatalogue } from '../../../src/nodes/catalogue.ts'
import { createOutside } from '../../../src/outside/outside.ts'
import { createSandbox } from '../../../src/sandbox/sandbox.ts'
import { configFor, decode, ownOutputFields } from '../../../src/workflows/config.ts'
import { graphOf } from '../../../src/workflows/graph.ts'
import { prepare } from '../../../src/workflows/prepare.ts'
import { validate } from '../../../src/workflows/validate.ts'

const outside = createOutside({ allow: [] })
const catalogue = createCatalogue({ outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) }, [], pyspurNodes)

/** The library's config that a stored one means. */
function meant(type: string, config: JsonObject, names: string[] = []): JsonObject {
  const found = configFor(catalogue.get(type)!, config, { id: 'n', title: '', names })
  if (!found.ok) throw new Error(JSON.stringify(found.issues))
  return found.config
}

const definition = (nodes: Node[], links: [string, string, string?][] = []): Definition => ({
  kind: 'workflow',
  settings: { join: 'all', onFailure: 'continue' },
  nodes,
  links: links.map(([source, target, sourceHandle]): Link => ({ source, target, ...(sourceHandle !== undefined && { sourceHandle }) })),
})

const issuesOf = (nodes: Node[], links?: [string, string, string?][]) =>
  validate(definition(nodes, links), catalogue).map(({ nodeId, field, message }) => `${nodeId} ${field}: ${message}`)

/** Of one node of the type behind an input node. */
const issuesIn = (type: string, config: JsonObject) =>
  issuesOf(
    [
      { id: 'in', type: 'InputNode' },
      { id: 'n', type, config },
    ],
    [['in', 'n']],
  )

const llm_info = { model: 'openai/gpt-4o', max_tokens: 64 }
/** The least that each type needs said. */
const least: { [type: string]: JsonObject } = { RouterNode: { route_map: { a: { conditions: [] } } }, SingleLLMCallNode: { llm_info } }
/** What PySpur's editor writes into every config. */
const editor = {
  output_schema: { output: 'string' },
  output_json_schema: '{"type": "object", "properties": {"output": {"type": "string"} } }',
  has_fixed_output: false,
  title: 'x',
  type: 'object',
  unheard: { of: ['{{ nothing }}'] },
}

describe.each(pyspurNodes.map((node) => [node.type, node] as const))('%s', (type, { refused }) => {
  test('means a config that the library takes, whatever else stands in it', () => {
    for (const config of [least[type] ?? {}, { ...least[type], ...editor }, { ...least[type], output_schema: null, output_json_schema: null, has_fixed_output: null }]) {
      if (refused !== undefined) expect(issuesIn(type, config)).toEqual([`n type: ${refused}`])
      else expect(decode(catalogue.get(type)!, meant(type, config, ['a'])).ok).toBe(true)
    }
  })

  test('whatever fits its schema means something, or what is wrong is told at a field of its own', () => {
    const own = catalogue.get(type)!.alias!.config as Schema.Codec<unknown>
    const configs = Effect.runSync(Arbitrary.sampleEffect(Arbitrary.schema(own), { count: 60, seed: 7 })).map((config) => JSON.parse(JSON.stringify(config)) as JsonObject)
    const fields = Object.keys((own as unknown as { fields: object }).fields)
    for (const config of configs) {
      const issues = validate(
        definition(
          [
            { id: 'in', type: 'InputNode' },
            { id: 'n', type, config },
            { id: 'b', type: 'MergeNode', ...(type === 'ForLoopNode' && { parentId: 'n' }) },
          ],
          [['in', 'n']],
        ),
        catalogue,
      )
      for (const { nodeId, field } of issues) {
        expect(nodeId).toBe('n')
        if (refused === undefined) expect(fields).toContain(field!.split('.')[1])
      }
    }
  })

  test('gives the fields of its output schema', () => {
    expect(ownOutputFields(catalogue.get(type)!, { ...least[type], output_schema: { b: 'int', a: 'str' } })).toEqual(['b', 'a'])
    expect(ownOutputFields(catalogue.get(type)!, { ...least[type] })).toEqual([])
  })
})

describe('InputNode', () => {
  const text = '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}'
  test('has a schema when it is to enforce one: that of the text, else that of the types', () => {
    expect(meant('InputNode', { output_json_schema: text, output_schema: { x: 'string' } })).toEqual({})
    expect(meant('InputNode', { enforce_schema: true, output_json_schema: text, output_schema: { x: 'string' } })).toEqual({ schema: JSON.parse(text) as unknown })
    const output_schema = { s: 'str', i: 'int', f: 'float', b: 'bool', l: 'List[Dict[str, str]]', d: 'dict', o: 'Object', x: 'Whatever', y: 7 }
    const properties = {
      s: { type: 'string' },
      i: { type: 'integer' },
      f: { type: 'number' },
      b: { type: 'boolean' },
      l: { type: 'array' },
      d: { type: 'object' },
      o: { type: 'object' },
      x: {},
      y: {},
    }
    expect(meant('InputNode', { enforce_schema: true, output_json_schema: ' ', output_schema })).toEqual({
      schema: { type: 'object', properties, required: Object.keys(properties) },
    })
  })

  test('whose schema cannot be read, or not be used, says so where it stands; one that enforces nothing does not', () => {
    const said = 'config.output_json_schema: This is not the text of a JSON Schema: JSON of an object is expected, at most 64 levels deep'
    expect(issuesOf([{ id: 'i', type: 'InputNode', config: { enforce_schema: true, output_json_schema: '{oh' } }])).toEqual([`i ${said}`])
    expect(issuesOf([{ id: 'i', type: 'InputNode', config: { enforce_schema: true, output_json_schema: '[]' } }])).toEqual([`i ${said}`])
    expect(issuesOf([{ id: 'i', type: 'InputNode', config: { output_json_schema: '{oh' } }])).toEqual([])
    const deep = `${'{"not":'.repeat(100_000)}{}${'}'.repeat(100_000)}`
    expect(issuesOf([{ id: 'i', type: 'InputNode', config: { enforce_schema: true, output_json_schema: deep } }])).toEqual([`i ${said}`])
    const unusable = { enforce_schema: true, output_json_schema: '{"properties":{"a":{"pattern":"x"}}}' }
    expect(issuesOf([{ id: 'i', type: 'InputNode', config: unusable }])).toEqual([expect.stringMatching(/^i config\.output_json_schema\.properties\.a\.pattern: /)])
  })
})

describe('OutputNode', () => {
  test('maps paths, and without any lets through what comes in', () => {
    expect(meant('OutputNode', { output_map: { a: 'in.x' } })).toEqual({ map: { a: 'in.x' } })
    expect(meant('OutputNode', { output_map: {} })).toEqual({})
    expect(meant('OutputNode', { output_map: null })).toEqual({})
  })

  test('names a path that leads to no step where it stands', () => {
    expect(issuesIn('OutputNode', { output_map: { a: 'in.x', b: 'ghost.x', c: '' } })).toEqual([
      expect.stringMatching(/^n config\.output_map\.b: ghost.* names no step before this one/),
    ])
    expect(issuesIn('OutputNode', { output_map: { a: 1 } })).toEqual([expect.stringMatching(/^n config\.output_map\.a: Expected string/)])
  })
})

describe('RouterNode', () => {
  const condition = (variable: string, operator: string, value?: string, logicalOperator?: string) => ({
    variable,
    operator,
    ...(value !== undefined && { value }),
    ...(logicalOperator !== undefined && { logicalOperator }),
  })

  test('takes the first route whose rules match, and lets through what came by step', () => {
    const conditions = [
      condition('in.x', 'equals', 'a', 'OR'),
      condition('in.y', 'is_empty', undefined, 'OR'),
      condition('in.z', 'less_than', '3', 'AND'),
      condition('in.z', 'less_than', '3'),
    ]
    expect(meant('RouterNode', { route_map: { first: { conditions }, always: { conditions: [] }, open: {} } })).toEqual({
      mode: 'first',
      passes: 'steps',
      routes: [
        {
          name: 'first',
          rules: [
            // What joins the first to those before it joins nothing.
            { value: 'in.x', operator: 'equals', operand: 'a' },
            { value: 'in.y', operator: 'is_empty', or: true },
            { value: 'in.z', operator: 'less_than', operand: '3' },
            { value: 'in.z', operator: 'less_than', operand: '3' },
          ],
        },
        { name: 'always', rules: [] },
        { name: 'open', rules: [] },
      ],
    })
  })

  test('has no variable that is blank match anything, not even as empty', () => {
    const routes = { route_map: { a: { conditions: [condition(' ', 'is_empty'), { operator: 'is_empty', logicalOperator: 'OR' }] } } }
    const never = { value: null, operator: 'is_not_empty' }
    expect(meant('RouterNode', routes)['routes']).toEqual([{ name: 'a', rules: [never, { ...never, or: true }] }])
  })

  test('tells what is wrong where it stands', () => {
    const conditions = [condition('in.x', 'equals', 'a'), condition('ghost.x', 'equals', 'a')]
    expect(issuesIn('RouterNode', { route_map: { 'y.es': { conditions } } })).toEqual([expect.stringMatching(/^n config\.route_map\.y\.es\.conditions\.1\.variable: ghost/)])
    expect(issuesIn('RouterNode', { route_map: { yes: { conditions: [condition('in.x', 'matches', 'a')] } } })).toEqual([
      expect.stringMatching(/^n config\.route_map\.yes\.conditions\.0\.operator: /),
    ])
    expect(issuesIn('RouterNode', { route_map: { failed: {} } })).toEqual(['n config.route_map.failed: "failed" is a handle of every node'])
    expect(issuesIn('RouterNode', { route_map: {} })).toEqual([expect.stringMatching(/^n config\.route_map: /)])
    expect(issuesIn('RouterNode', {})).toEqual([expect.stringMatching(/^n config\.route_map: /)])
    const tooMany = Array.from({ length: 101 }, () => condition('in.x', 'is_empty'))
    expect(issuesIn('RouterNode', { route_map: { yes: { conditions: tooMany } } })).toEqual([expect.stringMatching(/^n config\.route_map\.yes\.conditions: /)])
  })

  test('has its routes for handles, and no other node goes by the handles that links name', () => {
    const nodes: Node[] = [
      { id: 'in', type: 'InputNode' },
      { id: 'r', type: 'RouterNode', config: { route_map: { yes: { conditions: [] } } } },
      { id: 'o', type: 'OutputNode' },
    ]
    expect(
      issuesOf(nodes, [
        ['in', 'r', 'in'],
        ['r', 'o', 'yes'],
      ]),
    ).toEqual([])
    expect(
      issuesOf(nodes, [
        ['in', 'r', 'in'],
        ['r', 'o', 'no'],
      ]),
    ).toEqual(['r links.1.sourceHandle: r has no handle no; it has default, failed, yes'])
  })

  test('reads nothing of what it compares with', () => {
    const config = { route_map: { a: { conditions: [condition('in.x', 'equals', '{{ nodes.ghost }}')] } } }
    expect(issuesIn('RouterNode', config)).toEqual([])
    const graph = graphOf(
      definition(
        [
          { id: 'in', type: 'InputNode' },
          { id: 'n', type: 'RouterNode', config },
        ],
        [['in', 'n']],
      ),
      catalogue,
    )
    const routes = [{ name: 'a', rules: [{ value: 7, operator: 'equals', operand: '{{ nodes.ghost }}' }] }]
    expect(
      prepare(graph, catalogue)
        .node('n')
        .render({ nodes: { in: { x: 7 } } }),
    ).toMatchObject({ routes })
  })
})

test('a large config is told of in little more time than it is read in, however many links ask for its handles', () => {
  const conditions = Array.from({ length: 4_000 }, (_, at) => ({ variable: `ghost${at}.x`, operator: 'equals', value: 'a' }))
  const nodes: Node[] = [
    { id: 'in', type: 'InputNode' },
    { id: 'r', type: 'RouterNode', config: { route_map: { yes: { conditions } } } },
    ...Array.from({ length: 900 }, (_, at): Node => ({ id: `n${at}`, type: 'MergeNode' })),
  ]
  const links = nodes.slice(2).map(({ id }): [string, string, string] => ['r', id, 'yes'])
  const began = process.cpuUsage()
  expect(issuesOf(nodes, [['in', 'r'], ...links])).toHaveLength(4_001)
  const { user, system } = process.cpuUsage(began)
  expect((user + system) / 1_000).toBeLessThan(10_000)
})

describe('HumanInterventionNode', () => {
  test('asks for an approval, with a message that is read as it stands', () => {
    const asked = { kind: 'approval', message: 'Human intervention required', blocks: 'dependants', passes: 'steps' }
    expect(meant('HumanInterventionNode', {})).toEqual(asked)
    expect(meant('HumanInterventionNode', { message: ' ', block_only_dependent_nodes: true })).toEqual(asked)
    expect(meant('HumanInterventionNode', { message: 'Sure?', block_only_dependent_nodes: false })).toEqual({ ...asked, message: 'Sure?', blocks: 'run' })
    expect(issuesIn('HumanInterventionNode', { message: '{{ nodes.ghost }} {% oh' })).toEqual([])
    expect(issuesIn('HumanInterventionNode', { message: 7 })).toEqual([expect.stringMatching(/^n config\.message: Expected string/)])
  })
})

describe('ForLoopNode', () => {
  const loop = { carry: 'merge', historyAs: 'loop_history', gives: 'iteration' }
  test('begins with what its map says, else with all that comes in by title', () => {
    expect(meant('ForLoopNode', { num_iterations: 3, input_map: { n: 'in.x' } }, ['in'])).toEqual({ ...loop, times: 3, start: { n: 'in.x' } })
    expect(meant('ForLoopNode', { input_map: {} }, ['in', 'an other'])).toEqual({ ...loop, times: 1, start: { in: 'in', 'an other': 'an other' } })
  })

  test('runs at least once, and not for ever', () => {
    const body: Node = { id: 'b', type: 'MergeNode', parentId: 'n' }
    const issues = (config: JsonObject) => issuesOf([{ id: 'in', type: 'InputNode' }, { id: 'n', type: 'ForLoopNode', config }, body], [['in', 'n']])
    expect(issues({ num_iterations: 2 })).toEqual([])
    expect(issues({ num_iterations: 0 })).toEqual([expect.stringMatching(/^n config\.num_iterations: /)])
    expect(issues({ num_iterations: 1_000_000 })).toEqual([expect.stringMatching(/^n config\.num_iterations: /)])
    expect(issues({ input_map: { a: 'ghost' } })).toEqual([expect.stringMatching(/^n config\.input_map\.a: ghost/)])
  })
})

describe('SingleLLMCallNode', () => {
  const output_json_schema = '{"type":"object","properties":{"a":{"type":"string"}}}'
  const outputSchema = JSON.parse(output_json_schema) as JsonObject

  test('asks the model by its bare name for what fits the schema', () => {
    const config = {
      llm_info: { ...llm_info, temperature: 0.5, top_p: null },
      system_message: 'Be {{ in.x }}',
      user_message: 'Hi {{ in.name }}',
      output_json_schema,
      few_shot_examples: null,
    }
    const asked = { model: 'gpt-4o', maxTokens: 64, temperature: 0.5, system: 'Be {{ in.x }}', prompt: 'Hi {{ in.name }}', outputSchema, gives: 'structured' }
    expect(meant('SingleLLMCallNode', config)).toMatchObject(asked)
    expect(meant('SingleLLMCallNode', { llm_info: { model: 'offline' } })).toMatchObject({
      model: 'offline',
      outputSchema: { properties: { output: { type: 'string' } }, required: ['output'] },
    })
    expect(meant('SingleLLMCallNode', { llm_info: { model: 'anthropic/claude' } })['model']).toBe('anthropic/claude')
  })

  test('is shown examples as they stand, and the messages before', () => {
    const config = { llm_info, user_message: 'x', few_shot_examples: [{ input: '{{ a }}', output: 'b' }], enable_message_history: true, message_history_variable: 'in.said' }
    expect(meant('SingleLLMCallNode', config)).toMatchObject({ examples: [{ user: '{{ a }}', assistant: 'b' }], history: 'in.said' })
    expect(issuesIn('SingleLLMCallNode', config)).toEqual([])
    expect(meant('SingleLLMCallNode', { ...config, enable_message_history: false })).not.toHaveProperty('history')
    expect(meant('SingleLLMCallNode', { ...config, message_history_variable: '' })).not.toHaveProperty('history')
    expect(issuesIn('SingleLLMCallNode', { ...config, message_history_variable: 'ghost.said' })).toEqual([expect.stringMatching(/^n config\.message_history_variable: ghost/)])
  })

  test('asked nothing, is told all that comes in as JSON, whatever the titles are', () => {
    const titles = ['in', 'it\'s "odd"', '{{ x }}', 'a}}b', 'back\\slash']
    const nodes: Node[] = [
      ...titles.map((title, at): Node => ({ id: `i${at}`, type: 'InputNode', title })),
      { id: 'n', type: 'SingleLLMCallNode', config: { llm_info, user_message: ' ' } },
    ]
    const made = definition(
      nodes,
      titles.map((_, at) => [`i${at}`, 'n']),
    )
    expect(validate(made, catalogue)).toEqual([])
    const outputs = Object.fromEntries(titles.map((title, at) => [title, { at, text: '"{{ x }}"' }]))
    const { prompt } = prepare(graphOf(made, catalogue), catalogue).node('n').render({ nodes: outputs }) as { prompt: string }
    expect(JSON.parse(prompt)).toEqual(outputs)
  })

  test('tells what is wrong where it stands', () => {
    const issues = (config: JsonObject) => issuesIn('SingleLLMCallNode', { llm_info, user_message: 'x', ...config })
    expect(issues({ llm_info: { model: 'm', max_tokens: 0 } })).toEqual([expect.stringMatching(/^n config\.llm_info\.max_tokens: /)])
    expect(issues({ llm_info: {} })).toEqual([expect.stringMatching(/^n config\.llm_info\.model: /)])
    expect(issues({ llm_info: { model: 'openai/' } })).toEqual([expect.stringMatching(/^n config\.llm_info\.model: /)])
    expect(issues({ output_json_schema: 'oh' })).toEqual([expect.stringMatching(/^n config\.output_json_schema: This is not/)])
    expect(issues({ url_variables: { file: 'in.url', other: null } })).toEqual(['n config.url_variables.file: Files are not handed to models here: leave it empty'])
    expect(issues({ url_variables: { file: '' } })).toEqual([])
    expect(issues({ few_shot_examples: [{ input: 'x' }] })).toEqual([expect.stringMatching(/^n config\.few_shot_examples\.0\.output: /)])
  })
})

test('StaticValueNode gives constants, which nothing reads', () => {
  expect(meant('StaticValueNode', { values: { a: '{{ nodes.ghost }}', b: [1, null] } })).toEqual({ values: { a: '{{ nodes.ghost }}', b: [1, null] } })
  expect(issuesIn('StaticValueNode', { values: { a: '{{ nodes.ghost }}', b: { c: '{% oh' } } })).toEqual([])
})

test('CoalesceNode prefers by title, MergeNode keeps by title', () => {
  expect(meant('CoalesceNode', { preferences: ['b', 'a'] })).toEqual({ order: ['b', 'a'] })
  expect(meant('MergeNode', {})).toEqual({ by: 'step' })
})
