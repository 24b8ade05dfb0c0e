import multipart from '@fastify/multipart'
import { Fault, limits } from '@sluice/schema'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { FilesPart, ReceivedFile } from '../rpc/context.ts'
import type { BodyType } from '../rpc/trpc.ts'
import { readBody, typeOf } from './body.ts'
import { checkText, inertKeys } from './json.ts'
import type { QueryValues } from './query.ts'

/** A body with files: texts by field, and files by field, in the order they came. A body of bytes is one file under `file`. */
export interface Form {
  fields: QueryValues
  files: ReadonlyMap<string, readonly ReceivedFile[]>
}

export interface FormOptions {
  takes: readonly BodyType[]
  parts: Pick<FilesPart, 'receive' | 'discard'>
  /** Whose the files will be. */
  user: { workspaceId: string; userId: string }
}

const most = { fields: 200, fieldNameBytes: 200, bytes: limits.filesPerUpload * limits.uploadBytes + 4 * limits.bodyBytes }
/** Of a client that sends nothing. */
const silenceMs = 30_000
/** How much more of a refused body is read, and for how long, so that the client hears the refusal: it listens when it has sent. */
const leftover = { bytes: 2 * limits.uploadBytes, ms: 10_000 }

/** Makes room in a scope of routes for bodies with files. They are left unread: who may send them is asked before. */
export function allowForms(scope: FastifyInstance): void {
  void scope.register(multipart, {
    throwFileSizeLimit: false,
    // What of a name is kept, `files` says.
    preservePath: true,
    limits: {
      files: limits.filesPerUpload,
      fields: most.fields,
      parts: limits.filesPerUpload + most.fields,
      // One more than may come: that is how it is seen that it is too much.
      fileSize: limits.uploadBytes + 1,
      fieldSize: limits.bodyBytes + 1,
      fieldNameSize: most.fieldNameBytes,
      headerPairs: 20,
    },
  })
  scope.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null))
  scope.removeContentTypeParser('*')
  const supported = ['application/json', 'multipart/form-data', 'application/octet-stream']
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, bytes: Buffer) => readBody(request.headers, bytes, supported))
}

/** The form that a request brings; null when it brings JSON, or nothing. What went into the store is to be discarded by the caller, unless it was kept. */
export async function receiveForm(request: FastifyRequest, options: FormOptions): Promise<Form | null> {
  const type = typeOf(request.headers['content-type'])
  if (type !== 'multipart/form-data' && type !== 'application/octet-stream') return null
  if (!options.takes.includes(type)) throw new Fault('media_unsupported', { details: { supported: ['application/json', ...options.takes] } })
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') throw new Fault('media_unsupported', { message: 'The body is compressed; send it as it is' })
  if ((lengthOf(request) ?? 0) > most.bytes) throw new Fault('body_too_large', { details: { maxBytes: most.bytes } })
  const files = new Map<string, ReceivedFile[]>()
  // A silent connection is closed, which ends the reading of it.
  const { socket } = request.raw
  socket.setTimeout(silenceMs)
  try {
    return type === 'multipart/form-data' ? await readParts(request, files, options) : await readBytes(request, files, options)
  } catch (error) {
    await options.parts.discard([...files.values()].flat()).catch(() => {})
    await readOn(request)
    throw error
  } finally {
    socket.setTimeout(0)
  }
}

async function readBytes(request: FastifyRequest, files: Map<string, ReceivedFile[]>, { parts, user }: FormOptions): Promise<Form> {
  const what = { ...user, name: '', atMost: lengthOf(request) }
  // It outlives who reads it: a refusal goes to a client that still sends.
  files.set('file', [await parts.receive(what, theirs({ [Symbol.asyncIterator]: () => request.raw.iterator({ destroyOnReturn: false }) }))])
  return { fields: new Map(), files }
}

async function readParts(request: FastifyRequest, files: Map<string, ReceivedFile[]>, { parts, user }: FormOptions): Promise<Form> {
  const fields = new Map<string, string[]>()
  let textBytes = 0
  endSomewhere(request)
  for await (const part of theirs(request.parts({ isPartAFile: (_field, _type, name) => name !== undefined && name !== '' }))) {
    const { fieldname } = part
    if (typeof fieldname !== 'string') throw unreadable('A part of the form has no name')
    checkText(fieldname)
    if (part.type === 'file') {
      const what = { ...user, name: part.filename, contentType: part.mimetype, atMost: lengthOf(request) }
      add(files, fieldname, await parts.receive(what, theirs(part.file)))
      continue
    }
    const text = textOf(part.value)
    checkText(text)
    textBytes += Buffer.byteLength(text)
    if (part.fieldnameTruncated) throw unreadable('The name of a field is too long')
    if (textBytes > limits.bodyBytes) throw new Fault('body_too_large', { details: { maxBytes: limits.bodyBytes } })
    if (!inertKeys.has(fieldname)) add(fields, fieldname, text)
  }
  return { fields, files }
}

/** What lies between files, or in a field that goes on and on, is read by the parser and told to nobody: with it, the connection ends. */
function endSomewhere({ raw }: FastifyRequest): void {
  let bytes = 0
  raw.on('data', (piece: Buffer) => {
    bytes += piece.byteLength
    if (bytes > most.bytes) raw.destroy()
  })
}

function add<T>(to: Map<string, T[]>, key: string, value: T): void {
  const there = to.get(key)
  if (there) there.push(value)
  else to.set(key, [value])
}

/** The parser reads a field that says it is JSON. What that means is for whoever asked for the field. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  try {
    return JSON.stringify(value)
  } catch {
    throw unreadable('A field nests too deep')
  }
}

/** The most that can come; of a body that does not say how long it is, any file may be the largest one. */
function lengthOf({ headers }: FastifyRequest): number | undefined {
  const length = headers['content-length']
  return length === undefined ? undefined : Number(length)
}

const unreadable = (message = 'The form cannot be read') => new Fault('input_invalid', { message })

/** What goes wrong while a client's bytes are read is the client's fault. */
async function* theirs<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const from = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await from.next().catch((error: unknown) => Promise.reject(faultOf(error)))
      if (next.done) return
      yield next.value
    }
  } finally {
    await from.return?.().catch(() => {})
  }
}

function faultOf(error: unknown): Fault {
  const { code } = error as { code?: unknown }
  if (code === 'FST_PARTS_LIMIT' || code === 'FST_FILES_LIMIT' || code === 'FST_FIELDS_LIMIT')
    return new Fault('body_too_large', { message: `A form has at most ${limits.filesPerUpload} files and ${most.fields} fields`, cause: error })
  return new Fault('input_invalid', { message: 'The form cannot be read', cause: error })
}

/** Reads what is left of a refused body and forgets it, within bounds. */
async function readOn({ raw }: FastifyRequest): Promise<void> {
  if (raw.readableEnded || raw.destroyed) return
  raw.unpipe()
  let bytes = 0
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, leftover.ms)
    const end = (): void => {
      clearTimeout(timer)
      resolve()
    }
    raw
      .on('data', (piece: Buffer) => {
        bytes += piece.byteLength
        if (bytes > leftover.bytes) end()
      })
      .once('end', end)
      .once('close', end)
      .once('error', end)
      .resume()
  })
  raw.pause()
}
