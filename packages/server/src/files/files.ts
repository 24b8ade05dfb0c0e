import { Fault, type FileSubject, type ListFiles, type OneFile, type Page, type StoredFile, type UploadedFiles } from '@sluice/schema'
import { decodeCursor, idForm, pageFrom } from '../store/cursor.ts'
import type { Database, Tx } from '../store/database.ts'
import { pinWorkflow } from '../store/rows/workflows.ts'
import {
  countFiles,
  deleteFiles,
  deleteUnusedFile,
  endUses,
  type FileRow,
  type FileScope,
  filesOf,
  findReadable,
  insertUses,
  listFiles,
  storeFile,
  takeFiles,
  usesOf,
} from '../store/rows/files.ts'
import { type Blobs, createBlobs } from './blobs.ts'
import { contentTypeOf, displayName } from './names.ts'
import type { ReceivedFile } from './received.ts'

/** Who asks, and how far they see: their own files, or with `others` all of the workspace, as the policy has it. */
export interface FileUser {
  workspaceId: string
  userId: string
  others?: boolean
  /** Whether they may read workflows, and with them the files of drafts, whosever they are. */
  drafts?: boolean
}

/** A file with the way to its bytes. As JSON it is the file alone. */
export interface FileContent {
  file: StoredFile
  /** Bytes from `start` up to and including `end`; both are to lie in the file. */
  read(start: number, end: number): AsyncIterable<Buffer>
}

/** Instead of what a file came with. */
export interface Called {
  name?: string | undefined
  contentType?: string | undefined
}

export interface Upload extends Called {
  files: readonly ReceivedFile[]
  /** Id or handle of the workflow whose draft uses them from the start. */
  workflow?: string | undefined
}

/**
 * What was uploaded, who may have it, and what uses it. A file of another workspace, or of another user, is a missing one;
 * but those that a draft uses may be read by whoever may read the draft, and go with its workflow.
 * A file that nothing uses goes after a while (a day, unless `SLUICE_RETENTION` says otherwise); a used one stays.
 */
export interface Files extends Blobs {
  /**
   * Keeps what was received, all of it or none. Until something uses them they are their owner's, and go after a while. Throws
   * `workflow_missing`, and then keeps none.
   */
  keep(user: FileUser, upload: Upload): Promise<UploadedFiles>
  get(user: FileUser, input: OneFile): Promise<StoredFile>
  content(user: FileUser, input: OneFile): Promise<FileContent>
  /** Newest first. */
  list(user: FileUser, input: ListFiles): Promise<Page<StoredFile>>
  /** Throws `file_in_use`, with what uses it: nothing is taken away from a session, a draft or a run. */
  delete(user: FileUser, input: OneFile): Promise<void>

  /**
   * In the caller's transaction: from its commit on the subject uses these files, and they stay while it does. A second time
   * changes nothing. Throws `file_missing`, which names those that are not there or not the user's, and then none is used.
   */
  attach(tx: Tx, user: FileUser, ids: readonly string[], subject: FileSubject): Promise<void>
  /** In the caller's transaction: the subject uses these files no more. Those that it did not use are passed over. */
  detach(tx: Tx, ids: readonly string[], subject: FileSubject): Promise<void>
  /**
   * In the caller's transaction, when the subject goes: it uses nothing any more. What nothing else uses goes after a while;
   * with `atOnce` it goes with this transaction, as the test files of a draft do with their workflow.
   */
  release(tx: Tx, subject: FileSubject, options?: { atOnce?: boolean }): Promise<void>
  /** What the subject uses, oldest first, whoever brought it: whether that may be seen is decided by the subject. */
  of(tx: Tx, subject: FileSubject): Promise<StoredFile[]>
}

