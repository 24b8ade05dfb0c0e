import { z } from 'zod'
import { listInput } from './conditions.ts'
import { Id, Timestamp, WorkflowRef } from './ids.ts'
import { Json } from './json.ts'
import { StepError } from './step-error.ts'

export const WebhookName = z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, 'expected 1 to 255 characters of A-Z a-z 0-9 _ -')

/** Names one webhook: its id or its name. */
export const WebhookRef = z.string().min(1).max(255).meta({ description: 'The id or the name of a webhook' })

// Functions, so that documents have no words of their own for them.
const headerName = () => z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, 'expected the name of a header')
const signingSecret = () => z.string().min(8).max(1000)
const toleranceSeconds = () => z.int().min(1).max(3_600).default(300).meta({ description: 'How far the time of a signature may be from now; 300 unless set' })

/**
 * How senders sign. `standard` is the scheme of Standard Webhooks: `webhook-id`, `webhook-timestamp`, and in `webhook-signature`
 * `v1,` with the HMAC-SHA256 of `id.timestamp.body` as base64. `hmac-sha256` is `sha256=` with the HMAC-SHA256 as hexadecimal,
 * of `timestamp.body` where there is a `timestampHeader` (seconds since 1970), of the body alone where there is none.
 */
export const SetSignature = z.discriminatedUnion('scheme', [
  z.strictObject({
    scheme: z.literal('standard'),
    secret: signingSecret().meta({ description: 'As `whsec_` with base64, or base64 alone' }),
    toleranceSeconds: toleranceSeconds(),
  }),
  z.strictObject({
    scheme: z.literal('hmac-sha256'),
    header: headerName().meta({ description: 'Where the signature is, as `x-hub-signature-256`' }),
    timestampHeader: headerName().optional().meta({ description: 'Where its time is: unless set, the body alone is signed, and a signature has no time' }),
    secret: signingSecret().meta({ description: 'The key, as text' }),
    toleranceSeconds: toleranceSeconds(),
  }),
])
export type SetSignature = z.infer<typeof SetSignature>

/** How senders sign, without the secret. */
export const WebhookSignature = z.object({
  scheme: z.enum(['standard', 'hmac-sha256']),
  header: z.string(),
  timestampHeader: z.string().nullable(),
  toleranceSeconds: z.int(),
})
export type WebhookSignature = z.infer<typeof WebhookSignature>

/** An address that takes what others send: it goes to the workflow that is its trigger, and to every producer that waits for it. */
export const Webhook = z.object({
  id: Id,
  name: z.string(),
  hasAddress: z.boolean().meta({ description: 'False: it came to be with a delivery over the API, and gets an address when its secret is rotated' }),
  signature: WebhookSignature.nullable().meta({ description: 'How deliveries must be signed; null: knowing the address is enough' }),
  idHeader: z.string().nullable().meta({ description: "Where senders say a delivery's own id, beside `webhook-id` and `idempotency-key`" }),
  trigger: z.object({ workflow: Id }).nullable().meta({ description: 'The workflow that each delivery starts a run of' }),
  created: Timestamp,
  updated: Timestamp,
})
export type Webhook = z.infer<typeof Webhook>

/** With its address, which is shown this once. */
export const AddressedWebhook = Webhook.extend({
  address: z.string().meta({ description: 'Where to send to, as `/v1/hooks/ID/SECRET`. Whoever knows it may send; it is shown this once' }),
})
export type AddressedWebhook = z.infer<typeof AddressedWebhook>

export const webhookFields = ['id', 'name', 'hasAddress', 'created', 'updated'] as const
export type WebhookField = (typeof webhookFields)[number]

/**
 * `pending`: its trigger is yet to start a run. `done`: it has, or a producer took it. `dead`: no run could be started, however
 * often it was tried. `unheard`: there is no trigger, and no producer has taken it.
 */
export const DeliveryStatus = z.enum(['pending', 'done', 'dead', 'unheard'])
export type DeliveryStatus = z.infer<typeof DeliveryStatus>

const texts = z.record(z.string(), z.string())
const queryOf = z.record(z.string(), z.union([z.string(), z.array(z.string())]))

