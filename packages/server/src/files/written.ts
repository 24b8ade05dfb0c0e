import { createHash } from 'node:crypto'
import { Fault, limits } from '@sluice/schema'
import type { Database, Tx } from '../store/database.ts'
import { newId, timeOf } from '../store/ids.ts'
import { markWritten } from '../store/rows/file-writes.ts'
import { insertChunk, readChunk, reserveFile, storeFile } from '../store/rows/files.ts'
import { changeNodeFile, findKeyedFile, insertNodeFile, type NodeFileRow, type NodeRef } from '../store/rows/node-files.ts'
import { lockDraft } from '../store/rows/workflows.ts'
import { chunkBytes } from './blobs.ts'
import { displayName } from './names.ts'

/** The step that writes, and whose the file will be. */
export interface Writer {
  workspaceId: string
  userId: string
  workflowId: string
  nodeId: string
  runId: string
  /** Of this run, the same on every retry. */
  step: string
}

export interface Writing {
  /** What its node calls the file: a name and nothing else, whatever stands in it. */
  key: string
  text: string
  /** To what is there already; else in its place. */
  append: boolean
}

export interface Written {
  id: string
  key: string
  bytes: number
}

/**
 * Writes of steps, each once however often its step is tried: into a file that the node has under a key, as `NodeFiles` has them.
 * Throws `workflow_missing`, `node_missing` when the draft has the node no more, `file_too_large`, `files_full`.
 */
export const createWrites =
  ({ database }: { database: Database }) =>
  (writer: Writer, { key: given, text, append }: Writing): Promise<Written> =>
    database.transaction(async (tx) => {
      // Under the lock of the draft, as all that changes files of its nodes: of two that append, one comes after the other.
      const node = await nodeOf(tx, writer)
      const key = keyOf(given)
      const there = await findKeyedFile(tx, node, key)
      if (!(await markWritten(tx, writer.runId, writer.step)) && there) return { id: there.id, key, bytes: there.file.bytes }
      const bytes = Buffer.from(text)
      const content = append && there ? Buffer.concat([...(await contentOf(tx, there)), bytes]) : bytes
      const fileId = await store(tx, writer, key, content)
      return { id: there ? await replaced(tx, there, fileId) : await added(tx, node, key, fileId), key, bytes: content.byteLength }
    })

async function nodeOf(tx: Tx, { workspaceId, workflowId, nodeId }: Writer): Promise<NodeRef> {
  const row = await lockDraft(tx, workspaceId, workflowId)
  if (!row) throw new Fault('workflow_missing', { details: { workflow: workflowId } })
  if (!row.draft.nodes.some(({ id }) => id === nodeId)) throw new Fault('node_missing', { details: { workflow: workflowId, nodeId } })
  return { workflowId: row.id, nodeId }
}

/** Without what is no part of a name, and not too long. */
function keyOf(given: string): string {
  const clean = Array.from(
    given
      .slice(0, 1_000)
      .toWellFormed()
      .replace(/[\p{Cc}\p{Cs}]/gu, ' ')
      .trim(),
  )
    .slice(0, 200)
    .join('')
  return clean === '' ? 'file' : clean
}

async function contentOf(tx: Tx, { file }: NodeFileRow): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  for (let number = 0; number * chunkBytes < file.bytes; number++) chunks.push((await readChunk(tx, file.id, number))!)
  return chunks
}

async function store(tx: Tx, { workspaceId, userId }: Writer, key: string, content: Buffer): Promise<string> {
  if (content.byteLength > limits.uploadBytes) throw new Fault('file_too_large', { details: { maxBytes: limits.uploadBytes } })
  const id = newId()
  const called = { name: displayName(key), contentType: contentTypeFor(key) }
  const most = { bytes: limits.workspaceFileBytes, files: limits.workspaceFiles }
  if (!(await reserveFile(tx, { id, workspaceId, ownerId: userId, ...called, reserved: content.byteLength }, most))) throw new Fault('files_full')
  for (let number = 0; number * chunkBytes < content.byteLength; number++) await insertChunk(tx, id, number, content.subarray(number * chunkBytes, (number + 1) * chunkBytes))
  await storeFile(tx, { id, bytes: content.byteLength, sha256: createHash('sha256').update(content).digest('hex'), ...called, inUse: true })
  return id
}

const contentTypeFor = (key: string): string => (/\.json$/i.test(key) ? 'application/json' : 'text/plain')

async function replaced(tx: Tx, there: NodeFileRow, fileId: string): Promise<string> {
  await changeNodeFile(tx, there, { key: null, fileId })
  return there.id
}

async function added(tx: Tx, node: NodeRef, key: string, fileId: string): Promise<string> {
  const id = newId()
  await insertNodeFile(tx, { ...node, id, key, fileId, at: new Date(timeOf(id)) })
  return id
}
