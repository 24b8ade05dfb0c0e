import type { FileSubject } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** A file as stored: all of it has come. */
export interface FileRow {
  id: string
  workspace_id: string
  owner_id: string
  name: string
  content_type: string
  bytes: number
  sha256: string
  created_at: Date
  unused_at: Date | null
}

const columns = 'id, workspace_id, owner_id, name, content_type, bytes, sha256, created_at, unused_at'
const row = async (rows: Promise<(FileRow & Record<string, unknown>)[]>): Promise<FileRow | undefined> => (await rows)[0]

// ── coming ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface NewFile {
  id: string
  workspaceId: string
  ownerId: string
  name: string
  contentType: string
  /** The most it can have: so much room is taken until it is known. */
  reserved: number
}

/** Makes room for a file. False: the workspace has none. Its files are counted by one transaction at a time, so that two cannot take the same room. */
export async function reserveFile(tx: Tx, file: NewFile, most: { bytes: number; files: number }): Promise<boolean> {
  await tx.query({ name: 'files-room-lock', text: 'select pg_advisory_xact_lock(hashtextextended($1, 7463))' }, [file.workspaceId])
  const statement = {
    name: 'files-reserve',
    text: `
      insert into files (id, workspace_id, owner_id, name, content_type, bytes)
      select $1, $2, $3, $4, $5, $6::bigint from (select count(*) as files, coalesce(sum(bytes), 0) as bytes from files where workspace_id = $2) there
      where there.files < $7::bigint and there.bytes + $6::bigint <= $8::bigint
      returning id`,
  }
  const { id, workspaceId, ownerId, name, contentType, reserved } = file
  return (await tx.query(statement, [id, workspaceId, ownerId, name, contentType, reserved, most.files, most.bytes])).length > 0
}

export const insertChunk = (tx: Tx, fileId: string, number: number, data: Buffer): Promise<unknown> =>
  tx.query({ name: 'file-chunks-insert', text: 'insert into file_chunks (file_id, number, data) values ($1, $2, $3)' }, [fileId, number, data])

/** What has come becomes a file, in use from the start or not yet. Undefined: it was swept meanwhile, or is one already. */
export const storeFile = (tx: Tx, file: { id: string; name: string; contentType: string; bytes: number; sha256: string; inUse: boolean }): Promise<FileRow | undefined> =>
  row(
    tx.query(
      {
        name: 'files-store',
        text: `
          update files set name = $2, content_type = $3, bytes = $4, sha256 = $5, stored_at = now(), unused_at = case when not $6 then now() end
          where id = $1 and stored_at is null returning ${columns}`,
      },
      [file.id, file.name, file.contentType, file.bytes, file.sha256, file.inUse],
    ),
  )

/** Drops what has not become a file. */
export const discardFiles = (tx: Tx, ids: readonly string[]): Promise<unknown> =>
  tx.query({ name: 'files-discard', text: 'delete from files where id = any($1) and stored_at is null' }, [ids])

// ── being there ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Whose files: all of a workspace, or those of one user. */
export interface FileScope {
  workspaceId: string
  ownerId: string | null
}

const within = 'workspace_id = $1 and ($2::text is null or owner_id = $2) and stored_at is not null'

/** Of these files, and with `drafts` of those that drafts of the workspace use, too. */
export const findReadable = (tx: Tx, { workspaceId, ownerId }: FileScope, drafts: boolean, id: string): Promise<FileRow | undefined> =>
  row(
    tx.query(
      {
        name: 'files-find-readable',
        text: `
          select ${columns} from files where id = $3 and workspace_id = $1 and stored_at is not null
          and ($2::text is null or owner_id = $2 or ($4 and exists (select from file_uses where file_id = files.id and subject_kind = 'workflow')))`,
      },
      [workspaceId, ownerId, id, drafts],
    ),
  )

/** Newest first, below an id. */
export const listFiles = (tx: Tx, { workspaceId, ownerId }: FileScope, below: string | null, limit: number): Promise<FileRow[]> =>
  tx.query<FileRow & Record<string, unknown>>(
    { name: 'files-list', text: `select ${columns} from files where ${within} and ($3::text is null or id < $3) order by id desc limit $4` },
    [workspaceId, ownerId, below, limit],
  )

export async function countFiles(tx: Tx, { workspaceId, ownerId }: FileScope): Promise<number> {
  const [counted] = await tx.query<{ count: number }>({ name: 'files-count', text: `select count(*) as count from files where ${within}` }, [workspaceId, ownerId])
  return counted!.count
}

