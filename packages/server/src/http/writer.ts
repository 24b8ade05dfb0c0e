import type { Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { limits } from '@sluice/schema'

/** A reply or a socket that is written piece by piece. However slow its reader, it holds at most `maxBytes`. */
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
  /** What becomes of one who is too slow; the connection is destroyed unless it is said otherwise. */
  drop?(): void
  /** Told of each who is. */
  dropped?(): void
}

export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

export function createWriter(to: Writable, { maxBytes = limits.streamBufferBytes, stallMs = 20_000, drop = () => to.destroy(), dropped }: WriterOptions = {}): Writer {
  const tooSlow = (): never => {
    drop()
    dropped?.()
    throw new ReaderGone('The reader is too slow')
  }
  return {
    async write(piece) {
      const bytes = typeof piece === 'string' ? Buffer.byteLength(piece) : piece.byteLength
      // One piece alone is never too much: a snapshot may be as large as what may wait.
      const isTooMuch = () => to.writableLength > 0 && to.writableLength + bytes > maxBytes
      // A reply holds what was written in a turn until the turn is over, however fast its reader.
      if (isTooMuch()) await nextTurn()
      if (to.destroyed || to.writableEnded) throw new ReaderGone('The connection is closed')
      if (isTooMuch()) tooSlow()
      if (to.write(piece)) return
      if (!(await room(to, stallMs))) tooSlow()
      // Ended from outside, it went out all the same.
      if (to.destroyed && !to.writableFinished) throw new ReaderGone('The connection is closed')
    },
    beat(piece) {
      if (!to.destroyed && !to.writableEnded && !to.writableNeedDrain) to.write(piece)
    },
  }
}

/** Whether there is room again in time; a closed connection has room. */
function room(to: Writable, stallMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (inTime: boolean) => {
      clearTimeout(timer)
      to.off('drain', onRoom).off('close', onRoom)
      resolve(inTime)
    }
    const onRoom = () => settle(true)
    const timer = setTimeout(settle, stallMs, false)
    to.on('drain', onRoom).on('close', onRoom)
  })
}
