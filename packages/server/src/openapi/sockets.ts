import type { JsonObject } from '@sluice/schema'
import { z } from 'zod'
import type { Dialect, DialectSocket, SocketMessage } from '../dialects/dialect.ts'

/** An AsyncAPI 3 document. */
export type SocketDocument = {
  asyncapi: string
  info: JsonObject
  servers: { here: { host: string; protocol: string; pathname?: string; [more: string]: JsonObject[string] | undefined } }
  [more: string]: unknown
}

/** `openapi/<name>.asyncapi.json`: the sockets of a dialect, as they are served. */
export function describeSockets({ title, credentials, sockets = [] }: Dialect): SocketDocument {
  const schemes = { ...Object.fromEntries(Object.entries(credentials).map(([name, scheme]) => [name, schemeOf(scheme)])), ...ofBrowsers }
  return {
    asyncapi: '3.1.0',
    info: {
      title: `${title}: sockets`,
      version: '0.1.0',
      description: 'What the server tells over WebSockets, as JSON in text messages.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: { here: { host: '127.0.0.1:7878', protocol: 'ws', security: Object.keys(schemes).map((name) => to('securitySchemes', name)) } },
    channels: Object.fromEntries(sockets.map((row) => [row.name, channelOf(row)])),
    operations: Object.assign({}, ...sockets.map(operationsOf)),
    components: { messages: Object.assign({}, ...sockets.map(({ tells, hears }) => messagesOf({ ...tells, ...hears }))), securitySchemes: schemes },
  }
}

const to = (...path: string[]): { $ref: string } => ({ $ref: `#/components/${path.join('/')}` })

/** OpenAPI calls a key `apiKey` that AsyncAPI calls `httpApiKey`. */
const schemeOf = (scheme: JsonObject): JsonObject => (scheme['type'] === 'apiKey' ? { ...scheme, type: 'httpApiKey' } : scheme)

/** They set no headers where they open a socket. */
const ofBrowsers: Record<string, JsonObject> = {
  cookie: { type: 'httpApiKey', in: 'cookie', name: 'sluice_session', description: 'The session of a browser, taken from pages that may use it' },
  ticket: { type: 'httpApiKey', in: 'query', name: 'ticket', description: 'Of `POST /v1/auth/ticket`; opens one socket' },
}

function channelOf({ path, summary, description, schemas, tells, hears, closes, name }: DialectSocket) {
  return {
    address: path,
    title: name,
    summary,
    description: [description, closing(closes)].filter(Boolean).join('\n\n'),
    parameters: Object.fromEntries(Object.keys(schemas.path.shape).map((key) => [key, {}])),
    messages: Object.fromEntries(Object.keys({ ...tells, ...hears }).map((type) => [type, to('messages', type)])),
    bindings: { ws: { method: 'GET', query: schemaOf(schemas.query), bindingVersion: '0.1.0' } },
  }
}

/** What the server does to sockets whatever their dialect. */
const always: readonly (readonly [string, number])[] = [
  ['all has been told', 1000],
  ['says too much', 1008],
  ['a message over 1 MiB', 1009],
  ['the server leaves', 1012],
  ['reads too slowly', 1013],
]

/** Close codes have no place in AsyncAPI. */
function closing(closes: DialectSocket['closes']): string {
  const why = [...Object.entries(closes).map(([kind, code]) => [kind.replaceAll('_', ' '), code] as const), ...always]
  const byCode = [...Map.groupBy(why, ([, code]) => code)].toSorted(([one], [other]) => one - other)
  return [
    'Why a socket is closed its code says, and mostly a last message of the type `error`. After 1011, 1012 and 1013 a client may come back.',
    ...byCode.map(([code, all]) => `- ${code}: ${all.map(([words]) => words).join(', ')}`),
  ].join('\n')
}

function operationsOf({ name, summary, tells, hears }: DialectSocket) {
  const channel = { $ref: `#/channels/${name}` }
  const at = (type: string) => ({ $ref: `#/channels/${name}/messages/${type}` })
  const heard = Object.entries(hears).map(([type, { summary: words, answer }]) => {
    const reply = Object.keys(tells).filter((each) => (answer === 'snapshot' ? each === snapshotOf(tells) : 'type' in answer && answer.type === each))
    return [`${name}.${type}`, { action: 'receive', channel, summary: words, messages: [at(type)], reply: { channel, messages: reply.map(at) } }]
  })
  return { [name]: { action: 'send', channel, summary, messages: Object.keys(tells).map(at) }, ...Object.fromEntries(heard) }
}

/** What it tells first is how things stand. */
const snapshotOf = (tells: DialectSocket['tells']): string | undefined => Object.keys(tells)[0]

const messagesOf = (messages: Readonly<Record<string, SocketMessage>>) =>
  Object.fromEntries(
    Object.entries(messages).map(([type, { summary, description, schema, example }]) => [
      type,
      { name: type, summary, ...(description !== undefined && { description }), payload: schemaOf(schema), examples: [{ payload: example }] },
    ]),
  )

/** AsyncAPI's own dialect of JSON Schema is draft 7, of which it takes no `$schema`. Of what is sent new keys are no break. */
function schemaOf(schema: z.ZodType): JsonObject {
  const { $schema: _draft, ...rendered } = z.toJSONSchema(schema, { target: 'draft-7', unrepresentable: 'any', io: 'input' })
  return rendered as JsonObject
}