export async function readChunk(tx: Tx, fileId: string, number: number): Promise<Buffer | undefined> {
  const rows = await tx.query<{ data: Buffer }>({ name: 'file-chunks-read', text: 'select data from file_chunks where file_id = $1 and number = $2' }, [fileId, number])
  return rows[0]?.data
}

/** False: something uses it, or it is none of these. One that comes into use meanwhile is seen, because a use is written into this row too. */
export async function deleteUnusedFile(tx: Tx, { workspaceId, ownerId }: FileScope, id: string): Promise<boolean> {
  const text = `delete from files where id = $3 and ${within} and unused_at is not null returning id`
  return (await tx.query({ name: 'files-delete', text }, [workspaceId, ownerId, id])).length > 0
}

// ── being used ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Those of the files that are there, which from now on are in use. Always in one order: two who take the same ones wait, and do not block each other. */
export async function takeFiles(tx: Tx, { workspaceId, ownerId }: FileScope, ids: readonly string[]): Promise<string[]> {
  const statement = {
    name: 'files-take',
    text: `
      with wanted as (select id from files where id = any($3) and ${within} order by id for no key update)
      update files set unused_at = null from wanted where files.id = wanted.id returning files.id`,
  }
  return (await tx.query<{ id: string }>(statement, [workspaceId, ownerId, ids])).map(({ id }) => id)
}

export const insertUses = (tx: Tx, ids: readonly string[], { kind, id }: FileSubject): Promise<unknown> =>
  tx.query(
    {
      name: 'file-uses-insert',
      text: 'insert into file_uses (file_id, subject_kind, subject_id) select file_id, $2, $3 from unnest($1::text[]) as file_id on conflict do nothing',
    },
    [ids, kind, id],
  )

/** What one subject uses, another of its kind uses from now on too. The one must not end its uses meanwhile. */
export const shareUses = (tx: Tx, kind: FileSubject['kind'], from: string, to: string): Promise<unknown> =>
  tx.query(
    {
      name: 'file-uses-share',
      text: 'insert into file_uses (file_id, subject_kind, subject_id) select file_id, subject_kind, $3 from file_uses where subject_kind = $1 and subject_id = $2',
    },
    [kind, from, to],
  )

/** Files that a subject uses, oldest first. */
export const filesOf = (tx: Tx, { kind, id }: FileSubject): Promise<FileRow[]> =>
  tx.query<FileRow & Record<string, unknown>>(
    { name: 'files-of', text: `select ${columns} from files where id in (select file_id from file_uses where subject_kind = $1 and subject_id = $2) order by id` },
    [kind, id],
  )

/** What uses a file. */
export const usesOf = (tx: Tx, fileId: string): Promise<FileSubject[]> =>
  tx.query<FileSubject & Record<string, unknown>>(
    { name: 'file-uses-of', text: 'select subject_kind as kind, subject_id as id from file_uses where file_id = $1 order by 1, 2 limit 20' },
    [fileId],
  )

/**
 * Ends uses: of these files by these subjects, of all that they use when none are named. Answers with the files that nothing
 * uses any more. Their rows are locked first: of two who end the last two uses, the second sees that it is the last.
 */
export async function endUses(tx: Tx, { kind, ids }: { kind: FileSubject['kind']; ids: readonly string[] }, files: readonly string[] | null): Promise<string[]> {
  const values = [kind, ids, files]
  const uses = 'subject_kind = $1 and subject_id = any($2) and ($3::text[] is null or file_id = any($3))'
  const found = await tx.query<{ id: string }>(
    { name: 'file-uses-lock', text: `select id from files where id in (select file_id from file_uses where ${uses}) order by id for no key update` },
    values,
  )
  if (found.length === 0) return []
  await tx.query({ name: 'file-uses-end', text: `delete from file_uses where ${uses}` }, values)
  const unused = await tx.query<{ id: string }>(
    {
      name: 'files-unused',
      text: 'update files set unused_at = now() where id = any($1) and not exists (select from file_uses where file_id = files.id) returning id',
    },
    [found.map(({ id }) => id)],
  )
  return unused.map(({ id }) => id)
}

/** Files that a transaction has found to be unused go with it. */
export const deleteFiles = (tx: Tx, ids: readonly string[]): Promise<unknown> => tx.query({ name: 'files-delete-many', text: 'delete from files where id = any($1)' }, [ids])
