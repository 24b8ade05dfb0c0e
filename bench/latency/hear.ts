import { type IncomingMessage, request } from 'node:http'
import { WebSocket } from 'ws'
import type { Transport } from './transports.ts'

/** Whose ends are heard. */
export interface Heard {
  url: string
  token: string
  workflow: string
}

/** Tells of each run that has completed, with its id; null where the transport does not say which. Resolves when the subscription stands. */
export type Hear = (heard: Heard, completed: (runId: string | null) => void) => Promise<void>

export const hear: Record<Transport, Hear> = {
  'hear-native-sse': (heard, completed) => overHttp(heard, `/v1/workflows/${heard.workflow}/events`, (data) => nativeEnd(data, completed)),
  'hear-native-socket': (heard, completed) => overSocket(heard, `/v1/workflows/${heard.workflow}/events`, (data) => nativeEnd(data, completed)),
  'hear-trpc-sse': (heard, completed) =>
    overHttp(heard, `/trpc/events.subscribe?input=${encodeURIComponent(JSON.stringify({ workflow: heard.workflow }))}`, (data) => nativeEnd(data, completed)),
  'hear-trpc-socket': (heard, completed) => {
    const asked = { id: 1, method: 'subscription', params: { path: 'events.subscribe', input: { workflow: heard.workflow } } }
    return overSocket(heard, '/trpc', (data) => nativeEnd(data, completed), { first: JSON.stringify(asked), stands: '"type":"started"' })
  },
  'hear-orchestrator': (heard, completed) =>
    overSocket(heard, `/ws/workflow/${heard.workflow}/`, (data) => data.includes('"workflow_completed"') && completed(null), { stands: '"state_sync"' }),
  'hear-medusa': (heard, completed) =>
    overHttp(heard, `/admin/workflows-executions/${heard.workflow}/subscribe`, (data) => data.includes('"onFinish"') && completed(named(data, 'transaction_id'))),
  'hear-pocketbase': overRealtime,
}

/** The first value of this name, if it has the form of an id. */
const named = (data: string, name: string): string | null => new RegExp(`"${name}":"([^"]+)"`).exec(data)?.[1] ?? null

function nativeEnd(data: string, completed: (runId: string | null) => void): void {
  if (data.includes('"run.completed"')) completed(/"subject":\{[^}]*"id":"([^"]+)"/.exec(data)?.[1] ?? named(data, 'runId'))
}

/** Each line of data of a stream of server-sent events. */
function overHttp({ url, token }: Heard, path: string, line: (data: string) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request(url + path, { agent: false, headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } }, (response) => {
      if (response.statusCode === 200) resolve()
      else reject(new Error(`${path}: ${response.statusCode}`))
      linesOf(response, line)
    })
    asked.on('error', reject)
    asked.end()
  })
}

function linesOf(response: IncomingMessage, line: (data: string) => unknown): void {
  let rest = ''
  response.setEncoding('utf8').on('data', (piece: string) => {
    const lines = (rest + piece).split('\n')
    rest = lines.pop()!
    for (const each of lines) if (each.startsWith('data:')) line(each)
  })
}

/** Each message; what has to be said first, and by what it is seen that the subscription stands. */
function overSocket({ url, token }: Heard, path: string, message: (data: string) => unknown, { first, stands }: { first?: string; stands?: string } = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('http', 'ws') + path, { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false })
    socket.on('error', reject)
    socket.on('open', () => {
      if (first !== undefined) socket.send(first)
      if (stands === undefined) resolve()
    })
    socket.on('message', (data: Buffer) => {
      const text = data.toString()
      if (stands !== undefined && text.includes(stands)) resolve()
      message(text)
    })
  })
}

/** Whose subscriptions come in requests of their own. */
function overRealtime(heard: Heard, completed: (runId: string | null) => void): Promise<void> {
  const { url, token, workflow } = heard
  const options = encodeURIComponent(JSON.stringify({ query: { filter: `workflow = "${workflow}"` } }))
  return new Promise((resolve, reject) => {
    const told = (data: string): void => {
      const clientId = named(data, 'clientId')
      if (clientId !== null) {
        const body = JSON.stringify({ clientId, subscriptions: [`runs/*?options=${options}`] })
        fetch(`${url}/api/realtime`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body }).then(
          ({ status }) => (status === 204 ? resolve() : reject(new Error(`/api/realtime: ${status}`))),
          reject,
        )
      } else if (data.includes('"status":"completed"')) completed(named(data, 'id'))
    }
    overHttp(heard, '/api/realtime', told).catch(reject)
  })
}
