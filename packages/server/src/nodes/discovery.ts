import type { JsonObject, NodeType, NodeTypeDialect, NodeTypeOption } from '@sluice/schema'
import type { AnyNode, Catalogue } from './contract.ts'
import { describe } from './describe.ts'
import { optionsOf } from './options.ts'

/** What node types there are, as they tell it. */
export function createDiscovery(catalogue: Catalogue) {
  const find = (type: string, dialect: NodeTypeDialect | undefined): AnyNode | undefined => {
    const node = catalogue.get(type)
    return dialect === undefined || node?.alias?.dialect === dialect ? node : undefined
  }
  return {
    /** Of a dialect its names for them. */
    list: (dialect?: NodeTypeDialect): NodeType[] => catalogue.list(dialect).map(describe),
    get(type: string, dialect?: NodeTypeDialect): NodeType | undefined {
      const node = find(type, dialect)
      return node && describe(node)
    },
    options(type: string, dialect: NodeTypeDialect | undefined, field: string, values: JsonObject): NodeTypeOption[] | undefined | null {
      const node = find(type, dialect)
      return node ? optionsOf(node, field, values) : null
    },
  }
}
