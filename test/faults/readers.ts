import http from 'node:http'
import type { RunEvent } from '@sluice/schema'
import { WebSocket } from 'ws'
import { medusa } from '../proof/faces/medusa.ts'
import { deadline } from '../support/deadline.ts'

/** Readers of every transport of the server, each of which can stop to read, and come back. */

/** What a reader was told: by what it is known again in the log, and where the reader was then, on transports that say it. */
export interface Told {
  key: string
  cursor: string | null
}

export interface Reader {
  told: Told[]
  /** From now on nothing is taken off the network. */
  pause(): void
  resume(): void
  leave(): void
  /** Set once it is closed: the code of a socket; of a reply whether it was whole. */
  closed: { code: number } | { whole: boolean } | null
}

/** What a reader follows, and as who. */
export interface At {
  url: string
  token: string
  /** Whose runs are of `session`. */
  workflow: { id: string; handle: string }
  session: string
  /** Of a chatbot that speaks. */
  speaker: string
}

/** Who writes: the events of all runs, in their order; how many records were made; how many words a chatbot says. */
export interface Written {
  events: readonly RunEvent[]
  records: number
  words: number
}

export interface Transport {
  name: string
  over: 'sse' | 'websocket'
  /** Once it is told what comes from now on. `name` is one by which the reader is known when it comes back. */
  open(at: At, name: string, after?: string): Promise<Reader>
  /** The keys of all that is told of it. */
  keys(written: Written): string[]
  /** Whether who comes back by a cursor misses nothing; null: it has none. */
  resumes: 'exactly' | 'at least' | null
  /** It is an answer, and has an end. */
  ends?: true
}

const patienceMs = 30_000

// ── over HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Frame {
  id: string | null
  event: string | null
  data: string
}

interface Asked {
  method?: string
  headers?: Record<string, string>
  body?: object
  /** What there is in a frame; nothing, where it is of something else. */
  take(frame: Frame): Told[]
  /** Whether the reader is told all that comes after this frame; unset: that the head has come. */
  begins?(frame: Frame): boolean
}

function readReply(url: string, token: string, { method = 'GET', headers = {}, body, take, begins }: Asked): Promise<Reader> {
  return deadline(
    `the beginning of ${url}`,
    (done, fail) => {
      const request = http.request(url, {
        method,
        agent: false,
        headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...(body && { 'content-type': 'application/json' }), ...headers },
      })
      request.on('error', fail)
      request.on('response', (response) => {
        const reader: Reader = { told: [], pause: () => response.pause(), resume: () => response.resume(), leave: () => request.destroy(), closed: null }
        if (response.statusCode !== 200) return fail(new Error(`${url} was refused: ${response.statusCode}`))
        let text = ''
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
          const frames = text.split('\n\n')
          text = frames.pop()!
          for (const frame of frames.map(frameOf)) {
            if (frame.data === '') continue
            reader.told.push(...take(frame))
            if (begins?.(frame)) done(reader)
          }
        })
        // What is cut off is an error here.
        response.on('error', () => {})
        response.on('close', () => (reader.closed = { whole: response.complete }))
        if (!begins) done(reader)
      })
      request.end(body && JSON.stringify(body))
    },
    patienceMs,
  )
}

function frameOf(text: string): Frame {
  const field = (name: string): string | null => new RegExp(`^${name}: ?(.*)$`, 'm').exec(text)?.[1] ?? null
  return { id: field('id'), event: field('event'), data: field('data') ?? '' }
}

const lastSeen = (after: string | undefined): { headers?: Record<string, string> } => (after === undefined ? {} : { headers: { 'last-event-id': after } })

// ── over sockets ───────────────────────────────────────────────────────────────────────────────────────────────────────

interface Spoken {
  /** Said once it is open. */
  say?: object
  take(message: string): Told[]
  /** Whether the reader is told all that comes after this message. */
  begins?(message: string): boolean
}

