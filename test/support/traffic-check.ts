import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Json, JsonObject } from '@sluice/schema'
import { committed, type Contract, contractOf, type Operation } from '../../packages/server/test/openapi/contract.ts'
import type { Body, Exchange } from './traffic.ts'

/** Whether what went over the wire in the tests is as the documents say. Run by `npm test`, and by hand: `node test/support/traffic-check.ts FOLDER [LEAST]`, which fails too where fewer operations than LEAST were met. */

interface Place {
  face: string
  contract: Contract
  operation: Operation
  shape: RegExp
  literals: number
}

const faces = ['sluice', 'pyspur', 'orchestrator', 'medusa', 'pocketbase', 'playground', 'openai']
const anyTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)$/
const contracts = new Map(faces.map((face) => [face, contractOf(committed(face))] as const))
/** The same documents for answers: a field that is not described is a flaw, though a client has to bear with it. */
const closed = new Map([...contracts.values()].map((contract) => [contract, contractOf(closedIn(contract.document) as typeof contract.document)] as const))
function closedIn(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => (key === 'allOf' ? each : closedIn(each)) as unknown)
  if (typeof value !== 'object' || value === null || key === 'example' || key === 'examples') return value
  const inside = Object.fromEntries(Object.entries(value).map(([name, each]) => [name, closedIn(each, name)]))
  const open =
    'properties' in value && 'type' in value && value.type === 'object' && !('additionalProperties' in value) && !('anyOf' in value || 'oneOf' in value || 'allOf' in value)
  return open ? { ...inside, additionalProperties: false } : inside
}
/** The same documents for requests: a time may be told there in any way that RFC 3339 knows. */
const forRequests = new Map([...contracts.values()].map((contract) => [contract, contractOf(contract.document, anyTime)] as const))
const asked = (contract: Contract): Contract => forRequests.get(contract)!
const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)

const places: readonly Place[] = [...contracts].flatMap(([face, contract]) =>
  contract.document.servers.flatMap(({ url }) =>
    [...contract.operations.values()].map((operation): Place => {
      const path = (url === '/' ? '' : url) + operation.path
      const shape = new RegExp(
        `^${path
          .split(/\{\w+\}/)
          .map(escaped)
          .join('[^/]+')}$`,
      )
      return { face, contract, operation, shape, literals: path.replaceAll(/\{\w+\}/g, '').length }
    }),
  ),
)

/** As the server: a literal segment wins over a parameter. */
function placeOf({ method, url }: Exchange): Place | undefined {
  const [path = ''] = url.split('?', 1)
  return places.filter(({ operation, shape }) => operation.method === method && shape.test(path)).sort((one, other) => other.literals - one.literals)[0]
}

/** Every body of an error that any of the documents knows. */
const errors = [...contracts.values()].flatMap((contract) => {
  const schemas = [...contract.operations.values()].flatMap(({ responses }) =>
    Object.entries(responses).flatMap(([status, { content }]) => (status < '400' || !content?.['application/json'] ? [] : [JSON.stringify(content['application/json'].schema)])),
  )
  return [...new Set(schemas)].map((text) => ({ contract, schema: JSON.parse(text) as JsonObject }))
})
const isAnError = (body: unknown): boolean => errors.some(({ contract, schema }) => contract.check(body, schema) === null)

const shown = (value: unknown): string => (JSON.stringify(value) ?? '').slice(0, 600)

/** What a request says that its operation has no part for: that it is refused for it, no document says of each operation. */
const saysMore = ({ requestBody }: Operation, { sent }: Exchange): boolean => !sent.empty && (!requestBody || !requestBody.content[sent.type])

/** What is wrong with an exchange; null: nothing. */
export function flawOf(exchange: Exchange): string | null {
  const { method, url, status, answered } = exchange
  const place = placeOf(exchange)
  if (!place)
    return status < 400 || answered.json === undefined || isAnError(answered.json) || isProcedure(url) || isBare(url)
      ? null
      : `${method} ${status} in no form of an error: ${shown(answered.json)}`
  const { face, operation, contract } = place
  const named = `${face} ${operation.id} ${status}`
  // Of every operation: headers too large, a rate, a server that is about to leave.
  if (answered.json !== undefined && isAnError(answered.json)) {
    if (status === 431 || status === 429 || status === 503 || status === 507) return null
    if ([400, 413, 415].includes(status) && saysMore(operation, exchange)) return null
  }
  const said = operation.responses[status] ?? operation.responses['default']
  // Where a server of another role has no such address.
  if (!said && (status === 304 || JSON.stringify(answered.json ?? null).includes('"route_missing"'))) return null
  const flaw =
    (said ? null : `is not described: ${shown(answered.json)}`) ??
    (said && answerFlaw(contract, said.content, answered, url, status)) ??
    (said && status < 300 ? requestFlaw(contract, operation, exchange) : null)
  return flaw === null || lenient.some(({ what }) => what.test(`${named} ${flaw}`)) ? null : `${named} ${flaw}`
}

