import type { Json, JsonObject } from '@sluice/schema'
import { NodeType } from '@sluice/schema'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { Arbitrary, Effect, Schema } from 'effect'
import fc from 'fast-check'
import { describe as group, expect, test } from 'vitest'
import { pyspurNodes } from '../../src/dialects/pyspur/nodes.ts'
import { createCatalogue } from '../../src/nodes/catalogue.ts'
import type { AnyNode } from '../../src/nodes/contract.ts'
import { describe } from '../../src/nodes/describe.ts'
import { createModels } from '../../src/models/models.ts'
import { createOutside } from '../../src/outside/outside.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'

const outside = createOutside({ allow: [] })
const catalogue = createCatalogue({ outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) })
const nodes = catalogue.list().map((node) => [node.type, node] as const)
const decodes = (node: AnyNode, config: unknown) => Schema.decodeUnknownResult(node.config as Schema.Codec<unknown>)(config, { onExcessProperty: 'error' })._tag === 'Success'
const fieldsOf = (node: AnyNode) => Object.entries((describe(node).config['properties'] ?? {}) as { [field: string]: JsonObject })
const accepts = (node: AnyNode) => new Ajv2020({ strict: false }).compile(describe(node).config)
// What is generated may hold what JSON cannot say; what reaches a node has been JSON.
const asJson = (value: unknown) => JSON.parse(JSON.stringify(value)) as JsonObject
const samples = (node: AnyNode, count: number) => Effect.runSync(Arbitrary.sampleEffect(Arbitrary.schema(node.config as Schema.Codec<unknown>), { count, seed: 42 })).map(asJson)

test('the catalogue has the node types of the design, each once', () => {
  expect(nodes.map(([type]) => type)).toEqual([
    'input',
    'output',
    'static-value',
    'template',
    'router',
    'merge',
    'coalesce',
    'http-request',
    'code',
    'llm',
    'human',
    'signal',
    'external',
    'delay',
    'tools',
    'tool',
    'turn',
    'map',
    'loop',
    'subworkflow',
    'ready-tasks',
    'log',
    'set-context',
    'respond',
    'file-write',
    'counter',
    'iterator',
    'webhook',
    'queue-reader',
    'queue-push',
    'function',
    'function-undo',
    'function-choice',
    'function-result',
    'function-child',
  ])
  expect(catalogue.get('router')?.type).toBe('router')
  expect(catalogue.get('constructor')).toBeUndefined()
})

test('a program brings node types of its own, and cannot put one in the place of another', () => {
  const foundations = { outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) }
  const mine = { ...catalogue.get('log')!, type: 'mine' }
  const wider = createCatalogue(foundations, [mine])
  expect(wider.list()).toHaveLength(nodes.length + 1)
  expect(wider.get('mine')).toBe(mine)
  expect(() => createCatalogue(foundations, [{ ...mine, type: 'log' }])).toThrow('two node types log')
})

group.each(nodes)('%s', (_, node) => {
  test('describes itself, with a title for each field', () => {
    const described = describe(node)
    expect(NodeType.parse(described)).toEqual(described)
    expect(JSON.parse(JSON.stringify(described))).toEqual(described)
    expect(fieldsOf(node).filter(([, schema]) => typeof schema['title'] !== 'string')).toEqual([])
    expect(JSON.stringify(described.config)).not.toMatch(/Infinity|NaN/)
  })

  test('generated configs decode, fit the JSON Schema and pass the check without an exception', () => {
    const fits = accepts(node)
    const configs = samples(node, 30)
    expect(configs.length).toBe(30)
    expect(configs.filter((config) => !decodes(node, config))).toEqual([])
    expect(configs.filter((config) => !fits(config))).toEqual([])
    for (const config of configs) expect(() => node.check?.(config)).not.toThrow()
  })

  test('what decodes fits its JSON Schema, and the other way round, also after changes', () => {
    const fits = accepts(node)
    const changed = fc
      .tuple(fc.constantFrom(...samples(node, 15)), fc.array(fc.tuple(fc.nat(), fc.jsonValue() as fc.Arbitrary<Json>), { maxLength: 3 }))
      .map(([config, changes]) => changes.reduce((value, [at, by]) => replaced(value, at, by), config as Json))
    fc.assert(
      fc.property(changed, (config) => {
        if (typeof config !== 'object' || config === null || Array.isArray(config)) return
        expect({ config, fits: fits(config) }).toEqual({ config, fits: decodes(node, config) })
        expect(() => node.check?.(config)).not.toThrow()
      }),
      { numRuns: 150, seed: 42 },
    )
  })
})

