import type { JsonObject } from '@sluice/schema'
import { Schema } from 'effect'
import { describe, expect, test } from 'vitest'
import { defineNode, type Catalogue } from '../../src/nodes/contract.ts'
import { describe as described } from '../../src/nodes/describe.ts'
import { graphOf } from '../../src/workflows/graph.ts'
import { prepare } from '../../src/workflows/prepare.ts'
import { validate } from '../../src/workflows/validate.ts'
import { catalogue as toys, definition, merge } from './toys.ts'

/** The readings that name steps without `nodes`. */

const asked = defineNode({
  type: 'asked',
  title: '',
  description: '',
  category: 'data',
  config: Schema.Struct({
    text: Schema.optionalKey(Schema.String),
    at: Schema.optionalKey(Schema.Unknown),
    paths: Schema.optionalKey(Schema.Record(Schema.String, Schema.NullOr(Schema.Unknown))),
    merged: Schema.optionalKey(Schema.String),
    value: Schema.optionalKey(Schema.Unknown),
    when: Schema.optionalKey(Schema.Union([Schema.Boolean, Schema.String])),
  }),
  readings: { text: 'jinja', at: 'path', 'paths.*': 'path', merged: 'jinja-data', value: 'jinja-data-value', when: 'python' },
  behaviour: { is: 'pure', run: () => ({ output: null }) },
})
const catalogue: Catalogue = { get: (type) => (type === 'asked' ? asked : toys.get(type)), list: () => [...toys.list(), asked] }

/** `First one`, then `input`, then `a.b`, then the node; `later` stands behind it. */
const chain = (config: JsonObject) =>
  definition(
    [merge('f', { title: 'first' }), merge('i', { title: 'input' }), merge('d', { title: 'a.b' }), { id: 'n', type: 'asked', config }, merge('later')],
    [
      ['f', 'i'],
      ['i', 'd'],
      ['d', 'n'],
      ['n', 'later'],
    ],
  )
const issues = (config: JsonObject) => validate(chain(config), catalogue)
const prepared = (config: JsonObject) => prepare(graphOf(chain(config), catalogue), catalogue).node('n')
const fetched = (config: JsonObject) =>
  prepared(config)
    .reads.upstream()
    .map(({ name }) => name)

const scope = { input: 'the input of the run', nodes: { first: { n: 1, list: ['x', 'y'] }, input: { n: 2 }, 'a.b': { c: 3 } } }

describe('a Jinja template in a config', () => {
  test('its names are steps, whatever else has that name', () =>
    expect(prepared({ text: '{{ first.n }}{{ input.n }}{% for x in first.list %}{{ x }}{% endfor %}' }).render(scope)).toEqual({ text: '12xy' }))

  test('only the outputs of steps that it names are fetched', () => {
    expect(fetched({ text: '{{ input.n }}{% set own = 1 %}{{ own }}{% for first in [1] %}{{ first }}{% endfor %}' })).toEqual(['input'])
    expect(fetched({ text: 'no names' })).toEqual([])
    expect([...prepared({ text: '{{ input.n }}' }).reads.names]).toEqual(['nodes'])
  })

  test('a name that may be set or be a step is fetched, and is no mistake', () => {
    expect(fetched({ text: '{% if input.n %}{% set first = 1 %}{% endif %}{{ first }}' })).toEqual(['first', 'input'])
    expect(issues({ text: '{% if input.n %}{% set maybe = 1 %}{% endif %}{{ maybe }}' })).toEqual([])
  })

  test('a step that is not before this one is an issue', () => {
    expect(issues({ text: '{{ first.x }}{{ input }}' })).toEqual([])
    expect(issues({ text: '{{ later.x }}' })).toEqual([{ nodeId: 'n', field: 'config.text', message: 'later names no step before this one; there are: a.b, first, input' }])
    expect(issues({ text: '{{ nobody }}{{ run.id }}' }).map(({ message }) => message.split(' ')[0])).toEqual(['nobody', 'run'])
  })

  test('what is not understood is an issue with its place', () => {
    expect(issues({ text: 'Dear {{ first.name' })).toEqual([{ nodeId: 'n', field: 'config.text', message: 'It is not closed (at character 6)' }])
    expect(issues({ text: '{{ first | shout }}' })).toEqual([{ nodeId: 'n', field: 'config.text', message: 'There is no filter shout in these templates (at character 12)' }])
  })

  test('a step without an output prints nothing', () => expect(prepared({ text: '[{{ first.n }}{{ input.deep.x }}]' }).render({ nodes: {} })).toEqual({ text: '[]' }))
})

