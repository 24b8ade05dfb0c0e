import type { Definition, TryNode } from '@sluice/schema'
import { expect, test } from 'vitest'
import { definitionOf, partOf, refusePauses } from '../../src/engine/trial-part.ts'
import { type AnyNode, defineNode } from '../../src/nodes/contract.ts'
import { counter } from '../../src/nodes/library/counter.ts'
import { input } from '../../src/nodes/library/input.ts'
import { map } from '../../src/nodes/library/map.ts'
import { NoConfig } from '../../src/nodes/values.ts'
import { graphOf } from '../../src/workflows/graph.ts'

const work = defineNode({ type: 'work', title: 'Work', description: '', category: 'work', config: NoConfig, behaviour: { is: 'pure', run: () => ({ output: null }) } })
const types: AnyNode[] = [input, counter, map, work, { ...map, type: 'each', draws: 'item' }]
const catalogue = { get: (type: string) => types.find((node) => node.type === type), list: () => types }

/** `{ a: 'type' }`, or with `in` the node whose body it stands in, and links as `a > b`, `a.handle > b`. */
function flow(nodes: Record<string, string | { type: string; in: string }>, links: readonly string[]): Definition {
  const linkOf = (text: string) => {
    const [from = '', target = ''] = text.split(' > ')
    const [source = '', sourceHandle] = from.split('.')
    return { source, target, ...(sourceHandle !== undefined && { sourceHandle }) }
  }
  return {
    kind: 'workflow',
    nodes: Object.entries(nodes).map(([id, node]) => (typeof node === 'string' ? { id, type: node } : { id, type: node.type, parentId: node.in })),
    links: links.map(linkOf),
  }
}

/** The part for a node: what is run, what stands in, and the definition that it is run as. */
function part(definition: Definition, nodeId: string, given: Pick<TryNode, 'input' | 'outputs' | 'data'> = {}) {
  const graph = graphOf(definition, catalogue)
  const found = partOf(graph, catalogue, graph.nodes.get(nodeId)!, given)
  const made = definitionOf(definition, catalogue, found)
  const run = graphOf(made, catalogue)
  return {
    run: found.nodes.map(({ id }) => id).sort(),
    seeds: found.seeds.map(({ nodeId: id, route }) => [id, ...route]),
    types: Object.fromEntries(made.nodes.map(({ id, type }) => [id, type])),
    unreachable: [...run.nodes.values()].flatMap(({ id, reachable }) => (reachable ? [] : [id])),
    parentOf: (id: string) => run.nodes.get(id)?.parent?.id ?? null,
  }
}

const counting = flow({ n: 'counter', a: 'work', b: 'work', c: 'work', beside: 'work', after: 'work' }, ['n > a', 'a > b', 'b > c', 'n > beside', 'n.done > after'])

test('of a producer its body is no part; of a node in its body it is as far as it leads there', () => {
  expect(part(counting, 'n').run).toEqual(['n'])
  const found = part(counting, 'b')
  expect(found).toMatchObject({ run: ['a', 'b', 'n'], seeds: [], unreachable: [] })
  expect(found.parentOf('b')).toBe('n')
  expect(part(counting, 'after').run).toEqual(['after', 'n'])
})

test('of a node in a body that is drawn nothing behind it is run, and of one after it the whole body', () => {
  const definition = flow({ in: 'input', each: 'each', a: 'work', b: 'work', after: 'work' }, ['in > each', 'each.item > a', 'a > b', 'each > after'])
  expect(part(definition, 'a').run).toEqual(['a', 'each', 'in'])
  expect(part(definition, 'each').run).toEqual(['a', 'b', 'each', 'in'])
  expect(part(definition, 'after').run).toEqual(['a', 'after', 'b', 'each', 'in'])
  expect(part(definition, 'each', { data: {} })).toMatchObject({ run: ['a', 'b', 'each'], seeds: [] })
})

test('what stands in for a node that draws its body draws none', () => {
  for (const given of [{ input: { n: 1 } }, { outputs: { n: 1 } }]) {
    const found = part(counting, 'a', given)
    expect(found).toMatchObject({ run: ['a'], types: { n: 'static-value', a: 'work' }, unreachable: [] })
    expect(found.seeds).toEqual([['n', 'default', 'done']])
    expect(found.parentOf('a')).toBeNull()
  }
})

test('producers that lead to a common node are all needed by it', () => {
  const definition = flow({ n: 'counter', m: 'counter', a: 'work', b: 'work' }, ['n > a', 'a > b', 'm > b'])
  expect(part(definition, 'b').run).toEqual(['a', 'b', 'm', 'n'])
  expect(part(definition, 'a').run).toEqual(['a', 'n'])
  expect(part(definition, 'b', { outputs: { m: 1, a: 2 } })).toMatchObject({ run: ['b', 'n'], unreachable: [] })
})

test('what stands in is led to the node whatever the others are entered by', () => {
  const definition = flow({ in: 'input', odd: 'unheard-of', t: 'work' }, ['odd > t', 'in > t'])
  expect(part(definition, 't', { outputs: { odd: 1 } })).toMatchObject({ run: ['in', 't'], types: { odd: 'input' }, unreachable: [] })
  expect(part(definition, 't', { input: { odd: 1, in: 2 } })).toMatchObject({ run: ['t'], types: { odd: 'input', in: 'input' }, unreachable: [] })
  const known = flow({ in: 'input', w: 'work', t: 'work' }, ['in > t', 'w > t'])
  expect(part(known, 't', { outputs: { w: 1 } })).toMatchObject({ run: ['in', 't'], unreachable: [] })
  expect(part(known, 't', { input: {} })).toMatchObject({ run: ['t'], unreachable: [] })
})

test('of a body by parent a node is run alone at the top, and the body whole with its own node', () => {
  const definition = flow({ in: 'input', m: 'map', a: { type: 'work', in: 'm' }, b: { type: 'work', in: 'm' } }, ['in > m', 'a > b'])
  expect(part(definition, 'b')).toMatchObject({ run: ['a', 'b'], unreachable: [] })
  expect(part(definition, 'm').run).toEqual(['a', 'b', 'in', 'm'])
})

test('a part without people is refused nothing', () => {
  const graph = graphOf(counting, catalogue)
  expect(() => refusePauses(catalogue, [...graph.nodes.values()], [])).not.toThrow()
})
