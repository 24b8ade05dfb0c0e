import assert from 'node:assert/strict'
import test from 'node:test'
import { startTesting } from '@sluice/server/testing'
import { charge, trial } from './trial.ts'

const customer = { email: 'ada@example.com', plan: 'monthly' } as const

void test('after fourteen days the customer is charged', async () => {
  await using sluice = await startTesting({ workflows: [trial] })
  const mails = ['welcome', 'remind'].map((step) => sluice.stub(trial, step, async () => ({ id: 'mail' })))
  const charges = sluice.stub(trial, charge, async ({ plan }) => ({ id: `charge of a ${plan} plan` }))

  const run = await sluice.start(trial, customer)
  await sluice.skip({ days: 13 })
  assert.deepEqual(
    mails.map(({ calls }) => calls.length),
    [1, 1],
  )
  assert.equal(charges.calls.length, 0)

  await sluice.skip({ days: 1 })
  assert.deepEqual(await run.result(), { charge: 'charge of a monthly plan' })
})

void test('a bank that does not answer is asked on three days, and then the run has failed', async () => {
  await using sluice = await startTesting({ workflows: [trial] })
  for (const step of ['welcome', 'remind']) sluice.stub(trial, step, async () => ({ id: 'mail' }))
  const charges = sluice.fail(trial, charge, 'the bank does not answer')

  const run = await sluice.start(trial, customer)
  await assert.rejects(sluice.finish(run), { name: 'RunFailedError', step: 'charge' })
  const [first, , third] = charges.calls
  assert.equal(charges.calls.length, 3)
  assert.equal(Math.round((third!.at.getTime() - first!.at.getTime()) / 86_400_000), 2)
})
