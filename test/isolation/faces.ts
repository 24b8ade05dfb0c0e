import type { Json, JsonObject } from '@sluice/schema'
import type { Dialect } from '../../packages/server/src/dialects/dialect.ts'
import { medusa } from '../../packages/server/src/dialects/medusa/index.ts'
import { openai } from '../../packages/server/src/dialects/openai/index.ts'
import { orchestrator } from '../../packages/server/src/dialects/orchestrator/index.ts'
import { playground } from '../../packages/server/src/dialects/playground/index.ts'
import { pocketbase } from '../../packages/server/src/dialects/pocketbase/index.ts'
import { pyspur } from '../../packages/server/src/dialects/pyspur/index.ts'
import { servedRouter } from '../../packages/server/src/http/served.ts'
import { describeDialect } from '../../packages/server/src/openapi/dialect.ts'
import { describeNative } from '../../packages/server/src/openapi/native.ts'
import { type Contract, contractOf, type Operation } from '../../packages/server/test/openapi/contract.ts'
import type { Meta } from '../../packages/server/src/rpc/trpc.ts'
import type { InputType } from '../../packages/server/test/openapi/input-schema.ts'
import { core, dialectEntries, type Entry, ingress } from './operations.ts'

/** All that can be asked of a server, by each way it can be asked: documented REST, and every procedure over tRPC. */

export const dialects: readonly Dialect[] = [pocketbase, pyspur, orchestrator, medusa, playground, openai]

export interface Request {
  method: string
  path: string
  headers: Record<string, string>
  body?: string | FormData
}

/** One operation by one way. */
export interface Door {
  /** `rest runs.get`, `trpc runs.get`, `rest pyspur.getRun`, `trpc dialects.pyspur.getRun`. */
  name: string
  /** `runs.get`, `pyspur.getRun`: what the entry is found by. */
  id: string
  over: 'rest' | 'trpc'
  /** It asks, and changes nothing. */
  reads: boolean
  dialect: string | null
  entry: Entry
  /** What of its entry can be said by this way: a path has all its parts. */
  sends: readonly JsonObject[]
  operation: Operation | null
  request(input: JsonObject): Request
}

export interface Procedure {
  name: string
  type: 'query' | 'mutation' | 'subscription'
  /** Where its events are told as server-sent events too. */
  streams: readonly string[]
  input?: InputType
}

interface Served {
  _def: { type: Procedure['type']; inputs: readonly InputType[]; meta?: Meta }
}

/** Of the router that is served, dialects and all. */
export const procedures: readonly Procedure[] = Object.entries(servedRouter(dialects)._def.procedures as unknown as Record<string, Served>).map(([name, { _def }]) => {
  const input = _def.inputs.at(-1)
  return { name, type: _def.type, streams: _def.meta?.streams?.map(({ path }) => path) ?? [], ...(input && { input }) }
})

const native = contractOf(describeNative())
export const contracts: Readonly<Record<string, Contract>> = {
  sluice: native,
  ...Object.fromEntries(dialects.map((dialect) => [dialect.name, contractOf(describeDialect(dialect))])),
}

/** Each operation of the documents, by the name that its entry has. Streams are told of apart. */
export const documented: ReadonlyMap<string, Operation> = new Map(
  Object.entries(contracts).flatMap(([name, { operations }]) =>
    [...operations.values()].map((operation) => [name === 'sluice' ? operation.id : `${name}.${operation.id}`, operation] as const),
  ),
)

export const entries: Readonly<Record<string, Entry>> = {
  ...core,
  ...ingress,
  ...Object.fromEntries(Object.entries(dialectEntries).flatMap(([name, rows]) => Object.entries(rows).map(([row, entry]) => [`${name}.${row}`, entry]))),
}