/** The value with one of the places inside it replaced, dropped or added to. */
function replaced(value: Json, at: number, by: Json): Json {
  if (typeof value !== 'object' || value === null) return by
  const entries = Object.entries(value)
  const place = at % (entries.length + 1)
  const rest = Math.floor(at / (entries.length + 1))
  if (place === entries.length) return Array.isArray(value) ? [...value, by] : Object.fromEntries([...entries, [typeof by === 'string' ? by : 'added', by]])
  const next = entries.flatMap(([key, each], index): [string, Json][] => (index !== place ? [[key, each]] : rest % 3 === 0 ? [] : [[key, replaced(each, rest, by)]]))
  return Array.isArray(value) ? next.map(([, each]) => each) : Object.fromEntries(next)
}

group('readings', () => {
  const reading = (type: string, ...path: string[]) => path.reduce<JsonObject>((schema, key) => schema[key] as JsonObject, describe(catalogue.get(type)!).config)['x-reading']
  test('stand at the fields they are about', () => {
    expect(reading('router', 'properties', 'routes', 'items', 'properties', 'when')).toBe('condition')
    expect(reading('router', 'properties', 'routes', 'items', 'properties', 'rules', 'items', 'properties', 'value')).toBe('value')
    expect(reading('router', 'properties', 'routes', 'items', 'properties', 'rules', 'items', 'properties', 'operand')).toBe('raw')
    expect(reading('static-value', 'properties', 'values')).toBe('value')
    expect(reading('map', 'properties', 'items')).toBe('expression')
    expect(reading('code', 'properties', 'source')).toBe('raw')
    expect(reading('http-request', 'properties', 'body')).toBe('value')
    expect(reading('http-request', 'properties', 'url')).toBe('template')
    expect(reading('http-request', 'properties', 'headers', 'additionalProperties')).toBe('template')
    expect(reading('human', 'properties', 'onExpiry', 'properties', 'inputs')).toBe('value')
  })
  test('and every field that may be text has one', () => {
    const mayBeText = ({ type, anyOf }: JsonObject) => type === 'string' || (type === undefined && JSON.stringify(anyOf ?? '"string"').includes('"string"'))
    const unmarked = nodes.flatMap(([type, node]) =>
      fieldsOf(node)
        .filter(([, schema]) => mayBeText(schema) && typeof schema['x-reading'] !== 'string')
        .map(([field]) => `${type}.${field}`),
    )
    expect(unmarked).toEqual([])
  })
})

group('an alias', () => {
  const aliased = createCatalogue({ outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) }, [], pyspurNodes)
  test('is told apart from node types, and says what it is another name of', () => {
    expect(describe(aliased.get('RouterNode')!)).toMatchObject({ type: 'RouterNode', alias: { dialect: 'pyspur', of: 'router' }, handles: { fixed: [], fromConfig: null } })
    expect(describe(aliased.get('ForLoopNode')!)).toMatchObject({ body: true, alias: { of: 'loop' } })
    expect(describe(aliased.get('router')!).alias).toBeNull()
  })

  test('shows its own config, in which other keys may stand, and how its texts are read', () => {
    const described = describe(aliased.get('SingleLLMCallNode')!)
    expect(NodeType.parse(described)).toEqual(described)
    expect(described.config).toMatchObject({
      required: ['llm_info'],
      additionalProperties: true,
      properties: { user_message: { 'x-reading': 'jinja' }, message_history_variable: { 'x-reading': 'path' }, output_json_schema: { 'x-reading': 'raw' } },
    })
    expect(described.config['properties']).not.toHaveProperty('prompt')
  })

  test.each(aliased.list('pyspur').map((node) => [node.type, node] as const))('%s: each field has a title, and what its schema takes is what it takes', (_, node) => {
    const { config } = describe(node)
    expect(Object.entries(config['properties'] as { [field: string]: JsonObject }).filter(([, schema]) => typeof schema['title'] !== 'string')).toEqual([])
    const fits = new Ajv2020({ strict: false }).compile(config)
    const own = node.alias!.config as Schema.Codec<unknown>
    const configs = Effect.runSync(Arbitrary.sampleEffect(Arbitrary.schema(own), { count: 30, seed: 42 })).map(asJson)
    expect(configs.filter((each) => !fits({ ...each, unheard: 1 }))).toEqual([])
  })
})
