import { z } from 'zod'
import { NodeId } from './definition.ts'
import { Id, Timestamp, WorkflowRef } from './ids.ts'
import { pageInput } from './list.ts'

/** A stored blob. What its owner called it is said back, and means nothing to the server. */
export const StoredFile = z.object({
  id: Id,
  name: z.string().meta({ description: "The client's name for it, without what is not fit to be shown" }),
  contentType: z.string().meta({ description: 'As the client said, without parameters' }),
  bytes: z.int(),
  sha256: z.string().meta({ description: 'Of its bytes, in hexadecimal' }),
  userId: Id.meta({ description: 'Whose it is' }),
  created: Timestamp,
  unusedSince: Timestamp.nullable().meta({
    description: 'Since when nothing uses it: it goes after a while, a day unless the server is told otherwise. Null: it is in use, and stays',
  }),
})
export type StoredFile = z.infer<typeof StoredFile>

/** What was stored, in the order it came. */
export const UploadedFiles = z.object({ files: z.array(StoredFile) })
export type UploadedFiles = z.infer<typeof UploadedFiles>

export const OneFile = z.strictObject({ id: Id })
export type OneFile = z.infer<typeof OneFile>

export const ListFiles = z.strictObject({ userId: Id.optional(), ...pageInput })
export type ListFiles = z.infer<typeof ListFiles>

/** What a node of a draft calls a file of its own. */
export const FileKey = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,255}$/u, 'expected 1 to 255 characters, none of them a control character')

/** A file that a node of a draft has under a key; it keeps its id when another file takes its place, and goes with its node. */
export const NodeFile = z.object({ id: Id, workflowId: Id, nodeId: z.string(), key: z.string(), file: StoredFile, created: Timestamp, updated: Timestamp })
export type NodeFile = z.infer<typeof NodeFile>

const ofNode = { workflow: WorkflowRef, nodeId: NodeId }

export const ListNodeFiles = z.strictObject({ ...ofNode, ...pageInput })
export type ListNodeFiles = z.infer<typeof ListNodeFiles>

export const OneNodeFile = z.strictObject({ ...ofNode, id: Id })
export type OneNodeFile = z.infer<typeof OneNodeFile>

/** What can use a file. */
export type FileSubject = { kind: 'session' | 'workflow' | 'run'; id: string }
