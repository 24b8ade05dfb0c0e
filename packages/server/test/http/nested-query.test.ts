import fc from 'fast-check'
import { stringify } from 'qs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Dialect, route } from '../../src/dialects/dialect.ts'
import { coerceNested, nestedQuery } from '../../src/http/nested-query.ts'
import { queryOf, readQuery } from '../../src/http/query.ts'
import { describeDialect } from '../../src/openapi/dialect.ts'
import { serve } from './serve.ts'
import { toyDialect } from './toy-dialect.ts'

const read = (text: string): object => Object.fromEntries(nestedQuery(readQuery(text)))

test.each<[string, object]>([
  ['a=x', { a: 'x' }],
  ['a=x&a=y', { a: ['x', 'y'] }],
  ['a[]=x&a[]=y', { a: ['x', 'y'] }],
  ['a[]=x', { a: ['x'] }],
  ['a%5B0%5D=x&a%5B1%5D=y', { a: ['x', 'y'] }],
  ['a[1]=y&a[0]=x', { a: ['x', 'y'] }],
  ['a[7]=x', { a: ['x'] }],
  ['at[$gte]=1&at%5B%24lt%5D=2', { at: { $gte: '1', $lt: '2' } }],
  ['at.$gte=1', { at: { $gte: '1' } }],
  ['at[$in][]=1&at[$in][]=2', { at: { $in: ['1', '2'] } }],
  ['at[$in][0]=1', { at: { $in: ['1'] } }],
  ['a=%5B1%5D&b=x,y&c=1.5', { a: '[1]', b: 'x,y', c: '1.5' }],
  ['a=%25&b=%2B+', { a: '%', b: '+ ' }],
  ['', {}],
])('%s is read as %j', (text, value) => {
  expect(read(text)).toEqual(value)
})

test.each(['a[b][c]=x', 'a.b.c=x', 'a[b].c=x', 'a[0][b]=x', 'a[b][0][c]=x', 'a[][][]=x', 'a[1000]=x', `a${'[b]'.repeat(2_000)}=x`])('%s is refused', (text) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 'input_invalid', details: { in: 'query' } }))
})

test.each(['a[b]=%FF', 'a%5Bb%5D=%', 'a[%00]=x'])('%s is refused as it is where keys have no levels', (text) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 'input_invalid', details: { in: 'query' } }))
})

test('keys that JavaScript code trips over are inert on every level', () => {
  const inert = [
    '__proto__[polluted]=1',
    'a[__proto__]=1',
    'a[__proto__][polluted]=1',
    'a[constructor]=1',
    'constructor.prototype=1',
    '__proto__.polluted=1',
    '[__proto__]=1',
    'a.__proto__=1',
  ]
  expect(read([...inert, 'a[b]=x', 'toString[c]=y'].join('&'))).toEqual({ a: { b: 'x' }, toString: { c: 'y' } })
  expect(({} as { polluted?: string }).polluted).toBeUndefined()
})

test('what the published client writes is read as it was', () => {
  const name = fc.constantFrom('workflow_id', 'state', '$gte', '$in', 'toString', 'ä')
  const text = fc.string({ unit: fc.constantFrom('a', '&', '=', '[', ']', '.', '%', '+', ' ', ',', 'Ω', '0') })
  const list = fc.array(text, { minLength: 1, maxLength: 30 })
  const value = fc.oneof(text, list, fc.dictionary(name, fc.oneof(text, list), { minKeys: 1, maxKeys: 3, noNullPrototype: true }))
  const brackets = fc.constantFrom('indices' as const, 'brackets' as const)
  fc.assert(
    fc.property(fc.dictionary(name, value, { noNullPrototype: true }), brackets, fc.boolean(), (query, arrayFormat, encodeValuesOnly) => {
      expect(read(stringify(query, { arrayFormat, encodeValuesOnly }))).toEqual(query)
    }),
    { numRuns: 300 },
  )
})

