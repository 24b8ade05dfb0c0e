import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Fault, type Json } from '@sluice/schema'
import type { RawData, WebSocket } from 'ws'
import { type Dialect, type DialectSocket, followCore } from '../dialects/dialect.ts'
import type { Batch } from '../events/feed.ts'
import type { Context } from '../rpc/context.ts'
import { problemOf, type Problem } from '../rpc/faults.ts'
import { type BoundedSocket, boundSocket, closeCodes } from './bounded-socket.ts'
import { read } from './dialect-rows.ts'
import { faceOf } from './face.ts'
import { type Frame, framesOf, messageBytes, once } from './frames.ts'
import { untilGone } from './gone.ts'
import type { Identity } from './identify.ts'
import { jsonBounds, readJsonText } from './json.ts'
import { limited } from './limits.ts'
import { batchesOf } from './rows.ts'
import { parametersAt } from './shapes.ts'
import type { Conversation, SocketRoute, SocketRouteOptions } from './sockets.ts'
import { callerFor, wireOf, writerTo } from './stream-socket.ts'
import { ReaderGone } from './writer.ts'

/**
 * The sockets of a dialect. What a connection keeps is here:
 *
 * S1. A client is told a snapshot and then what comes after it, without a gap or a repeat; once it asks for the snapshot, that
 *     comes at its place among the events, and they go on from there.
 * S2. A message is made once for all who are told the same. Who reads slowly is cut, and costs nobody else anything.
 * S3. What a client says is bounded, counted like requests, and answered whatever it is; nothing of it ends the process.
 * S4. Why a socket is refused or ended is its last message, and its close code: a browser sees neither status nor body.
 */
export function dialectSockets(dialect: Dialect, options: SocketRouteOptions): SocketRoute[] {
  const face = faceOf(dialect)
  return (dialect.sockets ?? []).map((row): SocketRoute => {
    const isAt = (path: string): boolean => parametersAt(plain(row.path), path) !== null
    const piecesOf = once((batch) => framesOf({ frame: (item) => framed(row.frame(item)) }, batch, messageBytes))
    return {
      face,
      isAt,
      tellsLater: () => false,
      open: (request, identity, stream) => open({ row, piecesOf, options }, request, identity, stream),
      refuse: (problem) => (socket) => farewell(socket, boundSocket(socket, options.bounds), row, problem),
    }
  })
}

interface Served {
  row: DialectSocket
  piecesOf(batch: Batch): Buffer | null
  options: SocketRouteOptions
}

const plain = (path: string): string => path.replace(/(.)\/$/, '$1')

const framed = (message: object | null): Frame | null => message && { data: JSON.stringify(message) }

async function open({ row, piecesOf, options }: Served, request: IncomingMessage, identity: Identity, stream: Duplex): Promise<Conversation> {
  const caller = callerFor(identity, request, options)
  const said = read({ schemas: row.schemas }, wireOf({ path: plain(row.path) }, request))
  const gone = untilGone(stream)
  // Until there is a socket to be closed with a code.
  let end: Parameters<SocketRouteOptions['openStreams']['add']>[2] = () => void stream.destroy()
  const forget = caller.principal ? options.openStreams.add(caller.principal, 'websocket', (why) => end(why)) : () => {}
  const follow = async (signal: AbortSignal): Promise<AsyncIterable<Batch>> => batchesOf(await followCore(() => row.ask(said), caller, AbortSignal.any([signal, gone])), row.name)
  const again = createAgain()
  try {
    const first = await follow(again.signal)
    if (gone.aborted) forget()
    else gone.addEventListener('abort', forget)
    return (socket) => {
      const bounded = boundSocket(socket, options.bounds)
      const leave = (problem: Problem) => farewell(socket, bounded, row, problem)
      end = (why) => (why === 'drain' ? bounded.leave(why) : leave(problemOf(new Fault('credential_invalid'))))
      const write = writerTo(socket, stream, () => bounded.end(closeCodes.tooSlow, 'Reads too slowly'), options.bounds)
      const say = (message: object): void => void write(messageBytes({ data: JSON.stringify(message) })).catch(() => {})
      // A frame that ws cannot read: it closes, and would wait for the answer for half a minute.
      socket.on('error', () => bounded.end(closeCodes.policy, ''))
      hear(socket, bounded, { row, caller, options, say, again: again.ask })
      tell(first, { follow, again, piecesOf, write }).then(
        () => socket.close(closeCodes.ended, 'All has been told'),
        (error: unknown) => {
          if (error instanceof ReaderGone) return
          options.report(error, caller.requestId, row.path)
          leave(problemOf(error))
        },
      )
    }
  } catch (error) {
    forget()
    throw error
  }
}

