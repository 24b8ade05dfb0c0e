import {
  faultKinds,
  type Json,
  JsonObject,
  type Issue,
  PassedEvent,
  recordIssueCodes,
  RecordEvent,
  ResyncEvent,
  RunEvent,
  SessionEvent,
  SnapshotEvent,
  TokenEvent,
} from '@sluice/schema'
import * as schema from '@sluice/schema'
import { z } from 'zod'
import type { ProblemCode } from '../rpc/faults.ts'
import { appRouter } from '../rpc/router.ts'
import { describe } from './describe.ts'
import type { Document, Example, Note } from './description.ts'
import recorded from './examples.json' with { type: 'json' }
import { withHooks } from './native-hooks.ts'
import { nativeMeanings } from './native-meanings.ts'
import { nativeNotes } from './native-notes.ts'
import { about, parameters, streaming, tags } from './native-words.ts'
import { allCodes, type ErrorForm, kinds, kindOf, messageOf } from './problems.ts'
import { wordsOf } from './words.ts'

const ErrorIssue = z.object({
  path: z
    .array(z.union([z.string(), z.int()]))
    .optional()
    .meta({ description: 'Where in the input' }),
  nodeId: z.string().optional().meta({ description: 'The node of a definition' }),
  field: z.string().optional().meta({ description: 'A dotted path into the node, as `config.routes.0.when`' }),
  message: z.string(),
  code: z.enum(recordIssueCodes).optional().meta({ description: 'Of a field of a record: what is wrong with it; never changes' }),
  params: JsonObject.optional().meta({ description: 'What the message says in numbers and names' }),
}) satisfies z.ZodType<Issue>

const ErrorBody = z.object({
  error: z.object({
    code: z.enum(allCodes as [ProblemCode, ...ProblemCode[]]).meta({ description: 'Never changes; new ones may come' }),
    kind: z.enum(kinds as [keyof typeof faultKinds, ...(keyof typeof faultKinds)[]]).meta({ description: 'Decides the status' }),
    message: z.string().meta({ description: 'For people; may change' }),
    issues: z.array(ErrorIssue).meta({ description: 'What is wrong with the input, one by one' }),
    details: JsonObject.meta({ description: 'What the code is about, as the decision that came first' }),
    requestId: z.string(),
  }),
})

const errors: ErrorForm = {
  schema: ErrorBody,
  example: (code) => ({
    status: faultKinds[kindOf(code)],
    body: { error: { code, kind: kindOf(code), message: messageOf(code), issues: [], details: {}, requestId: '5f0c6c1e-8f0f-4f7b-9d33-0a4f2ad9f1c7' } },
  }),
}

/** What a stream tells: the events of runs and records, and how to begin. */
export const StreamEvent = z.union([RunEvent, RecordEvent, SessionEvent, SnapshotEvent, ResyncEvent, PassedEvent, TokenEvent])

/** `openapi/sluice.json` */
export function describeNative(): Document {
  const document = describe(appRouter, {
    title: 'Sluice',
    version: '0.1.0',
    description: about,
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    tags,
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The token of a login, or an API key' },
      apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'An API key, as `sk_…`' },
      cookie: { type: 'apiKey', in: 'cookie', name: 'sluice_session', description: 'The token of a login, as browsers send it; taken from pages of allowed origins alone' },
    },
    streamSecuritySchemes: {
      ticket: { type: 'apiKey', in: 'query', name: 'ticket', description: 'For clients that cannot send headers, as EventSource: opens one stream, once' },
    },
    words: { ...wordsOf(schema), StreamEvent, ErrorBody, ErrorIssue },
    // Said as what it is, so that generated clients have a type for it that is not `any`. What is inside is not said: a
    // schema that refers to itself is an error in many of them.
    rendered: {
      Json: { description: 'Any JSON value', type: ['null', 'boolean', 'number', 'string', 'array', 'object'], items: {}, additionalProperties: true },
      // As every language's regular expressions say it.
      NodeId: { description: 'Any text without control characters', type: 'string', minLength: 1, maxLength: 100, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$' },
      LinkId: { description: 'Any text without control characters', type: 'string', minLength: 1, maxLength: 100, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$' },
      FileKey: { description: 'Any text without control characters', type: 'string', minLength: 1, maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$' },
    },
    meanings: nativeMeanings,
    parameters,
    event: StreamEvent,
    streaming,
    errors,
    notes: withExamples(nativeNotes),
  })
  return withHooks(document, errors)
}

/** As they were recorded from a server that a test tells a story to (`test/openapi/examples.test.ts`). */
function withExamples(notes: Readonly<Record<string, Note | undefined>>): Readonly<Record<string, Note | undefined>> {
  const examples = recorded as unknown as Record<string, Example & { event?: Json }>
  const all = Object.entries(examples).map(([name, example]): [string, Note] => [name, { ...notes[name], example }])
  return { ...notes, ...Object.fromEntries(all), 'events.subscribe': { ...notes['events.subscribe'], event: examples['runs.events']!.event } }
}
