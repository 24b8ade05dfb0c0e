import { defineStep, defineWorkflow, type Flow } from '@sluice/server'

interface Customer {
  email: string
  plan: 'monthly' | 'yearly'
}

/** A service that the steps call; in a test it is never reached. */
const send = async (path: string, body: object, key: string): Promise<{ id: string }> => {
  const response = await fetch(`https://billing.example${path}`, { method: 'POST', headers: { 'idempotency-key': key }, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`)
  return (await response.json()) as { id: string }
}

export const mail = defineStep('mail', {
  invoke: ({ to, about }: { to: string; about: string }, at) => send('/mails', { to, about }, at.key),
})

export const charge = defineStep('charge', {
  // The bank is asked again after a day, and after another one.
  retry: { attempts: 3, everyMs: 86_400_000 },
  invoke: ({ plan }: { plan: 'monthly' | 'yearly' }, at) => send('/charges', { cents: plan === 'yearly' ? 9_900 : 990 }, at.key),
  compensate: async (charged, at) => void (await send('/refunds', { charge: charged?.id }, at.key)),
})

/** Fourteen days for nothing, a word before they end, and then the first bill. */
export const trial = defineWorkflow('trial', (w: Flow<Customer>) => {
  w.step(mail, { to: w.input.email, about: 'welcome' }, { name: 'welcome' })
  w.sleep('try', 11 * 86_400_000)
  w.step(mail, { to: w.input.email, about: 'three days left' }, { name: 'remind' })
  w.sleep('decide', 3 * 86_400_000)
  const charged = w.step(charge, { plan: w.input.plan })
  return { charge: charged.id }
})
