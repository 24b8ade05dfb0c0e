import type { FaultCode, JsonObject } from '@sluice/schema'
import type { Document } from './description.ts'
import { type ErrorForm, messageOf } from './problems.ts'

/**
 * The address that webhooks are sent to. No procedure stands behind it, because what is sent is bytes before it is anything else:
 * so it is said here, by hand, what `http/hooks.ts` serves.
 */
export function withHooks(document: Document, form: ErrorForm): Document {
  return {
    ...document,
    paths: { ...document.paths, '/v1/hooks/{id}/{secret}': { post: operation('post', 'Send to a webhook', form), put: operation('put', 'Send to a webhook, by PUT', form) } },
  }
}

const about = [
  'The address of a webhook is shown when it is made, and when its secret is rotated. No credential is asked for: knowing it is enough, unless the webhook has a `signature`; then what is sent must be signed as it says.',
  'The answer comes when the delivery is kept for good. Sent again under the same id (`webhook-id`, `idempotency-key`, or the `idHeader` of the webhook), or with the same signature, it is answered as the first one, and nothing happens again.',
  'A body of JSON is read as JSON, a form as an object, anything else as text in UTF-8. Headers and query are kept along, without credentials and signatures.',
].join('\n\n')

const header = (name: string, description: string): JsonObject => ({ in: 'header', name, schema: { type: 'string' }, description })
const part = (name: string, description: string): JsonObject => ({ in: 'path', name, required: true, schema: { type: 'string' }, description })

const shared = (name: string): JsonObject => ({ $ref: `#/components/responses/${name}` })
const requestId = { 'X-Request-Id': { $ref: '#/components/headers/RequestId' } }

const refusal = (code: FaultCode, form: ErrorForm): JsonObject => ({
  description: `\`${code}\`: ${messageOf(code)}`,
  headers: requestId,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/ErrorBody' }, examples: { [code]: { summary: messageOf(code), value: form.example(code).body } } } },
})

const accepted: JsonObject = {
  type: 'object',
  properties: {
    delivery: { $ref: '#/components/schemas/Id' },
    repeated: { type: 'boolean', description: 'It had come before: this is the first one, and nothing happens again' },
  },
  required: ['delivery', 'repeated'],
}

const operation = (method: string, summary: string, form: ErrorForm): JsonObject => ({
  operationId: `hooks.${method}`,
  summary,
  description: about,
  tags: ['webhooks'],
  security: [],
  parameters: [
    part('id', 'The id of the webhook'),
    part('secret', 'The secret of its address'),
    header('webhook-id', "The sender's own id of the delivery"),
    header('webhook-timestamp', 'When it was signed, in seconds since 1970; where the webhook asks for a signature of Standard Webhooks'),
    header('webhook-signature', 'As `v1,` with base64; where the webhook asks for it'),
  ],
  requestBody: {
    required: false,
    content: {
      'application/json': { schema: { $ref: '#/components/schemas/Json' }, example: { order: 'o_7', paid: true } },
      'application/x-www-form-urlencoded': { schema: { type: 'object', additionalProperties: true, description: 'Fields of a form' } },
      'text/plain': { schema: { type: 'string', description: 'Any text' } },
    },
  },
  responses: {
    202: {
      description: 'The delivery is kept',
      headers: requestId,
      content: { 'application/json': { schema: accepted, example: { delivery: '00example000040', repeated: false } } },
    },
    400: shared('InvalidBody'),
    401: refusal('signature_invalid', form),
    404: refusal('webhook_missing', form),
    413: shared('TooLarge'),
    415: shared('UnsupportedMedia'),
    429: shared('RateLimited'),
    500: shared('Internal'),
    503: shared('Unavailable'),
    507: shared('StorageFull'),
  },
})
