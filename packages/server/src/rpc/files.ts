import { limits, ListFiles, OneFile, pageOf, StoredFile, UploadedFiles, WorkflowRef } from '@sluice/schema'
import { z } from 'zod'
import { authorize, decide, reachesOthers } from '../access/policy.ts'
import type { Principal } from '../access/principal.ts'
import type { FileContent, FileUser } from '../files/files.ts'
import { ReceivedFile } from '../files/received.ts'
import { can, router } from './trpc.ts'

const tags = ['files']
const one = '/v1/files/{id}'

/** Files are made of bytes by http: what a caller writes into JSON is never one. */
export const Received = z.instanceof(ReceivedFile, { error: 'expected a file, sent as multipart/form-data' }).meta({ type: 'string', format: 'binary' })

export const calledInput = {
  name: z.string().min(1).max(1_000).optional().meta({ description: 'The name of a file that comes alone' }),
  contentType: z.string().min(1).max(200).optional().meta({ description: 'The type of a file that comes alone' }),
}

const Upload = z.strictObject({
  file: z.array(Received, { error: 'expected files, sent as multipart/form-data' }).min(1).max(limits.filesPerUpload),
  ...calledInput,
  workflow: WorkflowRef.optional().meta({
    description:
      'The id or the handle of the workflow whose draft uses them: who may read it may read them, and they stay until it goes. Asks for the permission `workflows.edit` as well',
  }),
})

const uploading = `Each file has at most ${limits.uploadBytes / 1024 / 1024} MiB, and a form at most ${limits.filesPerUpload} of them: all are stored, or none. What nothing uses goes after a while, a day unless the server is told otherwise.`

const asking = ({ principal }: { principal: Principal }, action: 'files.read' | 'files.use'): FileUser => ({
  workspaceId: principal.workspaceId,
  userId: principal.userId,
  others: reachesOthers(principal, action),
  drafts: decide(principal, 'workflows.read') === 'allow',
})

export const files = router({
  upload: can(
    'files.use',
    {
      method: 'POST',
      path: '/v1/files',
      summary: 'Store files',
      description: `A form with one or more fields \`file\`, or the bytes of one file. ${uploading}`,
      tags,
      status: 201,
      takes: ['multipart/form-data', 'application/octet-stream'],
    },
    Upload,
  )
    .output(UploadedFiles)
    .mutation(async ({ ctx, input: { file: files, ...said } }) => {
      if (said.workflow !== undefined) authorize(ctx.principal, 'workflows.edit')
      return ctx.parts.files.keep(asking(ctx, 'files.use'), { files, ...said })
    }),

  get: can('files.read', { method: 'GET', path: one, summary: 'Get what is known of a file', tags }, OneFile)
    .output(StoredFile)
    .query(({ ctx, input }) => ctx.parts.files.get(asking(ctx, 'files.read'), input)),

  content: can(
    'files.read',
    {
      method: 'GET',
      path: `${one}/content`,
      summary: 'Get the bytes of a file',
      description:
        'As an attachment, of the type it was stored with. Takes `Range` (one range) and `If-None-Match`. Called as a procedure it answers with what is known of the file.',
      tags,
      gives: 'bytes',
    },
    OneFile,
  )
    .output(z.custom<FileContent>())
    .query(({ ctx, input }) => ctx.parts.files.content(asking(ctx, 'files.read'), input)),

  list: can('files.read', { method: 'GET', path: '/v1/files', summary: 'List files, newest first', description: "One's own; for admins all of the workspace.", tags }, ListFiles)
    .output(pageOf(StoredFile))
    .query(({ ctx, input }) => ctx.parts.files.list(asking(ctx, 'files.read'), input)),

  delete: can('files.use', { method: 'DELETE', path: one, summary: 'Delete a file that nothing uses', tags, status: 204 }, OneFile)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.files.delete(asking(ctx, 'files.use'), input)),
})
