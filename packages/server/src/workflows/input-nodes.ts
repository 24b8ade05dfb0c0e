import type { Definition, JsonObject, Node } from '@sluice/schema'
import type { AnyNode, Catalogue } from '../nodes/contract.ts'
import { typeBehind } from '../nodes/contract.ts'
import { alone, configFor, configOf } from './config.ts'

/** The nodes that a run's input is for, and what each of them takes. Those of bodies are given something else. */

export const inputNodesOf = (definition: Definition, catalogue: Catalogue): Node[] =>
  definition.nodes.filter(({ type, parentId }) => {
    if (parentId) return false
    const declaration = catalogue.get(type)
    return declaration !== undefined && typeBehind(declaration) === 'input'
  })

/** Asked at every start: definitions are kept, and so is what the config of an alias means. */
const kept = new WeakMap<AnyNode, WeakMap<Node, JsonObject | null>>()

/** The JSON Schema that the value for an input node must fit; null when it takes any. */
export function schemaOfInput(node: Node, catalogue: Catalogue): JsonObject | null {
  const declaration = catalogue.get(node.type)
  if (!declaration?.alias) return schemaIn(configOf(node))
  const schemas = kept.get(declaration) ?? new WeakMap<Node, JsonObject | null>()
  kept.set(declaration, schemas)
  const known = schemas.get(node)
  if (known !== undefined) return known
  const meant = configFor(declaration, configOf(node), alone(node))
  const schema = meant.ok ? schemaIn(meant.config) : null
  schemas.set(node, schema)
  return schema
}

function schemaIn({ schema }: JsonObject): JsonObject | null {
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema) ? schema : null
}
