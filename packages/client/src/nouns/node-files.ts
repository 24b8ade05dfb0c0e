import type { ListNodeFiles, NodeFile, OneNode, OneNodeFile } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'
import { bodyOf, type FileSource, uploadMs } from './files.ts'

/** Which node, and what it calls the file: it has one of a key. */
export interface NewNodeFile extends Input<typeof OneNode> {
  key: string
}

export interface NodeUploadOptions extends CallOptions {
  /** What it is called; a `File` says so itself. */
  name?: string | undefined
  /** Its media type; a `File` or a `Blob` says so itself. */
  contentType?: string | undefined
}

/**
 * Files that nodes of drafts have under keys of their own: whoever may read the draft may read them, and they go with their node.
 * All throw `NotFoundError` (`workflow_missing`, `node_missing`).
 */
export interface NodeFiles {
  /** Newest first. */
  list(of: Input<typeof ListNodeFiles>, options?: CallOptions): Listing<NodeFile>
  /** Throws `NotFoundError` (`file_missing`). Its bytes: `files.content({ id: nodeFile.file.id })`. */
  get(which: Input<typeof OneNodeFile>, options?: CallOptions): Promise<NodeFile>
  /** One file of at most 32 MiB. Not repeated when its answer is lost. Throws `ConflictError` (`key_taken`), `InvalidError` (`file_too_large`), `LimitExceededError` (`files_full`). */
  add(of: NewNodeFile, content: FileSource, options?: NodeUploadOptions): Promise<NodeFile>
  /** Another file in its place, and under another key where one is given: it keeps its id. Throws as `add` does, and `NotFoundError` (`file_missing`). */
  change(which: Input<typeof OneNodeFile> & { key?: string | undefined }, content: FileSource, options?: NodeUploadOptions): Promise<NodeFile>
  /** Throws `NotFoundError` (`file_missing`). */
  delete(which: Input<typeof OneNodeFile>, options?: CallOptions): Promise<void>
}

const path = ({ workflow, nodeId }: Input<typeof OneNode>): string => `/v1/workflows/${encodeURIComponent(workflow)}/nodes/${encodeURIComponent(nodeId)}/files`

export const nodeFilesOf = ({ list, read, remove, bytes }: Calls): NodeFiles => ({
  list: (of, options) => list('nodeFiles.list', of, options),
  get: (which, options) => read('nodeFiles.get', which, options),
  async add({ key, ...of }, content, { name, contentType, timeoutMs = uploadMs, ...options } = {}) {
    const { body, said } = await bodyOf(content, { name, contentType })
    const sent = { method: 'POST' as const, path: `${path(of)}?${new URLSearchParams({ ...said, key }).toString()}`, body, accept: 'application/json' }
    return (await (await bytes('nodeFiles.add', sent, { ...options, timeoutMs })).json()) as NodeFile
  },
  async change({ id, key, ...of }, content, { name, contentType, timeoutMs = uploadMs, ...options } = {}) {
    const { body, said } = await bodyOf(content, { name, contentType })
    const query = new URLSearchParams({ ...said, ...(key !== undefined && { key }) }).toString()
    const sent = { method: 'PUT' as const, path: `${path(of)}/${encodeURIComponent(id)}${query && `?${query}`}`, body, accept: 'application/json' }
    return (await (await bytes('nodeFiles.change', sent, { ...options, timeoutMs })).json()) as NodeFile
  },
  delete: (which, options) => remove('nodeFiles.delete', which, options),
})
