import { Fault } from '@sluice/schema'
import type { Outside } from '../outside/outside.ts'
import { ModelError } from './error.ts'
import type { Model, Models } from './model.ts'
import { offline } from './offline/offline.ts'
import { modelsAt } from './openai/provider.ts'
import type { Endpoint } from './openai/provider.ts'

/** An endpoint, and the model that is asked there where none is named. */
export type Choice = Endpoint & { model: string }

export interface ModelSettings {
  /** The operator's model; null: there is none. */
  configured: Choice | null
  /** A way out on which the endpoint's host is open. */
  outside: Outside
  /** The models of workspaces, each in the place of the operator's. Unset: they have none. */
  own?: OwnModels
}

export interface OwnModels {
  /** As it is at this moment. Null: the workspace has none. A Fault: its key cannot be read. */
  endpointOf(workspaceId: string): Promise<Choice | null>
  /** The way out of steps: what no step may reach is no model either. */
  outside: Outside
}

/** Of how many workspaces is kept how their models want to be asked. */
const mostKept = 1_000

type Named = (name: string) => Model

/** The models of this server. The offline one can be asked for by its name, beside whatever is configured. */
export function createModels({ configured, outside, own }: ModelSettings): Models {
  const operators = configured && { model: configured.model, named: modelsAt(configured, outside) }
  const ownOf = own && ownModels(own)
  return {
    async modelFor(workspaceId, name) {
      if (name === offline.name) return offline
      const choice = (await ownOf?.(workspaceId)) ?? operators
      return choice ? choice.named(name ?? choice.model) : offline
    },
  }
}

/** Asked at every call, so that a change holds from then on, on every server: beside a model's answer a row costs nothing. */
function ownModels({ endpointOf, outside }: OwnModels): (workspaceId: string) => Promise<{ model: string; named: Named } | null> {
  const kept = new Map<string, Endpoint & { named: Named }>()
  return async (workspaceId) => {
    const choice = await endpointOf(workspaceId).catch(unreadable)
    const before = kept.get(workspaceId)
    kept.delete(workspaceId)
    if (!choice) return null
    const { url, key, model } = choice
    const named = before?.url === url && before.key === key ? before.named : modelsAt({ url, key }, outside)
    // In the order in which they were last asked.
    kept.set(workspaceId, { url, key, named })
    if (kept.size > mostKept) kept.delete(kept.keys().next().value!)
    return { model, named }
  }
}

function unreadable(error: unknown): never {
  if (!(error instanceof Fault)) throw error
  throw new ModelError('unauthorized', "The key of the workspace's model cannot be read: it was kept under another SLUICE_SECRET; set it again")
}
