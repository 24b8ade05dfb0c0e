import type { Definition, JsonObject } from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'
import { configOf } from './config.ts'

/** Node types of the definition that this server does not have, and what its configs name of programs that it has not loaded. A run of it waits until a server does. */
export function missingIn(definition: Definition, catalogue: Catalogue): string[] {
  const missing = definition.nodes.flatMap(({ type, config, settings }) => {
    const { compensate } = settings ?? {}
    return [lacking(catalogue, type, configOf({ ...(config && { config }) })), compensate && lacking(catalogue, compensate.type, configOf(compensate))]
  })
  return [...new Set(missing.filter((each) => typeof each === 'string'))].sort()
}

function lacking(catalogue: Catalogue, type: string, config: JsonObject): string | null {
  const declaration = catalogue.get(type)
  return declaration ? (declaration.lacks?.(config) ?? null) : type
}
