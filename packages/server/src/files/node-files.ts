import { Fault, type ListNodeFiles, type NodeFile, type OneNodeFile, type Page } from '@sluice/schema'
import { decodeCursor, idForm, pageFrom } from '../store/cursor.ts'
import type { Database, Tx } from '../store/database.ts'
import { newId, timeOf } from '../store/ids.ts'
import { storeFile } from '../store/rows/files.ts'
import { changeNodeFile, countNodeFiles, deleteNodeFile, findNodeFile, insertNodeFile, listNodeFiles, type NodeFileRow, type NodeRef } from '../store/rows/node-files.ts'
import { findDraft, lockDraft, type DraftRow } from '../store/rows/workflows.ts'
import { type Called, calledAs, fileFrom } from './files.ts'
import type { ReceivedFile } from './received.ts'

interface OneNode {
  workflow: string
  nodeId: string
}

/**
 * Files that nodes of drafts have under keys of their own, one each. They go with their node, and with their workflow, and may be
 * read by whoever may read the draft. Throws `workflow_missing`, `node_missing`, `file_missing`, `key_taken`.
 */
export interface NodeFiles {
  /** Newest first. */
  list(workspaceId: string, input: ListNodeFiles): Promise<Page<NodeFile>>
  get(workspaceId: string, input: OneNodeFile): Promise<NodeFile>
  add(workspaceId: string, input: OneNode & Called & { key: string; file: ReceivedFile }): Promise<NodeFile>
  /** Another file in its place, another key, or both: it keeps its id, and what it was goes. */
  change(workspaceId: string, input: OneNodeFile & Called & { key?: string | undefined; file?: ReceivedFile | undefined }): Promise<NodeFile>
  delete(workspaceId: string, input: OneNodeFile): Promise<void>
}

export function createNodeFiles({ database }: { database: Database }): NodeFiles {
  const found = async (tx: Tx, node: NodeRef, id: string): Promise<NodeFileRow> => {
    const row = await findNodeFile(tx, node, id)
    if (!row) throw new Fault('file_missing')
    return row
  }

  return {
    async list(workspaceId, { workflow, nodeId, cursor, limit, count }) {
      const node = nodeOf(await findDraft(database, workspaceId, workflow), workflow, nodeId)
      const below = cursor === undefined ? null : decodeCursor(cursor, idForm)
      const page = pageFrom(await listNodeFiles(database, node, below, limit + 1), limit, ({ id }) => id, nodeFileFrom)
      return { ...page, ...(count && { total: await countNodeFiles(database, node) }) }
    },

    async get(workspaceId, { workflow, nodeId, id }) {
      return nodeFileFrom(await found(database, nodeOf(await findDraft(database, workspaceId, workflow), workflow, nodeId), id))
    },

    add: (workspaceId, { workflow, nodeId, key, file, ...called }) =>
      database.transaction(async (tx) => {
        // Under the lock of the draft: who removes the node comes before, and it is missing, or after, and takes the file along.
        const node = nodeOf(await lockDraft(tx, workspaceId, workflow), workflow, nodeId)
        await store(tx, workspaceId, file, called)
        const id = newId()
        if (!(await insertNodeFile(tx, { ...node, id, key, fileId: file.id, at: new Date(timeOf(id)) }))) throw taken(key)
        return nodeFileFrom(await found(tx, node, id))
      }),

    change: (workspaceId, { workflow, nodeId, id, key, file, ...called }) =>
      database.transaction(async (tx) => {
        const node = nodeOf(await lockDraft(tx, workspaceId, workflow), workflow, nodeId)
        const row = await found(tx, node, id)
        if (key === undefined && file === undefined) return nodeFileFrom(row)
        if (file) await store(tx, workspaceId, file, called)
        if (!(await changeNodeFile(tx, row, { key: key ?? null, fileId: file?.id ?? null }))) throw taken(key!)
        return nodeFileFrom(await found(tx, node, id))
      }),

    delete: (workspaceId, { workflow, nodeId, id }) =>
      database.transaction(async (tx) => {
        await deleteNodeFile(tx, await found(tx, nodeOf(await lockDraft(tx, workspaceId, workflow), workflow, nodeId), id))
      }),
  }
}

function nodeOf(row: DraftRow | undefined, workflow: string, nodeId: string): NodeRef {
  if (!row) throw new Fault('workflow_missing', { details: { workflow } })
  if (!row.draft.nodes.some(({ id }) => id === nodeId)) throw new Fault('node_missing', { details: { workflow: row.id, nodeId } })
  return { workflowId: row.id, nodeId }
}

async function store(tx: Tx, workspaceId: string, file: ReceivedFile, called: Called): Promise<void> {
  const { id, bytes, sha256 } = file
  const stored = await storeFile(tx, { id, bytes, sha256, ...calledAs(file, called), inUse: true })
  if (stored?.workspace_id !== workspaceId) throw new Fault('file_missing', { message: 'The file took too long to come' })
}

const taken = (key: string): Fault => new Fault('key_taken', { details: { key } })

const nodeFileFrom = (row: NodeFileRow): NodeFile => ({
  id: row.id,
  workflowId: row.workflow_id,
  nodeId: row.node_id,
  key: row.key,
  file: fileFrom(row.file),
  created: row.created_at.toISOString(),
  updated: row.updated_at.toISOString(),
})
