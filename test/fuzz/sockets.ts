import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { Json, JsonObject } from '@sluice/schema'
import { WebSocket } from 'ws'
import { leakIn, procedureSays, type Verdict } from './answers.ts'
import { type Prey, spoiledText } from './attacks.ts'
import { isAnError, targets } from './operations.ts'
import type { Random } from './random.ts'
import { validDraft } from './request.ts'
import { binding, type Scene } from './scene.ts'

/** What is spoken over sockets: one conversation counts as one request. */
export const socketNames = [
  'socket /trpc',
  'socket /v1/events',
  'socket /v1/runs/{id}/events',
  'socket /v1/sessions/{id}/events',
  'socket /v1/workflows/{workflow}/events',
  'socket /ws/workflow/{workflow_id}/',
] as const
export type SocketName = (typeof socketNames)[number]

/** How a conversation went. */
export interface Spoken {
  verdict: Verdict
  /** Whether it did what a valid one is for: calls were answered, or something was told. */
  welcome: boolean
  /** What was done, to be done again. */
  said: string
}

export interface Talk {
  url: string
  token: string
  scene: Scene
  random: Random
  prey: Prey
  isValid: boolean
  hidden: readonly string[]
  unique(): string
}

const patienceMs = 45_000
/** Of what is said where nothing has to be answered. */
const lingerMs = 150

const callable = targets
  .filter(({ over }) => over === 'trpc')
  .filter(({ id }) => !/^auth\.|logout|leave|Session$|users\.|[pP]assword|refresh|register|[lL]ogin|ask|send|Completion|run$|wait/.test(id))
const followed = targets.filter(({ over }) => over === 'subscription')

function pathOf(name: SocketName, { scene, random }: Talk): string {
  const of = (kind: string): string => encodeURIComponent(random.pick(scene.things[kind] ?? ['x']))
  const [, address] = name.split(' ') as [string, string]
  return address
    .replace('/runs/{id}', `/runs/${of('run')}`)
    .replace('/sessions/{id}', `/sessions/${of('session')}`)
    .replace('{workflow}', of('workflow'))
    .replace('{workflow_id}', of('orchestrator.workflow'))
}

/** A conversation at one of the addresses: as a client holds it, or as one does that wants to break something. */
export async function converse(name: SocketName, talk: Talk): Promise<Spoken> {
  const path = pathOf(name, talk)
  if (!talk.isValid && talk.random.chance(0.35)) return bare(path, talk)
  return name === 'socket /trpc' ? calls(path, talk) : follows(name, path, talk)
}

interface Open {
  socket: WebSocket
  messages: string[]
  refusal: { status: number; text: string } | null
  code: number | null
}

/** Opens it; resolves when it is open, or refused. */
function open(url: string, headers: Record<string, string>): Promise<Open> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers, handshakeTimeout: patienceMs })
    const opened: Open = { socket, messages: [], refusal: null, code: null }
    socket.on('message', (data: Buffer) => opened.messages.push(data.toString()))
    socket.on('close', (code) => (opened.code = code))
    socket.on('error', () => resolve(opened))
    socket.on('open', () => resolve(opened))
    socket.on('unexpected-response', (_request, response) => {
      let text = ''
      response.on('data', (piece: Buffer) => (text += piece.toString()))
      response.on('close', () => {
        opened.refusal = { status: response.statusCode ?? 0, text }
        resolve(opened)
      })
      response.resume()
    })
  })
}

