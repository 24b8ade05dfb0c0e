import type { Definition, JsonObject, Link, Node } from '@sluice/schema'
import { Schema } from 'effect'
import { describe, expect, test } from 'vitest'
import { createModels } from '../../src/models/models.ts'
import { createCatalogue } from '../../src/nodes/catalogue.ts'
import { type AnyAlias, type Mapped, type NodeAlias, StepFailure } from '../../src/nodes/contract.ts'
import { createOutside } from '../../src/outside/outside.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import { ownOutputFields } from '../../src/workflows/config.ts'
import { graphOf } from '../../src/workflows/graph.ts'
import { inputNodesOf, schemaOfInput } from '../../src/workflows/input-nodes.ts'
import { outputsOf } from '../../src/workflows/outputs.ts'
import { missingIn } from '../../src/workflows/missing.ts'
import { prepare } from '../../src/workflows/prepare.ts'
import { validate } from '../../src/workflows/validate.ts'

/** Keeps the config's type between its schema and what it means. */
const defineAlias = <C>(alias: NodeAlias<C>): NodeAlias<C> => alias
const about = { dialect: 'pyspur', title: 'Toy', description: 'A toy', category: 'flow' } as const

const Begin = defineAlias({
  ...about,
  type: 'Begin',
  of: 'input',
  config: Schema.Struct({ accepts: Schema.optionalKey(Schema.Literals(['text', 'number'])) }),
  outputFields: ({ accepts }) => (accepts ? [accepts] : []),
  map: ({ accepts }): Mapped => ({ config: accepts ? { schema: { type: accepts === 'text' ? 'string' : accepts } } : {}, places: [[['schema'], ['accepts']]] }),
})

const Switch = defineAlias({
  ...about,
  type: 'Switch',
  of: 'router',
  config: Schema.Struct({ cases: Schema.Record(Schema.String, Schema.Struct({ if: Schema.String })) }),
  map: ({ cases }) => ({
    config: { routes: Object.entries(cases).map(([name, { if: when }]) => ({ name, when })) },
    places: Object.keys(cases).flatMap((name, at) => [
      [
        ['routes', at],
        ['cases', name],
      ] as const,
      [
        ['routes', at, 'when'],
        ['cases', name, 'if'],
      ] as const,
    ]),
  }),
})

const Say = defineAlias({
  ...about,
  type: 'Say',
  of: 'template',
  config: Schema.Struct({ words: Schema.optionalKey(Schema.String), twice: Schema.optionalKey(Schema.Boolean) }),
  reads: { words: 'template' },
  check: ({ words }) => (words === 'silence' ? [{ path: ['words'], message: 'Say something' }] : []),
  map: ({ words = '' }, { names, title }) => ({ config: { text: words === '' ? `${title} after ${names.join(' and ')}` : words }, places: [[['text'], ['words']]] }),
  leaves: 'default',
})

const Ask = defineAlias({
  ...about,
  type: 'Ask',
  of: 'human',
  config: Schema.Struct({}),
  leaves: 'default',
  map: () => ({ config: { kind: 'approval', message: '{{ oh }}' }, places: [] }),
  readings: { message: 'raw', kind: 'raw' },
})

const Gone = defineAlias({ ...about, type: 'Gone', of: 'code', config: Schema.Struct({}), refused: 'Goneness is not done here: use code' })
const First = defineAlias({ ...about, type: 'First', of: 'coalesce', config: Schema.Struct({}), map: () => ({ config: {}, places: [] }) })
const Ramble = defineAlias({
  ...about,
  type: 'Ramble',
  of: 'template',
  config: Schema.Struct({}),
  map: () => ({ config: { text: 'x', noise: 1 }, places: [] }),
})
const Given = defineAlias({
  ...about,
  type: 'Given',
  of: 'static-value',
  config: Schema.Record(Schema.String, Schema.Int),
  map: (values) => ({ config: { values: { ...values } }, places: [] }),
})
const Quote = defineAlias({
  ...about,
  type: 'Quote',
  of: 'template',
  config: Schema.Struct({ text: Schema.String, as: Schema.optionalKey(Schema.Literal('is')) }),
  map: ({ text, as }) => ({ config: { text }, places: [], ...(as && { readings: { text: 'raw' } as const }) }),
})

