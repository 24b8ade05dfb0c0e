import type { Dispatcher } from 'undici'
import { hostOf } from './allow-list.ts'
import { acceptedEncodings, decodersOf, readBody } from './body.ts'
import { OutsideError, asOutsideError } from './error.ts'
import { redirectOf } from './redirect.ts'
import type { Hop } from './request.ts'

export interface Answer {
  status: number
  /** Lower-case names; a header that came several times is joined by `, `. */
  headers: Record<string, string>
  body: Uint8Array
  /** Where the answer came from, after redirects. */
  url: string
}

export interface Bounds {
  maxBytes: number
  maxRedirects: number
  signal: AbortSignal
}

/** Sends a request and follows its redirects, each hop under the same guard, to the last answer. */
export async function follow(dispatcher: Dispatcher, first: Hop, bounds: Bounds): Promise<Answer> {
  let hop = first
  for (let redirects = 0; ; redirects++) {
    const done = await one(dispatcher, hop, bounds).catch((error: unknown) => {
      throw asOutsideError(error, hostOf(hop.url))
    })
    if ('answer' in done) return done.answer
    if (redirects === bounds.maxRedirects) throw new OutsideError('redirects', `more than ${bounds.maxRedirects} redirects, the last by ${hostOf(hop.url)}`)
    hop = done.next
  }
}

async function one(dispatcher: Dispatcher, hop: Hop, bounds: Bounds): Promise<{ answer: Answer } | { next: Hop }> {
  const reply = await send(dispatcher, hop, bounds.signal)
  try {
    const headers = headersOf(reply.headers)
    const next = bounds.maxRedirects === 0 ? null : redirectOf(hop, reply.statusCode, headers['location'])
    if (next) return { next }
    return { answer: { status: reply.statusCode, ...(await read(hop, reply, headers, bounds)), url: hop.url.href } }
  } finally {
    // What was not read is not waited for: the connection is given up with it.
    reply.body.on('error', () => {}).destroy()
  }
}

interface Reply {
  statusCode: number
  headers: unknown
  body: Dispatcher.ResponseData['body']
}

export function send(dispatcher: Dispatcher, { url, ...hop }: Hop, signal: AbortSignal): Promise<Reply> {
  const headers = Object.fromEntries(hop.headers)
  if (!hop.headers.has('accept-encoding')) headers['accept-encoding'] = acceptedEncodings
  if (!hop.headers.has('user-agent')) headers['user-agent'] = 'sluice'
  // Raw headers: a list of names and values, which no name in it can confuse.
  return dispatcher.request({ origin: url.origin, path: url.pathname + url.search, method: hop.method, headers, body: hop.body, signal, responseHeaders: 'raw' })
}

async function read(hop: Hop, reply: Reply, headers: Record<string, string>, { maxBytes }: Bounds): Promise<Pick<Answer, 'headers' | 'body'>> {
  const host = hostOf(hop.url)
  if (hop.method === 'HEAD') return { headers, body: new Uint8Array() }
  const decode = decodersOf(headers['content-encoding'])
  if (!decode?.length && Number(headers['content-length']) > maxBytes) throw new OutsideError('too_large', `the answer of ${host} is larger than ${maxBytes} bytes`)
  const body = await readBody(reply.body, decode ?? [], maxBytes, host)
  if (!decode?.length) return { headers, body }
  // These spoke of the compressed body.
  const { 'content-encoding': _, 'content-length': __, ...rest } = headers
  return { headers: rest, body }
}

export function headersOf(raw: unknown): Record<string, string> {
  const joined = new Map<string, string>()
  const list = Array.isArray(raw) ? (raw as unknown[]) : []
  for (let at = 0; at + 1 < list.length; at += 2) {
    const name = String(list[at]).toLowerCase()
    const before = joined.get(name)
    joined.set(name, before === undefined ? String(list[at + 1]) : `${before}, ${String(list[at + 1])}`)
  }
  return Object.fromEntries(joined)
}
