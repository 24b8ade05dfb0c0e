import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Batch } from '../events/feed.ts'
import type { Context } from '../rpc/context.ts'
import { problemOf } from '../rpc/faults.ts'
import { incomingTraceparent } from '../telemetry/traces.ts'
import type { Wire } from './ask.ts'
import { boundSocket, closeCodes, type SocketBounds } from './bounded-socket.ts'
import { framesOf, messageBytes, once } from './frames.ts'
import { untilGone } from './gone.ts'
import type { Identity } from './identify.ts'
import type { Ending } from './open-streams.ts'
import { decodeSegment, pathOf, queryOf } from './query.ts'
import type { StreamRow } from './rows.ts'
import { parametersAt, type Place } from './shapes.ts'
import type { Conversation, SocketRoute, SocketRouteOptions } from './sockets.ts'
import { createWriter, ReaderGone } from './writer.ts'

/**
 * Every stream of events over a socket of its own, at the address where it is served as SSE, asked for in the same words. A
 * message is the data of one server-sent event. The socket closes with 1000 when the stream ends; what fails under way is the
 * last message, before it closes with 1011. The client has nothing to say.
 */
export const streamSockets = (places: readonly Place[], options: SocketRouteOptions): SocketRoute[] =>
  places.flatMap(({ rows }) => rows.flatMap((row) => (row.is === 'stream' && row.frame ? streamSocket(row, row.frame, options) : [])))

function streamSocket(row: StreamRow, frame: NonNullable<StreamRow['frame']>, options: SocketRouteOptions): SocketRoute {
  const piecesOf = once((batch) => framesOf({ frame }, batch, messageBytes))

  async function open(request: IncomingMessage, identity: Identity, stream: Duplex): Promise<Conversation> {
    const caller = callerFor(identity, request, options)
    const input = row.ask(wireOf(row, request))
    // Until there is a socket to be closed with a code.
    let end = (_why: Ending): void => void stream.destroy()
    const forget = caller.principal ? options.openStreams.add(caller.principal, 'websocket', (why) => end(why)) : () => {}
    const gone = untilGone(stream)
    try {
      const batches = await row.stream(caller, input, gone)
      if (gone.aborted) forget()
      else gone.addEventListener('abort', forget)
      return (socket) => {
        const bounded = boundSocket(socket, options.bounds)
        end = bounded.leave
        socket.on('message', bounded.unreadable)
        const write = writerTo(socket, stream, () => bounded.end(closeCodes.tooSlow, 'Reads too slowly'), options.bounds)
        sendAll(batches ?? [], piecesOf, write).then(
          // Whoever reads slowly has the 30 s that ws gives a close to be answered.
          () => socket.close(closeCodes.ended, 'The stream has ended'),
          (error: unknown) => {
            if (error instanceof ReaderGone) return
            options.report(error, caller.requestId, row.path)
            socket.send(JSON.stringify(row.face.render(problemOf(error), caller.requestId).body))
            bounded.end(closeCodes.failed, 'The stream has failed')
          },
        )
      }
    } catch (error) {
      forget()
      throw error
    }
  }

  return { face: row.face, isAt: (path) => parametersAt(row.path, path) !== null, tellsLater: () => row.open, open }
}

/** The next batch is asked for only when this one is taken. */
async function sendAll(batches: AsyncIterable<Batch> | Iterable<Batch>, piecesOf: (batch: Batch) => Buffer | null, write: (piece: Buffer) => Promise<void>): Promise<void> {
  for await (const batch of batches) {
    const piece = piecesOf(batch)
    if (piece) await write(piece)
  }
}

/**
 * Whole messages, past `ws`, which would make each of them anew for each reader. It writes what it says itself (pings, the
 * close) to the same stream, each whole and at once: messages stay whole, and in order.
 */
export function writerTo(socket: WebSocket, stream: Duplex, drop: () => void, { maxBytes, stallMs }: SocketBounds = {}): (piece: Buffer) => Promise<void> {
  const writer = createWriter(stream, { ...(maxBytes !== undefined && { maxBytes }), ...(stallMs !== undefined && { stallMs }), drop })
  return (piece) => (socket.readyState === socket.OPEN ? writer.write(piece) : Promise.reject(new ReaderGone('The socket is closed')))
}

export function callerFor({ principal, refusal }: Identity, request: IncomingMessage, { parts, limits, requestIdOf, addressOf }: SocketRouteOptions): Context {
  const ip = addressOf(request)
  return {
    parts,
    principal,
    ...(refusal && { refusal }),
    requestId: requestIdOf(request),
    ip,
    traceparent: incomingTraceparent(request.headers.traceparent),
    attempt: (name) => limits.login(ip, name),
  }
}

export function wireOf(row: { path: string }, { url = '', headers }: IncomingMessage): Wire {
  const query = new Map(queryOf(url))
  // The one key of a stream's query that says who asks, and not for what.
  query.delete('ticket')
  const segments = parametersAt(row.path, pathOf(url).replace(/\/$/, '')) ?? []
  return { path: new Map([...segments].map(([name, text]) => [name, decodeSegment(text)])), query, body: undefined, headers }
}