const Measured = defineAlias({
  ...about,
  type: 'Measured',
  of: 'static-value',
  config: Schema.Struct({ size: Schema.Union([Schema.Int, Schema.String]), more: Schema.optionalKey(Schema.Union([Schema.String, Schema.Record(Schema.String, Schema.String)])) }),
  reads: { size: 'value', more: 'template', 'more.*': 'template' },
  check: ({ size }) => (typeof size === 'number' && size > 9 ? [{ path: ['size'], message: 'Too large' }] : []),
  settles: {
    opens: (config) => ({ ...config, ...(typeof config['more'] === 'string' && config['more'].endsWith('"}') && { more: JSON.parse(config['more']) as JsonObject }) }),
    refusal: 'It does not measure up',
  },
  map: ({ size, more }) => ({ config: { values: { size, more: more ?? null } }, places: [[['values'], ['size']]] }),
})

const aliases: AnyAlias[] = [Begin, Switch, Say, Ask, Gone, First, Ramble, Given, Quote, Measured]
const outside = createOutside({ allow: [] })
const foundations = { outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) }
const catalogue = createCatalogue(foundations, [], aliases)

const definition = (nodes: Node[], links: [string, string, string?][] = []): Definition => ({
  kind: 'workflow',
  nodes,
  links: links.map(([source, target, sourceHandle]): Link => ({ source, target, ...(sourceHandle !== undefined && { sourceHandle }) })),
})
const issuesOf = (...given: Parameters<typeof definition>) => validate(definition(...given), catalogue).map(({ nodeId, field, message }) => `${nodeId} ${field}: ${message}`)
const preparedOf = (id: string, ...given: Parameters<typeof definition>) => prepare(graphOf(definition(...given), catalogue), catalogue).node(id)

describe('an alias that settles', () => {
  const measured = (config: JsonObject) =>
    [
      { id: 'a', type: 'input' },
      { id: 'n', type: 'Measured', config },
    ] satisfies Node[]
  const links: [string, string][] = [['a', 'n']]
  const settled = (config: JsonObject, data: JsonObject = {}) => preparedOf('n', measured(config), links).render({ data })

  test('is read before it is decoded, checked and mapped, and what it then means is read no more', () => {
    expect(settled({ size: '{{ data.n }}', more: '{{ data.text }}' }, { n: 3, text: '{{ data.n }}' })).toEqual({ values: { size: 3, more: '{{ data.n }}' } })
    expect(settled({ size: 4, unheard: '{{ nothing }}' })).toEqual({ values: { size: 4, more: null } })
  })

  test('opens what is written in it, and then what was read', () => {
    expect(settled({ size: 1, more: '{"a":"{{ data.x }}"}' }, { x: 'so "it" is' })).toEqual({ values: { size: 1, more: { a: 'so "it" is' } } })
    expect(settled({ size: 1, more: '{{ data.x }}' }, { x: '{"a":"b"}' })).toEqual({ values: { size: 1, more: { a: 'b' } } })
  })

  test('says in its own words what does not fit when it has been read', () => {
    const failed = (config: JsonObject, data: JsonObject) => {
      try {
        return settled(config, data)
      } catch (error) {
        return error
      }
    }
    const refused = failed({ size: '{{ data.n }}' }, { n: 10 })
    expect(refused).toBeInstanceOf(StepFailure)
    expect(refused).toMatchObject({
      code: 'config_invalid',
      message: 'It does not measure up: size: Too large',
      retry: false,
      details: [{ field: 'config.size', message: 'Too large' }],
    })
    expect(failed({ size: '{{ data.n }}' }, { n: null })).toMatchObject({ message: expect.stringMatching(/^It does not measure up: size: /) })
  })

  test('is looked at as it is written when its definition is validated', () => {
    const issues = (config: JsonObject) => issuesOf(measured(config), links)
    expect(issues({ size: '{{ data.n }}', more: '{"a":"{{ data.x }}"}' })).toEqual([])
    expect(issues({ size: 10 })).toEqual(['n config.size: Too large'])
    expect(issues({ size: null })).toEqual([expect.stringMatching(/^n config\.size: /)])
    expect(issues({ size: 1, more: '{"a":"{{ ghost }}"}' })).toEqual([expect.stringMatching(/^n config\.more\.a: ghost is not known here/)])
    expect(issues({ size: 1, more: '{{ oh' })).toEqual([expect.stringMatching(/^n config\.more: /)])
  })
})

