import { initTRPC } from '@trpc/server'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Meta, Rest } from '../../src/rpc/trpc.ts'
import type { Description, Note } from '../../src/openapi/description.ts'
import { describe } from '../../src/openapi/describe.ts'
import type { Words } from '../../src/openapi/words.ts'

const t = initTRPC.meta<Meta>().create()
const at = (method: Rest['method'], path: string, more: Partial<Rest> = {}): Meta => ({ action: 'runs.read', openapi: { method, path, summary: 'Do', tags: ['things'], ...more } })
const never = () => Promise.reject(new Error('not called'))
const Thing = z.object({ id: z.string(), size: z.int() })

interface Described {
  // oxlint-disable-next-line typescript/no-explicit-any -- a document is looked into where a test expects something to be
  paths: any
  // oxlint-disable-next-line typescript/no-explicit-any
  components: any
}

/** The document of procedures of one router, `things`. */
function described(procedures: Parameters<typeof t.router>[0], words: Words = {}, notes: Record<string, Note> = {}): Described {
  const description: Description = {
    title: 'Things',
    version: '1',
    description: '',
    license: { name: 'none', identifier: 'MIT' },
    tags: [],
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    streamSecuritySchemes: { ticket: { type: 'apiKey', in: 'query', name: 'ticket' } },
    words,
    rendered: {},
    meanings: { schemas: { '{}Page': 'A page of {}' }, keys: {} },
    parameters: {},
    event: z.object({ n: z.int() }),
    streaming: 'A stream.',
    errors: {
      schema: z.object({ error: z.string() }),
      example: (code) => ({ status: code === 'run_missing' ? 404 : code === 'input_invalid' ? 400 : 500, body: { error: code } }),
    },
    notes,
  }
  return describe(t.router({ things: t.router(procedures) }), description)
}

const refTo = (name: string) => ({ $ref: `#/components/schemas/${name}` })

test('success has the status of its row; nothing to say is a 204 without content', () => {
  const { paths } = described({
    make: t.procedure
      .meta(at('POST', '/things', { status: 201 }))
      .input(Thing)
      .output(Thing)
      .mutation(never),
    drop: t.procedure
      .meta(at('DELETE', '/things/{id}'))
      .input(z.strictObject({ id: z.string() }))
      .output(z.void())
      .mutation(never),
  })
  expect(Object.keys(paths['/things'].post.responses).filter((status) => status < '300')).toEqual(['201'])
  expect(Object.keys(paths['/things/{id}'].delete.responses).filter((status) => status < '300')).toEqual(['204'])
  expect(paths['/things/{id}'].delete.responses['204'].content).toBeUndefined()
})

test('a path is spelled as its row spells it, with or without a slash at its end', () => {
  const { paths } = described({
    list: t.procedure.meta(at('GET', '/things/')).input(z.object({})).output(z.array(Thing)).query(never),
    make: t.procedure.meta(at('POST', '/things')).input(Thing).output(Thing).mutation(never),
  })
  expect(Object.keys(paths)).toEqual(['/things/', '/things'])
  expect([Object.keys(paths['/things/']), Object.keys(paths['/things'])]).toEqual([['get'], ['post']])
})

test('an input is split into path, query and body, and the body is named after it', () => {
  const Change = z.strictObject({ id: z.string(), size: z.int().optional(), note: z.string() })
  const { paths, components } = described(
    {
      change: t.procedure.meta(at('PATCH', '/things/{id}')).input(Change).output(Thing).mutation(never),
      list: t.procedure
        .meta(at('GET', '/things'))
        .input(z.object({ size: z.int().default(3), name: z.string().optional().meta({ description: 'Of this name' }) }))
        .output(z.array(Thing))
        .query(never),
    },
    { Change, Thing },
  )
  const { patch } = paths['/things/{id}']
  expect(patch.parameters).toEqual([{ in: 'path', name: 'id', schema: { type: 'string' }, required: true }])
  expect(patch.requestBody).toEqual({ required: true, content: { 'application/json': { schema: refTo('Change') } } })
  expect(components.schemas.Change).toEqual({
    type: 'object',
    properties: { size: { type: 'integer' }, note: { type: 'string' } },
    required: ['note'],
    additionalProperties: false,
  })
  expect(paths['/things'].get.parameters).toEqual([
    { in: 'query', name: 'size', schema: { type: 'integer', default: 3 } },
    { in: 'query', name: 'name', description: 'Of this name', schema: { type: 'string' } },
  ])
})