/** What is taken though a document does not say so, each with its reason. */
const lenient: readonly { what: RegExp; why: string }[] = [
  {
    what: /^medusa PostWorkflowsExecutionsWorkflow_idSteps\w+ 200 took .*"action":"(INVOKE|COMPENSATE)"/,
    why: 'Medusa has the words in capitals in its code, and in small letters in its document',
  },
  { what: /^medusa Get\w+Subscribe 204 is not described/, why: 'an EventSource that comes again after the end is told so: the standard of HTML has 204 for that' },
  { what: /^pocketbase \w+List 200 took skipTotal=1,/, why: 'clients of PocketBase write 1 for true' },
  { what: /^playground startWorkflow 200 took workflowMode=,/, why: 'a query without a text is one that says nothing' },
  {
    what: /^sluice nodeFiles\.add 201 (needs no key,|took a form .*"key":)/,
    why: 'in a form it may be a field instead; it is described once, in the query, where it has to stand beside bytes',
  },
  { what: /^orchestrator postWebhook 202 took a form .*no form is described/, why: 'a webhook takes what its sender sends; the document of the Orchestrator knows of JSON alone' },
]

const isProcedure = (url: string): boolean => url.startsWith('/trpc')
/** For what watches over a server: a status and a word. */
const isBare = (url: string): boolean => /^\/(health|ready)\b/.test(url)

function answerFlaw(contract: Contract, content: Operation['responses'][string]['content'], answered: Body, url: string, status: number): string | null {
  if (!content) return answered.empty ? null : `has a body, of which nothing is said: ${answered.type}`
  if (answered.empty && answered.type === '') return 'has no body'
  const media = content[answered.type] ?? content['*/*'] ?? Object.entries(content).find(([name]) => name.endsWith('/*') && answered.type.startsWith(name.slice(0, -1)))?.[1]
  if (!media) return `is ${answered.type || 'of no type'}, which is not described`
  if (answered.type === 'text/event-stream') return streamFlaw(contract, media.schema, answered.text ?? '')
  // Bytes of somebody's file, which may be JSON as well.
  if ((media.schema as { format?: string })['format'] === 'binary' || media === content['*/*']) return null
  // Who asks for some fields gets those alone.
  if (answered.json === undefined || (status < 300 && /[?&]fields=/.test(url))) return null
  const flaw = closed.get(contract)!.check(answered.json, closedIn(media.schema) as JsonObject)
  return flaw === null ? null : `answers otherwise: ${flaw.slice(0, 500)}: ${shown(answered.json)}`
}

function streamFlaw(contract: Contract, schema: JsonObject, text: string): string | null {
  for (const message of text.split('\n\n').slice(0, -1)) {
    const data = message.split('\n').flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trim()] : []))
    if (data.join('') === '' || data.join('') === '[DONE]') continue
    let item: Json
    try {
      item = JSON.parse(data.join('\n')) as Json
    } catch {
      return `has a message that is no JSON: ${message.slice(0, 300)}`
    }
    const flaw = closed.get(contract)!.check(item, closedIn(schema) as JsonObject)
    if (flaw !== null) return `streams otherwise: ${flaw.slice(0, 500)}: ${message.slice(0, 400)}`
  }
  return null
}

function requestFlaw(contract: Contract, operation: Operation, { url, sent }: Exchange): string | null {
  const media = operation.requestBody?.content['application/json']
  if (media && sent.json !== undefined) {
    const flaw = asked(contract).check(sent.json, media.schema)
    if (flaw !== null && asked(contract).check(withoutPath(operation, sent.json), media.schema) !== null)
      return `took what it is not said to take: ${flaw.slice(0, 500)}: ${shown(sent.json)}`
  }
  if (sent.form && operation.requestBody) {
    const flaw = formFlaw(asked(contract), operation.requestBody.content[sent.type]?.schema, sent.form)
    if (flaw !== null) return `took a form that it is not said to take: ${flaw.slice(0, 500)}: ${shown(sent.form)}`
  }
  if (operation.requestBody?.required && sent.empty && sent.type === '') return 'took a request without the body that it is said to need'
  const query = new URLSearchParams(url.split('?', 2)[1] ?? '')
  for (const { in: where, name, required, schema } of operation.parameters) {
    if (where !== 'query') continue
    const values = query.getAll(name)
    if (required && values.length === 0) return `needs no ${name}, though it is said to`
    if (values.length > 0 && !readings(values).some((value) => asked(contract).check(value, schema) === null)) return `took ${name}=${values.join()}, which it is not said to take`
  }
  return null
}