describe('the catalogue', () => {
  test('knows an alias by its own name, with the behaviour of what it stands for', () => {
    const node = catalogue.get('Switch')!
    expect(node).toMatchObject({ type: 'Switch', title: 'Toy', alias: { dialect: 'pyspur', of: 'router' } })
    expect(node.behaviour).toBe(catalogue.get('router')!.behaviour)
    expect(catalogue.get('router')!.alias).toBeUndefined()
    expect(catalogue.get('Ask')!.readings).toEqual({ message: 'raw', kind: 'raw' })
    expect(catalogue.get('Say')!.readings).toBe(catalogue.get('template')!.readings)
  })

  test('lists the aliases of a dialect apart from the node types', () => {
    expect(catalogue.list().map(({ type }) => type)).not.toContain('Switch')
    expect(catalogue.list('pyspur').map(({ type }) => type)).toEqual(aliases.map(({ type }) => type))
    expect(createCatalogue(foundations).list('pyspur')).toEqual([])
  })

  test('refuses at once an alias of nothing, and a name that is taken', () => {
    expect(() => createCatalogue(foundations, [], [{ ...Say, of: 'nothing' }])).toThrow('Say is a name of the node type nothing, which is not here')
    expect(() => createCatalogue(foundations, [], [Say, { ...Ask, type: 'Say' }])).toThrow('two node types Say')
    expect(() => createCatalogue(foundations, [], [{ ...Say, type: 'router' }])).toThrow('two node types router')
    expect(() => createCatalogue(foundations, [], [Say, { ...Ask, of: 'Say' }])).toThrow('Ask is a name of the node type Say, which is not here')
  })
})

describe('the graph', () => {
  test('keeps the name that the definition has, and knows what it stands for', () => {
    const { nodes } = graphOf(
      definition([
        { id: 'a', type: 'Begin' },
        { id: 'b', type: 'template' },
        { id: 'c', type: 'unheard-of' },
      ]),
      catalogue,
    )
    expect([...nodes.values()].map(({ type, is }) => [type, is])).toEqual([
      ['Begin', 'input'],
      ['template', 'template'],
      ['unheard-of', 'unheard-of'],
    ])
    expect(nodes.get('a')!.entry).toBe(true)
    expect(nodes.get('b')!.entry).toBe(false)
  })

  test('lets an alias of coalesce run when one way in is there, whatever the definition says', () => {
    const { nodes } = graphOf({ ...definition([{ id: 'a', type: 'First', settings: { join: 'all' } }]), settings: { join: 'all' } }, catalogue)
    expect(nodes.get('a')!.join).toBe('any')
  })

  test('of an alias that leaves by default, takes no handle but those every node of the type has', () => {
    const made = definition(
      [
        { id: 'a', type: 'Begin' },
        { id: 's', type: 'Ask' },
        { id: 'z', type: 'template', config: { text: '' } },
      ],
      [['a', 's'], ...['q', 'failed', 'declined', 'default'].map((handle): [string, string, string] => ['s', 'z', handle])],
    )
    const { nodes } = graphOf(made, catalogue)
    expect(nodes.get('s')!.outgoing.map(({ handle }) => handle)).toEqual(['default', 'failed', 'declined', 'default'])
    expect(nodes.get('s')!.alsoDefault).toEqual(['q'])
    expect(nodes.get('a')!.alsoDefault).toEqual([])
    expect(validate(made, catalogue)).toEqual([])
  })
})