describe('a path in a config', () => {
  test('it gives the value itself, and null where nothing is', () =>
    expect(prepared({ at: 'first.list', paths: { one: 'input.n', dotted: 'a.b.c', none: 'first.x.y', blank: ' ' } }).render(scope)).toEqual({
      at: ['x', 'y'],
      paths: { one: 2, dotted: 3, none: null, blank: null },
    }))

  test('only the step it may lead into is fetched', () => {
    expect(fetched({ at: 'first.list.0' })).toEqual(['first'])
    expect(fetched({ at: 'a.b.c' })).toEqual(['a.b'])
    expect(fetched({ at: '' })).toEqual([])
  })

  test('a step that is not before this one is an issue, by its first name', () => {
    expect(issues({ at: 'first.anything', paths: { a: 'a.b.c', blank: '' } })).toEqual([])
    expect(issues({ paths: { x: 'later.x' } })).toEqual([{ nodeId: 'n', field: 'config.paths.x', message: 'later names no step before this one; there are: a.b, first, input' }])
    expect(issues({ at: 'a.c' })[0]!.message).toMatch(/^a names no step/)
  })
})

const ofData = { data: { counter: { current: 3, list: ['a'] }, name: 'Ada' }, nodes: { first: 'a step' }, input: 'the input of the run' }

describe('a Jinja template over data', () => {
  test('it knows data and nothing else', () => {
    expect(prepared({ merged: '{{ data.counter.current }} of {{ data.name | upper }}{{ first }}' }).render(ofData)).toEqual({ merged: '3 of ADA' })
    expect(issues({ merged: '{{ data.counter.current }}{% set own = 1 %}{{ own }}' })).toEqual([])
    expect(issues({ merged: '{{ first }}{{ input }}', value: '{{ run.id }}' })).toEqual([
      { nodeId: 'n', field: 'config.merged', message: 'first, input is not known here; there is only data' },
      { nodeId: 'n', field: 'config.value', message: 'run is not known here; there is only data' },
    ])
    expect(issues({ merged: '{{ data' })[0]!.message).toBe('It is not closed (at character 1)')
  })

  test('without {{ a string is as it stands', () =>
    expect(prepared({ merged: '{% if %} {# #}\r\n', value: '{% data %}\n' }).render({})).toEqual({ merged: '{% if %} {# #}\r\n', value: '{% data %}\n' }))

  test('as a value it is the value itself, else text', () => {
    const value = (source: string) => prepared({ value: source }).render(ofData)
    expect(value('{{ data.counter }}')).toEqual({ value: ofData.data.counter })
    expect(value('{{ 4 / 2 }}')).toEqual({ value: 2 })
    expect(value('{{ data.gone.deeper }}')).toEqual({ value: null })
    expect(value('{{ data.counter.current }} ')).toEqual({ value: '3 ' })
    expect(value('{{ data.counter.list }}{{ 1 }}')).toEqual({ value: "['a']1" })
    expect(prepared({ merged: '{{ data.counter.list }}' }).render(ofData)).toEqual({ merged: "['a']" })
  })

  test('everything upstream is fetched when data is named, else nothing', () => {
    expect(fetched({ merged: '{{ data.x }}' })).toEqual(['first', 'input', 'a.b'])
    expect([...prepared({ value: '{{ data.x }}' }).reads.names]).toEqual(['data'])
    expect(fetched({ merged: '{{ 1 }}', value: 'data' })).toEqual([])
    expect([...prepared({ merged: '{{ 1 }}' }).reads.names]).toEqual([])
  })
})

describe('a condition in Python', () => {
  test('it gives a boolean of data', () => {
    expect(prepared({ when: "data['counter']['current'] > 2 and data['name']" }).render(ofData)).toEqual({ when: true })
    expect(prepared({ when: "data.get('gone') or ''" }).render(ofData)).toEqual({ when: false })
  })

  test('what is not understood, or names anything else, is an issue with its place', () => {
    expect(issues({ when: "data['counter']['current'] > 2" })).toEqual([])
    expect(issues({ when: "data['a'] = 1" })).toEqual([{ nodeId: 'n', field: 'config.when', message: '“=” is not available in conditions: write == to compare (at character 11)' }])
    expect(issues({ when: 'first > 1' })).toEqual([{ nodeId: 'n', field: 'config.when', message: 'first is not known here; there is only data (at character 1)' }])
  })

  test('one that fails fails the step, and says which and why', () =>
    expect(() => prepared({ when: "data['gone'] > 1" }).render(ofData)).toThrow(
      expect.objectContaining({ code: 'expression_failed', message: "Failed to evaluate condition 'data['gone'] > 1': There is no key 'gone'" }),
    ))

  test('everything upstream is fetched when data is named, else nothing', () => {
    expect(fetched({ when: "data['x']" })).toEqual(['first', 'input', 'a.b'])
    expect(fetched({ when: '1 < 2' })).toEqual([])
  })
})

test('a form is told how each place is read', () =>
  expect(described(asked).config).toMatchObject({
    properties: { text: { 'x-reading': 'jinja' }, at: { 'x-reading': 'path' }, paths: { additionalProperties: { 'x-reading': 'path' } } },
  }))
