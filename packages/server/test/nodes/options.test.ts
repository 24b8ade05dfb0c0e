import * as Schema from 'effect/Schema'
import { describe, expect, test } from 'vitest'
import { defineNode, type NodeDeclaration } from '../../src/nodes/contract.ts'
import { optionsOf } from '../../src/nodes/options.ts'

const config = Schema.Struct({
  unit: Schema.Literals(['seconds', 'hours']),
  tries: Schema.optionalKey(Schema.Literals([1, 2])),
  loud: Schema.optionalKey(Schema.Boolean),
  text: Schema.String,
  routes: Schema.Array(Schema.Struct({ mode: Schema.Literals(['first', 'all']) })),
  model: Schema.String,
})
const node = (more: Partial<NodeDeclaration<typeof config.Type>> = {}) =>
  defineNode({
    type: 'x',
    title: 'X',
    description: 'X',
    category: 'data',
    config,
    behaviour: { is: 'pure', run: () => ({ output: null }) },
    ...more,
  })

describe('the options of a field', () => {
  test('are the values that its schema counts up, wherever it stands', () => {
    expect(optionsOf(node(), 'unit', {})).toEqual([
      { value: 'seconds', text: 'seconds' },
      { value: 'hours', text: 'hours' },
    ])
    expect(optionsOf(node(), 'tries', {})?.map(({ value, text }) => [value, text])).toEqual([
      [1, '1'],
      [2, '2'],
    ])
    expect(optionsOf(node(), 'loud', {})?.map(({ value }) => value)).toEqual([true, false])
    expect(optionsOf(node(), 'routes.0.mode', {})?.map(({ value }) => value)).toEqual(['first', 'all'])
  })

  test('are none where anything can be, and there is no field where the config has none', () => {
    expect(optionsOf(node(), 'text', {})).toEqual([])
    for (const none of ['nothing', 'constructor', '__proto__', 'unit.more', 'routes.x']) expect(optionsOf(node(), none, {}), none).toBeUndefined()
  })

  test('are what the node type says itself, given what others are', () => {
    const told = node({ options: (field, { unit }) => (field === 'model' ? [{ value: ['of', unit ?? null], text: 'One' }] : null) })
    expect(optionsOf(told, 'model', { unit: 'hours' })).toEqual([{ value: ['of', 'hours'], text: 'One' }])
    expect(optionsOf(told, 'unit', {})).toHaveLength(2)
  })
})
