import { Definition, type Json, type JsonObject, type Link, type Node } from '@sluice/schema'
import fc from 'fast-check'
import { nodeTypes } from './toys.ts'

/** Definitions that have the form of one and may mean nothing: what validation, edits and hashes must cope with. */

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'constructor', '__proto__', 'with space']
const source = fc.constantFrom(
  'x',
  '',
  '{{ input.a }}',
  '{{ nodes.a }}',
  '{{ nodes["with space"] }}',
  '{{ b',
  '{% if x %}',
  'input.n > 1',
  'nodes.c.ok',
  '1 + 1',
  'true',
  '{{ e.x | upcase }}',
  '((',
)
/** As it comes over the wire, where nothing is -0. */
const json = (maxDepth: number): fc.Arbitrary<Json> => fc.jsonValue({ maxDepth }).map((each) => JSON.parse(JSON.stringify(each)) as Json)
const value = fc.oneof(source, fc.integer(), fc.boolean(), fc.constant(null), fc.array(source, { maxLength: 2 }))
const config: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.constant({}),
  fc.record({ text: source }),
  fc.record({ url: source, count: value }, { requiredKeys: ['url'] }),
  fc.record({ routes: fc.array(fc.record({ name: fc.constantFrom('x', 'y', 'default'), when: value }), { maxLength: 3 }) }),
  fc.record({ items: value }),
  fc.record({ while: value }),
  fc.record({ schema: fc.oneof(value, fc.record({ type: fc.constantFrom('object', 'odd') }), json(3)) }) as fc.Arbitrary<JsonObject>,
  fc.dictionary(fc.string(), json(2)),
)
const type = fc.constantFrom(...nodeTypes.map((each) => each.type), 'unheard-of')
const settings = fc.record(
  {
    join: fc.constantFrom('any' as const, 'all' as const),
    timeoutMs: fc.integer({ min: 1, max: 9 }),
    retry: fc.record({ maxAttempts: fc.integer({ min: 1, max: 3 }) }, { requiredKeys: [] }),
    compensate: fc.record({ type, config }, { requiredKeys: ['type'] }),
  },
  { requiredKeys: [] },
)
const node = (id: string): fc.Arbitrary<Node> =>
  fc.record(
    {
      id: fc.constant(id),
      type,
      config,
      title: fc.constantFrom('a', 'A title', ''),
      settings,
      parentId: fc.constantFrom(...ids, null),
      extra: config,
      position: fc.constantFrom(null, { x: 1, y: -0.5 }),
    },
    { requiredKeys: ['id', 'type'] },
  )

export const aLink = (ends: readonly string[]): fc.Arbitrary<Link> =>
  fc.record(
    { source: fc.constantFrom(...ends), target: fc.constantFrom(...ends), sourceHandle: fc.constantFrom('default', 'failed', 'x', 'declined', null) },
    { requiredKeys: ['source', 'target'] },
  )

/** Unique ids, links between nodes that are there. */
export const aDefinition: fc.Arbitrary<Definition> = fc.subarray(ids, { minLength: 1 }).chain((chosen) =>
  fc.record(
    {
      kind: fc.constantFrom('workflow' as const, 'chatbot' as const),
      nodes: fc.tuple<Node[]>(...chosen.map(node)),
      links: fc.array(aLink(chosen), { maxLength: 8 }),
      settings: fc.record(
        { join: fc.constantFrom('any' as const, 'all' as const), onFailure: fc.constantFrom('stop' as const, 'continue' as const), idempotent: fc.boolean() },
        { requiredKeys: [] },
      ),
      testInputs: fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 2 }) as fc.Arbitrary<Definition['testInputs']>,
    },
    { requiredKeys: ['kind', 'nodes', 'links'] },
  ),
)

/** Mostly sound ones: links go forward only, types that need nothing. */
export const aSoundDefinition: fc.Arbitrary<Definition> = fc
  .array(fc.record({ parent: fc.nat(20), links: fc.array(fc.nat(20), { maxLength: 3 }), type: fc.constantFrom('merge', 'map', 'human') }), { minLength: 1, maxLength: 8 })
  .map((drawn) => {
    const nodes: Node[] = drawn.map((each, at) => {
      const parent = at === 0 ? undefined : drawn[each.parent % at]
      const config: JsonObject = each.type === 'map' ? { items: [] } : each.type === 'human' ? { message: 'x' } : {}
      return { id: `n${at}`, type: each.type, config, ...(parent?.type === 'map' && { parentId: `n${each.parent % at}` }) }
    })
    const links = drawn.flatMap((each, at) => (at === 0 ? [] : [...new Set(each.links.map((link) => link % at))].map((link) => ({ source: `n${link}`, target: `n${at}` }))))
    return {
      kind: 'workflow',
      nodes,
      links: links.filter(({ source, target }) => nodes.find(({ id }) => id === source)!.parentId === nodes.find(({ id }) => id === target)!.parentId),
    }
  })

export const isWellFormed = (definition: Definition): boolean => {
  const found = new Set(definition.nodes.map(({ id }) => id))
  return (
    Definition.safeParse(definition).success && found.size === definition.nodes.length && definition.links.every(({ source: from, target }) => found.has(from) && found.has(target))
  )
}
