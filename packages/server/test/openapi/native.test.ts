import { Fault, faults, type FaultCode, type Json, type JsonObject } from '@sluice/schema'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import type { FeedItem } from '../../src/events/feed.ts'
import { nativeFace } from '../../src/http/face.ts'
import { proceduresOf, rowsOf } from '../../src/http/rows.ts'
import { hookMethods, hookPath } from '../../src/http/hooks.ts'
import { fieldsOf } from '../../src/http/coerce.ts'
import { describeNative, type StreamEvent } from '../../src/openapi/native.ts'
import { nativeNotes } from '../../src/openapi/native-notes.ts'
import { textOf } from '../../src/openapi/documents.ts'
import { problemOf } from '../../src/rpc/faults.ts'
import { appRouter } from '../../src/rpc/router.ts'
import { ask, serve } from '../http/serve.ts'
import { contractOf, type Operation } from './contract.ts'

const contract = contractOf(describeNative())
const all = [...contract.operations.values()]
const operations = all.filter(({ path }) => path !== hookPath)
const rows = rowsOf(appRouter)
const shapeOf = (path: string): string => path.replaceAll(/\{\w+\}/g, '{}')
const placeOf = ({ method, path }: { method: string; path: string }): string => `${method} ${shapeOf(path)}`
const givesBytes = (operation: Operation): boolean => operation.responses['200']?.content?.['*/*'] !== undefined
const rowsAt = (operation: Operation) => rows.filter((row) => placeOf(row) === placeOf(operation))

test('what is described is what is served: the same methods at the same paths', () => {
  expect(operations.map(placeOf).sort()).toEqual([...new Set(rows.map(placeOf))].sort())
})

test('each operation takes the keys that its procedures take, and no others', () => {
  const procedures = proceduresOf(appRouter)
  const headers: Record<string, string> = { 'Idempotency-Key': 'idempotencyKey', 'Last-Event-ID': 'lastEventId' }
  for (const operation of operations) {
    // What http itself takes of bytes: which of them, and which are known.
    const taken = new Set<string>(givesBytes(operation) ? ['Range', 'If-None-Match'] : [])
    for (const row of rowsAt(operation)) {
      const hidden = nativeNotes[row.name]?.at?.[row.path]?.hides ?? []
      const own = [...row.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
      const spelled = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
      for (const key of Object.keys(fieldsOf(procedures[row.name]!.input) ?? {})) if (!hidden.includes(key)) taken.add(spelled[own.indexOf(key)] ?? key)
    }
    const { 'application/json': json, 'multipart/form-data': form } = operation.requestBody?.content ?? {}
    const body = (json ?? form)?.schema
    const name = typeof body?.['$ref'] === 'string' ? body['$ref'].split('/').at(-1)! : null
    const schema = name === null ? body : contract.document.components.schemas[name]
    const described = new Set([
      ...operation.parameters.map((parameter) => headers[parameter.name] ?? parameter.name),
      ...Object.keys((schema?.['properties'] as object | undefined) ?? {}),
    ])
    expect([...described].sort(), operation.id).toEqual([...taken].sort())
  }
})

test('success has the status that is served, and asks for a credential where one is asked for', () => {
  for (const operation of operations) {
    const [first] = rowsAt(operation)
    const reply = rowsAt(operation).find((row) => row.is === 'reply')
    const successes = Object.keys(operation.responses).filter((status) => status.startsWith('2'))
    expect(successes, operation.id).toEqual([String(reply?.status ?? 200), ...(givesBytes(operation) ? ['206'] : [])])
    expect(operation.security?.length === 0, operation.id).toBe(first!.open)
    if (!first!.open) expect(Object.keys(operation.responses), operation.id).toContain('401')
    const streams = Boolean(operation.responses['200']?.content?.['text/event-stream'])
    expect(streams, operation.id).toBe(rowsAt(operation).some((row) => row.is === 'stream'))
  }
})

test('a running server answers at every address of the document, without a credential as the document says', async () => {
  const { url } = await serve()
  for (const operation of operations) {
    const path = operation.path.replaceAll(/\{\w+\}/g, 'x')
    const { status, body } = await ask(url, operation.method, path, operation.requestBody ? {} : undefined, { authorization: '' })
    const wanted = operation.security?.length === 0 ? 400 : 401
    expect([operation.id, status], JSON.stringify(body)).toEqual([operation.id, wanted])
    expect(contract.check(body, operation.responses[status]!.content!['application/json']!.schema), operation.id).toBeNull()
  }
})

test('the address of webhooks, behind which there is no procedure, is described with the methods that are served, and asks for no credential', async () => {
  const hooks = all.filter(({ path }) => path === hookPath)
  expect(hooks.map(({ method }) => method)).toEqual([...hookMethods])
  const { url, calls } = await serve()
  const path = hookPath.replace('{id}', '000000000000000').replace('{secret}', 'x')
  for (const { method, security, responses, id } of hooks) {
    expect(security).toEqual([])
    const accepted = await ask(url, method, path, { a: 1 }, { authorization: '' })
    const malformed = await ask(url, method, path, '{', { authorization: '' })
    expect([accepted.status, malformed.status, (await ask(url, method, path, 'x'.repeat(2 ** 20 + 1))).status]).toEqual([202, 202, 413])
    expect(contract.check(accepted.body, responses['202']!.content!['application/json']!.schema), id).toBeNull()
  }
  expect(calls.flatMap(({ name }) => (name.startsWith('webhooks.') ? [name] : []))).toEqual(['webhooks.receive', 'webhooks.receive', 'webhooks.receive', 'webhooks.receive'])
  expect((await ask(url, 'GET', path)).status).toBe(405)
})

test('errors look as the native face renders them, whatever their code', () => {
  const { schema } = operations[0]!.responses['500']!.content!['application/json']!
  const examples = contract.document.components['examples'] as Record<string, { value: { error: { requestId: string } } }>
  for (const code of Object.keys(faults) as FaultCode[]) {
    const issues = [{ path: ['nodes', 0], nodeId: 'a', field: 'config.map', message: 'm' }]
    const { body } = nativeFace.render(problemOf(new Fault(code, { issues, details: { any: [1] } })), 'r')
    expect(contract.check(body, schema), code).toBeNull()
    const example = examples[code]?.value
    if (example) expect(nativeFace.render(problemOf(new Fault(code)), example.error.requestId).body, code).toEqual(example)
  }
})

test('an operation is named noun.verb; each has a tag that is explained, and says something', () => {
  const explained = contract.document.tags.map(({ name }) => name)
  for (const { id, summary, tags, parameters } of all) {
    expect(id).toMatch(/^[a-z][A-Za-z]*\.[a-z][A-Za-z]*$/)
    expect(summary, id).toBeTruthy()
    for (const { name, description } of parameters) expect(description, `${id} ${name}`).toBeTruthy()
    expect(tags, id).toHaveLength(1)
    expect(explained, id).toContain(tags[0])
  }
})

test('every schema says what it is', () => {
  const vague: string[] = []
  const look = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, each] of Object.entries(value)) {
      const isSchema = key === 'schema' || key === 'items' || path.endsWith('/properties') || path.endsWith('/schemas')
      const says = ['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const'].some((word) => Object.hasOwn((each ?? {}) as object, word))
      if (isSchema && typeof each === 'object' && !Array.isArray(each) && !says) vague.push(`${path}/${key}`)
      if (key !== 'example' && key !== 'examples') look(each, `${path}/${key}`)
    }
  }
  look({ paths: contract.document.paths, schemas: contract.document.components.schemas }, '')
  // A JSON value is a list of anything, too.
  expect(vague).toEqual(['/schemas/Json/items'])
})

