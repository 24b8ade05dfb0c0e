import { Definition, Fault, type EditOperation, type Json } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonical, hashOf } from '../../src/workflows/canonical.ts'
import { newId } from '../../src/store/ids.ts'
import { applyEdits } from '../../src/workflows/edit.ts'
import { graphOf, type GraphNode } from '../../src/workflows/graph.ts'
import { prepare } from '../../src/workflows/prepare.ts'
import { validate } from '../../src/workflows/validate.ts'
import { aDefinition, aLink, aSoundDefinition, isWellFormed } from './definitions.ts'
import { catalogue } from './toys.ts'

const runs = { numRuns: 200 }

/** The same value with its keys in another order, but for those of configs. */
const shuffled = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .reverse()
    .map(([key, each]): [string, Json] => [key, key === 'config' ? each : shuffled(each)])
  return Object.fromEntries(entries)
}

describe('hashes', () => {
  test('the order of keys does not count', () => {
    fc.assert(
      fc.property(aDefinition, (definition) => {
        expect(hashOf(shuffled(definition as unknown as Json) as unknown as Definition)).toBe(hashOf(definition))
      }),
      runs,
    )
  })

  test('but in a config it does: what stands there by name may be gone through in its order', () => {
    const routed = (...names: string[]): Definition => ({
      kind: 'workflow',
      nodes: [{ id: 'r', type: 'any', config: { routes: Object.fromEntries(names.map((name) => [name, { conditions: [] }])) } }],
      links: [],
    })
    expect(hashOf(routed('large', 'any'))).not.toBe(hashOf(routed('any', 'large')))
    expect(hashOf(routed('large', 'any'))).toBe(hashOf(routed('large', 'any')))
  })

  test('absent and default are equal, and the canonical text reads back as the same definition', () => {
    fc.assert(
      fc.property(aDefinition, (definition) => {
        const filled = Definition.parse(JSON.parse(canonical(definition)))
        expect(canonical(filled)).toBe(canonical(definition))
        expect(hashOf(filled)).toBe(hashOf(definition))
      }),
      runs,
    )
  })

  test('anything that is said counts', () => {
    fc.assert(
      fc.property(aDefinition, fc.nat(), (definition, at) => {
        const nodes = definition.nodes.map((node, place) => (place === at % definition.nodes.length ? { ...node, title: `${node.title ?? ''}!` } : node))
        expect(hashOf({ ...definition, nodes })).not.toBe(hashOf(definition))
      }),
      runs,
    )
  })
})

describe('edits', () => {
  const ids = ['a', 'b', 'c', 'new', 'other']
  const operation: fc.Arbitrary<EditOperation> = fc.oneof(
    fc.record({
      op: fc.constant('addNode' as const),
      node: fc.record({ id: fc.constantFrom(...ids), type: fc.constant('merge'), parentId: fc.constantFrom('a', 'gone', null) }, { requiredKeys: ['id', 'type'] }),
    }),
    fc.record({ op: fc.constant('removeNode' as const), nodeId: fc.constantFrom(...ids) }),
    fc.record({ op: fc.constant('moveNode' as const), nodeId: fc.constantFrom(...ids), position: fc.constant({ x: 1, y: 2 }) }),
    fc.record(
      { op: fc.constant('setConfig' as const), nodeId: fc.constantFrom(...ids), config: fc.constant({ k: 1 }), title: fc.constant('T') },
      { requiredKeys: ['op', 'nodeId'] },
    ),
    fc.record({ op: fc.constant('connect' as const), link: aLink(ids) }),
    fc.record({ op: fc.constant('disconnect' as const), link: aLink(ids) }),
  )

  test('keep a definition well-formed or refuse, naming the operation, and never touch what they were given', () => {
    fc.assert(
      fc.property(aDefinition, fc.array(operation, { minLength: 1, maxLength: 6 }), (definition, operations) => {
        const before = JSON.stringify(definition)
        try {
          expect(isWellFormed(applyEdits(definition, operations, newId).definition)).toBe(true)
        } catch (error) {
          if (!(error instanceof Fault)) throw error
          expect(['node_missing', 'input_invalid']).toContain(error.code)
          expect(error.issues[0]!.path!.slice(0, 1)).toEqual(['operations'])
          expect(operations[error.issues[0]!.path![1] as number]).toBeDefined()
        }
        expect(JSON.stringify(definition)).toBe(before)
      }),
      runs,
    )
  })
})

describe('validation', () => {
  /** Every node of a graph by way of its scopes, each checked to stand in order. */
  const inOrder = (scope: GraphNode[]): string[] => {
    const seen = new Set<GraphNode>()
    return scope.flatMap((node) => {
      expect(node.incoming.every(({ source }) => seen.has(source))).toBe(true)
      seen.add(node)
      return [node.id, ...inOrder(node.body)]
    })
  }

  test('answers for whatever has the form of a definition, and so does preparing it', () => {
    fc.assert(
      fc.property(aDefinition, (definition) => {
        for (const issue of validate(definition, catalogue)) expect(issue.message).not.toBe('')
        const graph = graphOf(definition, { get: (type) => ({ entry: type === 'input' }) })
        const prepared = prepare(graph, catalogue)
        for (const { id, type } of definition.nodes) if (catalogue.get(type) && !graph.nodes.get(id)!.settings.compensate) expect(prepared.node(id).reads.names).toBeInstanceOf(Set)
      }),
      runs,
    )
  })

  test('without issues every node has its place in a topological order', () => {
    let sound = 0
    fc.assert(
      fc.property(fc.oneof(aDefinition, aSoundDefinition), (definition) => {
        if (validate(definition, catalogue).length > 0) return
        sound++
        const graph = graphOf(definition, { get: (type) => ({ entry: type === 'input' }) })
        expect(graph.unordered).toEqual([])
        expect(inOrder(graph.top).sort()).toEqual(definition.nodes.map(({ id }) => id).sort())
      }),
      { numRuns: 400 },
    )
    expect(sound).toBeGreaterThan(50)
  })
})
