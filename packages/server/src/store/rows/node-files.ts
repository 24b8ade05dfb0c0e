import type { Tx } from '../database.ts'
import { deleteFiles, endUses, type FileRow, insertUses } from './files.ts'

/** A file that a node of a draft has under a key, as stored, with the file. */
export interface NodeFileRow {
  id: string
  workflow_id: string
  node_id: string
  key: string
  created_at: Date
  updated_at: Date
  file: FileRow
}

type Joined = Omit<NodeFileRow, 'file'> & { file_created_at: Date } & Record<string, unknown>

const columns = `
  n.id, n.workflow_id, n.node_id, n.key, n.created_at, n.updated_at, f.id as file_id, f.workspace_id, f.owner_id, f.name, f.content_type, f.bytes, f.sha256,
  f.created_at as file_created_at, f.unused_at`
const joined = 'node_files n join files f on f.id = n.file_id'

const rowFrom = ({ id, workflow_id, node_id, key, created_at, updated_at, file_id, file_created_at, ...file }: Joined): NodeFileRow => ({
  id,
  workflow_id,
  node_id,
  key,
  created_at,
  updated_at,
  file: { ...file, id: file_id, created_at: file_created_at } as unknown as FileRow,
})

/** Of which node of which workflow. */
export interface NodeRef {
  workflowId: string
  nodeId: string
}

/** Newest first, below an id. */
export async function listNodeFiles(tx: Tx, { workflowId, nodeId }: NodeRef, below: string | null, limit: number): Promise<NodeFileRow[]> {
  const text = `select ${columns} from ${joined} where n.workflow_id = $1 and n.node_id = $2 and ($3::text is null or n.id < $3) order by n.id desc limit $4`
  return (await tx.query<Joined>({ name: 'node-files-list', text }, [workflowId, nodeId, below, limit])).map(rowFrom)
}

export async function countNodeFiles(tx: Tx, { workflowId, nodeId }: NodeRef): Promise<number> {
  const text = 'select count(*) as count from node_files where workflow_id = $1 and node_id = $2'
  return (await tx.query<{ count: number }>({ name: 'node-files-count', text }, [workflowId, nodeId]))[0]!.count
}

export async function findNodeFile(tx: Tx, { workflowId, nodeId }: NodeRef, id: string): Promise<NodeFileRow | undefined> {
  const text = `select ${columns} from ${joined} where n.id = $3 and n.workflow_id = $1 and n.node_id = $2`
  return (await tx.query<Joined>({ name: 'node-files-find', text }, [workflowId, nodeId, id])).map(rowFrom)[0]
}

export async function findKeyedFile(tx: Tx, { workflowId, nodeId }: NodeRef, key: string): Promise<NodeFileRow | undefined> {
  const text = `select ${columns} from ${joined} where n.key = $3 and n.workflow_id = $1 and n.node_id = $2`
  return (await tx.query<Joined>({ name: 'node-files-find-keyed', text }, [workflowId, nodeId, key])).map(rowFrom)[0]
}

/** The workflow uses the file from now on. False: the node has another one under the key. */
export async function insertNodeFile(tx: Tx, row: NodeRef & { id: string; key: string; fileId: string; at: Date }): Promise<boolean> {
  const statement = {
    name: 'node-files-insert',
    text: `
      insert into node_files (id, workflow_id, node_id, key, file_id, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $6)
      on conflict (workflow_id, node_id, key) do nothing returning id`,
  }
  if ((await tx.query(statement, [row.id, row.workflowId, row.nodeId, row.key, row.fileId, row.at])).length === 0) return false
  await insertUses(tx, [row.fileId], { kind: 'workflow', id: row.workflowId })
  return true
}

/** Null leaves key or file as they are. False: the node has another file under the key. The caller holds the row of the workflow, so that no other comes between. */
export async function changeNodeFile(tx: Tx, row: NodeFileRow, { key, fileId }: { key: string | null; fileId: string | null }): Promise<boolean> {
  const statement = {
    name: 'node-files-change',
    text: `
      update node_files set key = coalesce($2, key), file_id = coalesce($3, file_id), updated_at = now()
      where id = $1 and not exists (select from node_files o where o.workflow_id = node_files.workflow_id and o.node_id = node_files.node_id and o.key = $2 and o.id <> $1)
      returning id`,
  }
  if ((await tx.query(statement, [row.id, key, fileId])).length === 0) return false
  if (fileId === null) return true
  await insertUses(tx, [fileId], { kind: 'workflow', id: row.workflow_id })
  await letGo(tx, row.workflow_id, [row.file.id])
  return true
}

export async function deleteNodeFile(tx: Tx, { id, workflow_id, file }: NodeFileRow): Promise<void> {
  await tx.query({ name: 'node-files-delete', text: 'delete from node_files where id = $1' }, [id])
  await letGo(tx, workflow_id, [file.id])
}

/** All of these nodes. */
export async function dropNodeFiles(tx: Tx, workflowId: string, nodeIds: readonly string[]): Promise<void> {
  const text = 'delete from node_files where workflow_id = $1 and node_id = any($2) returning file_id'
  const gone = await tx.query<{ file_id: string }>({ name: 'node-files-drop', text }, [workflowId, nodeIds])
  if (gone.length > 0)
    await letGo(
      tx,
      workflowId,
      gone.map(({ file_id }) => file_id),
    )
}

/** The nodes of a copy have the files of those that they are copies of. */
export async function copyNodeFiles(tx: Tx, from: string, to: string, draw: () => string): Promise<void> {
  const there = await tx.query<{ id: string }>({ name: 'node-files-of', text: 'select id from node_files where workflow_id = $1' }, [from])
  if (there.length === 0) return
  const statement = {
    name: 'node-files-copy',
    text: `
      insert into node_files (id, workflow_id, node_id, key, file_id, created_at, updated_at)
      select copied.id, $2, node_id, key, file_id, now(), now() from node_files join unnest($3::text[], $4::text[]) as copied (of, id) on copied.of = node_files.id where workflow_id = $1`,
  }
  await tx.query(statement, [from, to, there.map(({ id }) => id), there.map(draw)])
}

/** What nothing else uses goes at once. */
async function letGo(tx: Tx, workflowId: string, fileIds: readonly string[]): Promise<void> {
  await deleteFiles(tx, await endUses(tx, { kind: 'workflow', ids: [workflowId] }, fileIds))
}
