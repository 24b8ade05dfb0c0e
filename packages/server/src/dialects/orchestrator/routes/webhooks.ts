import { type DeliverWebhook, Fault, type Json, WebhookName } from '@sluice/schema'
import { type DialectRow, route, type Said } from '../../dialect.ts'
import { AnyBody, WebhookPath, WebhookResponse } from '../contract.ts'
import * as examples from '../examples.ts'

/** Of whom asks over `/trpc` there is no request to tell of. */
function deliveryOf({ path, body, request }: Said<{ webhook_id: string }, unknown, Json | undefined>): DeliverWebhook {
  if (!WebhookName.safeParse(path.webhook_id).success) throw new Fault('webhook_missing')
  const key = request?.headers['idempotency-key']
  return {
    name: path.webhook_id,
    // As the source has it of no body.
    body: body ?? {},
    ...(request && { method: request.method, headers: request.headers, query: request.query }),
    ...(key && { idempotencyKey: key }),
  }
}

/** Of the source: what others send, to whatever listens for it. */
export const webhookRows: readonly DialectRow[] = [
  route('webhooks.deliver', {
    name: 'postWebhook',
    method: 'POST',
    path: '/api/webhooks/{webhook_id}/',
    summary: 'Send something to the webhook of a name',
    description: [
      'JSON, a form, or text: it goes to every producer that listens under this name, and to the workflow that it starts, if there is one. It is kept for producers that come to listen later.',
      'A credential is asked for: the name is no secret. A webhook that others may send to has an address of its own in our API.',
    ].join('\n\n'),
    tags: ['webhooks'],
    extension: true,
    takesAny: true,
    params: WebhookPath,
    body: AnyBody,
    reply: WebhookResponse,
    status: 202,
    faults: ['webhook_missing'],
    example: { path: examples.oneWebhook, body: { order: 42 }, reply: { status: 'accepted', ...examples.oneWebhook, subscribers: 1, message: 'Webhook data published' } },
    ask: deliveryOf,
    answer: ({ subscribers }, _setting, { path }) => ({
      status: 'accepted' as const,
      webhook_id: path.webhook_id,
      subscribers,
      message: subscribers > 0 ? 'Webhook data published' : 'No subscribers listening',
    }),
  }),
]
