import type { Json, JsonObject, NodeType } from '@sluice/schema'
import type { NodeTypeResponse } from '../contract.ts'
import { swatchOf } from '../palette.ts'
import { isDict } from './dicts.ts'

/** Node types as PySpur's editors are told of them. PURE and total. */

/** By heading, in the order they came in. */
export function nodeTypesOf(types: readonly NodeType[]): Record<string, NodeTypeResponse[]> {
  const groups = Map.groupBy(types, ({ type }) => swatchOf(type).category)
  return Object.fromEntries([...groups].map(([category, of]) => [category, of.map(nodeTypeOf)]))
}

function nodeTypeOf({ type, title, description, config }: NodeType): NodeTypeResponse {
  const { category, acronym, color, begins } = swatchOf(type)
  return {
    name: type,
    // What comes in is what the links bring, and what goes out the config says.
    input: open,
    output: open,
    config: { ...config, title, description, properties: withDefaults(config['properties'], begins) },
    visual_tag: { acronym, color },
    has_fixed_output: false,
    category,
  }
}

const open = { type: 'object', properties: {} }

/** Editors make a new node of the defaults. */
const withDefaults = (properties: Json | undefined, begins: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(isDict(properties) ? properties : {}).map(([key, property]) => [
      key,
      isDict(property) && Object.hasOwn(begins, key) ? { ...property, default: begins[key]! } : property,
    ]),
  )
