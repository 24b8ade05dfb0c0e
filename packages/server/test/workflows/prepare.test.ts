import type { JsonObject, Node } from '@sluice/schema'
import { Schema } from 'effect'
import { describe, expect, test } from 'vitest'
import { StepFailure, defineNode, type Catalogue, type Scope } from '../../src/nodes/contract.ts'
import { graphOf } from '../../src/workflows/graph.ts'
import { missingIn } from '../../src/workflows/missing.ts'
import { outputsOf } from '../../src/workflows/outputs.ts'
import { createPreparedCache, prepare } from '../../src/workflows/prepare.ts'
import { readingsOf } from '../../src/workflows/readings.ts'
import { catalogue, definition, merge } from './toys.ts'

const scope: Scope = {
  input: { n: 2, list: [1, 2], key: '{{ input.n }}' },
  nodes: {},
  data: {},
  run: { id: 'r', workflowId: 'w', version: 1, transactionId: null, trigger: 'manual', tags: [] },
  session: null,
}
const prepared = (node: Partial<Node>, types: Catalogue = catalogue) =>
  prepare(graphOf(definition([{ id: 'n', type: 'work', ...node }]), { get: () => undefined }), types).node('n')
const failure = (work: () => unknown): StepFailure => {
  try {
    work()
  } catch (error) {
    if (error instanceof StepFailure) return error
  }
  throw new Error('no failure')
}

describe('readings', () => {
  test('the most exact pattern wins, * is one key and ** is all below', () => {
    const of = readingsOf({ items: 'expression', 'items.**': 'value', 'a.*.b': 'condition', 'a.**': 'raw', 'a.1.b': 'template' })
    const asked = [['items'], ['items', 0], ['items', 'x', 'y'], ['a'], ['a', 0], ['a', 0, 'b'], ['a', 1, 'b'], ['a', 0, 'c', 'd'], ['other']]
    expect(asked.map(of)).toEqual(['expression', 'value', 'value', 'template', 'raw', 'condition', 'template', 'raw', 'template'])
  })
})

describe('prepared configs', () => {
  test('each string is read its way, once, and the rest is kept', () => {
    const node = prepared({
      type: 'router',
      config: {
        routes: [
          { name: '{{ raw }}', when: 'input.n == 2' },
          { name: 'b', when: false },
        ],
      },
    })
    expect(node.render(scope)).toEqual({
      routes: [
        { name: '{{ raw }}', when: true },
        { name: 'b', when: false },
      ],
    })
    expect([...node.reads.names]).toEqual(['input'])
    expect(prepared({ type: 'map', config: { items: '{{ input.list }}' } }).render(scope)).toEqual({ items: [1, 2] })
    expect(prepared({ type: 'work', config: { url: 'x/{{ input.key }}' } }).render(scope)).toEqual({ url: 'x/{{ input.n }}' })
    expect(prepared({ type: 'value', config: { value: 'input.n + 1' } }).render(scope)).toEqual({ value: 3 })
  })

  test('a config without expressions is decoded once and the same is given again', () => {
    let decodes = 0
    const counting = Schema.Struct({ url: Schema.String }).check(Schema.makeFilter(() => (decodes++, true)))
    const work = defineNode({ type: 'work', title: '', description: '', category: 'work', config: counting, behaviour: { is: 'pure', run: () => ({ output: null }) } })
    const node = prepared({ config: { url: 'static' } }, { get: () => work, list: () => [work] })
    expect(node.render(scope)).toBe(node.render({ ...scope, input: 1 }))
    expect(decodes).toBe(1)
    expect(node.reads.names.size).toBe(0)
  })

  test('a static part of a config with expressions is not copied', () => {
    const inner: JsonObject = { deep: [1] }
    const node = prepared({ type: 'output', config: { map: { fixed: inner, made: '{{ input.n }}' } } })
    const { map } = node.render(scope) as { map: JsonObject }
    expect(map['fixed']).toBe(inner)
    expect(map['made']).toBe(2)
  })

  test('an expression that fails and a config that does not fit are failures that no retry mends', () => {
    const expression = failure(() => prepared({ type: 'value', config: { value: 'input.gone' } }).render(scope))
    expect(expression).toMatchObject({ code: 'expression_failed', retry: false, message: 'value: No such key: gone' })
    const config = failure(() => prepared({ config: { url: 1, count: 'x' } }).render(scope))
    expect(config).toMatchObject({ code: 'config_invalid', retry: false })
    expect(config.message).toMatch(/config\.url: Expected string.*config\.count: /)
    expect(failure(() => prepared({ type: 'template', config: { text: '{{ never' } }).render(scope)).code).toBe('expression_failed')
    expect(failure(() => prepared({ type: 'unheard-of' })).code).toBe('type_missing')
  })

  test('the undoing is prepared like a node', () => {
    const { compensate } = prepared({ config: { url: 'x' }, settings: { compensate: { type: 'work', config: { url: '{{ nodes.n.id }}' } } } })
    expect([...compensate!.reads.names]).toEqual(['nodes'])
    expect(compensate!.render({ ...scope, nodes: { n: { id: 7 } } })).toEqual({ url: '7' })
    expect(prepared({ config: { url: 'x' } }).compensate).toBeNull()
  })

  test('__proto__ in a config gives nothing a prototype', () => {
    const map = JSON.parse('{"__proto__": "{{ input }}", "a": "{{ input.n }}"}') as JsonObject
    const rendered = prepared({ type: 'output', config: { map } }).render(scope) as { map: JsonObject }
    expect(rendered.map['n']).toBeUndefined()
    expect(rendered.map['a']).toBe(2)
  })

  test('a version is prepared once, by its hash, and the oldest are forgotten', () => {
    const of = createPreparedCache(catalogue, 2)
    const one = definition([merge('a')])
    const first = of('1', one)
    expect(of('1', one)).toBe(first)
    of('2', one)
    of('3', one)
    expect(of('1', one)).not.toBe(first)
  })
})

describe('what a definition needs and gives', () => {
  test('types that are not here are named once, those of undoing too', () => {
    const needs = definition([merge('a'), { id: 'b', type: 'zeta' }, { id: 'c', type: 'zeta' }, merge('d', { settings: { compensate: { type: 'alpha' } } })])
    expect(missingIn(needs, catalogue)).toEqual(['alpha', 'zeta'])
  })

  test('outputs are the output nodes with their fields, or the leaves', () => {
    const ended = definition(
      [merge('a'), { id: 'o', type: 'output', title: 'Result', config: { map: { total: '{{ a.x }}' } } }, merge('side')],
      [
        ['a', 'o'],
        ['a', 'side'],
      ],
    )
    expect(outputsOf(ended, catalogue)).toEqual([
      { nodeId: 'o', name: 'Result', field: null },
      { nodeId: 'o', name: 'Result.total', field: 'total' },
    ])
    expect(
      outputsOf(
        definition(
          [merge('a'), merge('b'), merge('c')],
          [
            ['a', 'b'],
            ['a', 'c'],
          ],
        ),
        catalogue,
      ).map(({ name }) => name),
    ).toEqual(['b', 'c'])
  })
})
