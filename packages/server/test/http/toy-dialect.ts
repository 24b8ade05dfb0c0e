import { z } from 'zod'
import { type Dialect, Other, route } from '../../src/dialects/dialect.ts'

const Thing = z.object({ thing: z.string(), at: z.string() })

/** A dialect in miniature: its things are workflows. */
export const toyDialect: Dialect = {
  name: 'toy',
  title: 'Toy',
  description: 'Things.',
  prefixes: ['/things'],
  mounts: ['', '/old'],
  credentials: { bearer: { type: 'http', scheme: 'bearer' } },
  tags: [{ name: 'things', description: 'Things' }],
  words: { Thing },
  meanings: { schemas: {}, keys: {} },
  losses: [{ what: 'Other things', why: 'there are none' }],
  errors: {
    schema: z.object({ oops: z.string(), where: z.array(z.string()) }),
    render: ({ code, status, wire = [] }, requestId) => ({
      status,
      body: { oops: code, where: wire.map(({ in: place, issue }) => [place, ...issue.path, issue.code, String(issue.input)].join(' ')), requestId },
    }),
  },
  rows: [
    route('workflows.create', {
      name: 'makeThing',
      method: 'POST',
      path: '/things/',
      summary: 'Make a thing',
      tags: ['things'],
      query: z.object({ loud: z.boolean().default(false) }),
      body: z.object({ thing: z.string() }),
      reply: Thing,
      others: { 418: { description: 'It is a teapot', schema: z.object({ teapot: z.boolean() }) } },
      ask: ({ body, query }) => ({ name: query.loud ? body.thing.toUpperCase() : body.thing }),
      answer: ({ name }, { baseUrl }, { body }) => (body.thing === 'teapot' ? new Other(418, { teapot: true }) : { thing: name, at: baseUrl }),
    }),
    route('workflows.get', {
      name: 'getThing',
      method: 'GET',
      path: '/things/{id}/',
      summary: 'Get a thing',
      tags: ['things'],
      params: z.object({ id: z.string() }),
      reply: z.array(Thing),
      extension: true,
      faults: ['workflow_missing'],
      ask: ({ path }) => ({ workflow: path.id }),
      answer: ({ name }, { now }) => [{ thing: name, at: now.toISOString() }],
      onFault: ({ code }, _setting, { path }) => (code === 'workflow_missing' && path.id === 'none' ? [] : undefined),
    }),
    route('workflows.list', {
      name: 'listThings',
      method: 'GET',
      path: '/things/',
      summary: 'List things',
      tags: ['things'],
      query: z.object({ most: z.int().default(10) }),
      reply: z.array(z.string()),
      ask: ({ query }) => ({ limit: query.most }),
      answer: ({ items }) => items.map(({ name }) => name),
    }),
    route('workflows.delete', {
      name: 'dropThing',
      method: 'DELETE',
      path: '/things/{id}/',
      summary: 'Drop a thing',
      tags: ['things'],
      params: z.object({ id: z.string() }),
      reply: z.void(),
      status: 204,
      ask: ({ path }) => ({ workflow: path.id }),
      answer: () => undefined,
    }),
  ],
}
