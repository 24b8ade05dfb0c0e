import { FileKey, limits, ListNodeFiles, NodeFile, OneNode, OneNodeFile, pageOf } from '@sluice/schema'
import { z } from 'zod'
import { calledInput, Received } from './files.ts'
import { can, router, type Rest } from './trpc.ts'

const all = '/v1/workflows/{workflow}/nodes/{nodeId}/files'
const one = `${all}/{id}`
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags: ['files'], ...rest })
const takes = { takes: ['multipart/form-data', 'application/octet-stream'] } as const

const file = z.array(Received, { error: 'expected a file, sent as multipart/form-data' }).length(1)
const bytes = `A form with one field \`file\`, or the bytes of one file: at most ${limits.uploadBytes / 1024 / 1024} MiB.`

const AddNodeFile = OneNode.extend({ key: FileKey.meta({ description: 'What the node calls it; it has one file of a key' }), file, ...calledInput })
const ChangeNodeFile = OneNodeFile.extend({ key: FileKey.optional().meta({ description: 'What the node calls it from now on' }), file: file.optional(), ...calledInput })

export const nodeFiles = router({
  list: can('workflows.read', at('GET', all, 'List the files of a node of the draft, newest first'), ListNodeFiles)
    .output(pageOf(NodeFile))
    .query(({ ctx, input }) => ctx.parts.nodeFiles.list(ctx.actor.workspaceId, input)),

  get: can('workflows.read', at('GET', one, 'Get what is known of a file of a node'), OneNodeFile)
    .output(NodeFile)
    .query(({ ctx, input }) => ctx.parts.nodeFiles.get(ctx.actor.workspaceId, input)),

  add: can('workflows.edit', at('POST', all, 'Give a file to a node of the draft', { description: `${bytes} It goes with its node.`, status: 201, ...takes }), AddNodeFile)
    .output(NodeFile)
    .mutation(({ ctx, input: { file: files, ...input } }) => ctx.parts.nodeFiles.add(ctx.actor.workspaceId, { ...input, file: files[0]! })),

  change: can(
    'workflows.edit',
    at('PUT', one, 'Put another file in the place of one of a node', { description: `${bytes} Without one the file stays. It keeps its id.`, ...takes }),
    ChangeNodeFile,
  )
    .output(NodeFile)
    .mutation(({ ctx, input: { file: files, ...input } }) => ctx.parts.nodeFiles.change(ctx.actor.workspaceId, { ...input, file: files?.[0] })),

  delete: can('workflows.edit', at('DELETE', one, 'Take a file from a node', { status: 204 }), OneNodeFile)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.nodeFiles.delete(ctx.actor.workspaceId, input)),
})
