import type { Outside } from '../outside/outside.ts'
import type { Model, Models } from './model.ts'
import { offline } from './offline/offline.ts'
import { modelsAt } from './openai/provider.ts'
import type { Endpoint } from './openai/provider.ts'

export interface ModelSettings {
  /** The operator's model; null: there is none. */
  configured: (Endpoint & { model: string }) | null
  /** A way out on which the endpoint's host is open. */
  outside: Outside
}

/** The models of this server. The offline one can be asked for by its name, beside whatever is configured. */
export function createModels({ configured, outside }: ModelSettings): Models {
  const named = configured && modelsAt(configured, outside)
  const nameOr = (name: string | undefined): string => name ?? configured?.model ?? offline.name
  return {
    modelFor: async (_workspaceId, name): Promise<Model> => (named && nameOr(name) !== offline.name ? named(nameOr(name)) : offline),
  }
}
