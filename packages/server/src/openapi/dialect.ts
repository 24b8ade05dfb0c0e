import { type Json, faultKinds, Fault } from '@sluice/schema'
import { z } from 'zod'
import { actionOf, type Dialect, type DialectRealtime, type DialectRow, type DialectStream, followAction, isGuarded } from '../dialects/dialect.ts'
import { problemOf, type ProblemCode } from '../rpc/faults.ts'
import { Bytes, type Address } from './addresses.ts'
import { describeAddresses } from './describe.ts'
import type { Document, Note } from './description.ts'
import { kindOf, messageOf } from './problems.ts'

/** `openapi/<name>.json`: the rows of a dialect, as they are served. */
export function describeDialect(dialect: Dialect): Document {
  const { title, description, mounts, credentials, tags, rows, streams = [], realtime, bodies, errors, words, meanings } = dialect
  return describeAddresses([...rows.map((row) => addressOf(row, bodies)), ...streams.map(streamAt), ...(realtime ? [realtimeAt(realtime)] : [])], {
    title,
    version: '0.1.0',
    description: [description, lossesOf(dialect)].join('\n\n'),
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    servers: mounts.map((mount) => ({ url: mount === '' ? '/' : mount })),
    tags: [...tags],
    securitySchemes: credentials,
    streamSecuritySchemes: {},
    words,
    rendered: {},
    meanings,
    parameters: meanings.keys,
    event: z.never(),
    streaming: streams.length > 0 ? streaming : connecting,
    errors: {
      schema: errors.schema,
      example(code) {
        const { status, body } = errors.render(problemWith(code), '5f0c6c1e-8f0f-4f7b-9d33-0a4f2ad9f1c7')
        return { status, body: body as Record<string, Json> }
      },
    },
    notes: Object.fromEntries([...rows, ...streams].map((row) => [row.name, noteOf(row)])),
  })
}

function addressOf(row: DialectRow, bodies: Dialect['bodies']): Address {
  const { name, method, path, summary, description, tags = [], status = 200, schemas, takes, gives, others, extension } = row
  const { reply } = schemas
  const isBytes = gives === 'bytes'
  return {
    id: name,
    method,
    path,
    takes: { path: schemas.path.shape, query: schemas.query.shape, header: schemas.headers?.shape ?? {}, body: schemas.body },
    reply: {
      name,
      path,
      action: actionOf(row),
      summary,
      description: isGuarded(row) ? [...(description === undefined ? [] : [description]), guardedWords].join('\n\n') : description,
      tags: [...tags],
      status,
      input: schemas.body ?? undefined,
      output: isBytes ? Bytes : reply,
      bodies: takes ? [takes] : [],
      ...(bodies === 'loose' && !takes && !row.takesAny && { isLoose: true }),
      isBytes,
      ...(others && { others }),
      ...(extension && { isExtension: true }),
    },
    stream: row.tells
      ? {
          name,
          path,
          action: actionOf(row),
          summary,
          description: undefined,
          tags: [...tags],
          tells: { data: row.tells.schema, examples: row.tells.examples },
          asked: row.tells.asked,
        }
      : null,
  }
}

const toldBy = (tells: DialectStream['tells']) => {
  const examples = Object.fromEntries(Object.entries(tells).map(([event, { summary: about, example }]) => [event, { summary: about, value: example }]))
  const kinds = [...new Set(Object.values(tells).map(({ schema }) => schema))]
  return { data: kinds.length === 1 ? kinds[0]! : z.union(kinds), examples }
}

/** Of the connection: what is told over it is asked for by a row. */
function realtimeAt({ name, path, summary, description, tags = [], tells }: DialectRealtime): Address {
  return {
    id: name,
    method: 'GET',
    path,
    takes: { path: {}, query: {}, header: {}, body: null },
    reply: null,
    stream: { name, path, action: 'public', summary, description, tags: [...tags], tells: toldBy(tells) },
  }
}

function streamAt({ name, path, summary, description, tags = [], schemas, tells, extension }: DialectStream): Address {
  return {
    id: name,
    method: 'GET',
    path,
    takes: { path: schemas.path.shape, query: schemas.query.shape, header: {}, body: null },
    reply: null,
    stream: { name, path, action: followAction, summary, description, tags: [...tags], tells: toldBy(tells), ...(extension && { isExtension: true }) },
  }
}

const streaming = [
  'The stream is of Server-Sent Events: the name of each is its `event`, and its `data` is JSON. Its head is sent at once, and comments keep it open while nothing happens.',
  'Every event has an `id`. Sent back as `Last-Event-ID`, the stream goes on after that one and misses nothing; where what came since is not kept any more, a comment says so.',
].join(' ')

const connecting =
  'The stream is of Server-Sent Events: the name of each is its `event`, and its `data` is JSON. Its head is sent at once, and comments keep it open while nothing happens.'

const guardedWords = 'It does something although it is a GET: no cookie is taken for a credential here, what a browser fetches ahead is refused, and a HEAD does nothing.'

const noteOf = ({ faults, example }: Pick<DialectRow, 'faults' | 'example'>): Note => ({
  ...(faults && { faults }),
  ...(example && {
    example: {
      input: { ...example.path, ...example.query },
      ...(example.body && { body: example.body }),
      ...(example.reply !== undefined && { reply: example.reply as Json }),
    },
  }),
})

const problemWith = (code: ProblemCode) =>
  code === 'internal' || code === 'unavailable'
    ? { code, kind: kindOf(code), status: faultKinds[kindOf(code)], message: messageOf(code), issues: [], details: {} }
    : problemOf(new Fault(code))

const lossesOf = ({ losses }: Dialect): string =>
  losses.length === 0 ? '' : ['### What is not served, and what cannot be said', ...losses.map(({ what, why }) => `- ${what}: ${why}`)].join('\n')
