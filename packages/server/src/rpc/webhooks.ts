import {
  AddressedWebhook,
  CreateWebhook,
  Delivered,
  Delivery,
  DeliverWebhook,
  ListDeliveries,
  ListWebhooks,
  OneDelivery,
  OneWebhook,
  pageOf,
  UpdateWebhook,
  Webhook,
} from '@sluice/schema'
import { z } from 'zod'
import { authorize } from '../access/policy.ts'
import type { Principal } from '../access/principal.ts'
import { can, router, type Rest } from './trpc.ts'

const one = '/v1/webhooks/{webhook}'
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags: ['webhooks'], ...rest })

/** Who names a workflow that deliveries start must be allowed to start it. */
const mayStart = (principal: Principal, { trigger }: { trigger?: object | null | undefined }): void => void (trigger && authorize(principal, 'runs.start'))

export const webhooks = router({
  create: can('webhooks.manage', at('POST', '/v1/webhooks', 'Create a webhook; its address is shown this once', { status: 201 }), CreateWebhook)
    .output(AddressedWebhook)
    .mutation(({ ctx, input }) => {
      mayStart(ctx.principal, input)
      return ctx.parts.webhooks.create(ctx.actor, input)
    }),

  list: can('webhooks.read', at('GET', '/v1/webhooks', 'List webhooks, newest first'), ListWebhooks)
    .output(pageOf(Webhook))
    .query(({ ctx, input }) => ctx.parts.webhooks.list(ctx.actor, input)),

  get: can('webhooks.read', at('GET', one, 'Get a webhook'), OneWebhook)
    .output(Webhook)
    .query(({ ctx, input }) => ctx.parts.webhooks.get(ctx.actor, input)),

  update: can('webhooks.manage', at('PATCH', one, 'Change a webhook'), UpdateWebhook)
    .output(Webhook)
    .mutation(({ ctx, input }) => {
      mayStart(ctx.principal, input)
      return ctx.parts.webhooks.update(ctx.actor, input)
    }),

  rotate: can('webhooks.manage', at('POST', `${one}/rotate`, 'Give a webhook a new address, which is shown this once; the one before it ends'), OneWebhook)
    .output(AddressedWebhook)
    .mutation(({ ctx, input }) => ctx.parts.webhooks.rotate(ctx.actor, input)),

  delete: can('webhooks.manage', at('DELETE', one, 'Delete a webhook with its deliveries', { status: 204 }), OneWebhook)
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.webhooks.delete(ctx.actor, input)),

  deliveries: can('webhooks.read', at('GET', `${one}/deliveries`, 'List what came to a webhook, newest first'), ListDeliveries)
    .output(pageOf(Delivery))
    .query(({ ctx, input }) => ctx.parts.webhooks.deliveries(ctx.actor, input)),

  redeliver: can('webhooks.deliver', at('POST', `${one}/deliveries/{id}/redeliver`, 'Deliver the content of a delivery again', { status: 202 }), OneDelivery)
    .output(Delivered)
    .mutation(({ ctx, input }) => ctx.parts.webhooks.redeliver(ctx.actor, input)),

  deliver: can('webhooks.deliver', at('POST', '/v1/webhooks/{name}/deliver', 'Deliver to a webhook by its name', { status: 202 }), DeliverWebhook)
    .output(Delivered)
    .mutation(({ ctx, input }) => ctx.parts.webhooks.deliver(ctx.actor, input)),
})
