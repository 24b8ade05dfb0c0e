import { type IncomingMessage, request } from 'node:http'
import { WebSocket } from 'ws'
import type { Stream } from './orders.ts'
import type { Transport } from './transports.ts'

/** One of those who follow. */
export interface Subscriber extends Omit<Stream, 'tokens'> {
  token: string
}

/** Subscribes from the run's first event on; resolves when the stream is open. Tells how many events each piece brought. */
export type Follow = (stream: Subscriber, came: (events: number) => void) => Promise<void>

export const follow: Record<Transport, Follow> = {
  sse: (stream, came) => overHttp(stream, nativePath(stream), came),
  socket: overSocket,
  'trpc-sse': (stream, came) => overHttp(stream, `/trpc/events.subscribe?input=${encodeURIComponent(JSON.stringify(inputOf(stream)))}`, came),
  'trpc-socket': overTrpcSocket,
}

const nativePath = ({ runId }: Subscriber): string => `/v1/runs/${runId}/events?after=0`

const inputOf = ({ runId }: Subscriber) => ({ runId, after: '0' })

/** Each event has its id on a line of its own; no data has a line that begins so. */
const mark = '\nid: '

function overHttp({ url, token }: Subscriber, path: string, came: (events: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request(url + path, { agent: false, headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } }, (response) => {
      if (response.statusCode === 200) resolve()
      else reject(new Error(`${path}: ${response.statusCode}`))
      countMarks(response, came)
    })
    asked.on('error', reject)
    asked.end()
  })
}

function countMarks(response: IncomingMessage, came: (events: number) => void): void {
  let rest = '\n'
  response.setEncoding('latin1').on('data', (piece: string) => {
    const text = rest + piece
    came(text.split(mark).length - 1)
    // A mark may be cut in two.
    rest = text.slice(1 - mark.length)
  })
}

const socketAt = ({ url, token }: Subscriber, path: string): WebSocket =>
  new WebSocket(url.replace('http', 'ws') + path, { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false })

/** Each message is an event. */
function overSocket(stream: Subscriber, came: (events: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = socketAt(stream, nativePath(stream))
    socket.on('error', reject)
    socket.on('open', () => resolve())
    socket.on('message', () => came(1))
  })
}

function overTrpcSocket(stream: Subscriber, came: (events: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = socketAt(stream, '/trpc')
    socket.on('error', reject)
    socket.on('open', () => socket.send(JSON.stringify({ id: 1, method: 'subscription', params: { path: 'events.subscribe', input: inputOf(stream) } })))
    socket.on('message', (message: Buffer) => {
      const text = message.toString('latin1')
      if (text.includes('"type":"started"')) resolve()
      else if (text.includes('"error"')) reject(new Error(text))
      else if (text.includes('"result":{"id":') || text.includes('"type":"data"')) came(1)
    })
  })
}
