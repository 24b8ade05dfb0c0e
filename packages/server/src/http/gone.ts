import type { Writable } from 'node:stream'

/** Aborted when the connection is done with, whoever ended it: a stream has no other end. */
export function untilGone(connection: Writable): AbortSignal {
  const gone = new AbortController()
  if (connection.destroyed) gone.abort()
  connection.once('close', () => gone.abort())
  return gone.signal
}

/** Aborted when the client goes before the reply is whole. Not after it: nothing is left to end, and an abort builds an error (6 µs). */
export function untilLost(reply: Writable): AbortSignal {
  const lost = new AbortController()
  if (reply.destroyed) lost.abort()
  reply.once('close', () => {
    if (!reply.writableFinished) lost.abort()
  })
  return lost.signal
}