describe('validation', () => {
  test('tells what is wrong with the own config at its own places, all of it, and goes no further', () => {
    expect(issuesOf([{ id: 's', type: 'Switch', config: { cases: { yes: { if: 1 }, no: {} } } }])).toEqual([
      expect.stringMatching(/^s config\.cases\.yes\.if: Expected string/),
      expect.stringMatching(/^s config\.cases\.no\.if: /),
    ])
    expect(issuesOf([{ id: 's', type: 'Say', config: { words: 'silence' } }])).toEqual(['s config.words: Say something'])
  })

  test('allows keys that the alias does not know', () => {
    expect(issuesOf([{ id: 's', type: 'Say', config: { words: 'hello', has_fixed_output: false, deep: { is: '{{ not read' } } }])).toEqual([])
  })

  test('tells what is wrong with the mapped config where it is said in the own one', () => {
    const issues = issuesOf([{ id: 's', type: 'Switch', config: { cases: { 'a.b': { if: 'input.x >' }, failed: { if: 'true' } } } }])
    expect(issues).toEqual([expect.stringMatching(/^s config\.cases\.a\.b\.if: /), 's config.cases.failed.name: "failed" is a handle of every node'])
    expect(issuesOf([{ id: 's', type: 'Say', config: { words: '{{ nodes.ghost }}' } }])).toEqual([
      expect.stringMatching(/^s config\.words: nodes\.ghost names no step before this one/),
    ])
  })

  test('tells at the config what has no place of its own', () => {
    expect(issuesOf([{ id: 'r', type: 'Ramble' }])).toEqual(['r config: This key is not known here'])
  })

  test('knows the handles that the mapped config names', () => {
    const nodes: Node[] = [
      { id: 's', type: 'Switch', config: { cases: { yes: { if: 'true' } } } },
      { id: 'z', type: 'template', config: { text: '' } },
    ]
    expect(issuesOf(nodes, [['s', 'z', 'yes']])).toEqual([])
    expect(issuesOf(nodes, [['s', 'z', 'maybe']])).toEqual(['s links.0.sourceHandle: s has no handle maybe; it has default, failed, yes'])
    // Of a config that says nothing nobody can tell: what is wrong with it is told, and no more.
    expect(issuesOf([{ ...nodes[0]!, config: {} }, nodes[1]!], [['s', 'z', 'yes']])).toEqual([expect.stringMatching(/^s config\.cases: /)])
  })

  test('refuses what is known and not done here, by its reason', () => {
    expect(issuesOf([{ id: 'g', type: 'Gone', config: { anything: 1 } }])).toEqual(['g type: Goneness is not done here: use code'])
    expect(issuesOf([{ id: 't', type: 'template', config: { text: '' }, settings: { compensate: { type: 'Gone' } } }])).toEqual([
      't settings.compensate.type: Goneness is not done here: use code',
    ])
    expect(missingIn(definition([{ id: 'g', type: 'Gone' }]), catalogue)).toEqual([])
  })

  test('reads an undoing by an alias like any other', () => {
    const undone = (config: Node['config']): Node => ({ id: 't', type: 'template', config: { text: '' }, settings: { compensate: { type: 'Say', config } } })
    expect(issuesOf([undone({ words: 'back' })])).toEqual([])
    expect(issuesOf([undone({ words: 1 })])).toEqual([expect.stringMatching(/^t settings\.compensate\.config\.words: /)])
    expect(issuesOf([undone({ words: '{{ nodes.ghost }}' })])).toEqual([expect.stringMatching(/^t settings\.compensate\.config\.words: /)])
  })
})

