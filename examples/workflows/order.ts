import { defineWorkflow, type } from '@sluice/server'
import { atShop } from './shop.ts'

export interface Order {
  id: string
  customer: string
  items: { sku: string; quantity: number; price: number }[]
}

/** What the carrier reports when the parcel is on its way. */
export interface Shipment {
  tracking: string
}

const input = type<Order>({
  type: 'object',
  required: ['id', 'customer', 'items'],
  properties: {
    id: { type: 'string' },
    customer: { type: 'string' },
    items: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['sku', 'quantity', 'price'],
        properties: { sku: { type: 'string' }, quantity: { type: 'integer', minimum: 1 }, price: { type: 'number', minimum: 0 } },
      },
    },
  },
})

const day = 86_400_000
/** Also of their undoing: what is in doubt is asked again, and done once. */
const retry = { attempts: 3, everyMs: 500 }

/**
 * A saga: what was done is undone, newest first, when a later step fails for good. So is a step that failed, or was cut off: whether its call
 * arrived is for the service to know, which is told the key that it was, or would be, called with.
 */
export const order = defineWorkflow('order', { title: 'Order', description: 'Reserves, charges, ships and tells the customer, or none of it', input }, (w) => {
  const reserved = w.step('reserve', {
    input: { items: w.input.items },
    retry,
    invoke: ({ items }, at) => atShop<{ reservation: string }>('/reservations', { items }, at),
    compensate: (left, at) => atShop('/reservations/release', { reservation: left?.reservation, step: at.stepKey }, at),
  })

  const amount = w.transform(w.input.items, (items) => items.reduce((sum, { quantity, price }) => sum + quantity * price, 0))
  const paid = w.step('charge', {
    input: { customer: w.input.customer, amount },
    retry,
    invoke: (charge, at) => atShop<{ charge: string }>('/charges', charge, at),
    compensate: (left, at) => atShop('/charges/refund', { charge: left?.charge, step: at.stepKey }, at),
  })

  w.step('parcel', {
    input: { order: w.input.id, reservation: reserved.reservation },
    retry,
    invoke: (parcel, at) => atShop('/parcels', parcel, at),
    compensate: (_left, at) => atShop('/parcels/recall', { step: at.stepKey }, at),
  })

  // Waits until somebody reports, a minute or some days later, that the parcel was sent. A report that failed would be the same at another attempt.
  const shipped = w.step('ship', {
    async: true,
    output: type<Shipment>({ type: 'object', required: ['tracking'], properties: { tracking: { type: 'string' } } }),
    timeoutMs: 14 * day,
    invoke: () => {},
  })

  // A parcel that is on its way is not called back because a mail was not sent.
  w.step('notify', {
    input: { customer: w.input.customer, tracking: shipped.tracking },
    retry,
    onFailure: 'continue',
    invoke: (mail, at) => atShop('/mails', mail, at),
  })

  return { id: w.input.id, amount, charge: paid.charge, tracking: shipped.tracking }
})