export function createFiles({ database }: { database: Database }): Files {
  const blobs = createBlobs(database)

  async function find(user: FileUser, id: string): Promise<FileRow> {
    const found = await findReadable(database, scopeOf(user), user.drafts === true, id)
    if (!found) throw new Fault('file_missing')
    return found
  }

  return {
    ...blobs,

    async keep(user, { files, name, contentType, workflow }) {
      if (files.length !== 1 && (name !== undefined || contentType !== undefined))
        throw new Fault('input_invalid', { issues: [{ path: ['name'], message: 'names one file alone' }] })
      return database.transaction(async (tx) => {
        // Pinned, before any file: who deletes it waits, and then finds what it uses.
        const used = workflow === undefined ? null : ((await pinWorkflow(tx, user.workspaceId, workflow)) ?? missingWorkflow(workflow))
        const kept: StoredFile[] = []
        for (const file of files) {
          const stored = await storeFile(tx, { id: file.id, bytes: file.bytes, sha256: file.sha256, ...calledAs(file, { name, contentType }), inUse: used !== null })
          if (stored?.workspace_id !== user.workspaceId) throw new Fault('file_missing', { message: 'The file took too long to come' })
          kept.push(fileFrom(stored))
        }
        if (used) {
          const ids = kept.map(({ id }) => id)
          await insertUses(tx, ids, { kind: 'workflow', id: used.id })
        }
        return { files: kept }
      })
    },

    get: async (user, { id }) => fileFrom(await find(user, id)),

    async content(user, { id }) {
      const file = fileFrom(await find(user, id))
      return { file, read: (start, end) => blobs.read(file.id, start, end) }
    },

    async list(user, { userId, cursor, limit, count }) {
      const mine = scopeOf(user)
      const scope = { ...mine, ownerId: mine.ownerId ?? userId ?? null }
      // Of another user one sees nothing, not even that they are there.
      if (userId !== undefined && scope.ownerId !== userId) throw new Fault('user_missing')
      const below = cursor === undefined ? null : decodeCursor(cursor, idForm)
      const page = pageFrom(await listFiles(database, scope, below, limit + 1), limit, ({ id }) => id, fileFrom)
      return { ...page, ...(count && { total: await countFiles(database, scope) }) }
    },

    async delete(user, { id }) {
      await find(user, id)
      if (await deleteUnusedFile(database, scopeOf(user), id)) return
      const uses = await usesOf(database, id)
      // None: it was deleted by somebody else meanwhile.
      if (uses.length === 0) throw new Fault('file_missing')
      throw new Fault('file_in_use', { details: { uses: uses.map(({ kind, id: subject }) => ({ kind, id: subject })) } })
    },

    async attach(tx, user, ids, subject) {
      if (ids.length === 0) return
      const taken = new Set(await takeFiles(tx, scopeOf(user), ids))
      const missing = ids.filter((id) => !taken.has(id))
      if (missing.length > 0) throw new Fault('file_missing', { details: { files: missing.slice(0, 100) } })
      await insertUses(tx, [...taken], subject)
    },

    async detach(tx, ids, { kind, id }) {
      await endUses(tx, { kind, ids: [id] }, ids)
    },

    async release(tx, { kind, id }, { atOnce = false } = {}) {
      const unused = await endUses(tx, { kind, ids: [id] }, null)
      if (atOnce && unused.length > 0) await deleteFiles(tx, unused)
    },

    of: async (tx, subject) => (await filesOf(tx, subject)).map(fileFrom),
  }
}

export const calledAs = (file: ReceivedFile, { name, contentType }: Called): { name: string; contentType: string } => ({
  name: name === undefined ? file.name : displayName(name),
  contentType: contentType === undefined ? file.contentType : contentTypeOf(contentType),
})

function missingWorkflow(workflow: string): never {
  throw new Fault('workflow_missing', { details: { workflow } })
}

const scopeOf = ({ workspaceId, userId, others = false }: FileUser): FileScope => ({ workspaceId, ownerId: others ? null : userId })

export const fileFrom = (row: FileRow): StoredFile => ({
  id: row.id,
  name: row.name,
  contentType: row.content_type,
  bytes: row.bytes,
  sha256: row.sha256,
  userId: row.owner_id,
  created: row.created_at.toISOString(),
  unusedSince: row.unused_at && row.unused_at.toISOString(),
})