test('every schema and every key of it says what it means', () => {
  const { schemas } = contract.document.components
  expect(Object.entries(schemas).flatMap(([name, schema]) => [...('description' in schema ? [] : [name]), ...silentKeys(schema).map((key) => `${name}.${key}`)])).toEqual([])
})

/** Those without a description, of a schema and of the kinds that it is one of; what refers to a schema has its words. */
function silentKeys(schema: JsonObject): string[] {
  const own = isObject(schema['properties']) ? Object.entries(schema['properties']) : []
  const silent = own.flatMap(([key, property]) => (isObject(property) && !('description' in property) && !('$ref' in property) ? [key] : []))
  const kinds = ['anyOf', 'oneOf'].flatMap((of) => (Array.isArray(schema[of]) ? schema[of] : []))
  return [...silent, ...kinds.flatMap((kind) => (isObject(kind) ? silentKeys(kind) : []))]
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

test('patterns are such that every language reads them', () => {
  const patterns = [...JSON.stringify(contract.document).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(([, text]) => JSON.parse(text!) as string)
  expect(patterns.length).toBeGreaterThan(0)
  for (const pattern of patterns) expect(pattern).not.toMatch(/\\[pP]\{|\(\?[<!=]/)
})

test('every example is as its schema says', () => {
  for (const { id, parameters, requestBody, responses } of all) {
    const media = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)].flatMap((content) => Object.values(content ?? {}))
    for (const { schema, example } of [...parameters, ...media]) if (example !== undefined) expect(contract.check(example, schema), id).toBeNull()
  }
})

test('the document is made in less than half a second, and twice the same', () => {
  const texts: string[] = []
  // Of this process alone: what others do on the machine is not its fault.
  const times = [1, 2, 3].map(() => {
    const started = process.cpuUsage()
    texts.push(textOf(describeNative()))
    return process.cpuUsage(started).user / 1_000
  })
  expect(new Set(texts).size).toBe(1)
  expect(Math.min(...times)).toBeLessThan(500)
})

// What the feed gives and what the document says of it are the same, to the compiler.
const given: FeedItem extends z.infer<typeof StreamEvent> ? true : false = true
const said: z.infer<typeof StreamEvent> extends FeedItem ? true : false = true
void [given, said]
