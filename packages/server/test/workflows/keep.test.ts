import type { Definition, GivenDefinition, Json, JsonObject, Node } from '@sluice/schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keepAbsent, mergedKeys } from '../../src/workflows/keep.ts'
import { aDefinition, isWellFormed } from './definitions.ts'

/** What somebody sends who knows of some keys alone: the same ids, and others. */
const aGiven: fc.Arbitrary<GivenDefinition> = fc
  .record({ definition: aDefinition, saysKind: fc.boolean(), cleared: fc.subarray(['text', 'url', 'never']) })
  .map(({ definition: { kind, nodes, ...rest }, saysKind, cleared }) => ({
    ...rest,
    nodes: nodes.map((node) => (cleared.length > 0 ? { ...node, extra: { ...node.extra, ...Object.fromEntries(cleared.map((key) => [key, null])) } } : node)),
    ...(saysKind && { kind }),
  }))

type Keyed = { readonly [key: string]: unknown }

const at = (value: object | undefined, key: string): unknown => (value && Object.hasOwn(value, key) ? (value as Keyed)[key] : undefined)
const keysOf = (...values: (object | undefined)[]): string[] => [...new Set(values.flatMap((value) => Object.keys(value ?? {})))]

/** Whatever is said wins, and whatever is not is as it was. */
function laidOver(kept: object | undefined, before: object | undefined, given: object | undefined, differs: readonly string[] = []): void {
  for (const key of keysOf(kept, before, given)) {
    if (differs.includes(key)) continue
    const said = at(given, key)
    expect(at(kept, key), key).toEqual(said === undefined ? at(before, key) : said)
  }
}

function extraLaidOver(kept: JsonObject | undefined, before: JsonObject | undefined, given: JsonObject | undefined): void {
  for (const key of keysOf(kept, before, given)) {
    const said = at(given, key)
    expect(at(kept, key), `extra.${key}`).toEqual(said === null ? undefined : said === undefined ? at(before, key) : said)
  }
}

test('nothing that the given definition does not say is lost, and what it says wins', () => {
  fc.assert(
    fc.property(aDefinition, aGiven, (before, given) => {
      const untouched = JSON.stringify([before, given])
      const kept = keepAbsent(before, given)
      expect(JSON.stringify([before, given])).toBe(untouched)
      laidOver(kept, before, given, ['nodes', 'settings'])
      laidOver(kept.settings, before.settings, given.settings)
      expect(kept.nodes.map(({ id }) => id)).toEqual(given.nodes.map(({ id }) => id))
      for (const [place, node] of kept.nodes.entries()) {
        const said = given.nodes[place]!
        const there: Node | undefined = before.nodes.find(({ id }) => id === node.id)
        laidOver(node, there, said, ['settings', 'extra'])
        laidOver(node.settings, there?.settings, said.settings)
        extraLaidOver(node.extra, there?.extra, said.extra)
      }
      expect(isWellFormed(kept)).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('what is said again changes nothing, and a definition that says everything is the one that is kept', () => {
  const whole = (definition: Definition): Definition => ({
    ...definition,
    settings: definition.settings ?? {},
    testInputs: definition.testInputs ?? [],
    nodes: definition.nodes.map((node) => ({ ...node, settings: node.settings ?? {}, extra: node.extra ?? {} })),
  })
  fc.assert(
    fc.property(aDefinition, aGiven, (before, given) => {
      const kept = keepAbsent(before, given)
      expect(keepAbsent(kept, given)).toEqual(kept)
      expect(whole(keepAbsent({ kind: 'agent', nodes: [], links: [] }, whole(before)))).toEqual(whole({ ...before, nodes: before.nodes.map(withoutNull) }))
    }),
    { numRuns: 100 },
  )
})

const withoutNull = (node: Node): Node => (node.extra ? { ...node, extra: mergedKeys({}, node.extra) } : node)

test('one setting said, the others kept; one key of extra cleared by null, an older null kept; a key that is undefined says nothing', () => {
  const before: Definition = {
    kind: 'chatbot',
    nodes: [
      {
        id: 'a',
        type: 'work',
        title: 'A',
        config: { url: 'x' },
        settings: { timeoutMs: 5, join: 'all' },
        position: { x: 1, y: 2 },
        size: { width: 3, height: 4 },
        parentId: 'm',
        extra: { one: 1, two: null, three: 3 },
      },
      { id: 'm', type: 'map' },
    ],
    links: [{ source: 'a', target: 'm' }],
    settings: { onFailure: 'continue', join: 'all' },
    testInputs: [{ x: 1 }],
  }
  const silent: Json | undefined = undefined
  const given = {
    nodes: [{ id: 'a', type: 'other', title: silent, settings: { join: 'any' }, position: null, extra: { one: null, four: 4 } }],
    links: [],
    settings: { join: 'any' },
  }
  expect(keepAbsent(before, given as unknown as GivenDefinition)).toEqual({
    kind: 'chatbot',
    nodes: [{ ...before.nodes[0], type: 'other', settings: { timeoutMs: 5, join: 'any' }, position: null, extra: { two: null, three: 3, four: 4 } }],
    links: [],
    settings: { onFailure: 'continue', join: 'any' },
    testInputs: [{ x: 1 }],
  })
})

test('a key that is taken out of an extra that was never there makes none', () => {
  const plain: Definition = { kind: 'workflow', nodes: [{ id: 'a', type: 'log' }], links: [] }
  expect(keepAbsent(plain, { nodes: [{ id: 'a', type: 'log', extra: { ours: null } }], links: [] })).toEqual(plain)
})