async function until(holds: () => boolean, ms: number): Promise<boolean> {
  const end = performance.now() + ms
  while (!holds()) {
    if (performance.now() > end) return false
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return true
}

function refusalSays({ refusal }: Open): Verdict {
  if (!refusal) return null
  if (refusal.status >= 500 && refusal.status !== 503) return `the upgrade: ${refusal.status} ${refusal.text.slice(0, 300)}`
  try {
    return isAnError(JSON.parse(refusal.text) as Json) ? null : `an upgrade refused in no form: ${refusal.text.slice(0, 300)}`
  } catch {
    return `an upgrade refused in no form: ${refusal.status} ${refusal.text.slice(0, 300)}`
  }
}

const credentialOf = ({ isValid, random, token }: Talk): Record<string, string> =>
  isValid || random.chance(0.7) ? { authorization: `Bearer ${token}` } : random.chance(0.5) ? {} : { authorization: 'Bearer x', origin: 'http://evil.example' }

// ── tRPC ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function calls(path: string, talk: Talk): Promise<Spoken> {
  const { url, random, scene, isValid, hidden, prey, unique } = talk
  const asked = Array.from({ length: isValid ? 3 : 5 }, (_, at) => {
    const target = random.chance(0.8) ? random.pick(callable) : random.pick(followed)
    const draft = validDraft(target, random, binding(target, scene, unique))
    const input = draft.body ?? (JSON.parse(draft.query.find(([key]) => key === 'input')?.[1] ?? '{}') as Json)
    const method = target.over === 'subscription' ? 'subscription' : target.method === 'GET' ? 'query' : 'mutation'
    const message: JsonObject = { id: at + 1, jsonrpc: '2.0', method, params: { path: target.at, input } }
    return {
      id: at + 1,
      target,
      text: isValid
        ? JSON.stringify(message)
        : random.chance(0.6)
          ? JSON.stringify({ ...message, params: { path: target.at, input: JSON.parse(plain(spoiledText(input, random, prey))) as Json } })
          : oddity(message, talk),
    }
  })
  const opened = await open(url + path, credentialOf(talk))
  const said = `${path}\n${asked.map(({ text }) => text.slice(0, 400)).join('\n')}`
  for (const { text } of asked) if (opened.socket.readyState === WebSocket.OPEN) opened.socket.send(text)
  const answered = (id: number): boolean => opened.messages.some((each) => each.includes(`"id":${id},`) || each.includes(`"id":${id}}`))
  const done = (): boolean => opened.refusal !== null || opened.socket.readyState !== WebSocket.OPEN || asked.every(({ id }) => answered(id))
  const whole = await until(done, isValid ? patienceMs : lingerMs)
  opened.socket.terminate()
  const verdict =
    refusalSays(opened) ??
    messagesSay(opened.messages, asked, hidden, said) ??
    (whole || !isValid
      ? null
      : `not all calls were answered within ${patienceMs} ms: ${asked
          .filter(({ id }) => !answered(id))
          .map(({ target }) => target.name)
          .join()}`)
  return { verdict, welcome: opened.messages.some((each) => each.includes('"result"')), said }
}

/** Numbers that are none become texts: what is said over a socket is made anew. */
const plain = (text: string): string => text.replaceAll(/(?<=[:[,])-?1e-?400(?=[,}\]])|^-?1e-?400$/g, '0')

function messagesSay(messages: readonly string[], asked: readonly { id: number; target: (typeof targets)[number] }[], hidden: readonly string[], said: string): Verdict {
  for (const text of messages) {
    const leak = leakIn(text, hidden, said)
    if (leak !== null) return leak
    if (text === 'PING' || text === 'PONG') continue
    let value: Json
    try {
      value = JSON.parse(text) as Json
    } catch {
      return `a message that is no JSON: ${text.slice(0, 200)}`
    }
    for (const each of [value].flat() as JsonObject[]) {
      const target = asked.find(({ id }) => id === each['id'])?.target
      const isData = typeof each['result'] === 'object' && (each['result'] as JsonObject)['type'] !== 'data'
      if (isData || !target) continue
      if (target.over === 'subscription' && 'result' in each) continue
      const verdict = procedureSays(target, { method: 'WS', path: said, headers: [], body: null }, { status: 200, text }, each)
      if (verdict !== null) return `${target.name}: ${verdict}`
    }
  }
  return null
}

