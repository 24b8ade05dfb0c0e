import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { Fault, limits } from '@sluice/schema'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Parts } from '../rpc/context.ts'
import { problemOf, Unavailable, type Problem } from '../rpc/faults.ts'
import type { SocketBounds } from './bounded-socket.ts'
import type { Identity } from './identify.ts'
import { nativeFace, type Face } from './face.ts'
import { pathOf, queryOf, type QueryValues } from './query.ts'
import type { Limits } from './limits.ts'
import type { OpenStreams } from './open-streams.ts'
import type { Origins } from './origins.ts'

/** What is said over a socket, once there is one. An error listener is on it. */
export type Conversation = (socket: WebSocket) => void

/** Something that is spoken over sockets at its addresses. */
export interface SocketRoute {
  /** In whose manner an upgrade is refused. */
  face: Face
  /** Whether a path is one of its addresses. */
  isAt(path: string): boolean
  /** Whether who asks may be told by the first message instead of the upgrade. */
  tellsLater(query: QueryValues): boolean
  /** Asked before the upgrade, which is refused with what it throws. The stream is what the socket will be on; it may close first. */
  open(request: IncomingMessage, identity: Identity, stream: Duplex): Promise<Conversation>
  /** Said over the socket in place of all else, where an upgrade is not refused in HTTP: browsers do not show what that says. */
  refuse?(problem: Problem): Conversation
}

/** What is spoken over sockets is spoken with. */
export interface SocketRouteOptions {
  parts: Parts
  limits: Limits
  openStreams: OpenStreams
  requestIdOf(request: IncomingMessage): string
  /** Of the client, as far as proxies are trusted. */
  addressOf(request: IncomingMessage): string
  report(error: unknown, requestId: string, route: string): void
  bounds?: SocketBounds | undefined
}

export interface SocketOptions {
  origins: Origins
  routes: readonly SocketRoute[]
  /** Who asks. Throws when they have asked too often. */
  identify(request: IncomingMessage, query: QueryValues): Promise<Identity>
  requestIdOf(request: IncomingMessage): string
  report(error: unknown, request: IncomingMessage): void
}

/** Time for an upgrade to be decided. */
const decideMs = 5_000
const hangUpMs = 1_000
/** Of a server, told or untold who is behind them. */
const mostSockets = 10_000

/** Takes upgrades on a server. Answers with how to stop taking them. */
export function acceptSockets(server: Server, options: SocketOptions): { close(): void } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.bodyBytes, perMessageDeflate: false, clientTracking: true })

  server.on('upgrade', (request, stream, head) => {
    // Before anything else: an error that nobody listens for ends the process.
    stream.on('error', () => stream.destroy())
    const path = pathOf(request.url ?? '').replace(/\/$/, '')
    const route = options.routes.find((each) => each.isAt(path))
    const refused = (problem: Problem) => refuse(stream, problem, options.requestIdOf(request), route?.face)
    if (!route) return refused(problemOf(new Fault('route_missing')))
    if (sockets.clients.size >= mostSockets) return refused(problemOf(new Unavailable('Too many sockets are open')))
    const slow = setTimeout(() => stream.destroy(), decideMs)
    const converse = (conversation: Conversation) => sockets.handleUpgrade(request, stream, head, (socket) => take(socket, request, conversation, options))
    void decide(request, route, options)
      .then((identity) => route.open(request, identity, stream))
      .then(converse)
      .catch((error: unknown) => {
        options.report(error, request)
        const problem = problemOf(error)
        if (route.refuse) converse(route.refuse(problem))
        else refused(problem)
      })
      .finally(() => clearTimeout(slow))
  })

  return {
    close() {
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
    },
  }
}

async function decide(request: IncomingMessage, route: SocketRoute, { identify, origins }: SocketOptions): Promise<Identity> {
  if (!origins.opensSocket(request.headers)) throw new Fault('permission_denied', { message: 'Pages of this origin may not open a socket' })
  const query = queryOf(request.url ?? '')
  const identity = await identify(request, query)
  if (identity.refusal) throw identity.refusal
  if (!identity.principal && !route.tellsLater(query)) throw new Fault('credential_missing')
  return identity
}

function take(socket: WebSocket, request: IncomingMessage, converse: Conversation, { report }: SocketOptions): void {
  // Broken frames and payloads over the limit: ws closes the socket by itself.
  socket.on('error', () => {})
  try {
    converse(socket)
  } catch (error) {
    report(error, request)
    socket.terminate()
  }
}

/** An upgrade is refused in HTTP, and the connection ends. */
function refuse(stream: Duplex, problem: Problem, requestId: string, face: Face = nativeFace): void {
  if (stream.destroyed || !stream.writable) return
  const { status, body } = face.render(problem, requestId)
  const text = JSON.stringify(body)
  const lines = [
    `HTTP/1.1 ${status} ${problem.kind}`,
    'connection: close',
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    `x-request-id: ${requestId}`,
  ]
  if (problem.retryAfter !== undefined) lines.push(`retry-after: ${problem.retryAfter}`)
  stream.end(`${lines.join('\r\n')}\r\n\r\n${text}`)
  // Who does not hang up then.
  setTimeout(() => stream.destroy(), hangUpMs).unref()
}