test('a thousand values cost little, however they are spelled', () => {
  for (const spell of [(n: number) => `a[]=${n}`, (n: number) => `a[${n}]=${n}`, (n: number) => `a[b${n}]=${n}`, (n: number) => `a.b[${n}]=${n}`, (n: number) => `a=${n}`]) {
    const text = Array.from({ length: 1_000 }, (_, n) => spell(n)).join('&')
    const before = process.cpuUsage()
    read(text)
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(500)
  }
})

const Query = z.strictObject({
  limit: z.int().optional(),
  deleted: z.boolean().optional(),
  ids: z.union([z.string(), z.array(z.string())]).optional(),
  numbers: z.array(z.int()).optional(),
  at: z.union([z.string(), z.array(z.string()), z.strictObject({ $gte: z.string().optional(), $in: z.array(z.int()).optional() })]).optional(),
  by: z.record(z.string(), z.int()).optional(),
})

test.each<[string, object]>([
  ['limit=5&deleted=true', { limit: 5, deleted: true }],
  ['ids=1', { ids: '1' }],
  ['ids[]=1', { ids: ['1'] }],
  ['ids=1&ids=2', { ids: ['1', '2'] }],
  ['numbers=1', { numbers: [1] }],
  ['numbers[]=1&numbers[]=b', { numbers: [1, 'b'] }],
  ['at=2026', { at: '2026' }],
  ['at[$gte]=2026&at[$in][]=1', { at: { $gte: '2026', $in: [1] } }],
  ['by[a]=1&by[b]=c', { by: { a: 1, b: 'c' } }],
  ['limit=1&limit=2', { limit: ['1', '2'] }],
  ['limit[a]=1', { limit: { a: '1' } }],
  ['limit[]=1', { limit: ['1'] }],
  ['other[]=1&at[other]=2', { other: ['1'], at: { other: '2' } }],
])('%s goes to the schema as %j', (text, value) => {
  expect(coerceNested(Query, nestedQuery(readQuery(text)))).toEqual(value)
})

const nested: Dialect = {
  ...toyDialect,
  mounts: [''],
  query: 'nested',
  rows: [
    route('workflows.list', {
      name: 'listThings',
      method: 'GET',
      path: '/things/',
      summary: 'List things',
      tags: ['things'],
      query: z.strictObject({ names: z.array(z.string()).optional(), at: z.strictObject({ $gte: z.string() }).optional() }),
      reply: z.array(z.string()),
      ask: ({ query }) => ({ where: { name: { in: query.names ?? [] }, created: { gte: query.at?.$gte } } }),
      answer: ({ items }) => items.map(({ name }) => name),
    }),
  ],
}

test('a dialect that says so is asked with levels, and refuses by its schema what others drop', async () => {
  const { ask, calls } = await serve({ dialects: [nested] })
  const { status } = await ask('GET', '/things/?names%5B0%5D=a&names%5B1%5D=b&at%5B%24gte%5D=2026-01-31')
  expect([status, calls.find(({ name }) => name === 'workflows.list')?.args[1]]).toMatchObject([200, { where: { name: { in: ['a', 'b'] }, created: { gte: '2026-01-31' } } }])
  for (const [query, where] of [
    ['more=1', ['query unrecognized_keys']],
    ['at[more]=1', ['query at $gte invalid_type', 'query at unrecognized_keys']],
    ['names=a&at=b', ['query at invalid_type']],
    ['at[a][b]=1', []],
  ] as const) {
    const refused = await ask('GET', `/things/?${query}`)
    expect([refused.status, refused.body.oops]).toEqual([400, 'input_invalid'])
    expect(refused.body.where.map((each: string) => each.slice(0, each.search(/(?<=_type|_keys) /)))).toEqual(where)
  }
  expect(Object.fromEntries(queryOf('/x?a[b]=1'))).toEqual({ 'a[b]': ['1'] })
})

test('is described as it is asked: an object by its keys, a list by its values', () => {
  const parameters = (describeDialect(nested).paths['/things/'] as { get: { parameters: { name: string; style?: string; explode?: boolean; schema: { type?: string } }[] } }).get
    .parameters
  expect(parameters.map(({ name, style, explode, schema }) => [name, schema.type, style, explode])).toEqual([
    ['names', 'array', undefined, undefined],
    ['at', 'object', 'deepObject', true],
  ])
})