/** A message that no client of tRPC sends. */
function oddity(message: JsonObject, { random, prey, token }: Talk): string {
  return random.pick([
    () => spoiledText(message, random, prey),
    () => JSON.stringify(message).slice(0, -3),
    () => JSON.stringify({ ...message, id: 'x'.repeat(100_000) }),
    () => JSON.stringify({ ...message, id: null }),
    () => JSON.stringify({ ...message, id: { a: [1] } }),
    () => JSON.stringify({ ...message, id: 1e308 }),
    () => JSON.stringify({ ...message, method: random.pick(['unknown', 'subscription.stop', 'constructor', '__proto__', 'query', 'subscription']) }),
    () => JSON.stringify({ ...message, params: { path: random.pick(['', '__proto__', 'constructor', 'runs', 'runs.get.x', 'a'.repeat(50_000), 'runs.__proto__']), input: {} } }),
    () => JSON.stringify({ ...message, params: null }),
    () => JSON.stringify(Array.from({ length: random.pick([0, 1, 10, 11, 1_000]) }, () => message)),
    () => JSON.stringify({ method: 'connectionParams', data: { token } }),
    () => JSON.stringify({ method: 'connectionParams', data: { token: 'x'.repeat(10_000), __proto__: 1 } }),
    () => '{"__proto__":{"method":"query"},"id":777,"method":"query","params":{"path":"auth.me"}}',
    () => 'null',
    () => '[]',
    () => '"PING"',
    () => 'PONG',
    () => '',
    () => '['.repeat(50_000),
  ])()
}

// ── streams of events ──────────────────────────────────────────────────────────────────────────────────────────────────

