import type { Definition, Json, JsonObject, WorkflowOrigin } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { timeOf } from '../ids.ts'
import { deleteFiles, endUses } from './files.ts'
import { dropNodeFiles } from './node-files.ts'

/** A workflow as stored, without its draft: drafts are large, and few readers need them. */
export interface WorkflowRow {
  id: string
  workspace_id: string
  handle: string
  name: string
  description: string
  origin: WorkflowOrigin
  revision: number
  /** Number and hash of the newest version. */
  version: number | null
  hash: string | null
  extra: JsonObject
  seq: number
  created_at: Date
  updated_at: Date
  /** Written by the transaction that reads it: it may yet be rolled back, and is nothing to remember. */
  fresh: boolean
}

export interface DraftRow extends WorkflowRow {
  draft: Definition
}

export interface VersionRow {
  workflow_id: string
  number: number
  hash: string
  name: string
  description: string
  definition: Definition
  created_at: Date
  fresh: boolean
}

export interface SampleRow {
  input: Json
  output: Json
  error: Json
  updated_at: Date
}

// A row knows 32 bits of the transaction that wrote it.
const fresh = `coalesce(xmin::text::bigint = pg_current_xact_id_if_assigned()::text::bigint % 4294967296, false) as fresh`
const columns = `id, workspace_id, handle, name, description, origin, revision, version, hash, extra, seq, created_at, updated_at, ${fresh}`

/** An id wins over a handle of the same spelling. */
const byRef = `
  from workflows
  where workspace_id = $1 and (id = $2 or handle = $2) and deleted_at is null
  order by (id = $2) desc limit 1`

const first = async <R>(rows: Promise<R[]>): Promise<R | undefined> => (await rows)[0]

export const findWorkflow = (tx: Tx, workspaceId: string, ref: string): Promise<WorkflowRow | undefined> =>
  first(tx.query<WorkflowRow & Record<string, unknown>>({ name: 'workflows-find', text: `select ${columns} ${byRef}` }, [workspaceId, ref]))

export const findDraft = (tx: Tx, workspaceId: string, ref: string): Promise<DraftRow | undefined> =>
  first(tx.query<DraftRow & Record<string, unknown>>({ name: 'workflows-draft', text: `select ${columns}, draft ${byRef}` }, [workspaceId, ref]))

/** For a start: the workflow cannot be deleted until its transaction ends. Edits and publishing go on beside it. */
export const pinWorkflow = (tx: Tx, workspaceId: string, ref: string): Promise<WorkflowRow | undefined> =>
  first(tx.query<WorkflowRow & Record<string, unknown>>({ name: 'workflows-pin', text: `select ${columns} ${byRef} for key share` }, [workspaceId, ref]))

/** Under its row lock: edits and publishing of one workflow come one after another. Runs that are being started do not wait for it. */
export const lockDraft = (tx: Tx, workspaceId: string, ref: string): Promise<DraftRow | undefined> =>
  first(tx.query<DraftRow & Record<string, unknown>>({ name: 'workflows-lock', text: `select ${columns}, draft ${byRef} for no key update` }, [workspaceId, ref]))

/** The same, by its handle alone: no id is taken for one. */
export const lockDraftOf = (tx: Tx, workspaceId: string, handle: string): Promise<DraftRow | undefined> =>
  first(
    tx.query<DraftRow & Record<string, unknown>>(
      { name: 'workflows-lock-handle', text: `select ${columns}, draft from workflows where workspace_id = $1 and handle = $2 and deleted_at is null for no key update` },
      [workspaceId, handle],
    ),
  )

/** A workflow that the server brought along for a mode, and whether it is as it was brought. */
export interface ModeRow {
  id: string
  edition: number
  hash: string
}

export const findMode = (tx: Tx, workspaceId: string, mode: string): Promise<ModeRow | undefined> =>
  first(
    tx.query<ModeRow & Record<string, unknown>>(
      { name: 'workflows-mode', text: 'select id, mode_edition as edition, mode_hash as hash from workflows where workspace_id = $1 and mode = $2 and deleted_at is null' },
      [workspaceId, mode],
    ),
  )

/** The mode that a workflow stands for; null: none. */
export const modeOf = async (tx: Tx, id: string): Promise<string | null> =>
  (await tx.query<{ mode: string | null }>({ name: 'workflows-mode-of', text: 'select mode from workflows where id = $1 and deleted_at is null' }, [id]))[0]?.mode ?? null

/** Until the end of the transaction, nobody else brings modes into the workspace. */
export async function lockModes(tx: Tx, workspaceId: string): Promise<void> {
  await tx.query({ name: 'workflows-lock-modes', text: 'select pg_advisory_xact_lock(hashtextextended($1, 7463))' }, [workspaceId])
}

export async function markMode(tx: Tx, id: string, mode: string, { edition, hash }: Omit<ModeRow, 'id'>): Promise<void> {
  await tx.query({ name: 'workflows-mark-mode', text: 'update workflows set mode = $2, mode_edition = $3, mode_hash = $4 where id = $1' }, [id, mode, edition, hash])
}

