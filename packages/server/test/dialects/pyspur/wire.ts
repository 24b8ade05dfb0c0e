import type { Json, JsonObject } from '@sluice/schema'
import fc from 'fast-check'

/** Definitions as clients of PySpur send them: keys with a default may be absent, null or empty. */

export interface WireNode {
  id: string
  title?: string
  parent_id?: string | null
  node_type: string
  config?: JsonObject
  coordinates?: { x: number; y: number } | null
  dimensions?: { width: number; height: number } | null
  subworkflow?: WireDefinition | null
}

export interface WireLink {
  source_id: string
  target_id: string
  source_handle?: string | null
  target_handle?: string | null
}

export interface WireDefinition {
  nodes: WireNode[]
  links: WireLink[]
  test_inputs?: JsonObject[]
  spur_type?: 'workflow' | 'chatbot' | 'agent'
}

// Keys that servers drop for good, and what a text of JSON cannot say, are left out.
const isPlain = (value: unknown): boolean => !/"(__proto__|constructor|prototype)":|\\u0000/.test(JSON.stringify(value)) && JSON.stringify(value).isWellFormed()
const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>
const object: fc.Arbitrary<JsonObject> = fc
  .dictionary(fc.string({ maxLength: 12 }), json, { maxKeys: 4 })
  .filter(isPlain)
  .map(asJson)

const config = fc.oneof<fc.Arbitrary<JsonObject>[]>(
  object,
  fc.record({ output_schema: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('string', 'number')), output_json_schema: fc.constantFrom('', '{"type": "object" }') }),
  fc.constant({ route_map: { yes: { conditions: [{ variable: 'input_node.a', operator: 'equals', value: 1, logicalOperator: 'AND' }] } } }),
  fc.record({ message: fc.string({ maxLength: 20 }), block_only_dependent_nodes: fc.boolean() }).filter(isPlain),
)

const nodeTypes = ['InputNode', 'OutputNode', 'RouterNode', 'HumanInterventionNode', 'ForLoopNode', 'PythonFuncNode', 'NobodyKnowsNode', 'http-request']
const text = fc.constantFrom('', ' ', 'a', 'Title of it', 'Ünïcode ✓', '{{ x }}')
const number = fc.oneof(fc.integer({ min: -1_000, max: 1_000 }), fc.constantFrom(0.5, -12.25, 1e21))

const nodeOf = (id: string, subworkflow: fc.Arbitrary<WireDefinition | null>, ids: readonly string[]): fc.Arbitrary<WireNode> =>
  fc.record(
    {
      id: fc.constant(id),
      title: text,
      parent_id: fc.constantFrom(null, '', ...ids),
      node_type: fc.constantFrom(...nodeTypes),
      config,
      coordinates: fc.oneof(fc.constant(null), fc.record({ x: number, y: number })),
      dimensions: fc.oneof(fc.constant(null), fc.record({ width: number, height: number })),
      subworkflow,
    },
    { requiredKeys: ['id', 'node_type'] },
  )

const linkOf = (ids: readonly string[]): fc.Arbitrary<WireLink> =>
  fc.record(
    {
      source_id: fc.constantFrom(...ids),
      target_id: fc.constantFrom(...ids),
      source_handle: fc.constantFrom(null, '', 'yes', 'default'),
      target_handle: fc.constantFrom(null, '', 'router.yes', 'a.b.c'),
    },
    { requiredKeys: ['source_id', 'target_id'] },
  )

const possibleIds = ['input_node', 'node_1', 'Ω', 'with space', 'a.b', '3']

const definitionOf = (subworkflow: fc.Arbitrary<WireDefinition | null>): fc.Arbitrary<WireDefinition> =>
  fc.shuffledSubarray(possibleIds, { minLength: 1 }).chain((ids) =>
    fc.record(
      {
        nodes: fc.tuple(...ids.map((id) => nodeOf(id, subworkflow, ids))),
        links: fc.array(linkOf(ids), { maxLength: 6 }),
        test_inputs: fc.array(object, { maxLength: 3 }),
        spur_type: fc.constantFrom('workflow' as const, 'agent' as const),
      },
      { requiredKeys: ['nodes', 'links'] },
    ),
  )

/** Of a form that every rule allows, with at least one node. */
export const aWireDefinition: fc.Arbitrary<WireDefinition> = definitionOf(
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: definitionOf(fc.constant(null)) }),
)

/** What is promised to come back: the same, with the documented defaults, and nothing where a text is empty. */
export function filled({ nodes, links, test_inputs = [], spur_type = 'workflow' }: WireDefinition): Required<WireDefinition> {
  return {
    nodes: nodes.map(({ id, title = '', parent_id, node_type, config: given = {}, coordinates = null, dimensions = null, subworkflow }) => ({
      id,
      title: title.trim() === '' ? id : title,
      parent_id: parent_id || null,
      node_type,
      config: given,
      coordinates,
      dimensions,
      subworkflow: subworkflow ? filled(subworkflow) : null,
    })),
    links: links.map(({ source_id, target_id, source_handle, target_handle }) => ({
      source_id,
      target_id,
      source_handle: source_handle || null,
      target_handle: target_handle || null,
    })),
    test_inputs,
    spur_type,
  }
}