test('what the generator cannot say is said: unions, lists, records and anything as a body, lists and objects in a query', () => {
  const body = (input: z.ZodType) =>
    described({ put: t.procedure.meta(at('PUT', '/things')).input(input).output(Thing).mutation(never) }).paths['/things'].put.requestBody.content['application/json'].schema
  expect(body(z.union([z.object({ a: z.string() }), z.object({ b: z.string() })])).anyOf).toHaveLength(2)
  expect(body(z.array(Thing))).toMatchObject({ type: 'array', items: { type: 'object' } })
  expect(body(z.record(z.string(), z.int()))).toMatchObject({ type: 'object', additionalProperties: { type: 'integer' } })
  expect(body(z.unknown())).toEqual({})
  const query = z.object({ tags: z.array(z.string()).optional(), where: z.object({ size: z.int() }).optional(), at: z.union([z.int(), z.string()]).optional(), name: z.string() })
  const { parameters } = described({ list: t.procedure.meta(at('GET', '/things')).input(query).output(z.array(Thing)).query(never) }).paths['/things'].get
  expect(parameters.map(({ name, required, schema }: { name: string; required?: boolean; schema: object }) => [name, required ?? false, Object.keys(schema)[0]])).toEqual([
    ['tags', false, 'type'],
    ['where', false, 'type'],
    ['at', false, 'anyOf'],
    ['name', true, 'type'],
  ])
})

test('replies may get new keys, requests refuse unknown ones; a schema that both share has one name', () => {
  const Part = z.strictObject({ n: z.int() })
  const Whole = z.object({ part: Part, error: Thing })
  const { components, paths } = described(
    {
      make: t.procedure
        .meta(at('POST', '/wholes'))
        .input(z.strictObject({ part: Part, thing: Thing }))
        .output(Whole)
        .mutation(never),
      say: t.procedure
        .meta(at('GET', '/said'))
        .input(z.object({}))
        .output(z.object({ ok: z.boolean() }))
        .query(never),
    },
    { Part, Whole, Thing },
  )
  expect(Object.keys(components.schemas)).toEqual(['Part', 'Thing', 'Whole'])
  expect(components.schemas.Whole.additionalProperties).toBeUndefined()
  expect(components.schemas.Part.additionalProperties).toBe(false)
  expect(paths['/said'].get.responses['200'].content['application/json'].schema.additionalProperties).toBeUndefined()
})

test('where a default makes the difference, requests have a name of their own', () => {
  const Options = z.strictObject({ mode: z.enum(['one', 'all']).default('one') })
  const { components, paths } = described({ set: t.procedure.meta(at('PUT', '/options')).input(Options).output(Options).mutation(never) }, { Options })
  expect(components.schemas.Options.required).toEqual(['mode'])
  expect(components.schemas.OptionsInput.required).toBeUndefined()
  // Generators of clients would ask for a key that has a default.
  expect(components.schemas.OptionsInput.properties.mode).toEqual({ type: 'string', enum: ['one', 'all'], description: '`"one"` unless given' })
  expect(paths['/options'].put.requestBody.content['application/json'].schema).toEqual(refTo('OptionsInput'))
  expect(paths['/options'].put.responses['200'].content['application/json'].schema).toEqual(refTo('Options'))
})

test('a word that ends as renderings of others do keeps its name', () => {
  const Options = z.strictObject({ mode: z.enum(['one', 'all']).default('one') })
  const OptionsOutput = z.object({ text: z.string() })
  const { components } = described(
    {
      set: t.procedure
        .meta(at('PUT', '/options'))
        .input(Options)
        .output(z.object({ options: Options, output: OptionsOutput }))
        .mutation(never),
    },
    { Options, OptionsOutput },
  )
  expect(components.schemas.OptionsOutput.properties).toEqual({ text: { type: 'string' } })
  expect(Object.keys(components.schemas)).toEqual(['Options', 'OptionsInput', 'OptionsOutput'])
})