/** Every door but those at which something is told for as long as one listens. */
export const doors: readonly Door[] = Object.entries(entries).flatMap(([id, entry]) => {
  const operation = documented.get(id)
  const dialect = id.split('.')[0]! in dialectEntries ? id.split('.')[0]! : null
  const procedure = procedures.find(({ name }) => name === (dialect === null ? id : `dialects.${id}`))
  if (entry.holds || procedure?.type === 'subscription') return []
  const takesFiles = operation !== undefined && isForm(operation)
  const made: Door[] = []
  const common = { id, dialect, entry, sends: entry.sends, operation: operation ?? null }
  if (operation)
    made.push({
      ...common,
      name: `rest ${id}`,
      sends: entry.sends.filter((sent) => operation.parameters.every((parameter) => parameter.in !== 'path' || Object.hasOwn(sent, parameter.name))),
      over: 'rest',
      reads: operation.method === 'GET' && procedure?.type === 'query',
      request: (input) => restRequest(operation, input),
    })
  // A file comes over REST: JSON has none.
  if (procedure && !takesFiles)
    made.push({
      ...common,
      name: `trpc ${procedure.name}`,
      over: 'trpc',
      reads: procedure.type === 'query',
      request: (input) => trpcRequest(procedure, dialect === null ? input : saidOf(operation!, input)),
    })
  return made
})

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** What an operation takes, by where it takes it. What no parameter is named after is of the body. */
function partsOf(operation: Operation, input: JsonObject): { path: JsonObject; query: JsonObject; headers: Record<string, string>; body?: JsonObject } {
  const parts = { path: {} as JsonObject, query: {} as JsonObject, headers: {} as Record<string, string> }
  const body: JsonObject = {}
  for (const [key, value] of Object.entries(input)) {
    const parameter = operation.parameters.find(({ name }) => name.toLowerCase() === key.toLowerCase())
    if (parameter?.in === 'path') parts.path[key] = value
    else if (parameter?.in === 'query') parts.query[key] = value
    else if (parameter?.in === 'header') parts.headers[key] = textOf(value)
    else body[key] = value
  }
  if (Object.keys(body).length > 0 && !operation.requestBody) throw new Error(`${operation.id} is not said to take ${Object.keys(body).join(', ')}`)
  return { ...parts, ...(operation.requestBody && (Object.keys(body).length > 0 || operation.requestBody.required) && { body }) }
}

/** Where an object in JSON will not do. */
function isForm({ requestBody }: Operation): boolean {
  return requestBody?.content['multipart/form-data'] !== undefined && requestBody.content['application/json'] === undefined
}

/** As a procedure of a dialect takes it. */
function saidOf(operation: Operation, input: JsonObject): object {
  const { headers, ...parts } = partsOf(operation, input)
  return { ...parts, ...(Object.keys(headers).length > 0 && { headers }) }
}

function restRequest(operation: Operation, input: JsonObject): Request {
  const { path: inPath, query, headers, body } = partsOf(operation, input)
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(textOf(inPath[name] ?? '')))
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) for (const each of Array.isArray(value) ? value : [value]) search.append(key, textOf(each))
  return {
    method: operation.method,
    path: path + (search.size > 0 ? `?${search.toString()}` : ''),
    headers: { accept: 'application/json', ...headers, ...(body && !isForm(operation) && { 'content-type': 'application/json' }) },
    ...(body && { body: isForm(operation) ? formOf(body) : JSON.stringify(body) }),
  }
}

/** Its lists are of files, each by what is in it; the rest are fields. */
function formOf(body: JsonObject): FormData {
  const form = new FormData()
  for (const [key, value] of Object.entries(body))
    if (Array.isArray(value)) for (const text of value) form.append(key, new Blob([textOf(text)], { type: 'text/csv' }), 'customers.csv')
    else form.append(key, textOf(value))
  return form
}

export function trpcRequest({ name, type }: Procedure, input: object): Request {
  const text = JSON.stringify(input)
  if (type === 'mutation') return { method: 'POST', path: `/trpc/${name}`, headers: { 'content-type': 'application/json' }, body: text }
  return { method: 'GET', path: `/trpc/${name}?input=${encodeURIComponent(text)}`, headers: {} }
}

// ── answers ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Answer {
  status: number
  headers: Record<string, string>
  text: string
  ms: number
}

export async function ask(url: string, { method, path, headers, body }: Request, credential: Record<string, string>, withinMs = 20_000): Promise<Answer> {
  const begun = performance.now()
  try {
    const signal = AbortSignal.timeout(withinMs)
    const response = await fetch(url + path, { method, headers: { ...headers, ...credential }, ...(body !== undefined && { body }), redirect: 'manual', signal })
    const text = await response.text()
    return { status: response.status, headers: Object.fromEntries(response.headers), text, ms: performance.now() - begun }
  } catch (cause) {
    throw new Error(`no answer to ${method} ${path} ${typeof body === 'string' ? body : ''}`, { cause })
  }
}

export const bearer = (token: string): Record<string, string> => (token === '' ? {} : { authorization: `Bearer ${token}` })
