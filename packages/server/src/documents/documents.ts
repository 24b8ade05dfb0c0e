import type { DocumentSummary } from '../nodes/contract.ts'
import { bounds as usual, keptBytes, readersAtOnce } from './bounds.ts'
import type { Bounds } from './bounds.ts'
import { DocumentError } from './document-error.ts'
import { partOf } from './encoding.ts'
import { formatOf } from './formats.ts'
import { createKept } from './kept.ts'
import { createPlaces } from './places.ts'
import { listed } from './query.ts'
import { readApart } from './reading.ts'
import { tableQuery } from './table-query.ts'
import type { TableQuery, TableResult } from './table-query.ts'
import type { PackedTable, ReadContent, Reply, Task } from './task.ts'

export { DocumentError } from './document-error.ts'
export { tableQuerySchema } from './table-query.ts'
export type { TableQuery, TableResult } from './table-query.ts'

/** A file that can be read, as often as is wanted. */
export interface SourceFile {
  id: string
  name: string
  contentType: string
  bytes: number
  /** Of its bytes, hex: what was read of a file is known again by it. */
  sha256: string
  read(): AsyncIterable<Uint8Array>
}

/** What attached files say. All of them throw DocumentError, but for `summary`, which says in `error` what kept it from being read. */
export interface Documents {
  summary(file: SourceFile, signal?: AbortSignal): Promise<Omit<DocumentSummary, 'id'>>
  /** The text of a file, or of its part; `characters` is the length of the whole, all of them counted in UTF-16. A part cuts no character in two. */
  text(file: SourceFile, from: number, characters: number, signal?: AbortSignal): Promise<{ text: string; characters: number }>
  /** Asks the tables among the files. */
  query(files: readonly SourceFile[], query: TableQuery, signal?: AbortSignal): Promise<TableResult>
  /** Ends what is being read. */
  close(): Promise<void>
}

const previewCharacters = 1_000

export function createDocuments(bounds: Bounds = usual): Documents {
  const closing = new AbortController()
  const places = createPlaces(readersAtOnce)
  const kept = createKept<ReadContent>(keptBytes, weightOf)

  async function apart(task: Task, source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Exclude<Reply, { kind: 'error' }>> {
    const either = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal
    return await places.with(either, () => readApart(task, source, either))
  }

  /** The same bytes read in the same way are read once, for all who wait for them: none of them can end it. */
  function content(file: SourceFile, signal?: AbortSignal): Promise<ReadContent> {
    if (file.bytes > bounds.fileBytes) throw tooManyBytes(bounds.fileBytes)
    const format = formatOf(file.name, file.contentType)
    const reading = kept.get(`${format} ${file.sha256}`, async () => {
      const reply = await apart({ kind: 'read', format, bounds }, upTo(bounds.fileBytes, file.read()))
      if (reply.kind !== 'content') throw new Error('A reader answered what it was not asked')
      return reply.content
    })
    return signal ? until(signal, reading) : reading
  }

  async function table(file: SourceFile, signal?: AbortSignal): Promise<PackedTable> {
    const found = await content(file, signal)
    if (found.type === 'table') return found
    throw new DocumentError('query_invalid', `${JSON.stringify(file.name)} is no table: read it as text`)
  }

  return {
    async summary(file, signal) {
      const { name, bytes } = file
      try {
        return { name, bytes, ...told(await content(file, signal)) }
      } catch (error) {
        if (!(error instanceof DocumentError)) throw error
        return { name, bytes, type: supposed(file), error: error.message }
      }
    },

    async text(file, from, characters, signal) {
      const found = await content(file, signal)
      if (found.type === 'other') throw new DocumentError('document_unreadable', `${JSON.stringify(file.name)} holds no text that can be read`)
      if (from >= found.text.length && from < found.characters)
        throw new DocumentError('document_too_large', `Of a text the first ${found.text.length} characters can be read; ${JSON.stringify(file.name)} has ${found.characters}`)
      return { text: partOf(found.text, Math.max(0, Math.trunc(from)), Math.max(0, Math.trunc(characters))), characters: found.characters }
    },

    async query(files, asked, signal) {
      const query = checked(asked)
      const named = [query.file, ...(query.join ? [query.join.file] : [])].map((name) => fileOf(files, name))
      const tables: { name: string; packed: Uint8Array }[] = []
      for (const file of named) tables.push({ name: file.name, packed: (await table(file, signal)).packed })
      const task: Task = { kind: 'ask', query, tables: tables.map(({ name, packed }) => ({ name, bytes: packed.byteLength })), bounds }
      const reply = await apart(task, allOf(tables.map(({ packed }) => packed)), signal)
      if (reply.kind !== 'answer') throw new Error('A reader answered what it was not asked')
      return reply.result
    },

    async close() {
      closing.abort(new Error('The documents are closed'))
      await places.left()
    },
  }
}

const tooManyBytes = (most: number): DocumentError => new DocumentError('document_too_large', `A file that is read has at most ${most} bytes; this one has more`)

async function* upTo(most: number, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.byteLength
    if (bytes > most) throw tooManyBytes(most)
    yield chunk
  }
}

async function* allOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks
}

/** What is waited for goes on; this waits no longer. */
async function until<T>(signal: AbortSignal, waitedFor: Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([waitedFor, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

const weightOf = (content: ReadContent): number => (content.type === 'other' ? 100 : 2 * content.text.length + (content.type === 'table' ? content.packed.byteLength : 0))

function told(content: ReadContent): Omit<DocumentSummary, 'id' | 'name' | 'bytes'> {
  if (content.type === 'other') return { type: 'other' }
  const preview = partOf(content.text, 0, previewCharacters)
  if (content.type === 'table') return { type: 'table', rows: content.rows, columns: content.columns, preview }
  return content.type === 'pdf' ? { type: 'pdf', pages: content.pages, preview } : { type: content.type, preview }
}

/** Of a file that cannot be read: what its name says. */
function supposed({ name, contentType }: SourceFile): DocumentSummary['type'] {
  const format = formatOf(name, contentType)
  return format === 'delimited' ? 'table' : format === 'json-lines' ? 'json' : format
}

function checked(asked: TableQuery): TableQuery {
  const query = tableQuery.safeParse(asked)
  if (query.success) return query.data
  const issues = query.error.issues.slice(0, 5).map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
  throw new DocumentError('query_invalid', `The question cannot be asked like this: ${issues.join('; ')}`)
}

/** By id, by name, by name without regard to case, or without its ending. */
export function fileOf<F extends Pick<SourceFile, 'id' | 'name' | 'sha256'>>(files: readonly F[], wanted: string): F {
  const alike = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()
  const ways: ((file: F) => boolean)[] = [
    (file) => file.id === wanted,
    (file) => file.name === wanted,
    (file) => alike(file.name, wanted),
    (file) => alike(file.name.replace(/\.[^.]*$/, ''), wanted),
  ]
  for (const way of ways) {
    const found = files.filter(way)
    if (new Set(found.map((file) => file.sha256)).size === 1) return found[0]!
    if (found.length > 1) throw new DocumentError('file_unknown', `Several files are called ${JSON.stringify(wanted)}; their ids are ${listed(found.map((file) => file.id))}`)
  }
  throw new DocumentError(
    'file_unknown',
    `There is no file ${JSON.stringify(wanted)}; ${files.length === 0 ? 'there are none' : `there are ${listed(files.map((file) => file.name))}`}`,
  )
}
