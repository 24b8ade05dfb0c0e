import { defineWorkflow, type } from '@sluice/server'
import { atShop } from './shop.ts'

export interface Refund {
  charge: string
  amount: number
}

/** Large amounts are refunded when somebody has approved it; declined, the run ends as cancelled. */
export const refund = defineWorkflow('refund', { title: 'Refund', input: type<Refund>() }, (w) => {
  w.when(
    'large',
    { amount: w.input.amount },
    ({ amount }) => amount > 100,
    () => w.pause('approval', { message: w.text`Refund ${w.input.amount} of ${w.input.charge}?`, expiresInMs: 7 * 24 * 3_600_000, onExpiry: { action: 'decline' } }),
  )
  w.step('pay', {
    input: { charge: w.input.charge, amount: w.input.amount },
    retry: { attempts: 5 },
    invoke: (asked, at) => atShop('/charges/refund', asked, at),
  })
  return { refunded: w.input.amount }
})
