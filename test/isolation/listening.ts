import type { JsonObject } from '@sluice/schema'
import { WebSocket } from 'ws'
import type { Request } from './faces.ts'
import { type StreamEntry, streamEntries } from './operations.ts'
import { entries, trpcRequest } from './faces.ts'

/** What is told for as long as one listens, by every way: server-sent events, sockets, tRPC over both, PocketBase's connections. */

export interface Listening {
  /** Of the reply, or of the refusal of an upgrade; 101 for a socket. */
  status: number
  /** All that was told so far. */
  text(): string
  /** Once nothing more is told. */
  ended: Promise<void>
  hasEnded(): boolean
  close(): void
}

export interface StreamDoor {
  name: string
  id: string
  entry: Pick<StreamEntry, 'least' | 'scope' | 'sends'>
  open(url: string, input: JsonObject, credential: Record<string, string>): Promise<Listening>
}

/** `/v1/runs/{runId}/events` of `{runId, tokens}`: what the path does not name is of the query. */
function addressOf(path: string, input: JsonObject): string {
  const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
  const rest = new URLSearchParams()
  for (const [key, value] of Object.entries(input)) if (!path.includes(`{${key}}`)) rest.append(key, textOf(value))
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(textOf(input[key])))
  return filled + (rest.size > 0 ? `?${rest.toString()}` : '')
}

async function openEvents(url: string, { path, headers }: Request, credential: Record<string, string>): Promise<Listening> {
  const leaving = new AbortController()
  const response = await fetch(url + path, { headers: { ...headers, ...credential, accept: 'text/event-stream' }, signal: leaving.signal })
  let [said, over] = ['', false]
  const ended = (async () => {
    try {
      for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) said += piece
    } catch {
      // Cut off: that is an end too.
    }
    over = true
  })()
  return { status: response.status, text: () => said, ended, hasEnded: () => over, close: () => leaving.abort() }
}

/** `first` is said as soon as it is open. */
function openSocket(url: string, path: string, credential: Record<string, string>, first?: object): Promise<Listening> {
  const socket = new WebSocket(url.replace(/^http/, 'ws') + path, { headers: credential })
  let [said, over] = ['', false]
  const ended = new Promise<void>((resolve) =>
    socket.on('close', (code) => {
      said += ` closed ${code}`
      over = true
      resolve()
    }),
  )
  socket.on('message', (message: Buffer) => (said += message.toString()))
  socket.on('error', () => {})
  return new Promise((resolve) => {
    const listening = (status: number): Listening => ({ status, text: () => said, ended, hasEnded: () => over, close: () => socket.terminate() })
    socket.on('open', () => {
      if (first) socket.send(JSON.stringify(first))
      resolve(listening(101))
    })
    socket.on('unexpected-response', (_request, response) => {
      response.on('data', (bytes: Buffer) => (said += bytes.toString()))
      response.on('end', () => {
        over = true
        socket.terminate()
        resolve(listening(response.statusCode ?? 0))
      })
    })
  })
}

const followed = ['events.subscribe', 'workflows.watch']

export const streamDoors: readonly StreamDoor[] = [
  ...Object.entries(streamEntries).flatMap(([path, entry]) =>
    entry.over.map((way): StreamDoor => ({
      name: `${way} ${path}`,
      id: path,
      entry,
      open: (url, input, credential) => {
        const address = addressOf(path, input)
        return way === 'sse' ? openEvents(url, { method: 'GET', path: address, headers: {} }, credential) : openSocket(url, address, credential)
      },
    })),
  ),
  ...followed.flatMap((name): StreamDoor[] => [
    {
      name: `trpc sse ${name}`,
      id: name,
      entry: entries[name]!,
      open: (url, input, credential) => openEvents(url, trpcRequest({ name, type: 'subscription', streams: [] }, input), credential),
    },
    {
      name: `trpc websocket ${name}`,
      id: name,
      entry: entries[name]!,
      open: (url, input, credential) => openSocket(url, '/trpc', credential, { id: 1, jsonrpc: '2.0', method: 'subscription', params: { path: name, input } }),
    },
  ]),
]

/** A connection of PocketBase's realtime over which the topics are subscribed to. */
export async function openRealtime(url: string, topics: readonly string[], credential: Record<string, string>): Promise<Listening & { client: string }> {
  const listening = await openEvents(url, { method: 'GET', path: '/api/realtime', headers: {} }, {})
  const until = Date.now() + 20_000
  let client: string | undefined
  while ((client = /"clientId":"([^"]+)"/.exec(listening.text())?.[1]) === undefined) {
    if (Date.now() > until) throw new Error('no connection came to be')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const told = await fetch(`${url}/api/realtime`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...credential },
    body: JSON.stringify({ clientId: client, subscriptions: topics }),
  })
  if (told.status !== 204) throw new Error(`not subscribed: ${told.status} ${await told.text()}`)
  return { ...listening, client }
}