async function follows(name: SocketName, path: string, talk: Talk): Promise<Spoken> {
  const { url, random, isValid, prey, hidden } = talk
  const query = isValid
    ? random.pick(name === 'socket /v1/events' ? ['', '?after=0.0'] : name === 'socket /v1/workflows/{workflow}/events' ? ['', '?after=0.0', '?current=true'] : ['', '?after=0'])
    : random.pick([
        '?after=-1',
        '?after=x',
        '?after=1e400',
        '?where={',
        '?where=%7B%22type%22%3A%7B%22matches%22%3A%22(a%2B)%2B%24%22%7D%7D',
        '?tokens=maybe',
        '?ticket=x',
        '?%zz',
        '?after=0&after=1',
        `?task_id=${encodeURIComponent(random.pick(prey.ids))}`,
        '?token=x',
        `?x=${'y'.repeat(9_000)}`,
      ])
  const isNative = name.startsWith('socket /v1')
  const opened = await open(url + path + (isValid && !isNative ? '' : query), credentialOf(talk))
  const messages = isValid ? (isNative ? [] : ['{"type":"ping"}', '{"type":"request_state_sync"}']) : Array.from({ length: 3 }, () => oddity({ type: 'ping' }, talk))
  for (const text of messages) if (opened.socket.readyState === WebSocket.OPEN) opened.socket.send(random.chance(isValid ? 0 : 0.3) ? Buffer.from(text) : text)
  await until(
    () => opened.refusal !== null || opened.socket.readyState !== WebSocket.OPEN || (isValid && opened.messages.length > 0 && !isNative),
    isNative ? lingerMs : isValid ? 2_000 : lingerMs,
  )
  const welcome = opened.refusal === null && (opened.socket.readyState === WebSocket.OPEN || opened.code === 1000)
  opened.socket.terminate()
  const said = `${path}${query}\n${messages.map((text) => text.slice(0, 300)).join('\n')}`
  const leak = opened.messages.map((text) => leakIn(text, hidden, said)).find((each) => each !== null) ?? null
  const form = opened.messages.find((text) => !isJson(text))
  const bug = opened.messages.find((text) => /"code":\s*"?(internal|INTERNAL_ERROR)/.test(text))
  return {
    verdict:
      refusalSays(opened) ?? leak ?? (form === undefined ? null : `a message that is no JSON: ${form.slice(0, 200)}`) ?? (bug === undefined ? null : `a bug: ${bug.slice(0, 300)}`),
    welcome,
    said,
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

// ── frame by frame ─────────────────────────────────────────────────────────────────────────────────────────────────────

function frame(
  opcode: number,
  payload: Buffer,
  { fin = true, masked = true, rsv = 0, length = payload.length }: { fin?: boolean; masked?: boolean; rsv?: number; length?: number } = {},
): Buffer {
  const mask = Buffer.from([1, 2, 3, 4])
  const head =
    length < 126 ? Buffer.from([0, length]) : length < 65_536 ? Buffer.from([0, 126, length >> 8, length & 255]) : Buffer.concat([Buffer.from([0, 127]), bigLength(length)])
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  if (!masked) return Buffer.concat([head, payload])
  head[1]! |= 0x80
  return Buffer.concat([head, mask, Buffer.from(payload.map((byte, at) => byte ^ mask[at % 4]!))])
}

function bigLength(length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(length))
  return bytes
}

/** Frames that no library sends. What comes back is no answer of ours; that the server goes on is what counts. */
async function bare(path: string, { url, token, random }: Talk): Promise<Spoken> {
  const { hostname, port } = new URL(url)
  const ping = Buffer.from('{"type":"ping"}')
  const frames = random.pick<readonly Buffer[]>([
    [frame(2, ping)],
    [frame(1, ping, { masked: false })],
    [frame(1, ping, { rsv: 4 })],
    [frame(3, ping)],
    [frame(1, ping.subarray(0, 5), { fin: false }), frame(0, ping.subarray(5), { fin: false }), frame(0, Buffer.alloc(0))],
    Array.from({ length: 2_000 }, (_, at) => frame(at === 0 ? 1 : 0, Buffer.from('x'), { fin: false })),
    [frame(0, ping)],
    [frame(1, Buffer.alloc(1_048_577, 'x'))],
    [frame(1, Buffer.alloc(700_000, 'x'), { fin: false }), frame(0, Buffer.alloc(700_000, 'x'))],
    [frame(1, ping, { length: 2 ** 40 })],
    [frame(1, Buffer.from([0xff, 0xfe, 0xc0]))],
    [frame(9, Buffer.alloc(126, 'x'))],
    Array.from({ length: 3_000 }, () => frame(9, Buffer.from('x'))),
    [frame(8, Buffer.from([3, 231]))],
    [frame(8, Buffer.from([0]))],
    [frame(8, Buffer.concat([Buffer.from([3, 232]), Buffer.from([0xff])]))],
    [frame(1, Buffer.from('['.repeat(200_000)))],
    [Buffer.from('not a frame at all\r\n\r\n')],
    [frame(1, ping).subarray(0, 3)],
  ])
  const extension = random.chance(0.2) ? 'sec-websocket-extensions: permessage-deflate\r\n' : ''
  const head = `GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${randomBytes(16).toString('base64')}\r\n${extension}${random.chance(0.8) ? `authorization: Bearer ${token}\r\n` : ''}\r\n`
  const early = random.chance(0.3)
  const text = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), hostname)
    let got = ''
    let begun = early
    const timer = setTimeout(() => socket.destroy(), lingerMs * 2)
    // Before it is known who asks, or after.
    socket.on('connect', () => socket.write(Buffer.concat([Buffer.from(head), ...(early ? frames : [])])))
    socket.on('data', (piece: Buffer) => {
      got += piece.toString('latin1')
      if (begun || !got.includes('\r\n\r\n')) return
      begun = true
      socket.write(Buffer.concat(frames))
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(got)
    })
  })
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
  return {
    verdict: status >= 500 && status !== 503 ? `the upgrade: ${text.slice(0, 300)}` : null,
    welcome: false,
    said: `${path} and ${frames.length} frames, the first ${frames[0]!.subarray(0, 40).toString('hex')}`,
  }
}
