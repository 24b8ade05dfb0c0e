import { defineWorkflow } from '@sluice/server'
import { atShop } from './shop.ts'

/** Every Monday at eight, also when the clocks were changed. What was missed while no server ran is done once. */
export const digest = defineWorkflow('digest', { title: 'Weekly digest', schedule: { cron: '0 8 * * 1', timeZone: 'Europe/Berlin', missed: 'once' } }, (w) => {
  const sales = w.step('sales', { invoke: (_nothing, at) => atShop<{ orders: number; revenue: number }>('/sales', {}, at) })
  w.step('mail', { input: { orders: sales.orders, revenue: sales.revenue }, invoke: (figures, at) => atShop('/mails', figures, at) })
  return { revenue: sales.revenue }
})
