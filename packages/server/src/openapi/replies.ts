import type { Json, JsonObject } from '@sluice/schema'
import type { Address } from './addresses.ts'
import type { Description } from './description.ts'
import type { Content, Parts } from './generate.ts'

export const withExample = (content: Content, example: Json | undefined): Content =>
  Object.fromEntries(Object.entries(content).map(([type, media]) => [type, { ...media, ...(example !== undefined && { example }) }]))

const withExamples = (content: Content, examples: JsonObject): Content => Object.fromEntries(Object.entries(content).map(([type, media]) => [type, { ...media, examples }]))

const success: Record<number, string> = { 200: 'What was asked for', 201: 'What was made', 204: 'Done; there is nothing to say' }

export function successAt(address: Address, parts: Parts, { notes }: Description): JsonObject {
  const { reply, stream } = address
  const answered = parts.operation(address).responses[200]!.content
  const replied = reply?.isBytes ? Object.fromEntries(Object.values(answered).map((media) => ['*/*', media])) : answered
  const streamed = stream && parts.rest(address).responses[200]!.content
  const content = {
    ...(reply && reply.status !== 204 && withExample(replied, notes[reply.name]?.example?.reply)),
    ...(streamed && (stream.tells ? withExamples(streamed, stream.tells.examples) : withExample(streamed, notes[stream.name]?.event))),
  }
  return {
    description: reply ? (success[reply.status] ?? success[200]!) : 'Events, as they come',
    headers: replyHeaders,
    ...(Object.keys(content).length > 0 && { content }),
  }
}

export const headers = {
  RequestId: { description: 'The id of the request, which the log of the server names; the one that was sent, when it is fit', required: true, schema: { type: 'string' } },
  RateLimit: { description: 'Requests a minute that the principal may make; absent where there are no limits', schema: { type: 'integer' } },
  RateLimitRemaining: { description: 'Requests left in this minute', schema: { type: 'integer' } },
  RateLimitReset: { description: 'When the minute is over, in seconds since 1970', schema: { type: 'integer' } },
  RetryAfter: { description: 'Seconds to wait before the same request may succeed', schema: { type: 'integer' } },
}

const replyHeaders = {
  'X-Request-Id': { $ref: '#/components/headers/RequestId' },
  'X-RateLimit-Limit': { $ref: '#/components/headers/RateLimit' },
  'X-RateLimit-Remaining': { $ref: '#/components/headers/RateLimitRemaining' },
  'X-RateLimit-Reset': { $ref: '#/components/headers/RateLimitReset' },
}

/** What is answered under other statuses than that of success, and is no problem of all. */
export const othersAt = (address: Address, parts: Parts): JsonObject =>
  Object.fromEntries(
    Object.entries(address.reply?.others ?? {}).map(([status, { description }]) => [
      status,
      { description, headers: replyHeaders, content: parts.rest(address).responses[Number(status)]!.content },
    ]),
  )
