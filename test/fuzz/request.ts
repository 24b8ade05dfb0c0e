import type { Json, JsonObject } from '@sluice/schema'
import type { Random } from './random.ts'
import type { Target } from './operations.ts'
import { schemasOf } from './operations.ts'
import { type Bind, createMaker, type Maker, textOf } from './values.ts'

/** A file or a field of a form. */
export interface Part {
  name: string
  filename?: string
  type?: string
  value: string
}

/** A request while it is made: in parts that can be changed one by one. */
export interface Draft {
  target: Target
  method: string
  /** Of the address, each still to be encoded; a text of the path that stands for itself has no name. */
  path: { text: string; isOpen: boolean }[]
  query: [string, string][]
  headers: [string, string][]
  /** Of JSON and, where that is asked for, of a form. */
  body?: Json
  form?: Part[]
  bytes?: Buffer
}

/** A request as it goes over the wire. */
export interface Wire {
  method: string
  /** The request target. */
  path: string
  headers: [string, string][]
  body: Buffer | null
  /** Byte by byte as it is: what a client library would not send. */
  raw?: Buffer
}

export const boundary = 'between-the-parts'

/** A request that its document allows, of things that are there. */
export function validDraft(target: Target, random: Random, bind: Bind): Draft {
  const maker = createMaker(schemasOf(target), random, bind)
  if (target.over === 'rest') return restDraft(target, random, maker)
  const input = target.operation ? inputOf(target, random, maker) : (others[target.id]?.(bind, random) ?? {})
  return procedureDraft(target, input)
}

function procedureDraft(target: Target, input: Json): Draft {
  const path = [{ text: `/trpc/${target.at}`, isOpen: false }]
  if (target.method === 'POST') return { target, method: 'POST', path, query: [], headers: [], body: input }
  return { target, method: 'GET', path, query: [['input', JSON.stringify(input)]], headers: target.over === 'subscription' ? [['accept', 'text/event-stream']] : [] }
}

function restDraft(target: Target, random: Random, maker: Maker): Draft {
  const operation = target.operation!
  const draft: Draft = { target, method: operation.method, path: [], query: [], headers: [] }
  const values = new Map<string, Json>()
  for (const parameter of operation.parameters) {
    if (!parameter.required && parameter.in !== 'path' && (!random.chance(0.3) || seldom.test(parameter.name))) continue
    const value = parameterOf(parameter, random, maker)
    if (parameter.in === 'path') values.set(parameter.name, value)
    else if (parameter.in === 'header') draft.headers.push([parameter.name, textOf(value)])
    else for (const each of Array.isArray(value) ? value : [value]) draft.query.push([parameter.name, textOf(each)])
  }
  draft.path.push({ text: target.at, isOpen: false })
  for (const [, text, name] of operation.path.matchAll(/([^{}]+)|\{(\w+)\}/g))
    draft.path.push(name === undefined ? { text: text!, isOpen: false } : { text: textOf(values.get(name) ?? 'x'), isOpen: true })
  const content = operation.requestBody?.content
  if (!content || (!operation.requestBody!.required && random.chance(0.15))) return draft
  const type = random.chance(0.7) ? Object.keys(content)[0]! : random.pick(Object.keys(content))
  if (type === 'multipart/form-data') draft.form = formOf(content[type]!.schema, random, maker, schemasOf(target))
  else if (type === 'application/json') draft.body = bodyOf(content[type]!, random, maker)
  else if (type === 'application/x-www-form-urlencoded') {
    const body = bodyOf(content[type]!, random, maker)
    draft.bytes = Buffer.from(new URLSearchParams(Object.fromEntries(Object.entries((body ?? {}) as JsonObject).map(([key, value]) => [key, textOf(value)]))).toString())
    draft.headers.push(['content-type', type])
  } else {
    draft.bytes = Buffer.from('some bytes\n')
    draft.headers.push(['content-type', type])
  }
  return draft
}

const seldom = /^(cursor|where|filter|Last-Event-ID|Idempotency-Key|afterId|transactionId|afterTimestamp|If-None-Match|webhook-.*)$/i

function parameterOf({ name, schema, example }: { name: string; schema: JsonObject; example?: unknown }, random: Random, maker: Maker): Json {
  if (example !== undefined && random.chance(0.7)) return maker.rebound(example as Json, name)
  return maker.value(schema, name)
}

function bodyOf({ schema, example }: { schema: JsonObject; example?: unknown }, random: Random, maker: Maker): Json {
  const isFree = schema['properties'] === undefined && schema['propertyNames'] !== undefined
  return example !== undefined && (isFree || random.chance(0.65)) ? maker.rebound(example as Json) : maker.value(schema, '')
}

function formOf(schema: JsonObject, random: Random, maker: Maker, components: Record<string, JsonObject>): Part[] {
  const { properties = {}, required = [] } = (typeof schema['$ref'] === 'string' ? components[schema['$ref'].split('/').at(-1)!]! : schema) as {
    properties?: Record<string, JsonObject>
    required?: string[]
  }
  return Object.entries(properties).flatMap(([name, property]): Part[] => {
    if (!required.includes(name) && random.chance(0.6)) return []
    const item = property['type'] === 'array' ? (property['items'] as JsonObject) : property
    if (item['format'] === 'binary') return [{ name, filename: `${random.pick(['data', 'Grüße', 'a b'])}.csv`, type: 'text/csv', value: 'a,b\n1,2\n' }]
    return [{ name, value: textOf(maker.value(property, name)) }]
  })
}

