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

// ── drawn bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────

const drawnTypes = {
  get: (type: string) => ({
    entry: type === 'input',
    ...(type === 'producer' && { behaviour: { is: 'producer' }, reads: true as const }),
    ...(type === 'counter' && { behaviour: { is: 'producer' } }),
    ...(type === 'each' && { behaviour: { is: 'map' }, draws: 'sub' }),
    ...(type === 'writer' && { writes: true as const }),
    ...(type === 'end' && { alias: { of: 'work', ends: true as const } }),
  }),
}

/** `p:done -> z`; the first letter of an id says its type: p a producer that reads, c one that does not, e a drawn map, w a writer, s one that ends, i an input. */
function drawn(...links: string[]) {
  const ends = links.map((link) => link.split(' -> ') as [string, string]).map(([from, target]) => [...from.split(':'), target] as const)
  const ids = [...new Set(ends.flatMap((link) => [link[0], link.at(-1)!]))]
  const typeOf: { [letter: string]: string } = { p: 'producer', c: 'counter', e: 'each', w: 'writer', s: 'end', i: 'input' }
  const nodes = ids.map((id) => node(id, { type: typeOf[id[0]!] ?? 'work' }))
  const made = ends.map((link) => ({ source: link[0], target: link.at(-1)!, ...(link.length === 3 && { sourceHandle: link[1] }) }))
  return graphOf({ kind: 'workflow', nodes, links: made }, drawnTypes)
}
const bodies = (made: ReturnType<typeof drawn>) => Object.fromEntries([...made.nodes.values()].flatMap(({ id, body }) => (body.length > 0 ? [[id, ids(body).join(' ')]] : [])))

test.each([
  ['what a producer leads to stands in its items, and what comes when it is done does not', ['p -> a', 'a -> b', 'p:done -> z'], { p: 'p a b' }, 'p z'],
  ['a producer inside of one stands in its items, with items of its own', ['p1 -> a', 'a -> p2', 'p2 -> b'], { p1: 'p1 a p2', p2: 'p2 b' }, 'p1'],
  ['two producers share what both lead to, and each has what it leads to alone', ['p1 -> a', 'p2 -> b', 'a -> j', 'b -> j'], { p1: 'p1 a j', p2: 'p2 b j' }, 'p1 p2'],
  ['a drawn map has what its handle leads to, and is followed by what the other does', ['a -> e', 'e:sub -> x', 'x -> y', 'e -> z'], { e: 'e x y' }, 'a e z'],
  ['a drawn map in the items of two producers', ['p1 -> e', 'p2 -> e', 'e:sub -> x'], { p1: 'p1 e', p2: 'p2 e', e: 'e x' }, 'p1 p2'],
  ['a producer that reads no channel comes after a writer as after any node', ['p -> w', 'w -> c', 'c -> a'], { p: 'p w c', c: 'c a' }, 'p'],
  [
    'producers in bodies that are one share one of their own',
    ['p1 -> p3', 'p2 -> p4', 'p1 -> j', 'p2 -> j', 'p3 -> k', 'p4 -> k'],
    { p1: 'p1 p3 j', p2: 'p2 p4 j', p3: 'p3 k', p4: 'p4 k' },
    'p1 p2',
  ],
  ['what ends is followed by nothing', ['p -> s', 's -> a'], { p: 'p s' }, 'p a'],
])('%s', (_, links, wanted, top) => {
  const made = drawn(...links)
  expect([bodies(made), ids(made.top).join(' '), made.crossing.size]).toEqual([wanted, top, 0])
})

test('a producer that something leads to waits for it', () => {
  const made = drawn('i -> p', 'p -> a')
  expect([made.nodes.get('i')!.entry, made.nodes.get('p')!.entry, made.nodes.get('p')!.reachable]).toEqual([true, false, true])
})

test('a link into the items of a producer from outside, or back out of them, leads nowhere', () => {
  for (const links of [
    ['p -> a', 'b -> a'],
    ['p -> a', 'a -> p'],
    ['p -> e', 'e:sub -> x', 'p -> x'],
    // Producers of which one stands in items of another share no body.
    ['p1 -> p2', 'p2 -> a', 'p3 -> a'],
  ])
    expect(drawn(...links).crossing.size).toBe(1)
})

test('a writer feeds the reader that it leads to, by what must have settled before no more is written', () => {
  const made = drawn('p1 -> w', 'w -> p2', 'p2 -> a')
  expect([ids(made.nodes.get('w')!.readers), ids(made.nodes.get('p2')!.fedBy), ids(made.nodes.get('p1')!.feeds)]).toEqual([['p2'], ['p1'], ['p2']])
  expect(made.nodes.get('p2')!.entry).toBe(true)
})

test('a writer that leads to a reader by several handles writes once, and by those of its outcome it leads there', () => {
  const made = drawn('p1 -> w', 'w -> p2', 'w:default -> p2')
  expect(ids(made.nodes.get('w')!.readers)).toEqual(['p2'])
  const failing = drawn('w1 -> p2', 'w2:failed -> p2')
  expect([ids(failing.nodes.get('p2')!.fedBy), ids(failing.nodes.get('p2')!.incoming.map(({ source }) => source))]).toEqual([['w1'], ['w2']])
})

test('of producers that share a body those feed a reader that lead to its writer', () => {
  const made = drawn('p1 -> w', 'w -> p2', 'w -> j', 'p2 -> j')
  expect([ids(made.nodes.get('p1')!.shares), ids(made.nodes.get('p2')!.fedBy)]).toEqual([['p1', 'p2'], ['p1']])
})
