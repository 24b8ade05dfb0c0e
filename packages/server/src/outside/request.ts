import { hostOf } from './allow-list.ts'
import { OutsideError } from './error.ts'

/** One request to one URL, checked. Header names are in lower case. */
export interface Hop {
  method: string
  url: URL
  headers: Map<string, string>
  body: Uint8Array | null
  /** Names of headers that must not reach another origin. */
  credentials: ReadonlySet<string>
}

export interface HopInput {
  method: string
  url: string
  headers?: Readonly<Record<string, string>>
  body?: Uint8Array | string | null
  credentialHeaders?: readonly string[]
  /** Where in a trace it is asked for. Carried on, unless `headers` has one. */
  traceparent?: string | null
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/
// What frames a message or names its receiver is ours to write.
const framing = new Set(['connection', 'content-length', 'expect', 'host', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])
const refusedMethods = new Set(['CONNECT', 'TRACE', 'TRACK'])
const alwaysCredentials = ['authorization', 'cookie', 'proxy-authorization']

/** Checks a request before anything is sent. Throws `invalid_request`; no message repeats a header's value. */
export function hopOf(input: HopInput): Hop {
  const method = input.method.toUpperCase()
  if (!token.test(method) || refusedMethods.has(method)) throw new OutsideError('invalid_request', 'the method cannot be sent')
  const body = typeof input.body === 'string' ? new TextEncoder().encode(input.body) : (input.body ?? null)
  if (body && (method === 'GET' || method === 'HEAD')) throw new OutsideError('invalid_request', `a ${method} request has no body`)
  const credentials = new Set([...alwaysCredentials, ...(input.credentialHeaders ?? []).map((name) => name.toLowerCase())])
  return { method, url: checkedUrl(input.url), headers: checkedHeaders(input.headers ?? {}), body, credentials }
}

/** Only http and https, and no credentials inside. The parser has by then turned every odd spelling of an address into the usual one. */
export function checkedUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href)
  if (!url) throw new OutsideError('invalid_request', 'the URL cannot be read')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new OutsideError('invalid_request', 'only http and https URLs can be reached')
  if (url.username !== '' || url.password !== '') throw new OutsideError('invalid_request', `the URL of ${hostOf(url)} holds credentials: send them as a header`)
  return url
}

function checkedHeaders(headers: Readonly<Record<string, string>>): Map<string, string> {
  const checked = new Map<string, string>()
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase()
    if (!token.test(name)) throw new OutsideError('invalid_request', 'a header has a name that cannot be sent')
    if (framing.has(lower)) throw new OutsideError('invalid_request', `the header ${lower} cannot be set`)
    if (checked.has(lower)) throw new OutsideError('invalid_request', `the header ${lower} is given twice`)
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw new OutsideError('invalid_request', `the header ${lower} has a value that cannot be sent`)
    checked.set(lower, value)
  }
  return checked
}
