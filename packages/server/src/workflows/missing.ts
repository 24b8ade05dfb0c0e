import type { Definition } from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'

/** Node types of the definition that this server does not have. A run of it waits until a server does. */
export function missingTypes(definition: Definition, catalogue: Catalogue): string[] {
  const types = definition.nodes.flatMap(({ type, settings }) => (settings?.compensate ? [type, settings.compensate.type] : [type]))
  return [...new Set(types)].filter((type) => !catalogue.get(type)).sort()
}
