import type { Json, JsonObject } from '@sluice/schema'
import type { Address, Reply } from './addresses.ts'
import type { Description, Example, Note } from './description.ts'
import { byteHeaders, otherBytes } from './bytes.ts'
import type { Content, Parts } from './generate.ts'
import { problemsOf } from './problems.ts'
import { othersAt, successAt, withExample } from './replies.ts'

/** Any one of them is enough. */
export const anyOf = (schemes: object): JsonObject[] => Object.keys(schemes).map((name) => ({ [name]: [] }))

export const tagsOf = ({ reply, stream }: Address): string[] => (reply ?? stream)!.tags

/** What refuses always has no success: whatever it answers is that. */
const statusOf = (reply: Address['reply']): number | 'default' => (reply === null ? 200 : reply.status >= 400 ? 'default' : reply.status)

/** An address, as the document describes it. */
export function operationAt(address: Address, parts: Parts, description: Description): JsonObject {
  const { reply, stream, takes } = address
  const { operationId, summary } = parts.operation(address)
  const { action } = (reply ?? stream)!
  const replyNote = reply ? description.notes[reply.name] : undefined
  const own = [reply, ...(stream?.asked === undefined ? [stream] : [])].flatMap((door) => (door ? faultsAt(description.notes[door.name], door.path) : []))
  const body = parts.rest(address).requestBody
  const security = action === 'public' ? [] : stream ? anyOf({ ...description.securitySchemes, ...description.streamSecuritySchemes }) : undefined
  const parameters = [...parametersAt(address, parts, description, replyNote?.example), ...(reply?.isBytes ? byteHeaders : [])]
  return given({
    operationId,
    summary,
    description: paragraphs(address, description).join('\n\n') || undefined,
    tags: tagsOf(address),
    security,
    parameters: parameters.length > 0 ? parameters : undefined,
    requestBody: body && { required: !takes.body!.safeParse({}).success, content: withExample(bodiesOf(address, body.content), bodyOf(replyNote?.example, address)) },
    responses: {
      [statusOf(reply)]: successAt(address, parts, description),
      ...(reply?.isBytes && otherBytes),
      ...problemsOf(address, own, description.errors, parts.error),
      ...othersAt(address, parts),
    },
    'x-sluice-extension': (reply ?? stream)!.isExtension,
  })
}

/** JSON unless it is said otherwise. */
function bodiesOf({ reply }: Address, { 'application/json': json, ...others }: Content): Content {
  if (reply?.isLoose) return { 'application/json': json!, 'multipart/form-data': json!, 'application/x-www-form-urlencoded': json! }
  if (!reply || reply.bodies.length === 0) return { 'application/json': json!, ...others }
  return Object.fromEntries(reply.bodies.map((type) => [type, type === 'multipart/form-data' ? json! : { schema: { type: 'string', format: 'binary' } }]))
}

/** Those that there are. */
const given = (values: Record<string, Json | undefined>): JsonObject =>
  Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))

const faultsAt = (note: Note | undefined, path: string) => [...(note?.faults ?? []), ...(note?.at?.[path]?.faults ?? [])]

function paragraphs({ reply, stream }: Address, { streaming }: Description): string[] {
  const { action, description } = (reply ?? stream)!
  return [
    ...(description === undefined ? [] : [description]),
    ...(stream && stream.asked === undefined && reply ? [`With \`Accept: text/event-stream\`: ${stream.summary}.`] : []),
    ...(stream ? [stream.asked ?? streaming] : []),
    asks(action),
  ]
}

function asks(action: Reply['action']): string {
  if (action === 'public') return 'Asks for no credential.'
  return action === 'signed-in' ? 'Asks for a credential, and no permission.' : `Asks for the permission \`${action}\`.`
}

/** Path first, in its order, then query, then headers; each with its words and, where there is one, its example. */
function parametersAt(address: Address, parts: Parts, { parameters }: Description, example: Example | undefined): JsonObject[] {
  const { takes } = address
  const rendered = [...(parts.operation(address).parameters ?? []), ...(parts.rest(address).parameters ?? [])]
  const input = example?.input ?? {}
  return (['path', 'query', 'header'] as const).flatMap((place) =>
    Object.entries(takes[place]).map(([name, field]) => {
      const parameter = rendered.find((each) => each.in === place && each.name === name)!
      const value = place === 'header' ? undefined : inQuery(parameter.schema, input[name])
      // The generator drops the words of an optional field; zod-openapi says them twice.
      const { description: _twice, ...schema } = parameter.schema
      return given({ ...parameter, ...(place === 'query' && hasLevels(schema) && levels), description: field.description ?? parameters[name], schema, example: value })
    }),
  )
}

/** As a query says an object: `created_at[$gte]=…`. */
const levels = { style: 'deepObject', explode: true }

/** Whether a value of a query may be an object, as such. */
const hasLevels = (schema: JsonObject): boolean =>
  schema['type'] === 'object' || [schema['anyOf'], schema['oneOf']].some((branches) => Array.isArray(branches) && branches.some((each) => hasLevels(each as JsonObject)))

/** Of what stands in a query as JSON text, that text. */
const inQuery = (schema: JsonObject, value: Json | undefined): Json | undefined =>
  schema['contentMediaType'] === 'application/json' && value !== undefined ? JSON.stringify(value) : value

function bodyOf(example: Example | undefined, { takes, reply }: Address): Json | undefined {
  // Of a form there is nothing to be shown that a reader could send.
  if (!example || (reply?.bodies.length ?? 0) > 0) return undefined
  if (example.body !== undefined) return example.body
  return Object.fromEntries(Object.entries(example.input).filter(([key]) => !Object.hasOwn(takes.path, key)))
}
