import { defineWorkflow, type StepAt } from '@sluice/server'

/** Workflows that promise something for later: `promises.test.ts` kills the server in between. */

async function called(step: string, { key, signal }: StepAt): Promise<void> {
  const response = await fetch(`${process.env['SERVICE_URL']}/${step}`, { method: 'POST', headers: { 'idempotency-key': key }, signal })
  await response.text()
}

export const unreported = defineWorkflow('unreported', (w) => {
  w.step('reserve', { invoke: (_nothing, at) => called('reserve', at), compensate: (_left, at) => called('release', at) })
  w.step('ship', { async: true, timeoutMs: 12_000, invoke: (_nothing, at) => called('ship', at) })
})

export const bounded = defineWorkflow('bounded', { timeoutMs: 12_000 }, (w) => {
  w.step('hold', { invoke: (_nothing, at) => called('hold', at), compensate: (_left, at) => called('free', at) })
  w.signal('never')
})

export const tried = defineWorkflow('tried', (w) => {
  w.step('try', { retry: { attempts: 2, everyMs: 12_000 }, invoke: (_nothing, at) => called('try', at) })
})

export const reminded = defineWorkflow('reminded', (w) => {
  w.step('remind', { async: true, remind: { everyMs: 7_000, times: 2 }, invoke: (_nothing, at) => called('remind', at) })
})

export const asleep = defineWorkflow('asleep', (w) => {
  w.sleep('rest', 12_000)
  w.step('wake', { invoke: (_nothing, at) => called('wake', at) })
})

/** Its time comes while no server is there. */
export const napping = defineWorkflow('napping', (w) => {
  w.sleep('rest', 7_000)
  w.step('nap', { invoke: (_nothing, at) => called('nap', at) })
})

export const brief = defineWorkflow('brief', { retainForSeconds: 1 }, (w) => {
  w.signal('go')
})

export const asked = defineWorkflow('asked', (w) => {
  w.step('ask', { retry: { attempts: 3, manual: true }, invoke: (_nothing, at) => called('ask', at) })
})