function readSocket(url: string, token: string, { say, take, begins }: Spoken): Promise<Reader> {
  return deadline(
    `the beginning of ${url}`,
    (done, fail) => {
      const socket = new WebSocket(url.replace('http', 'ws'), { headers: { authorization: `Bearer ${token}` } })
      const reader: Reader = { told: [], pause: () => socket.pause(), resume: () => socket.resume(), leave: () => socket.terminate(), closed: null }
      socket.on('open', () => {
        if (say) socket.send(JSON.stringify(say))
        if (!begins) done(reader)
      })
      socket.on('message', (data: Buffer) => {
        const message = data.toString()
        reader.told.push(...take(message))
        if (begins?.(message)) done(reader)
      })
      socket.on('error', fail)
      socket.on('close', (code) => (reader.closed = { code }))
    },
    patienceMs,
  )
}

// ── what is told ───────────────────────────────────────────────────────────────────────────────────────────────────────

const keyOf = ({ subject, seq }: RunEvent): string => `${subject.id} ${seq}`

/** Of an event as it is; a snapshot is none. */
const eventIn = (item: RunEvent): Told[] => ('subject' in item && item.subject.kind === 'run' ? [{ key: keyOf(item), cursor: item.cursor }] : [])

const inFrame = ({ event, data }: Frame): Told[] => (event === null || event === 'message' || /^(run|step|pause|log)/.test(event) ? eventIn(JSON.parse(data) as RunEvent) : [])

/** Of what is told in the words of an API. */
const linesIn = (id: string | null, lines: readonly string[]): Told[] => lines.map((key) => ({ key, cursor: id }))

const byRun = (events: readonly RunEvent[]): Map<string, RunEvent[]> => Map.groupBy(events, ({ subject }) => subject.id)

/** A line of a step begins with the text of its round, the key of the step and the number of the line. */
const headIn = (message: string): string | undefined => /^round \d+ \S+/.exec(message)?.[0]

const exact = { keys: ({ events }: Written) => events.map(keyOf), resumes: 'exactly' } as const