/** All that a procedure takes, as one value. */
function inputOf(target: Target, random: Random, maker: Maker): Json {
  const operation = target.operation!
  const parts: Record<'path' | 'query' | 'header', JsonObject> = { path: {}, query: {}, header: {} }
  for (const parameter of operation.parameters) {
    if (!parameter.required && parameter.in !== 'path' && (!random.chance(0.3) || seldom.test(parameter.name))) continue
    if (parameter.in === 'header' && !target.inParts) continue
    parts[parameter.in][parameter.in === 'header' ? parameter.name.toLowerCase() : parameter.name] = parameterOf(parameter, random, maker)
  }
  const content = operation.requestBody?.content['application/json']
  const body = content && (operation.requestBody!.required || random.chance(0.7)) ? bodyOf(content, random, maker) : undefined
  if (target.inParts) return { path: parts.path, query: parts.query, ...(Object.keys(parts.header).length > 0 && { headers: parts.header }), ...(body !== undefined && { body }) }
  const all = { ...parts.query, ...(body as JsonObject | undefined), ...parts.path }
  // In an address it is a text that says JSON; here it is what that says.
  return Object.keys(all).length === 0 && !operation.parameters.some(({ in: place }) => place === 'path') && content === undefined && random.chance(0.5) ? {} : all
}

/** What tRPC alone has. */
const others: Readonly<Record<string, (bind: Bind, random: Random) => JsonObject>> = {
  'workflows.watch': (bind, random) => ({ workflow: bind('workflow', random)!, ...(random.chance(0.3) && { after: 0 }) }),
  'records.login': (bind, random) => ({ collection: 'users', email: bind('email', random)!, password: bind('password', random) ?? 'x' }),
  'records.renew': () => ({ collection: 'users' }),
  'connections.subscribe': (bind, random) => ({ connection: bind('connection', random)!, topics: [] }),
}

// ── as it goes over the wire ───────────────────────────────────────────────────────────────────────────────────────────

/** The text of a value as JSON. A key of `exact` stands for a text that is put in as it is: numbers that JavaScript has none of. */
export function jsonText(value: Json, exact: ReadonlyMap<string, string> = new Map()): string {
  let text = JSON.stringify(value)
  for (const [mark, literal] of exact) text = text.replaceAll(JSON.stringify(mark), literal)
  return text
}

export function formBytes(parts: readonly Part[], between = boundary): Buffer {
  const texts = parts.map(({ name, filename, type, value }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`
    return `--${between}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n${type === undefined ? '' : `content-type: ${type}\r\n`}\r\n${value}\r\n`
  })
  return Buffer.from(`${texts.join('')}--${between}--\r\n`)
}

export const encoded = (text: string): string => {
  try {
    return encodeURIComponent(text)
  } catch {
    return '%ED%A0%80'
  }
}

export const addressOf = ({ path, query }: Pick<Draft, 'path' | 'query'>): string => {
  const place = path.map(({ text, isOpen }) => (isOpen ? encoded(text) : text)).join('')
  return query.length === 0 ? place : `${place}?${query.map(([key, value]) => `${encoded(key)}=${encoded(value)}`).join('&')}`
}

export function wireOf(draft: Draft): Wire {
  const has = (name: string): boolean => draft.headers.some(([key]) => key.toLowerCase() === name)
  const headers = [...draft.headers]
  let body: Buffer | null = null
  if (draft.bytes) body = draft.bytes
  else if (draft.form) {
    body = formBytes(draft.form)
    if (!has('content-type')) headers.push(['content-type', `multipart/form-data; boundary=${boundary}`])
  } else if (draft.body !== undefined) {
    body = Buffer.from(jsonText(draft.body))
    if (!has('content-type')) headers.push(['content-type', 'application/json'])
  }
  return { method: draft.method, path: addressOf(draft), headers: headers.map(([name, value]) => [name, headerText(value)]), body }
}

/** As a client can send it: UTF-8 in bytes, and no line of its own. What else there is goes byte by byte. */
const headerText = (text: string): string =>
  Buffer.from(text)
    .toString('latin1')
    .replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, ' ')

/** A command that sends the same again. */
export function curlOf(url: string, { method, path, headers, body, raw }: Wire): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
  const { host } = new URL(url)
  if (raw) return `printf '%s' ${quoted(raw.subarray(0, 4_000).toString('base64'))} | base64 -d | nc ${host.replace(':', ' ')}  # ${raw.length} bytes`
  const said = headers.map(([name, value]) => `-H ${quoted(`${name}: ${/^Bearer eyJ.{100}/.test(value) ? 'Bearer TOKEN' : value.slice(0, 2_000)}`)}`).join(' ')
  const sent =
    body === null
      ? ''
      : isPlain(body)
        ? ` --data-binary ${quoted(body.toString())}`
        : ` --data-binary @<(printf '%s' ${quoted(body.subarray(0, 3_000).toString('base64'))} | base64 -d)  # ${body.length} bytes`
  return `curl -i --path-as-is -g -X ${method} ${quoted(url + path.slice(0, 6_000))} ${said}${sent}`
}

const isPlain = (bytes: Buffer): boolean => bytes.length < 3_000 && Buffer.from(bytes.toString('utf8')).equals(bytes) && !bytes.includes(0)
