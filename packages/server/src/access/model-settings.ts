import { Fault, modelAddress, type ModelSettings, type SetModel } from '@sluice/schema'
import type { Tx } from '../store/index.ts'
import { deleteModelSettings, modelSettingsOf, putModelSettings, type ModelSettingsRow } from '../store/rows/model-settings.ts'
import { authorize } from './policy.ts'
import type { Principal } from './principal.ts'
import type { Vault } from './secrets.ts'

/** Where a workspace asks its language model, as it is asked: with the key. */
export interface ModelEndpoint {
  /** Before `/chat/completions`. */
  url: string
  model: string
  /** Null: it asks for none. */
  key: string | null
}

/** The language models of workspaces, in the place of the operator's. */
export interface ModelChoices {
  get(principal: Principal): Promise<ModelSettings>
  /** Asks nobody whether it is right. Throws `input_invalid` where the key that is there is of another address and none is given. */
  set(principal: Principal, input: SetModel): Promise<ModelSettings>
  /** From now on the operator's is asked. There may be none. */
  remove(principal: Principal): Promise<void>
  /** For who asks it alone: no face of the server calls this. Null: the workspace has none. Throws `secret_missing` for a key that was kept under another secret of the server. */
  endpointOf(workspaceId: string): Promise<ModelEndpoint | null>
}

export interface ModelChoicesParts {
  database: Tx
  vault: Vault
  /** The model of who operates the server. Null: there is none. */
  operators: string | null
  now: () => number
}

export function createModelChoices({ database, vault, operators, now }: ModelChoicesParts): ModelChoices {
  return {
    async get(principal) {
      authorize(principal, 'model.read')
      const row = await modelSettingsOf(database, principal.workspaceId)
      if (row) return settingsFrom(row)
      return { from: operators === null ? 'offline' : 'operator', url: null, model: operators ?? 'offline', hasKey: false, updated: null }
    },

    async set(principal, { url: given, model, key }) {
      authorize(principal, 'model.manage')
      const { workspaceId } = principal
      const url = modelAddress(given)
      if (url === null) throw refused('url', 'expected an http or https address such as https://api.openai.com/v1')
      const sealed = typeof key === 'string' ? vault.seal(workspaceId, sealedAs(url), key) : null
      const row = await putModelSettings(database, { workspace_id: workspaceId, url, model, key: sealed, updated_at: new Date(now()) }, { keepsKey: key === undefined })
      // Nobody is sent a key that was given for somebody else.
      if (!row) throw refused('key', 'the key that is kept is of another address: give the one of this, or null where it asks for none')
      return settingsFrom(row)
    },

    async remove(principal) {
      authorize(principal, 'model.manage')
      await deleteModelSettings(database, principal.workspaceId)
    },

    async endpointOf(workspaceId) {
      const row = await modelSettingsOf(database, workspaceId)
      return row ? { url: row.url, model: row.model, key: row.key && vault.open(workspaceId, sealedAs(row.url), row.key) } : null
    },
  }
}

/** What is kept under a slash no secret is named by. */
const sealedAs = (url: string): string => `model/${url}`

const refused = (field: string, message: string): Fault => new Fault('input_invalid', { issues: [{ path: [field], message }] })

const settingsFrom = ({ url, model, key, updated_at }: ModelSettingsRow): ModelSettings => ({
  from: 'workspace',
  url,
  model,
  hasKey: key !== null,
  updated: updated_at.toISOString(),
})
