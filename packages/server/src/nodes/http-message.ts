import { limits } from '@sluice/schema'
import type { Json } from '@sluice/schema'
import { hiding } from '../outside/hiding.ts'
import type { OutsideAnswer } from '../outside/outside.ts'
import { StepFailure } from './contract.ts'
import { isDeeperThan } from './values.ts'

/** Between JSON and what HTTP carries. PURE. */

/** Text goes as it is, everything else as JSON; nothing is no body. */
export function encodedBody(body: Json | undefined): { body: string | null; type: string | null } {
  if (body === undefined) return { body: null, type: null }
  if (typeof body === 'string') return { body, type: 'text/plain; charset=utf-8' }
  return { body: JSON.stringify(body), type: 'application/json' }
}

/** Adds to the query a URL has. A list repeats its key, null leaves it out, an object goes as JSON. */
export function withQuery(url: string, query: { readonly [key: string]: Json } = {}): string {
  const added = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null) added.append(key, typeof each === 'object' ? JSON.stringify(each) : String(each))
    }
  }
  if (added.size === 0) return url
  const [before, fragment] = split(url, '#')
  return `${before}${before.includes('?') ? '&' : '?'}${added.toString()}${fragment}`
}

function split(text: string, at: string): [string, string] {
  const found = text.indexOf(at)
  return found < 0 ? [text, ''] : [text.slice(0, found), text.slice(found)]
}

export interface ReadAnswer {
  status: number
  headers: Record<string, string>
  text: string
  /** Base64 of a body that is no text. */
  binary: string | null
}

/** Reads an answer as text where it is text. A service that repeats the secret it was sent does not make it an output. */
export function readAnswer({ status, headers, body }: OutsideAnswer, secret: string | null): ReadAnswer {
  const hide = hiding(secret)
  const text = decoded(headers['content-type'] ?? '', body)
  return {
    status,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, hide(value)])),
    text: hide(text ?? ''),
    binary: text === null ? Buffer.from(body).toString('base64') : null,
  }
}

/** The body as JSON where its type says so, else as text; null when there is none. */
export function parsedBody(headers: Record<string, string>, text: string): Json {
  if (text === '') return null
  if (!isJson(headers['content-type'] ?? '')) return text
  const value = parsed(text)
  if (isDeeperThan(value, limits.jsonDepth)) throw new StepFailure('http_body_invalid', `The answer is nested deeper than ${limits.jsonDepth} levels`, { retry: false })
  return value
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw new StepFailure('http_body_invalid', 'The answer says that it is JSON and is not', { retry: false, details: { body: text.slice(0, 2_000) } })
  }
}

const isJson = (type: string) => /^\s*(application|text)\/([^;\s]+\+)?json\s*(;|$)/i.test(type)
const isText = (type: string) => /^\s*(text\/|application\/([^;\s]+\+)?(json|xml|javascript|x-www-form-urlencoded|yaml|graphql)\s*(;|$))/i.test(type)

/** Null when it is no text: by its type, or without one because it is not UTF-8. */
function decoded(type: string, body: Uint8Array): string | null {
  const label = /;\s*charset="?([^";\s]+)/i.exec(type)?.[1] ?? 'utf-8'
  try {
    if (type === '') return new TextDecoder('utf-8', { fatal: true }).decode(body)
    return isText(type) ? new TextDecoder(label).decode(body) : null
  } catch {
    return null
  }
}