/** What stands in the path may be said again in the body: the same value twice is no contradiction. */
function withoutPath({ parameters }: Operation, body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  const named = new Set(parameters.filter((each) => each.in === 'path').map(({ name }) => name))
  return Object.fromEntries(Object.entries(body).filter(([name]) => !named.has(name)))
}

/** A field means what its property says: a text, JSON, or several of either; a file is bytes. */
function formFlaw(contract: Contract, given: JsonObject | undefined, form: NonNullable<Body['form']>): string | null {
  if (!given) return 'no form is described'
  const { $ref: ref } = given
  const [, name] = (typeof ref === 'string' && /^#\/components\/schemas\/(.+)$/.exec(ref)) || []
  const schema = name === undefined ? given : (contract.document.components.schemas[name] as JsonObject)
  const properties = (schema['properties'] ?? {}) as Record<string, JsonObject>
  const value: Record<string, unknown> = {}
  // PocketBase's clients put what is no text under one name.
  const { '@jsonPayload': payloads = [], ...fields } = form
  for (const payload of payloads) Object.assign(value, payload === null ? {} : (JSON.parse(payload) as object))
  for (const [field, texts] of Object.entries(fields)) {
    const values = texts.map((text) => text ?? 'bytes')
    const property = properties[field]
    const read = readings(values)
    value[field] = property ? (read.find((each) => contract.check(each, property) === null) ?? values[0]) : values[0]
  }
  return contract.check(value, given)
}

/** What a query may mean by its text. */
function readings(values: string[]): unknown[] {
  const parsed = values.flatMap((text): unknown[] => {
    try {
      return [JSON.parse(text)]
    } catch {
      return []
    }
  })
  return [values[0], values, ...parsed, parsed]
}

export interface Findings {
  exchanges: number
  /** Each flaw once, with a place where it was seen. */
  flaws: string[]
  seen: number
  operations: number
  /** `face operation status` that are described, and that nothing has been answered with. */
  never: string[]
}

export function findingsIn(folder: string): Findings {
  const flaws = new Map<string, string>()
  const met = new Set<string>()
  let exchanges = 0
  for (const file of readdirSync(folder))
    for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) {
      if (line === '') continue
      exchanges++
      let exchange: Exchange
      try {
        exchange = JSON.parse(line) as Exchange
      } catch {
        // The process was killed as it wrote.
        continue
      }
      const place = placeOf(exchange)
      if (place) met.add(`${place.face} ${place.operation.id} ${exchange.status}`)
      const flaw = flawOf(exchange)
      if (flaw !== null && !flaws.has(flaw.slice(0, 160))) flaws.set(flaw.slice(0, 160), `${flaw}\n    ${exchange.method} ${exchange.url}   by ${exchange.by}`)
    }
  const described = [...contracts].flatMap(([face, contract]) =>
    [...contract.operations.values()].flatMap(({ id, responses }) => Object.keys(responses).map((status) => `${face} ${id} ${status}`)),
  )
  const operations = new Set(described.map((each) => each.replace(/ \S+$/, '')))
  const seen = new Set([...met].map((each) => each.replace(/ \S+$/, '')))
  return { exchanges, flaws: [...flaws.values()], seen: seen.size, operations: operations.size, never: described.filter((each) => !met.has(each)) }
}

/** So many in one run fail it: that is no race. */
const mostRefusals = 3

if (import.meta.main) {
  const { exchanges, flaws, seen, operations, never } = findingsIn(process.argv[2]!)
  for (const flaw of flaws) process.stdout.write(`${flaw}\n`)
  const missed = never.filter((each) => /2\d\d$/.test(each))
  process.stdout.write(
    `${exchanges} exchanges of ${seen} of ${operations} operations; ${flaws.length} flaws; described and never answered with: ${never.length}, of them successes: ${missed.join(', ') || 'none'}\n`,
  )
  const least = Number(process.argv[3] ?? 1)
  if (seen < least) process.stdout.write(`At least ${least} operations were to be seen\n`)
  // A refusal that only a race brings may be missing from a document for long: some are told, and fail nothing.
  const refusals = flaws.filter((flaw) => /^\S+ \S+ 4\d\d is not described/.test(flaw)).length
  process.exitCode = flaws.length > refusals || refusals > mostRefusals || seen < least ? 1 : 0
}