// ── what is told ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** How a client asks for the snapshot: what it was told so far ends, and it is told from the beginning. */
interface Again {
  /** Given when what is told is to end. */
  readonly signal: AbortSignal
  ask(): void
  /** How many times it was asked since; who asks from here on ends what is told next. */
  taken(): number
}

function createAgain(): Again {
  let turn = new AbortController()
  let asked = 0
  return {
    get signal() {
      return turn.signal
    },
    ask() {
      asked++
      turn.abort()
    },
    taken() {
      const times = asked
      asked = 0
      turn = new AbortController()
      return times
    },
  }
}

interface Telling {
  follow(signal: AbortSignal): Promise<AsyncIterable<Batch>>
  again: Again
  piecesOf(batch: Batch): Buffer | null
  write(piece: Buffer): Promise<void>
}

/**
 * Follows to the end. A snapshot that is asked for is the beginning of another subscription: it is made after all that was told
 * of the one before was read, so that it is never older than that, and it meets what follows it as every snapshot does. Who asks
 * twice before it comes is answered twice.
 */
async function tell(first: AsyncIterable<Batch>, { follow, again, piecesOf, write }: Telling): Promise<void> {
  await pass(first, 1)
  for (let times = again.taken(); times > 0; times = again.taken()) await pass(await follow(again.signal), times)

  async function pass(batches: AsyncIterable<Batch>, times: number): Promise<void> {
    let left = times
    for await (const batch of batches) {
      const piece = piecesOf(batch)
      for (; piece && left > 0; left--) await write(piece)
      left = 1
    }
  }
}

/** Says why, and closes. */
function farewell(socket: WebSocket, bounded: BoundedSocket, row: DialectSocket, problem: Problem): void {
  socket.send(JSON.stringify(row.problem(problem)))
  bounded.end(row.closes[problem.kind], reasonOf(problem))
}

/** At most 123 bytes (RFC 6455, 5.5). */
const reasonOf = ({ message }: Problem): string => (Buffer.byteLength(message) > 123 ? '' : message)

// ── what is heard ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Characters. A client has little to say. */
const longest = 16 * 1024
/** Said too often so many times in a row, it is heard no more. */
const mostRefused = 20

interface Hearing {
  row: DialectSocket
  caller: Context
  options: SocketRouteOptions
  say(message: object): void
  again(): void
}

function hear(socket: WebSocket, bounded: BoundedSocket, { row, caller, options, say, again }: Hearing): void {
  let refused = 0

  async function answer(data: RawData, isBinary: boolean): Promise<void> {
    const leave = await bounded.enter()
    try {
      const count = await options.limits.api(caller.principal?.id ?? caller.ip, 1)
      if (count && !count.allowed) {
        if (++refused >= mostRefused) bounded.end(closeCodes.policy, 'Says too much')
        throw limited(count)
      }
      refused = 0
      const type = typeOf(data, isBinary)
      if (!Object.hasOwn(row.hears, type)) return
      const { answer: answered } = row.hears[type]!
      if (answered === 'snapshot') again()
      else say(answered)
    } catch (error) {
      options.report(error, caller.requestId, row.path)
      say(row.problem(problemOf(error)))
    } finally {
      leave()
    }
  }

  socket.on('message', (data, isBinary) => void answer(data, isBinary))
}

/** The `type` of a message; throws a Fault for what is none. */
function typeOf(data: RawData, isBinary: boolean): string {
  if (isBinary) throw new Fault('media_unsupported', { message: 'Messages are text' })
  // Of one frame or of several, ws gives one buffer.
  const text = (data as Buffer).toString()
  if (text.length > longest) throw new Fault('body_too_large', { message: 'The message is too large' })
  const { value } = readJsonText(text, { ...jsonBounds, bytes: longest })
  if (!isObject(value)) throw new Fault('input_invalid', { message: 'A message is a JSON object' })
  return typeof value['type'] === 'string' ? value['type'] : ''
}

const isObject = (value: Json): value is { [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value)
