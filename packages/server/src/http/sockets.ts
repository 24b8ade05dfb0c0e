import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { Fault, limits } from '@sluice/schema'
import { WebSocketServer, type WebSocket } from 'ws'
import { problemOf, Unavailable, type Problem } from '../rpc/faults.ts'
import type { Identity } from './identify.ts'
import { nativeFace } from './face.ts'
import { pathOf, queryOf, type QueryValues } from './query.ts'
import type { Origins } from './origins.ts'

/** Something that is spoken over sockets at one address. */
export interface SocketRoute {
  path: string
  /** Whether who asks may be told by the first message instead of the upgrade. */
  tellsLater(query: QueryValues): boolean
  /** Takes the socket over. An error listener is on it. */
  serve(socket: WebSocket, request: IncomingMessage, identity: Identity): void
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
/** Of a server, told or untold who is behind them. */
const mostSockets = 10_000

/** Takes upgrades on a server. Answers with how to stop taking them. */
export function acceptSockets(server: Server, options: SocketOptions): { close(): void } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.bodyBytes, perMessageDeflate: false, clientTracking: true })

  server.on('upgrade', (request, stream, head) => {
    // Before anything else: an error that nobody listens for ends the process.
    stream.on('error', () => stream.destroy())
    const route = options.routes.find(({ path }) => pathOf(request.url ?? '').replace(/\/$/, '') === path)
    if (!route) return refuse(stream, request, problemOf(new Fault('route_missing')), options)
    if (!options.origins.opensSocket(request.headers))
      return refuse(stream, request, problemOf(new Fault('permission_denied', { message: 'Pages of this origin may not open a socket' })), options)
    if (sockets.clients.size >= mostSockets) return refuse(stream, request, problemOf(new Unavailable('Too many sockets are open')), options)
    const slow = setTimeout(() => stream.destroy(), decideMs)
    void decide(request, route, options)
      .then((identity) => sockets.handleUpgrade(request, stream, head, (socket) => take(socket, request, route, identity, options)))
      .catch((error: unknown) => {
        options.report(error, request)
        refuse(stream, request, problemOf(error), options)
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

async function decide(request: IncomingMessage, route: SocketRoute, { identify }: SocketOptions): Promise<Identity> {
  const query = queryOf(request.url ?? '')
  const identity = await identify(request, query)
  if (identity.refusal) throw identity.refusal
  if (!identity.principal && !route.tellsLater(query)) throw new Fault('credential_missing')
  return identity
}

function take(socket: WebSocket, request: IncomingMessage, route: SocketRoute, identity: Identity, { report }: SocketOptions): void {
  // Broken frames and payloads over the limit: ws closes the socket by itself.
  socket.on('error', () => {})
  try {
    route.serve(socket, request, identity)
  } catch (error) {
    report(error, request)
    socket.terminate()
  }
}

/** An upgrade is refused in HTTP, and the connection ends. */
function refuse(stream: Duplex, request: IncomingMessage, problem: Problem, { requestIdOf }: SocketOptions): void {
  if (stream.destroyed || !stream.writable) return
  const requestId = requestIdOf(request)
  const { status, body } = nativeFace.render(problem, requestId)
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
}
