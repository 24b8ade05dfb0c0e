import type { ServerResponse } from 'node:http'
import { limits } from '@sluice/schema'

/** A reply that is written piece by piece. However slow its reader, it holds at most `maxBytes`. */
export interface Writer {
  /** Resolves when the next piece may come. Rejects, with the connection gone, when the reader is gone or too slow. */
  write(piece: string | Uint8Array): Promise<void>
  /** Written only when nothing waits to be written. */
  beat(piece: string): void
}

export interface WriterOptions {
  /** The most that may wait to be written. */
  maxBytes?: number
  /** How long a reader may take to make room. */
  stallMs?: number
}

export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

export function createWriter(response: ServerResponse, { maxBytes = limits.streamBufferBytes, stallMs = 20_000 }: WriterOptions = {}): Writer {
  const drop = (why: string): never => {
    response.destroy()
    throw new ReaderGone(why)
  }
  return {
    async write(piece) {
      if (response.destroyed || response.writableEnded) throw new ReaderGone('The connection is closed')
      const bytes = typeof piece === 'string' ? Buffer.byteLength(piece) : piece.byteLength
      // One piece alone is never too much: a snapshot may be as large as what may wait.
      if (response.writableLength > 0 && response.writableLength + bytes > maxBytes) drop('The reader is too slow')
      if (response.write(piece)) return
      if (!(await room(response, stallMs))) drop('The reader is too slow')
      if (response.destroyed) throw new ReaderGone('The connection is closed')
    },
    beat(piece) {
      if (!response.destroyed && !response.writableEnded && !response.writableNeedDrain) response.write(piece)
    },
  }
}

/** Whether there is room again in time; a closed connection has room. */
function room(response: ServerResponse, stallMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (inTime: boolean) => {
      clearTimeout(timer)
      response.off('drain', onRoom).off('close', onRoom)
      resolve(inTime)
    }
    const onRoom = () => settle(true)
    const timer = setTimeout(settle, stallMs, false)
    response.on('drain', onRoom).on('close', onRoom)
  })
}
