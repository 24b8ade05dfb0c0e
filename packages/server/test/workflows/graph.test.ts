import type { Definition, Node } from '@sluice/schema'
import { expect, test } from 'vitest'
import { graphOf, upstreamOf } from '../../src/workflows/graph.ts'

const types = { get: (type: string) => ({ entry: type === 'input' }) }
const node = (id: string, more: Partial<Node> = {}): Node => ({ id, type: 'work', ...more })
const graph = (nodes: Node[], links: [string, string][] = [], settings: Definition['settings'] = {}) =>
  graphOf({ kind: 'workflow', nodes, links: links.map(([source, target]) => ({ source, target })), settings }, types)
const ids = (nodes: readonly { id: string }[]) => nodes.map(({ id }) => id)

test('the order is topological, and that of the definition where it leaves a choice', () => {
  expect(ids(graph([node('c'), node('b'), node('a')], [['a', 'c']]).top)).toEqual(['b', 'a', 'c'])
})

test('entries are inputs; without any, nodes without incoming links; what none reaches is not part of the run', () => {
  const reached = (nodes: Node[]) => {
    const made = graph(nodes, [['a', 'b']])
    return ids([...made.nodes.values()].filter((each) => each.reachable))
  }
  expect(reached([node('a', { type: 'input' }), node('b'), node('alone')])).toEqual(['a', 'b'])
  expect(reached([node('a'), node('b'), node('alone')])).toEqual(['a', 'b', 'alone'])
})

test('a body is a scope of its own, with its own entries and order', () => {
  const made = graph(
    [node('in', { type: 'input' }), node('map'), node('x', { parentId: 'map' }), node('y', { parentId: 'map' })],
    [
      ['in', 'map'],
      ['y', 'x'],
      ['in', 'x'],
    ],
  )
  expect(ids(made.top)).toEqual(['in', 'map'])
  expect(ids(made.nodes.get('map')!.body)).toEqual(['y', 'x'])
  expect(made.nodes.get('y')!.entry).toBe(true)
  expect(ids(made.nodes.get('x')!.incoming.map((link) => link.source))).toEqual(['y'])
})

test('what is on a cycle, or behind one, has no order and is not reached', () => {
  const made = graph(
    [node('a'), node('b'), node('c'), node('d')],
    [
      ['a', 'b'],
      ['b', 'a'],
      ['b', 'c'],
    ],
  )
  expect([ids(made.top), ids(made.unordered)]).toEqual([['d'], ['a', 'b', 'c']])
  expect(made.nodes.get('c')!.reachable).toBe(false)
})

test('nodes that stand in each other, or in nothing, stand at the top', () => {
  const made = graph([node('a', { parentId: 'b' }), node('b', { parentId: 'a' }), node('c', { parentId: 'a' }), node('d', { parentId: 'd' }), node('e', { parentId: 'gone' })])
  expect(ids(made.top)).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test("join: the node's own before the definition's; coalesce is always any", () => {
  const made = graph([node('a'), node('b', { settings: { join: 'any' } }), node('c', { type: 'coalesce' }), node('d', { type: 'coalesce', settings: { join: 'all' } })], [], {
    join: 'all',
  })
  expect([...made.nodes.values()].map((each) => each.join)).toEqual(['all', 'any', 'any', 'any'])
})

test('two links of one pair count as one node upstream, and hold nothing up', () => {
  const made = graph(
    [node('a'), node('b')],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  )
  expect(ids(made.top)).toEqual(['a', 'b'])
  expect(ids(upstreamOf(made.nodes.get('b')!))).toEqual(['a'])
})
