import type { ListNodeTypes, NodeType, OneNodeType } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** What nodes there are, and what their configs take. */
export interface NodeTypes {
  /** All of them, with the JSON Schemas of their configs; or the names that a `dialect` has for them, with the configs that it writes. */
  list(filter?: Input<typeof ListNodeTypes>, options?: CallOptions): Listing<NodeType>
  /** With the JSON Schema of its config. Throws `NotFoundError` (`node_type_missing`). */
  get(which: Input<typeof OneNodeType>, options?: CallOptions): Promise<NodeType>
}

export const nodeTypesOf = ({ list, read }: Calls): NodeTypes => ({
  list: (filter, options) => list('nodeTypes.list', filter, options),
  get: (which, options) => read('nodeTypes.get', which, options),
})
