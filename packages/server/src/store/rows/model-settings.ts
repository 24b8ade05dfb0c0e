import type { Tx } from '../database.ts'

/** The language model of a workspace; its key is sealed before it comes here. */
export interface ModelSettingsRow {
  workspace_id: string
  url: string
  model: string
  key: Buffer | null
  updated_at: Date
}

type Rows = Promise<(ModelSettingsRow & Record<string, unknown>)[]>

export async function modelSettingsOf(tx: Tx, workspaceId: string): Promise<ModelSettingsRow | undefined> {
  const rows: Rows = tx.query({ name: 'model-settings-get', text: 'select workspace_id, url, model, key, updated_at from model_settings where workspace_id = $1' }, [workspaceId])
  return (await rows)[0]
}

/** With `keepsKey` the key that is there stays, if it is one of this address; undefined: there is none such, and nothing is changed. */
export async function putModelSettings(tx: Tx, row: ModelSettingsRow, { keepsKey }: { keepsKey: boolean }): Promise<ModelSettingsRow | undefined> {
  const rows: Rows = tx.query(
    {
      name: 'model-settings-put',
      text: `
        insert into model_settings as m (workspace_id, url, model, key, updated_at) values ($1, $2, $3, $4, $5)
        on conflict (workspace_id) do update set
          url = excluded.url, model = excluded.model, updated_at = excluded.updated_at,
          key = case when $6::boolean then m.key else excluded.key end
        where not ($6::boolean and m.key is not null and m.url <> excluded.url)
        returning workspace_id, url, model, key, updated_at`,
    },
    [row.workspace_id, row.url, row.model, row.key, row.updated_at, keepsKey],
  )
  return (await rows)[0]
}

export const deleteModelSettings = (tx: Tx, workspaceId: string): Promise<unknown> =>
  tx.query({ name: 'model-settings-delete', text: 'delete from model_settings where workspace_id = $1' }, [workspaceId])