test('pages and the kinds of a union are named after what they are of', () => {
  const Change = z.discriminatedUnion('type', [z.object({ type: z.literal('size.grown') }), z.object({ type: z.literal('size.shrunk') })])
  const page = z.object({ items: z.array(Change), nextCursor: z.string().nullable() })
  const { components, paths } = described({ list: t.procedure.meta(at('GET', '/changes')).input(z.object({})).output(page).query(never) }, { Change })
  expect(Object.keys(components.schemas)).toEqual(['Change', 'ChangePage', 'SizeGrownChange', 'SizeShrunkChange'])
  expect(components.schemas.Change.discriminator).toEqual({
    propertyName: 'type',
    mapping: { 'size.grown': '#/components/schemas/SizeGrownChange', 'size.shrunk': '#/components/schemas/SizeShrunkChange' },
  })
  expect(paths['/changes'].get.responses['200'].content['application/json'].schema).toEqual(refTo('ChangePage'))
})

test('a stream beside a list is one operation of two media types; alone, it has one of its own', () => {
  const watch = z.object({ thing: z.string().optional(), after: z.string().optional(), lastEventId: z.string().optional() })
  const streams = [
    { path: '/events', summary: 'Follow all' },
    { path: '/things/{thing}/events', summary: 'Follow one' },
    { path: '/rooms/{thing}/events', summary: 'Follow a room' },
  ]
  const { paths } = described({
    history: t.procedure
      .meta(at('GET', '/things/{id}/events'))
      .input(z.object({ id: z.string(), after: z.int().optional() }))
      .output(z.array(Thing))
      .query(never),
    watch: t.procedure
      .meta({ action: 'events.read', streams })
      .input(watch)
      .subscription(async function* () {}),
  })
  const beside = paths['/things/{id}/events'].get
  expect(beside.operationId).toBe('things.history')
  expect(Object.keys(beside.responses['200'].content)).toEqual(['application/json', 'text/event-stream'])
  expect(beside.parameters.map(({ in: place, name }: { in: string; name: string }) => `${place} ${name}`)).toEqual(['path id', 'query after', 'header Last-Event-ID'])
  expect(beside.parameters[1].schema.anyOf).toEqual([{ type: 'integer' }, { type: 'string' }])
  expect(beside.security).toEqual([{ bearer: [] }, { ticket: [] }])
  expect([paths['/events'].get.operationId, paths['/rooms/{thing}/events'].get.operationId]).toEqual(['things.watch', 'rooms.events'])
  expect(Object.keys(paths['/events'].get.responses['200'].content)).toEqual(['text/event-stream'])
})

test('errors are those of all like it, and its own with their codes; an open one asks for no credential', () => {
  const { paths, components } = described(
    {
      get: t.procedure
        .meta(at('GET', '/things/{id}'))
        .input(z.object({ id: z.string() }))
        .output(Thing)
        .query(never),
      hello: t.procedure
        .meta({ ...at('GET', '/hello'), action: 'public' })
        .output(Thing)
        .query(never),
    },
    {},
    { 'things.get': { faults: ['run_missing'] } },
  )
  const { get } = paths['/things/{id}']
  expect(get.responses['400']).toEqual({ $ref: '#/components/responses/Invalid' })
  expect(get.responses['404'].content['application/json'].examples).toEqual({ run_missing: { $ref: '#/components/examples/run_missing' } })
  expect(components.examples.run_missing.value).toEqual({ error: 'run_missing' })
  expect(get.security).toBeUndefined()
  expect(paths['/hello'].get.security).toEqual([])
  expect(Object.keys(components.responses)).not.toContain('StorageFull')
})

test('a path whose parameter the input does not have is refused', () => {
  const router = {
    get: t.procedure
      .meta(at('GET', '/things/{name}'))
      .input(z.object({ id: z.string() }))
      .output(Thing)
      .query(never),
  }
  expect(() => described(router)).toThrow('things.get is at /things/{name}, but its input has no name')
})
