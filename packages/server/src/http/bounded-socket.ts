import { limits } from '@sluice/schema'
import type { WebSocket } from 'ws'
import type { Ending } from './open-streams.ts'

/** Close codes a client can act on: 1011, 1012 and 1013 connect again, 1008 and 4401 do not without something else, 1000 has had all. */
export const closeCodes = { ended: 1000, policy: 1008, failed: 1011, restart: 1012, tooSlow: 1013, credential: 4401 } as const

export interface BoundedSocket {
  /** Resolves when what was sent is nearly written out. When that takes too long the socket is closed, and it resolves too. */
  flow(): Promise<void>
  /** Asked before each call. Holds the socket's reading back while many are under way; answers with how to leave. */
  enter(): Promise<() => void>
  /** Counts a message that could not be read; after some the socket is closed. */
  unreadable(): void
  /** Closes, and when the close is not answered soon, cuts. */
  end(code: number, reason: string): void
  /** Ends as a stream is ended from outside. */
  leave(why: Ending): void
}

export interface SocketBounds {
  maxBytes?: number
  stallMs?: number
  pingMs?: number
  /** Told of each reader that is too slow. */
  dropped?(): void
}

/** Below this a stream goes on. */
const lowBytes = 256 * 1024
const callsAtOnce = 16
const readingStops = 32
const mostUnreadable = 20
/** To take the close, and all that was sent before it. Who read too slowly was told nothing for a while, and may be back soon. */
const closingMs = (code: number): number => (code === closeCodes.tooSlow ? 10_000 : 1_000)

/**
 * Bounds what one socket costs. Out: at most `maxBytes` wait to be written, else it is closed with 1013. In: a few calls at
 * once, and no more is read from the network while more wait. Dead peers are found by pings.
 */
export function boundSocket(socket: WebSocket, { maxBytes = limits.streamBufferBytes, stallMs = 20_000, pingMs = 30_000, dropped }: SocketBounds = {}): BoundedSocket {
  const send = socket.send.bind(socket)
  let emptied: (() => void)[] = []
  let unreadableSoFar = 0
  const wake = () => {
    if (socket.bufferedAmount > lowBytes && socket.readyState === socket.OPEN) return
    const woken = emptied
    emptied = []
    for (const each of woken) each()
  }

  const end = (code: number, reason: string): void => {
    if (socket.readyState === socket.OPEN) {
      socket.close(code, reason)
      if (code === closeCodes.tooSlow) dropped?.()
    }
    setTimeout(() => socket.terminate(), closingMs(code)).unref()
  }

  socket.send = (data: Parameters<typeof send>[0]) => {
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount > maxBytes) return end(closeCodes.tooSlow, 'Reads too slowly')
    send(data, wake)
  }
  socket.on('close', wake)
  keepAlive(socket, pingMs)

  return {
    end,
    leave: (why) => (why === 'drain' ? end(closeCodes.restart, 'The server leaves') : end(closeCodes.credential, 'The credential has ended')),
    unreadable() {
      if (++unreadableSoFar >= mostUnreadable) end(closeCodes.policy, 'Sends what cannot be read')
    },
    enter: places(socket),
    async flow() {
      if (socket.readyState !== socket.OPEN || socket.bufferedAmount <= lowBytes) return
      const stalled = setTimeout(() => end(closeCodes.tooSlow, 'Reads too slowly'), stallMs)
      await new Promise<void>((resolve) => emptied.push(resolve))
      clearTimeout(stalled)
    },
  }
}

/** Some calls at once; when as many again wait for their turn, the network waits too. */
function places(socket: WebSocket): () => Promise<() => void> {
  let inside = 0
  const line: (() => void)[] = []
  const leave = () => {
    const next = line.shift()
    if (next) next()
    else inside--
    if (line.length < readingStops / 2 && socket.isPaused) socket.resume()
  }
  return async () => {
    if (inside < callsAtOnce) inside++
    else {
      if (line.length >= readingStops && !socket.isPaused) socket.pause()
      await new Promise<void>((enter) => line.push(enter))
    }
    let left = false
    return () => {
      if (!left) leave()
      left = true
    }
  }
}

/** A peer that answers no ping until the next one is gone. */
function keepAlive(socket: WebSocket, pingMs: number): void {
  let alive = true
  socket.on('pong', () => (alive = true))
  socket.on('message', () => (alive = true))
  const timer = setInterval(() => {
    if (!alive) return socket.terminate()
    alive = false
    if (socket.readyState === socket.OPEN) socket.ping()
  }, pingMs).unref()
  socket.on('close', () => clearInterval(timer))
}
