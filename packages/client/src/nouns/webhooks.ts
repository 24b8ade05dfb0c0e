import type {
  AddressedWebhook,
  CreateWebhook,
  Delivered,
  Delivery,
  DeliverWebhook,
  ListDeliveries,
  ListWebhooks,
  OneDelivery,
  OneWebhook,
  UpdateWebhook,
  Webhook,
} from '@sluice/schema'
import type { Calls } from '../calls.ts'
import { keyed } from '../idempotency.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** Addresses that take what others send: each delivery starts a run of their workflow, and goes to every producer that waits for it. */
export interface Webhooks {
  /**
   * Its `address`, as `/v1/hooks/ID/SECRET`, is shown this once. Not repeated when its answer is lost: then `rotate` gives it another.
   * Throws `ConflictError` (`name_taken`) and `NotFoundError` (`workflow_missing`).
   */
  create(webhook: Input<typeof CreateWebhook>, options?: CallOptions): Promise<AddressedWebhook>
  /** Newest first unless asked otherwise. Never their addresses. */
  list(filter?: Input<typeof ListWebhooks>, options?: CallOptions): Listing<Webhook>
  /** By id or name. Throws `NotFoundError` (`webhook_missing`). */
  get(which: Input<typeof OneWebhook>, options?: CallOptions): Promise<Webhook>
  /** What is absent stays; null takes a signature, a header or a trigger away. */
  update(change: Input<typeof UpdateWebhook>, options?: CallOptions): Promise<Webhook>
  /** A new address, shown this once; the one before it ends. Not repeated when its answer is lost: rotate once more. */
  rotate(which: Input<typeof OneWebhook>, options?: CallOptions): Promise<AddressedWebhook>
  /** With its deliveries. Runs that they started go on. */
  delete(which: Input<typeof OneWebhook>, options?: CallOptions): Promise<void>
  /** What came to it, newest first unless asked otherwise: kept for 24 hours after it is done, dead ones for 30 days. */
  deliveries(filter: Input<typeof ListDeliveries>, options?: CallOptions): Listing<Delivery>
  /** A new delivery of the same content. Throws `NotFoundError` (`delivery_missing`). */
  redeliver(which: Input<typeof OneDelivery>, options?: CallOptions): Promise<Delivered>
  /** Without an address, by who may signal. A webhook that is not there comes to be. Throws `ConflictError` (`idempotency_conflict`). */
  deliver(delivery: Input<typeof DeliverWebhook>, options?: CallOptions): Promise<Delivered>
}

export const webhooksOf = ({ read, list, repeat, remove, write }: Calls): Webhooks => ({
  create: (webhook, options) => write('webhooks.create', webhook, options),
  list: (filter, options) => list('webhooks.list', filter, options),
  get: (which, options) => read('webhooks.get', which, options),
  update: (change, options) => repeat('webhooks.update', change, options),
  rotate: (which, options) => write('webhooks.rotate', which, options),
  delete: (which, options) => remove('webhooks.delete', which, options),
  deliveries: (filter, options) => list('webhooks.deliveries', filter, options),
  redeliver: (which, options) => write('webhooks.redeliver', which, options),
  deliver: (delivery, options) => repeat('webhooks.deliver', keyed(delivery), options),
})