/** Something that came to a webhook. Kept for 24 hours after it is done, a dead one for 30 days. */
export const Delivery = z.object({
  id: Id,
  webhookId: Id,
  status: DeliveryStatus,
  senderId: z.string().nullable().meta({ description: "The sender's own id of it" }),
  redelivers: Id.nullable().meta({ description: 'The delivery whose content it has' }),
  method: z.string(),
  headers: texts.meta({ description: 'By their names in lower case, without credentials and signatures' }),
  query: queryOf.meta({ description: 'A key that came more than once has a list' }),
  body: Json.meta({ description: 'JSON as it came, a form as an object, anything else as text; a large one by its size, as `{"truncated": bytes}`' }),
  producers: z.int().meta({ description: 'How many producers have taken it' }),
  runId: Id.nullable().meta({ description: 'The run that its trigger has started' }),
  attempts: z.int().meta({ description: 'How often its trigger has tried to start a run' }),
  error: StepError.nullable().meta({ description: 'Why the last attempt failed' }),
  retryAt: Timestamp.nullable().meta({ description: 'When its trigger tries, or tries again' }),
  receivedAt: Timestamp,
  settledAt: Timestamp.nullable().meta({ description: 'When its trigger was done with it, or had given up' }),
})
export type Delivery = z.infer<typeof Delivery>

export const deliveryFields = ['id', 'status', 'senderId', 'redelivers', 'method', 'producers', 'runId', 'attempts', 'retryAt', 'receivedAt', 'settledAt'] as const
export type DeliveryField = (typeof deliveryFields)[number]

const trigger = z.strictObject({ workflow: WorkflowRef })

export const CreateWebhook = z.strictObject({
  name: WebhookName,
  signature: SetSignature.optional(),
  idHeader: headerName().optional(),
  trigger: trigger.optional(),
})
export type CreateWebhook = z.infer<typeof CreateWebhook>

/** What is absent stays as it is; null takes it away. */
export const UpdateWebhook = z.strictObject({
  webhook: WebhookRef,
  name: WebhookName.optional(),
  signature: SetSignature.nullable().optional(),
  idHeader: headerName().nullable().optional(),
  trigger: trigger.nullable().optional(),
})
export type UpdateWebhook = z.infer<typeof UpdateWebhook>

export const OneWebhook = z.strictObject({ webhook: WebhookRef })
export type OneWebhook = z.infer<typeof OneWebhook>

export const ListWebhooks = z.strictObject({ ...listInput(webhookFields) })
export type ListWebhooks = z.infer<typeof ListWebhooks>

export const ListDeliveries = z.strictObject({
  webhook: WebhookRef,
  status: DeliveryStatus.optional().meta({ description: 'Only those that stand so' }),
  ...listInput(deliveryFields),
})
export type ListDeliveries = z.infer<typeof ListDeliveries>

export const OneDelivery = z.strictObject({ webhook: WebhookRef, id: Id })
export type OneDelivery = z.infer<typeof OneDelivery>

/** A delivery by who may signal: without address, secret and signature. */
export const DeliverWebhook = z.strictObject({
  name: WebhookName.meta({ description: 'A webhook of this name comes to be unless it is there; it has no address until its secret is rotated' }),
  body: Json.optional().meta({ description: 'Null unless given' }),
  headers: texts.optional().meta({ description: 'What it is said to have come with; credentials and signatures are left out' }),
  method: z
    .string()
    .regex(/^[A-Z]{1,20}$/, 'expected a method of HTTP')
    .optional()
    .meta({ description: '`POST` unless given' }),
  query: queryOf.optional(),
  idempotencyKey: z.string().min(1).max(200).optional(),
})
export type DeliverWebhook = z.infer<typeof DeliverWebhook>

/** A delivery that was taken in. */
export const Delivered = z.object({
  id: Id,
  webhookId: Id,
  repeated: z.boolean().meta({ description: 'It had come before: this is the first one, and nothing happens again' }),
  subscribers: z.int().meta({ description: 'Producers of live runs that listen, and one more where there is a trigger' }),
})
export type Delivered = z.infer<typeof Delivered>

/** What a sender is answered. */
export const AcceptedDelivery = z.object({ delivery: Id, repeated: Delivered.shape.repeated })
export type AcceptedDelivery = z.infer<typeof AcceptedDelivery>

/** What a delivery is for who gets it: the input of the run that it starts, and the item of a producer. */
export interface DeliveryContent {
  id: string
  body: Json
  headers: Record<string, string>
  method: string
  query: Record<string, string | string[]>
  /** ISO 8601. */
  receivedAt: string
}
