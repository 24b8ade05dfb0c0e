import type { ServerResponse } from 'node:http'
import type { Ending } from './open-streams.ts'
import { createWriter, ReaderGone, type WriterOptions } from './writer.ts'

export interface StreamOptions extends WriterOptions {
  heartbeatMs?: number
  /** How long a connection is kept over which nothing is subscribed: five minutes unless set. */
  idleMs?: number
}

export const sseHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // Proxies of the nginx family hold streams back otherwise.
  'x-accel-buffering': 'no',
  connection: 'keep-alive',
} as const

/** Milliseconds before a reader that lost its stream connects again. */
const retryMs = 2_000

/** How what is streamed is written. */
export interface Manner<T> {
  /** Null: there is nothing in it to be told. */
  pieceOf(value: T): string | Uint8Array | null | Promise<string | Uint8Array | null>
  /** The last piece, of a failure under way. */
  failure(error: unknown): string
  /** False: readers are not told when to connect again. Not all clients pass over that. */
  hints?: boolean
}

/**
 * Writes what comes until it ends or the reader goes. The head goes out at once, comments keep the line alive, and the next
 * piece is asked for only when this one is taken.
 */
export async function sendStream<T>(response: ServerResponse, values: AsyncIterable<T>, { pieceOf, failure, hints = true }: Manner<T>, options: StreamOptions = {}): Promise<void> {
  const writer = createWriter(response, options)
  const beat = setInterval(() => writer.beat(':\n\n'), options.heartbeatMs ?? 15_000)
  const iterator = values[Symbol.asyncIterator]()
  const left = departure(response)
  try {
    await writer.write(hints ? `retry: ${retryMs}\n\n` : ':\n\n')
    for (let next = await left.before(iterator.next()); next && !next.done; next = await left.before(iterator.next())) {
      const made = pieceOf(next.value)
      const piece = made instanceof Promise ? await left.before(made) : made
      if (piece) await writer.write(piece)
    }
  } catch (error) {
    if (!(error instanceof ReaderGone)) await writer.write(failure(error)).catch(() => {})
  } finally {
    clearInterval(beat)
    left.forget()
    // Not awaited: an iterator that hangs in its last step must not hold the connection.
    iterator.return?.()?.catch(() => {})
    if (!response.destroyed) response.end()
  }
}

/** Ends a stream from outside. When the server leaves: readers come back spread over two seconds, to whoever serves then. */
export function endStream(response: ServerResponse, why: Ending, { hints = true }: { hints?: boolean } = {}): void {
  if (response.destroyed || response.writableEnded) return
  if (why === 'drain' && hints) response.write(`retry: ${500 + Math.floor(Math.random() * 2_000)}\n\n`)
  response.end()
}

/** The value, or undefined when the reader left first. One listener for all rounds: `Promise.race` would keep one a round. */
function departure(response: ServerResponse) {
  let wake = () => {}
  const onEnd = () => wake()
  response.on('close', onEnd).on('finish', onEnd)
  return {
    before: <T>(value: Promise<T>): Promise<T | undefined> =>
      new Promise((resolve, reject) => {
        wake = () => resolve(undefined)
        if (response.destroyed || response.writableEnded) wake()
        value.then(resolve, reject)
      }),
    forget: () => void response.off('close', onEnd).off('finish', onEnd),
  }
}
