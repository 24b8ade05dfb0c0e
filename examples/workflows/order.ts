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

/** A saga: what was done is undone, newest first, when a later step fails for good. */
export const order = defineWorkflow('order', { title: 'Order', description: 'Reserves, charges, ships and tells the customer, or none of it', input }, (w) => {
  const reserved = w.step('reserve', {
    input: { items: w.input.items },
    invoke: ({ items }, at) => atShop<{ reservation: string }>('/reservations', { items }, at),
    compensate: (left, at) => atShop('/reservations/release', { reservation: left?.reservation }, at),
  })

  const amount = w.transform(w.input.items, (items) => items.reduce((sum, { quantity, price }) => sum + quantity * price, 0))
  const paid = w.step('charge', {
    input: { customer: w.input.customer, amount },
    retry: { attempts: 3, everyMs: 500 },
    invoke: (charge, at) => atShop<{ charge: string }>('/charges', charge, at),
    // Also of a charge that failed: whether it arrived is for the payment service to know.
    compensate: (left, at) => atShop('/charges/refund', { charge: left?.charge }, at),
  })

  // Orders a parcel and gives nothing: the step waits until somebody reports, a minute or a month later, that it was sent.
  const shipped = w.step('ship', {
    input: { order: w.input.id, reservation: reserved.reservation },
    async: true,
    output: type<Shipment>({ type: 'object', required: ['tracking'], properties: { tracking: { type: 'string' } } }),
    invoke: async (parcel, at) => {
      await atShop('/parcels', { ...parcel, step: at.key }, at)
    },
    compensate: (_shipment, at) => atShop('/parcels/recall', { step: at.stepKey }, at),
  })

  // A parcel that is on its way is not called back because a mail was not sent.
  w.step('notify', {
    input: { customer: w.input.customer, tracking: shipped.tracking },
    retry: { attempts: 3, everyMs: 500 },
    onFailure: 'continue',
    invoke: (mail, at) => atShop('/mails', mail, at),
  })

  return { id: w.input.id, amount, charge: paid.charge, tracking: shipped.tracking }
})