describe('at run time', () => {
  test('a stored config gives what it means, knowing the steps before it', () => {
    expect(preparedOf('s', [{ id: 's', type: 'Say', config: { words: '{{ nodes.a.x }}!' } }]).render({ nodes: { a: { x: 7 } } })).toEqual({ text: '7!' })
    const nodes: Node[] = [
      { id: 'a', type: 'Begin', title: 'Alpha' },
      { id: 'b', type: 'Begin' },
      { id: 's', type: 'Say', title: 'I' },
    ]
    expect(
      preparedOf('s', nodes, [
        ['b', 's'],
        ['a', 's'],
      ]).render({}),
    ).toEqual({ text: 'I after Alpha and b' })
  })

  test('a string may be read in another way where the stored config says so', () => {
    const text = '{{ 1 | plus: 1 }}'
    expect(preparedOf('q', [{ id: 'q', type: 'Quote', config: { text } }]).render({})).toEqual({ text: '2' })
    expect(preparedOf('q', [{ id: 'q', type: 'Quote', config: { text, as: 'is' } }]).render({})).toEqual({ text })
    expect(issuesOf([{ id: 'q', type: 'Quote', config: { text: '{{ nodes.ghost }}', as: 'is' } }])).toEqual([])
  })

  test('an expression that fails, and a value that does not fit, are told at the own place', () => {
    const failed = (prepared: ReturnType<typeof preparedOf>, scope: object): unknown => {
      try {
        return prepared.render(scope)
      } catch (error) {
        return error instanceof StepFailure ? `${error.code} ${error.message}` : error
      }
    }
    expect(failed(preparedOf('s', [{ id: 's', type: 'Switch', config: { cases: { yes: { if: 'input.gone.deeper' } } } }]), { input: {} })).toMatch(
      /^expression_failed cases\.yes\.if: /,
    )
    expect(failed(preparedOf('s', [{ id: 's', type: 'Say', config: { words: 5 } }]), {})).toMatch(/^config_invalid config\.words: Expected string/)
    expect(failed(preparedOf('g', [{ id: 'g', type: 'Gone' }]), {})).toBe('config_invalid config: Goneness is not done here: use code')
    expect(failed(preparedOf('r', [{ id: 'r', type: 'Ramble' }]), {})).toBe('config_invalid config: This key is not known here')
  })

  test('an undoing by an alias is prepared as its name says', () => {
    const prepared = preparedOf('t', [{ id: 't', type: 'template', config: { text: 'x' }, settings: { compensate: { type: 'Say', config: { words: 'sorry' } } } }])
    expect(prepared.compensate!.render({})).toEqual({ text: 'sorry' })
  })

  test('the input nodes of a definition are found by what they are, with the schema their config means', () => {
    const made = definition([
      { id: 'a', type: 'Begin', config: { accepts: 'number' } },
      { id: 'b', type: 'input', config: { schema: { type: 'string' } } },
      { id: 'c', type: 'Begin' },
      { id: 'd', type: 'Begin', config: { accepts: 'wrong' } },
      { id: 'e', type: 'Say' },
    ])
    const found = inputNodesOf(made, catalogue)
    expect(found.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
    const schemas = () => found.map((node) => schemaOfInput(node, catalogue))
    expect(schemas()).toEqual([{ type: 'number' }, { type: 'string' }, null, null])
    expect(schemas()[0]).toBe(schemas()[0])
  })
})

test('what an alias gives is told by its own config, or else by what that means', () => {
  const named = (...nodes: Node[]) => outputsOf(definition(nodes), catalogue).map(({ name }) => name)
  expect(named({ id: 'a', type: 'Begin', config: { accepts: 'text' } })).toEqual(['a', 'a.text'])
  expect(named({ id: 'a', type: 'Given', config: { x: 1, y: 2 } })).toEqual(['a', 'a.x', 'a.y'])
  expect(named({ id: 'a', type: 'Switch', config: {} }, { id: 'g', type: 'Gone' })).toEqual(['a', 'g'])
  expect(ownOutputFields(catalogue.get('Begin')!, { accepts: 'text', more: 1 })).toEqual(['text'])
  expect(ownOutputFields(catalogue.get('Begin')!, { accepts: 'wrong' })).toEqual([])
  expect(ownOutputFields(catalogue.get('Say')!, {})).toBeUndefined()
  expect(ownOutputFields(catalogue.get('input')!, {})).toBeUndefined()
})
