import type { IncomingMessage } from 'node:http'
import { Fault, limits } from '@sluice/schema'
import type { AnyTRPCRouter } from '@trpc/server'
import { getWSConnectionHandler } from '@trpc/server/adapters/ws'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Context, Parts } from '../rpc/context.ts'
import { nameError } from '../rpc/trpc.ts'
import { incomingTraceparent } from '../telemetry/traces.ts'
import { boundSocket, closeCodes, type BoundedSocket } from './bounded-socket.ts'
import { nativeFace } from './face.ts'
import { identifyByParams, type Identity } from './identify.ts'
import { readJsonText } from './json.ts'
import { limited } from './limits.ts'
import type { OpenStreams } from './open-streams.ts'
import type { SocketRoute, SocketRouteOptions } from './sockets.ts'
import { trpcPath } from './trpc.ts'

/** Time for a client that promised its credential as its first message. */
const tellMs = 10_000

/** Every procedure over one socket, at the address of the HTTP ones. Each message counts like a request. */
export function trpcSocket(router: AnyTRPCRouter, options: SocketRouteOptions): SocketRoute {
  // Asked for by the handler's type, and not used by it.
  const wss = new WebSocketServer({ noServer: true, clientTracking: false })
  return {
    face: nativeFace,
    isAt: (path) => path === trpcPath,
    tellsLater: (query) => query.get('connectionParams')?.[0] === '1',
    open: async (request, identity) => (socket) => {
      const bounded = boundSocket(socket, options.bounds)
      const requestId = options.requestIdOf(request)
      const untold = setTimeout(() => bounded.end(closeCodes.policy, 'No credential came'), tellMs)
      socket.on('close', () => clearTimeout(untold))
      const connect = getWSConnectionHandler({
        wss,
        router,
        maxBatchSize: limits.batch,
        experimental_encoder: encoderFor(bounded),
        createContext: async ({ info }) => {
          const who = await told(options.parts, identity, info.connectionParams)
          clearTimeout(untold)
          register(socket, bounded, who, options.openStreams)
          return contextFor(who, bounded, options, request, requestId)
        },
        onError: ({ error }) => void (isBrokenFrame(error.cause) || options.report(error, requestId, trpcPath)),
      })
      connect(socket, request)
    },
  }
}

/** What a client sends that is no WebSocket: it is cut off, and nothing here is wrong. */
const isBrokenFrame = (cause: unknown): boolean => cause instanceof Error && 'code' in cause && String(cause.code).startsWith('WS_ERR_')

async function told(parts: Parts, identity: Identity, params: Record<string, string | undefined> | null): Promise<Identity> {
  const who = identity.principal || !params ? identity : await identifyByParams(parts.access, params, false)
  if (!who.principal) throw nameError(who.refusal ?? new Fault('credential_missing'))
  return who
}

/** While the socket was waiting for its credential it may have gone. */
function register(socket: WebSocket, bounded: BoundedSocket, { principal }: Identity, openStreams: OpenStreams): void {
  if (!principal || socket.readyState !== socket.OPEN) return
  socket.on('close', openStreams.add(principal, 'websocket', bounded.leave))
}

function contextFor(
  { principal }: Identity,
  bounded: BoundedSocket,
  { parts, limits: counted, addressOf }: SocketRouteOptions,
  request: IncomingMessage,
  requestId: string,
): Context {
  const ip = addressOf(request)
  const count = async (calls: number): Promise<void> => {
    const counts = await counted.api(principal?.id ?? ip, calls)
    if (counts && !counts.allowed) throw limited(counts)
  }
  return {
    parts,
    principal,
    requestId,
    ip,
    // Messages have no headers of their own: what they start stands below what opened the socket.
    traceparent: incomingTraceparent(request.headers.traceparent),
    attempt: (name) => counted.login(ip, name),
    count,
    flow: bounded.flow,
    async enter() {
      const leave = await bounded.enter()
      try {
        await count(1)
        return leave
      } catch (error) {
        leave()
        throw error
      }
    },
  }
}

/** The same reader as for bodies. */
const encoderFor = (bounded: BoundedSocket) => ({
  encode: (data: unknown) => JSON.stringify(data),
  decode(data: string | ArrayBuffer | Uint8Array): unknown {
    try {
      if (typeof data !== 'string') throw new Fault('media_unsupported', { message: 'Messages are text' })
      return readJsonText(data).value
    } catch (error) {
      bounded.unreadable()
      throw error
    }
  },
})