export const transports: readonly Transport[] = [
  {
    name: 'native SSE',
    over: 'sse',
    open: ({ url, token, workflow }, _name, after) => readReply(`${url}/v1/workflows/${workflow.id}/events`, token, { ...lastSeen(after), take: inFrame }),
    ...exact,
  },
  {
    name: 'a plain WebSocket',
    over: 'websocket',
    open: ({ url, token, workflow }, _name, after) =>
      readSocket(`${url}/v1/workflows/${workflow.id}/events${after === undefined ? '' : `?after=${after}`}`, token, {
        take: (message) => eventIn(JSON.parse(message) as RunEvent),
      }),
    ...exact,
  },
  {
    name: 'tRPC over SSE',
    over: 'sse',
    open: ({ url, token, workflow }, _name, after) =>
      readReply(`${url}/trpc/events.subscribe?input=${encodeURIComponent(JSON.stringify({ workflow: workflow.id, ...(after !== undefined && { lastEventId: after }) }))}`, token, {
        take: inFrame,
        begins: ({ event }) => event === 'connected',
      }),
    ...exact,
  },
  {
    name: 'tRPC over a WebSocket',
    over: 'websocket',
    open: ({ url, token, workflow }, _name, after) =>
      readSocket(`${url}/trpc`, token, {
        say: { id: 1, method: 'subscription', params: { path: 'events.subscribe', input: { workflow: workflow.id, ...(after !== undefined && { lastEventId: after }) } } },
        take(message) {
          const { result } = JSON.parse(message) as { result: { type: string; data?: { data: RunEvent } } }
          return result.type === 'data' ? eventIn(result.data!.data) : []
        },
        begins: (message) => message.includes('"started"'),
      }),
    ...exact,
  },
  {
    name: 'Orchestrator, over a WebSocket',
    over: 'websocket',
    open: ({ url, token, workflow }) =>
      readSocket(`${url}/ws/workflow/${workflow.id}/`, token, {
        take(message) {
          const { type, node_id = '' } = JSON.parse(message) as { type: string; node_id?: string }
          return type === 'state_sync' ? [] : linesIn(null, [`${type} ${node_id}`])
        },
        begins: (message) => message.includes('"state_sync"'),
      }),
    keys: ({ events }) =>
      events.flatMap((event) => {
        if (event.type === 'step.started') return [`node_started ${event.nodeId}`]
        if (event.type === 'step.completed') return [`node_completed ${event.nodeId}`]
        return event.type === 'run.completed' ? ['workflow_completed '] : []
      }),
    resumes: null,
  },
  {
    name: 'Medusa, over SSE',
    over: 'sse',
    open: ({ url, token, workflow }, _name, after) =>
      readReply(`${url}/admin/workflows-executions/${workflow.handle}/subscribe`, token, {
        ...lastSeen(after),
        take({ id, data }) {
          const { event_type, transaction_id, step } = JSON.parse(data) as { event_type: string; transaction_id: string; step?: { definition: { action: string } } }
          return linesIn(id, [`${transaction_id} ${event_type}${step ? ` ${step.definition.action}` : ''}`])
        },
      }),
    keys: ({ events }) => [...byRun(events)].flatMap(([run, own]) => medusa.told(own).map((line) => `${run} ${line}`)),
    resumes: 'exactly',
  },
  {
    name: 'playground, over SSE',
    over: 'sse',
    open: ({ url, token, session }, _name, after) =>
      readReply(`${url}/api/chat/playground/wf_${session}/events`, token, {
        ...lastSeen(after),
        take({ id, event, data }) {
          const head = event === 'log' && headIn((JSON.parse(data) as { message: string }).message)
          return head ? linesIn(id, [head]) : []
        },
        ...(after === undefined && { begins: ({ event }: Frame) => event === 'status' }),
      }),
    keys: ({ events }) => events.flatMap((event) => (event.type === 'log' ? (headIn(event.message) ?? []) : [])),
    resumes: 'exactly',
  },
  {
    name: 'PocketBase, over SSE',
    over: 'sse',
    async open({ url, token }, name) {
      const topic = `workflow_sessions/*?options=${encodeURIComponent(JSON.stringify({ query: { replay: name } }))}`
      let connection = ''
      const reader = await readReply(`${url}/api/realtime`, token, {
        take({ id, event, data }) {
          if (event === 'PB_CONNECT') connection = id!
          const { n } = event === topic ? ((JSON.parse(data) as { record: { context: { n?: number } | null } }).record.context ?? {}) : {}
          return n === undefined ? [] : linesIn(null, [`record ${n}`])
        },
        begins: ({ event }) => event === 'PB_CONNECT',
      })
      const { status } = await fetch(`${url}/api/realtime`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ clientId: connection, subscriptions: [topic] }),
      })
      if (status !== 204) throw new Error(`the topic was refused: ${status}`)
      return reader
    },
    keys: ({ records }) => Array.from({ length: records }, (_, at) => `record ${at}`),
    resumes: 'at least',
  },
  {
    name: 'OpenAI, over SSE',
    over: 'sse',
    open: ({ url, token, speaker }) =>
      readReply(`${url}/v1/chat/completions`, token, {
        method: 'POST',
        body: { model: speaker, stream: true, messages: [{ role: 'user', content: 'Speak' }] },
        take: ({ data }) => (data === '[DONE]' ? [{ key: data, cursor: null }] : wordsIn(data)),
      }),
    keys: ({ words }) => [...Array.from({ length: words }, (_, word) => `w${word}`), '[DONE]'],
    resumes: null,
    ends: true,
  },
]

/** Each word has a number: they stand once each, and in their order. */
const wordsIn = (data: string): Told[] => linesIn(null, (JSON.parse(data) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content?.match(/w\d+/g) ?? [])
