import { appendFileSync } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'

/**
 * Notes what the servers of the tests are asked and answer, for test/support/traffic-check.ts to hold against the documents. Loaded
 * before a test file, and before a program that a test starts; does nothing unless SLUICE_TEST_TRAFFIC names a folder. Of requests
 * and answers that differ in their values alone, the first is noted.
 */

/** A request of one shape and its answer. `json` is absent where the body is none, or is larger than what is kept. */
export interface Exchange {
  /** The test file, or of a program what it was started with. */
  by: string
  method: string
  /** With its query. */
  url: string
  sent: Body
  status: number
  answered: Body
}

export interface Body {
  /** Media type without parameters; '' without a body. */
  type: string
  json?: unknown
  /** The values of the fields of a form, in order; of a file null. */
  form?: Record<string, (string | null)[]>
  /** Of a stream: what came before it was closed. */
  text?: string
  /** Whether there is a body at all. */
  empty: boolean
}

const bounds = { bodyBytes: 65_536, exchanges: 3_000 }
const folder = process.env['SLUICE_TEST_TRAFFIC']

/** Words whose value decides which schema is meant. */
const telling = new Set(['type', 'status', 'state', 'kind', 'action', 'code', 'object', 'node_type', 'role'])

/** Two values of the same shape are alike but for their texts and numbers. */
export function shapeOf(value: unknown, key = ''): string {
  if (Array.isArray(value)) return `[${[...new Set(value.slice(0, 50).map((each) => shapeOf(each)))].sort().join()}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([name, each]) => `${/\d|[^ -~]/.test(name) ? '*' : name}:${shapeOf(each, name)}`)
      .sort()
      .join()}}`
  if (typeof value === 'string') return telling.has(key) && value.length < 32 ? `'${value}'` : 's'
  return value === null ? 'null' : (typeof value)[0]!
}

/** An address without what names a single thing. */
const kindOf = (url: string): string => {
  const [path = '', query = ''] = url.split('?', 2)
  const segments = path.split('/').map((segment) => (/[\d%:]/.test(segment) && segment !== 'v1' && segment !== 'runv2' ? '*' : segment))
  return `${segments.join('/')}?${[...new Set(new URLSearchParams(query).keys())].sort().join('&')}`
}

class Kept {
  readonly #chunks: Buffer[] = []
  #bytes = 0

  add(chunk: unknown): void {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return
    this.#bytes += chunk.length
    if (this.#bytes <= bounds.bodyBytes) this.#chunks.push(Buffer.from(chunk))
  }

  as(said: unknown): Body {
    const whole = typeof said === 'string' ? said : ''
    const type = whole.split(';', 1)[0]!.trim().toLowerCase()
    const body: Body = { type, empty: this.#bytes === 0 }
    const form = body.empty || this.#bytes > bounds.bodyBytes ? null : formIn(whole, Buffer.concat(this.#chunks))
    if (form) return { ...body, form }
    if (type === 'text/event-stream') return { ...body, text: Buffer.concat(this.#chunks).toString() }
    if (type !== 'application/json' || body.empty || this.#bytes > bounds.bodyBytes) return body
    try {
      return { ...body, json: JSON.parse(Buffer.concat(this.#chunks).toString()) as unknown }
    } catch {
      return { ...body, text: Buffer.concat(this.#chunks).toString() }
    }
  }
}

/** Null: it is no form, or one that is broken. */
function formIn(type: string, bytes: Buffer): Record<string, (string | null)[]> | null {
  if (/^application\/x-www-form-urlencoded\b/i.test(type)) {
    const fields = new URLSearchParams(bytes.toString())
    return Object.fromEntries([...new Set(fields.keys())].map((name) => [name, fields.getAll(name)]))
  }
  const [, quoted, bare] = /^multipart\/form-data\b.*;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type) ?? []
  const boundary = quoted ?? bare
  if (boundary === undefined) return null
  const form = new Map<string, (string | null)[]>()
  for (const part of `\r\n${bytes.toString('latin1')}`.split(`\r\n--${boundary}`).slice(1, -1)) {
    const [head = '', ...rest] = part.split('\r\n\r\n')
    const [, name] = /;\s*name="([^"]*)"/i.exec(head) ?? []
    if (name === undefined) return null
    const value = /;\s*filename\*?=/i.test(head) ? null : Buffer.from(rest.join('\r\n\r\n'), 'latin1').toString()
    form.set(name, [...(form.get(name) ?? []), value])
  }
  return Object.fromEntries(form)
}

const noted = new Set<string>()

function note(exchange: Exchange): void {
  const { sent, answered } = exchange
  const key = [
    exchange.method,
    kindOf(exchange.url),
    exchange.status,
    sent.type,
    sent.empty,
    shapeOf(sent.json ?? sent.form),
    answered.type,
    answered.empty,
    shapeOf(answered.json),
    streamed(answered),
  ].join(' ')
  if (noted.has(key) || noted.size >= bounds.exchanges) return
  noted.add(key)
  appendFileSync(join(folder!, `${process.pid}.ndjson`), `${JSON.stringify(exchange)}\n`)
}

const streamed = ({ text = '' }: Body): string => [...new Set([...text.matchAll(/^event: .*$/gm)].map(([line]) => line))].sort().join()

const by = (): string => {
  const worker = (globalThis as { __vitest_worker__?: { filepath?: string } }).__vitest_worker__
  return worker?.filepath ?? process.argv.slice(1).join(' ')
}

/** Only a server of ours names its requests. */
function watch(request: IncomingMessage, response: ServerResponse): void {
  const sent = new Kept()
  const answered = new Kept()
  const push = request.push.bind(request)
  request.push = (chunk: unknown, encoding) => {
    sent.add(chunk)
    return push(chunk, encoding)
  }
  const { method = '', url = '' } = request
  const write = response.write.bind(response) as (...args: unknown[]) => boolean
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse
  const headers: Record<string, unknown> = {}
  response.writeHead = (...args: unknown[]) => {
    const given = args.findLast((each) => typeof each === 'object' && each !== null && !Array.isArray(each)) ?? {}
    for (const [name, value] of Object.entries(given)) headers[name.toLowerCase()] = value
    return writeHead(...args)
  }
  const header = (name: string): unknown => headers[name] ?? response.getHeader(name)
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse
  response.write = (...args: unknown[]) => {
    answered.add(args[0])
    return write(...args)
  }
  response.end = (...args: unknown[]) => {
    answered.add(args[0])
    return end(...args)
  }
  response.once('close', () => {
    if (!response.headersSent || header('x-request-id') === undefined) return
    const whole = response.writableFinished
    const type = header('content-type')
    // An answer that broke off is no answer, but what came of a stream was said.
    if (!whole && !String(type).startsWith('text/event-stream')) return
    note({ by: by(), method, url, sent: sent.as(request.headers['content-type']), status: response.statusCode, answered: answered.as(type) })
  })
}

const marked = Symbol.for('sluice.traffic')
const server = http.Server.prototype as http.Server & { [marked]?: true }
// What is sent there is broken on purpose, and judged by who sends it.
const fuzzed = process.execArgv.concat(process.argv).some((each) => each.includes('test/fuzz/') || each.includes('fuzz/watched'))
if (folder && !fuzzed && !server[marked]) {
  server[marked] = true
  const emit = server.emit
  server.emit = function (this: http.Server, event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'request') watch(args[0] as IncomingMessage, args[1] as ServerResponse)
    return (emit as (this: http.Server, event: string | symbol, ...args: unknown[]) => boolean).call(this, event, ...args)
  } as typeof emit
}
