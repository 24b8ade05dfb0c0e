import { createHash } from 'node:crypto'
import { Fault, limits } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { newId } from '../store/ids.ts'
import { discardFiles, insertChunk, readChunk, reserveFile } from '../store/rows/files.ts'
import { sqlState } from '../store/sql-state.ts'
import { contentTypeOf, displayName } from './names.ts'
import { ReceivedFile } from './received.ts'

/** Bytes of a file as they are stored. A chunk is all that an upload or a reader holds in memory, whatever the size of the file. */
export const chunkBytes = 256 * 1024

/** Of PostgreSQL: what a row refers to is not there. */
const missing = '23503'

export interface Incoming {
  workspaceId: string
  /** Whose it will be. */
  userId: string
  name: string
  contentType?: string | undefined
  /** No more than this can come, as far as is known: the length of the request that brings it. */
  atMost?: number | undefined
}

/** Bytes into PostgreSQL and out of it: every server sees them, and they are as durable as what refers to them. */
export interface Blobs {
  /**
   * Takes a file in as it comes, chunk by chunk, each in a transaction of its own: an open one would hold back the readers
   * of the log for as long as a client takes to send. What comes is held by nobody: keep it, or discard it. Throws
   * `file_too_large`, `files_full`, and what the source throws; then nothing is left of it.
   */
  receive(what: Incoming, source: AsyncIterable<Uint8Array>): Promise<ReceivedFile>
  discard(files: readonly ReceivedFile[]): Promise<void>
  /** The bytes from `start` up to and including `end`, one chunk at a time. Ends early, with an error, when the file goes meanwhile. */
  read(fileId: string, start: number, end: number): AsyncGenerator<Buffer, void, undefined>
}

export function createBlobs(database: Database): Blobs {
  async function store(id: string, source: AsyncIterable<Uint8Array>): Promise<{ bytes: number; sha256: string }> {
    const hash = createHash('sha256')
    let bytes = 0
    let number = 0
    for await (const chunk of chunksOf(source)) {
      hash.update(chunk)
      bytes += chunk.byteLength
      await insertChunk(database, id, number++, chunk)
    }
    return { bytes, sha256: hash.digest('hex') }
  }

  const discard = async (ids: readonly string[]): Promise<void> => void (ids.length > 0 && (await discardFiles(database, ids)))

  return {
    async receive({ workspaceId, userId, name: given, contentType: said, atMost = limits.uploadBytes }, source) {
      const id = newId()
      const [name, contentType] = [displayName(given), contentTypeOf(said)]
      const file = { id, workspaceId, ownerId: userId, name, contentType, reserved: Math.min(atMost, limits.uploadBytes) }
      const most = { bytes: limits.workspaceFileBytes, files: limits.workspaceFiles }
      const reserved = await database
        .transaction((tx) => reserveFile(tx, file, most))
        .catch((error: unknown) => {
          // The workspace was deleted elsewhere, a moment ago, and the credential died with it.
          if (sqlState(error) === missing) throw new Fault('credential_invalid', { cause: error })
          throw error
        })
      if (!reserved) throw new Fault('files_full', { message: `The files of a workspace have at most ${most.bytes} bytes and are at most ${most.files}; delete some first` })
      try {
        return new ReceivedFile({ id, name, contentType, ...(await store(id, source)) })
      } catch (error) {
        // What cannot be discarded now is swept later.
        await discard([id]).catch(() => {})
        // Its row went under it: swept, because it took too long, or its workspace was deleted.
        if (sqlState(error) === missing) throw new Fault('input_invalid', { message: 'The file took too long to come', cause: error })
        throw error
      }
    },

    discard: (files) => discard(files.map(({ id }) => id)),

    async *read(fileId, start, end) {
      for (let number = Math.floor(start / chunkBytes); number * chunkBytes <= end; number++) {
        const data = await readChunk(database, fileId, number)
        // It was deleted since it was asked for.
        if (!data) throw new Fault('file_missing')
        const offset = number * chunkBytes
        yield data.subarray(Math.max(0, start - offset), end - offset + 1)
      }
    },
  }
}

/** The same bytes in pieces of one size but for the last. Throws `file_too_large` as soon as there are too many. */
async function* chunksOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  let whole = 0
  let filled = 0
  let chunk = Buffer.allocUnsafeSlow(chunkBytes)
  for await (const piece of source) {
    whole += piece.byteLength
    if (whole > limits.uploadBytes) throw new Fault('file_too_large', { details: { maxBytes: limits.uploadBytes } })
    for (let from = 0; from < piece.byteLength;) {
      const taken = piece.subarray(from, from + chunkBytes - filled)
      chunk.set(taken, filled)
      filled += taken.byteLength
      from += taken.byteLength
      if (filled < chunkBytes) continue
      yield chunk
      filled = 0
      chunk = Buffer.allocUnsafeSlow(chunkBytes)
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled)
}