/** Until the end of the transaction, one server alone publishes what is written in code. */
export async function lockWritten(tx: Tx): Promise<void> {
  await tx.query({ name: 'workflows-lock-written', text: `select pg_advisory_xact_lock(hashtextextended('workflows written in code', 0))` })
}

/** For a deletion: after all starts under way, and before all others, which then find nothing. */
export const lockWhole = (tx: Tx, workspaceId: string, ref: string): Promise<DraftRow | undefined> =>
  first(tx.query<DraftRow & Record<string, unknown>>({ name: 'workflows-lock-whole', text: `select ${columns}, draft ${byRef} for update` }, [workspaceId, ref]))

export interface NewWorkflow {
  id: string
  workspaceId: string
  handle: string
  name: string
  description: string
  origin: WorkflowOrigin
  draft: Definition
  extra: JsonObject
  /** Names of the dialects that cannot say the draft. */
  unfit: readonly string[]
}

/** Made when its id was: a list in the order of their making is one in the order of ids. False when the id or the handle is there already. */
export async function insertWorkflow(tx: Tx, row: NewWorkflow): Promise<boolean> {
  const statement = {
    name: 'workflows-insert',
    text: `
      insert into workflows (id, workspace_id, handle, name, description, origin, draft, extra, unfit, seq, created_at, updated_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)
      on conflict do nothing
      returning id`,
  }
  const { id, workspaceId, handle, name, description, origin, draft, extra, unfit } = row
  return (await tx.query(statement, [id, workspaceId, handle, name, description, origin, JSON.stringify(draft), JSON.stringify(extra), unfit, new Date(timeOf(id))])).length > 0
}

export interface WorkflowChange {
  id: string
  name: string
  handle: string
  description: string
  extra: JsonObject
  /** Null leaves the draft and its revision as they are. */
  draft: Definition | null
  /** Of the draft that is given. */
  unfit: readonly string[]
}

/** Counts one event, and one edit when the draft is another. */
export async function updateWorkflow(tx: Tx, { id, name, handle, description, extra, draft, unfit }: WorkflowChange): Promise<void> {
  const statement = {
    name: 'workflows-update',
    text: `
      update workflows set
        name = $2, handle = $3, description = $4, extra = $5,
        draft = coalesce($6::json, draft), revision = revision + case when $6::json is null then 0 else 1 end,
        unfit = case when $6::json is null then unfit else $7 end,
        seq = seq + 1, updated_at = now()
      where id = $1`,
  }
  await tx.query(statement, [id, name, handle, description, JSON.stringify(extra), draft && JSON.stringify(draft), unfit])
}

/** Whether another workflow has the handle. */
export async function handleTaken(tx: Tx, workspaceId: string, handle: string, except: string): Promise<boolean> {
  const text = 'select 1 from workflows where workspace_id = $1 and handle = $2 and id <> $3 and deleted_at is null'
  return (await tx.query({ name: 'workflows-handle-taken', text }, [workspaceId, handle, except])).length > 0
}

/** Handles that begin so: to make the next one of. */
export async function handlesLike(tx: Tx, workspaceId: string, start: string): Promise<string[]> {
  const text = 'select handle from workflows where workspace_id = $1 and starts_with(handle, $2) and deleted_at is null'
  return (await tx.query<{ handle: string }>({ name: 'workflows-handles-like', text }, [workspaceId, start])).map(({ handle }) => handle)
}

/** Names that begin so, one transaction at a time: two that look at once would choose the same next one. */
export async function namesLike(tx: Tx, workspaceId: string, start: string): Promise<string[]> {
  await tx.query({ name: 'workflows-names-lock', text: 'select pg_advisory_xact_lock(hashtextextended($1, 0))' }, [`workflow names of ${workspaceId}`])
  const text = 'select name from workflows where workspace_id = $1 and starts_with(name, $2) and deleted_at is null'
  return (await tx.query<{ name: string }>({ name: 'workflows-names-like', text }, [workspaceId, start])).map(({ name }) => name)
}

export async function markPublished(tx: Tx, id: string, version: number, hash: string): Promise<void> {
  await tx.query({ name: 'workflows-published', text: 'update workflows set version = $2, hash = $3, seq = seq + 1, updated_at = now() where id = $1' }, [id, version, hash])
}

/** Hides it everywhere and frees its handle; versions and runs go with retention, samples and the files of the draft now. */
export async function hideWorkflow(tx: Tx, id: string): Promise<void> {
  await tx.query({ name: 'workflows-hide', text: 'update workflows set deleted_at = now(), updated_at = now(), seq = seq + 1 where id = $1' }, [id])
  await tx.query({ name: 'samples-delete', text: 'delete from samples where workflow_id = $1' }, [id])
  await tx.query({ name: 'node-files-hide', text: 'delete from node_files where workflow_id = $1' }, [id])
  await tx.query({ name: 'schedules-hide', text: 'delete from schedules where workflow_id = $1' }, [id])
  await deleteFiles(tx, await endUses(tx, { kind: 'workflow', ids: [id] }, null))
}

const versionColumns = `workflow_id, number, hash, name, description, definition, created_at, ${fresh}`

