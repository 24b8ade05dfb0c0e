import type { JsonObject } from '@sluice/schema'
import { onTestFinished } from 'vitest'
import { WebSocket, type ClientOptions } from 'ws'
import { orchestrator } from '../../../packages/server/src/dialects/orchestrator/index.ts'
import type { CompletedNode, Message, WorkflowState } from '../../../packages/server/src/dialects/orchestrator/messages.ts'
import type { Document } from '../../../packages/server/src/openapi/description.ts'
import { describeSockets } from '../../../packages/server/src/openapi/sockets.ts'
import { contractOf } from '../../../packages/server/test/openapi/contract.ts'
import { deadline } from '../../support/deadline.ts'

const document = describeSockets(orchestrator) as unknown as { components: { messages: Record<string, { payload: JsonObject }> } }
const payloads = new Map(Object.entries(document.components.messages).map(([type, { payload }]) => [type, closed(payload)]))
const { check } = contractOf({ paths: {}, components: { schemas: {} } } as unknown as Document)

/** In tests a key that is not described is wrong. */
function closed(schema: JsonObject): JsonObject {
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, typeof value === 'object' && value !== null && !Array.isArray(value) ? closed(value) : value]),
  )
  return schema['type'] === 'object' && schema['properties'] !== undefined && schema['additionalProperties'] === undefined ? { ...inner, additionalProperties: false } : inner
}

/** The message, which is as the AsyncAPI document says. */
export function described(text: string): Message {
  const message = JSON.parse(text) as { type: string }
  const schema = payloads.get(message.type)
  if (!schema) throw new Error(`not described: ${text}`)
  const wrong = check(message, schema)
  if (wrong !== null) throw new Error(`${text}\nis not as described: ${wrong}`)
  return message as Message
}

/** A client of a workflow's socket. Whatever it is told has been checked against the document. */
export interface Watcher {
  socket: WebSocket
  messages: Message[]
  /** Its close code; 0 while it is open. */
  readonly code: number
  say(message: object | string | Buffer): void
  /** The first message that fits, among those that came and those to come. */
  told(what: string, fits: (message: Message) => boolean): Promise<Message>
  closed(): Promise<number>
}

export function watch(url: string, workflow: string, options: ClientOptions & { token?: string; query?: string } = {}): Watcher {
  const { token, query = '', ...more } = options
  const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...more.headers }
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/workflow/${workflow}/${query}`, { ...more, headers })
  const messages: Message[] = []
  const lookers = new Set<() => void>()
  let code = 0
  let broken: unknown = null
  const look = () => {
    for (const looker of lookers) looker()
  }
  socket.on('message', (data: Buffer) => {
    try {
      messages.push(described(data.toString()))
    } catch (error) {
      broken = error
    }
    look()
  })
  socket.on('error', () => {})
  socket.on('close', (closedBy) => {
    code = closedBy
    look()
  })
  onTestFinished(() => socket.terminate())
  const once = <T>(what: string, find: () => T | undefined): Promise<T> =>
    deadline<T>(`${what}; it was told ${JSON.stringify(messages).slice(-2_000)}, code ${code}`, (done, fail) => {
      const looker = () => {
        const found = find()
        if (broken) fail(broken)
        else if (found !== undefined) done(found)
      }
      lookers.add(looker)
      looker()
      return () => void lookers.delete(looker)
    })
  return {
    socket,
    messages,
    get code() {
      return code
    },
    say: (message) => socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message)),
    told: (what, fits) => once(what, () => messages.find(fits)),
    closed: () => once('the close', () => code || undefined),
  }
}

export const isState =
  (status: WorkflowState['status']) =>
  (message: Message): boolean =>
    message.type === 'state_sync' && message.state.status === status

export const isOf =
  (type: Message['type']) =>
  (message: Message): boolean =>
    message.type === type

/** In a line each. */
export const lines = (messages: readonly Message[]): string[] =>
  messages.map((message) => {
    if (message.type === 'state_sync') return `state ${message.state.status}`
    if ('node_id' in message) return [message.type, message.node_id, 'route' in message && message.route !== 'default' ? message.route : ''].filter(Boolean).join(' ')
    return message.type
  })

/** What a client knows of nodes that have completed once it has been told these: from the state, and then from events. Fails when one is told twice. */
export function completedBy(messages: readonly Message[]): string[] {
  const completed: string[] = []
  for (const message of messages) {
    if (message.type === 'state_sync') completed.splice(0, completed.length, ...message.state.completed_nodes.map(({ node_id }: CompletedNode) => node_id))
    if (message.type !== 'node_completed') continue
    if (completed.includes(message.node_id)) throw new Error(`${message.node_id} was told twice: ${lines(messages).join(', ')}`)
    completed.push(message.node_id)
  }
  return completed
}
