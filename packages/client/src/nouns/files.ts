import type { ListFiles, OneFile, StoredFile, UploadedFiles } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** Whatever has bytes. A `File` brings its name and its type along, a `Blob` its type. */
export type FileSource = Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>

export interface UploadOptions extends CallOptions {
  /** What it is called; a `File` says so itself. */
  name?: string | undefined
  /** Its media type; a `File` or a `Blob` says so itself. `application/octet-stream` where nobody does. */
  contentType?: string | undefined
  /** Id or handle of the workflow whose draft uses it: who may read that may read it, and it stays until the workflow goes. */
  workflow?: string | undefined
}

export interface ContentOptions extends CallOptions {
  /** The first and the last byte; without `end` all that follows, and of more than there are those that there are. */
  range?: { start: number; end?: number | undefined } | undefined
}

/** What was uploaded: one's own, and for admins all of the workspace. What nothing uses goes after a while, a day unless the server is told otherwise. */
export interface Files {
  /**
   * Stores one file of at most 32 MiB. A stream is read to its end before anything is sent: not everywhere can it be sent as it
   * comes. Not repeated when its answer is lost; ten minutes unless `timeoutMs` says otherwise. Throws `InvalidError`
   * (`file_too_large`), `LimitExceededError` (`files_full`), `NotFoundError` (`workflow_missing`).
   */
  upload(content: FileSource, options?: UploadOptions): Promise<StoredFile>
  /** What is known of it. Throws `NotFoundError` (`file_missing`). */
  get(which: Input<typeof OneFile>, options?: CallOptions): Promise<StoredFile>
  /**
   * Its bytes, as they come: `await (await sluice.files.content({ id })).blob()`. The time-out is over when they begin. Throws
   * `NotFoundError` (`file_missing`), `InvalidError` for a range behind the end.
   */
  content(which: Input<typeof OneFile>, options?: ContentOptions): Promise<Response>
  /** Newest first; of one user where a `userId` says so. */
  list(filter?: Input<typeof ListFiles>, options?: CallOptions): Listing<StoredFile>
  /** Throws `ConflictError` (`file_in_use`), whose `details.uses` say by what, `NotFoundError` (`file_missing`). */
  delete(which: Input<typeof OneFile>, options?: CallOptions): Promise<void>
}

export const uploadMs = 600_000

/** The bytes as they can be sent, and what is said of them beside. */
export async function bodyOf(content: FileSource, { name, contentType }: { name?: string | undefined; contentType?: string | undefined } = {}) {
  const body = content instanceof ReadableStream ? await new Response(content).blob() : content
  const called = name ?? ('name' in body && typeof body.name === 'string' ? body.name : '')
  const type = contentType ?? (body instanceof Blob ? body.type : '')
  return { body, said: { ...(called && { name: called }), ...(type && { contentType: type }) } }
}

export const filesOf = ({ list, read, remove, bytes }: Calls): Files => ({
  async upload(content, { name, contentType, workflow, timeoutMs = uploadMs, ...options } = {}) {
    const { body, said } = await bodyOf(content, { name, contentType })
    const query = new URLSearchParams({ ...said, ...(workflow && { workflow }) }).toString()
    const response = await bytes('files.upload', { method: 'POST', path: `/v1/files${query && `?${query}`}`, body, accept: 'application/json' }, { ...options, timeoutMs })
    return ((await response.json()) as UploadedFiles).files[0]!
  },
  get: (which, options) => read('files.get', which, options),
  content: ({ id }, { range, ...options } = {}) =>
    bytes(
      'files.content',
      { method: 'GET', path: `/v1/files/${encodeURIComponent(id)}/content`, accept: '*/*', ...(range && { range: `bytes=${range.start}-${range.end ?? ''}` }) },
      options,
    ),
  list: (filter, options) => list('files.list', filter, options),
  delete: (which, options) => remove('files.delete', which, options),
})