export const readVersion = (tx: Tx, workflowId: string, number: number): Promise<VersionRow | undefined> =>
  first(
    tx.query<VersionRow & Record<string, unknown>>({ name: 'versions-read', text: `select ${versionColumns} from versions where workflow_id = $1 and number = $2` }, [
      workflowId,
      number,
    ]),
  )

export const versionsOf = (tx: Tx, of: readonly { workflow_id: string; version: number }[]): Promise<VersionRow[]> =>
  tx.query<VersionRow & Record<string, unknown>>(
    { name: 'versions-of', text: `select ${versionColumns} from versions where (workflow_id, number) in (select * from unnest($1::text[], $2::int[]))` },
    [of.map(({ workflow_id }) => workflow_id), of.map(({ version }) => version)],
  )

export const versionByHash = (tx: Tx, workflowId: string, hash: string): Promise<VersionRow | undefined> =>
  first(
    tx.query<VersionRow & Record<string, unknown>>({ name: 'versions-by-hash', text: `select ${versionColumns} from versions where workflow_id = $1 and hash = $2` }, [
      workflowId,
      hash,
    ]),
  )

export async function insertVersion(tx: Tx, row: Omit<VersionRow, 'created_at' | 'fresh'>): Promise<VersionRow> {
  const statement = {
    name: 'versions-insert',
    text: `insert into versions (workflow_id, number, hash, name, description, definition) values ($1, $2, $3, $4, $5, $6) returning created_at`,
  }
  const [made] = await tx.query<{ created_at: Date }>(statement, [row.workflow_id, row.number, row.hash, row.name, row.description, JSON.stringify(row.definition)])
  return { ...row, created_at: made!.created_at, fresh: true }
}

/** A version in a page of them, with the bytes of all definitions of the page. */
export interface ListedVersion extends Omit<VersionRow, 'definition'> {
  /** Null: the page has more than it may have. */
  definition: Definition | null
  bytes: number
}

/** Newest first, below a number, without the first so many. Of a page of more bytes than `most` no definition is handed over. */
export const listVersions = (
  tx: Tx,
  workflowId: string,
  { below, offset, limit, most }: { below: number | null; offset: number; limit: number; most: number },
): Promise<ListedVersion[]> =>
  tx.query<ListedVersion & Record<string, unknown>>(
    {
      name: 'versions-list',
      text: `
        select workflow_id, number, hash, name, description, created_at, fresh, bytes, case when bytes <= $5 then definition end as definition
        from (
          select *, sum(octet_length(definition::text)) over ()::float8 as bytes from (
            select ${versionColumns} from versions where workflow_id = $1 and ($2::int is null or number < $2) order by number desc limit $3 offset $4
          ) as page
        ) as measured order by number desc`,
    },
    [workflowId, below, limit, offset, most],
  )

export async function countVersions(tx: Tx, workflowId: string): Promise<number> {
  const [row] = await tx.query<{ count: number }>({ name: 'versions-count', text: 'select count(*) as count from versions where workflow_id = $1' }, [workflowId])
  return row!.count
}

export const readSample = (tx: Tx, workflowId: string, nodeId: string): Promise<SampleRow | undefined> =>
  first(
    tx.query<SampleRow & Record<string, unknown>>({ name: 'samples-read', text: 'select input, output, error, updated_at from samples where workflow_id = $1 and node_id = $2' }, [
      workflowId,
      nodeId,
    ]),
  )

/** What is absent of a sample stays, and is null where there was none. */
export async function changeSamples(tx: Tx, workflowId: string, changes: ReadonlyMap<string, { input?: Json; output?: Json; error?: Json }>): Promise<void> {
  if (changes.size === 0) return
  const columnOf = (key: 'input' | 'output' | 'error') => [...changes.values()].map(({ [key]: value }) => (value === undefined ? null : JSON.stringify(value)))
  const statement = {
    name: 'samples-change',
    text: `
      insert into samples as there (workflow_id, node_id, input, output, error)
      select $1, node_id, coalesce(input, 'null'), coalesce(output, 'null'), coalesce(error, 'null')
      from unnest($2::text[], $3::json[], $4::json[], $5::json[]) as changed (node_id, input, output, error)
      on conflict (workflow_id, node_id) do update set (input, output, error, updated_at) = (
        select coalesce(changed.input, there.input), coalesce(changed.output, there.output), coalesce(changed.error, there.error), now()
        from unnest($2::text[], $3::json[], $4::json[], $5::json[]) as changed (node_id, input, output, error) where changed.node_id = there.node_id
      )`,
  }
  await tx.query(statement, [workflowId, [...changes.keys()], columnOf('input'), columnOf('output'), columnOf('error')])
}

/** Nodes that a draft has no more: what was tried on them goes, and the files that nothing else uses. */
export async function dropNodes(tx: Tx, workflowId: string, nodeIds: readonly string[]): Promise<void> {
  if (nodeIds.length === 0) return
  await tx.query({ name: 'samples-drop', text: 'delete from samples where workflow_id = $1 and node_id = any($2)' }, [workflowId, nodeIds])
  await dropNodeFiles(tx, workflowId, nodeIds)
}
